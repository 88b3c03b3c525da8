"""``Reply``: what a ``%%llama`` cell gives back, a string that knows how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from IPython.core.getipython import get_ipython
from IPython.display import display

from llamanb.engine.values import Timings, Usage
from llamanb.notebook.reply_view import reply_bundle

if TYPE_CHECKING:
    from llamanb.chat_layer import ChatPrompt
    from llamanb.notebook.calls import Call
    from llamanb.notebook.probs_view import ProbsView
    from llamanb.notebook.transcript import Part

__all__ = ["Reply"]


class Reply(str):
    """The answer of a model; it is a string and can be used as one.

    A cell that has just shown the answer does not show it again, so ``_``,
    ``Out[n]`` and assignments work without a double output.

    Attributes
    ----------
    text : the answer, a plain string: what was said after the last tool call.
    tool_calls : what was called: ``name``, ``arguments``, ``args``, ``result`` …
    parts : texts and calls in their order.
    reasoning : what the model thought first, ``""`` if nothing.
    raw : everything that was generated, with thinking tags and markers.
    parsed : with ``--schema`` the value that the answer stands for; with ``-f json``
        the JSON in it; else None.
    tokens : the generated token ids.
    probs : with ``--probs`` how likely each token was
        (:class:`~llamanb.notebook.probs_view.ProbsView`), else None.
    usage, timings : token counts, and seconds of each stage, over all rounds.
    finish_reason : ``"stop"``, ``"length"``, ``"cancelled"``, ``"error"``, or
        ``"tool_calls"`` with calls that were not run.
    cancelled : whether it was stopped; the text is then what there was.
    model, seed : the model's name, and the seed that gives these tokens again.
    built : the prompt, or None with ``--raw``.
    messages : the conversation up to and including this answer.
    footer : one line about it: tokens, speed, model.
    """

    __slots__ = ("__dict__",)

    reasoning: str = ""
    raw: str = ""
    parsed: Any = None
    tool_calls: tuple[Call, ...] = ()
    parts: tuple[Part, ...] = ()
    tokens: tuple[int, ...] = ()
    probs: ProbsView | None = None
    usage: Usage = Usage()
    timings: Timings = Timings()
    finish_reason: str = "stop"
    model: str = ""
    seed: int | None = None
    built: ChatPrompt | None = None
    messages: tuple[dict[str, Any], ...] = ()
    _shown_in: int | None = None
    footer: str = ""
    _format: str = "md"

    def __new__(cls, text: str = "", **attributes: Any) -> Self:
        """Make a reply; ``attributes`` are those of the class."""
        reply = super().__new__(cls, text)
        reply.__dict__.update(attributes)
        return reply

    @property
    def text(self) -> str:
        """The answer, a plain string."""
        return str.__str__(self)

    @property
    def cancelled(self) -> bool:
        """Whether it was stopped before its end."""
        return self.finish_reason == "cancelled"

    def _ipython_display_(self) -> None:
        shown_in, self._shown_in = self._shown_in, None
        if shown_in is None or shown_in != current_cell():
            display(self.bundle(), raw=True)

    def bundle(self) -> dict[str, str]:
        """Give the display data: ``text/html``, ``text/markdown`` and ``text/plain``."""
        return reply_bundle(
            self.parts or self.text,
            reasoning=self.reasoning,
            footer=self.footer,
            style=self._format,
        )


def current_cell() -> int | None:
    """Give the number of the cell that runs now, None outside IPython."""
    shell = get_ipython()
    return shell.execution_count if shell is not None else None
