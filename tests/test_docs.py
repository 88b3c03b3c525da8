"""The documentation builds without a warning and loads nothing from other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import llamanb
from llamanb.notebook.options import COMMANDS

CHECKOUT = Path(llamanb.__file__).parent.parent
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="((?:https?:)?//[^"]+)"')
TAG = re.compile(r"<[^>]+>")
for package in ("sphinx", "myst_nb", "furo"):
    pytest.importorskip(package, reason="the documentation needs pip install -e '.[docs]'")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages, warnings being errors, and give their folder."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs"]
    command += ["-d", str(folder / "doctrees"), ".", str(folder / "html")]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )  # sphinx itself
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.timeout(180)
def test_nothing_is_loaded_from_another_host(pages: Path) -> None:
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages.rglob("*.html")}
    assert {name: LOADED.findall(text) for name, text in texts.items() if LOADED.search(text)} == {}


@pytest.mark.timeout(180)
def test_every_command_is_on_the_magics_page(pages: Path) -> None:
    page = TAG.sub("", (pages / "docs" / "magics.html").read_text(encoding="utf-8"))
    assert [name for name in COMMANDS if f"%llama {name}" not in page] == []


@pytest.mark.timeout(180)
def test_the_quickstart_is_read_in_place(pages: Path) -> None:
    page = (pages / "notebooks" / "01_quickstart.html").read_text(encoding="utf-8")
    assert "Why is the sky blue?" in page
