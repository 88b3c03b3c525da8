"""Draw tool calls: a card for a notebook, a code block for Markdown, lines for a terminal.

Name, arguments and result come from the model and from tools: all of it is escaped.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code

if TYPE_CHECKING:
    from llamanb.notebook.calls import Call

__all__ = ["call_html", "call_lines", "call_markdown", "call_python", "fenced"]

_MUTED = "color:var(--jp-ui-font-color2,#666)"
_SMALL = f"{_MUTED};font-size:0.85em"
_FAILED = "color:var(--jp-error-color1,#c00)"
_BOX = (
    "border:1px solid var(--jp-border-color2,#ccc);border-left-width:4px;border-radius:4px;"
    "padding:4px 10px;margin:6px 0"
)
_TEXT = (
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0;padding:0;background:none;"
    "max-height:14em;overflow:auto"
)


def call_html(call: Call) -> str:
    """Give the card of a call: name and arguments, then output, result and time."""
    name = f"<code><strong>{escape(clean_text(call.name))}</strong></code>"
    state = f'<span style="{_SMALL};float:right">{escape(call.state)}</span>'
    parts = [_block(highlight_code(_shown_arguments(call), "json"))]
    if call.stdout:
        parts.append(_labelled("printed", call.stdout, _MUTED))
    if call.result is not None:
        parts.append(_labelled("error" if call.is_error else "result", call.result, _color(call)))
    return f'<div class="llamanb-call" style="{_BOX}">{state}{name}{"".join(parts)}</div>'


def _color(call: Call) -> str:
    return _FAILED if call.is_error else ""


def _labelled(label: str, text: str, style: str) -> str:
    heading = f'<span style="{_SMALL}">{label}</span>'
    return heading + _block(escape(clean_text(text)), style)


def _block(inside: str, style: str = "") -> str:
    return f'<pre style="{";".join(filter(None, (_TEXT, style)))}">{inside}</pre>'


def _shown_arguments(call: Call) -> str:
    """Give the arguments, whole ones as tidy JSON."""
    args = call.args if call.is_whole else None
    if args is None:
        return clean_text(call.arguments)
    return clean_text(json.dumps(args, ensure_ascii=False))


def call_markdown(call: Call) -> str:
    """Give the call as a code block, in which nothing works."""
    return fenced("\n".join(call_lines(call)))


def call_lines(call: Call) -> list[str]:
    """Give the call as plain lines."""
    lines = [f"{clean_text(call.name)} {_shown_arguments(call)}"]
    if call.stdout:
        lines.append(f"  printed: {_indented(call.stdout)}")
    if call.result is not None:
        lines.append(f"  {'error' if call.is_error else 'result'}: {_indented(call.result)}")
    return [*lines[:-1], f"{lines[-1]}  [{call.state}]"] if call.state else lines


def _indented(text: str) -> str:
    return clean_text(text).rstrip("\n").replace("\n", "\n    ")


def call_python(name: str, args: dict[str, object]) -> str:
    """Give the call as Python would write it, complete and on one line.

    Examples
    --------
    >>> call_python("get_weather", {"city": "Oslo"})
    "get_weather(city='Oslo')"
    """
    written = [f"{key}={value!r}" for key, value in args.items() if key.isidentifier()]
    others = {key: value for key, value in args.items() if not key.isidentifier()}
    return f"{name}({', '.join([*written, *([f'**{others!r}'] if others else [])])})"


def fenced(text: str) -> str:
    """Give ``text`` as a Markdown code block that it cannot close."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))
    return f"{fence}\n{text}\n{fence}"
