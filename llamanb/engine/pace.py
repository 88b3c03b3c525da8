"""How many prompt tokens one step may take, learnt from how long steps take."""

from __future__ import annotations

__all__ = ["Pace"]

_STEP_BESIDE_STREAMS_S = 0.15
_STEP_ALONE_S = 1.0
# Where a decode cannot be interrupted, a cancelled prompt must wait for its step.
_STEP_UNINTERRUPTIBLE_S = 0.15
_FIRST_CHUNK = 32
_SMALLEST_CHUNK = 8
# Chunks whose sizes differ by less say nothing about what a step costs at any size.
_TELLING_DIFFERENCE = 0.25
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
        self._prompt_tokens_per_s = 0.0
        self._token_step_s = 0.0
        self._fixed_s = 0.0
        self._compared: tuple[int, float] | None = None
        self.tokens_per_s = 0.0

    def budget(self, n_running: int, room: int) -> int:
        """Give the prompt tokens for the next step beside ``n_running`` streams."""
        if not self._prompt_tokens_per_s:
            return min(room, _FIRST_CHUNK)
        step_s = _STEP_BESIDE_STREAMS_S if n_running else self._alone_s
        return min(room, max(_SMALLEST_CHUNK, int(self._prompt_tokens_per_s * step_s)))

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
        # Reading the weights, and deep in a prompt its memory, costs a step of any size the
        # same: without taking that off, small chunks look slow and get smaller still.
        self._learn_fixed_cost(n_prompt, seconds)
        fixed_s = max(self._token_step_s, self._fixed_s)
        speed = n_prompt / max(seconds - fixed_s, seconds / 2)
        slower = speed < self._prompt_tokens_per_s
        # A chunk that was too large must not be repeated; growing may take its time.
        known = 0.0 if slower else self._prompt_tokens_per_s
        self._prompt_tokens_per_s = _follow(known, speed)

    def _learn_fixed_cost(self, n_prompt: int, seconds: float) -> None:
        n_before, seconds_before = self._compared or (n_prompt, seconds)
        more = n_prompt - n_before
        if self._compared and abs(more) < _TELLING_DIFFERENCE * max(n_prompt, n_before):
            return
        self._compared = (n_prompt, seconds)
        if more:
            each_s = max(0.0, (seconds - seconds_before) / more)
            self._fixed_s = max(0.0, seconds - each_s * n_prompt)


def _follow(known: float, newest: float) -> float:
    return known + _WEIGHT_OF_FASTER * (newest - known) if known else newest
