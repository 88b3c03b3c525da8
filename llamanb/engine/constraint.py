"""Text that must match a grammar, enforced token by token with llguidance.

llama.cpp's own grammar sampler is never used: a parse error there ends the
process. llguidance computes a mask in about 10 µs and reports errors as states.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.errors import EngineError, GrammarError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from llamanb.engine.vocabulary import Vocabulary
    from llamanb.settings import Constraint

__all__ = ["ConstraintState", "GrammarCompiler"]

MAX_SOURCE_BYTES = 1 << 20
MAX_NESTING = 200
_WORD_BITS = 32


class ConstraintState:
    """Where one request stands in its grammar. One owner: the compute thread."""

    def __init__(self, matcher: Any, n_vocab: int) -> None:
        self._matcher = matcher
        self._n_vocab = n_vocab
        words = (n_vocab + _WORD_BITS - 1) // _WORD_BITS
        self._bits = np.zeros(words, np.int32)

    def choose(
        self, logits: NDArray[np.float32], sample: Callable[[], int], *, may_retry: bool
    ) -> int:
        """Sample a token that the grammar accepts, and consume it.

        Most tokens are right at the first try, so only a refusal costs a mask.
        A sampler that remembers its tokens (penalties) may not be asked twice.

        Raises
        ------
        EngineError
            If the grammar cannot go on from here.
        """
        if may_retry:
            token = sample()
            if self._matcher.try_consume_tokens([token]) == 1:
                return token
        self.mask(logits)
        token = sample()
        if not self._matcher.consume_token(token):
            raise EngineError(f"the grammar cannot go on: {self._matcher.get_error()}")
        return token

    def mask(self, logits: NDArray[np.float32]) -> None:
        """Set every forbidden token's logit to minus infinity, in place."""
        bits = self._bits
        self._matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        allowed = np.unpackbits(bits.view(np.uint8), bitorder="little", count=self._n_vocab)
        np.copyto(logits, -np.inf, where=allowed == 0)

    @property
    def is_complete(self) -> bool:
        """Whether the text may end here and nothing may follow."""
        return bool(self._matcher.is_stopped())


class GrammarCompiler:
    """Compiles constraints for one vocabulary; the tokeniser is prepared once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._tokenizer: Any = None

    def compile(self, constraint: Constraint) -> ConstraintState:
        """Check a constraint and give its starting state.

        Raises
        ------
        GrammarError
            If it does not compile or is too large; names the place where known.
        """
        _check_size(constraint.source)
        from llguidance import LLMatcher

        matcher = LLMatcher(self._prepared(), _to_llguidance(constraint), log_level=0)
        if matcher.is_error():
            raise _grammar_error(matcher.get_error())
        return ConstraintState(matcher, self._vocabulary.n_tokens)

    def _prepared(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from llguidance import LLTokenizer, TokenizerWrapper

                self._tokenizer = LLTokenizer(TokenizerWrapper(_TokenTable(self._vocabulary)))
        return self._tokenizer


class _TokenTable:
    """The vocabulary in the shape llguidance's TokenizerWrapper asks for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        ends = vocabulary.eog or {0}
        self.eos_token_id = vocabulary.eos if vocabulary.eos is not None else min(ends)
        self.bos_token_id = vocabulary.bos
        self.tokens = list(vocabulary.pieces)
        self.special_token_ids = sorted(vocabulary.control | vocabulary.eog)

    def __call__(self, text: str) -> list[int]:
        return self._vocabulary.tokenize(text, add_special=False, parse_special=False)


def _to_llguidance(constraint: Constraint) -> str:
    from llguidance import LLMatcher

    try:
        match constraint.kind:
            case "json_schema":
                return str(LLMatcher.grammar_from_json_schema(constraint.source))
            case "regex":
                return str(LLMatcher.grammar_from_regex(constraint.source))
            case "lark":
                return str(LLMatcher.grammar_from_lark(constraint.source))
            case "gbnf":
                from llguidance.gbnf_to_lark import gbnf_to_lark

                return str(LLMatcher.grammar_from_lark(gbnf_to_lark(constraint.source)))
    except Exception as error:  # the GBNF converter raises bare Exception
        raise _grammar_error(str(error)) from error


def _check_size(source: str) -> None:
    if len(source.encode("utf-8", "replace")) > MAX_SOURCE_BYTES:
        raise GrammarError("the grammar is larger than 1 MiB; make it smaller")
    if "\0" in source:
        raise GrammarError("the grammar contains a NUL character")
    depth = deepest = 0
    for character in source:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise GrammarError(
            f"the grammar is nested {deepest} deep; at most {MAX_NESTING} is possible"
        )


def _grammar_error(message: str) -> GrammarError:
    first = message.strip().splitlines()[0] if message.strip() else "unknown reason"
    return GrammarError(f"the grammar does not compile: {first}")
