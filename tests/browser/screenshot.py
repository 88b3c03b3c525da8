"""Picture of the quickstart in JupyterLab: ``python -m tests.browser.screenshot``.

Runs ``notebooks/01_quickstart.ipynb`` in a scratch copy and writes
``docs/images/quickstart.png``; ``--notebook`` and ``--output`` choose others.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook_page import NotebookPage, launch

REPOSITORY = Path(__file__).parents[2]
SIZE = (1180, 1266)
HIDE_CHROME = """() => {
  const app = window.jupyterapp;
  app.shell.collapseLeft();
  app.shell.currentWidget.content.activeCellIndex = 0;
  document.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, 0);
  document.activeElement?.blur();
}"""


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshot", description=__doc__)
    parser.add_argument(
        "--notebook", type=Path, default=REPOSITORY / "notebooks/01_quickstart.ipynb"
    )
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs/images/quickstart.png")
    parser.add_argument("--height", type=int, default=SIZE[1], help="of the window, in pixels")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    take(arguments.notebook, arguments.output, (SIZE[0], arguments.height))
    sys.stdout.write(f"{arguments.output}\n")
    return 0


def take(notebook: Path, picture: Path, size: tuple[int, int]) -> None:
    """Run ``notebook`` in JupyterLab and write what it looks like afterwards."""
    with tempfile.TemporaryDirectory() as folder, JupyterServer(Path(folder)) as server:
        shutil.copy(notebook, server.root)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            page = NotebookPage(browser, server, size)
            page.open(notebook.name)
            page.run_all()
            page.wait_for_all_cells()
            page.save()
            page.page.evaluate(HIDE_CHROME)
            page.page.add_style_tag(content=".jp-cell-toolbar { display: none !important }")
            page.settle()
            page.page.screenshot(path=picture)
            page.close()
            browser.close()


if __name__ == "__main__":
    sys.exit(main())
