"""What the chat's page and the kernel say to each other, and what is done about it.

Messages of the page are ``{v, k, view, …}``. Stop, approvals and settings act at once, in the
thread that takes messages; everything that may take long has a thread of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools import ToolDecision
from llamanb.conversation.tools.approval import checked_approve
from llamanb.errors import LlamanbError, OptionError
from llamanb.notebook.chat.approval import PageApproval
from llamanb.notebook.chat.asking import Asking, check_object
from llamanb.notebook.chat.attachments import list_variables
from llamanb.notebook.chat.export import export_talk, talk_cells
from llamanb.notebook.chat.looking import look
from llamanb.notebook.chat.model_switch import follow_reload, switch_model
from llamanb.notebook.chat.parts import TalkView
from llamanb.notebook.chat.post import VERSION, Post
from llamanb.notebook.chat.settings import ChatSettings, settings_row
from llamanb.notebook.chat.turns import TurnDesk
from llamanb.notebook.clean_text import encodable
from llamanb.notebook.messages import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.conversation import Session
    from llamanb.notebook.chat.tree import Turn

__all__ = ["ChatTalk"]

Message = dict[str, Any]
_NONSENSE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)


class ChatTalk:
    """The kernel's side of a chat widget; usable from any thread.

    Parameters
    ----------
    session : the talk.
    send : sends one message to all views.
    settings : what was set when the widget was made.
    variables : gives the notebook's variables.
    changed : called when a turn is over, for the copy in the saved notebook.
    chat, twin : the named chat's name, and the class of the saved copy.
    """

    def __init__(
        self,
        session: Session,
        *,
        send: Callable[[Message], None],
        settings: ChatSettings,
        variables: Callable[[], Mapping[str, Any]],
        changed: Callable[[], None],
        chat: str = "",
        twin: str = "",
    ) -> None:
        self.session, self.settings = session, settings
        self.post = Post(send)
        self.desk = TurnDesk(session, self.post, self._talk_changed)
        self._variables, self._saved = variables, changed
        self._names = {"chat": chat, "twin": twin}
        self._approval = PageApproval(self._note_question)
        self._model = session.model
        self.asking = Asking(self.desk, self._options, variables)
        self._threads: set[threading.Thread] = set()
        self._jobs: dict[str, Callable[[Message], None]] = {
            "send": self._send,
            "regenerate": self._regenerate,
            "edit": self._edit,
            "continue": self._continue,
            "rerun": self._rerun,
            "choose": self._choose,
            "branch": self._branch,
            "clear": self._clear,
            "inspect": self._inspect,
            "export": self._export,
            "variables": self._list_variables,
        }

    # ---- messages of the page -------------------------------------------------------------

    def receive(self, message: object) -> None:
        """Take a message of the page; what is none of ours is left alone."""
        if not isinstance(message, dict) or message.get("v") != VERSION:
            return
        view = message.get("view")
        if not isinstance(view, str):
            return
        match message.get("k"):
            case "hello":
                self._greet(view)
            case "bye":
                self.post.leave(view)
            case "stop":
                self.stop()
            case "approve":
                self._guarded(self._approve, message)
            case "set":
                self._guarded(self._set, message)
            case str(kind) if kind in self._jobs:
                self.start(self._jobs[kind], message)

    def start(self, job: Callable[..., object], *arguments: Any) -> None:
        """Do something in a thread of its own; what goes wrong is told to the page."""
        thread = threading.Thread(
            target=self._guarded, args=(job, *arguments), name="llamanb-chat", daemon=True
        )
        self._threads = {one for one in self._threads if one.is_alive()} | {thread}
        thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything that was begun is over; False if it takes longer."""
        for thread in tuple(self._threads):
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def update(self, *, approve: Any = None) -> None:
        """Show what other code has changed in the session; None keeps who allows calls."""
        if approve is not None:
            self.settings.approve = checked_approve(approve)
            self._approval.ask_always()
        self._model = self.session.model
        self.settings.look_at(self._model)
        self._tell_settings()

    def stop(self) -> None:
        """Stop the turn that goes on; open questions are answered with no."""
        self.desk.stop()
        self._approval.deny_all()

    def close(self) -> None:
        """Stop, and follow the session no more."""
        self.desk.close()
        self._approval.deny_all()
        self.post.clear()

    def _guarded(self, job: Callable[..., object], *arguments: Any) -> None:
        try:
            job(*arguments)
        except LlamanbError as error:
            self.notice(one_line(error), is_error=True)
        except _NONSENSE as error:
            self.notice(f"this message makes no sense: {one_line(error)[:200]}", is_error=True)

    def notice(self, text: str, *, is_error: bool = False) -> None:
        """Show a line in the page."""
        self.post.tell("notice", {"text": encodable(text), "is_error": is_error})

    # ---- state ------------------------------------------------------------------------------

    def state(self) -> Message:
        """Give everything there is to show."""
        running = self.desk.running
        return {
            "settings": self._settings_row(),
            "turns": [turn.live.row(**self.desk.place(turn)) for turn in self.desk.tree.path],
            "busy": running.id if running else "",
            "notice": "",
        }

    def view(self) -> TalkView:
        """Give the talk as a plain value, for the saved copy and for exports."""
        model: Any = self.session.model
        return TalkView(
            model=model.name,
            is_toy=model.is_toy,
            system_prompt=self.session.system_prompt or "",
            sampling=dict(self.settings.sampling),
            turns=tuple(turn.live.view() for turn in self.desk.tree.path),
            messages=self.session.export(),
        )

    def _settings_row(self) -> Message:
        return settings_row(self.settings, self.session, self.desk.used, **self._names)

    def _greet(self, view: str) -> None:
        with self.post.lock:
            running = self.desk.running
            if running is not None and self.post.has_views:
                ops = running.live.take()
                self.post.tell("delta", {"turn": running.id, "ops": ops, "stat": {}})
            elif running is not None:
                running.live.take()
            self.post.enter(view)
            self.post.answer(view, "state", self.state())

    def _talk_changed(self, is_path: bool) -> None:  # noqa: FBT001  # a callback
        self._approval.deny_all()  # whoever is still asked about a call is asked in vain
        if self.session.model is not self._model:
            self._model = self.session.model
            self.settings.look_at(self._model)
        with self.post.lock:
            if is_path:
                self.post.tell("state", self.state())
            else:
                self._tell_settings()
        self._saved()

    def _tell_settings(self) -> None:
        self.post.tell("settings", self._settings_row())

    # ---- turns ------------------------------------------------------------------------------

    def _options(self) -> dict[str, Any]:
        follow_reload(self.session)
        return self.settings.options(self._approval)

    def _turn(self, message: Message) -> Turn:
        turn = self.desk.tree.find(str(message["turn"]))
        if turn is None:
            raise OptionError("this turn is not there any more")
        return turn

    def _send(self, message: Message) -> None:
        self.asking.ask(message["text"], message.get("attachments") or ())

    def _regenerate(self, message: Message) -> None:
        self.asking.ask_again(self._turn(message))

    def _edit(self, message: Message) -> None:
        self.asking.ask_otherwise(self._turn(message), message["text"])

    def _continue(self, message: Message) -> None:
        turn = self._turn(message)
        self.asking.ask_from_token(turn, int(message["token"]), int(message["alternative"]))

    def _rerun(self, message: Message) -> None:
        turn = self._turn(message)
        self.asking.ask_from_call(turn, str(message["call"]), str(message["arguments"]))

    def _choose(self, message: Message) -> None:
        self.desk.show(self._turn({"turn": message["to"]}))

    def _branch(self, message: Message) -> None:
        self.desk.show(self._turn(message), is_end=True)

    def _clear(self, _: Message) -> None:
        self.desk.show(None)

    # ---- tools ------------------------------------------------------------------------------

    def _approve(self, message: Message) -> None:
        call_id, arguments = str(message["call"]), message.get("arguments")
        if message.get("allow") is True:
            if arguments is not None:
                check_object(arguments)
            decision = ToolDecision.allow(arguments)
        else:
            decision = ToolDecision.deny(str(message.get("reason") or "the user said no"))
        is_known = self._approval.answer(call_id, decision, always=message.get("always") is True)
        if is_known and not decision.is_allowed and (running := self.desk.running):
            running.live.mark_denied(call_id)

    def _note_question(self, call_id: str, is_asked: bool) -> bool:  # noqa: FBT001  # a callback
        running = self.desk.running
        return running is not None and running.live.mark_asked(call_id, is_asked=is_asked)

    # ---- settings ---------------------------------------------------------------------------

    def _set(self, message: Message) -> None:
        given = dict(message["settings"])
        name = given.pop("model", None)
        try:
            self.settings.change(given, self.session)
            if "approve" in given:
                self._approval.ask_always()
        finally:
            self._tell_settings()
        if name is not None and name != getattr(self.session.model, "name", ""):
            self.start(self._switch, str(name))

    def _switch(self, name: str) -> None:
        if name not in {row["name"] for row in self._settings_row()["models"]}:
            raise OptionError(f"there is no model {name!r} to choose")
        switch_model(name, self.session, self.settings, self._tell_settings)

    # ---- looking and taking away ------------------------------------------------------------

    def _inspect(self, message: Message) -> None:
        turn, what = self._turn(message), str(message["what"])
        stream = self.desk.streams.get(turn.id)
        if stream is None:
            raise OptionError("only the messages are known: asked elsewhere, or too long ago")
        model, tools = self.desk.models[turn.id], self.session.tools
        shown = look(what, stream, model, tools, str(message.get("call") or ""))
        self.post.answer(message["view"], "inspect", {"what": what, "turn": turn.id, **shown})

    def _export(self, message: Message) -> None:
        wanted = str(message["format"])
        if wanted == "cells":
            cells = [{"kind": one.kind, "source": one.source} for one in talk_cells(self.view())]
            self.post.answer(message["view"], "cells", {"cells": cells})
            return
        made = export_talk(self.view(), wanted)
        answer = {"name": made.name, "mime": made.mime, "text": encodable(made.text)}
        self.post.answer(message["view"], "file", answer)

    def _list_variables(self, message: Message) -> None:
        found = list_variables(self._variables())
        self.post.answer(message["view"], "variables", {"variables": found})
