"""Draw a reply: HTML that needs no kernel and no page scripts, with plain twins."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import islice
from typing import Any

from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.markdown import render_html, safe_markdown

__all__ = ["code_blocks", "first_json", "growing_bundle", "reply_bundle"]

MOST_JSON_STARTS = 100
_FENCED = re.compile(r"^(```+|~~~+)[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.M | re.S)
_MUTED = "color:var(--jp-ui-font-color2,#666);font-size:0.85em"
_FAILED = "color:var(--jp-error-color1,#c00);font-size:0.85em"


def reply_bundle(
    text: str,
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
    thinking : the heading of the folded reasoning.
    style : one of ``options.FORMATS``.
    footer, error : lines below the text; the error is shown in red.
    """
    text = clean_text(text)
    html = _page(_body(text, style), _fold(reasoning, thinking), footer, error)
    plain = "\n".join(filter(None, (_shown_text(text, style), error)))
    return {"text/html": html, "text/markdown": _twin(text, style), "text/plain": plain}


def growing_bundle(
    text: str, *, reasoning: str, thinking: str, style: str = "md", waiting: str = "…"
) -> dict[str, str]:
    """Give the display data of a reply that still grows.

    Parameters
    ----------
    thinking : the heading of the fold.
    waiting : what stands there while there is no text.
    """
    text = clean_text(text)
    body = _body(text, style) if text else f'<p style="{_MUTED}">{escape(waiting)}</p>'
    return {"text/html": _page(body, _fold(reasoning, thinking)), "text/plain": text or "…"}


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


def _page(body: str, fold: str, footer: str = "", error: str = "") -> str:
    below = f'<div style="{_MUTED};margin-top:4px">{escape(footer)}</div>' if footer else ""
    failed = f'<div style="{_FAILED}">{escape(error)}</div>' if error else ""
    return f'<div class="llamanb-reply">{fold}{body}{failed}{below}</div>'


def _fold(reasoning: str, summary: str) -> str:
    if not reasoning.strip():
        return ""
    heading = f'<summary style="{_MUTED};cursor:pointer">{escape(summary)}</summary>'
    return f'<details class="llamanb-thinking">{heading}{render_html(reasoning)}</details>'


def _body(text: str, style: str) -> str:
    if style == "md":
        return render_html(text)
    language = "json" if style == "json" else ""
    shown = _shown_text(text, style)
    if style == "code":
        language = next((name for name, _ in code_blocks(text)), "") or "python"
    inside = highlight_code(shown, language) if language else escape(shown)
    return f'<pre style="white-space:pre-wrap"><code>{inside}</code></pre>'


def _shown_text(text: str, style: str) -> str:
    if style == "code":
        return "\n".join(code for _, code in code_blocks(text)) or text
    if style == "json" and (value := first_json(text)) is not None:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return text


def _twin(text: str, style: str) -> str:
    if style == "md":
        return safe_markdown(text)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))
    return f"{fence}\n{_shown_text(text, style)}\n{fence}"
