"""Makes a chat of what ``llamanb.chat`` was given."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from llamanb.conversation import Session
from llamanb.errors import OptionError
from llamanb.integrations.chatlas.messages import turns_of
from llamanb.integrations.chatlas.provider import LocalProvider
from llamanb.integrations.chatlas.remote import open_remote
from llamanb.integrations.chatlas.talk import LlamaChat
from llamanb.models import Model, ModelManager
from llamanb.models.chat_options import PASSED_ON
from llamanb.models.kernel import manager
from llamanb.settings import SamplingSettings, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llamanb.conversation.tools.approval import Approve

__all__ = ["Wanted", "open_chat"]

_LOAD = frozenset(inspect.signature(ModelManager.load).parameters) - {"self", "model", "timeout"}
_SAMPLING = tuple(one.name for one in fields(SamplingSettings))
_ASK = (*_SAMPLING, *PASSED_ON, "max_completion_tokens", "top_logprobs")
EXACTLY_ONE = "supply exactly one of `model` or `base_url`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What ``llamanb.chat`` was given; see there."""

    model: Any = None
    base_url: str | None = None
    system_prompt: str | None = None
    tools: Iterable[Any] = ()
    model_id: str | None = None
    api_key: str = "local"
    enable_thinking: bool | None = None
    approve: Approve | None = None
    timeout: float | str | None = 180
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def load_options(self) -> dict[str, Any]:
        """Those of ``llamanb.load``."""
        return {name: value for name, value in self.options.items() if name in _LOAD}

    @property
    def ask_options(self) -> dict[str, Any]:
        """Those of each request."""
        options = {name: value for name, value in self.options.items() if name not in _LOAD}
        if self.enable_thinking is not None:
            options["enable_thinking"] = self.enable_thinking
        return options


def open_chat(wanted: Wanted) -> LlamaChat:
    """Give the chat.

    Raises
    ------
    OptionError, ModelError, ServerError
    """
    refuse_unknown(wanted.options, [*_LOAD, *_ASK])
    if (wanted.model is None) == (wanted.base_url is None) and not _has_default(wanted):
        raise OptionError(EXACTLY_ONE)
    if wanted.base_url is not None:
        return _remote(wanted)
    return _resumed(wanted) if isinstance(wanted.model, Session) else _local(wanted)


def _has_default(wanted: Wanted) -> bool:
    """Whether a model is loaded that answers when none is named."""
    is_free = wanted.model is None and wanted.base_url is None
    return is_free and any(model.can_write for model in manager().values())


def _local(wanted: Wanted) -> LlamaChat:
    model = _loaded(wanted)
    if not model.can_write:
        raise OptionError(f"{model.name!r} cannot chat: it is loaded as {model.kind}, not to write")
    provider = LocalProvider(model, name=wanted.model_id, options=wanted.ask_options)
    return LlamaChat(
        provider,
        system_prompt=wanted.system_prompt,
        tools=wanted.tools,
        approve=wanted.approve,
    )


def _loaded(wanted: Wanted) -> Model:
    options = wanted.load_options
    if wanted.model is not None and not isinstance(wanted.model, Model):
        options["timeout"] = wanted.timeout
    return manager().load(wanted.model, **options)


def _resumed(wanted: Wanted) -> LlamaChat:
    """Take a session's talk over; it goes its own way from here."""
    session: Session = wanted.model
    if not isinstance(session.model, Model):
        raise OptionError("only a session with a loaded model can become a chat")
    said = {one: getattr(session.sampling, one) for one in _SAMPLING}
    chat = _local(
        Wanted(
            model=session.model,
            system_prompt=wanted.system_prompt or session.system_prompt,
            tools=[*session.tools.values(), *wanted.tools],
            model_id=wanted.model_id,
            enable_thinking=wanted.enable_thinking,
            approve=wanted.approve or session.approve,
            options={**said, **wanted.options},
        )
    )
    for turn in turns_of(session.messages):
        chat.add_turn(turn)
    return chat


def _remote(wanted: Wanted) -> LlamaChat:
    if wanted.load_options:
        name = next(iter(wanted.load_options))
        raise OptionError(
            f"{name}= belongs to loading a model; {wanted.base_url} has loaded its own"
        )
    provider, kwargs = open_remote(
        str(wanted.base_url),
        model_id=wanted.model_id,
        api_key=wanted.api_key,
        timeout=wanted.timeout,
        options=wanted.ask_options,
    )
    return LlamaChat(
        provider,
        system_prompt=wanted.system_prompt,
        tools=wanted.tools,
        approve=wanted.approve,
        kwargs_chat=kwargs,
    )
