"""Many prompts through one model: a window of requests, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llamanb.errors import LlamanbError, OptionError
from llamanb.models.completion import Completion
from llamanb.models.progress import counting_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llamanb.engine import Generation

    Prompt: TypeAlias = str | Sequence[int]
    Started: TypeAlias = Generation | LlamanbError

__all__ = ["OnError", "generate_all", "prompt_list", "settle"]

SETTLING_S = 1.0

OnError = Literal["raise", "return"]


def prompt_list(prompts: Any) -> list[Prompt]:
    """Give the prompts of any iterable, which a single text is not.

    Raises
    ------
    OptionError
    """
    if isinstance(prompts, str):
        raise OptionError("prompts is one str; use generate() for one prompt, or give a list")
    if isinstance(prompts, bytes | Mapping) or not hasattr(prompts, "__iter__"):
        raise OptionError(f"prompts must be a list of prompts, not {type(prompts).__name__}")
    return list(prompts)


def generate_all(
    start: Callable[[Prompt], Generation],
    prompts: Sequence[Prompt],
    *,
    width: int,
    errors: OnError,
    progress: bool,
) -> list[Completion | Exception]:
    """Run every prompt, at most ``width`` at a time, and give the results in order.

    Raises
    ------
    OptionError
        If ``errors`` is neither ``"raise"`` nor ``"return"``.
    LlamanbError
        With ``errors="raise"``, the first prompt's that failed; the rest is cancelled.
    """
    if errors not in ("raise", "return"):
        raise OptionError(f"errors={errors!r} is not possible: it must be 'raise' or 'return'")
    running: deque[Started] = deque()
    results: list[Completion | Exception] = []
    try:
        with counting_bar(len(prompts), "generating", progress=progress) as count:
            for prompt in prompts:
                if len(running) >= width:
                    _collect(running, results, errors)
                    count()
                running.append(_try_start(start, prompt))
            while running:
                _collect(running, results, errors)
                count()
    finally:
        settle([started for started in running if not isinstance(started, LlamanbError)])
    return results


def settle(generations: Sequence[Generation]) -> None:
    """Cancel what still runs and wait, at most a second each, until it has ended."""
    for generation in generations:
        generation.cancel()
    for generation in generations:
        with suppress(TimeoutError):
            generation.wait(SETTLING_S)


def _try_start(start: Callable[[Prompt], Generation], prompt: Prompt) -> Started:
    try:
        return start(prompt)
    except LlamanbError as error:
        return error


def _collect(
    running: deque[Started], results: list[Completion | Exception], errors: OnError
) -> None:
    """Wait for the oldest and put its result, or its error, at the end of ``results``."""
    outcome = _outcome(running[0])
    running.popleft()
    if isinstance(outcome, LlamanbError) and errors == "raise":
        outcome.add_note(f"This was prompts[{len(results)}]; the others were cancelled.")
        raise outcome
    results.append(outcome)


def _outcome(started: Started) -> Completion | LlamanbError:
    if isinstance(started, LlamanbError):
        return started
    started.wait()
    try:
        started.raise_for_error()
    except LlamanbError as error:
        return error
    return Completion.of(started)
