"""From an alternative of the token inspector to the answer it leads to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llamanb.chat_layer.events import TextDelta
from llamanb.models.alternatives import alternative_tokens
from llamanb.models.reply import ReplyStream
from llamanb.models.requests import read_answer_tokens
from llamanb.notebook.footer import footer_line, model_label
from llamanb.notebook.probs_view import ProbsView
from llamanb.notebook.reply import Reply
from llamanb.notebook.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import ChatPrompt
    from llamanb.engine import EngineRequest, Generation
    from llamanb.models import Model

    Round = tuple[Generation, ChatPrompt | None]

__all__ = ["continue_answer", "probs_of"]


def probs_of(model: Model, rounds: Sequence[Round]) -> ProbsView | None:
    """Give the view of a turn's answers; None if their probabilities were not asked for."""
    generations = [generation for generation, _ in rounds]
    if any(one.request.sampling.logprobs is None for one in generations):
        return None
    return ProbsView.of(generations, model, partial(continue_answer, model, rounds))


def continue_answer(model: Model, rounds: Sequence[Round], index: int, token: int) -> Reply:
    """Give the answer that has ``token`` at a place of the turn, and goes on from there.

    Tools are not run: calls are in the reply as the model wrote them.

    Raises
    ------
    OptionError, GrammarError
        If there is no such place, or the token is impossible there.
    """
    generation, prompt = rounds[0]
    for following in rounds[1:]:
        if index < len(generation.tokens):
            break
        index -= len(generation.tokens)
        generation, prompt = following
    return _answer(model, prompt, _request(generation, index, token))


def _answer(model: Model, prompt: ChatPrompt | None, request: EngineRequest) -> Reply:
    started = model.submit(request)
    transcript = Transcript(lambda: started.n_tokens)
    if prompt is None:
        for piece in started:
            transcript.add(TextDelta(text=piece.text))
    else:
        for event in ReplyStream(prompt, started):
            transcript.add(event)
    started.raise_for_error()
    return _reply(model, started, prompt, transcript)


def _request(generation: Generation, index: int, token: int) -> EngineRequest:
    tokens, known = read_answer_tokens(alternative_tokens(generation, index, token))
    return replace(generation.request, answer_tokens=tokens, answer_logprobs=known)


def _reply(
    model: Model, generation: Generation, prompt: ChatPrompt | None, transcript: Transcript
) -> Reply:
    record = generation.wait()
    finished = transcript.finished
    return Reply(
        transcript.answer,
        reasoning=transcript.reasoning,
        raw=generation.text,
        tokens=generation.tokens,
        tool_calls=tuple(transcript.calls),
        parts=tuple(transcript.parts),
        usage=record.usage,
        timings=record.timings,
        finish_reason=finished.reason if finished else record.finish_reason,
        model=model.name,
        seed=record.seed,
        built=prompt,
        probs=probs_of(model, [(generation, prompt)]),
        footer=footer_line(record, model_label(model)),
    )
