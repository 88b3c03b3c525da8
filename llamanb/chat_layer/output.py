"""What the model may write after a prompt: its family's syntax, for one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.prompt import Syntax
from llamanb.chat_layer.syntax.compose import PLAIN, compose
from llamanb.chat_layer.syntax.description import ANY_TEXT, Description, Thinking, ToolShape
from llamanb.chat_layer.syntax.differential import read_family
from llamanb.chat_layer.syntax.families import HERMES, Family, describe
from llamanb.chat_layer.syntax.lark import write_lark
from llamanb.chat_layer.syntax.walk import markers_in
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.chat_layer.syntax.elements import Element

__all__ = [
    "Output",
    "Request",
    "family_of",
    "is_thinking",
    "read_choice",
    "syntax_of",
    "tool_shapes",
]

_CHOICES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a caller asks of the output.

    Attributes
    ----------
    choice : ``"none"``, ``"auto"``, ``"required"`` or the name of a tool.
    is_parallel : whether one answer may hold several calls.
    thinks : whether the caller asked for reasoning; None leaves it to the template.
    answer : what an answer that is no call must be.
    shows_reasoning : whether reasoning is told from content.
    special_tokens : the vocabulary's control tokens and their ids, if it is known.
    """

    tools: tuple[ToolShape, ...] = ()
    choice: str = "auto"
    is_parallel: bool = True
    answer: Element = ANY_TEXT
    thinks: bool | None = None
    shows_reasoning: bool = True
    special_tokens: Mapping[str, int] | None = None

    @property
    def is_forced(self) -> bool:
        """Whether the answer has to be a call."""
        return self.choice not in {"none", "auto"}

    @property
    def may_think(self) -> bool:
        """Whether a grammar lets the model open reasoning: not before a forced call, unless asked."""
        return not self.is_forced if self.thinks is None else self.thinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The syntax of one output, and the constraint on it.

    Attributes
    ----------
    begun : the part of the grammar's text that the prompt has written already.
    """

    syntax: Syntax
    description: Description
    thinking: Thinking
    begun: str = ""
    grammar: str = ""
    is_lazy: bool = False

    @classmethod
    def of(
        cls, family: Family | None, syntax: Syntax, opening: str, prefill: str, request: Request
    ) -> Output:
        """Compose the output that follows ``opening`` and the ``prefill`` behind it.

        Raises
        ------
        OptionError
            If what is asked is impossible.
        """
        if prefill and request.is_forced:
            raise OptionError(
                f"tool_choice={request.choice!r} cannot be kept while a message is continued"
            )
        thinking = _thinking(syntax, opening, may_open=request.may_think and not prefill)
        begun = _begun(family, opening)

        def described(thinking: Thinking) -> Description:
            made = compose(
                family or PLAIN,
                request.tools,
                tool_choice=request.choice,
                parallel=request.is_parallel,
                thinking=thinking,
                content_starts=syntax.content_starts,
                answer=request.answer,
            )
            return replace(made, begun=begun)

        description = described(thinking)
        element, is_lazy = _constrained(description, request)
        return cls(
            syntax=syntax,
            description=description if request.shows_reasoning else described(Thinking()),
            thinking=thinking,
            begun=begun + ("" if thinking.is_open else prefill),
            grammar="" if element is None else write_lark(element, request.special_tokens),
            is_lazy=is_lazy,
        )

    @property
    def markers(self) -> Iterator[str]:
        """Texts that the parser must see even where they are control tokens."""
        yield from (self.thinking.start, *self.thinking.ends, *self.syntax.content_starts)
        yield from markers_in(self.description.output)
        for block in self.description.blocks:
            yield from markers_in(block.element)


def _constrained(description: Description, request: Request) -> tuple[Element | None, bool]:
    """Give what the grammar is made of, None for no grammar, and whether it waits."""
    has_calls = description.calls is not None
    has_free_answer = request.answer == ANY_TEXT
    if has_free_answer and request.choice == "auto" and has_calls:
        is_lazy = bool(description.triggers)
        return description.calls if is_lazy else description.output, is_lazy
    is_free = has_free_answer and (request.choice == "auto" or not request.tools)
    return None if is_free else description.output, False


def _begun(family: Family | None, opening: str) -> str:
    texts = family.begun if family else ()
    return next((text for text in texts if opening.endswith(text)), "")


def _thinking(syntax: Syntax, opening: str, *, may_open: bool) -> Thinking:
    """Say how the turn that begins with ``opening`` goes on thinking."""
    is_closed = any(tag in opening for tag in syntax.thinking_ends)
    return Thinking(
        start=next(iter(syntax.thinking_starts), ""),
        ends=syntax.thinking_ends,
        is_open=is_thinking(syntax, opening),
        is_allowed=may_open and not is_closed,
    )


def is_thinking(syntax: Syntax, text: str) -> bool:
    """Say whether reasoning was opened in ``text`` and not closed again."""
    opened = max((text.rfind(tag) for tag in syntax.thinking_starts), default=-1)
    closed = max((text.rfind(tag) for tag in syntax.thinking_ends), default=-1)
    return opened > closed


@lru_cache(maxsize=128)
def family_of(source: str | None) -> Family | None:
    """Give the family of a template: a named one, or one read off it; None if there is none.

    Without a template models are given ChatML, and Hermes' tool calls with it.
    """
    return (describe(source) or read_family(source)) if source else HERMES


def syntax_of(family: Family | None, found: Syntax, source: str) -> Syntax:
    """Give how reasoning is marked: as the family says if its markers show, else as ``found``."""
    if family is None:
        return found
    start, end = family.thinking
    if family.compose is not None:
        return Syntax(name=family.name, thinking_starts=_some(start), thinking_ends=_some(end))
    if end and end in source:
        starts, ends = _some(start), _some(end)
    else:
        starts, ends = found.thinking_starts, found.thinking_ends
    return Syntax(
        name=family.name,
        thinking_starts=starts,
        thinking_ends=ends,
        content_starts=found.content_starts,
    )


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def tool_shapes(tools: list[dict[str, Any]]) -> tuple[ToolShape, ...]:
    """Give the names and argument schemas of OpenAI tool definitions.

    Raises
    ------
    OptionError
        If one has no name, or a schema that is no dictionary.
    """
    return tuple(_shape(number, tool.get("function", tool)) for number, tool in enumerate(tools))


def _shape(number: int, function: dict[str, Any]) -> ToolShape:
    name, parameters = function.get("name"), function.get("parameters")
    if not isinstance(name, str) or not name:
        raise OptionError(f"tools[{number}] needs a name, in its 'function'")
    if not isinstance(parameters, dict | None):
        raise OptionError(f"tools[{number}] ({name}): parameters must be a JSON Schema")
    return ToolShape(name=name, parameters=parameters or {})


def read_choice(choice: str | Mapping[str, Any] | None) -> str:
    """Give ``tool_choice`` as one word: ``none``, ``auto``, ``required`` or a tool's name.

    Raises
    ------
    OptionError
        If it is none of OpenAI's forms.
    """
    if isinstance(choice, Mapping):
        function = choice.get("function", choice)
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str) and name:
            return name
    if isinstance(choice, str | None):
        return choice or "auto"
    raise OptionError(
        f"tool_choice={choice!r} is not possible; use {', '.join(map(repr, _CHOICES))} or "
        "{'type': 'function', 'function': {'name': …}}"
    )
