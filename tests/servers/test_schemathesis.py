"""Requests made up from the OpenAPI description, right and wrong ones, in both dialects.

``LLAMANB_TEST_CASES`` sets how many for each dialect (2,000 for a release).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import llamanb
from tests.corpora.bad_requests import (
    GOOD_BODIES,
    MISSING,
    STRANGE_VALUES,
    changed,
    is_told_rightly,
    places,
)
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server

N_CASES = int(os.environ.get("LLAMANB_TEST_CASES", "100"))
ANTHROPIC = "^/v1/messages|^/$|^/api/"
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def small_server(demo_path: Path) -> Iterator[Server]:
    """Give a server whose longest answer is short, whatever a request asks for."""
    with llamanb.serve(loaded(demo_path, n_ctx=256), max_tokens=4, temperature=0) as server:
        yield server


def _cases(operations: list[Any]) -> st.SearchStrategy[Any]:
    """Give requests that fit the description, that do not, and that nearly do."""
    made_up = st.tuples(st.sampled_from(operations), st.sampled_from(MODES)).flatmap(
        lambda pair: pair[0].as_strategy(generation_mode=pair[1])
    )
    known = [one for one in operations if one.method == "post" and one.path in GOOD_BODIES]
    return made_up | _nearly_right(known)


@st.composite
def _nearly_right(draw: st.DrawFn, operations: list[Any]) -> Any:
    operation = draw(st.sampled_from(operations))
    body = draw(st.sampled_from(GOOD_BODIES[operation.path]))
    for _ in range(draw(st.integers(1, 3))):
        if body:
            steps = draw(st.sampled_from([*places(body)]))
            body = changed(body, steps, draw(st.sampled_from((MISSING, *STRANGE_VALUES))))
    return operation.Case(body=body, media_type="application/json")


@pytest.mark.timeout(60 + N_CASES)
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_made_up_requests_never_break_the_server(small_server: Server, dialect: str) -> None:
    schema = schemathesis.openapi.from_url(f"{small_server.url}/openapi.json")
    choose: Any = schema.include if dialect == "anthropic" else schema.exclude
    operations = [found.ok() for found in choose(path_regex=ANTHROPIC).get_all_operations()]

    @settings(
        max_examples=N_CASES,
        deadline=None,
        database=None,
        derandomize="LLAMANB_TEST_CASES" not in os.environ,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operations))
    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert is_told_rightly(case.path, answer.json()), answer.text

    ask()
    assert small_server.queue == (0, 0)
