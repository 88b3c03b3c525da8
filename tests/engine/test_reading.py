"""Contexts that read texts: several in one batch, scores of rerankers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest

from llamanb import engine
from llamanb.errors import ContextLengthError, EngineError, ModelClosedError, OptionError
from llamanb.settings import ContextSettings
from tests.support import random_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from llamanb.engine import LoadedModel, RerankEngine

TEXTS = ("ba be bi", "a", "lo la " * 40, "ba be bi", "zu zo zi " * 60, "x y")
ROUNDING = 1e-3  # of half-precision attention in batches of different shapes


@pytest.fixture
def reranker(load: Any, reranker_gguf: Path) -> Iterator[RerankEngine]:
    """Give a random reranker, whose scores rank nothing sensibly."""
    opened = engine.open_rerank_engine(load(reranker_gguf), ContextSettings(n_threads=1))
    yield opened
    opened.close()


def _ids(loaded: LoadedModel, *texts: str) -> list[list[int]]:
    return [loaded.vocabulary.tokenize(text) for text in texts]


def _tensor(path: Path, name: str) -> NDArray[np.float32]:
    found = (tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == name)
    return np.array(next(found).data, np.float32)


def _states(loaded: LoadedModel, pooling: Any, texts: list[list[int]]) -> NDArray[np.float32]:
    """Give what the head of a reranker sees: the state of the first or of the last token."""
    settings = ContextSettings(n_threads=1, pooling=pooling)
    opened = engine.open_embedding_engine(loaded, settings)
    states = opened.embed(texts, normalize=False)
    opened.close()
    return states


# ---- several texts at once -----------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("variant", random_gguf.TINY)
def test_texts_in_one_batch_get_the_vectors_they_get_alone(
    variant: str, pooling: Any, load: Any, tiny_variants: Mapping[str, Path]
) -> None:
    loaded = load(tiny_variants[variant])
    settings = ContextSettings(n_threads=1, n_ctx=512, pooling=pooling)
    opened = engine.open_embedding_engine(loaded, settings)
    texts = [tokens[:500] for tokens in _ids(loaded, *TEXTS)]
    together = opened.embed(texts)
    alone = np.concatenate([opened.embed([tokens]) for tokens in texts])
    opened.close()
    np.testing.assert_allclose((together * alone).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(together[0], together[3], atol=ROUNDING)


def test_more_texts_than_sequences_keep_their_order(load: Any, demo_embed_path: Path) -> None:
    loaded = load(demo_embed_path)
    opened = engine.open_embedding_engine(loaded, ContextSettings(n_threads=1))
    texts = _ids(loaded, *(f"text number {n} {'and more ' * (n % 7)}" for n in range(100)))
    together = opened.embed(texts)
    alone = np.concatenate([opened.embed([tokens]) for tokens in texts])
    opened.close()
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("variant", ["tiny", "tiny-swa", "tiny-recurrent", "tiny-embedding"])
def test_a_long_text_read_in_steps_gives_the_same_vector(
    variant: str,
    load: Any,
    tiny_variants: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = load(tiny_variants[variant])
    texts = [tokens[:500] for tokens in _ids(loaded, "lo la " * 300, "x", "zu " * 100)]
    vectors = []
    for step in (64, 4096):
        monkeypatch.setattr("llamanb.engine.pooled.N_UBATCH", step)
        opened = engine.open_embedding_engine(
            loaded, ContextSettings(n_threads=1, n_ctx=512, pooling="last")
        )
        vectors.append(opened.embed(texts))
        opened.close()
    np.testing.assert_allclose((vectors[0] * vectors[1]).sum(1), 1, atol=1e-4)


def test_reading_can_be_stopped_between_two_batches(reranker: RerankEngine) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(EngineError, match="stopped"):
        reranker.score([[1, 2]], stop=stop)
    assert (reranker.status().state, reranker.status().n_decodes) == ("ready", 0)
    assert np.isfinite(reranker.score([[1, 2]])).all()
    assert (reranker.status().n_decodes, reranker.status().n_parts) == (1, 1)


# ---- scores --------------------------------------------------------------------------------


def test_a_score_is_what_the_head_makes_of_the_first_token(
    reranker: RerankEngine, load: Any, reranker_gguf: Path
) -> None:
    loaded = load(reranker_gguf)
    texts = _ids(loaded, *TEXTS)
    dense, output = (_tensor(reranker_gguf, f"cls{name}.weight") for name in ("", ".output"))
    expected = np.tanh(_states(loaded, "cls", texts) @ dense.T) @ output.T
    np.testing.assert_allclose(reranker.score(texts), expected[:, 0], atol=ROUNDING)


def test_a_score_of_two_classes_is_the_share_of_the_first(
    load: Any, causal_reranker_gguf: Path
) -> None:
    loaded = load(causal_reranker_gguf)
    texts = _ids(loaded, *TEXTS)
    opened = engine.open_rerank_engine(loaded, ContextSettings(n_threads=1))
    scores = opened.score(texts)
    opened.close()
    powers = np.exp(
        _states(loaded, "last", texts) @ _tensor(causal_reranker_gguf, "cls.output.weight").T
    )
    np.testing.assert_allclose(scores, powers[:, 0] / powers.sum(1), atol=ROUNDING)


def test_the_same_pair_has_the_same_score_in_any_company(
    reranker: RerankEngine, load: Any, reranker_gguf: Path
) -> None:
    texts = _ids(load(reranker_gguf), *TEXTS)
    scores = reranker.score(texts)
    assert scores[0] == pytest.approx(scores[3], abs=ROUNDING)
    assert len(set(scores.round(2).tolist())) == len(TEXTS) - 1
    alone = [reranker.score([tokens])[0] for tokens in texts]
    np.testing.assert_allclose(scores, alone, atol=ROUNDING)


def test_only_a_file_that_says_so_makes_a_reranker(tiny: LoadedModel) -> None:
    with pytest.raises(OptionError, match="no reranker"):
        engine.open_rerank_engine(tiny, ContextSettings(n_threads=1))


def test_a_reranker_gives_no_vectors(load: Any, reranker_gguf: Path) -> None:
    with pytest.raises(OptionError, match="gives no vector"):
        engine.open_embedding_engine(load(reranker_gguf), ContextSettings(n_threads=1))


def test_a_rerank_context_lives_like_any_other(reranker: RerankEngine) -> None:
    assert (reranker.status().state, reranker.n_ctx, reranker.busy) == ("ready", 512, False)
    with pytest.raises(ContextLengthError, match="at most 512"):
        reranker.score([[1] * 513])
    reranker.close()
    reranker.close()
    assert reranker.status().state == "closed"
    with pytest.raises(ModelClosedError):
        reranker.score([[1]])
