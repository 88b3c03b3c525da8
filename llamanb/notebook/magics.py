"""``%llama`` and ``%%llama`` as IPython sees them; the work is done in ``runner.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Enum

from llamanb.notebook.manual import overview

if TYPE_CHECKING:
    from llamanb.notebook.runner import Runner
    from llamanb.notebook.state import NotebookState

__all__ = ["LlamaMagics", "state_of"]

_STATE = "_llamanb_state"


@magics_class
class LlamaMagics(Magics):
    """The magics of one shell. Chats and settings stay on the shell when this goes."""

    interrupt = Enum(
        ("keep", "raise"),
        "keep",
        help="After an interrupt: 'keep' the partial reply quietly, or keep it and 'raise'.",
    ).tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)
        self._shell = shell

    @no_var_expand
    @line_cell_magic
    def llama(self, line: str, cell: str | None = None) -> object:  # noqa: D102  # its docstring is made from the table
        runner = self._runner()
        return runner.run_line(line) if cell is None else runner.run_cell(line, cell)

    llama.__doc__ = overview()

    async def answer_cell(self, line: str, cell: str) -> object:
        """Run ``%%llama`` without blocking the event loop.

        No magic of its own, so that ``%lsmagic`` does not list it; ``input_rules``
        makes cells call it.
        """
        return await self._runner().run_cell_async(line, cell)

    def names(self, kind: str) -> list[str]:
        """Give the names there are: of models, chats, servers, the user's tools, types, texts."""
        if kind in ("models", "chats", "ports"):
            return self._state().names(kind)
        from llamanb.notebook.names import names_of

        return names_of(kind, self._shell)

    def _runner(self) -> Runner:
        from llamanb.notebook.runner import Runner

        raises = self.interrupt == "raise"
        return Runner(self._shell, self._state(), raises_interrupts=raises)

    def _state(self) -> NotebookState:
        return state_of(self._shell)


def state_of(shell: Any) -> NotebookState:
    """Give the chats and settings of a shell."""
    from llamanb.notebook.state import NotebookState

    state: NotebookState = shell.__dict__.setdefault(_STATE, NotebookState())
    return state
