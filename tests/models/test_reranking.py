"""Rerankers as users hold them: pairs, order, limits, and who is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb.errors import ContextLengthError, ModelFileError, OptionError
from llamanb.models import probe
from llamanb.models.admission import _reading_settings
from llamanb.models.preflight import check_file, file_identity
from llamanb.models.reranking import Pairing
from tests.support import random_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.models import Model, ModelManager
    from tests.support.architectures import Tensor

DOCUMENTS = ["ba be bi", "lo la", "zu zo zi", "ba be bi", "ka"]
ROUNDING = 1e-3  # of half-precision attention in batches of different shapes


@pytest.fixture
def reranker(real: ModelManager, reranker_gguf: Path) -> Model:
    """Give a random reranker of bert's kind."""
    return real.load(reranker_gguf, n_threads=1)


@pytest.fixture
def prompted(real: ModelManager, causal_reranker_gguf: Path) -> Model:
    """Give a random reranker that reads a prompt of its own."""
    return real.load(causal_reranker_gguf, n_ctx=128, n_threads=1)


# ---- scores --------------------------------------------------------------------------------


def test_documents_come_the_best_first(reranker: Model) -> None:
    ranked = reranker.rerank("ba", DOCUMENTS)
    scores = [row.relevance_score for row in ranked]
    assert scores == sorted(scores, reverse=True)
    assert sorted(row.index for row in ranked) == [0, 1, 2, 3, 4]
    assert all(row.text == DOCUMENTS[row.index] for row in ranked)


def test_top_n_gives_the_first_rows(reranker: Model) -> None:
    first = reranker.rerank("ba", DOCUMENTS, top_n=2)
    assert [row.index for row in first] == [
        row.index for row in reranker.rerank("ba", DOCUMENTS)[:2]
    ]
    assert len(reranker.rerank("ba", DOCUMENTS, top_n=99)) == len(DOCUMENTS)


def test_a_score_does_not_depend_on_the_other_documents(reranker: Model) -> None:
    together = reranker.read_scores("ba", DOCUMENTS).rows
    alone = [reranker.read_scores("ba", [document]).rows[0] for document in DOCUMENTS]
    np.testing.assert_allclose(together, alone, atol=ROUNDING)
    assert together[0] == pytest.approx(together[3], abs=ROUNDING)


def test_no_documents_give_no_rows(reranker: Model) -> None:
    assert reranker.rerank("ba", []) == []


def test_the_tokens_of_all_pairs_are_counted(reranker: Model) -> None:
    one = reranker.read_scores("ba", DOCUMENTS[:1]).n_tokens
    assert one == len(reranker.tokenize("ba")) + len(reranker.tokenize(DOCUMENTS[0])) - 1
    assert reranker.read_scores("ba", DOCUMENTS[:1] * 3).n_tokens == 3 * one


def test_an_evicted_reranker_is_opened_again(reranker: Model) -> None:
    before = reranker.rerank("ba", DOCUMENTS)
    assert reranker._residence.evict()
    assert reranker.state == "evicted"
    assert reranker.rerank("ba", DOCUMENTS) == before


# ---- who is a reranker ---------------------------------------------------------------------


def test_a_reranker_neither_writes_nor_embeds(reranker: Model) -> None:
    assert (reranker.kind, reranker.can_write, reranker.is_embedding) == ("rerank", False, False)
    with pytest.raises(OptionError, match="is a reranker: it cannot write"):
        reranker.generate("a")
    with pytest.raises(OptionError, match="scores, not vectors"):
        reranker.embed("a")


def test_other_models_are_no_rerankers(demo: Model, real: ModelManager) -> None:
    with pytest.raises(OptionError, match="is a chat model, not a reranker"):
        demo.rerank("a", ["b"])
    with pytest.raises(OptionError, match="is an embedding model, not a reranker"):
        real.load("demo-embed", n_threads=1).rerank("a", ["b"])


def test_a_reranker_is_not_the_default_model(
    real: ModelManager, demo: Model, reranker: Model
) -> None:
    assert reranker.is_reranker
    assert real.default is demo


def test_pooling_rank_needs_a_classifier_head(real: ModelManager, embedding_gguf: Path) -> None:
    with pytest.raises(OptionError, match="needs a classifier head"):
        real.load(embedding_gguf, pooling="rank", n_threads=1)
    assert len(real) == 0


def test_another_pooling_makes_vectors_of_a_reranker(
    real: ModelManager, reranker_gguf: Path
) -> None:
    model = real.load(reranker_gguf, pooling="cls", n_threads=1)
    assert model.embed("ba").shape == (model.info.n_embd,)


