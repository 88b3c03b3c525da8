"""Families that tag an argument's name and its value one after the other."""

from __future__ import annotations

import re
from dataclasses import replace

from llamanb.chat_layer.syntax.elements import Choice, Token, optional, sequence
from llamanb.chat_layer.syntax.families.calls import drift
from llamanb.chat_layer.syntax.families.family import NEW_LINE, NOTHING, Family
from llamanb.chat_layer.syntax.families.tagged_calls import CallTags, tagged_calls

__all__ = ["GLM", "GLM_DENSE", "HUNYUAN", "LING"]

_MAYBE_NEW_LINE = optional(NEW_LINE)
_EITHER = Choice((NEW_LINE, NOTHING))
_SPREAD = CallTags(
    before=sequence(Token("<tool_call>"), drift(NEW_LINE)),
    named=NEW_LINE,
    after=Token("</tool_call>"),
    name_ends=("<arg_key>", "</tool_call>"),
    argument=Token("<arg_key>"),
    value=sequence(Token("</arg_key>"), NEW_LINE, Token("<arg_value>")),
    end=sequence(Token("</arg_value>"), NEW_LINE),
)
_DENSE = replace(
    _SPREAD,
    named=NOTHING,
    value=sequence(Token("</arg_key>"), Token("<arg_value>")),
    end=Token("</arg_value>"),
)

LING = Family(
    name="ling-3",
    marks=(("<role>ASSISTANT</role>", "<tool_call>", "<arg_key>"),),
    call=tagged_calls(
        replace(
            _SPREAD,
            named=_EITHER,
            value=sequence(Token("</arg_key>"), _EITHER, Token("<arg_value>")),
            end=sequence(Token("</arg_value>"), Choice((NOTHING, NEW_LINE))),
            after=sequence(_EITHER, Token("</tool_call>")),
        )
    ),
    answer_ends=("<|role_end|>",),
    triggers=("<tool_call>",),
)
GLM = Family(
    name="glm-4.5",
    marks=(
        ("<tool_call>", "</arg_key>\n<arg_value>"),
        ("<tool_call>", "</arg_key>\\n<arg_value>"),
    ),
    call=tagged_calls(_SPREAD),
    section=(NOTHING, _MAYBE_NEW_LINE),
    triggers=("<tool_call>",),
)
GLM_DENSE = Family(
    name="glm-4.7",
    marks=(("<tool_call>", "</arg_key>", "<arg_value>"),),
    call=tagged_calls(_DENSE),
    separator=NOTHING,
    triggers=("<tool_call>",),
)


def _hunyuan(suffix: str) -> Family:
    """Give the family whose tags all end in ``suffix``."""

    def tag(name: str) -> Token:
        return Token(f"<{name}{suffix}>")

    return Family(
        name="hunyuan-3",
        marks=(("<tool_sep{}>", "<arg_key{}>", "HYTK"),),
        call=tagged_calls(
            CallTags(
                before=tag("tool_call"),
                named=sequence(tag("tool_sep"), NEW_LINE),
                after=sequence(tag("/tool_call"), NEW_LINE),
                argument=tag("arg_key"),
                value=sequence(tag("/arg_key"), NEW_LINE, tag("arg_value")),
                end=sequence(tag("/arg_value"), NEW_LINE),
            )
        ),
        section=(sequence(tag("tool_calls"), NEW_LINE), tag("/tool_calls")),
        separator=NOTHING,
        thinking=(tag("think").text, tag("/think").text),
        triggers=(tag("tool_calls").text,),
        variant=_hunyuan_of,
    )


def _hunyuan_of(source: str) -> Family:
    """Read the suffix off the template; models of other sizes have others."""
    found = re.search(r"set HYTK = '([^'<>\s]*)'", source)
    return _hunyuan(found[1]) if found else HUNYUAN


HUNYUAN = _hunyuan(":opensource")
