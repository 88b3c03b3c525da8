"""Show a raw output taken apart, and what in it could not be understood."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import Finished, StreamParser
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.messages import one_line
from llamanb.notebook.reply_view import reply_bundle
from llamanb.notebook.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llamanb.chat_layer import ChatMessage, ChatPrompt
    from llamanb.conversation.tools import Tool
    from llamanb.notebook.calls import Call
    from llamanb.notebook.transcript import Part

__all__ = ["ParseView", "call_problems"]

_FAILED = "color:var(--jp-error-color1,#c00)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseView:
    """An output taken apart.

    Attributes
    ----------
    message : the message: ``content``, ``reasoning_content``, ``tool_calls``.
    parts : texts and calls in their order.
    problems : what is wrong with it, in sentences.
    format : the syntax by which it was read.
    has_tools : whether there were tools; without them calls are text.
    """

    message: ChatMessage
    parts: tuple[Part, ...]
    problems: tuple[str, ...]
    format: str
    has_tools: bool = True

    @classmethod
    def of(cls, text: str, prompt: ChatPrompt, tools: Mapping[str, Tool[..., Any]]) -> ParseView:
        """Read ``text`` as what a model wrote after ``prompt``."""
        parser, transcript = StreamParser(prompt), Transcript(lambda: 0)
        for event in [*parser.feed(text), *parser.finish()]:
            transcript.add(event)
        transcript.add(Finished(reason="stop"))
        problems = [problem for call in transcript.calls for problem in call_problems(call, tools)]
        return cls(
            message=prompt.parse(text),
            parts=tuple(transcript.parts),
            problems=(*problems, *_text_problems(transcript.text, prompt)),
            format=prompt.format,
            has_tools=bool(tools),
        )

    def __repr__(self) -> str:
        thought = self.message.reasoning_content
        return "\n".join(
            [
                *([f"thinking: {clean_text(thought).strip()}"] if thought else []),
                self._bundle()["text/plain"],
                *(f"problem: {problem}" for problem in self.problems),
                f"[{self._summary()}]",
            ]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<div style="{_FAILED}">{escape(clean_text(problem))}</div>'
            for problem in self.problems
        )
        return f"<div>{self._bundle()['text/html']}{rows}<small>{escape(clean_text(self._summary()))}</small></div>"

    def _repr_markdown_(self) -> str:
        lines = [f"- problem: `{clean_text(one).replace('`', ' ')}`" for one in self.problems]
        return "\n\n".join(filter(None, (self._bundle()["text/markdown"], "\n".join(lines))))

    def _bundle(self) -> dict[str, str]:
        return reply_bundle(
            self.parts, reasoning=self.message.reasoning_content, thinking="Thought"
        )

    def _summary(self) -> str:
        n_calls = len(self.message.tool_calls)
        calls = f"{n_calls} tool call{'s' * (n_calls != 1)}" if self.has_tools else "without tools"
        return f"read as {self.format}, {calls}, {len(self.problems) or 'no'} problem" + "s" * (
            len(self.problems) != 1
        )


def call_problems(call: Call, tools: Mapping[str, Tool[..., Any]]) -> Iterator[str]:
    """Say what is wrong with a call."""
    if not call.is_whole:
        yield f"the call of {call.name!r} is not complete"
    elif call.name not in tools:
        names = ", ".join(map(repr, tools)) or "none"
        yield f"there is no tool {call.name!r}; the chat's tools are: {names}"
    else:
        try:
            tools[call.name].description.read(call.arguments)
        except Exception as error:  # noqa: BLE001  # the user's types check themselves
            yield f"{call.name}: {one_line(error)}"


def _text_problems(text: str, prompt: ChatPrompt) -> Iterator[str]:
    """Name the markers that were left in the text: what they begin was not understood."""
    description = prompt.description
    markers = {*prompt.preserved_tokens, *(description.forbidden if description else ())}
    for marker in sorted(marker for marker in markers if len(marker) > 1 and marker in text):
        yield f"{marker!r} was left in the text: what it marks was not understood"
