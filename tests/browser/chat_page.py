"""The chat widget in an open notebook, as a person uses it: type, press, look."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.notebook_page import NotebookPage

__all__ = ["BEGIN", "SHOW", "ChatPage", "kernel_value", "run", "set_up"]

PATIENCE_MS = 20_000
BEGIN = '''import llamanb
ran = []
def get_weather(city: str) -> str:
    """Get the weather of a city."""
    ran.append(city)
    print("looking", city)
    return f"12 degrees in {city}"
demo = llamanb.load("demo", n_threads=1)'''
SHOW = """if "chat" in globals():
    chat.close()
ran.clear()
chat = llamanb.ChatWidget(demo, tools=[get_weather], temperature=0)
chat"""
IN_KERNEL = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const asked = {code: '', silent: true, store_history: false, user_expressions: {value: code}};
  const reply = await kernel.requestExecute(asked).done;
  return reply.content.user_expressions.value;
}"""
NOTE_PRESS = """() => {
  window.pressedAt = 0;
  const note = () => { window.pressedAt = Date.now(); };
  for (const kind of ['pointerdown', 'keydown']) {
    document.addEventListener(kind, note, {capture: true, once: true});
  }
}"""


def run(page: NotebookPage, index: int) -> None:
    """Run a cell as a person does."""
    page.cell(index).locator(".cm-content").click()
    page.press_run()


def set_up(page: NotebookPage, name: str, cells: list[str]) -> None:
    """Show a new notebook and run its first cell."""
    page.create(name, cells)
    run(page, 0)
    page.wait_for_count(0)


def kernel_value(page: NotebookPage, expression: str) -> Any:
    """Give the value of an expression in the kernel: anything that JSON carries."""
    found = page.page.evaluate(IN_KERNEL, f"__import__('json').dumps({expression})")
    assert found["status"] == "ok", found
    return json.loads(ast.literal_eval(found["data"]["text/plain"]))


class ChatPage:
    """The widget that a cell shows.

    Attributes
    ----------
    root : the widget.
    composer : the field for the next question.
    """

    def __init__(self, page: NotebookPage, index: int = 1) -> None:
        self.notebook, self.index = page, index
        self.page = page.page
        self.page.set_default_timeout(PATIENCE_MS)
        self.root = page.cell(index).locator(".llamanb-chat")
        self.composer = self.root.get_by_role("textbox", name="Question").last

    def show(self) -> None:
        """Run the cell that makes the widget, and wait for it."""
        run(self.notebook, self.index)
        self.notebook.wait_for_status("idle")
        self.root.wait_for()

    def ask(self, text: str) -> None:
        """Type a question and press Enter."""
        self.composer.click()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def turn(self, number: int = -1) -> Locator:
        """Give a turn, the last one by default."""
        turns = self.root.locator(".llamanb-turn")
        return turns.last if number < 0 else turns.nth(number)

    def wait_for_answer(self, pattern: str = "", status: str = "done") -> str:
        """Wait until the last turn is over and its answer matches; gives the answer's text."""
        over = self.root.locator(f".llamanb-turn:last-child[data-status='{status}']")
        over.locator(".llamanb-answer").filter(has_text=re.compile(pattern)).wait_for()
        return over.locator(".llamanb-answer").inner_text()

    def wait_for_growth(self, beyond: int) -> int:
        """Wait until the last answer has more than so many characters; gives how many."""
        grown = self.page.wait_for_function(
            "([chat, beyond]) => { const all = chat.querySelectorAll('.llamanb-answer');"
            " const n = all.length ? all[all.length - 1].textContent.length : 0;"
            " return n > beyond ? n : 0 }",
            arg=[self.root.element_handle(), beyond],
        )
        return int(grown.json_value())

    def button(self, name: str, *, within: Locator | None = None) -> Locator:
        """Give a button by its whole name."""
        return (within or self.root).get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        """Click a button of the last turn."""
        self.button(name, within=self.turn()).last.click()

    def footer(self) -> str:
        """Give the line below the last answer."""
        return self.turn().locator(".llamanb-footer").inner_text()

    def question(self) -> str:
        """Give the last question as it is shown."""
        return self.turn().locator(".llamanb-bubble").inner_text()

    def card(self, state: str) -> Locator:
        """Wait for a tool's card in this state."""
        found = self.turn().locator(f".llamanb-call[data-state='{state}']").last
        found.wait_for()
        return found

    def note_press(self) -> None:
        """Keep the time of the next key or pointer press in the page."""
        self.page.evaluate(NOTE_PRESS)

    def pressed_at_s(self) -> float:
        """Give the time of the press that was noted."""
        pressed = float(self.page.evaluate("() => window.pressedAt")) / 1000
        assert pressed
        return pressed

    def focused(self) -> str:
        """Give the accessible name, or the text, of what has the focus."""
        return str(
            self.page.evaluate(
                "() => { const it = document.activeElement;"
                " return it.getAttribute('aria-label') || it.textContent || it.tagName }"
            )
        )

    def sources(self) -> list[str]:
        """Give the text of every cell of the notebook."""
        return list(
            self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.content.widgets"
                ".map(cell => cell.model.sharedModel.getSource())"
            )
        )
