"""``llamanb claude``, ``opencode`` and ``codex``: a coding agent on a model of this machine."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from llamanb.cli.announcing import announce
from llamanb.cli.serve import PORT, add_server_words, ends_on_sigterm, key_given, started
from llamanb.errors import OptionError
from llamanb.integrations.programs import find_program

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from llamanb.servers import Server

__all__ = ["add_command", "split_words"]

N_CTX = 32_768  # the first prompts of these programs have 7,000 to 19,000 tokens


@dataclass(frozen=True, slots=True)
class Agent:
    """A program: the command's name, its own name, and its function in ``llamanb.clients``."""

    command: str
    title: str
    runs: str


AGENTS = (
    Agent("claude", "Claude Code", "claude_code"),
    Agent("opencode", "OpenCode", "opencode"),
    Agent("codex", "Codex", "codex"),
)


def add_command(commands: Any) -> None:
    """Add one sub-command for each program."""
    for agent in AGENTS:
        parser = commands.add_parser(
            agent.command,
            help=f"run {agent.title} on a local model",
            usage=f"llamanb {agent.command} [MODEL] [port] [n_ctx] [options] [-- arguments]",
            description=f"Serve a model, run {agent.title} on it, and end with its exit code. "
            f"What stands behind -- is handed to `{agent.command}`.",
            epilog=f"Without -c, {N_CTX:,} tokens of context are asked for.",
            allow_abbrev=False,
        )
        add_server_words(parser)
        _ADD_OWN[agent.command](parser)
        parser.set_defaults(run=partial(run, agent))


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the words for us, and those behind ``--`` for the program that is run.

    Examples
    --------
    >>> split_words(["claude", "demo", "--", "-p", "Hello"])
    (['claude', 'demo'], ['-p', 'Hello'])
    """
    own = list(words)
    if not own or own[0] not in _ADD_OWN or "--" not in own:
        return own, []
    cut = own.index("--")
    return own[:cut], own[cut + 1 :]


def run(agent: Agent, arguments: argparse.Namespace) -> int:
    """Run the program against a server of its own; give its exit code."""
    if getattr(arguments, "write", None) is not None:
        return _write_and_serve(arguments)
    find_program(agent.command)
    with ends_on_sigterm(), started(arguments, port=0, n_ctx=N_CTX) as server:
        title = f"{agent.title} on {server.models[0]}, {server.n_ctx:,} tokens of context"
        print(f"llamanb: {title}, {server.url}", file=sys.stderr, flush=True)
        with _interrupts_left_to_child():
            return _run_client(agent, server, arguments)


def _run_client(agent: Agent, server: Server, arguments: argparse.Namespace) -> int:
    from llamanb.integrations import clients

    options = {} if getattr(arguments, "small", None) is None else {"small": arguments.small}
    code: int = getattr(clients, agent.runs)(server, arguments.forwarded, **options)
    return code


def _write_and_serve(arguments: argparse.Namespace) -> int:
    from llamanb.integrations import clients

    if arguments.forwarded:
        raise OptionError("--write starts no OpenCode, so nothing can stand behind --")
    with ends_on_sigterm(), started(arguments, port=PORT, n_ctx=N_CTX) as server:
        clients.opencode_config(server, arguments.write)
        announce(server, key_is_new=not key_given(arguments))
        first = "put the key into LLAMANB_API_KEY and " if server.api_key else ""
        print(
            f"{arguments.write} names this server; {first}start `opencode` in its folder",
            flush=True,
        )
        server.wait()
    return 0


@contextmanager
def _interrupts_left_to_child() -> Iterator[None]:
    """Let Ctrl-C reach the program in front alone: it decides what it means."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _add_small(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Claude Code")
    group.add_argument(
        "--small",
        action="store_true",
        default=None,
        help="three tools and a short prompt (as usual where context or model are small)",
    )
    group.add_argument(
        "--full", dest="small", action="store_false", help="all tools, whatever the model"
    )


def _add_write(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("OpenCode")
    group.add_argument(
        "--write",
        metavar="FILE",
        help="write the server into this opencode.json and serve, without starting OpenCode",
    )


def _add_nothing(_: argparse.ArgumentParser) -> None:
    return


_ADD_OWN = {"claude": _add_small, "opencode": _add_write, "codex": _add_nothing}
