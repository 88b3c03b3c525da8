"""How many prompt tokens one step may take, learnt from how long steps take."""

from __future__ import annotations

__all__ = ["Pace"]

_STEP_BESIDE_STREAMS_S = 0.15
_STEP_ALONE_S = 1.0
# Where a decode cannot be interrupted, a cancelled prompt must wait for its step.
_STEP_UNINTERRUPTIBLE_S = 0.15
_FIRST_CHUNK = 32
_SMALLEST_CHUNK = 8
# Deep in a long prompt every step costs much, whatever its size: smaller ones would be
# slower still, and look slower, until they are tiny (13 tokens in 1.4 s, measured).
_SMALLEST_CHUNK_ALONE = 64
_WEIGHT_OF_FASTER = 0.3


class Pace:
    """Running averages of a context's speed.

    A long prompt beside a running stream is taken in small chunks, so that the
    stream's pauses stay near 150 ms (64-token chunks: worst gap 0.46 s; 512-token
    chunks: 1.96 s, measured with a 1,200-token prompt on two cores). Alone, a step
    stays near one second: commands and other engines wait that long.
    """

    def __init__(self, *, interruptible: bool = True) -> None:
        self._alone_s = _STEP_ALONE_S if interruptible else _STEP_UNINTERRUPTIBLE_S
        self._smallest_alone = _SMALLEST_CHUNK_ALONE if interruptible else _SMALLEST_CHUNK
        self._prompt_tokens_per_s = 0.0
        self._token_step_s = 0.0
        self.tokens_per_s = 0.0

    def budget(self, n_running: int, room: int) -> int:
        """Give the prompt tokens for the next step beside ``n_running`` streams."""
        if not self._prompt_tokens_per_s:
            return min(room, _FIRST_CHUNK)
        step_s = _STEP_BESIDE_STREAMS_S if n_running else self._alone_s
        smallest = _SMALLEST_CHUNK if n_running else self._smallest_alone
        return min(room, max(smallest, int(self._prompt_tokens_per_s * step_s)))

    def learn(self, n_prompt: int, n_generated: int, seconds: float) -> None:
        """Take in how long a step over so many tokens took."""
        if seconds <= 0:
            return
        if n_prompt >= _SMALLEST_CHUNK:
            self._learn_prompt_speed(n_prompt, seconds)
        if n_generated and not n_prompt:
            self._token_step_s = _follow(self._token_step_s, seconds)
            self.tokens_per_s = _follow(self.tokens_per_s, n_generated / seconds)

    def _learn_prompt_speed(self, n_prompt: int, seconds: float) -> None:
        # Reading the weights costs a step of any size the same: without taking that
        # off, small chunks look slow and would stay small.
        speed = n_prompt / max(seconds - self._token_step_s, seconds / 2)
        slower = speed < self._prompt_tokens_per_s
        # A chunk that was too large must not be repeated; growing may take its time.
        known = 0.0 if slower else self._prompt_tokens_per_s
        self._prompt_tokens_per_s = _follow(known, speed)


def _follow(known: float, newest: float) -> float:
    return known + _WEIGHT_OF_FASTER * (newest - known) if known else newest
