"""The bundled toy models: there, labelled, and made by the scripts beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gguf
import pytest

from llamanb import demo
from llamanb.errors import ModelNotFoundError

TRAINING = Path(demo.__file__).parent / "training"


@pytest.mark.parametrize("name", demo.DEMO_FILES)
def test_a_bundled_model_is_a_gguf_of_about_three_megabytes(name: str) -> None:
    content = demo.demo_path(name).read_bytes()
    assert content.startswith(b"GGUF")
    assert 2_000_000 < len(content) < 3_500_000


@pytest.mark.parametrize("name", demo.DEMO_FILES)
def test_every_bundled_model_is_called_a_toy(name: str) -> None:
    assert demo.TOY_LABELS[name].startswith("toy")


def test_an_unknown_demo_names_the_known_ones() -> None:
    with pytest.raises(ModelNotFoundError, match="'demo', 'demo-embed'"):
        demo.demo_path("demo-large")


def test_the_evaluation_comes_with_the_models() -> None:
    readme = (Path(demo.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert "is a toy" in readme
    assert "| unseen real tool | 50 |" in readme


def _strings(field: gguf.ReaderField) -> list[str]:
    return [bytes(field.parts[index]).decode() for index in field.data]


def test_the_shipped_chat_model_has_the_vocabulary_and_template_of_the_scripts() -> None:
    fields = gguf.GGUFReader(demo.demo_path("demo")).fields
    vocabulary = json.loads((TRAINING / "vocab.json").read_text(encoding="utf-8"))
    assert _strings(fields["tokenizer.ggml.tokens"]) == vocabulary["tokens"]
    template = (TRAINING / "template.jinja").read_text(encoding="utf-8")
    assert _strings(fields["tokenizer.chat_template"]) == [template]


def test_the_corpus_renders_as_the_template_does() -> None:
    command = [sys.executable, "-B", "corpus.py", "--check", "20"]
    done = subprocess.run(
        command, cwd=TRAINING, capture_output=True, text=True, check=False
    )  # our own script
    assert "agree on 20 conversations" in done.stdout, done.stderr
