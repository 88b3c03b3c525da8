"""What the panel of models and the page say to each other, with a model but without a kernel."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import llamanb
from llamanb.models.kernel import manager
from llamanb.notebook import models_talk, saved_copy
from llamanb.notebook.models_facts import kernel_facts
from llamanb.notebook.models_talk import ModelsTalk
from llamanb.notebook.saved_copy import SavedCopy
from llamanb.notebook.state import NotebookState
from llamanb.notebook.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.models import Model

WAIT_S = 10.0
NAME = "panel <b>model</b>"


class Page:
    """The messages that arrived at the page."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._arrived = threading.Condition()

    def send(self, message: dict[str, Any]) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message; gives it."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: any(map(wanted, self.messages)), WAIT_S)
            assert found, self.messages
        return next(message for message in self.messages if wanted(message))

    def notice(self) -> dict[str, Any]:
        """Wait for what a button is answered with."""
        said: dict[str, Any] = self.wait_for(lambda message: message["k"] == "notice")["d"]
        return said


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """Give the demo model under a hostile name."""
    model = llamanb.load("demo", name=NAME, n_ctx=512, n_seq_max=2, n_threads=1, progress=False)
    yield model
    model.close()


@pytest.fixture
def page() -> Page:
    """Give a page that has seen nothing."""
    return Page()


@pytest.fixture
def looks() -> threading.Semaphore:
    """Give what counts how often the feed has looked."""
    return threading.Semaphore(0)


@pytest.fixture
def talk(
    model: Model, page: Page, looks: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelsTalk]:
    """Give the talk of a page that looks often."""
    monkeypatch.setattr(models_talk, "INTERVAL_S", 0.01)
    monkeypatch.setattr(models_talk, "REST_S", 0.01)
    assert model.state == "idle"
    talk = ModelsTalk(NotebookState(), send=page.send, looked=looks.release)
    yield talk
    talk.close()


def say(talk: ModelsTalk, kind: str, **more: Any) -> None:
    talk.receive({"v": 1, "k": kind, "view": "a", **more})


def keys_of(facts: dict[str, Any]) -> list[str]:
    return [row["key"] for row in facts["models"]]


def row_of(facts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in facts["models"] if row["key"] == NAME)
    return found


def test_a_hello_is_answered_with_everything(talk: ModelsTalk, page: Page) -> None:
    say(talk, "hello")
    message = page.messages[0]
    assert (message["k"], message["view"], message["seq"]) == ("state", "a", 0)
    row = row_of(message["d"])
    assert (row["state"], row["n_ctx"], len(row["used"])) == ("idle", 512, 2)
    assert row["file"].endswith(".gguf")
    assert row["quantization"]
    assert row["memory"].endswith("MiB")


def test_figures_come_only_when_something_changes(
    talk: ModelsTalk, page: Page, looks: threading.Semaphore, model: Model
) -> None:
    say(talk, "hello")
    for _ in range(5):
        assert looks.acquire(timeout=WAIT_S)
    assert [message["k"] for message in page.messages] == ["state"]
    n_tokens = (
        len(model.tokenize("The sky is"))
        + model.generate("The sky is", max_tokens=4).usage.completion_tokens
    )
    changed = page.wait_for(
        lambda message: message["k"] == "figures" and row_of(message["d"])["state"] == "idle"
    )
    assert 0 < max(row_of(changed["d"])["used"]) <= n_tokens + 1
    numbers = [message["seq"] for message in page.messages]
    assert numbers == list(range(len(numbers)))


def test_a_busy_model_is_shown_and_not_unloaded(talk: ModelsTalk, page: Page, model: Model) -> None:
    with model.lease():
        say(talk, "hello")
        assert row_of(page.messages[0]["d"])["state"] == "busy"
        say(talk, "unload", name=NAME)
        said = page.notice()
    assert said["is_error"]
    assert "is answering 1 request(s)" in said["text"]
    assert model.state == "idle"


def test_pin_and_unpin(talk: ModelsTalk, page: Page) -> None:
    say(talk, "hello")
    say(talk, "pin", name=NAME)
    page.wait_for(lambda m: m["k"] == "figures" and row_of(m["d"])["is_pinned"])
    say(talk, "unpin", name=NAME)
    page.wait_for(lambda m: m["k"] == "figures" and not row_of(m["d"])["is_pinned"])
    notices = [m for m in page.messages if m["k"] == "notice"]
    assert [m["d"]["is_error"] for m in notices] == [False] * len(notices)


