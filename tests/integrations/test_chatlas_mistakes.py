"""What llamanb.chat says when something cannot work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import chatlas
import pytest

import llamanb
from llamanb.errors import ContextLengthError, LlamanbError, ModelLoadTimeout
from llamanb.models.kernel import manager

if TYPE_CHECKING:
    from pathlib import Path

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "both": (
        {"model": "demo", "base_url": "http://127.0.0.1:9/v1"},
        "supply exactly one of `model` or `base_url`",
    ),
    "missing": ({"model": "missing.gguf"}, "model file not found: "),
    "typo": ({"model": "demo", "temperatur": 0}, "temperature"),
    "kind": ({"model": "demo-embed"}, "cannot chat: it is loaded as embedding, not to write"),
    "sampling": ({"model": "demo", "temperature": -1}, "temperature=-1"),
    "approve": ({"model": "demo", "approve": "perhaps"}, "approve='perhaps' is not possible"),
    "address": ({"base_url": "localhost"}, "base_url='localhost' is not possible"),
    "loading": (
        {"base_url": "http://127.0.0.1:9/v1", "n_ctx": 8},
        "n_ctx= belongs to loading a model",
    ),
    "nobody": (
        {"base_url": "http://127.0.0.1:9/v1"},
        "no server answers at http://127.0.0.1:9/v1: is it running?",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_plain_words(name: str) -> None:
    options, text = MISTAKES[name]
    with pytest.raises(LlamanbError) as caught:
        llamanb.chat(**options)
    assert text in str(caught.value)


def test_neither_is_allowed_if_a_model_is_loaded(demo_path: Path) -> None:
    llamanb.unload(force=True)
    with pytest.raises(LlamanbError, match="supply exactly one of `model` or `base_url`"):
        llamanb.chat()
    model = llamanb.load(demo_path, n_ctx=1024, n_threads=1)
    with llamanb.chat(temperature=0) as chat:
        assert chat.provider.model == model.name
        assert chat.chat("Hello", echo="none").content


def test_late_loading_names_the_file_and_keeps_nothing(slow_gguf: Path) -> None:
    llamanb.unload(force=True)
    with pytest.raises(ModelLoadTimeout, match=slow_gguf.name):
        llamanb.chat(slow_gguf, n_threads=1, timeout=0.01)
    assert len(manager()) == 0


def test_too_long_talks_and_images_are_refused(demo_path: Path) -> None:
    chat = llamanb.chat(demo_path, n_ctx=1024, n_threads=1)
    with pytest.raises(ContextLengthError):
        chat.chat("sky " * 2000, echo="none")
    with pytest.raises(LlamanbError, match="reads text alone, no image remote content"):
        chat.chat(chatlas.content_image_url("https://example.com/a.png"), echo="none")
    assert chat.get_turns() == []


def test_without_chatlas_the_message_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['chatlas'] = None\n"
        "import llamanb\n"
        "try:\n    llamanb.chat('demo')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "pip install 'llamanb[chat]'" in done.stdout, done.stderr
