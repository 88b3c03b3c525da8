"""Text to tokens and back, and texts to vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb import engine
from llamanb.errors import ContextLengthError, ModelClosedError, OptionError
from llamanb.settings import ContextSettings, WeightSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llamanb.engine import EmbeddingEngine, LoadedModel

TEXTS = ["Hello", " leading space", "wörld 😀 \n\ttabs", "a" * 3000, "\0 nul", "<|im_end|>"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_from_its_tokens(text: str, demo: LoadedModel) -> None:
    vocabulary = demo.vocabulary
    assert vocabulary.detokenize(vocabulary.tokenize(text, add_special=False)) == text


def test_control_tokens_are_parsed_only_on_request(demo: LoadedModel) -> None:
    plain = demo.vocabulary.tokenize("<|im_end|>")
    special = demo.vocabulary.tokenize("<|im_end|>", parse_special=True)
    assert not any(demo.vocabulary.is_control(token) for token in plain)
    assert special == [demo.vocabulary.eos]
    assert demo.vocabulary.is_eog(special[0])


@pytest.mark.parametrize("variant", ["tiny", "tiny-llama", "tiny-swa", "tiny-embedding"])
def test_the_pieces_of_a_text_are_its_bytes(
    variant: str, load: Any, tiny_variants: Mapping[str, Path]
) -> None:
    vocabulary = load(tiny_variants[variant]).vocabulary
    tokens = vocabulary.tokenize("abc def", add_special=False)
    assert tokens
    assert vocabulary.n_tokens == len(vocabulary.pieces)
    assert all(isinstance(vocabulary.token_to_piece(token), str) for token in tokens)


@pytest.mark.parametrize("bad", ["\ud800", 5, None, b"bytes"])
def test_what_is_not_text_is_refused(bad: Any, demo: LoadedModel) -> None:
    with pytest.raises(OptionError):
        demo.vocabulary.tokenize(bad)


@pytest.mark.parametrize("bad", [[-1], [10**9], ["1"], [True]])
def test_what_is_not_a_token_is_refused(bad: list[Any], demo: LoadedModel) -> None:
    with pytest.raises(OptionError):
        demo.vocabulary.detokenize(bad)


def test_a_vocabulary_ends_with_its_model(tiny_gguf: Path) -> None:
    loaded = engine.load_weights(str(tiny_gguf), WeightSettings())
    loaded.close()
    with pytest.raises(ModelClosedError, match="unloaded"):
        loaded.vocabulary.tokenize("x")
    assert loaded.vocabulary.token_to_piece(1) is not None


@pytest.fixture
def embedder(load: Any, demo_embed_path: Path) -> Iterator[EmbeddingEngine]:
    """Give the bundled word matcher."""
    opened = engine.open_embedding_engine(load(demo_embed_path), ContextSettings(n_threads=1))
    yield opened
    opened.close()


def _vectors(embedder: EmbeddingEngine, load: Any, path: Path, *texts: str) -> Any:
    vocabulary = load(path).vocabulary
    return embedder.embed([vocabulary.tokenize(text) for text in texts])


def test_similar_texts_have_similar_vectors(
    embedder: EmbeddingEngine, load: Any, demo_embed_path: Path
) -> None:
    rows = _vectors(
        embedder, load, demo_embed_path, "the cat sat", "a cat was sitting", "stock market"
    )
    assert (rows.shape, rows.dtype) == ((3, embedder.n_embd), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


def test_a_vector_does_not_depend_on_its_neighbours(
    embedder: EmbeddingEngine, load: Any, demo_embed_path: Path
) -> None:
    alone = _vectors(embedder, load, demo_embed_path, "river")
    among = _vectors(embedder, load, demo_embed_path, "a long story", "river", "bank")
    np.testing.assert_allclose(among[1], alone[0], atol=1e-6)


def test_a_text_that_cannot_be_embedded_is_refused(
    embedder: EmbeddingEngine, load: Any, demo_embed_path: Path
) -> None:
    with pytest.raises(OptionError, match="empty"):
        embedder.embed([[]])
    with pytest.raises(ContextLengthError, match="at most"):
        embedder.embed([[1] * (embedder.n_ctx + 1)])
    embedder.close()
    with pytest.raises(ModelClosedError):
        _vectors(embedder, load, demo_embed_path, "x")


def test_a_chat_model_gives_mean_vectors(demo: LoadedModel) -> None:
    opened = engine.open_embedding_engine(demo, ContextSettings(n_threads=1, n_ctx=128))
    rows = opened.embed([demo.vocabulary.tokenize("Hello")])
    opened.close()
    assert np.isfinite(rows).all()


def test_system_info_names_versions_and_guards() -> None:
    described = engine.system_info()
    assert described["cores"] == engine.usable_cores() >= 1
    assert str(described["llama_cpp_python"]).startswith("0.3.")