def test_an_old_file_becomes_a_reranker_by_option(
    real: ModelManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.architectures._write_classes", lambda *_: None)
    path = tmp_path / "old.gguf"
    random_gguf.write_model(path, random_gguf.RECIPES["reranker"], name="old")
    assert check_file(path).kind == "embedding"
    model = real.load(path, pooling="rank", n_threads=1)
    assert len(model.rerank("a", ["b", "c"])) == 2


def test_a_trial_process_tries_the_scores(reranker_gguf: Path) -> None:
    probe.check_by_loading(check_file(reranker_gguf), file_identity([reranker_gguf]))


def test_a_head_that_makes_no_numbers_fails_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random_gguf._drawn

    def drawn(tensor: Tensor, *rest: Any) -> Any:
        return draw(tensor, *rest) * np.float32("nan" if "cls.output" in tensor.name else 1)

    monkeypatch.setattr(random_gguf, "_drawn", drawn)
    path = tmp_path / "nan.gguf"
    random_gguf.write_model(path, random_gguf.RECIPES["reranker"], name="nan")
    with pytest.raises(ModelFileError, match="not finite"):
        probe.check_by_loading(check_file(path), file_identity([path]))


def test_memory_is_reserved_as_it_is_used(reranker: Model, prompted: Model) -> None:
    whole = _reading_settings(reranker._residence.plan)
    assert (whole.n_ctx, whole.n_ubatch) == (512, 512)
    plan = prompted._residence.plan
    options = replace(plan.request.context, n_ctx=4096)
    in_steps = _reading_settings(replace(plan, request=replace(plan.request, context=options)))
    assert (in_steps.n_ctx, in_steps.n_batch, in_steps.n_ubatch) == (4096, 4096, 512)


# ---- mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "documents", "options", "message"),
    [
        pytest.param("", ["a"], {}, "query must be a text", id="empty query"),
        pytest.param(None, ["a"], {}, "query must be a text", id="no query"),
        pytest.param("a", "b", {}, "documents must be a list", id="one text"),
        pytest.param("a", 3, {}, "documents must be a list", id="a number"),
        pytest.param("a", ["b", 3], {}, r"documents\[1\] must be a str", id="a wrong document"),
        pytest.param("a", ["b"], {"top_n": 0}, "top_n=0", id="top_n 0"),
        pytest.param("a", ["b"], {"top_n": True}, "top_n=True", id="top_n a bool"),
        pytest.param("a", ["b"], {"topn": 2}, "'top_n'", id="a typo"),
    ],
)
def test_mistakes_are_named(
    query: Any, documents: Any, options: Any, message: str, reranker: Model
) -> None:
    with pytest.raises(OptionError, match=message):
        reranker.rerank(query, documents, **options)


def test_long_documents_are_cut_or_refused(reranker: Model) -> None:
    long = "ba " * 2000
    assert len(reranker.rerank("a", ["b", long])) == 2
    with pytest.raises(ContextLengthError, match=r"documents\[1\] has"):
        reranker.rerank("a", ["b", long], truncate=False)
    with pytest.raises(ContextLengthError, match="the query alone"):
        reranker.rerank(long, ["b"])


def test_long_documents_are_cut_inside_a_prompt(prompted: Model) -> None:
    long = "ba " * 2000
    assert prompted.read_scores("a", [long]).n_tokens == prompted.n_ctx == 128
    with pytest.raises(ContextLengthError):
        prompted.rerank("a", [long], truncate=False)


# ---- pairs ---------------------------------------------------------------------------------


@dataclass
class Letters:
    """A vocabulary of one token for each letter."""

    bos: int | None = 1
    eos: int | None = 2
    sep: int | None = 3
    add_bos: bool = True
    add_eos: bool = True
    add_sep: bool = True

    def tokenize(self, text: str, **_: bool) -> list[int]:
        return list(text.encode())


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        pytest.param(Letters(), [1, 97, 2, 3, 98, 2], id="roberta"),
        pytest.param(Letters(add_sep=False), [1, 97, 2, 98, 2], id="bert"),
        pytest.param(Letters(add_eos=False), [1, 97, 3, 98, 3], id="bert, old file"),
        pytest.param(Letters(eos=None), [1, 97, 3, 3, 98, 3], id="no eos"),
        pytest.param(Letters(add_bos=False), [97, 2, 3, 98, 2], id="no bos"),
    ],
)
def test_the_vocabulary_says_what_stands_between_texts(
    vocabulary: Any, expected: list[int]
) -> None:
    assert Pairing(vocabulary, None, 99).tokens("a", ["b"], truncate=True) == [expected]


def test_a_vocabulary_without_separators_makes_no_pairs() -> None:
    vocabulary: Any = Letters(add_eos=False, add_sep=False)
    with pytest.raises(OptionError, match="nothing to put between"):
        Pairing(vocabulary, None, 99).tokens("a", ["b"], truncate=True)


def _prompt_of(model: Model, query: str, document: str) -> str:
    template = model.metadata["tokenizer.chat_template.rerank"]
    (tokens,) = Pairing(model.vocab, template, 512).tokens(query, [document], truncate=True)
    return model.detokenize(tokens, special=True)


def test_the_prompt_of_the_file_is_filled_in_once(prompted: Model) -> None:
    shown = _prompt_of(prompted, "is {document} here?", "{query}")
    assert shown == (
        "<|im_start|>user\n<Query>: is {document} here?\n<Document>: {query}<|im_end|>\n"
    )


def test_control_tokens_in_a_document_are_plain_text(prompted: Model) -> None:
    template = prompted.metadata["tokenizer.chat_template.rerank"]
    pairing = Pairing(prompted.vocab, template, 512)
    (tokens,) = pairing.tokens("a", ["b<|im_end|>"], truncate=True)
    end = prompted.tokenize("<|im_end|>", add_special=False, parse_special=True)[0]
    assert tokens.count(end) == 1
    assert prompted.detokenize(tokens, special=True).count("<|im_end|>") == 2
