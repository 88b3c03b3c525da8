"""What one rendering of a chat template may use: time, memory, steps, output.

Templates come from files that strangers made. A watching thread could not stop
one: an operation inside the interpreter (``'a' * 10**9``, comparing two deeply
shared lists) holds the lock that the watcher needs. So every operation asks
here *before* it allocates, and each is small enough to finish by itself.
"""

from __future__ import annotations

import math
import mmap
import sys
import time
from collections.abc import Set, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

from jinja2.utils import Namespace

from llamanb.errors import TemplateLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEADLINE_S",
    "MAX_OUTPUT_CHARS",
    "MAX_SOURCE_BYTES",
    "MAX_TEXT_CHARS",
    "Budget",
    "current_budget",
    "spending",
    "time_limit",
]

DEADLINE_S = 2.0
MAX_SOURCE_BYTES = 256 << 10
MAX_OUTPUT_CHARS = 4 << 20
MAX_TEXT_CHARS = 8 << 20
MAX_NODES = 400_000
MAX_STEPS = 1_000_000
MAX_BYTES = 160 << 20  # where resident memory cannot be read
ALLOWED_BYTES = 64 << 20
MAX_GROWN_BYTES = 96 << 20
NEXT_LOOK_BYTES = 32 << 20
STEPS_PER_LOOK = 64
NODES_PER_LOOK = 4096

Size = tuple[int, int]
_NAMESPACE_CONTENTS = "_Namespace__attrs"
_ENDS_AT: ContextVar[float] = ContextVar("llamanb_template_ends_at", default=math.inf)


class Budget:
    """Counts down while one template renders; every method may raise.

    Stages: made with a deadline → asked by every operation → thrown away.
    ``TemplateLimitError`` says which limit was passed.
    """

    __slots__ = ("_allowed", "_bytes", "_ends_at", "_output", "_resident", "_steps")

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._ends_at = min(time.monotonic() + deadline_s, _ENDS_AT.get())
        self._resident = _resident_bytes()
        self._allowed = MAX_BYTES if self._resident is None else ALLOWED_BYTES
        self._bytes = 0
        self._steps = 0
        self._output = 0

    def look_at_clock(self) -> None:
        """Check the deadline."""
        if time.monotonic() > self._ends_at:
            raise TemplateLimitError("the chat template takes too long to render")

    def step(self) -> None:
        """Count one turn of a loop or one call."""
        self._steps += 1
        if self._steps % STEPS_PER_LOOK == 0:
            self.look_at_clock()
            if self._steps > MAX_STEPS:
                raise TemplateLimitError(f"the chat template takes more than {MAX_STEPS:,} steps")

    def charge(self, n_bytes: int) -> None:
        """Count bytes that are about to be allocated.

        They are never given back here, so many short-lived values are let pass as
        long as the process has not grown.
        """
        self._bytes += n_bytes
        if self._bytes > self._allowed:
            self._allow_more(n_bytes)

    def _allow_more(self, n_bytes: int) -> None:
        self.look_at_clock()
        now = _resident_bytes()
        if now is None or self._resident is None:
            grown = self._bytes
        else:
            grown = now - self._resident + n_bytes
        if grown > MAX_GROWN_BYTES:
            raise TemplateLimitError(
                f"the chat template needs more than {MAX_GROWN_BYTES >> 20} MiB of memory"
            )
        self._allowed = self._bytes + NEXT_LOOK_BYTES

    def charge_text(self, n_chars: int) -> None:
        """Count one string of ``n_chars`` that is about to be built."""
        if n_chars > MAX_TEXT_CHARS:
            raise TemplateLimitError(
                f"the chat template builds a text of more than {MAX_TEXT_CHARS >> 20} MiB"
            )
        self.charge(n_chars)
        self.look_at_clock()

    def charge_result(self, value: object) -> None:
        """Count a value that an operation has just made."""
        if isinstance(value, str | list | tuple | dict):
            self.charge(sys.getsizeof(value))

    def emit(self, n_chars: int) -> None:
        """Count output."""
        self._output += n_chars
        if self._output > MAX_OUTPUT_CHARS:
            raise TemplateLimitError(
                f"the chat template writes more than {MAX_OUTPUT_CHARS >> 20} MiB"
            )

    def weigh(self, value: object) -> Size:
        """Count the nodes and characters of a value written out as a tree.

        A list that holds another twice counts it twice: that is what printing,
        comparing or hashing it would do. O(nodes), bounded.
        """
        if isinstance(value, str):
            return 1, len(value)
        nodes, chars, pending = 0, 0, [value]
        while pending:
            one = pending.pop()
            nodes += 1
            if nodes % NODES_PER_LOOK == 0:
                self.look_at_clock()
            if isinstance(one, str):
                chars += len(one)
            else:
                pending.extend(_children(one))
            if nodes + len(pending) > MAX_NODES or chars > MAX_TEXT_CHARS:
                raise TemplateLimitError("the chat template builds a value that is too large")
        return nodes, chars


def _resident_bytes() -> int | None:
    """Give the memory of this process, or None where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # read per rendering, half the time
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return None


def _children(value: object) -> list[object] | tuple[object, ...]:
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, MappingProxyType):
        return [*value, *value.values()]
    if isinstance(value, Namespace):  # which shows what it holds
        return [getattr(value, _NAMESPACE_CONTENTS)]
    return list(value) if isinstance(value, range | Set | ValuesView) else ()


_BUDGET: ContextVar[Budget | None] = ContextVar("llamanb_template_budget", default=None)


def current_budget() -> Budget:
    """Give the budget of the rendering under way in this thread."""
    budget = _BUDGET.get()
    if budget is None:
        raise TemplateLimitError("a chat template was used outside of its bounds")
    return budget


@contextmanager
def spending(budget: Budget) -> Iterator[Budget]:
    """Make ``budget`` the current one inside the block."""
    token = _BUDGET.set(budget)
    try:
        yield budget
    finally:
        _BUDGET.reset(token)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let all renderings inside the block end together after ``seconds``."""
    token = _ENDS_AT.set(min(time.monotonic() + seconds, _ENDS_AT.get()))
    try:
        yield
    finally:
        _ENDS_AT.reset(token)
