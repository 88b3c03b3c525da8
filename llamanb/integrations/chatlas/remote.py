"""A server that speaks OpenAI's chat completions, as chatlas reaches it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import openai
from chatlas import ChatOpenAICompletions

from llamanb.errors import OptionError, ServerError
from llamanb.models.plan import read_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chatlas import Provider

__all__ = ["open_remote"]

# OpenAI's own fields; the others are llama.cpp's, which travel in the extra body
_OPENAI = frozenset(
    {
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop"),
        *("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"),
        *("tool_choice", "parallel_tool_calls"),
    }
)
_NOT_SERVED = frozenset({"affinity", "regex", "choices"})


def open_remote(
    base_url: str,
    *,
    model_id: str | None,
    api_key: str,
    timeout: float | str | None,
    options: Mapping[str, Any],
) -> tuple[Provider[Any, Any, Any, Any], dict[str, Any]]:
    """Give a provider for a server, and what each request is to say.

    Raises
    ------
    OptionError
        If the address is none, or an option is not for servers.
    ServerError
        If nobody answers there.
    """
    kwargs = _request_options(options)
    url = _checked_url(base_url)
    client: Any = {"max_retries": 0}
    if timeout is not None:
        client["timeout"] = read_seconds("timeout", timeout)

    chat = ChatOpenAICompletions(base_url=url, model=model_id or "", api_key=api_key, kwargs=client)
    provider = _with_plain_errors(chat.provider, url)
    if not model_id:
        provider.model = _first_model(provider, url)
    return provider, kwargs


def _checked_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise OptionError(
            f"base_url={base_url!r} is not possible: it must be like http://127.0.0.1:11434/v1"
        )
    return base_url if parts.path.strip("/") else f"{base_url.rstrip('/')}/v1"


def _request_options(options: Mapping[str, Any]) -> dict[str, Any]:
    for name in _NOT_SERVED & options.keys():
        raise OptionError(f"{name}= needs a model of this kernel; a server does not take it")
    own = {name: value for name, value in options.items() if name in _OPENAI}
    extra = {name: value for name, value in options.items() if name not in _OPENAI}
    if "enable_thinking" in extra:
        given = extra.get("chat_template_kwargs") or {}
        thinks = {"enable_thinking": extra.pop("enable_thinking")}
        extra["chat_template_kwargs"] = {**given, **thinks}
    return {**own, "extra_body": extra} if extra else own


def _first_model(provider: Provider[Any, Any, Any, Any], url: str) -> str:
    with _plain_errors(url):
        models = provider.list_models()
    if not models:
        raise ServerError(f"{url} has no model to ask")
    return models[0]["id"]


def _with_plain_errors(
    provider: Provider[Any, Any, Any, Any], url: str
) -> Provider[Any, Any, Any, Any]:
    """Let a provider say which server does not answer."""
    perform, perform_async = provider.chat_perform, provider.chat_perform_async

    def chat_perform(**options: Any) -> Any:
        with _plain_errors(url):
            return perform(**options)

    async def chat_perform_async(**options: Any) -> Any:
        with _plain_errors(url):
            return await perform_async(**options)

    vars(provider).update(chat_perform=chat_perform, chat_perform_async=chat_perform_async)
    return provider


@contextmanager
def _plain_errors(url: str) -> Iterator[None]:
    try:
        yield
    except openai.APITimeoutError as error:
        raise ServerError(
            f"{url} did not answer in time; give llamanb.chat a larger timeout"
        ) from error
    except openai.APIConnectionError as error:
        raise ServerError(f"no server answers at {url}: is it running?") from error
    except openai.AuthenticationError as error:
        raise ServerError(f"{url} refuses this api_key") from error
