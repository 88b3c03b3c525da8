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

    from tests.browser.jupyter_server import JupyterServer
    from tests.browser.notebook_page import NotebookPage


def _missing() -> str | None:
    from tests.browser.notebook_page import chromium_path

    for package in ("jupyterlab", "notebook", "playwright"):
        if find_spec(package) is None:
            return f"the Python package {package} is not installed (pip install -e '.[test]')"
    if chromium_path() is None:
        return "no chromium or google-chrome on the PATH (Debian: apt-get install chromium)"
    return None


@pytest.fixture(scope="package")
def _programs() -> None:
    """See to it that everything is there."""
    reason = _missing()
    if reason and os.environ.get("LLAMANB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"LLAMANB_REQUIRE_BROWSER=1, but {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="package")
def jupyterlab(
    tmp_path_factory: pytest.TempPathFactory, _programs: None
) -> Iterator[JupyterServer]:
    """Give one running JupyterLab for all tests."""
    from tests.browser.jupyter_server import JupyterServer

    with JupyterServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="package")
def browser(_programs: None) -> Iterator[Browser]:
    """Give headless Chromium; its pages share what it has cached of Jupyter's scripts."""
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook_page import launch

    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def lab(jupyterlab: JupyterServer) -> JupyterServer:
    """Give the server of this module; one for another front end has a fixture of its own."""
    return jupyterlab


@pytest.fixture
def notebook_page(browser: Browser, lab: JupyterServer) -> Iterator[NotebookPage]:
    """Give an empty tab, closed with its kernel afterwards; its notebooks are of this test."""
    from tests.browser.notebook_page import NotebookPage

    page = NotebookPage(browser, lab)
    yield page
    page.close()
    for path in lab.root.glob("*.ipynb"):
        path.unlink()


@pytest.fixture
def lab_root(lab: JupyterServer) -> Path:
    """Give the folder whose notebooks the server shows."""
    return lab.root
