"""The ``llamanb`` command: finds the sub-command and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from llamanb import __version__
from llamanb.cli import agents, doctor, lab, models, serve
from llamanb.errors import LlamanbError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_parser", "main"]

EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
DESCRIPTION = "Local language models in a Jupyter kernel."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and give its exit code.

    Parameters
    ----------
    argv : the words after ``llamanb``; None reads the command line.

    Returns
    -------
    int
        0 for success, 1 after a llamanb error (its message goes to standard
        error), 130 after Ctrl-C, 141 when the reader of its output has gone. A
        wrong command line exits with 2 (argparse).
    """
    parser = build_parser()
    own, forwarded = agents.split_words(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(own)
    arguments.forwarded = forwarded
    if arguments.run is None:
        parser.print_help()
        return 0
    try:
        return int(arguments.run(arguments))
    except LlamanbError as error:
        print(f"llamanb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `llamanb … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED


def build_parser() -> argparse.ArgumentParser:
    """Give the parser of the whole command line; each sub-command adds itself."""
    parser = argparse.ArgumentParser(prog="llamanb", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"llamanb {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in (lab, serve, agents, models, doctor):
        module.add_command(commands)
    return parser
