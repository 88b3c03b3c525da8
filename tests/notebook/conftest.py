"""A real kernel of its own profile, driven through jupyter_client."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

DEADLINE_S = 45.0
QUIET_HOME = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


def quiet_environment(folder: Path, **more: str) -> dict[str, str]:
    """Give an environment in which nothing of the user's profile is read or written."""
    own = {name: str(folder / name.lower()) for name in QUIET_HOME}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LLAMANB_")}
    settings = {"LLAMANB_N_THREADS": "1", "LLAMANB_PROGRESS": "0"}
    return {**kept, **own, "HOME": str(folder), **settings, **more}


@dataclass
class Cell:
    """One execution: its messages so far, and the means to wait for more."""

    kernel: Kernel
    message_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read messages until one is wanted."""
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            message = self.kernel.next_output(deadline_s)
            if message["parent_header"].get("msg_id") != self.message_id:
                continue
            self.messages.append(message)
            self.times_s.append(time.monotonic())
            if wanted(message):
                return message

    def finish(self) -> Cell:
        """Wait until the kernel is idle again and has replied."""
        self.wait_for(is_idle)
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            reply = self.kernel.client.get_shell_msg(timeout=deadline_s - time.monotonic())
            if reply["parent_header"].get("msg_id") == self.message_id:
                self.reply = reply["content"]
                return self

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        """Give the contents of the messages of these types."""
        return [m["content"] for m in self.messages if m["msg_type"] in kinds]

    @property
    def stdout(self) -> str:
        """Everything that was printed."""
        return "".join(c["text"] for c in self.of_type("stream") if c["name"] == "stdout")

    @property
    def stderr(self) -> str:
        """Everything on standard error."""
        return "".join(c["text"] for c in self.of_type("stream") if c["name"] == "stderr")

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The displays and their updates."""
        return self.of_type("display_data", "update_display_data")

    @property
    def html(self) -> str:
        """What the cell shows at the end."""
        return str(self.displays[-1]["data"]["text/html"])


class Kernel:
    """A running kernel with llamanb's magics. Stages: started → cells → ``close``."""

    def __init__(self, folder: Path, **environment: str) -> None:
        specs = KernelSpecManager(kernel_dirs=[])
        self.manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        self.manager.connection_file = str(folder / "kernel.json")
        self.manager.start_kernel(env=quiet_environment(folder, **environment), cwd=str(folder))
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=DEADLINE_S)

    def start(self, code: str, cell_id: str | None = None) -> Cell:
        """Send a cell, as JupyterLab does: with its id."""
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        content |= {"user_expressions": {}, "allow_stdin": False}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return Cell(self, message["header"]["msg_id"])

    def run(self, code: str, cell_id: str | None = None) -> Cell:
        """Run a cell to its end."""
        return self.start(code, cell_id).finish()

    def value(self, expression: str) -> Any:
        """Give the value of an expression that is a plain literal."""
        import ast

        cell = self.run(f"print(repr({expression}))")
        assert cell.reply["status"] == "ok", cell.stderr
        return ast.literal_eval(cell.stdout.strip())

    def next_output(self, deadline_s: float) -> dict[str, Any]:
        """Give the next message on IOPub."""
        try:
            message: dict[str, Any] = self.client.get_iopub_msg(
                timeout=max(0.01, deadline_s - time.monotonic())
            )
        except Empty:
            pytest.fail("the kernel said nothing more before the deadline")
        return message

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.term()


def is_idle(message: dict[str, Any]) -> bool:
    """Whether this message says that the kernel has finished its request."""
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension loaded and the demo model chosen."""
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    loaded = kernel.run("%load_ext llamanb\n%llama load demo")
    assert loaded.reply["status"] == "ok", loaded.stderr
    yield kernel
    kernel.close()
