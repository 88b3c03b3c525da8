"""``/metrics`` in Prometheus' text format: llama-server's names, and some of our own.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llamanb.models import Model
    from llamanb.servers.request_log import Totals
    from llamanb.servers.service import Service

__all__ = ["CONTENT_TYPE", "Metric", "metrics_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("idle", "busy", "loading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measure; ``samples`` are its values by the model they are of ("" for none)."""

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    samples: dict[str, float]


def metrics_text(service: Service) -> str:
    """Give what the server did since it began, and what it is doing; nothing is loaded."""
    totals = service.log.totals
    figures = {name: model.perf() for name, model in service.models.cards()}
    metrics = [
        *_of_tokens(totals),
        *_of_engines(list(figures.values())),
        *_of_requests(totals, time.time() - service.started),
        *_of_models(service.models.cards(), figures),
    ]
    return "".join(map(_written, metrics))


# ---- what is measured --------------------------------------------------------------------


def _of_tokens(totals: Totals) -> Iterator[Metric]:
    read = totals.prompt_tokens - totals.cached_tokens
    written = totals.completion_tokens
    rows: tuple[tuple[str, str, str, float], ...] = (
        ("prompt_tokens_total", "counter", "Prompt tokens computed.", read),
        ("prompt_seconds_total", "counter", "Seconds spent on prompts.", totals.prompt_s),
        ("prompt_tokens_seconds", "gauge", "Prompt tokens per second.", _rate(read, totals.prompt_s)),
        ("tokens_predicted_total", "counter", "Tokens generated.", written),
        (
            *("tokens_predicted_seconds_total", "counter", "Seconds spent on generating."),
            totals.generation_s,
        ),
        (
            *("predicted_tokens_seconds", "gauge", "Generated tokens per second."),
            _rate(written, totals.generation_s),
        ),
    )  # fmt: skip
    yield from map(_of_llama_server, rows)


def _of_engines(figures: list[dict[str, Any]]) -> Iterator[Metric]:
    n_decodes = sum(one.get("n_decodes", 0) for one in figures)
    n_parts = sum(one.get("n_parts", 0) for one in figures)
    running, waiting = (sum(one.get(key, 0) for one in figures) for key in ("running", "waiting"))
    longest = max((one.get("most_used", 0) for one in figures), default=0)
    rows: tuple[tuple[str, str, str, float], ...] = (
        ("requests_processing", "gauge", "Requests being answered.", running),
        ("requests_deferred", "gauge", "Requests that wait for their turn.", waiting),
        ("n_decode_total", "counter", "Steps computed by the loaded contexts.", n_decodes),
        ("n_tokens_max", "gauge", "Most tokens that a sequence has had.", longest),
        (
            *("n_busy_slots_per_decode", "gauge", "Sequences in a step, on average."),
            _rate(n_parts, n_decodes),
        ),
    )
    yield from map(_of_llama_server, rows)


def _of_llama_server(row: tuple[str, str, str, float]) -> Metric:
    name, kind, meaning, value = row
    known: Literal["counter", "gauge"] = "counter" if kind == "counter" else "gauge"
    return Metric(name=f"llamacpp:{name}", kind=known, meaning=meaning, samples={"": value})


def _of_requests(totals: Totals, uptime_s: float) -> Iterator[Metric]:
    sums: dict[str, tuple[str, float]] = {
        "requests_total": ("Requests that have ended.", totals.requests),
        "request_errors_total": ("Requests that were refused or failed.", totals.errors),
        "requests_cancelled_total": ("Requests whose client went away.", totals.cancelled),
        "request_seconds_total": ("Seconds from arrival to end, summed.", totals.seconds),
        "cached_tokens_total": ("Prompt tokens found in memory.", totals.cached_tokens),
    }
    for name, (meaning, value) in sums.items():
        yield Metric(name=f"llamanb_{name}", kind="counter", meaning=meaning, samples={"": value})
    yield _gauge("uptime_seconds", "Seconds since the server began.", {"": uptime_s})


def _of_models(
    cards: Iterable[tuple[str, Model]], figures: dict[str, dict[str, Any]]
) -> Iterator[Metric]:
    loaded = {name: float(model.state in STATES) for name, model in cards}
    yield _gauge("model_loaded", "Whether the model is in memory.", loaded)
    for key, name, meaning in (
        ("memory_bytes", "model_memory_bytes", "Bytes of weights and contexts."),
        ("running", "model_requests_processing", "Requests that the model answers."),
        ("waiting", "model_requests_deferred", "Requests that wait for the model."),
        ("tokens_per_s", "model_tokens_per_second", "Tokens per second, lately."),
        ("n_ctx", "model_context_tokens", "Tokens that one sequence can hold."),
    ):
        yield _gauge(name, meaning, {model: one.get(key, 0) for model, one in figures.items()})
    used = {model: float(sum(one.get("used", ()))) for model, one in figures.items()}
    yield _gauge("model_resident_tokens", "Tokens in the memory of all sequences.", used)


def _gauge(name: str, meaning: str, samples: dict[str, float]) -> Metric:
    return Metric(name=f"llamanb_{name}", kind="gauge", meaning=meaning, samples=samples)


def _rate(amount: float, per: float) -> float:
    return amount / per if per else 0.0


# ---- how it is written -------------------------------------------------------------------


def _written(metric: Metric) -> str:
    head = f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} {metric.kind}\n"
    lines = (f"{metric.name}{_labels(model)} {value}\n" for model, value in metric.samples.items())
    return head + "".join(lines)


def _labels(model: str) -> str:
    if not model:
        return ""
    escaped = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{model="{escaped}"}}'
