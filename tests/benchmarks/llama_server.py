"""A llama-server process, spoken to over loopback: set ``LLAMA_SERVER`` to its path."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks.sides import SAMPLING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ServerSide", "binary", "open_server"]

READY_LINE = "listening on"
READY_TIMEOUT_S = 120


def binary() -> str | None:
    """Give the executable named by ``LLAMA_SERVER``, if there is one."""
    return shutil.which(os.environ.get("LLAMA_SERVER", "")) or None


class ServerSide:
    """One server; every stream has a connection and a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def run(self, prompts: list[list[int]], n_tokens: int) -> int:
        """Continue all prompts at once to the end; gives the number of new tokens."""
        with ThreadPoolExecutor(len(prompts)) as threads:
            return sum(threads.map(lambda prompt: self._complete(prompt, n_tokens), prompts))

    def _complete(self, prompt: list[int], n_tokens: int) -> int:
        body = {"prompt": prompt, "n_predict": n_tokens, "ignore_eos": True, "seed": 1, **SAMPLING}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(
            "POST", "/completion", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return int(answer["tokens_predicted"])


@contextmanager
def open_server(options: dict[str, Any]) -> Iterator[ServerSide]:
    """Start the server with one slot for each stream."""
    slots = options.get("n_seq_max", 4)
    port, threads = _free_port(), str(options["n_threads"])
    command = [str(binary()), "-m", options["path"], "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "-c",
        str(options["n_ctx"] * slots),
        "-np",
        str(slots),
        "-t",
        threads,
        "-tb",
        threads,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    ready = threading.Event()
    reader = threading.Thread(target=_follow, args=(process, ready), daemon=True)
    reader.start()
    try:
        assert ready.wait(READY_TIMEOUT_S), "llama-server did not start"
        yield ServerSide(port)
    finally:
        process.terminate()
        process.wait()
        reader.join()


def _follow(process: subprocess.Popen[str], ready: threading.Event) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if READY_LINE in line:
            ready.set()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
