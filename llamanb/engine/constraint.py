"""Text that must match a grammar, enforced token by token with llguidance.

llama.cpp's own grammar sampler is never used: a parse error there ends the
process. llguidance computes a mask in about 10 µs and reports errors as states.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from llamanb.engine.grammar_errors import grammar_error
from llamanb.engine.json_bounds import bounded_lark, bounded_schema
from llamanb.engine.worker import NativeWorker
from llamanb.errors import EngineError, GrammarError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from llamanb.engine.vocabulary import Vocabulary
    from llamanb.settings import Constraint

__all__ = ["ConstraintState", "GrammarCompiler", "on_grammar_worker"]

MAX_SOURCE_BYTES = 1 << 20
MAX_GBNF_BYTES = 1 << 16  # the converter takes quadratic time
MAX_NESTING = 200
COMPILE_TIMEOUT_S = 1.0
_STACK_BYTES = 256 << 20
_WORD_BITS = 32
T = TypeVar("T")
_worker_lock = threading.Lock()
_worker: NativeWorker | None = None


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
        np.copyto(logits, -np.inf, where=~self.allowed())

    def allowed(self) -> NDArray[np.bool_]:
        """Tell for each token whether it may come next; shape (n_vocab,)."""
        bits = self._bits
        self._matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        flags = np.unpackbits(bits.view(np.uint8), bitorder="little", count=self._n_vocab)
        return flags.view(np.bool_)

    def accepts(self, token: int) -> bool:
        """Take in a token that was given; False if it does not fit."""
        return bool(self._matcher.try_consume_tokens([token]) == 1)

    def start_with(self, tokens: list[int]) -> bool:
        """Take in what was written before the constraint began; False if it does not fit."""
        if self._matcher.try_consume_tokens(tokens) == len(tokens):
            return True
        self._matcher.reset()
        return False

    def back(self, n_tokens: int) -> None:
        """Forget the last tokens that were taken in."""
        self._matcher.rollback(n_tokens)

    @property
    def is_complete(self) -> bool:
        """Whether the text may end here and nothing may follow."""
        return bool(self._matcher.is_stopped())

    @property
    def may_end(self) -> bool:
        """Whether the text may end here."""
        return bool(self._matcher.is_accepting())

    @property
    def forced(self) -> bytes:
        """What has to come next; empty if there are several ways to go on."""
        return bytes(self._matcher.compute_ff_bytes())

    @property
    def error(self) -> str:
        """Why it can be used no more; "" if it can."""
        return str(self._matcher.get_error() or "")


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
        _check_size(constraint)
        self._prepared()
        matcher = on_grammar_worker(lambda: self._compile(constraint), "compile")
        state = ConstraintState(matcher, self._vocabulary.n_tokens)
        self._begin(state, constraint.begun)
        return state

    def _begin(self, state: ConstraintState, begun: str) -> None:
        """Take in the text that the prompt ends with."""
        tokens = self._vocabulary.tokenize_inside(begun, parse_special=True)
        if begun and not state.start_with(tokens):
            raise GrammarError(f"the text begun, {begun[:80]!r}, does not match the grammar")

    def _compile(self, constraint: Constraint) -> Any:
        source = _lark_of(constraint) if constraint.kind == "gbnf" else constraint.source
        bounded = _bounded(constraint, source)
        matcher = self._started(constraint, bounded)
        if matcher.is_error() and bounded != source:
            matcher = self._started(constraint, source)  # names the places that users see
        if matcher.is_error():
            lark = source if constraint.kind == "gbnf" else ""
            raise grammar_error(constraint, matcher.get_error(), lark)
        return matcher

    def _started(self, constraint: Constraint, source: str) -> Any:
        from llguidance import LLMatcher

        grammar = _to_llguidance(constraint, source)
        matcher = LLMatcher(self._prepared(), grammar, log_level=0)
        if not matcher.is_error():
            # The first mask may take a second and hundreds of MB before it is refused:
            # better here than between the steps of everybody's streams.
            matcher.compute_bitmask()
        return matcher

    def _prepared(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from llguidance import LLTokenizer, TokenizerWrapper

                wrapped = TokenizerWrapper(_TokenTable(self._vocabulary))
                # Chat models often end a turn with another token than eos.
                ends = [wrapped.eos_token_id, *self._vocabulary.eog - {wrapped.eos_token_id}]
                self._tokenizer = LLTokenizer(wrapped, eos_token=ends)
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
        return self._vocabulary.tokenize_inside(text)


def _to_llguidance(constraint: Constraint, source: str) -> str:
    """Wrap a source for llguidance; GBNF comes as the Lark it became."""
    from llguidance import LLMatcher

    wrap: dict[str, Callable[[str], str]] = {
        "json_schema": LLMatcher.grammar_from_json_schema,
        "regex": LLMatcher.grammar_from_regex,
    }
    try:
        return wrap.get(constraint.kind, LLMatcher.grammar_from_lark)(source)
    except ValueError as error:
        raise grammar_error(constraint, error) from error


def _bounded(constraint: Constraint, source: str) -> str:
    if constraint.kind == "lark":
        return bounded_lark(source)
    if constraint.kind != "json_schema":
        return source
    try:
        return json.dumps(bounded_schema(json.loads(source)))
    except (ValueError, RecursionError):
        return source  # llguidance says what is wrong with it


def _lark_of(constraint: Constraint) -> str:
    from llguidance.gbnf_to_lark import gbnf_to_lark

    try:
        return str(gbnf_to_lark(constraint.source))
    except Exception as error:  # the converter raises bare Exception
        raise grammar_error(constraint, error) from error


def on_grammar_worker(work: Callable[[], T], what: str) -> T:
    """Do a piece of work with a grammar where it can neither hang nor overflow the stack.

    Raises
    ------
    GrammarError
        If it takes more than a second.
    """
    worker = _grammar_worker()
    try:
        return worker.call(work, COMPILE_TIMEOUT_S)
    except TimeoutError:
        worker.close(timeout_s=0.0)  # it ends when it is through; the next has another
        raise GrammarError(
            f"the grammar takes longer than {COMPILE_TIMEOUT_S:g} s to {what}; make it simpler"
        ) from None


def _grammar_worker() -> NativeWorker:
    """Give the thread that compiles; llguidance recurses along chains of rules.

    3,000 rules in a row overflow a stack of 8 MiB, which ends the process; its own
    limit of 65,534 symbols keeps any chain within this stack (measured).
    """
    global _worker  # noqa: PLW0603  # one per process
    with _worker_lock:
        if _worker is None or not _worker.usable:
            _worker = NativeWorker("llamanb-grammar", stack_bytes=_STACK_BYTES)
        return _worker


def _check_size(constraint: Constraint) -> None:
    source = constraint.source
    limit = MAX_GBNF_BYTES if constraint.kind == "gbnf" else MAX_SOURCE_BYTES
    if len(source.encode("utf-8", "replace")) > limit:
        raise GrammarError(f"the grammar is larger than {limit >> 10:,} KiB; make it smaller")
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
