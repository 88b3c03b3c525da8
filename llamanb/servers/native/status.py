"""What a server and its models are doing; nothing is loaded to say it, no text is shown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from llamanb.models import Model
    from llamanb.servers.served_models import ServedModels
    from llamanb.settings import SamplingSettings, ServerSettings

__all__ = ["health", "props", "slots"]

ANY_SEED = (1 << 32) - 1  # how llama-server says "a new one each time"
NO_LIMIT = -1


def health(models: ServedModels) -> dict[str, str]:
    """Say that the default model can be asked; an evicted one is loaded when it is.

    Raises
    ------
    Refusal
        503 while it is being loaded, and after it was closed.
    """
    state = models.default.state
    if state in ("loading", "closed"):
        message = "Loading model" if state == "loading" else "the model was closed"
        raise Refusal(message, status=503, kind="unavailable_error", code=f"model_{state}")
    return {"status": "ok"}


def props(name: str, model: Model, settings: ServerSettings, version: str) -> dict[str, Any]:
    """Give the facts that llama-server's clients read; the path is the file's name only."""
    figures = model.perf()
    return {
        "default_generation_settings": {
            "id": 0,
            "id_task": -1,
            "n_ctx": figures.get("n_ctx", 0),
            "speculative": False,
            "is_processing": figures.get("running", 0) > 0,
            "params": _parameters(settings.sampling, settings.max_tokens),
        },
        "total_slots": figures.get("n_seq_max", 0),
        "model_alias": name,
        "model_path": Path(model.path).name,
        "modalities": {"vision": False, "audio": False},
        "chat_template": settings.chat_template or model.chat_template or "",
        "chat_template_caps": {},
        **_special_tokens(model),
        "build_info": f"llamanb-{version}",
        "is_sleeping": model.state == "evicted",
    }


def _parameters(sampling: SamplingSettings, max_tokens: int | None) -> dict[str, Any]:
    limit = NO_LIMIT if max_tokens is None else max_tokens
    seed = ANY_SEED if sampling.seed is None else sampling.seed
    given = {**asdict(sampling), "stop": list(sampling.stop), "logit_bias": []}
    return {**given, "n_predict": limit, "max_tokens": limit, "seed": seed, "stream": True}


def _special_tokens(model: Model) -> dict[str, str]:
    """Give the texts of bos and eos, if the weights are there to say them."""
    if model.state not in ("idle", "busy"):
        return {"bos_token": "", "eos_token": ""}
    return {"bos_token": model.info.bos_token, "eos_token": model.info.eos_token}


def slots(model: Model, *, fail_on_no_slot: bool = False) -> list[dict[str, Any]]:
    """Give each sequence of a model's context; none if it is evicted.

    Raises
    ------
    Refusal
        503 with ``fail_on_no_slot`` if all are in use.
    """
    figures = model.perf()
    answering = figures.get("answering", ())
    if fail_on_no_slot and answering and all(answering):
        raise Refusal("no slot available", status=503, kind="unavailable_error")
    return [
        {
            "id": number,
            "id_task": -1,
            "n_ctx": figures["n_ctx"],
            "speculative": False,
            "is_processing": is_answering,
            "n_tokens": n_tokens,
        }
        for number, (is_answering, n_tokens) in enumerate(
            zip(answering, figures.get("used", ()), strict=True)
        )
    ]
