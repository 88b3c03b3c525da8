"""The plain values that cross the engine's border, in and out.

Nothing here holds a native pointer, a callable or an open file: every value can
be pickled, so the engine may live in another process one day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llamanb.settings import Constraint, SamplingSettings

__all__ = [
    "EngineRequest",
    "EngineStatus",
    "FinalRecord",
    "FinishReason",
    "ModelInfo",
    "Piece",
    "Timings",
    "TokenLogprob",
    "Usage",
]

FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """One prompt to continue.

    ``prompt_tokens`` are ids of the model's vocabulary. Tokens listed in
    ``preserved_tokens`` are control tokens that show in the text all the same.
    ``affinity`` names a session: its sequence is preferred when prefixes tie.
    ``max_pending`` pieces may wait for a slow consumer before it is cancelled.

    ``answer_tokens`` are the beginning of the answer. They are read like a prompt (and
    taken from memory where they are there), but are part of the generation's tokens and
    text, and count for constraint, triggers and stop strings. A last token that ends an
    answer ends this one. ``answer_logprobs`` is what an earlier answer told of them: one
    entry for each, or none at all; with ``scores_answer`` and ``sampling.logprobs`` they
    are computed instead, for which it is read anew, a token at a time.
    """

    prompt_tokens: tuple[int, ...]
    answer_tokens: tuple[int, ...] = ()
    answer_logprobs: tuple[TokenLogprob, ...] = ()
    scores_answer: bool = False
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    constraint: Constraint | None = None
    preserved_tokens: frozenset[int] = frozenset()
    affinity: str | None = None
    max_pending: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """One generated token, its natural-log probability, and the likeliest ones.

    Probabilities are those of the model before filters, temperature and masks, and so
    is ``entropy``, in nats: 0.0 where only one token is possible. ``banned`` are those
    of the ``top`` tokens that the grammar forbade here; ``masked`` says that it forbade
    the likeliest of all, so that the model wanted to say something else.
    """

    token: int
    text: str
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()
    entropy: float = 0.0
    banned: frozenset[int] = frozenset()
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one step added: text that is final, and the tokens behind it.

    ``text`` may be empty while a character or a stop string is incomplete;
    joined over all pieces it is the whole text.
    """

    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one generation.

    ``prompt_tokens`` are those that were read, the given beginning of an answer
    included; ``cached_tokens`` of the prompt were not computed again. ``completion_tokens``
    counts the token that ended the answer too, as llama-server does.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Wall-clock seconds of one generation's stages.

    ``queued_s`` until a sequence was free, ``prompt_s`` until the first token
    was sampled, ``generation_s`` from there to the end.
    """

    queued_s: float = 0.0
    prompt_s: float = 0.0
    generation_s: float = 0.0
    completion_tokens: int = 0

    @property
    def total_s(self) -> float:
        """From submission to the end."""
        return self.queued_s + self.prompt_s + self.generation_s

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens per second after the first; 0.0 for at most one token."""
        after_first = max(0, self.completion_tokens - 1)
        return after_first / self.generation_s if self.generation_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalRecord:
    """How a generation ended.

    ``stop_string`` is the stop string that ended it, if one did. ``error`` is the
    message and ``error_type`` the class name in :mod:`llamanb.errors` when
    ``finish_reason`` is ``"error"``.
    """

    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    seed: int = 0
    stop_string: str | None = None
    error: str | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What the weights are.

    ``size_bytes`` counts the tensors, ``n_params`` the parameters; ``n_ctx_train``
    and ``n_vocab`` count tokens. ``chat_template`` is None when the file has none.
    """

    path: str
    name: str
    architecture: str
    description: str
    quantization: str
    n_params: int
    size_bytes: int
    n_vocab: int
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    has_encoder: bool
    has_decoder: bool
    is_recurrent: bool
    chat_template: str | None
    bos_token: str
    eos_token: str
    pooling: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """A snapshot of one engine, safe to read at any time.

    ``n_ctx`` is tokens per sequence; ``used`` the tokens resident in each
    sequence; ``tokens_per_s`` a running average over the last seconds of work;
    ``answering`` tells which sequences are in use. Since the context was made,
    ``n_decodes`` steps over ``n_parts`` sequences altogether were computed, and a
    sequence had ``most_used`` tokens at most.
    """

    state: Literal["ready", "busy", "dead", "closed"]
    n_ctx: int
    n_seq_max: int
    running: int
    waiting: int
    used: tuple[int, ...]
    tokens_per_s: float
    answering: tuple[bool, ...] = ()
    n_decodes: int = 0
    n_parts: int = 0
    most_used: int = 0
