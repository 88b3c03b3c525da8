"""The still copy of a talk: HTML, Markdown and text that need no kernel, script or network."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.call_view import call_html, call_lines, call_markdown
from llamanb.notebook.calls import Call
from llamanb.notebook.chat.parts import Thought
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.markdown import render_html, safe_line, safe_markdown

if TYPE_CHECKING:
    from llamanb.notebook.chat.parts import Attachment, Part, TalkView, TurnView

__all__ = [
    "chat_html",
    "chat_markdown",
    "chat_text",
    "one_line_text",
    "talk_title",
    "turn_markdown",
    "turn_text",
]

LONGEST_IMAGE = 8_000_000
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")

_MUTED = "color:var(--jp-ui-font-color2,#666)"
_SMALL = f"{_MUTED};font-size:0.85em"
_FAILED = "color:var(--jp-error-color1,#c00);font-size:0.85em"
_LINE = "var(--jp-border-color2,#ccc)"
_BOX = (
    "max-width:56em;font-family:var(--jp-ui-font-family,system-ui,sans-serif);"
    "color:var(--jp-ui-font-color1,inherit);line-height:1.5;overflow-wrap:anywhere"
)
_QUESTION = (
    "margin:14px 0 6px 15%;padding:2px 12px;border-radius:10px 10px 2px 10px;"
    f"background:var(--jp-layout-color2,rgba(127,127,127,0.12));border:1px solid {_LINE}"
)
_CHIP = f"display:inline-block;border:1px solid {_LINE};border-radius:8px;padding:0 8px;{_SMALL}"
_THUMBNAIL = (
    "display:inline-block;max-width:160px;max-height:120px;border-radius:6px;"
    f"border:1px solid {_LINE};vertical-align:middle"
)
_FOLD = f"border-left:2px solid {_LINE};padding-left:10px;margin:4px 0"
_SUMMARY = f"{_SMALL};cursor:pointer"


def chat_html(talk: TalkView) -> str:
    """Give the talk as HTML that cannot do anything, with all styles in it."""
    heading = f'<div style="{_SMALL}">{escape(talk_title(talk))}</div>'
    turns = "".join(map(_turn_html, talk.turns))
    empty = f'<p style="{_MUTED}">Nothing has been said yet.</p>' if not talk.turns else ""
    system = _fold("System prompt", talk.system_prompt)
    return f'<div class="llamanb-talk" style="{_BOX}">{heading}{system}{turns}{empty}</div>'


def chat_markdown(talk: TalkView) -> str:
    """Give the talk as Markdown in which no image, tag or odd link works."""
    parts = [_emphasised(talk_title(talk))]
    if talk.system_prompt.strip():
        parts.append(_quoted(f"**System prompt**\n\n{safe_markdown(talk.system_prompt)}"))
    for turn in talk.turns:
        parts += ["---", "**You**", _question_markdown(turn), "**Model**", turn_markdown(turn)]
    return "\n\n".join(filter(None, parts)) + "\n"


def chat_text(talk: TalkView) -> str:
    """Give the talk as plain lines."""
    lines = [talk_title(talk)]
    if talk.system_prompt.strip():
        lines.append(f"System: {clean_text(talk.system_prompt)}")
    for turn in talk.turns:
        names = "".join(f" [{one_line_text(one.name)}]" for one in turn.attachments)
        said = f"You: {clean_text(turn.question)}{names}"
        lines += [said, turn_text(turn)]
    return "\n\n".join(filter(None, lines))


def talk_title(talk: TalkView) -> str:
    """Give the line above a talk: who answers, and how many turns there are."""
    count = len(talk.turns)
    name = f"{one_line_text(talk.model) or 'no model'}{' (toy)' if talk.is_toy else ''}"
    return f"Chat with {name} · {count} turn{'s' * (count != 1)}"


def turn_markdown(turn: TurnView) -> str:
    """Give what followed a question as Markdown, calls as code blocks."""
    below = map(_emphasised, _below(turn))
    return "\n\n".join(filter(None, (*map(_part_markdown, turn.parts), *below)))


def turn_text(turn: TurnView) -> str:
    """Give what followed a question as plain lines."""
    return "\n\n".join([*map(_part_text, turn.parts), *_below(turn)])


def one_line_text(text: str) -> str:
    """Give ``text`` on one line, as in a heading."""
    return " ".join(clean_text(text).split())


# ---- HTML -------------------------------------------------------------------------------


def _turn_html(turn: TurnView) -> str:
    given = "".join(map(_attachment_html, turn.attachments))
    given = f'<p style="margin:4px 0">{given}</p>' if given else ""
    question = f'<div style="{_QUESTION}">{render_html(turn.question)}{given}</div>'
    parts = "".join(map(_part_html, turn.parts))
    error = f'<div style="{_FAILED}">{escape(clean_text(turn.error))}</div>' if turn.error else ""
    footer = f'<div style="{_SMALL}">{escape(clean_text(turn.footer))}</div>' if turn.footer else ""
    return f"{question}<div>{parts}{error}{footer}</div>"


def _part_html(part: Part) -> str:
    if isinstance(part, Call):
        return call_html(part)
    if isinstance(part, Thought):
        return _fold(part.heading, part.text)
    return render_html(part)


def _fold(heading: str, text: str) -> str:
    if not text.strip():
        return ""
    summary = f'<summary style="{_SUMMARY}">{escape(heading)}</summary>'
    return f'<details style="{_FOLD}">{summary}{render_html(text)}</details>'


def _attachment_html(attachment: Attachment) -> str:
    name = escape(one_line_text(attachment.name))
    url = attachment.url
    if attachment.kind == "image" and len(url) <= LONGEST_IMAGE and _IMAGE.fullmatch(url):
        return f'<img src="{url}" alt="{name}" title="{name}" style="{_THUMBNAIL}"> '
    return f'<span style="{_CHIP}">{name}</span> '


# ---- Markdown and text --------------------------------------------------------------------


def _question_markdown(turn: TurnView) -> str:
    names = ", ".join(_emphasised(one.name) for one in turn.attachments)
    given = f"\n\nattached: {names}" if names else ""
    return _quoted(safe_markdown(turn.question) + given)


def _part_markdown(part: Part) -> str:
    if isinstance(part, Call):
        return call_markdown(part)
    if isinstance(part, Thought):
        thought = safe_markdown(part.text).strip()
        return _quoted(f"*{part.heading}*\n\n{thought}") if thought else ""
    return safe_markdown(part).strip("\n")


def _part_text(part: Part) -> str:
    if isinstance(part, Call):
        return "\n".join(call_lines(part))
    if isinstance(part, Thought):
        return f"[{part.heading}]\n{clean_text(part.text)}"
    return clean_text(part)


def _below(turn: TurnView) -> list[str]:
    return [clean_text(line) for line in (turn.error, turn.footer) if line]


def _emphasised(text: str) -> str:
    return f"*{safe_line(text)}*"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
