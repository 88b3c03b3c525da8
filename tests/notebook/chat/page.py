"""A page without a browser: it keeps what the chat's page would show, by the same rules."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from llamanb.notebook.chat.settings import ChatSettings
from llamanb.notebook.chat.talk import ChatTalk
from tests.conversation.fakes import INFO, ScriptedModel

if TYPE_CHECKING:
    from llamanb.conversation import Session
    from llamanb.engine.values import ModelInfo

__all__ = ["WAIT_S", "Page", "PageModel", "apply", "open_page", "size_of"]

WAIT_S = 10.0


class _Header:
    quantization = "F16"


class PageModel(ScriptedModel):
    """A scripted model with what the page shows of models."""

    name, is_toy, state, n_ctx, can_write = "scripted", True, "idle", 4096, True
    header = _Header()
    info: ModelInfo = INFO

    def perf(self) -> dict[str, Any]:
        return {"tokens_per_s": 50.0, "n_ctx": self.n_ctx}

    def chat_build(self, messages: Any) -> Any:
        class Built:
            thinking_start = ""

        return Built()


class Page:
    """One view: says hello, follows the numbers, applies what comes.

    Attributes
    ----------
    turns : what is on the page, by turn; ``order`` gives their ids from the top.
    heard : every message, as JSON would carry it.
    """

    def __init__(self, name: str = "page") -> None:
        self.name = name
        self.heard: list[dict[str, Any]] = []
        self.turns: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.settings: dict[str, Any] = {}
        self.notices: list[str] = []
        self.answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.n_hellos = 0
        self.talk: ChatTalk | None = None
        self._seq = -1
        self._changed = threading.Condition()

    # ---- as the page ------------------------------------------------------------------

    def open(self, talk: ChatTalk) -> None:
        self.talk = talk
        self.say("hello")

    def say(self, kind: str, **more: Any) -> None:
        assert self.talk is not None
        self.n_hellos += kind == "hello"
        self.talk.receive({"v": 1, "view": self.name, "k": kind, **more})

    def hear(self, message: dict[str, Any]) -> None:
        message = json.loads(json.dumps(message))
        with self._changed:
            self.heard.append(message)
            self._take(message)
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["k"], message["d"]
        if "view" in message:
            if message["view"] == self.name:
                self._answered(kind, content, message["seq"])
            return
        if self._seq < 0:
            return
        assert message["seq"] == self._seq + 1, "a message was lost"
        self._seq += 1
        getattr(self, f"_on_{kind}")(content)

    def _answered(self, kind: str, content: dict[str, Any], seq: int) -> None:
        if kind == "state":
            self._seq = seq
            self._on_state(content)
        else:
            self.answers[kind].append(content)

    def _on_state(self, content: dict[str, Any]) -> None:
        self.settings = content["settings"]
        self.turns = {turn["id"]: turn for turn in content["turns"]}
        self.order = [turn["id"] for turn in content["turns"]]

    def _on_settings(self, content: dict[str, Any]) -> None:
        self.settings = content

    def _on_notice(self, content: dict[str, Any]) -> None:
        self.notices.append(content["text"])

    def _on_begin(self, content: dict[str, Any]) -> None:
        after = content["after"]
        self.order = self.order[: self.order.index(after) + 1] if after else []
        self.order.append(content["turn"]["id"])
        self.turns[content["turn"]["id"]] = content["turn"]

    def _on_delta(self, content: dict[str, Any]) -> None:
        parts = self.turns[content["turn"]]["parts"]
        for op in content["ops"]:
            apply(parts, op)

    def _on_done(self, content: dict[str, Any]) -> None:
        turn = content["turn"]
        known = self.turns[turn["id"]]["parts"]
        assert [size_of(part) for part in known] == content["sizes"]
        self.turns[turn["id"]] = {**turn, "parts": known}

    # ---- as the test ------------------------------------------------------------------

    def wait_for(self, what: Any) -> Any:
        """Wait until ``what(page)`` is true, and give it."""
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), WAIT_S), self.heard[-3:]
            return what(self)

    def wait_for_end(self) -> None:
        """Wait until nothing goes on."""
        assert self.talk is not None
        assert self.talk.wait(WAIT_S)

    def last(self) -> dict[str, Any]:
        return self.turns[self.order[-1]]

    def calls(self) -> list[dict[str, Any]]:
        return [
            part
            for identity in self.order
            for part in self.turns[identity]["parts"]
            if part["kind"] == "call"
        ]

    def asked(self) -> dict[str, Any] | None:
        """Give the call that waits for an answer."""
        return next((call for call in self.calls() if call["state"] == "asking"), None)

    def html(self, identity: str = "") -> list[str]:
        """Give the HTML of the texts of a turn, the last one by default."""
        turn = self.turns[identity] if identity else self.last()
        return [
            "".join(part["html"]) + part["open"] for part in turn["parts"] if part["kind"] != "call"
        ]

    def questions(self) -> list[str]:
        return [self.turns[identity]["question"]["text"] for identity in self.order]


def apply(parts: list[dict[str, Any]], op: dict[str, Any]) -> None:
    """Change the parts of a turn as an operation says."""
    place = op["p"]
    if "new" in op:
        assert place == len(parts)
        parts.append(op["new"])
        return
    part = parts[place]
    if "tail" in op:
        _grow(part, op)
    part["arguments"] = part.get("arguments", "") + op.get("args", "")
    part.update(op.get("call", {}))
    part.update(op.get("thought", {}))


def _grow(part: dict[str, Any], op: dict[str, Any]) -> None:
    if op.get("anew"):
        part["html"], part["open"] = [], ""
    kept = part["open"].encode("utf-16-le")[: 2 * op["keep"]].decode("utf-16-le")
    if op["html"]:
        part["html"] += [kept + op["html"][0], *op["html"][1:]]
        kept = ""
    part["open"] = kept + op["tail"]


def size_of(part: dict[str, Any]) -> int:
    """How many UTF-16 code units of HTML a part has."""
    if part["kind"] == "call":
        return 0
    return len(("".join(part["html"]) + part["open"]).encode("utf-16-le")) // 2


def open_page(session: Session, **options: Any) -> tuple[Page, ChatTalk]:
    """Give a page and the kernel's side of it."""
    page = Page()
    pages = options.pop("pages", [page])
    settings = options.pop("settings", None) or ChatSettings()

    def send(message: dict[str, Any]) -> None:
        for one in pages:
            one.hear(message)

    talk = ChatTalk(
        session,
        send=send,
        settings=settings,
        variables=lambda: options.get("variables", {}),
        changed=options.get("changed", lambda: None),
    )
    page.open(talk)
    return page, talk
