"""Searching with a real embedding model: all-MiniLM-L6-v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from raghilda.store import DuckDBStore

import llamanb
from tests.integrations.rag_cases import add_document

if TYPE_CHECKING:
    from pathlib import Path

PETS = ["The kitten chased a ball of wool.", "Our puppy sleeps in the kitchen."]
BANK = ["Interest rates rose again this quarter.", "Shares fell after the announcement."]
CODES = [
    "Error QX7731: full disk.",
    "Error QX7713: loose cable.",
    "Error QX7371: wrong clock.",
    "Error QX1773: stuck fan.",
    "Error QX3177: open lid.",
]


@pytest.fixture
def real(minilm_gguf: Path) -> Any:
    """Give a provider of a real model."""
    return llamanb.rag.EmbeddingLlama(llamanb.load(minilm_gguf, n_threads=1))


def test_a_real_model_knows_what_is_alike(real: Any) -> None:
    vectors = np.array(real.embed(["cat", "kitten", "The stock market fell."]))
    alike = vectors @ vectors.T
    assert alike[0, 1] == pytest.approx(0.788, abs=0.01)  # what sentence-transformers gives
    assert alike[0, 2] < 0.2


def test_meaning_and_words_together_find_more_than_each_alone(tmp_path: Path, real: Any) -> None:
    store = DuckDBStore.create(tmp_path / "mixed.duckdb", embed=real)
    for origin, texts in (("pets", PETS), ("bank", BANK), ("codes", CODES)):
        add_document(store, origin, texts)
    # the first two share no word with their answers, and to a model all codes look alike
    wanted = {
        "a young cat at play": PETS[0],
        "stocks went down": BANK[1],
        "What is QX7731?": CODES[0],
        "What is QX7371?": CODES[2],
    }
    retriever = llamanb.rag.Retriever(store)

    def right(search: Any) -> int:
        return sum(search(question) == answer for question, answer in wanted.items())

    def by_words(question: str) -> str | None:
        found = llamanb.rag.Retriever(store)._by_words(question, 1)
        return found[0].text if found else None

    by_meaning = right(lambda question: store.retrieve_vss(question, 1)[0].text)
    both = right(lambda question: retriever.retrieve(question, 1)[0].text)
    assert (both, both > by_meaning, both > right(by_words)) == (4, True, True)
    store.con.close()
