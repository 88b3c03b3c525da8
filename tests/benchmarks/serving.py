"""What HTTP costs: eight streaming clients of our server, of llama-server, of a lock."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import llama_server
from tests.benchmarks.paired import Row, paired
from tests.benchmarks.sides import SAMPLING, random_prompt, tokens_per_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.plan import Plan

__all__ = ["StreamingSide", "measure", "ours", "server"]

N_STREAMS = 8
PROMPT_TOKENS = 16
# A process of its own, as for llama-server: clients are other programs.
PROGRAM = """
import json, sys, llamanb
options = json.loads(sys.argv[1])
threads = options["n_threads"]
model = llamanb.load(
    options["path"], n_ctx=options["n_ctx"], n_seq_max=options["n_seq_max"],
    n_threads=threads, n_threads_batch=threads, progress=False,
)
with llamanb.serve(model) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


def measure(plan: Plan) -> list[Row]:
    """Give the rows against llama-server (where there is one), a lock, and no HTTP at all."""
    options = plan.options(n_streams=N_STREAMS, n_seq_max=N_STREAMS)
    rivals = {"decode:llama": "llama_cpp.Llama behind a lock", "decode:ours": "our engine alone"}
    if llama_server.binary():
        rivals["serving:server"] = "llama-server"
    return [
        paired(
            f"serving, {N_STREAMS} streaming clients",
            "tok/s",
            ("serving:ours", side),
            options,
            against=against,
            runs=plan.runs,
        )
        for side, against in rivals.items()
    ]


class StreamingSide:
    """A server, asked for streams by one connection and thread for each."""

    def __init__(self, port: int) -> None:
        self._port = port

    def run(self, prompts: list[list[int]], n_tokens: int) -> int:
        """Continue all prompts at once to the end; gives the number of new tokens."""
        with ThreadPoolExecutor(len(prompts)) as threads:
            return sum(threads.map(lambda prompt: self._stream(prompt, n_tokens), prompts))

    def _stream(self, prompt: list[int], n_tokens: int) -> int:
        body = {
            "prompt": prompt,
            "max_tokens": n_tokens,
            "ignore_eos": True,
            "seed": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
            **SAMPLING,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        connection.request(
            "POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"}
        )
        lines = [line for line in connection.getresponse() if line.startswith(b"data: {")]
        connection.close()
        return int(json.loads(lines[-1][6:])["usage"]["completion_tokens"])


def ours(options: dict[str, Any]) -> float:
    """Measure our server."""
    with _open_ours(options) as side:
        return _speed(side, options)


def server(options: dict[str, Any]) -> float:
    """Measure the llama-server named by ``LLAMA_SERVER``."""
    with llama_server.open_server(options) as side:
        return _speed(StreamingSide(side.port), options)


@contextmanager
def _open_ours(options: dict[str, Any]) -> Iterator[StreamingSide]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield StreamingSide(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _speed(side: StreamingSide, options: dict[str, Any]) -> float:
    side.run([random_prompt(PROMPT_TOKENS, seed=1000)], 8)
    prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(options["n_streams"])]
    return tokens_per_second(side, prompts, options["n_tokens"])
