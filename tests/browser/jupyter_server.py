"""A Jupyter server of our own: free port, no token, all its folders below one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Literal, Self

from tests.support.kernels import isolated_environment

__all__ = ["JupyterServer", "Program"]

Program = Literal["jupyterlab", "notebook"]

READY_TIMEOUT_S = 90.0
SHUTDOWN_TIMEOUT_S = 20.0
QUIET_PAGE = {
    "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True},
}


class JupyterServer:
    """One server process: start (``with``), use ``url`` and ``root``, stop.

    ``program`` is JupyterLab or Notebook 7, whose pages differ in their address.

    Attributes
    ----------
    root : the folder whose notebooks it shows.
    url : where it answers, without a trailing slash.
    """

    def __init__(
        self,
        folder: Path,
        extra_environment: dict[str, str] | None = None,
        program: Program = "jupyterlab",
    ) -> None:
        self._program = program
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True, exist_ok=True)
        self._environment = isolated_environment(folder) | (extra_environment or {})
        self._write_page_config(Path(self._environment["JUPYTER_CONFIG_DIR"]))
        self._log_path = folder / "server.log"
        self._port = _free_port()
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command(),
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._follow, args=(self._process.stdout,))
        self._reader.start()
        if not self._ready.wait(READY_TIMEOUT_S):
            self.__exit__()
            raise AssertionError(f"{self._program} did not start: {self.log[-3000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    @property
    def log(self) -> str:
        """What the server has printed."""
        return self._log_path.read_text("utf-8") if self._log_path.exists() else ""

    def page_url(self, name: str) -> str:
        """Give the address of the page that shows a notebook of ``root``."""
        folder = "lab/tree" if self._program == "jupyterlab" else "notebooks"
        return f"{self.url}/{folder}/{name}?reset"

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", self._program, "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={self._port}", "--ServerApp.port_retries=0"),
            *("--IdentityProvider.token=", "--ServerApp.password="),
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=None",
        ]

    def _follow(self, output: IO[str]) -> None:
        with output, self._log_path.open("a", encoding="utf-8") as log:
            for line in output:
                log.write(line)
                log.flush()
                if " is running at" in line:
                    self._ready.set()
        self._ready.set()

    @staticmethod
    def _write_page_config(config_dir: Path) -> None:
        folder = config_dir / "labconfig"
        folder.mkdir(exist_ok=True)
        (folder / "page_config.json").write_text(json.dumps(QUIET_PAGE), "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
