r"""Put values of the user's variables into a prompt: ``{{expression}}``.

Single braces are ordinary text, so JSON and code in prompts need no escaping;
``\{{`` gives two literal braces.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Protocol

from llamanb.notebook.messages import UsageError, one_line, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["Namespace", "interpolate"]

LONGEST_EXPRESSION = 2_000
LONGEST_SHOWN = 60
_LITERAL_HINT = "write \\{{ for two literal braces"
_EXAMPLE = f"{{{{my_text}}}}, or {_LITERAL_HINT}"


class Namespace(Protocol):
    """What interpolation needs of an IPython shell."""

    user_ns: dict[str, Any]

    def ev(self, expr: str) -> Any:
        """Evaluate ``expr`` among the user's variables."""


def interpolate(text: str, shell: Namespace) -> str:
    """Give ``text`` with each ``{{expression}}`` replaced by ``str`` of its value.

    Raises
    ------
    UsageError
        If an expression is not Python, names an unknown variable or fails.
    """
    return "".join(_parts(text, lambda expression: _evaluate(expression, shell)))


def _parts(text: str, evaluate: Callable[[str], str]) -> Iterator[str]:
    position = 0
    for opener in re.finditer(r"\\?\{\{", text):
        if opener.start() < position:
            continue
        yield text[position : opener.start()]
        position = opener.end()
        if opener.group().startswith("\\"):
            yield "{{"
            continue
        expression, position = _cut_expression(text, position)
        yield evaluate(expression)
    yield text[position:]


def _cut_expression(text: str, start: int) -> tuple[str, int]:
    """Find the nearest ``}}`` that makes a Python expression (dicts hold braces too)."""
    limit = start + LONGEST_EXPRESSION
    end = text.find("}}", start, limit)
    first = end
    while end >= 0:
        candidate = text[start:end].strip()
        if _is_expression(candidate):
            return candidate, end + 2
        end = text.find("}}", end + 1, limit)
    shown = text[start : first if first >= 0 else start + LONGEST_SHOWN]
    raise UsageError(f"{_in_braces(shown)} is not a Python expression; {_LITERAL_HINT}")


def _in_braces(expression: str) -> str:
    """Give an expression as an error names it: on one line, and short."""
    shown = " ".join(expression.split())
    more = "…" if len(shown) > LONGEST_SHOWN else ""
    return f"{{{{{shown[:LONGEST_SHOWN]}{more}}}}}"


def _is_expression(candidate: str) -> bool:
    try:
        ast.parse(candidate, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _evaluate(expression: str, shell: Namespace) -> str:
    try:
        return str(shell.ev(expression))
    except NameError as error:
        name = error.name or expression
        hidden = getattr(shell, "user_ns_hidden", ())
        known = [v for v in shell.user_ns if not v.startswith("_") and v not in hidden]
        raise unknown("variable", name, known, example=_EXAMPLE) from None
    except Exception as error:  # noqa: BLE001  # the user's expression may raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UsageError(f"{_in_braces(expression)} failed: {reason}") from None
