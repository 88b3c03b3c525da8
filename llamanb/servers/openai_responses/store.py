"""Responses that were made, for ``previous_response_id`` and for reading them again.

They are kept in memory, a bounded number of them and of bytes, and go with the server.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ResponseStore", "StoredResponse"]

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """One response and the conversation that it ends.

    Attributes
    ----------
    input_items : what its own request said.
    history : all items up to and with its output, those of earlier responses too.
    n_bytes : the size of the history as JSON.
    """

    response: dict[str, Any]
    input_items: tuple[Item, ...]
    history: tuple[Item, ...]
    n_bytes: int


class ResponseStore:
    """The last responses of one server; only its event loop touches it.

    Stages: ``put`` when a response is complete → ``get`` and ``item`` → forgotten, by
    ``delete`` or when there are too many.

    Parameters
    ----------
    limit : how many responses are kept at most.
    max_bytes : how much their conversations may take up together. What several share
        counts for each, so the true size is smaller.
    """

    def __init__(self, *, limit: int = 512, max_bytes: int = 64 << 20) -> None:
        self._limit, self._max_bytes = limit, max_bytes
        self._kept: OrderedDict[str, StoredResponse] = OrderedDict()
        self._items: dict[str, Item] = {}
        self._n_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(
        self,
        response: dict[str, Any],
        input_items: Sequence[Item],
        earlier: StoredResponse | None = None,
    ) -> None:
        """Keep a response, and forget the oldest if there are too many."""
        new = (*input_items, *response["output"])
        kept = StoredResponse(
            response=response,
            input_items=tuple(input_items),
            history=(*(earlier.history if earlier else ()), *new),
            n_bytes=_size(new) + (earlier.n_bytes if earlier else 0),
        )
        self._kept[response["id"]] = kept
        self._n_bytes += kept.n_bytes
        self._items.update({item["id"]: item for item in new})
        while len(self._kept) > self._limit or self._n_bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    def get(self, response_id: str) -> StoredResponse:
        """Give a response.

        Raises
        ------
        Refusal
            404 if it was never kept, or is forgotten.
        """
        kept = self._kept.get(response_id)
        if kept is None:
            raise Refusal(f"Response with id {response_id!r} not found.", status=404)
        self._kept.move_to_end(response_id)
        return kept

    def previous(self, response_id: str) -> StoredResponse:
        """Give the response that a new one goes on from.

        Raises
        ------
        Refusal
            400 if there is none.
        """
        if response_id not in self._kept:
            raise Refusal(
                f"Previous response with id {response_id!r} not found. Only the last ones are "
                "kept, and none that was made with store=false; send the whole input instead.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return self.get(response_id)

    def item(self, item_id: str, place: str) -> Item:
        """Give the item that an ``item_reference`` at ``place`` means.

        Raises
        ------
        Refusal
            404 if there is none.
        """
        found = self._items.get(item_id)
        if found is None:
            raise Refusal(
                f"{place}: Item with id {item_id!r} not found. Items are not kept when `store` "
                "is false; send the item itself instead.",
                status=404,
                param=place,
            )
        return found

    def delete(self, response_id: str) -> None:
        """Forget a response.

        Raises
        ------
        Refusal
            404 if there is none.
        """
        self.get(response_id)
        self._forget(response_id)

    def _forget(self, response_id: str) -> None:
        kept = self._kept.pop(response_id)
        self._n_bytes -= kept.n_bytes
        own: tuple[Item, ...] = (*kept.input_items, *kept.response["output"])
        for item in own:
            if self._items.get(item["id"]) is item:  # else a later response has it, too
                del self._items[item["id"]]


def _size(items: Sequence[Item]) -> int:
    return sum(len(json.dumps(item)) for item in items)
