"""What a server's panel and the page say to each other, with a log but without HTTP."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from llamanb.notebook import server_feed
from llamanb.notebook.server_talk import ServerTalk
from llamanb.servers.request_log import LogEntry, RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.servers import Server

WAIT_S = 10.0


class QuietModel:
    """A model that answers nothing."""

    def perf(self) -> dict[str, Any]:
        return {"tokens_per_s": 0.0}


class LoggingServer:
    """As much of a server as a panel looks at, with the real log."""

    url, port, apis, models = "http://127.0.0.1:1", 1, ("openai", "anthropic"), ["demo"]
    api_key: str | None = None
    model = QuietModel()

    def __init__(self) -> None:
        self.requests_log = RequestLog()
        self.status, self.queue = "running", (0, 0)
        self.stopped = threading.Event()

    @property
    def requests(self) -> dict[str, int]:
        return {"requests": self.requests_log.totals.requests}

    def log(self, n: int = 50) -> list[LogEntry]:
        return self.requests_log.entries(n)

    def subscribe(self, watcher: Callable[[LogEntry], None]) -> Callable[[], None]:
        return self.requests_log.subscribe(watcher)

    def stop(self) -> None:
        self.status = "stopped"
        self.stopped.set()

    def ask(self, path: str = "/v1/chat/completions") -> LogEntry:
        """Begin a request."""
        return self.requests_log.open("POST", path, "127.0.0.1:5", "curl/8.5.0 (x)")


class Page:
    """The messages that arrived at the page, with the moments when they came."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.times_s: list[float] = []
        self._arrived = threading.Condition()

    def send(self, message: dict[str, Any]) -> None:
        with self._arrived:
            self.messages.append(message)
            self.times_s.append(time.monotonic())
            self._arrived.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message; gives it."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: any(map(wanted, self.messages)), WAIT_S)
            assert found, self.messages
        return next(message for message in self.messages if wanted(message))


@pytest.fixture
def server() -> LoggingServer:
    """Give a server without requests."""
    return LoggingServer()


@pytest.fixture
def page() -> Page:
    """Give a page that has seen nothing."""
    return Page()


@pytest.fixture
def looks() -> threading.Semaphore:
    """Give what counts how often the feed has looked at the server."""
    return threading.Semaphore(0)


@pytest.fixture
def talk(server: LoggingServer, page: Page, looks: threading.Semaphore) -> Iterator[ServerTalk]:
    """Give the talk between both."""
    talk = ServerTalk(
        cast("Server", server),
        send=page.send,
        snippets=lambda: {"curl": f"curl {server.url}"},
        looked=lambda _: looks.release(),
    )
    yield talk
    talk.close()


def hello(talk: ServerTalk, view: str = "a") -> None:
    talk.receive({"v": 1, "k": "hello", "view": view})


