"""Families whose calls are JSON objects that hold name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Layout,
    Literal,
    Schema,
    Tag,
    Token,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import DIGITS, any_tool, drift
from llamanb.chat_layer.syntax.families.family import NEW_LINE, NOTHING, Family
from llamanb.chat_layer.syntax.families.json_objects import (
    COMMA,
    FENCE,
    FENCE_END,
    ObjectForm,
    bare_calls,
    in_list,
    marked,
    objects,
)
from llamanb.chat_layer.syntax.families.python_like import python_calls, python_list
from llamanb.chat_layer.syntax.families.unmarked import code_calls, function_tags, xml_marked

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = [
    "APERTUS",
    "APRIEL",
    "COMMAND_R",
    "COMMAND_R_PLUS",
    "FIREFUNCTION",
    "GIGACHAT",
    "GIGACHAT_3",
    "GRANITE_3",
    "HERMES",
    "LLAMA",
    "MINIMAX_M1",
    "MISTRAL_ARRAY",
    "NEMOTRON_NANO",
    "PHI_4",
]

_NO_THINKING = ("", "")

HERMES = Family(
    name="hermes",
    marks=(
        ("<tool_call>", "</tool_call>", '"arguments"'),
        ("<tool_call>", "</tool_call>", "'arguments'"),
        ("<tool_call>\\n{", ".arguments"),
        ("AI assistant named SmolLM",),  # some of its templates leave the tools out
    ),
    not_marks=("<arg_key>", "<function=", "<tool_calls>", "<invoke", "<|tool_call"),
    call=marked(
        sequence(Token("<tool_call>"), Literal("\n")),
        sequence(Choice((NEW_LINE, NOTHING)), Token("</tool_call>")),
    ),
    separator=Choice((NEW_LINE, NOTHING)),
    triggers=("<tool_call>",),
    unmarked=lambda tools: (*xml_marked(tools), *function_tags(tools)),
)

_LLAMA_FORM = ObjectForm(arguments="parameters", has_type=True, is_bare=True)


def _llama_unmarked(tools: tuple[ToolShape, ...]) -> tuple[Element, ...]:
    tag = Token("<|python_tag|>")
    json_call = Drift(sequence(tag, bare_calls(tools)))
    built_in = Drift(sequence(tag, Choice(python_calls(tools, Literal(".call")))))
    lists = (python_list(tools), built_in, json_call)
    return (*function_tags(tools), *lists, *code_calls(tag, tools))


LLAMA = Family(
    name="llama-3",
    marks=(('"parameters": dictionary of argument name and its value', "<|start_header_id|>"),),
    not_marks=("<tool_call>", "<function="),
    call=lambda tools: sequence(optional(Token("<|python_tag|>")), objects(_LLAMA_FORM)(tools)),
    triggers=("<|python_tag|>", "{"),
    trigger_patterns=(
        r"<\|python_tag\|>",
        r'^\s*(\{(?:"type": "function", )?"name": "(?:{names})")',
    ),
    is_parallel=False,
    anywhere=False,
    thinking=_NO_THINKING,
    unmarked=_llama_unmarked,
)

_ID = Schema({"type": "string", "minLength": 9, "maxLength": 9})
MISTRAL_ARRAY = Family(
    name="mistral-nemo",
    marks=(("[TOOL_CALLS]",),),
    not_marks=("[ARGS]",),
    call=objects(ObjectForm(id="id", id_value=_ID)),
    section=in_list(Token("[TOOL_CALLS]"), NOTHING),
    separator=COMMA,
    thinking=_NO_THINKING,
    triggers=("[TOOL_CALLS]",),
)

APRIEL = Family(
    name="apriel",
    marks=(("<tool_calls>[", "</tool_calls>"),),
    call=objects(ObjectForm(id="id")),
    section=in_list(Token("<tool_calls>"), Token("</tool_calls>")),
    separator=COMMA,
    thinking=("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    answer_ends=("[END FINAL RESPONSE]",),
    triggers=("<tool_calls>",),
)
NEMOTRON_NANO = Family(
    name="nemotron-nano-2",
    marks=(("<TOOLCALL>", "</TOOLCALL>"),),
    call=objects(),
    section=in_list(
        Token("<TOOLCALL>"), sequence(Token("</TOOLCALL>"), Choice((NOTHING, NEW_LINE)))
    ),
    separator=COMMA,
    triggers=("<TOOLCALL>",),
)
FIREFUNCTION = Family(
    name="firefunction",
    marks=((" functools[",),),
    call=objects(),
    section=in_list(Literal("functools["), NOTHING, ("", "]")),
    separator=COMMA,
    thinking=_NO_THINKING,
    triggers=("functools[",),
)
# Its template writes no past calls; the form is that of its system text and model card.
GRANITE_3 = Family(
    name="granite-3",
    marks=(("<|tool_call|>", "<|start_of_role|>"),),
    call=objects(),
    section=in_list(Choice((Token("<|tool_call|>"), Drift(Token("<tool_call>")))), NOTHING),
    separator=COMMA,
    triggers=("<|tool_call|>",),
)
PHI_4 = Family(
    name="phi-4-mini",
    marks=(("<|tool|>", "<|/tool|>"),),
    call=objects(),
    section=in_list(
        Choice((Token("<|tool_call|>"), Drift(Literal("functools")))), Token("<|/tool_call|>")
    ),
    separator=COMMA,
    thinking=_NO_THINKING,
    triggers=("<|tool_call|>",),
)
MINIMAX_M1 = Family(
    name="minimax-m1",
    marks=(("<tool_calls>\\n", "</tool_calls>", "<beginning_of_sentence>"),),
    call=objects(),
    section=(
        sequence(Token("<tool_calls>"), Literal("\n"), FENCE, drift(Literal("["))),
        sequence(drift(Literal("]")), FENCE_END, Literal("\n"), Token("</tool_calls>")),
    ),
    separator=Choice((Drift(Literal(",")), Literal("\n"))),
    triggers=("<tool_calls>",),
)

_PRETTY = Layout(opening="{\n        ", comma=",\n        ", closing="\n    }")
_FENCED = (Literal("\n```json\n[\n    "), Literal("\n```json\n["))
_UNFENCED = sequence(FENCE, drift(Literal("[")), Ahead(("{",)))


def _command_r_plus_call(tools: tuple[ToolShape, ...]) -> Element:
    """Give an object over several lines, as the template has it, or in one."""
    layouts = (_PRETTY, Layout())
    forms = (ObjectForm(name="tool_name", arguments="parameters", layout=one) for one in layouts)
    return Choice(tuple(objects(form)(tools) for form in forms))


COMMAND_R_PLUS = Family(
    name="command-r-plus",
    marks=(("Action:", '"tool_name"', "directly-answer"),),
    call=_command_r_plus_call,
    section=(
        sequence(Literal("Action:"), Choice((*_FENCED, Drift(_UNFENCED)))),
        sequence(
            drift(Literal(",")),
            Choice((Literal("\n]"), Literal("]"))),
            Choice((Literal("```"), Literal("\n```"))),
        ),
    ),
    separator=Choice((Literal(",\n    "), COMMA)),
    thinking=_NO_THINKING,
    answer_starts=("<|CHATBOT_TOKEN|>",),
    answer_ends=("<|END_OF_TURN_TOKEN|>",),
    triggers=("Action:\n```json\n[",),
)
COMMAND_R = Family(
    name="command-r7b",
    marks=(("<|START_ACTION|>", '"tool_call_id"'),),
    call=objects(
        ObjectForm(
            name="tool_name",
            arguments="parameters",
            id="tool_call_id",
            id_value=DIGITS,
            id_is_first=True,
        )
    ),
    section=in_list(Token("<|START_ACTION|>"), Token("<|END_ACTION|>"), ("[\n    ", "\n]")),
    separator=Choice((Literal(",\n    "), Drift(NOTHING))),
    thinking=("<|START_THINKING|>", "<|END_THINKING|>"),
    answer_starts=("<|START_RESPONSE|>", "<|START_TEXT|>"),
    answer_ends=("<|END_RESPONSE|>", "<|END_TEXT|>"),
    triggers=("<|START_ACTION|>",),
)

# The answer's message ends, and one of the role "function call" follows.
GIGACHAT_3 = Family(
    name="gigachat-3",
    marks=(("function call", "<|role_sep|>", "<|message_sep|>"),),
    call=objects(),
    section=(
        sequence(
            Choice((sequence(Token("<|message_sep|>"), Literal("\n\n")), Drift(NOTHING))),
            Literal("function call"),
            Token("<|role_sep|>"),
            Literal("\n"),
            FENCE,
        ),
        FENCE_END,
    ),
    is_parallel=False,
    thinking=_NO_THINKING,
    answer_ends=("<|message_sep|>",),
    triggers=("<|message_sep|>\n\nfunction call",),
)
GIGACHAT = Family(
    name="gigachat-3.1",
    marks=(("<|function_call|>", "<|role_sep|>"),),
    call=marked(Token("<|function_call|>"), NOTHING),
    is_parallel=False,
    thinking=_NO_THINKING,
    answer_ends=("<|message_sep|>",),
    triggers=("<|function_call|>",),
)


def _named_by_key(name: Element, arguments: Element) -> Element:
    inner = sequence(name, Literal('": '), Ahead(("{",)), arguments, Literal("}"))
    return sequence(Literal('{"'), Tag("tool_call", inner))


def _apertus_call(tools: tuple[ToolShape, ...]) -> Element:
    return Choice((any_tool(tools, _named_by_key), Drift(objects()(tools))))


APERTUS = Family(
    name="apertus",
    marks=(("<|tools_prefix|>",),),
    call=_apertus_call,
    section=in_list(Token("<|tools_prefix|>"), Token("<|tools_suffix|>")),
    separator=COMMA,
    thinking=("<|inner_prefix|>", "<|inner_suffix|>"),
    triggers=("<|tools_prefix|>",),
)
