"""Rewrite two kinds of input before Python sees it.

``%%llama`` at the top of a kernel's cell is awaited: widgets keep answering while
it streams, and an interrupt keeps the text. ``%llama ask …?`` ends with a question
mark, which IPython would take for a request for help on its last word.
"""

from __future__ import annotations

import inspect
import re
import tokenize
from typing import TYPE_CHECKING, Any, Self

from IPython.core.inputtransformer2 import TokenTransformBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["AskQuestion", "make_cell_rule"]

_CALL = "get_ipython().run_cell_magic('llama', "
_AWAITED = "await get_ipython().magics_manager.registry['LlamaMagics'].answer_cell("
_EMPTY_BODY = ", '')"
_ASK = re.compile(r"(?P<target>.*?=\s*)?%llama[ \t]+(?P<line>\S.*\?)\s*$", re.DOTALL)


def make_cell_rule(shell: InteractiveShell) -> Callable[[list[str]], list[str]]:
    """Give the input transformer of ``shell`` that makes ``%%llama`` awaited.

    Only a kernel's own cells are changed: under another magic (``%%time``,
    ``%%capture``), inside user code and in a terminal the cell runs to its end.
    """

    def await_llama(lines: list[str]) -> list[str]:
        if not lines or not lines[0].startswith(_CALL) or not _may_await(shell):
            return lines
        if lines[0].rstrip().endswith(_EMPTY_BODY):
            return lines  # IPython's own message then names %%llama
        return [_AWAITED + lines[0].removeprefix(_CALL), *lines[1:]]

    return await_llama


def _may_await(shell: InteractiveShell) -> bool:
    return bool(hasattr(shell, "kernel") and shell.autoawait and not _inside_user_code())


def _inside_user_code() -> bool:
    """Whether IPython's ``run_code``, which executes user code, is on the stack."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "run_code" and "IPython" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


class AskQuestion(TokenTransformBase):
    """Keep ``%llama ask Why?`` a question; must come before IPython's help rule.

    ``%llama What is R?``, without ``ask``, goes the same way and is told what it lacks;
    ``%llama load?`` shows the help of ``load``.
    """

    priority = 1

    def __init__(self, start: tuple[int, int], end_line: int) -> None:
        super().__init__(start)
        self._end_line = end_line

    @classmethod
    def find(cls, tokens_by_line: list[list[Any]]) -> Self | None:
        """Find the first line ``%llama … …?``, alone or as a value."""
        for tokens in tokens_by_line:
            if len(tokens) > 2 and tokens[-2].string == "?" and _ASK.fullmatch(_source(tokens)):
                return cls(_first(tokens).start, tokens[-2].start[0] - 1)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Replace the line by the call that it stands for."""
        piece = "".join(lines[self.start_line : self._end_line + 1])
        indent, content = piece[: self.start_col], piece[self.start_col :]
        found = _ASK.fullmatch(content)
        if found is None:
            raise SyntaxError(content)
        call = f"get_ipython().run_line_magic('llama', {found['line']!r})\n"
        line = indent + (found["target"] or "") + call
        return [*lines[: self.start_line], line, *lines[self._end_line + 1 :]]


def _first(tokens: list[Any]) -> Any:
    blank = {tokenize.INDENT, tokenize.DEDENT}
    return next(token for token in tokens if token.type not in blank)


def _source(tokens: list[Any]) -> str:
    return str(_first(tokens).line).strip()
