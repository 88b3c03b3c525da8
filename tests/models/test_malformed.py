"""A corpus of damaged model files: each is refused with a reason, or does no harm."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import ModelFileError
from llamanb.models.preflight import check_file
from tests.models.gguf_bytes import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = """
import sys
from llamanb.errors import LlamanbError
from llamanb.models import manager
for path in sys.argv[1:]:
    try:
        model = manager().load(path, n_ctx=64, n_seq_max=1, n_threads=1, trust="trusted")
        model.generate("a", max_tokens=4)
        model.close()
    except LlamanbError as error:
        assert str(error)
print("alive")
"""


def _mutations(content: bytes, header_bytes: int, count: int) -> Iterator[bytes]:
    """Give damaged copies: flipped bytes, wild numbers, cuts, repeats, noise."""
    dice = random.Random(7)  # noqa: S311  # damage, not a secret
    for _ in range(count):
        damaged = bytearray(content)
        place = dice.randrange(4, header_bytes)
        match dice.randrange(5):
            case 0:
                damaged[place] ^= 1 << dice.randrange(8)
            case 1:
                damaged[place : place + 8] = dice.choice((b"\xff", b"\0", b"\x7f")) * 8
            case 2:
                damaged = damaged[: dice.randrange(len(damaged))]
            case 3:
                damaged[place:place] = damaged[place : place + dice.randrange(1, 64)]
            case _:
                damaged[place : place + 4] = dice.randbytes(4)
        yield bytes(damaged)


def _accepted(path: Path) -> bool:
    try:
        check_file(path)
    except ModelFileError:
        return False
    return True


def test_three_hundred_damaged_headers_raise_nothing_else(tmp_path: Path) -> None:
    content = Recipe().encode()
    header_bytes = content.rindex(b"output_norm.weight") + 50
    refused = 0
    for number, damaged in enumerate(_mutations(content, header_bytes, 300)):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(damaged)
        refused += not _accepted(path)
    assert refused > 100


@pytest.mark.timeout(110)
def test_accepted_damaged_models_do_not_kill_a_process(tmp_path: Path, demo_path: Path) -> None:
    """Loads damaged copies of a real model that pass the check, in a process of their own."""
    content = demo_path.read_bytes()
    header_bytes = content.rindex(b"output_norm.weight") + 50
    accepted = []
    for number, damaged in enumerate(_mutations(content, header_bytes, 60)):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(damaged)
        if _accepted(path):
            accepted.append(str(path))
    environment = {**os.environ, "HOME": str(tmp_path), "LLAMANB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *accepted],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.strip() == "alive", done.stderr[-2000:]
