"""The supports themselves: the guard guards, random models are the same each time."""

from __future__ import annotations

import socket
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import pytest

from tests.support import network_guard
from tests.support.kernels import Kernel
from tests.support.random_gguf import RECIPES, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def test_connection_to_another_machine_is_refused_and_noted() -> None:
    with (
        socket.socket() as outside,
        pytest.raises(network_guard.OutsideConnectionError, match=r"192\.0\.2\.1"),
    ):
        outside.connect(("192.0.2.1", 80))
    assert network_guard.attempts == ["socket.connect 192.0.2.1"]
    network_guard.attempts.clear()


def test_name_lookup_is_refused_and_noted() -> None:
    with pytest.raises(network_guard.OutsideConnectionError, match=r"example\.com"):
        socket.getaddrinfo("example.com", 443)
    assert network_guard.attempts == ["socket.getaddrinfo example.com"]
    network_guard.attempts.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connection_to_this_machine_is_allowed(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1])).close()
    assert network_guard.attempts == []


def test_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.gguf", tmp_path / "b.gguf"]
    for path in paths:
        write_model(path, RECIPES["tiny"], name="same")
    first, second = (sha256(path.read_bytes()).hexdigest() for path in paths)
    assert first == second


def test_every_tiny_variant_is_a_readable_gguf(tiny_variants: Mapping[str, Path]) -> None:
    architectures = set()
    for path in tiny_variants.values():
        reader = gguf.GGUFReader(path)
        architectures.add(reader.fields["general.architecture"].contents())
    assert architectures == {"qwen3", "llama", "gemma3", "mamba", "bert"}


def test_kernel_reports_output_errors_and_updates(start_kernel: Callable[[], Kernel]) -> None:
    kernel = start_kernel()
    assert kernel.run("print(6 * 7)").stdout == "42\n"
    assert kernel.run("1 / 0").error == "ZeroDivisionError: division by zero"
    shown = kernel.run("h = display('a', display_id=True); h.update('b')")
    assert (shown.text, shown.n_updates) == ("'b'", 1)


def test_kernel_home_is_a_scratch_folder(start_kernel: Callable[[], Kernel]) -> None:
    home = start_kernel().evaluate("str(__import__('pathlib').Path.home())")
    assert Path(home).resolve() != Path.home().resolve()


def test_outside_connection_in_a_kernel_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"192\.0\.2\.7"), Kernel(tmp_path) as kernel:
        kernel.run("import socket; socket.create_connection(('192.0.2.7', 9), 1)")
