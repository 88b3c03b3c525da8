"""Families that write each argument between tags of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Literal,
    Token,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import drift
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.json_objects import marked
from llamanb.chat_layer.syntax.families.tagged_calls import CallTags, tagged_calls
from llamanb.chat_layer.syntax.families.unmarked import function_tags

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["MINICPM", "MINIMAX_M2", "QWEN_CODER", "SEED", "muse_call"]

_MAYBE_NEW_LINE = optional(Literal("\n"))

_qwen_tagged = tagged_calls(
    CallTags(
        # These models at times leave the first marker out, never the last.
        before=Choice(
            (
                sequence(Token("<tool_call>"), Literal("\n<function=")),
                Literal("<function="),
            )
        ),
        named=sequence(Literal(">\n"), Ahead(("<parameter=", "</function>"))),
        argument=Literal("<parameter="),
        value=Literal(">\n"),
        end=Literal("\n</parameter>\n"),
        after=sequence(Literal("</function>\n"), Token("</tool_call>")),
    )
)
_qwen_json = marked(Token("<tool_call>"), Token("</tool_call>"))


def _qwen_call(tools: tuple[ToolShape, ...]) -> Element:
    """Give a call with tags; at times these models write JSON into the same markers."""
    start, end = drift(Token("<tool_call>")), drift(Token("</tool_call>"))
    in_tags = sequence(start, *function_tags(tools), end)
    return Choice((_qwen_tagged(tools), Drift(_qwen_json(tools)), Drift(in_tags)))


QWEN_CODER = Family(
    name="qwen-coder",
    marks=(("<function=", "<parameter=", "<tool_call>", "</parameter>"),),
    not_marks=("<seed:tool_call>",),
    call=_qwen_call,
    section=(NOTHING, _MAYBE_NEW_LINE),
    separator=_MAYBE_NEW_LINE,
    triggers=("<tool_call>", "<function="),
    trigger_patterns=("<tool_call>", "<function=(?:{names})>"),
)
SEED = Family(
    name="seed-oss",
    marks=(("<seed:tool_call>", "<function=", "<parameter="),),
    call=tagged_calls(
        CallTags(
            before=sequence(Token("<seed:tool_call>"), Literal("\n<function=")),
            named=Literal(">\n"),
            argument=Literal("<parameter="),
            value=Literal(">"),
            end=Literal("</parameter>\n"),
            after=sequence(Literal("</function>\n"), Token("</seed:tool_call>")),
        )
    ),
    thinking=("<seed:think>", "</seed:think>"),
    triggers=("<seed:tool_call>",),
)
MINIMAX_M2 = Family(
    name="minimax-m2",
    marks=(("<minimax:tool_call>", '<invoke name="', '<parameter name="'),),
    call=tagged_calls(
        CallTags(
            before=Literal('<invoke name="'),
            named=Literal('">\n'),
            argument=Literal('<parameter name="'),
            value=Literal('">'),
            end=Literal("</parameter>\n"),
            after=Literal("</invoke>\n"),
        )
    ),
    section=(
        sequence(Token("<minimax:tool_call>"), Literal("\n")),
        Token("</minimax:tool_call>"),
    ),
    separator=NOTHING,
    triggers=("<minimax:tool_call>",),
)
MINICPM = Family(
    name="minicpm-5",
    marks=(('<function name="', '<param name="', "<![CDATA["),),
    call=tagged_calls(
        CallTags(
            before=Literal('<function name="'),
            named=Literal('">'),
            argument=Literal('<param name="'),
            value=Literal('">'),
            end=Literal("</param>"),
            after=Literal("</function>"),
            raw=("<![CDATA[", "]]>"),
        )
    ),
    triggers=('<function name="',),
)

muse_call = tagged_calls(
    CallTags(
        before=Literal('<atem:function_calls>\n<atem:invoke name="'),
        named=Literal('">\n'),
        argument=Literal('<atem:parameter name="'),
        value=Literal('">'),
        end=Literal("</atem:parameter>\n"),
        after=Literal("</atem:invoke>\n</atem:function_calls>"),
    )
)
