"""The two ways to run a model that are compared: our engine, and ``llama_cpp.Llama``.

Both get the same file, threads, prompts and sampling; every prompt is random
tokens, so nothing is answered from a cache by accident.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.engine import Engine, Generation
    from llamanb.settings import Constraint

__all__ = [
    "LlamaSide",
    "OurSide",
    "Side",
    "Stream",
    "first_token_s",
    "open_llama",
    "open_ours",
    "random_prompt",
    "tokens_per_second",
]

SAMPLING: dict[str, Any] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
SMALLEST_VOCABULARY = 400


def random_prompt(length: int, seed: int) -> list[int]:
    """Give ``length`` token ids that every vocabulary here has."""
    return random.Random(seed).choices(range(33, SMALLEST_VOCABULARY), k=length)  # noqa: S311  # not a secret


@dataclass(slots=True)
class Stream:
    """When the tokens of one generation arrived (``time.perf_counter()``)."""

    asked_at: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)

    def note(self, n_tokens: int) -> None:
        """Note tokens that have just arrived."""
        self.times.extend([time.perf_counter()] * n_tokens)


class Side(Protocol):
    """What is measured."""

    def run(self, prompts: list[list[int]], n_tokens: int) -> int:
        """Continue all prompts at once to the end; gives the number of new tokens."""


def tokens_per_second(side: Side, prompts: list[list[int]], n_tokens: int) -> float:
    """Time ``run``: new tokens of all prompts together, per second from asking to the end."""
    started = time.perf_counter()
    written = side.run(prompts, n_tokens)
    return written / (time.perf_counter() - started)


def first_token_s(side: Side, prompt: list[int]) -> float:
    """Give the seconds until one token of one prompt is there."""
    started = time.perf_counter()
    assert side.run([prompt], 1) == 1
    return time.perf_counter() - started


class OurSide:
    """One open engine of ours."""

    def __init__(self, engine: Engine, constraint: Constraint | None = None) -> None:
        self._engine = engine
        self._constraint = constraint

    def run(self, prompts: list[list[int]], n_tokens: int) -> int:
        """Continue all prompts at once to the end; gives the number of new tokens."""
        started = [self.start(prompt, n_tokens) for prompt in prompts]
        for generation, _ in started:
            generation.wait()
            generation.raise_for_error()
        return sum(len(generation.tokens) for generation, _ in started)

    def start(self, prompt: list[int], n_tokens: int) -> tuple[Generation, Stream]:
        """Ask for tokens; the stream's times fill up by callback."""
        from llamanb.engine import EngineRequest, Piece
        from llamanb.settings import SamplingSettings

        sampling = SamplingSettings(max_tokens=n_tokens, seed=1, ignore_eos=True, **SAMPLING)
        stream = Stream()
        generation = self._engine.submit(
            EngineRequest(
                prompt_tokens=tuple(prompt), sampling=sampling, constraint=self._constraint
            )
        )
        generation.subscribe(
            lambda what: stream.note(len(what.tokens)) if isinstance(what, Piece) else None
        )
        return generation, stream


class LlamaSide:
    """One ``Llama`` behind a lock, as anyone shares it between threads.

    Whole completions, not streams: that is its fastest way, and a stream merges
    tokens that are no whole character.
    """

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self._lock = threading.Lock()

    def run(self, prompts: list[list[int]], n_tokens: int) -> int:
        """Continue all prompts, each in a thread (a lone one in this); count the tokens."""
        if len(prompts) == 1:
            return self._complete(prompts[0], n_tokens)
        with ThreadPoolExecutor(len(prompts)) as threads:
            return sum(threads.map(lambda prompt: self._complete(prompt, n_tokens), prompts))

    def _complete(self, prompt: list[int], n_tokens: int) -> int:
        with self._lock:
            done = self._llama.create_completion(
                prompt, max_tokens=n_tokens, seed=1, repeat_penalty=1.0, **SAMPLING
            )
        return int(done["usage"]["completion_tokens"])


@contextmanager
def open_ours(options: dict[str, Any], constraint: Constraint | None = None) -> Iterator[OurSide]:
    """Open our engine; options: ``path n_threads n_ctx n_seq_max``."""
    from llamanb import engine
    from llamanb.settings import ContextSettings, WeightSettings

    loaded = engine.load_weights(options["path"], WeightSettings())
    settings = ContextSettings(
        n_ctx=options["n_ctx"],
        n_seq_max=options.get("n_seq_max", 4),
        n_threads=options["n_threads"],
        n_threads_batch=options["n_threads"],
    )
    opened = engine.open_engine(loaded, settings)
    try:
        yield OurSide(opened, constraint)
    finally:
        opened.close()
        loaded.close()


@contextmanager
def open_llama(options: dict[str, Any]) -> Iterator[LlamaSide]:
    """Open ``llama_cpp.Llama`` with the same options."""
    import llama_cpp

    llama = llama_cpp.Llama(
        options["path"],
        n_ctx=options["n_ctx"],
        n_threads=options["n_threads"],
        n_threads_batch=options["n_threads"],
        verbose=False,
    )
    try:
        yield LlamaSide(llama)
    finally:
        llama.close()
