"""A server in a kernel whose cells do other things."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernels import Kernel

SERVE = """
import llamanb
server = llamanb.serve(model)
"""
BUSY_S = 3
BUSY = f"""
import time
until, turns = time.time() + {BUSY_S}, 0
while time.time() < until:
    turns += 1
"""
ENDLESS = {
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "max_tokens": 100_000,
    "ignore_eos": True,
}


def arrivals(url: str, seconds: float) -> Iterator[float]:
    """Give the moments at which pieces of an endless stream arrive."""
    until = time.monotonic() + seconds
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=ENDLESS, timeout=30) as response:
        for line in response.iter_lines():
            now = time.monotonic()
            if now > until:
                return
            if line:
                yield now


def served(kernel: Kernel) -> str:
    """Give the address of a server in the kernel."""
    assert not kernel.run(SERVE).complaint
    return str(kernel.evaluate("server.url"))


def test_a_busy_cell_does_not_stop_the_stream(demo_kernel: Kernel) -> None:
    url = served(demo_kernel)
    busy = demo_kernel.start(BUSY)
    moments = list(arrivals(url, BUSY_S))
    assert len(moments) > 50
    assert max(b - a for a, b in itertools.pairwise(moments)) < 1.0
    assert not demo_kernel.finish(busy).complaint
    assert demo_kernel.evaluate("turns") > 1000


def test_a_cell_and_a_client_share_one_model(demo_kernel: Kernel) -> None:
    url = served(demo_kernel)
    stream = arrivals(url, 30)
    next(stream)
    cell = demo_kernel.run("said = model.generate('Hello', max_tokens=5)")
    assert not cell.complaint
    assert len(list(itertools.islice(stream, 20))) == 20
    assert demo_kernel.evaluate("len(llamanb.models)") == 1


def test_running_the_cell_again_keeps_the_server(demo_kernel: Kernel) -> None:
    assert served(demo_kernel) == served(demo_kernel)


def test_reloading_the_code_keeps_the_server(demo_kernel: Kernel) -> None:
    url = served(demo_kernel)
    reload = (
        "import importlib, sys\n"
        "for name in [n for n in sys.modules if n.startswith('llamanb.servers')]:\n"
        "    importlib.reload(sys.modules[name])"
    )
    assert not demo_kernel.run(reload).complaint
    assert demo_kernel.evaluate("[s.url for s in llamanb.servers.values()]") == [url]
    assert httpx.get(f"{url}/v1/models").status_code == 200


def test_a_stopped_server_gives_its_port_back(demo_kernel: Kernel) -> None:
    url = served(demo_kernel)
    port = int(url.rsplit(":", 1)[1])
    assert not demo_kernel.run("server.stop()").stdout
    again = demo_kernel.run(f"server = llamanb.serve(model, port={port})")
    assert not again.complaint
    assert demo_kernel.evaluate("server.port") == port
