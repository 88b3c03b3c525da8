"""OpenCode against a server of this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.integrations.json_files import added_to_file, merged, write_object
from llamanb.integrations.programs import KEY_VARIABLE, chat_name, require_api, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers import Server

__all__ = ["opencode", "opencode_config"]

PROVIDER = "llamanb"
SCHEMA = "https://opencode.ai/config.json"
ADAPTER = "@ai-sdk/openai-compatible"  # comes with OpenCode
CHOICES = ("$schema", "model", "small_model")
MOST_OUTPUT = 8192
INLINE = "OPENCODE_CONFIG_CONTENT"


def opencode_config(
    srv: Server, path: str | os.PathLike[str] | None = "opencode.json", *, merge: bool = True
) -> dict[str, Any]:
    """Write a server into OpenCode's settings; give what the file holds now.

    OpenCode reads ``opencode.json`` of the folder it is started in. Everything
    that is in the file stays, also a ``model`` that was chosen there. A key of the
    server is not written down: the file names the variable ``LLAMANB_API_KEY``.

    Parameters
    ----------
    path : the file; None writes nothing.
    merge : False writes the file anew, whatever it held.

    Raises
    ------
    OptionError
        If the file is not plain JSON (it is then as it was) or cannot be written,
        or the server does not speak OpenAI's dialect or has no chat model.

    Examples
    --------
    >>> llamanb.clients.opencode_config(srv)["model"]
    'llamanb/demo'
    """
    ours = _config(srv)
    if path is None:
        return ours
    if not merge:
        write_object(Path(path), ours)
        return ours
    return added_to_file(Path(path), ours, keeps=_is_chosen)


def opencode(srv: Server, args: Sequence[str] = ()) -> int:
    """Run ``opencode`` against a server and give its exit code.

    Nothing is written: the settings travel in its environment, over its own.

    Raises
    ------
    MissingExtraError
        If OpenCode is not installed.
    OptionError
        As :func:`opencode_config`.

    Examples
    --------
    >>> llamanb.clients.opencode(srv, ["run", "What is in this folder?"])
    """
    environment = {
        INLINE: json.dumps(merged(_inline_config(), _config(srv), where=INLINE)),
        KEY_VARIABLE: srv.api_key or "local",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }
    return run_program("opencode", args, environment=environment)


def _config(srv: Server) -> dict[str, Any]:
    require_api(srv, "openai", "OpenCode")
    name = chat_name(srv)
    key = f"{{env:{KEY_VARIABLE}}}" if srv.api_key else "local"
    limit = {"context": srv.n_ctx, "output": min(MOST_OUTPUT, srv.n_ctx // 4)}
    provider = {
        "npm": ADAPTER,
        "name": "llamanb (this machine)",
        "options": {"baseURL": srv.base_url, "apiKey": key},
        "models": {name: {"name": name, "tool_call": True, "limit": limit}},
    }
    chosen = f"{PROVIDER}/{name}"
    return {
        "$schema": SCHEMA,
        "model": chosen,
        "small_model": chosen,  # titles stay on this machine, too
        "provider": {PROVIDER: provider},
    }


def _is_chosen(name: str, value: object) -> bool:
    """Whether somebody chose this, and not an earlier server that may be gone."""
    return name in CHOICES and not str(value).startswith(f"{PROVIDER}/")


def _inline_config() -> dict[str, Any]:
    """Give the settings that the user's own environment holds already."""
    try:
        known = json.loads(os.environ.get(INLINE) or "{}")
    except ValueError as error:
        raise OptionError(f"the variable {INLINE} is not JSON: {error}") from None
    if not isinstance(known, dict):
        raise OptionError(f"the variable {INLINE} is not a JSON object")
    return known
