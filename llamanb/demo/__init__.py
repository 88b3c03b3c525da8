"""The two bundled toy models: where their files are and what to say about them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from llamanb.errors import ModelNotFoundError

__all__ = ["DEMO_FILES", "TOY_LABEL", "TOY_LABELS", "demo_path"]

DEMO_FILES = {
    "demo": "llamanb-demo.gguf",
    "demo-embed": "llamanb-demo-embed.gguf",
}
TOY_LABELS = {
    "demo": "toy model for demos and tests: knows about forty facts, wrong on most others",
    "demo-embed": "toy embedder for demos and tests: matches words, not meanings",
}
TOY_LABEL = TOY_LABELS["demo"]


def demo_path(name: str = "demo") -> Path:
    """Give the file of a bundled model.

    Parameters
    ----------
    name : ``"demo"``, the 2.9 MB chat model, or ``"demo-embed"``, the 2.8 MB
        word-matching embedder.

    Raises
    ------
    ModelNotFoundError
        If no bundled model has that name, or the installation lost the file.

    Examples
    --------
    >>> demo_path("demo").name
    'llamanb-demo.gguf'
    """
    if name not in DEMO_FILES:
        known = ", ".join(map(repr, DEMO_FILES))
        raise ModelNotFoundError(f"no bundled model is called {name!r}; there are {known}")
    path = Path(str(files(__name__) / DEMO_FILES[name]))
    if not path.is_file():
        raise ModelNotFoundError(f"the bundled model is missing at {path}; install llamanb again")
    return path
