"""A real IPython kernel, driven through jupyter_client as a front end would.

with Kernel(folder) as kernel:
    assert kernel.run("print(6 * 7)").stdout == "42\\n"
"""

from __future__ import annotations

import json
import os
import queue
import site
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

__all__ = ["Cell", "Kernel", "KernelTimeoutError", "isolated_environment"]

REPOSITORY = Path(__file__).parents[2]
READY_TIMEOUT_S = 60.0
CELL_TIMEOUT_S = 60.0
GUARD = """
from pathlib import Path
from tests.support import network_guard
network_guard.install(Path({log!r}))
"""


class KernelTimeoutError(AssertionError):
    """A cell did not do in time what the test waits for."""


@dataclass(slots=True)
class Cell:
    """One executed cell and what it has shown so far.

    Attributes
    ----------
    displays : MIME bundles in order; an updated display holds its newest data.
    n_updates : how many ``update_display_data`` messages came.
    idle_at : ``time.perf_counter()`` when the kernel reported idle, else None.
    """

    message_id: str
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    result: dict[str, Any] | None = None
    displays: list[dict[str, Any]] = field(default_factory=list)
    n_updates: int = 0
    idle_at: float | None = None
    _positions: dict[str, int] = field(default_factory=dict)

    @property
    def complaint(self) -> str:
        """What went wrong: the exception, or the one line of a usage error."""
        return self.error or self.stderr.strip()

    @property
    def text(self) -> str:
        """Everything readable that the cell shows, as plain text."""
        shown = [_readable(bundle) for bundle in self.displays]
        result = [_readable(self.result)] if self.result else []
        return "\n".join(part for part in [self.stdout, *shown, *result, self.stderr] if part)

    @property
    def html(self) -> str:
        """The HTML of all displays."""
        return "\n".join(str(bundle.get("text/html", "")) for bundle in self.displays)

    def take(self, message: dict[str, Any]) -> None:
        """Note one IOPub message of this cell."""
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                self.stdout += content["text"]
            case "stream":
                self.stderr += content["text"]
            case "error":
                self.error = f"{content['ename']}: {content['evalue']}"
            case "execute_result":
                self.result = content["data"]
            case "display_data" | "update_display_data" as kind:
                self._show(content, is_update=kind != "display_data")
            case "status" if content["execution_state"] == "idle":
                self.idle_at = time.perf_counter()

    def _show(self, content: dict[str, Any], *, is_update: bool) -> None:
        name = content.get("transient", {}).get("display_id")
        if is_update:
            self.n_updates += 1
            self.displays[self._positions[name]] = content["data"]
            return
        if name:
            self._positions[name] = len(self.displays)
        self.displays.append(content["data"])


def _readable(bundle: dict[str, Any]) -> str:
    for kind in ("text/markdown", "text/plain", "text/html"):
        if bundle.get(kind):
            return str(bundle[kind])
    return ""


def isolated_environment(folder: Path) -> dict[str, str]:
    """Give environment variables under which Jupyter writes only below ``folder``."""
    places = {"HOME": "home", "IPYTHONDIR": "ipython"}
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        places[f"JUPYTER_{name}"] = name.lower()
    for name in ("SETTINGS_DIR", "WORKSPACES_DIR"):
        places[f"JUPYTERLAB_{name}"] = name.lower()
    chosen = {name: folder / place for name, place in places.items()}
    for path in chosen.values():
        path.mkdir(parents=True, exist_ok=True)
    # packages of `pip install --user` lie below the real home
    kept = {"PYTHONUSERBASE": site.getuserbase(), "PYTHONPATH": str(REPOSITORY)}
    return dict(os.environ) | {name: str(path) for name, path in chosen.items()} | kept


