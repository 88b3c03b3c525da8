"""How many prompt tokens one step may take, learnt from how long steps take."""

from __future__ import annotations

__all__ = ["Pace"]

_STEP_BESIDE_STREAMS_S = 0.15
_STEP_ALONE_S = 1.0
_SMALLEST_CHUNK = 32
_SMALLEST_CHUNK_ALONE = 256
_WEIGHT_OF_NEWEST = 0.3


class Pace:
    """Running averages of a context's speed.

    A long prompt beside a running stream is taken in small chunks, so that the
    stream's pauses stay near 150 ms (64-token chunks: worst gap 0.46 s; 512-token
    chunks: 1.96 s, measured with a 1,200-token prompt on two cores).
    """

    def __init__(self) -> None:
        self._prompt_tokens_per_s = 200.0
        self.tokens_per_s = 0.0

    def budget(self, n_running: int, room: int) -> int:
        """Give the prompt tokens for the next step beside ``n_running`` streams."""
        if n_running:
            aim = max(_SMALLEST_CHUNK, int(self._prompt_tokens_per_s * _STEP_BESIDE_STREAMS_S))
        else:
            aim = max(_SMALLEST_CHUNK_ALONE, int(self._prompt_tokens_per_s * _STEP_ALONE_S))
        return max(0, min(room, aim))

    def learn(self, n_prompt: int, n_generated: int, seconds: float) -> None:
        """Take in how long a step over so many tokens took."""
        if seconds <= 0:
            return
        if n_prompt >= _SMALLEST_CHUNK:
            speed = n_prompt / seconds
            self._prompt_tokens_per_s += _WEIGHT_OF_NEWEST * (speed - self._prompt_tokens_per_s)
        if n_generated and not n_prompt:
            speed = n_generated / seconds
            old = self.tokens_per_s or speed
            self.tokens_per_s = old + _WEIGHT_OF_NEWEST * (speed - old)
