"""Whether a model is to reason before it answers, in all the ways that clients say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from llamanb.servers.openai.requests import ChatRequest

__all__ = ["read_thinking"]

_NO_EFFORT = ("none", "minimal")
_KINDS = {"enabled": True, "adaptive": True, "auto": None, "disabled": False}


def read_thinking(body: ChatRequest, *, is_forced: bool) -> dict[str, Any]:
    """Give ``enable_thinking`` and the other variables of the template.

    The first of these counts: ``chat_template_kwargs.enable_thinking``,
    ``enable_thinking``, ``thinking``, ``reasoning_effort``. Templates that know
    efforts are told theirs. A forced call is not thought about unless one of the
    first three asks for it.
    """
    variables = dict(body.chat_template_kwargs or {})
    choices = (_variable(variables), body.enable_thinking, _kind(body))
    wanted = next((choice for choice in choices if choice is not None), None)
    if wanted is None:
        wanted = False if is_forced else _by_effort(body.reasoning_effort)
    if body.reasoning_effort not in (None, *_NO_EFFORT):
        variables.setdefault("reasoning_effort", body.reasoning_effort)
    return {"enable_thinking": wanted, "chat_template_kwargs": variables or None}


def _by_effort(effort: str | None) -> bool | None:
    return None if effort is None else effort not in _NO_EFFORT


def _variable(variables: dict[str, Any]) -> bool | None:
    wanted = variables.pop("enable_thinking", None)
    if isinstance(wanted, bool | None):
        return wanted
    place = "chat_template_kwargs.enable_thinking"
    raise Refusal(f"{place} must be true or false", param=place)


def _kind(body: ChatRequest) -> bool | None:
    """Read ``thinking``: true, or ``{"type": "enabled"}`` as other services have it."""
    if not isinstance(body.thinking, dict):
        return body.thinking
    kind = body.thinking.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        known = ", ".join(map(repr, _KINDS))
        raise Refusal(f"thinking.type must be one of {known}", param="thinking")
    return _KINDS[kind]
