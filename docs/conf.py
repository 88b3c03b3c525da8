"""Sphinx settings. Run from the repository's root: sphinx-build -W -c docs . docs/_build/html.

The root is the source folder, so that notebooks/ is read in place and links
between pages work on a code host as well.
"""

from __future__ import annotations

from typing import Any

import llamanb
from llamanb.notebook.manual import docs_page

project = "llamanb"
author = "The llamanb authors"
copyright = "2026, The llamanb authors"
release = llamanb.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = ["docs/*", "notebooks/*.ipynb"]
exclude_patterns = ["docs/_build", "llamanb", "tests", "binder", ".*", "**.ipynb_checkpoints"]
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_heading_anchors = 3
nb_execution_mode = "off"  # pytest runs the notebooks; these pages show what they saved
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # nothing is loaded from another host

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"llamanb {release}"
html_static_path: list[str] = []
html_show_sphinx = False
templates_path: list[str] = []

MAGICS_MARK = "<!-- the option table of llamanb/notebook/options.py -->"


def fill_in_magics(app: Any, docname: str, source: list[str]) -> None:
    """Put the reference of the magics, made from their own option table, into its page."""
    del app
    if docname == "docs/magics":
        body = docs_page().partition("\n")[2]  # the page has its own title
        source[0] = source[0].replace(MAGICS_MARK, body)


def setup(app: Any) -> None:
    """Register the hook with Sphinx."""
    app.connect("source-read", fill_in_magics)
