"""Draw a reply: HTML that needs no kernel and no page scripts, with plain twins."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from llamanb.notebook.call_view import call_html, call_lines, call_markdown, fenced
from llamanb.notebook.calls import Call
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.markdown import render_html, safe_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.notebook.transcript import Part

__all__ = ["code_blocks", "first_json", "growing_bundle", "reply_bundle"]

MOST_JSON_STARTS = 100
_FENCED = re.compile(r"^(```+|~~~+)[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.M | re.S)
_MUTED = "color:var(--jp-ui-font-color2,#666);font-size:0.85em"
_FAILED = "color:var(--jp-error-color1,#c00);font-size:0.85em"


def reply_bundle(
    said: str | Sequence[Part],
    *,
    reasoning: str = "",
    thinking: str = "Thought",
    footer: str = "",
    error: str = "",
    style: str = "md",
) -> dict[str, str]:
    """Give the display data of a complete reply.

    Parameters
    ----------
    said : a text, or texts and tool calls in their order.
    thinking : the heading of the folded reasoning.
    style : one of ``options.FORMATS``.
    footer, error : lines below the text; the error is shown in red.
    """
    parts = _parts(said)
    html = _page(_body(parts, style), _fold(reasoning, thinking), footer, error)
    plain = "\n".join(filter(None, (*_plain(parts, style), error)))
    return {"text/html": html, "text/markdown": _twin(parts, style), "text/plain": plain}


def growing_bundle(
    said: str | Sequence[Part],
    *,
    reasoning: str,
    thinking: str,
    style: str = "md",
    waiting: str = "…",
) -> dict[str, str]:
    """Give the display data of a reply that still grows.

    Parameters
    ----------
    thinking : the heading of the fold.
    waiting : what stands there while there is nothing else.
    """
    parts = _parts(said)
    body = (
        _body(parts, style) if parts else f'<p style="{_MUTED}">{escape(clean_text(waiting))}</p>'
    )
    plain = "\n".join(_plain(parts, style)) or "…"
    return {"text/html": _page(body, _fold(reasoning, thinking)), "text/plain": plain}


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Give the (language, code) of each fenced block of ``text``."""
    return [(found[2], found[3]) for found in _FENCED.finditer(text)]


def first_json(text: str) -> Any:
    """Give the first JSON object or list in ``text``, None if there is none.

    Only the first 100 places where one could begin are tried.
    """
    decoder = json.JSONDecoder()
    for opener in islice(re.finditer(r"[\[{]", text), MOST_JSON_STARTS):
        try:
            return decoder.raw_decode(text, opener.start())[0]
        except (ValueError, RecursionError):
            continue
    return None


def _parts(said: str | Sequence[Part]) -> Sequence[Part]:
    if isinstance(said, str):
        return [said] if said else []
    return said


def _page(body: str, fold: str, footer: str = "", error: str = "") -> str:
    below = (
        f'<div style="{_MUTED};margin-top:4px">{escape(clean_text(footer))}</div>' if footer else ""
    )
    failed = f'<div style="{_FAILED}">{escape(clean_text(error))}</div>' if error else ""
    return f'<div class="llamanb-reply">{fold}{body}{failed}{below}</div>'


def _fold(reasoning: str, summary: str) -> str:
    if not reasoning.strip():
        return ""
    heading = f'<summary style="{_MUTED};cursor:pointer">{escape(clean_text(summary))}</summary>'
    return f'<details class="llamanb-thinking">{heading}{render_html(reasoning)}</details>'


def _body(parts: Sequence[Part], style: str) -> str:
    return "".join(
        call_html(part) if isinstance(part, Call) else _text_html(part, style) for part in parts
    )


def _text_html(text: str, style: str) -> str:
    text = clean_text(text)
    if style == "md":
        return render_html(text)
    language = "json" if style == "json" else ""
    shown = _shown_text(text, style)
    if style == "code":
        language = next((name for name, _ in code_blocks(text)), "") or "python"
    inside = highlight_code(shown, language) if language else escape(shown)
    return f'<pre style="white-space:pre-wrap"><code>{inside}</code></pre>'


def _plain(parts: Sequence[Part], style: str) -> list[str]:
    return [
        "\n".join(call_lines(part))
        if isinstance(part, Call)
        else _shown_text(clean_text(part), style)
        for part in parts
    ]


def _shown_text(text: str, style: str) -> str:
    if style == "code":
        return "\n".join(code for _, code in code_blocks(text)) or text
    if style == "json" and (value := first_json(text)) is not None:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return text


def _twin(parts: Sequence[Part], style: str) -> str:
    return "\n\n".join(
        call_markdown(part) if isinstance(part, Call) else _text_twin(clean_text(part), style)
        for part in parts
    )


def _text_twin(text: str, style: str) -> str:
    return safe_markdown(text) if style == "md" else fenced(_shown_text(text, style))
