"""An engine room without native code, and a clock that only the test moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from llamanb.engine.generation import Generation
from llamanb.engine.values import EngineRequest, EngineStatus, FinalRecord, Piece, Timings, Usage
from llamanb.errors import ModelClosedError, ModelLoadError

if TYPE_CHECKING:
    from llamanb.settings import ContextSettings

__all__ = ["FakeClock", "FakeEngine", "FakeRoom", "FakeWeights"]


class FakeClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeVocabulary:
    """One token per character code below 128."""

    n_tokens = 128
    bos: int | None = None

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        del add_special, parse_special
        return [min(127, ord(letter)) for letter in text]

    def detokenize(self, tokens: list[int], *, special: bool = False) -> str:
        del special
        return "".join(map(chr, tokens))


@dataclass
class FakeWeights:
    """Weights that remember whether they were closed."""

    path: str
    closed: bool = False
    vocabulary: FakeVocabulary = field(default_factory=FakeVocabulary)

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """Answers a request when the test calls ``finish_all()``."""

    def __init__(self, loaded: FakeWeights, settings: ContextSettings) -> None:
        self.loaded, self.settings = loaded, settings
        self.n_ctx, self.n_seq_max = settings.n_ctx or 0, settings.n_seq_max
        self.state: Literal["ready", "dead", "closed"] = "ready"
        self.open: list[Generation] = []

    @property
    def busy(self) -> bool:
        return bool(self.open)

    def submit(self, request: EngineRequest) -> Generation:
        if self.state != "ready":
            raise ModelClosedError("closed")
        generation: Generation
        generation = Generation(request, lambda: self._end(generation, "cancelled"))
        self.open.append(generation)
        return generation

    def _end(self, generation: Generation, reason: Literal["stop", "cancelled"]) -> None:
        if generation in self.open:
            self.open.remove(generation)
            generation.deliver(FinalRecord(finish_reason=reason, usage=Usage(), timings=Timings()))

    def finish_all(self, text: str = "done") -> None:
        for generation in list(self.open):
            generation.deliver(Piece(text=text, tokens=(1,)))
            self._end(generation, "stop")

    def status(self) -> EngineStatus:
        return EngineStatus(
            state=self.state,
            n_ctx=self.n_ctx,
            n_seq_max=self.n_seq_max,
            running=len(self.open),
            waiting=0,
            used=(),
            tokens_per_s=0.0,
        )

    def close(self, timeout_s: float = 5.0) -> None:
        del timeout_s
        self.state = "closed"


class FakeRoom:
    """Counts what is loaded; ``hold`` makes loads wait, ``failures`` makes them fail."""

    def __init__(self) -> None:
        self.weights: list[FakeWeights] = []
        self.engines: list[FakeEngine] = []
        self.started = threading.Semaphore(0)
        self.hold: threading.Event | None = None
        self.failures = 0

    def load_weights(self, path: str, settings: Any, **options: Any) -> Any:
        del settings
        self.started.release()
        if self.hold is not None and not self.hold.wait(options.get("timeout_s") or 20):
            raise TimeoutError
        if self.failures:
            self.failures -= 1
            raise ModelLoadError(f"{path} was refused")
        self.weights.append(FakeWeights(path))
        return self.weights[-1]

    def open_engine(self, loaded: Any, settings: ContextSettings) -> Any:
        self.engines.append(FakeEngine(loaded, settings))
        return self.engines[-1]

    def open_embedding_engine(self, loaded: Any, settings: ContextSettings) -> Any:
        return self.open_engine(loaded, settings)

    def open_rerank_engine(self, loaded: Any, settings: ContextSettings) -> Any:
        return self.open_engine(loaded, settings)

    def check_process(self) -> None:
        """Nothing forks here."""

    @property
    def resident(self) -> list[str]:
        return [weights.path for weights in self.weights if not weights.closed]
