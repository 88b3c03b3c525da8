"""The bodies that OpenAI's clients read: completions, and the cards of models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.openai import finish_reason_of, timings_of, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llamanb.chat_layer import Finished
    from llamanb.models import Model
    from llamanb.servers.answer import Answer

__all__ = [
    "Head",
    "merged",
    "model_card",
    "model_list",
    "text_choice",
    "text_completion",
    "text_logprobs",
    "with_function_call",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is the same in every dictionary of one answer.

    Attributes
    ----------
    n : answers to each of ``n_prompts`` prompts.
    """

    id: str
    model: str
    created: int
    system_fingerprint: str
    n: int = 1
    n_prompts: int = 1

    @classmethod
    def of(cls, answer: Answer, prefix: str) -> Head:
        """Give the head of an answer, with an id such as ``chatcmpl-…``."""
        n_prompts = len(answer.prepared)
        return cls(
            id=f"{prefix}-{answer.id_seed}",
            model=answer.model_name,
            created=answer.created,
            system_fingerprint=answer.fingerprint,
            n=len(answer.streams) // n_prompts,
            n_prompts=n_prompts,
        )

    @property
    def n_choices(self) -> int:
        """How many choices the answer has."""
        return self.n * self.n_prompts

    def over(self, kind: str, **rest: Any) -> dict[str, Any]:
        """Give a dictionary of this answer."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.system_fingerprint,
            **rest,
        }


# ---- several choices ---------------------------------------------------------------------


def merged(finished: Sequence[Finished], n: int) -> Finished:
    """Add up the usage of all choices; the ``n`` answers to one prompt count it once.

    What was cached of a prompt is what the answer that had the least of it found.
    """
    if len(finished) == 1:
        return finished[0]
    total = _summed([_of_prompt(finished[at : at + n]) for at in range(0, len(finished), n)])
    return replace(finished[0], usage=total, timings={})


def _of_prompt(answers: Sequence[Finished]) -> dict[str, int]:
    usages = [answer.usage for answer in answers]
    usage = _summed(usages)
    for name, choose in {"prompt_tokens": max, "cached_tokens": min}.items():
        usage[name] = choose(one.get(name, 0) for one in usages)
    return {**usage, "total_tokens": usage["prompt_tokens"] + usage.get("completion_tokens", 0)}


def _summed(usages: Sequence[dict[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for usage in usages for name in usage)
    return {name: sum(usage.get(name, 0) for usage in usages) for name in names}


# ---- chat completions --------------------------------------------------------------------


def with_function_call(body: dict[str, Any]) -> dict[str, Any]:
    """Say a tool call in the old words, ``function_call``; for clients that sent ``functions``."""
    for choice in body["choices"]:
        told = choice.get("delta", choice.get("message"))
        calls = told.pop("tool_calls", None)
        if calls:
            told["function_call"] = calls[0]["function"]
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "function_call"
    return body


# ---- plain completions -------------------------------------------------------------------


def text_choice(
    index: int,
    text: str,
    finished: Finished | None = None,
    logprobs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Give a choice of a plain completion, or a piece of one."""
    reason = None if finished is None else finish_reason_of(finished)
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def text_completion(
    head: Head, choices: list[dict[str, Any]], finished: Sequence[Finished] = ()
) -> dict[str, Any]:
    """Give ``text_completion``, with the usage once everything is ``finished``."""
    body = head.over("text_completion", choices=choices)
    if finished:
        whole = merged(finished, head.n)
        body["usage"] = usage_of(whole)
        body |= {"timings": timings_of(whole)} if whole.timings else {}
    return body


def text_logprobs(entries: Sequence[dict[str, Any]], offset: int) -> dict[str, Any]:
    """Give the tokens of a piece in the old shape, which begins at character ``offset``."""
    offsets, at = [], offset
    for entry in entries:
        offsets.append(at)
        at += len(entry["token"])
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [
            {one["token"]: one["logprob"] for one in entry["top_logprobs"]} for entry in entries
        ],
        "text_offset": offsets,
    }


# ---- models ------------------------------------------------------------------------------


def model_list(cards: Iterable[tuple[str, Model]], created: float) -> dict[str, Any]:
    """Give the list of models, in a body that both official SDKs read."""
    listed = [model_card(name, model, created) for name, model in cards]
    return {
        "object": "list",
        "data": listed,
        "first_id": listed[0]["id"] if listed else None,
        "last_id": listed[-1]["id"] if listed else None,
        "has_more": False,
    }


def model_card(name: str, model: Model, created: float) -> dict[str, Any]:
    """Describe a model under the name that a client knows; nothing is loaded for it.

    ``created`` is when the server began, in seconds since 1970. The size of the context
    has every name by which programs look for it.
    """
    n_ctx = _context_of(model)
    moment = datetime.fromtimestamp(int(created), UTC)
    return {
        "id": name,
        "object": "model",
        "created": int(created),
        "owned_by": "llamanb",
        "root": model.name,
        "type": "model",
        "display_name": name,
        "created_at": moment.isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "context_length": n_ctx,
        "context_window": n_ctx,
        "max_model_len": n_ctx,
        "max_input_tokens": n_ctx,
        "max_tokens": n_ctx,
        "meta": _meta(model, n_ctx),
    }


def _context_of(model: Model) -> int:
    """Give the tokens that a prompt and its answer may have: measured if loaded, else trained."""
    return int(model.perf().get("n_ctx") or model.header.n_ctx_train)


def _meta(model: Model, n_ctx: int) -> dict[str, Any]:
    """Give llama-server's figures."""
    header = model.header
    return {
        "n_vocab": header.n_vocab,
        "n_ctx": n_ctx,
        "n_ctx_train": header.n_ctx_train,
        "n_embd": header.n_embd,
        "size": header.tensor_bytes,
        "architecture": header.architecture,
        "quantization": header.quantization,
        "is_embedding": model.is_embedding,
    }
