"""Bodies that are wrong: each is told so in the right shape, and none hurts the server."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.corpora.bad_requests import GOOD_BODIES, broken_texts, is_told_rightly, mutations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.servers import Server

SAMPLE = 150  # of several thousand for each address; the seed below makes it the same always
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(demo_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_server.url, timeout=50, headers=JSON) as client:
        yield client


def _sample(path: str) -> list[tuple[str, dict[str, Any]]]:
    every = [one for body in GOOD_BODIES[path] for one in mutations(body)]
    return random.Random(1).sample(every, min(SAMPLE, len(every)))  # noqa: S311  # a choice of tests


@pytest.mark.parametrize(
    "path", sorted(GOOD_BODIES.keys() - {"/v1/rerank"})
)  # the demo cannot rerank
def test_good_bodies_are_good(client: httpx.Client, path: str) -> None:
    for body in GOOD_BODIES[path]:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", GOOD_BODIES)
def test_what_is_not_json_is_400_in_the_right_shape(client: httpx.Client, path: str) -> None:
    for text in broken_texts(GOOD_BODIES[path][0]):
        answer = client.post(path, content=text)
        assert answer.status_code == 400, (text[:80], answer.text)
        assert is_told_rightly(path, answer.json()), answer.text


@pytest.mark.parametrize("path", GOOD_BODIES)
def test_strange_values_are_answered_or_told_in_the_right_shape(
    client: httpx.Client, path: str
) -> None:
    for name, body in _sample(path):
        answer = client.post(path, json=body)
        assert answer.status_code < 500, (name, answer.text)
        assert answer.status_code == 200 or is_told_rightly(path, answer.json()), (
            name,
            answer.text,
        )
