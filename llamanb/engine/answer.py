"""How an answer grows by a token, whether the model chose it or it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.engine.logprobs import token_logprob
from llamanb.engine.values import Piece
from llamanb.errors import GrammarError, OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llamanb.engine.sequences import Run
    from llamanb.engine.values import EngineRequest
    from llamanb.engine.vocabulary import Vocabulary

__all__ = ["begin_answer", "has_ended", "score", "take_token"]


def take_token(run: Run, token: int, vocabulary: Vocabulary) -> str:
    """Look for the trigger of a lazy constraint, and give the text that became final."""
    shown = vocabulary.shown_bytes(token, run.generation.request.preserved_tokens)
    _look_for_trigger(run, token, shown)
    return run.stitcher.feed(shown)


def has_ended(run: Run) -> bool:
    """Whether a stop string or the grammar has ended the answer."""
    if run.stitcher.stop_string is not None:
        return True
    return run.constraint is not None and run.watch is None and run.constraint.is_complete


def begin_answer(run: Run, vocabulary: Vocabulary) -> None:
    """Take in the given beginning of an answer, and deliver it a piece per token.

    What follows a stop string in it is left out.

    Raises
    ------
    OptionError
        If something follows a token that ends an answer, or the log-probabilities are
        those of other tokens.
    GrammarError
        If the constraint does not accept it.
    """
    request = run.generation.request
    _check_logprobs(request)
    for number, token in enumerate(request.answer_tokens):
        if run.was_given_whole:
            _refuse_more(run)
            return
        _check_accepted(run, token, number, vocabulary)
        if token in vocabulary.eog:
            run.was_given_whole = True
            continue
        text = take_token(run, token, vocabulary)
        run.tokens.append(token)
        run.n_prompt += 1
        told = request.answer_logprobs[number : number + 1]
        run.generation.deliver(Piece(text=text, tokens=(token,), logprobs=told))
        run.was_given_whole = has_ended(run)
    is_scored = request.scores_answer and request.sampling.logprobs is not None
    if is_scored and not run.was_given_whole and not request.answer_logprobs:
        run.n_unscored = len(request.answer_tokens)


def score(run: Run, logits: NDArray[np.float32], vocabulary: Vocabulary) -> Piece:
    """Describe the next given token by the logits before it."""
    token = run.tokens[run.n_prompt - run.n_unscored]
    run.n_unscored -= 1
    n_top = run.generation.request.sampling.logprobs or 0
    return Piece(text="", logprobs=(token_logprob(logits, token, vocabulary, n_top),))


def _check_logprobs(request: EngineRequest) -> None:
    known = tuple(entry.token for entry in request.answer_logprobs)
    if known and known != request.answer_tokens:
        raise OptionError("answer_logprobs are not those of answer_tokens: one for each, in order")


def _refuse_more(run: Run) -> None:
    if run.stitcher.stop_string is not None:
        return
    if run.constraint is not None and run.watch is None and run.constraint.is_complete:
        raise GrammarError("answer_tokens go on after the grammar is complete; leave the rest out")
    raise OptionError("answer_tokens go on after a token that ends an answer; leave the rest out")


def _check_accepted(run: Run, token: int, number: int, vocabulary: Vocabulary) -> None:
    if run.constraint is None or run.watch is not None or run.constraint.accepts(token):
        return
    text = vocabulary.token_to_piece(token)
    raise GrammarError(
        f"answer_tokens[{number}], {text!r}, does not match the grammar; "
        "another token is needed there"
    )


def _look_for_trigger(run: Run, token: int, shown: bytes) -> None:
    """Let a lazy constraint begin where its trigger was written."""
    if run.watch is None or run.constraint is None:
        return
    written = run.watch.feed(token, shown)
    if written is None:
        return
    if run.constraint.start_with(written):
        run.watch = None
    else:
        run.watch.go_on()
