"""What chatlas costs for each piece over the engine: in the kernel, and over HTTP.

Counted is processor time, because the engine writes the next piece meanwhile: of the
reading thread in the kernel, of all threads (client, server, engine) over HTTP.
"""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, alone
from tests.benchmarks.sides import SAMPLING
from tests.support.random_gguf import model_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llamanb.integrations.chatlas.talk import LlamaChat
    from llamanb.models import Model
    from tests.benchmarks.plan import Plan

__all__ = ["first_http", "first_native", "http", "measure", "native"]

GOAL_US = 150
ROUNDS = 3
QUESTION = "ba be bi"


def measure(plan: Plan) -> list[Row]:
    """Give µs for each piece beyond the engine's own, and ms to the first one."""
    options = plan.options(n_threads=1, n_ctx=4096, n_tokens=min(1500, plan.n_tokens * 8))
    options["path"] = str(model_path("tiny-readable"))
    rows = (
        ("one piece of chatlas over the engine", "µs", "native", GOAL_US),
        ("one piece of chatlas over HTTP", "µs", "http", None),
        ("first piece of chatlas", "ms", "first_native", None),
        ("first piece of chatlas over HTTP", "ms", "first_http", None),
    )
    return [
        alone(name, unit, f"chatlas_chunks:{side}", options, runs=plan.runs, goal=goal)
        for name, unit, side, goal in rows
    ]


def native(options: dict[str, Any]) -> float:
    """Measure ``llamanb.chat(model)``."""
    return _in_kernel(options, partial(_beyond_the_engine, time.thread_time))


def first_native(options: dict[str, Any]) -> float:
    """Measure the time to its first piece."""
    return _in_kernel(options, lambda _, chat: _first_ms(chat))


def http(options: dict[str, Any]) -> float:
    """Measure ``llamanb.chat(base_url=…)``, the server in the same kernel."""
    return _over_http(options, partial(_beyond_the_engine, time.process_time))


def first_http(options: dict[str, Any]) -> float:
    """Measure the time to its first piece."""
    return _over_http(options, lambda _, chat: _first_ms(chat))


def _in_kernel(options: dict[str, Any], measured: Callable[[Model, LlamaChat], float]) -> float:
    import llamanb

    model = _load(options)
    with llamanb.chat(model, **_asked(options)) as chat:
        return measured(model, chat)


def _over_http(options: dict[str, Any], measured: Callable[[Model, LlamaChat], float]) -> float:
    import llamanb

    model = _load(options)
    with (
        llamanb.serve(model) as server,
        llamanb.chat(base_url=server.base_url, **_asked(options)) as chat,
    ):
        return measured(model, chat)


def _load(options: dict[str, Any]) -> Model:
    import llamanb

    return llamanb.load(
        options["path"],
        n_ctx=options["n_ctx"],
        n_seq_max=1,
        n_threads=options["n_threads"],
        progress=False,
    )


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    n_tokens = max(256, options["n_tokens"])
    return {**SAMPLING, "seed": 1, "ignore_eos": True, "max_tokens": n_tokens}


def _beyond_the_engine(clock: Callable[[], float], model: Model, chat: LlamaChat) -> float:
    """Give the µs for each piece, those of the engine taken off; the best of some rounds."""
    asked = {**getattr(chat.provider, "_options", {}), **_flat(chat.kwargs_chat)}
    prompt = model.chat_build([{"role": "user", "content": QUESTION}])
    alone_s, _ = min(_cost(clock, model.stream(prompt, **asked)) for _ in range(ROUNDS))
    chat_s, n_pieces = min(_cost(clock, _fresh(chat)) for _ in range(ROUNDS))
    return 1e6 * (chat_s - alone_s) / n_pieces


def _flat(options: dict[str, Any]) -> dict[str, Any]:
    """Give a request's options without OpenAI's envelope."""
    return {
        **{k: v for k, v in options.items() if k != "extra_body"},
        **options.get("extra_body", {}),
    }


def _fresh(chat: LlamaChat) -> Iterable[str]:
    chat.set_turns([])
    return chat.stream(QUESTION)


def _cost(clock: Callable[[], float], pieces: Iterable[str]) -> tuple[float, int]:
    with warnings.catch_warnings():  # chatlas warns that max_tokens was reached
        warnings.simplefilter("ignore")
        started = clock()
        count = sum(1 for _ in pieces)
        return clock() - started, count


def _first_ms(chat: LlamaChat) -> float:
    taken = []
    for _ in range(2 * ROUNDS):
        started = time.perf_counter()
        pieces: Any = iter(_fresh(chat))
        next(pieces)
        taken.append(time.perf_counter() - started)
        pieces.close()
    return 1000 * min(taken)
