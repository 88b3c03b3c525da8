"""DeepSeek's markup since V3.2: each tag begins with one special token."""

from __future__ import annotations

from llamanb.chat_layer.syntax.elements import Literal, Sequence, Token, optional, sequence
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.tagged_calls import CallTags, tagged_calls

__all__ = ["DEEPSEEK_V3_2", "DEEPSEEK_V4"]

_DSML = Token("｜DSML｜")
_EMPTY_LINE = optional(Literal("\n"))  # where a call has no arguments


def _opened(rest: str) -> Sequence:
    return Sequence((Literal("<"), _DSML, Literal(rest)))


def _closed(rest: str) -> Sequence:
    return Sequence((Literal("</"), _DSML, Literal(rest)))


def _family(name: str, section: str) -> Family:
    return Family(
        name=name,
        marks=(("｜DSML｜", "dsml_token", f"{section}>"),),
        call=tagged_calls(
            CallTags(
                before=_opened('invoke name="'),
                named=Literal('">\n'),
                argument=_opened('parameter name="'),
                typed=(("string", Literal('" string="true">')), ("", Literal('" string="false">'))),
                loose=(Literal('">'),),
                end=_closed("parameter>\n"),
                after=sequence(_EMPTY_LINE, _closed("invoke>\n")),
            )
        ),
        section=(_opened(f"{section}>\n"), _closed(f"{section}>")),
        separator=NOTHING,
        triggers=(f"<｜DSML｜{section}>",),
    )


DEEPSEEK_V3_2 = _family("deepseek-v3.2", "function_calls")
DEEPSEEK_V4 = _family("deepseek-v4", "tool_calls")
