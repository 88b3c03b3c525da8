"""Health, props, slots and metrics: what a server does, without a word of any prompt."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llamanb.servers.native.metrics import Metric, metrics_text
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

WORD = "xyzzy-plugh"
TURN = [{"role": "user", "content": f"Hello {WORD}"}]
LLAMA_SERVER = (
    *("prompt_tokens_total", "prompt_seconds_total", "prompt_tokens_seconds"),
    *("tokens_predicted_total", "tokens_predicted_seconds_total", "predicted_tokens_seconds"),
    *("requests_processing", "requests_deferred", "n_tokens_max", "n_decode_total"),
    "n_busy_slots_per_decode",
)


@pytest.fixture
def http(demo_server: Server) -> Iterator[httpx.Client]:
    """Give a plain client of the demo model."""
    with httpx.Client(base_url=demo_server.url, timeout=30) as client:
        yield client


def _measured(client: httpx.Client) -> dict[str, float]:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def _chat(client: httpx.Client, **options: Any) -> dict[str, Any]:
    response = client.post("/v1/chat/completions", json={"messages": TURN, **options})
    assert response.status_code == 200, response.text
    usage: dict[str, Any] = response.json()["usage"]
    return usage


# ---- health --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_a_server_is_healthy(path: str, http: httpx.Client) -> None:
    assert http.get(path).json() == {"status": "ok"}


def test_health_needs_no_body(http: httpx.Client) -> None:
    response = http.head("/health")
    assert (response.status_code, response.content) == (200, b"")


def test_health_needs_no_key_and_the_rest_does(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, api_key="secret")
    assert httpx.get(f"{server.url}/health").status_code == 200
    for path in ("/metrics", "/props", "/slots"):
        assert httpx.get(f"{server.url}{path}").status_code == 401


def test_a_closed_model_is_not_healthy(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf)
    server.model.close()
    response = httpx.get(f"{server.url}/health")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_closed")


# ---- props and slots -----------------------------------------------------------------------


def test_props_say_what_llama_server_says(http: httpx.Client, demo_path: Path) -> None:
    props = http.get("/props").json()
    model = loaded(demo_path)
    settings = props["default_generation_settings"]
    assert (settings["n_ctx"], settings["params"]["temperature"]) == (model.n_ctx, 0)
    assert (settings["params"]["n_predict"], settings["params"]["seed"]) == (64, (1 << 32) - 1)
    assert props["total_slots"] == model.engine.n_seq_max
    assert props["chat_template"] == model.chat_template
    assert (props["model_path"], props["model_alias"]) == (demo_path.name, model.name)
    assert (props["bos_token"], props["eos_token"]) == (
        model.info.bos_token,
        model.info.eos_token,
    )
    assert props["is_sleeping"] is False


def test_slots_are_the_sequences_of_the_model(http: httpx.Client) -> None:
    _chat(http, max_tokens=4)
    slots = http.get("/slots").json()
    assert [slot["id"] for slot in slots] == [0, 1, 2, 3]
    assert {slot["n_ctx"] for slot in slots} == {4096}
    assert not any(slot["is_processing"] for slot in slots)
    assert max(slot["n_tokens"] for slot in slots) > 4
    assert WORD not in json.dumps(slots)


def test_a_busy_slot_is_shown_and_none_left_is_told(
    serve_model: ServeModel, slow_gguf: Path
) -> None:
    server = serve_model(slow_gguf, load={"n_ctx": 512, "n_seq_max": 1})
    body = {"messages": TURN, "stream": True, "ignore_eos": True}
    with (
        httpx.Client(base_url=server.url, timeout=30) as client,
        client.stream("POST", "/v1/chat/completions", json=body) as stream,
    ):
        lines = stream.iter_lines()
        while not re.search('"content":"[^"]', next(lines)):
            pass
        slots = httpx.get(f"{server.url}/slots").json()
        none_left = httpx.get(f"{server.url}/slots?fail_on_no_slot=1")
    assert [slot["is_processing"] for slot in slots] == [True]
    assert none_left.status_code == 503


def test_an_evicted_model_is_described_and_not_loaded(
    serve_model: ServeModel, tiny_gguf: Path
) -> None:
    server = serve_model(tiny_gguf)
    assert server.model._residence.evict()
    answers = {path: httpx.get(f"{server.url}{path}") for path in ("/health", "/props", "/slots")}
    assert answers["/health"].json() == {"status": "ok"}
    assert answers["/props"].json()["is_sleeping"] is True
    assert answers["/slots"].json() == []
    assert httpx.get(f"{server.url}/metrics").status_code == 200
    assert server.model.state == "evicted"


def test_another_model_can_be_asked_for(http: httpx.Client) -> None:
    assert http.get("/props?model=demo").json()["model_alias"] == "demo"
    for path in ("/props", "/slots"):
        assert http.get(f"{path}?model=unknown").status_code == 404


def test_props_cannot_be_changed(http: httpx.Client) -> None:
    response = http.post("/props", json={})
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("name", ["metrics", "slots"])
def test_what_is_switched_off_says_so(name: str, serve_model: ServeModel, tiny_gguf: Path) -> None:
    options: dict[str, Any] = {name: False}
    server = serve_model(tiny_gguf, **options)
    response = httpx.get(f"{server.url}/{name}")
    assert response.status_code == 501
    assert "switched off" in response.json()["error"]["message"]


# ---- metrics -------------------------------------------------------------------------------


def test_metrics_have_the_names_of_llama_server(http: httpx.Client) -> None:
    measured = _measured(http)
    assert {f"llamacpp:{name}" for name in LLAMA_SERVER} <= set(measured)
    assert measured["llamanb_model_loaded"] == 1
    assert measured["llamanb_model_memory_bytes"] > 1e6
    assert measured["llamanb_uptime_seconds"] > 0


def test_counters_count_what_was_used(http: httpx.Client) -> None:
    before = _measured(http)
    used = [_chat(http, max_tokens=4), _chat(http, max_tokens=7)]
    after = _measured(http)
    grown = {name: after[name] - before[name] for name in after}
    cached = sum(one["prompt_tokens_details"]["cached_tokens"] for one in used)
    assert cached > 0
    assert grown["llamanb_cached_tokens_total"] == cached
    assert (
        grown["llamacpp:prompt_tokens_total"] == sum(one["prompt_tokens"] for one in used) - cached
    )
    assert grown["llamacpp:tokens_predicted_total"] == sum(one["completion_tokens"] for one in used)
    assert grown["llamacpp:n_decode_total"] >= grown["llamacpp:tokens_predicted_total"]
    assert grown["llamanb_requests_total"] == 2
    assert after["llamacpp:n_tokens_max"] >= max(one["total_tokens"] for one in used) - 1
    assert after["llamacpp:n_busy_slots_per_decode"] >= 1
    assert WORD not in http.get("/metrics").text


def test_steps_over_several_streams_are_counted_as_such(
    serve_model: ServeModel, tiny_gguf: Path
) -> None:
    server = serve_model(tiny_gguf, ignore_eos=True, max_tokens=200)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        threads = [threading.Thread(target=_chat, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        measured = _measured(client)
    assert measured["llamacpp:tokens_predicted_total"] == 800
    assert 1 < measured["llamacpp:n_busy_slots_per_decode"] <= 4
    assert measured["llamacpp:requests_processing"] == 0


def test_names_of_models_are_escaped(tiny_gguf: Path, serve_model: ServeModel) -> None:
    name = 'odd "name" with \\ in it'
    server = serve_model(tiny_gguf, name=name)
    text = metrics_text(server._service)
    labels = [
        sample.labels["model"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels
    ]
    assert set(labels) == {name}


def test_a_metric_keeps_all_digits() -> None:
    from llamanb.servers.native.metrics import _written

    metric = Metric(name="x", kind="gauge", meaning="X.", samples={"": 12_345_678_901.0})
    (family,) = text_string_to_metric_families(_written(metric))
    assert family.samples[0].value == 12_345_678_901
