"""Kernels that several tests of one file share, with a model already loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernels import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def slow_kernel(tmp_path_factory: pytest.TempPathFactory, slow_gguf: Path) -> Iterator[Kernel]:
    """Give a kernel with the slow random model, named ``slow``."""
    yield from _kernel_with(tmp_path_factory, slow_gguf, "slow")


@pytest.fixture(scope="module")
def tiny_kernel(tmp_path_factory: pytest.TempPathFactory, readable_gguf: Path) -> Iterator[Kernel]:
    """Give a kernel with a tiny random model, named ``tiny``."""
    yield from _kernel_with(tmp_path_factory, readable_gguf, "tiny")


@pytest.fixture(scope="module")
def demo_kernel(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Iterator[Kernel]:
    """Give a kernel with the bundled model, named ``demo``."""
    yield from _kernel_with(tmp_path_factory, demo_path, "demo")


def _kernel_with(folders: pytest.TempPathFactory, path: Path, name: str) -> Iterator[Kernel]:
    with Kernel(folders.mktemp(f"kernel-{name}")) as kernel:
        assert not kernel.run("%load_ext llamanb\nimport llamanb").complaint
        loaded = kernel.run(f"model = llamanb.load({str(path)!r}, name={name!r}, n_ctx=4096)")
        assert not loaded.complaint
        yield kernel
