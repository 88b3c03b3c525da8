"""``llamanb lab``: JupyterLab on the quickstart, or a check of it without a browser."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llamanb.cli.check import check_notebook
from llamanb.cli.places import choose_notebook
from llamanb.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["add_command", "lab_command", "lab_environment", "run"]

# JupyterLab would otherwise ask whether it may fetch news, and look for updates.
QUIET_OPTIONS = (
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
)


def add_command(commands: Any) -> None:
    """Add ``lab`` to the sub-commands."""
    parser = commands.add_parser(
        "lab",
        help="open JupyterLab on the quickstart notebook",
        description="Open JupyterLab on a notebook, by default the quickstart.",
    )
    parser.add_argument("notebook", nargs="?", help="a notebook file instead of the quickstart")
    parser.add_argument(
        "--check",
        action="store_true",
        help="run the notebook in a kernel without a browser and print what each cell answered",
    )
    parser.add_argument("--port", type=int, help="port of JupyterLab (it takes 8888 or the next)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the notebook, or check it; give the exit code."""
    require_lab()
    notebook = choose_notebook(arguments.notebook, here=Path.cwd())
    if arguments.check:
        return check_notebook(notebook)
    command = lab_command(notebook, port=arguments.port, browser=not arguments.no_browser)
    print(f"Opening {notebook} in JupyterLab; stop it with Ctrl-C.", flush=True)
    return _become(command, cwd=_root_of(notebook))


def require_lab() -> None:
    """Raise ``MissingExtraError`` unless JupyterLab is installed."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError(
            "`llamanb lab` needs JupyterLab, which is not installed here;"
            " install it with: pip install 'llamanb[lab]'"
        )


def lab_command(notebook: Path, *, port: int | None, browser: bool) -> list[str]:
    """Give the command line that starts JupyterLab on ``notebook``."""
    root = _root_of(notebook)
    page = quote(notebook.resolve().relative_to(root).as_posix())
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{page}"]
    command += [f"--ServerApp.root_dir={root}", *QUIET_OPTIONS]
    if port is not None:
        command.append(f"--ServerApp.port={port}")
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers; the server still listens on 127.0.0.1 only
    return command


def lab_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Give ``environment`` plus the folder that switches the news question off."""
    ours = str(files("llamanb.cli") / "jupyter_config")
    known = environment.get("JUPYTER_CONFIG_PATH")
    return {**environment, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, (known, ours)))}


def _root_of(notebook: Path) -> Path:
    """Give the folder JupyterLab may show: the notebook's, or the checkout around it."""
    folder = notebook.resolve().parent
    return folder.parent if (folder.parent / "pyproject.toml").is_file() else folder


def _become(command: list[str], cwd: Path) -> int:
    """Turn this process into JupyterLab, so that Ctrl-C and signals reach it directly."""
    environment = lab_environment(os.environ)
    if os.name != "posix":
        return subprocess.call(command, cwd=cwd, env=environment)  # noqa: S603  # our own command line
    os.chdir(cwd)
    return os.execve(command[0], command, environment)  # noqa: S606  # no shell is wanted
