"""A scripted model: it answers with what was queued, a piece per token."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llamanb.engine.generation import Generation
from llamanb.engine.values import EngineRequest, FinalRecord, ModelInfo, Piece, Timings, Usage

if TYPE_CHECKING:
    from llamanb import errors

BOS, EOT = "<bos>", "<|eot|>"
CONTROL = (BOS, "<|im_start|>", "<|im_end|>", EOT)
_PIECES = re.compile("|".join(map(re.escape, CONTROL)) + "|(?s:.)")

INFO = ModelInfo(
    path="",
    name="fake",
    architecture="fake",
    description="",
    quantization="",
    n_params=0,
    size_bytes=0,
    n_vocab=0,
    n_ctx_train=0,
    n_embd=0,
    n_layer=0,
    n_head=0,
    n_head_kv=0,
    has_encoder=False,
    has_decoder=True,
    is_recurrent=False,
    chat_template=None,
    bos_token=BOS,
    eos_token=EOT,
    pooling="none",
)


class FakeVocabulary:
    """One token per character, and four control tokens (ids 0 to 3)."""

    bos: int | None = 0
    control = frozenset(range(len(CONTROL)))

    def __init__(self, *, add_bos: bool = False) -> None:
        self.add_bos = add_bos
        self.n_calls = 0

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        assert not add_special
        self.n_calls += 1
        pieces = _PIECES.findall(text) if parse_special else list(text)
        return [CONTROL.index(p) if p in CONTROL else len(CONTROL) + ord(p) for p in pieces]

    def token_to_piece(self, token: int) -> str:
        return CONTROL[token] if token in self.control else chr(token - len(CONTROL))


@dataclass(kw_only=True)
class Script:
    """What the model does: the pieces it says, and how it ends (None: it goes on)."""

    pieces: list[str]
    reason: str | None = "stop"
    stop_string: str | None = None
    error: str | None = None
    error_type: str | None = None


@dataclass
class ScriptedModel:
    """A model whose replies are queued with ``enqueue``."""

    chat_template: str | None = None
    vocab: FakeVocabulary = field(default_factory=FakeVocabulary)
    info: ModelInfo = INFO
    requests: list[EngineRequest] = field(default_factory=list)
    scripts: deque[Script] = field(default_factory=deque)
    refusal: errors.LlamanbError | None = None

    def enqueue(self, pieces: list[str], **options: str | None) -> None:
        self.scripts.append(Script(pieces=pieces, **options))

    def submit(self, request: EngineRequest) -> Generation:
        if self.refusal is not None:
            raise self.refusal
        self.requests.append(request)
        script = self.scripts.popleft()
        generation = Generation(request, lambda: self._end(generation, "cancelled", script))
        for number, text in enumerate(script.pieces):
            generation.deliver(Piece(text=text, tokens=(number,)))
        if script.reason is not None:
            self._end(generation, script.reason, script)
        return generation

    def say(self, generation: Generation, text: str) -> None:
        """Deliver more of a reply that goes on, and wake event loops, as the engine does."""
        generation.deliver(Piece(text=text, tokens=(0,)))
        _wake(generation)

    def finish(self, generation: Generation) -> None:
        self._end(generation, "stop", Script(pieces=[]))

    def _end(self, generation: Generation, reason: str, script: Script) -> None:
        usage = Usage(prompt_tokens=7, completion_tokens=len(generation.tokens), cached_tokens=2)
        generation.deliver(
            FinalRecord(
                finish_reason=reason,  # type: ignore[arg-type]  # the tests' own strings
                usage=usage,
                timings=Timings(prompt_s=0.5, generation_s=1.0, completion_tokens=3),
                seed=5,
                stop_string=script.stop_string,
                error=script.error,
                error_type=script.error_type,
            )
        )
        _wake(generation)


def _wake(generation: Generation) -> None:
    for loop, event in generation.loops_to_wake():
        loop.call_soon_threadsafe(event.set)
