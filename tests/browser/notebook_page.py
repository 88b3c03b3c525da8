"""One notebook in JupyterLab or Notebook 7, driven as a person would: keys, buttons, eyes."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import nbformat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Browser, Dialog, Locator, Playwright

    from tests.browser.jupyter_server import JupyterServer

__all__ = ["NotebookPage", "chromium_path", "launch"]

PAGE_TIMEOUT_MS = 90_000
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHOW_NOTEBOOK = """async name => {
  const app = window.jupyterapp;
  for (const shown of [...app.shell.widgets("main")]) shown.dispose();
  const shown = await app.commands.execute("docmanager:open", {path: name, factory: "Notebook"});
  await shown.context.ready;
  app.shell.activateById(shown.id);
}"""
KERNEL_STATUS = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"

CODE_CELLS = (
    "window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model)"
    ".filter(model => model.type === 'code' && model.sharedModel.getSource())"
)
OPEN_CELLS = f"{CODE_CELLS}.filter(model => model.executionCount === null)"
FAILED_CELLS = (
    f"{CODE_CELLS}.filter(model => model.outputs.toJSON().some(o => o.output_type === 'error'))"
)


def chromium_path() -> str | None:
    """Give an installed Chromium or Chrome, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """Start headless Chromium that talks to nobody by itself."""
    return playwright.chromium.launch(
        executable_path=chromium_path(), headless=True, args=list(CHROMIUM_FLAGS)
    )


