"""Start a program that talks to a server, and give its exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
from types import MappingProxyType
from typing import TYPE_CHECKING

from llamanb.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llamanb.servers import Server

__all__ = ["KEY_VARIABLE", "chat_name", "find_program", "require_api", "run_program"]

KEY_VARIABLE = "LLAMANB_API_KEY"
LOOPBACK = "127.0.0.1,localhost,::1"
STOP_S = 5.0
PACKAGES = MappingProxyType(
    {
        "claude": "@anthropic-ai/claude-code",
        "codex": "@openai/codex",
        "opencode": "opencode-ai",
    }
)


def chat_name(srv: Server) -> str:
    """Give the name of the model that answers.

    Raises
    ------
    OptionError
        If the server has no model that writes text.
    """
    if srv.model.is_embedding:
        raise OptionError(f"{srv.models[0]!r} gives vectors; a coding agent needs a chat model")
    return srv.models[0]


def require_api(srv: Server, api: str, program: str) -> None:
    """Raise ``OptionError`` unless the server speaks the dialect ``program`` needs."""
    if api not in srv.apis:
        raise OptionError(f"{program} speaks {api!r}, and {srv.url} only {', '.join(srv.apis)}")


def find_program(program: str) -> str:
    """Give the path of a program.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message says how to.
    """
    path = shutil.which(program)
    if path is None:
        raise MissingExtraError(
            f"`{program}` is not installed here; install it with: npm install -g {PACKAGES[program]}"
        )
    return path


def run_program(
    program: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    without: Sequence[str] = (),
) -> int:
    """Run a program to its end and give its exit code.

    Parameters
    ----------
    environment : variables in addition to this process's own.
    without : variables of this process that it must not see.

    Returns
    -------
    int
        What it exited with; 128 + n if signal n ended it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return _wait_for([find_program(program), *arguments], _directly({**kept, **environment}))


def _wait_for(command: list[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as running:  # noqa: S603  # no shell; the user's own words
        try:
            code = running.wait()
        except BaseException:
            _end(running)
            raise
    return code if code >= 0 else 128 - code


def _end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(STOP_S)
    except subprocess.TimeoutExpired:
        running.kill()


def _directly(environment: dict[str, str]) -> dict[str, str]:
    """Keep requests to this machine away from a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        known = environment.get(name)
        environment[name] = f"{known},{LOOPBACK}" if known else LOOPBACK
    return environment
