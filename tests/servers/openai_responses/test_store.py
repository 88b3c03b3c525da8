"""What is kept of responses: bounded, and whole while it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.servers.openai_responses.responses import item_list
from llamanb.servers.openai_responses.store import ResponseStore
from llamanb.servers.problems import Refusal


def message(item_id: str, text: str = "Hi") -> dict[str, Any]:
    return {"id": item_id, "type": "message", "role": "user", "content": text}


def put(store: ResponseStore, name: str, *, after: str | None = None, text: str = "Hi") -> None:
    response = {"id": name, "output": [message(f"out_{name}", text)]}
    store.put(response, [message(f"in_{name}", text)], store.get(after) if after else None)


def test_a_response_brings_the_whole_conversation_before_it() -> None:
    store = ResponseStore()
    put(store, "a")
    put(store, "b", after="a")
    assert [item["id"] for item in store.get("b").history] == ["in_a", "out_a", "in_b", "out_b"]
    assert [item["id"] for item in store.get("b").input_items] == ["in_b"]


def test_the_response_not_used_for_longest_is_forgotten() -> None:
    store = ResponseStore(limit=2)
    put(store, "a")
    put(store, "b")
    store.get("a")
    put(store, "c")
    with pytest.raises(Refusal, match="'b' not found"):
        store.get("b")
    assert len(store) == 2


def test_a_conversation_outlives_its_forgotten_beginning() -> None:
    store = ResponseStore(limit=1)
    put(store, "a")
    put(store, "b", after="a")
    assert len(store) == 1
    assert len(store.get("b").history) == 4


def test_bytes_are_bounded_too() -> None:
    store = ResponseStore(max_bytes=1000)
    for name in "abc":
        put(store, name, text="x" * 200)
    assert len(store) == 1
    put(store, "d", text="x" * 2000)
    assert len(store) == 0


def test_items_go_with_their_response() -> None:
    store = ResponseStore()
    put(store, "a")
    assert store.item("out_a", "input[0]")["id"] == "out_a"
    store.delete("a")
    with pytest.raises(Refusal, match="Item with id 'out_a' not found"):
        store.item("out_a", "input[0]")


def test_an_item_that_a_later_response_repeats_stays() -> None:
    store = ResponseStore()
    put(store, "a")
    again = store.item("out_a", "input[0]") | {"again": True}
    store.put({"id": "b", "output": []}, [again])
    store.delete("a")
    assert store.item("out_a", "input[0]")["again"] is True


@pytest.mark.parametrize(("method", "status"), [("get", 404), ("delete", 404), ("previous", 400)])
def test_what_is_not_kept_is_not_found(method: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        getattr(ResponseStore(), method)("nobody")
    assert refused.value.problem.status == status


@pytest.mark.parametrize(
    ("after", "is_newest_first", "ids", "has_more"),
    [
        pytest.param(None, False, ["0", "1"], True, id="first"),
        pytest.param("1", False, ["2", "3"], True, id="middle"),
        pytest.param("3", False, ["4"], False, id="last"),
        pytest.param(None, True, ["4", "3"], True, id="newest-first"),
    ],
)
def test_items_are_listed_in_pages(
    after: str | None, is_newest_first: bool, ids: list[str], has_more: bool
) -> None:
    items = [message(str(number)) for number in range(5)]
    page = item_list(items, after=after, limit=2, is_newest_first=is_newest_first)
    assert [item["id"] for item in page["data"]] == ids
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[0], ids[-1], has_more)