class NotebookPage:
    """A browser tab with one notebook: open → type, run, stop, look → close.

    A tab in which JupyterLab is loaded is used again by the next test, as loading takes seconds.

    Attributes
    ----------
    requests : every URL the page asked for, WebSockets included.
    problems : uncaught JavaScript errors.
    is_used_up : set where the tab would not be as others expect it: it is closed at the end.
    """

    def __init__(
        self, browser: Browser, server: JupyterServer, size: tuple[int, int] = (1280, 900)
    ) -> None:
        self._server = server
        # One context for all tabs: it keeps Jupyter's scripts, which take seconds to read.
        context = browser.contexts[0] if browser.contexts else browser.new_context()
        loaded = [tab for tab in context.pages if tab.url.startswith(f"{server.url}/lab/")]
        self.page = loaded[0] if loaded else context.new_page()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.set_default_timeout(PAGE_TIMEOUT_MS)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.is_used_up = False
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "request": lambda request: self.requests.append(request.url),
            "websocket": lambda websocket: self.requests.append(websocket.url),
            "pageerror": lambda error: self.problems.append(str(error)),
            "dialog": self._answer,
        }
        for event, listener in self._listeners.items():
            self.page.on(event, listener)

    def _answer(self, dialog: Dialog) -> None:
        """Leave pages with unsaved changes; anything else that pops up is a problem."""
        if dialog.type == "beforeunload":
            dialog.accept()
        else:
            self.problems.append(f"{dialog.type}: {dialog.message}")
            dialog.dismiss()

    def create(self, name: str, cells: Sequence[str] = ("",)) -> None:
        """Write a notebook with these code cells and show it."""
        self.write(name, cells)
        if self.page.url.startswith(f"{self._server.url}/lab/"):
            self.page.evaluate(SHOW_NOTEBOOK, name)
            self._wait_for_kernel()
        else:
            self.open(name)

    def write(self, name: str, cells: Sequence[str]) -> None:
        """Write a notebook with these code cells."""
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": kernel},
        )
        nbformat.write(notebook, self._server.root / name)

    def open(self, name: str) -> None:
        """Load the page of a notebook of the server's folder and wait for its kernel."""
        self.page.goto(self._server.page_url(name))
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.wait_for_status("idle")

    def close(self) -> None:
        """Shut the kernel down; a tab in which something went wrong is closed, too."""
        self.page.evaluate(
            "async () => { await window.jupyterapp?.shell.currentWidget"
            "?.sessionContext?.shutdown?.() }"
        )
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        is_lab = self.page.url.startswith(f"{self._server.url}/lab/")
        if (
            not is_lab
            or self.is_used_up
            or self.problems
            or self.page.locator(".jp-Dialog").count()
        ):
            self.page.close()

    def cell(self, index: int) -> Locator:
        """Give one cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def type_cell(self, index: int, source: str) -> None:
        """Click into a cell and type ``source`` with the keyboard."""
        self.cell(index).locator(".cm-content").click()
        for number, line in enumerate(source.split("\n")):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line)

    def press_run(self) -> None:
        """Press Shift+Enter."""
        self.page.keyboard.press("Shift+Enter")

    def press_stop(self) -> None:
        """Press the Stop button of the notebook's toolbar."""
        self.toolbar_button("interrupt").click()

    def toolbar_button(self, name: str) -> Locator:
        """Give a button of the notebook's toolbar: run, interrupt, restart …"""
        return self.page.locator(f'.jp-NotebookPanel-toolbar [data-jp-item-name="{name}"]')

    def choose_theme(self, name: Literal["Dark", "Light"]) -> None:
        """Show JupyterLab dark or light; a test ends with light ones."""
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        self.page.evaluate(change, f"JupyterLab {name}")
        is_light = str(name == "Light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light='{is_light}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def save(self) -> None:
        """Save the notebook to disk."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def wait_for_completion(self, text: str) -> None:
        """Wait until the completer offers ``text``."""
        self.page.locator(".jp-Completer-item:visible", has_text=text).first.wait_for()

    def run_all(self) -> None:
        """Run every cell (menu Run → Run All Cells) without waiting."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")

    def output(self, index: int) -> str:
        """Give the visible text of a cell's output, '' while there is none."""
        return "\n".join(self.cell(index).locator(".jp-OutputArea-output").all_inner_texts())

    def wait_for_output(self, index: int, pattern: str) -> str:
        """Wait until a cell's output matches the regular expression; gives the output."""
        outputs = self.cell(index).locator(".jp-Cell-outputArea")
        outputs.filter(has_text=re.compile(pattern)).wait_for()
        return self.output(index)

    def wait_for_growth(self, index: int, beyond: int) -> int:
        """Wait until a cell's output is longer than ``beyond`` characters; gives its length."""
        length = self.page.wait_for_function(
            "([index, beyond]) => { const cell = document.querySelectorAll("
            "'.jp-Notebook .jp-Cell')[index]; const n = [...cell.querySelectorAll("
            "'.jp-OutputArea-output')].map(o => o.innerText).join('').length;"
            " return n > beyond ? n : 0 }",
            arg=[index, beyond],
        )
        return int(length.json_value())

    def wait_for_status(self, status: str) -> None:
        """Wait until the kernel's status is ``idle``, ``busy`` …"""
        self.page.wait_for_function(f"status => {KERNEL_STATUS} === status", arg=status)

    def kernel_status(self) -> str:
        """Give the kernel's status now."""
        return str(self.page.evaluate(f"() => {KERNEL_STATUS}"))

    def wait_for_count(self, index: int) -> None:
        """Wait until a cell has been run to its end: its prompt shows a number."""
        prompt = self.cell(index).locator(".jp-InputPrompt")
        prompt.filter(has_text=re.compile(r"\[\d+\]")).wait_for()

    def wait_for_all_cells(self) -> None:
        """Wait until every code cell with text has been run; a failed cell fails this."""
        self.page.wait_for_function(f"() => {FAILED_CELLS}.length > 0 || {OPEN_CELLS}.length === 0")
        failed = self.page.evaluate(f"() => {FAILED_CELLS}.map(model => model.toJSON())")
        assert not failed, failed
        self.wait_for_status("idle")

    def settle(self) -> None:
        """Wait until two frames in a row have been painted."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def outside_requests(self) -> list[str]:
        """Give the requests that went anywhere but to the server itself."""
        local = {"127.0.0.1", None}
        inline = {"data", "blob", "about"}
        urls = [(url, urlsplit(url)) for url in self.requests]
        return [
            u for u, parts in urls if parts.scheme not in inline and parts.hostname not in local
        ]
