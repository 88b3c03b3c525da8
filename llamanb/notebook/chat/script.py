"""A talk as a Python program that asks the same questions again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.chat.settings_text import plain_sampling
from llamanb.notebook.chat.twin import one_line_text, talk_title, turn_text
from llamanb.notebook.clean_text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.notebook.chat.parts import TalkView

__all__ = ["talk_script"]

_TOOLS_NOTE = "# The answers below used tools: give them as tools=[…] to have them run again."


def talk_script(talk: TalkView) -> str:
    """Give the talk as a program; the answers there were stand in it as comments."""
    return "\n\n".join(_paragraphs(talk)) + "\n"


def _paragraphs(talk: TalkView) -> Iterator[str]:
    sampling = plain_sampling(talk.sampling)
    yield f"# {talk_title(talk)}\nimport llamanb"
    yield _session(talk)
    if sampling:
        yield f"sampling = {sampling!r}"
    for turn, content in zip(talk.turns, _contents(talk), strict=True):
        if content:
            yield _asked(content, "**sampling" if sampling else "")
        if answer := turn_text(turn):
            yield _comment(answer)


def _session(talk: TalkView) -> str:
    lines = ["session = llamanb.Session(", f"    llamanb.load({one_line_text(talk.model)!r}),"]
    if talk.system_prompt:
        lines.append(f"    system_prompt={_literal(talk.system_prompt)},")
    note = [_TOOLS_NOTE] if any(one["role"] == "tool" for one in talk.messages) else []
    return "\n".join([*note, *lines, ")"])


def _asked(content: Any, options: str) -> str:
    said = f"    {_literal(content)},"
    more = [f"    {options},"] if options else []
    return "\n".join(["reply = session.send(", said, *more, ")", "print(reply.content)"])


def _contents(talk: TalkView) -> list[Any]:
    """Give what the model read of each question, attachments and all."""
    said = [one.get("content") for one in talk.messages if one["role"] == "user"]
    is_whole = len(said) == len(talk.turns)
    return said if is_whole else [turn.question for turn in talk.turns]


def _literal(value: Any) -> str:
    """Give a value as Python writes it, texts line by line."""
    if not isinstance(value, str) or "\n" not in value:
        return repr(value)
    lines = "\n".join(f"        {line!r}" for line in value.splitlines(keepends=True))
    return f"(\n{lines}\n    )"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in clean_text(text).split("\n"))