def test_unload_takes_it_away(talk: ModelsTalk, page: Page, model: Model) -> None:
    other = llamanb.load("demo", name="short-lived", n_ctx=256, n_threads=1, progress=False)
    talk._state.defaults["model"] = other.name
    say(talk, "hello")
    say(talk, "unload", name=other.name)
    assert page.notice() == {"text": "short-lived is unloaded.", "is_error": False}
    page.wait_for(lambda m: m["k"] == "figures" and "short-lived" not in keys_of(m["d"]))
    assert (other.state, talk._state.defaults) == ("closed", {})
    assert model.state == "idle"


def test_an_evicted_model_stays_in_the_list(talk: ModelsTalk, page: Page, model: Model) -> None:
    say(talk, "hello")
    assert manager().evict(model)
    row = row_of(
        page.wait_for(
            lambda m: m["k"] == "figures" and row_of(m["d"])["state"] == "evicted",
        )["d"]
    )
    assert (row["memory"], row["n_ctx"], row["used"]) == ("", 0, [])
    llamanb.load("demo", name=NAME, n_ctx=512, n_seq_max=2, n_threads=1, progress=False)


def test_nothing_runs_without_a_view(talk: ModelsTalk, page: Page) -> None:
    say(talk, "hello")
    watching = [talk.is_watching]
    say(talk, "bye")
    assert [*watching, talk.is_watching] == [True, False]
    for thread in [one for one in threading.enumerate() if one.name == "llamanb-panel"]:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    n_messages = len(page.messages)
    say(talk, "hello")
    assert page.messages[n_messages]["k"] == "state"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"v": 1, "k": "unload", "name": NAME}, id="no view"),
        pytest.param({"v": 1, "k": "unload", "view": "a", "name": 3}, id="no name"),
        pytest.param({"v": 2, "k": "unload", "view": "a", "name": NAME}, id="another version"),
        pytest.param({"v": 1, "k": "run", "view": "a", "code": "1"}, id="unknown"),
    ],
)
def test_other_messages_do_nothing(
    talk: ModelsTalk, page: Page, model: Model, message: object
) -> None:
    talk.receive(message)
    assert (page.messages, model.state) == ([], "idle")


def test_an_unknown_name_is_told(talk: ModelsTalk, page: Page) -> None:
    say(talk, "hello")
    say(talk, "pin", name="nope")
    assert page.notice()["is_error"]


def test_what_else_runs_is_named(model: Model) -> None:
    state = NotebookState(defaults={"temperature": 0.5, "system": "evil\u202e\x1b[31m" + "x" * 999})
    others = {one["title"]: one["texts"] for one in kernel_facts(state)["others"]}
    assert others["Settings"][1] == "temperature=0.5"
    assert len(others["Settings"][0]) == 200
    assert "Chats" not in others
    assert model.name == NAME


class Publisher:
    """Keeps what was published."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, bundle: dict[str, str], metadata: object, **more: Any) -> None:
        assert metadata == {}
        self.published.append({"bundle": bundle, **more})


def test_the_copy_is_replaced_when_it_shows_something_else(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_copy, "REFRESH_S", 0.0)
    publisher, state = Publisher(), NotebookState()
    copy = SavedCopy(lambda: Status.of(state))
    copy.refresh()
    copy.show(publisher)
    copy.refresh()
    state.defaults["seed"] = 7
    copy.refresh()
    shown, changed = publisher.published
    assert [shown["update"], changed["update"]] == [False, True]
    assert shown["transient"] == changed["transient"] == {"display_id": copy.name}
    assert "seed" in changed["bundle"]["text/plain"]
    assert f'class="{copy.name}"' in changed["bundle"]["text/html"]
    assert f"<b>{model.name}" not in changed["bundle"]["text/html"]
    assert "panel &lt;b&gt;model" in changed["bundle"]["text/html"]


def test_the_copy_is_replaced_every_few_seconds_or_at_the_end() -> None:
    publisher, values = Publisher(), iter("abc")
    copy = SavedCopy(lambda: next(values))
    copy._bundle = lambda seen: {"text/plain": seen}  # type: ignore[method-assign]  # letters have no HTML
    copy.show(publisher)
    copy.refresh()
    copy.refresh(is_last=True)
    assert [one["bundle"]["text/plain"] for one in publisher.published] == ["a", "b"]


def test_rows_that_differ_in_idle_time_only_are_equal(model: Model) -> None:
    row = next(row for row in llamanb.ps() if row.name == model.name)
    assert replace(row, idle_s=row.idle_s + 5) == row