def has_row(number: int, state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: any(
        row["number"] == number and row["state"] == state for row in message["d"]["rows"]
    )


def test_a_hello_is_answered_with_everything(
    talk: ServerTalk, server: LoggingServer, page: Page
) -> None:
    server.requests_log.close(server.ask("/v1/models"))
    server.ask()
    hello(talk)
    message = page.messages[0]
    assert (message["k"], message["view"], message["seq"]) == ("state", "a", 0)
    assert [row["path"] for row in message["d"]["rows"]] == ["/v1/chat/completions", "/v1/models"]
    assert message["d"]["snippets"] == {"curl": "curl http://127.0.0.1:1"}
    facts = message["d"]["facts"]
    assert (facts["status"], facts["requests"], facts["has_key"]) == ("running", 1, False)
    assert facts["apis"] == ["OpenAI", "Anthropic"]


def test_a_request_appears_and_ends(talk: ServerTalk, server: LoggingServer, page: Page) -> None:
    hello(talk)
    entry = server.ask()
    begun = page.wait_for(has_row(1, "running"))
    entry.status, entry.first_token_s, entry.completion_tokens = 200, 0.25, 12
    server.requests_log.close(entry)
    row = page.wait_for(has_row(1, "done"))["d"]["rows"][0]
    assert begun["seq"] == 1
    assert (row["client"], row["agent"]) == ("curl/8.5.0", "curl/8.5.0 (x)")
    assert (row["first_ms"], row["generated"], row["status"]) == (250, 12, 200)
    assert row["total_ms"] >= 0


def test_many_changes_go_out_at_most_four_times_a_second(
    talk: ServerTalk, server: LoggingServer, page: Page
) -> None:
    hello(talk)
    begun_s = time.monotonic()
    numbers = iter(range(1_000_000))
    while time.monotonic() - begun_s < 1.2:
        entry = server.ask(f"/{next(numbers)}")
        entry.status = 200
        server.requests_log.close(entry)
    last = server.requests_log.totals.requests
    page.wait_for(has_row(last, "done"))
    gaps = [b - a for a, b in zip(page.times_s[1:], page.times_s[2:], strict=False)]
    assert min(gaps) > 0.24
    assert [message["seq"] for message in page.messages] == list(range(len(page.messages)))
    assert max(len(message["d"]["rows"]) for message in page.messages) <= 200


def test_nothing_is_sent_while_nothing_changes(
    talk: ServerTalk, page: Page, looks: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_feed, "LOOK_S", 0.01)
    hello(talk)
    for _ in range(4):
        assert looks.acquire(timeout=WAIT_S)
    assert [message["k"] for message in page.messages] == ["state"]


def test_the_queue_is_looked_at(talk: ServerTalk, server: LoggingServer, page: Page) -> None:
    hello(talk)
    server.queue = (2, 3)
    facts = page.wait_for(lambda message: message["d"]["facts"]["waiting"] == 3)["d"]["facts"]
    assert facts["running"] == 2


def test_nothing_runs_without_a_view(talk: ServerTalk, server: LoggingServer, page: Page) -> None:
    watching = [talk.is_watching]
    for view in ("a", "b"):
        hello(talk, view)
    for view in ("a", "b"):
        talk.receive({"v": 1, "k": "bye", "view": view})
        watching.append(talk.is_watching)
    assert watching == [False, True, False]
    server.ask()
    hello(talk, "c")
    assert page.messages[-1]["d"]["rows"][0]["number"] == 1
    talk.close()
    for thread in [one for one in threading.enumerate() if one.name == "llamanb-panel-1"]:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert server.requests_log._watchers == []


def test_a_page_that_never_says_bye_takes_no_room(talk: ServerTalk) -> None:
    for number in range(200):
        hello(talk, f"view {number}")
    talk.receive({"v": 1, "k": "bye", "view": "view 0"})
    assert len(talk.post._views) == 32


def test_stop_ends_the_server_and_is_shown(
    talk: ServerTalk, server: LoggingServer, page: Page
) -> None:
    hello(talk)
    talk.receive({"v": 1, "k": "stop"})
    assert server.stopped.wait(WAIT_S)
    page.wait_for(lambda message: message["d"]["facts"]["status"] == "stopped")
    hello(talk, "later")
    assert page.messages[-1]["d"]["facts"]["status"] == "stopped"
    assert not talk.is_watching


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"k": "hello", "view": "a"}, id="no version"),
        pytest.param({"v": 2, "k": "stop"}, id="another version"),
        pytest.param({"v": 1, "k": "hello", "view": 3}, id="a number"),
        pytest.param({"v": 1, "k": "hello", "view": "x" * 81}, id="a long name"),
        pytest.param({"v": 1, "k": "run", "code": "1"}, id="unknown"),
    ],
)
def test_other_messages_do_nothing(
    talk: ServerTalk, server: LoggingServer, page: Page, message: object
) -> None:
    talk.receive(message)
    assert (page.messages, server.status, talk.is_watching) == ([], "running", False)


def test_texts_of_clients_are_cleaned_and_cut(
    talk: ServerTalk, server: LoggingServer, page: Page
) -> None:
    agent = "evil\u202e\x1b[31m " + "x" * 5000
    server.requests_log.open("POST", "/" + "y" * 5000, "127.0.0.1", agent)
    hello(talk)
    row = page.messages[0]["d"]["rows"][0]
    assert row["client"] == "evil"
    assert max(len(row["agent"]), len(row["path"])) == 200
    assert "\u202e" not in row["agent"]
