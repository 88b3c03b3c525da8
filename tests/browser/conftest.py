"""Jupyter and Chromium for the browser tests; skipped with the reason where missing."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browser.jupyter_server import JupyterServer, Program
    from tests.browser.notebook_page import NotebookPage


def _missing(program: Program) -> str | None:
    from tests.browser.notebook_page import chromium_path

    for package in (program, "playwright"):
        if find_spec(package) is None:
            return f"the Python package {package} is not installed (pip install -e '.[test]')"
    if chromium_path() is None:
        return "no chromium or google-chrome on the PATH (Debian: apt-get install chromium)"
    return None


@pytest.fixture(scope="module")
def program() -> Program:
    """Give the front end to test; a module for another one has a fixture of its own."""
    return "jupyterlab"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[JupyterServer]:
    """Give a running JupyterLab, or Notebook 7."""
    reason = _missing(program)
    if reason and os.environ.get("LLAMANB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"LLAMANB_REQUIRE_BROWSER=1, but {reason}")
    if reason:
        pytest.skip(reason)
    from tests.browser.jupyter_server import JupyterServer

    with JupyterServer(tmp_path_factory.mktemp("lab"), program=program) as server:
        yield server


@pytest.fixture(scope="module")
def browser(lab: JupyterServer) -> Iterator[Browser]:
    """Give headless Chromium; not for the session: its event loop would block others."""
    assert lab.url
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook_page import launch

    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def notebook_page(browser: Browser, lab: JupyterServer) -> Iterator[NotebookPage]:
    """Give an empty tab, closed with its kernel afterwards."""
    from tests.browser.notebook_page import NotebookPage

    page = NotebookPage(browser, lab)
    yield page
    page.close()


@pytest.fixture
def lab_root(lab: JupyterServer) -> Path:
    """Give the folder whose notebooks the server shows."""
    return lab.root
