"""Messages in, prompt out: normalise, render, repair, and say how to read the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.budget import DEADLINE_S, time_limit
from llamanb.chat_layer.fitting import Fitted, fit
from llamanb.chat_layer.messages import Messages, content_text, copy_messages, copy_tools, normalise
from llamanb.chat_layer.output import (
    Output,
    Request,
    family_of,
    is_thinking,
    read_choice,
    syntax_of,
    tool_shapes,
)
from llamanb.chat_layer.probe import probe
from llamanb.chat_layer.prompt import ChatPrompt, ReasoningFormat, Syntax
from llamanb.chat_layer.shared_text import shared_length
from llamanb.chat_layer.spans import find_spans, without
from llamanb.chat_layer.syntax.compose import answer_of
from llamanb.chat_layer.syntax.families import HERMES, describe
from llamanb.chat_layer.syntax.walk import inner_markers
from llamanb.chat_layer.template import render_template
from llamanb.chat_layer.thinking import TurnMarkers, read_markers
from llamanb.chat_layer.tool_texts import markup_spans
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llamanb.chat_layer.syntax.families import Family

__all__ = ["CHATML", "build"]

CHATML = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' + (message.content | string) + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
_CHATML_MARKERS = TurnMarkers(
    syntax=Syntax(thinking_starts=("<think>",), thinking_ends=("</think>",)), turn_end="<|im_end|>"
)
_HTML_LIKE = frozenset(["", "<s>", "</s>"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renderer:
    """One template with everything but the messages and tools filled in."""

    source: str
    variables: Mapping[str, Any]
    now: datetime

    def __call__(self, messages: Messages, tools: Any, *, generation: bool) -> str:
        context: dict[str, Any] = {"messages": messages, **self.variables}
        if tools:
            context.setdefault("tools", tools)
            context.setdefault("functions", json.dumps(tools, indent=4, ensure_ascii=False))
        if generation:
            context.setdefault("add_generation_prompt", True)
        return render_template(self.source, context, now=self.now)


def build(
    template: str | None,
    messages: Iterable[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] = "auto",
    parallel_tool_calls: bool | None = None,
    json_schema: Mapping[str, Any] | None = None,
    regex: str | None = None,
    choices: Sequence[str] | None = None,
    enable_thinking: bool | None = True,
    reasoning_format: ReasoningFormat = "auto",
    add_generation_prompt: bool = True,
    continue_final_message: bool = False,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    bos_token: str = "",
    eos_token: str = "",
    now: datetime | None = None,
    special_tokens: Mapping[str, int] | None = None,
) -> ChatPrompt:
    r"""Render a conversation and say how to read what the model answers.

    Parameters
    ----------
    template : the model's chat template; None or "" stands for ChatML.
    messages : OpenAI dictionaries; they are not changed.
    tools : OpenAI tool definitions, shown to the model by its template.
    tool_choice : ``"none"``, ``"auto"`` (the model decides), ``"required"``, or one
        tool: its name, or OpenAI's dictionary for it.
    parallel_tool_calls : whether one answer may hold several calls; None is what the
        family of models can.
    json_schema, regex, choices : what an answer must match, if it is no call: a JSON
        Schema, a regular expression, or one of some texts. At most one of them.
    enable_thinking : what the template is told; None leaves its own default.
    reasoning_format : ``"none"`` leaves reasoning and its tags in the content.
    add_generation_prompt : whether the prompt opens the assistant's turn.
    continue_final_message : go on writing the last message, an assistant's.
    chat_template_kwargs : further variables of the template; they win.
    bos_token, eos_token : texts of the model's own tokens, as templates write them.
    now : the time that templates show; the current local time by default.
    special_tokens : the texts of the vocabulary's control tokens, with their ids: the
        grammar then fits this vocabulary. Without it markers such as ``<tool_call>``
        are taken for control tokens.

    Raises
    ------
    TemplateError
        If the template is malformed or refuses these messages after every repair.
    OptionError
        If the messages are no OpenAI messages, or what is asked of the output is
        impossible.

    Examples
    --------
    >>> build(None, [{"role": "user", "content": "Hi"}]).prompt
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
    """
    source = template or CHATML
    markers = _analyse(source) if template else _CHATML_MARKERS
    tool_list = copy_tools(tools)
    request = Request(
        tools=tool_shapes(tool_list),
        choice=read_choice(tool_choice),
        is_parallel=parallel_tool_calls is not False,
        answer=answer_of(json_schema=json_schema, regex=regex, choices=choices),
        thinks=enable_thinking,
        shows_reasoning=reasoning_format != "none",
        special_tokens=special_tokens,
    )
    ready, repairs = normalise(copy_messages(messages), probe(source))
    if not template:
        repairs.append("the model has no chat template: ChatML was used")
    final = _take_final(ready) if continue_final_message else None
    render = _renderer(
        source,
        chat_template_kwargs,
        now,
        enable_thinking=enable_thinking,
        bos_token=bos_token,
        eos_token=eos_token,
    )
    family = _family(template, has_tools=bool(tool_list))
    if tool_list and template and family_of(template) is None and probe(source).tools:
        repairs.append("how the model writes calls is not known: Hermes' form is expected")
    fitted = fit(source, ready, tool_list, family, render)
    generation = add_generation_prompt or final is not None
    prompt = _assemble(render, fitted, generation=generation)
    prompt = replace(
        prompt,
        repairs=(*repairs, *fitted.repairs),
        additional_stops=_stops(markers, eos_token),
        reasoning_format=reasoning_format,
    )
    prompt = replace(prompt, syntax=syntax_of(family, markers.syntax, source))
    prefill = ""
    if final is not None:
        prefill = content_text(final.get("content"))
        prompt = _continue(prompt, final, family.answer_openings if family else ("", ""))
    return _with_output(prompt, family, prefill, request)


def _family(template: str | None, *, has_tools: bool) -> Family | None:
    """Give the family that writes calls; without tools only a named one is looked for."""
    if has_tools:
        return family_of(template) or HERMES
    return describe(template) if template else None


def _with_output(
    prompt: ChatPrompt, family: Family | None, prefill: str, request: Request
) -> ChatPrompt:
    """Say what may follow the prompt."""
    opening = prompt.generation_prompt
    output = Output.of(family, prompt.syntax, opening, prefill, request)
    made, special = output.description, request.special_tokens or {}
    markers = tuple(dict.fromkeys(one for one in output.markers if one))
    inner = " ".join(inner_markers(made.output))
    stops = (one for one in prompt.additional_stops if one not in inner)
    return replace(
        prompt,
        additional_stops=tuple(stops),  # a marker between messages of one output ends nothing
        description=made,
        grammar=output.grammar,
        grammar_lazy=output.is_lazy,
        trigger_patterns=made.trigger_patterns if output.is_lazy else (),
        trigger_tokens=tuple(one for one in made.triggers if output.is_lazy and one in special),
        preserved_tokens=markers,
        thinking_open=output.thinking.is_open,
        begun=output.begun,
    )


def _analyse(source: str) -> TurnMarkers:
    """Find out about a template, once, in the time of one rendering."""
    with time_limit(DEADLINE_S):
        probe(source)
        return read_markers(source)


def _renderer(
    source: str,
    chat_template_kwargs: Mapping[str, Any] | None,
    now: datetime | None,
    **known: str | bool | None,
) -> _Renderer:
    moment = now or datetime.now().astimezone()
    variables: dict[str, Any] = {name: one for name, one in known.items() if one is not None}
    variables["date_string"] = moment.strftime("%d %b %Y")
    variables["datetime"] = moment.strftime("%b %d %Y")
    variables.update(chat_template_kwargs or {})
    return _Renderer(source=source, variables=variables, now=moment)


def _assemble(render: _Renderer, fitted: Fitted, *, generation: bool) -> ChatPrompt:
    messages, tools = fitted.messages, fitted.tools
    text = render(messages, tools, generation=generation)
    opening = ""
    if generation:
        closed = render(messages, tools, generation=False)
        opening = text[shared_length(text, closed) :]
    spans = find_spans(text, messages, tools, lambda m, t: render(m, t, generation=generation))
    spans = without(spans, markup_spans(text, fitted.written))
    return ChatPrompt(prompt=text, generation_prompt=opening, content_spans=spans)


def _stops(markers: TurnMarkers, eos_token: str) -> tuple[str, ...]:
    """Give the end of a turn as a stop string, for models that do not end there by themselves."""
    unusable = _HTML_LIKE | {eos_token}
    return () if markers.turn_end in unusable else (markers.turn_end,)


def _take_final(messages: Messages) -> dict[str, Any]:
    if not messages or messages[-1]["role"] != "assistant":
        raise OptionError("continue_final_message needs an assistant message at the end")
    return messages.pop()


def _continue(prompt: ChatPrompt, final: dict[str, Any], openings: tuple[str, str]) -> ChatPrompt:
    """Write the beginning of the assistant's turn behind its opening.

    ``openings`` are what stands before the answer, at the beginning and after reasoning.
    """
    reasoning = content_text(final.get("reasoning_content"))
    content = content_text(final.get("content"))
    start, end = prompt.thinking_start, next(iter(prompt.thinking_ends), "")
    written = ""
    is_open = is_thinking(prompt.syntax, prompt.generation_prompt)
    if reasoning and start:
        gap = "" if openings[1] else "\n"
        written = reasoning if is_open else f"{start}{gap}{reasoning}"
        is_open = True
    if content:
        after = openings[1] or f"\n{end}\n\n"
        written += after if is_open else openings[0]
    begun = len(prompt.prompt) + len(written)
    spans = prompt.content_spans
    if reasoning and start:
        place = len(prompt.prompt) + written.index(reasoning)
        spans = (*spans, (place, place + len(reasoning)))
    if content:
        spans = (*spans, (begun, begun + len(content)))
    return replace(
        prompt,
        prompt=prompt.prompt + written + content,
        generation_prompt=prompt.generation_prompt + written + content,
        content_spans=spans,
    )
