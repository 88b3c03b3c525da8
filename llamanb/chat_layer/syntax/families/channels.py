"""Families whose answers are messages to someone: Functionary 3.2, Solar Open, Muse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.description import ANY_TEXT, Block, Description
from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Literal,
    Repeat,
    Rule,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import any_tool
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.tagged import muse_call
from llamanb.chat_layer.syntax.families.unmarked import code_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import ToolShape, Wish

__all__ = ["FUNCTIONARY_3_2", "MUSE", "SOLAR"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """How a family writes the messages of one answer.

    Attributes
    ----------
    again : between two messages.
    thinking, answer : what opens a message of this kind.
    ends : tokens of which any ends a message.
    bare : a call without a header, where a message should begin.
    """

    again: Element
    thinking: Element
    answer: Element
    ends: tuple[str, ...]
    bare: Callable[[tuple[ToolShape, ...]], Element] | None = None

    def thought(self) -> Element:
        """Give a message of reasoning; it is never the last."""
        return sequence(self.thinking, Tag("reasoning", Until(self.ends)), self._end())

    def said(self, text: Element, *, is_last: bool) -> Element:
        """Give a message to the user."""
        written = Until(self.ends) if text == ANY_TEXT else text
        end = optional(self._end()) if is_last else self._end()
        return sequence(self.answer, Tag("content", written, self.ends), end)

    def _end(self) -> Element:
        ends = tuple(Token(end) for end in self.ends)
        return ends[0] if len(ends) == 1 else Choice(ends)

    def compose(self, family: Family, wish: Wish) -> Description:
        """Describe reasoning, a word to the user, and then calls or the answer."""
        chosen = self._calls(family, wish.chosen, is_parallel=wish.is_parallel)
        known = self._calls(family, wish.known) if wish.chosen else None
        final = self.said(wish.answer_text, is_last=True)
        spoken = self.said(ANY_TEXT, is_last=False)
        thoughts = (self.thought(),) if wish.thinking.ends else ()
        may_speak = chosen and wish.has_free_answer and not wish.must_call
        before = (
            *(thoughts if wish.thinking.is_allowed else ()),
            *((spoken,) if may_speak else ()),
        )
        answers = (*((chosen,) if chosen else ()), *(() if wish.must_call else (final,)))
        kinds = Choice((*((known,) if known else ()), *thoughts, spoken, final))
        bare = (self.bare(wish.known),) if self.bare and wish.chosen else ()
        return Description(
            output=sequence(
                *(optional(sequence(one, self.again)) for one in before), Choice(answers)
            ),
            blocks=(
                Block(sequence(self.again, kinds)),
                Block(kinds),
                *(Block(one, anywhere=False) for one in bare),
            ),
            triggers=family.triggers if chosen else (),
            calls=chosen,
        )

    def _calls(
        self, family: Family, tools: tuple[ToolShape, ...], *, is_parallel: bool = True
    ) -> Element | None:
        if not tools:
            return None
        before, after = family.section
        call = Rule("call", family.call(tools))
        more = (Repeat(sequence(family.separator, call)),) if is_parallel else ()
        return sequence(before, call, *more, after)


def _solar_form(name: Element, arguments: Element) -> Element:
    call_id = Tag("tool_id", Until(("<|tool_call:name|>",)))
    inner = sequence(
        call_id, Token("<|tool_call:name|>"), name, Token("<|tool_call:args|>"), arguments
    )
    return sequence(
        Token("<|tool_call:begin|>"), Tag("tool_call", inner), Token("<|tool_call:end|>")
    )


_SOLAR = Messages(
    again=sequence(Token("<|begin|>"), Literal("assistant")),
    thinking=Token("<|think|>"),
    answer=Token("<|content|>"),
    ends=("<|end|>",),
)
SOLAR = Family(
    name="solar-open",
    marks=(("<|tool_call:begin|>", "<|tool_calls|>"),),
    call=lambda tools: any_tool(tools, _solar_form),
    section=(
        Choice((Token("<|tool_calls|>"), Drift(NOTHING))),
        optional(Token("<|calls|>")),
    ),
    separator=NOTHING,
    thinking=("<|think|>", "<|end|>"),
    answer_openings=("<|content|>", "<|end|><|begin|>assistant<|content|>"),
    triggers=("<|tool_calls|>",),
    compose=_SOLAR.compose,
)


def _muse_calls(tools: tuple[ToolShape, ...]) -> Element:
    """Give a message to each tool, which names it again in the call itself."""
    messages = (
        sequence(Literal(" to="), Literal(tool.name), Token("<|message|>"), muse_call((tool,)))
        for tool in tools
    )
    return Choice(tuple(messages))


_MUSE = Messages(
    again=sequence(Token("<|start|>"), Literal("assistant")),
    thinking=sequence(Literal(" to=self"), Token("<|message|>")),
    answer=sequence(Literal(" to=user"), Token("<|message|>")),
    ends=("<|eom|>", "<|eot|>"),
    bare=muse_call,
)
MUSE = Family(
    name="muse-glimmer",
    marks=(("<atem:function_calls>",),),
    call=_muse_calls,
    section=(NOTHING, optional(Choice((Token("<|eot|>"), Token("<|eom|>"))))),
    separator=sequence(Token("<|eom|>"), _MUSE.again),
    thinking=("to=self<|message|>", "<|eom|>"),
    answer_openings=(" to=user<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    triggers=(" to=",),
    trigger_patterns=(
        r"^( to=(?:{names})<\|message\|>)",
        r"<\|start\|>assistant( to=(?:{names})<\|message\|>)",
    ),
    compose=_MUSE.compose,
)


_MARK = ">>>"
_PYTHON = sequence(Literal(_MARK), Literal("python"), Literal("\n"))


def _recipient(name: Element, *inner: Element) -> Element:
    """Give the line that says who is spoken to, and what follows it."""
    return sequence(name, Ahead(("\n",)), Literal("\n"), *inner)


def _functionary_form(name: Element, arguments: Element) -> Element:
    inner = _recipient(name, Ahead(("{",)), arguments)
    return sequence(Literal(_MARK), Tag("tool_call", inner))


def _functionary_calls(tools: tuple[ToolShape, ...]) -> Element:
    return any_tool(tools, _functionary_form)


def _functionary_text(text: Element) -> Element:
    return sequence(Literal(_MARK), _recipient(Literal("all"), Tag("content", text)))


def _compose_functionary(family: Family, wish: Wish) -> Description:
    """Describe a word to all, and calls; every part begins with its recipient."""
    said = _functionary_text(wish.answer_text)
    spoken = Block(_functionary_text(ANY_TEXT))
    lone = Block(Literal(_MARK), anywhere=False)  # the prompt's, and then no recipient
    if not wish.chosen:
        return Description(output=said, blocks=(spoken, lone))
    call = Rule("call", family.call(wish.chosen))
    calls = sequence(call, *((Repeat(call),) if wish.is_parallel else ()))
    if wish.has_free_answer:
        openings = Until(tuple(f"{_MARK}{tool.name}\n" for tool in wish.chosen))
        said = sequence(_functionary_text(openings), optional(calls))
    return Description(
        output=calls if wish.must_call else Choice((calls, said)),
        blocks=(
            spoken,
            Block(family.call(wish.known)),
            *(Block(one) for one in code_calls(_PYTHON, wish.known)),
            lone,
        ),
        calls=calls,
    )


FUNCTIONARY_3_2 = Family(
    name="functionary-3.2",
    marks=((">>>all", "recipient"),),
    call=_functionary_calls,
    separator=NOTHING,
    thinking=("", ""),
    compose=_compose_functionary,
    begun=(_MARK,),
    answer_openings=("all\n", "all\n"),
)
