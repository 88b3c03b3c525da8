"""Loaded models and engines for the tests of this room."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from llamanb import engine
from llamanb.settings import ContextSettings, SamplingSettings, WeightSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.engine import Engine, EngineRequest, Generation, LoadedModel

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
# llama.cpp's f16 attention rounds differently for other batch shapes (up to 0.002 in a
# log-probability, measured); with these a stream's neighbours change 4e-6 at most.
EXACT: Any = {"type_k": "f32", "type_v": "f32", "flash_attn": "off"}
GREEDY = SamplingSettings(temperature=0.0, max_tokens=48)


class OpenEngine(Protocol):
    """Opens an engine that the test need not close."""

    def __call__(self, loaded: LoadedModel, **settings: Any) -> Engine: ...


@pytest.fixture(scope="session")
def load() -> Iterator[Any]:
    """Give a function that loads a file once for the whole run."""
    models: dict[Path, LoadedModel] = {}

    def loader(path: Path) -> LoadedModel:
        if path not in models:
            models[path] = engine.load_weights(str(path), WeightSettings())
        return models[path]

    yield loader
    for model in models.values():
        model.close()


@pytest.fixture
def demo(load: Any, demo_path: Path) -> LoadedModel:
    """Give the loaded demo model."""
    loaded: LoadedModel = load(demo_path)
    return loaded


@pytest.fixture
def tiny(load: Any, tiny_gguf: Path) -> LoadedModel:
    """Give a loaded random model that never ends by itself."""
    loaded: LoadedModel = load(tiny_gguf)
    return loaded


@pytest.fixture
def open_engine() -> Iterator[OpenEngine]:
    """Give a function that opens engines and closes them after the test."""
    with ExitStack() as stack:

        def opener(loaded: LoadedModel, **settings: Any) -> Engine:
            options = {"n_ctx": 512, "n_threads": 1, **settings}
            opened = engine.open_engine(loaded, ContextSettings(**options))
            stack.callback(opened.close)
            return opened

        yield opener


def ask(question: str, loaded: LoadedModel, **sampling: Any) -> EngineRequest:
    """Make a greedy request for one chat question to the demo model."""
    prompt = CHAT.format(question)
    tokens = loaded.vocabulary.tokenize(prompt, add_special=True, parse_special=True)
    return request(tokens, **sampling)


def request(tokens: list[int], **options: Any) -> EngineRequest:
    """Make a greedy request; options are sampling options or the request's own."""
    own = {
        k: options.pop(k)
        for k in ("constraint", "preserved_tokens", "affinity", "max_pending")
        if k in options
    }
    sampling = SamplingSettings.from_options(GREEDY, **options)
    return engine.EngineRequest(prompt_tokens=tuple(tokens), sampling=sampling, **own)


def text_of(generation: Generation) -> str:
    """Wait for the end and give the text."""
    generation.wait(60)
    return generation.text
