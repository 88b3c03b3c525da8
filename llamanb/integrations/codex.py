"""Codex against a server of this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llamanb.integrations.programs import KEY_VARIABLE, chat_name, require_api, run_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llamanb.servers import Server

__all__ = ["codex", "codex_config"]

PROVIDER = "llamanb"
ONE_HOUR_MS = 3_600_000

Value = str | int | bool


def codex_config(srv: Server) -> str:
    """Give the text of a ``config.toml`` with which Codex uses a server.

    It belongs into ``~/.codex/config.toml``. If the server asks for a key, Codex
    reads it from the variable ``LLAMANB_API_KEY``.

    Raises
    ------
    OptionError
        If the server does not speak OpenAI's dialect, or has no chat model.

    Examples
    --------
    >>> print(llamanb.clients.codex_config(srv))
    """
    lines = [f"{key} = {_toml(value)}" for key, value in _settings(srv).items()]
    lines += ["", f"[model_providers.{PROVIDER}]"]
    lines += [f"{key} = {_toml(value)}" for key, value in _provider(srv).items()]
    return "\n".join(lines) + "\n"


def codex(srv: Server, args: Sequence[str] = ()) -> int:
    """Run ``codex`` against a server and give its exit code.

    Nothing is written: the settings travel on its command line, over its own.

    Raises
    ------
    MissingExtraError
        If Codex is not installed.
    OptionError
        As :func:`codex_config`.

    Examples
    --------
    >>> llamanb.clients.codex(srv, ["exec", "What is in this folder?"])
    """
    environment = {KEY_VARIABLE: srv.api_key} if srv.api_key else {}
    return run_program("codex", [*_overrides(srv), *args], environment=environment)


def _settings(srv: Server) -> dict[str, Value]:
    require_api(srv, "openai", "Codex")
    return {
        "model": chat_name(srv),
        "model_provider": PROVIDER,
        "model_context_window": srv.n_ctx,
        "model_auto_compact_token_limit": srv.n_ctx * 3 // 4,
        "web_search": "disabled",  # it is done by OpenAI's servers
        "check_for_update_on_startup": False,
    }


def _provider(srv: Server) -> dict[str, Value]:
    key: dict[str, Value] = {"env_key": KEY_VARIABLE} if srv.api_key else {}
    return {
        "name": "llamanb (this machine)",
        "base_url": srv.base_url,
        "wire_api": "responses",
        "stream_idle_timeout_ms": ONE_HOUR_MS,  # a long prompt takes minutes on a processor
        **key,
    }


def _overrides(srv: Server) -> Iterator[str]:
    for key, value in _settings(srv).items():
        yield from ("-c", f"{key}={_toml(value)}")
    for key, value in _provider(srv).items():
        yield from ("-c", f"model_providers.{PROVIDER}.{key}={_toml(value)}")


def _toml(value: Value) -> str:
    """Write a value as TOML, whose strings and numbers are JSON's."""
    return json.dumps(value)