class Kernel:
    """One kernel process: start (``with``), run cells, interrupt, restart, close."""

    def __init__(self, folder: Path, extra_environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = isolated_environment(folder) | (extra_environment or {})
        self._guard_log = folder / "outside-connections.txt"
        self._log_path = folder / "kernel.log"
        self._manager = KernelManager(
            kernel_name="python3", connection_file=str(folder / "kernel-connection.json")
        )
        self._client: BlockingKernelClient | None = None
        self._open = ExitStack()
        self._cells: dict[str, Cell] = {}

    def __enter__(self) -> Self:
        # open until the end: a restart launches the next process with it
        log = self._open.enter_context(self._log_path.open("ab"))
        self._manager.start_kernel(
            env=self._environment, cwd=str(self._folder), stdout=log, stderr=log
        )
        self._open.callback(self._shut_down)
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._guard_log.exists():
            raise AssertionError(f"the kernel tried to connect to {self._guard_log.read_text()}")

    @property
    def log(self) -> str:
        """What the kernel process itself has printed (not its cells)."""
        return self._log_path.read_text("utf-8", errors="replace")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return bool(self._manager.is_alive())

    @property
    def process_id(self) -> int:
        """The kernel's process id."""
        return int(self._manager.provisioner.pid)  # type: ignore[union-attr]  # local kernels have one

    @property
    def client(self) -> BlockingKernelClient:
        """The jupyter_client client, for completion and inspection requests."""
        assert self._client is not None, "the kernel is not running"
        return self._client

    def run(self, code: str, timeout_s: float = CELL_TIMEOUT_S, cell_id: str = "") -> Cell:
        """Run a cell to its end."""
        return self.finish(self.start(code, cell_id), timeout_s)

    def evaluate(self, expression: str) -> Any:
        """Give the value of a Python expression in the kernel, through JSON."""
        cell = self.run(f"import json as _json; print(_json.dumps({expression}))")
        assert cell.error is None, cell.error
        return json.loads(cell.stdout)

    def start(self, code: str, cell_id: str = "", *, has_stdin: bool = False) -> Cell:
        """Send a cell and return at once; ``cell_id`` tells re-runs from new cells.

        With ``has_stdin`` it may ask for input (see ``question``).
        """
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": False}
        content |= {"user_expressions": {}, "allow_stdin": has_stdin}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        cell = Cell(message["header"]["msg_id"])
        self._cells[cell.message_id] = cell
        return cell

    def question(self, timeout_s: float = CELL_TIMEOUT_S) -> str:
        """Wait until a cell asks for input; give the text beside the input box."""
        message = self.client.get_stdin_msg(timeout=timeout_s)
        return str(message["content"]["prompt"])

    def answer(self, text: str) -> None:
        """Type ``text`` into the input box, and Enter."""
        self.client.input(text)

    def finish(self, cell: Cell, timeout_s: float = CELL_TIMEOUT_S) -> Cell:
        """Wait until the kernel is idle again after ``cell``."""
        return self.wait(cell, lambda seen: seen.idle_at is not None, timeout_s)

    def wait(
        self, cell: Cell, until: Callable[[Cell], bool], timeout_s: float = CELL_TIMEOUT_S
    ) -> Cell:
        """Read messages until ``until(cell)`` holds.

        Raises
        ------
        KernelTimeoutError
            If it does not hold within ``timeout_s`` seconds, or the kernel died.
        """
        deadline = time.perf_counter() + timeout_s
        while not until(cell):
            left = deadline - time.perf_counter()
            if left <= 0 or not self._receive(min(left, 1.0)):
                self._check_alive(cell, left)
        return cell

    def watch(self, cell: Cell, seconds: float) -> Cell:
        """Read the messages of the next ``seconds``, or until ``cell`` is over."""
        ends_at = time.perf_counter() + seconds
        while cell.idle_at is None and (left := ends_at - time.perf_counter()) > 0:
            self._receive(left)
        return cell

    def interrupt(self) -> None:
        """Interrupt the kernel, as the notebook's Stop button does."""
        self._manager.interrupt_kernel()

    def seconds_to_idle(self, cell: Cell) -> float:
        """Interrupt the kernel and give the seconds until ``cell`` is over."""
        sent_at = time.perf_counter()
        self.interrupt()
        idle_at = self.finish(cell).idle_at
        assert idle_at is not None
        return idle_at - sent_at

    def restart(self) -> None:
        """Restart the process at once, as Kernel → Restart does."""
        self._disconnect()
        self._manager.restart_kernel(now=False)
        self._connect()

    def close(self) -> None:
        """Shut the kernel down; again is harmless."""
        self._disconnect()
        self._open.close()

    def _shut_down(self) -> None:
        self._manager.shutdown_kernel(now=False)
        self._manager.cleanup_resources()

    def _connect(self) -> None:
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=READY_TIMEOUT_S)
        guarded = self.run(GUARD.format(log=str(self._guard_log)))
        assert guarded.error is None, guarded.error

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.stop_channels()
            self._client = None

    def _receive(self, timeout_s: float) -> bool:
        try:
            message = self.client.get_iopub_msg(timeout=timeout_s)
        except queue.Empty:
            return False
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if cell is not None:
            cell.take(message)
        return True

    def _check_alive(self, cell: Cell, left_s: float) -> None:
        if not self.is_alive:
            raise KernelTimeoutError(f"the kernel died; its log: {self.log[-2000:]}")
        if left_s <= 0:
            raise KernelTimeoutError(f"timed out; the cell shows: {cell.text[-2000:]!r}")
