"""Where the bundled notebooks are, and where a user's copy of them goes."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from pathlib import Path

from llamanb.errors import LlamanbError, OptionError

__all__ = ["QUICKSTART", "bundled_notebooks", "choose_notebook"]

QUICKSTART = "01_quickstart.ipynb"
COPY_FOLDER = "llamanb-notebooks"


def choose_notebook(asked: str | None, *, here: Path, home: Path = Path("~")) -> Path:
    """Give the notebook to open; the bundled quickstart when none is asked for.

    A checkout's own ``notebooks/`` folder is used in place. Anywhere else the
    bundled notebooks are copied once to ``~/llamanb-notebooks``; an existing copy
    there is the user's and is never written over.

    Raises
    ------
    OptionError
        If ``asked`` is not an existing ``.ipynb`` file, or the notebooks cannot
        be copied, say because ``home`` may not be written.
    """
    if asked is not None:
        return _existing_notebook(asked, here)
    local = here / "notebooks" / QUICKSTART
    if local.is_file():
        return local
    for notebook in bundled_notebooks().glob("*.ipynb"):
        _copy_once(notebook, home / COPY_FOLDER)
    return home.expanduser() / COPY_FOLDER / QUICKSTART


def bundled_notebooks() -> Path:
    """Give the folder of notebooks that came with this llamanb.

    A wheel carries it beside this file; in a checkout (also an editable
    install) it is the repository's ``notebooks/``.
    """
    package = Path(str(files("llamanb")))
    for folder in (package / "cli" / "notebooks", package.parent / "notebooks"):
        if (folder / QUICKSTART).is_file():
            return folder
    raise LlamanbError("the bundled notebooks are missing; install llamanb again")


def _existing_notebook(asked: str, here: Path) -> Path:
    path = here / os.path.expanduser(asked)  # noqa: PTH111  # Path's raises where there is no such user
    if path.suffix != ".ipynb":
        raise OptionError(f"{asked!r} is not a notebook: its name must end in .ipynb")
    if not path.is_file():
        raise OptionError(f"there is no notebook at {asked!r}")
    return path


def _copy_once(source: Path, folder: Path) -> None:
    try:
        target = folder.expanduser() / source.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except (OSError, RuntimeError) as error:  # expanduser: nobody knows where home is
        raise OptionError(
            f"{source.name} cannot be copied to {folder}: {error}."
            f" Name a notebook (the original is {source}), or set HOME to a folder of yours."
        ) from None
