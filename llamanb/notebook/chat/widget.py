"""``ChatWidget``: a talk with a model in a notebook's page, which any thread may use, too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython

from llamanb.conversation import Session
from llamanb.conversation.tools.approval import checked_approve
from llamanb.models import Model
from llamanb.models.kernel import manager
from llamanb.notebook.chat.export import write_talk
from llamanb.notebook.chat.settings import ChatSettings
from llamanb.notebook.chat.talk import ChatTalk
from llamanb.notebook.chat.twin import chat_html, chat_markdown, chat_text
from llamanb.notebook.chats import NamedChat
from llamanb.notebook.following import HEARTBEAT_S, forget_cancellation
from llamanb.notebook.live_widget import STATIC, LiveWidget
from llamanb.notebook.saved_copy import SavedCopy
from llamanb.settings import SamplingSettings, read_environment

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from llamanb.notebook.chat.parts import TalkView

__all__ = ["ChatWidget"]


class ChatWidget(LiveWidget):
    """Chat with a model in the notebook: watch, stop, ask again, allow tools, look inside.

    Parameters
    ----------
    target : who answers: a model, the name or file of one, a :class:`~llamanb.Session`, or
        None for the default model. A session's messages are shown and go on.
    tools : functions that the model may call; None keeps a session's.
    approve : ``"ask"`` the person at the page before each call, ``"auto"`` or ``"never"`` run
        them, or a function as of :class:`~llamanb.Session`.
    system_prompt : put before the talk; None keeps a session's.
    probabilities : keep every token's probability, so that it can be looked at.
    **sampling : options such as ``temperature=0``; they can be changed in the page.

    Attributes
    ----------
    session : the talk; what other code says there shows in the page.

    Raises
    ------
    OptionError
        If an option is impossible.

    Examples
    --------
    >>> chat = llamanb.ChatWidget("demo", tools=[get_weather])
    >>> chat
    >>> chat.send("Is it cold in Oslo?")
    """

    _esm = STATIC / "chat.js"
    _css = STATIC / "chat.css"

    def __init__(
        self,
        target: Model | Session | NamedChat | str | os.PathLike[str] | None = None,
        *,
        tools: Iterable[Any] | None = None,
        approve: Any = "ask",
        system_prompt: str | None = None,
        probabilities: bool = True,
        **sampling: Any,
    ) -> None:
        self.session = _session_of(target)
        if tools is not None:
            self.session.tools = tools
        if system_prompt is not None:
            self.session.system_prompt = system_prompt
        self.session.sampling = SamplingSettings.from_options(self.session.sampling, **sampling)
        settings = _settings(approve, self.session, probabilities=probabilities)
        super().__init__()
        self._saved = SavedCopy(self._copied)
        self._talk = ChatTalk(
            self.session,
            send=self.send,
            settings=settings,
            variables=_variables,
            changed=self._refresh,
            chat=target.name if isinstance(target, NamedChat) else "",
            twin=self._saved.name,
        )

    # ---- using it from code ---------------------------------------------------------------

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The talk as OpenAI dictionaries, the system prompt first."""
        return self.session.export()

    def ask(self, text: str) -> str:
        """Ask as if typed in the page, wait, and give the answer.

        With ``approve="ask"`` calls wait for the page, which needs a free kernel or
        JupyterLab's subshells.

        Raises
        ------
        OptionError
            If there is nothing to ask.
        """
        self._talk.asking.ask(text)
        return self._answer

    async def aask(self, text: str) -> str:
        """Ask in an awaited cell: the page is heard meanwhile in every front end; as ``ask``.

        An interrupt stops the answer and gives what there is.
        """
        asking = asyncio.ensure_future(asyncio.to_thread(self._talk.asking.ask, text))
        try:
            while not asking.done():
                # An interrupt of an idle await arrives only at the next loop event.
                await asyncio.wait({asking}, timeout=HEARTBEAT_S)
        except (asyncio.CancelledError, KeyboardInterrupt):
            forget_cancellation()
            self.stop()
        await asking
        return self._answer

    @property
    def _answer(self) -> str:
        last = self.session.messages[-1] if self.session.messages else {}
        return str(last.get("content") or "") if last.get("role") == "assistant" else ""

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: it can be shown no more."""
        return self.comm is None

    def update(self, *, approve: Any = None) -> None:
        """Show what was changed in the session by other code, such as its tools or its model.

        Parameters
        ----------
        approve : who allows calls from now on; None leaves that as it is.
        """
        self._talk.update(approve=approve)

    def stop(self) -> None:
        """Stop the answer that is being written; what there is stays."""
        self._talk.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing goes on; False if that takes longer than ``timeout`` seconds."""
        return self._talk.wait(timeout)

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the talk to a file; ``.md``, ``.html``, ``.json``, ``.py`` and ``.ipynb`` are known.

        Raises
        ------
        OptionError
            If the name ends otherwise.
        """
        return write_talk(self._talk.view(), path)

    def close(self) -> None:
        """Stop, and take every view off the page; the session stays."""
        self._talk.close()
        super().close()

    # ---- showing --------------------------------------------------------------------------

    def hear(self, message: object) -> None:
        """Take a message of the page."""
        self._talk.receive(message)

    def _ipython_display_(self) -> None:
        """Show the copy that stays in a saved notebook, and the living widget in its place."""
        shell: Any = get_ipython()
        self._saved.show(shell.display_pub)
        if _has_page(shell):
            self.show(shell.display_pub)

    def __repr__(self) -> str:
        return chat_text(self._talk.view())

    def _copied(self) -> _TalkCopy:
        return _TalkCopy.of(self._talk.view())

    def _refresh(self) -> None:
        self._saved.refresh(is_last=True)


@dataclass(frozen=True, slots=True)
class _TalkCopy:
    """A talk as it was at one moment, drawn."""

    html: str
    markdown: str
    text: str

    @classmethod
    def of(cls, talk: TalkView) -> Self:
        return cls(chat_html(talk), chat_markdown(talk), chat_text(talk))

    def _repr_html_(self) -> str:
        return self.html

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.text


def _session_of(target: Any) -> Session:
    if isinstance(target, Session):
        return target
    if isinstance(target, NamedChat):
        return target.session
    if target is None:
        return Session(manager().default)
    return Session(target if isinstance(target, Model) else manager().load(target))


def _settings(approve: Any, session: Session, *, probabilities: bool) -> ChatSettings:
    settings = ChatSettings(approve=checked_approve(approve), probabilities=probabilities)
    settings.look_at(session.model)
    return settings


def _variables() -> Mapping[str, Any]:
    shell = get_ipython()
    return {} if shell is None else shell.user_ns


def _has_page(shell: Any) -> bool:
    """Whether there is a page: a terminal, a captured cell and a silent run have none."""
    if not hasattr(shell, "kernel") or not read_environment().stream:
        return False
    return not isinstance(shell.display_pub, CapturingDisplayPublisher)
