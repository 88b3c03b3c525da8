"""How likely a model finds a text that is there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.engine.values import EngineRequest, TokenLogprob
from llamanb.models.tokens import prompt_tokens
from llamanb.notebook.messages import UsageError
from llamanb.notebook.probs_view import ProbsView
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from llamanb.engine import Generation
    from llamanb.models import Model
    from llamanb.notebook.reply import Reply

__all__ = ["score_reply", "score_text"]

N_TOP = 5


@dataclass(frozen=True, slots=True)
class _Scored:
    """Tokens, and what is known of the last of them."""

    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...]


def score_text(model: Model, text: str) -> ProbsView:
    """Let ``model`` read ``text`` token by token; nothing is known of the first.

    Raises
    ------
    UsageError
        If it is a single token.
    """
    tokens = model.tokenize(text, add_special=True)
    if len(tokens) < 2:
        raise UsageError("a text of one token has nothing before it to tell how likely it is")
    scored = _score(model, tuple(tokens[:1]), tuple(tokens[1:]))
    n_hidden = int(tokens[0] == model.vocab.bos)
    return ProbsView.of(_Scored(tuple(tokens[n_hidden:]), scored.logprobs), model)


def score_reply(model: Model, reply: Reply) -> ProbsView:
    """Let ``model`` read what it answered; a grammar's part is not known afterwards.

    Raises
    ------
    UsageError
        If the prompt of the answer is not known, or not of all its rounds.
    """
    if reply.built is None or reply.tool_calls or not reply.tokens:
        raise UsageError("this reply has to be made with --probs. Example: %%llama --probs 5")
    scored = _score(model, prompt_tokens(reply.built, model.vocab), reply.tokens)
    return ProbsView.of(scored, model)


def _score(model: Model, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Generation:
    sampling = SamplingSettings(temperature=0, max_tokens=0, logprobs=N_TOP)
    generation = model.submit(
        EngineRequest(
            prompt_tokens=prompt, answer_tokens=answer, scores_answer=True, sampling=sampling
        )
    )
    for _ in generation:  # an interrupt cancels it
        pass
    return generation
