"""Fixtures that every room's tests share: models, templates, kernels, no network."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from tests.support import minilm, network_guard, random_gguf, sdist
from tests.support.cache import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.kernels import Kernel

# Set before any test module imports llamanb or llama_cpp.
os.environ |= {
    "LLAMANB_PROGRESS": "0",
    "LLAMANB_CACHE": str(cache_dir()),
    "LLAMANB_N_THREADS": "1",
    "GGML_NO_BACKTRACE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
}
SLOW_TO_PREPARE = MappingProxyType(
    {"sdist_models_dir": 600, "qwen3_shape_gguf": 900, "lab": 300, "minilm_gguf": 600}
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests whose fixtures download or build something time for that."""
    for item in items:
        names = SLOW_TO_PREPARE.keys() & set(getattr(item, "fixturenames", ()))
        if names and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(SLOW_TO_PREPARE[name] for name in names)))


@pytest.fixture(autouse=True)
def _no_outside_connection() -> Iterator[None]:
    """Fail a test that tries to connect to another machine."""
    with network_guard.watched() as attempts:
        yield
    if attempts:
        pytest.fail(f"connections outside this machine were attempted: {attempts}")


@pytest.fixture(scope="session")
def demo_path() -> Path:
    """Give the bundled chat model."""
    return _bundled("llamanb-demo.gguf")


@pytest.fixture(scope="session")
def demo_embed_path() -> Path:
    """Give the bundled embedding model."""
    return _bundled("llamanb-demo-embed.gguf")


def _bundled(name: str) -> Path:
    import llamanb

    return Path(llamanb.__file__).parent / "demo" / name


@pytest.fixture(scope="session")
def tiny_gguf() -> Path:
    """Give a random qwen3-like model (2 MB, 471 tokens) that never ends by itself."""
    return random_gguf.model_path("tiny")


@pytest.fixture(scope="session")
def readable_gguf() -> Path:
    """Give one as small whose text is syllables and full stops."""
    return random_gguf.model_path("tiny-readable")


@pytest.fixture(scope="session")
def swa_gguf() -> Path:
    """Give a tiny model with sliding-window attention (gemma3, 64 tokens)."""
    return random_gguf.model_path("tiny-swa")


@pytest.fixture(scope="session")
def recurrent_gguf() -> Path:
    """Give a tiny recurrent model (mamba)."""
    return random_gguf.model_path("tiny-recurrent")


@pytest.fixture(scope="session")
def embedding_gguf() -> Path:
    """Give a tiny embedding model (bert, mean pooling, 128 numbers)."""
    return random_gguf.model_path("tiny-embedding")


@pytest.fixture(scope="session")
def reranker_gguf() -> Path:
    """Give a tiny reranker (bert with a classifier head)."""
    return random_gguf.model_path("reranker")


@pytest.fixture(scope="session")
def causal_reranker_gguf() -> Path:
    """Give a tiny reranker that reads a prompt (qwen3 with two classes)."""
    return random_gguf.model_path("reranker-causal")


@pytest.fixture(scope="session")
def tiny_variants() -> Mapping[str, Path]:
    """Give every tiny random model by name (``tiny``, ``tiny-llama``, ``tiny-swa`` …)."""
    return {name: random_gguf.model_path(name) for name in random_gguf.TINY}


@pytest.fixture(scope="session")
def slow_gguf() -> Path:
    """Give a random model of 120 M parameters: some 100 tokens/s on one core."""
    return random_gguf.model_path("slow")


@pytest.fixture(scope="session")
def sdist_models_dir() -> Path:
    """Give llama.cpp's ``models`` folder, or skip with the reason."""
    try:
        return sdist.models_dir()
    except sdist.SdistUnavailableError as reason:
        if os.environ.get("LLAMANB_REQUIRE_SDIST") == "1":
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def templates_dir(sdist_models_dir: Path) -> Path:
    """Give the folder with some seventy real chat templates."""
    return sdist_models_dir / "templates"


@pytest.fixture(scope="session")
def vocab_dir(sdist_models_dir: Path) -> Path:
    """Give the folder with real vocabularies (``ggml-vocab-*.gguf``)."""
    return sdist_models_dir


@pytest.fixture(scope="session")
def qwen3_shape_gguf(sdist_models_dir: Path) -> Path:
    """Give a random model shaped like Qwen3-0.6B Q4_0 with its 151,936 tokens."""
    assert sdist_models_dir.is_dir()
    return random_gguf.model_path("qwen3-0.6b-q4_0")


@pytest.fixture(scope="session")
def minilm_gguf() -> Path:
    """Give a real embedding model, all-MiniLM-L6-v2 (25 MB), or skip with the reason."""
    try:
        return minilm.model_path()
    except sdist.SdistUnavailableError as reason:
        if os.environ.get("LLAMANB_REQUIRE_SDIST") == "1":
            raise
        pytest.skip(str(reason))


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Give a function that starts a kernel with folders of its own."""
    from tests.support.kernels import Kernel

    with ExitStack() as kernels:
        yield lambda: kernels.enter_context(Kernel(tmp_path))


@pytest.fixture
def kernel(start_kernel: Callable[[], Kernel]) -> Kernel:
    """Give a fresh IPython kernel with ``%load_ext llamanb`` done."""
    started = start_kernel()
    assert started.run("%load_ext llamanb").error is None
    return started
