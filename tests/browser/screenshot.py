"""Picture of the quickstart in JupyterLab: ``python -m tests.browser.screenshot``.

Runs ``notebooks/01_quickstart.ipynb`` in a scratch copy and writes
``docs/images/quickstart.png``; ``--notebook`` and ``--output`` choose others.
With ``--panel`` it is the panel of a server that was asked a little; with ``--chat`` the
chat widget, light and dark, and the tokens of an answer, all into the folder of ``--output``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chat_page import ChatPage
from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook_page import NotebookPage, launch

REPOSITORY = Path(__file__).parents[2]
SIZE = (1180, 1266)
QUESTIONS = ("What is R?", "What is Jupyter?", "Why is the sky blue?")
SERVE = """import llamanb
srv = llamanb.serve("demo")
srv"""
ASK = f"""from anthropic import Anthropic, BadRequestError
from openai import OpenAI

openai = OpenAI(base_url=srv.base_url, api_key="local")
anthropic = Anthropic(base_url=srv.url, api_key="local")
for question in {QUESTIONS}:
    talk = [{{"role": "user", "content": question}}]
    openai.chat.completions.create(model="demo", messages=talk)
anthropic.messages.create(model="claude-sonnet-4-5", max_tokens=80, messages=talk)
try:
    anthropic.messages.create(model="claude-sonnet-4-5", max_tokens=80, messages=[])
except BadRequestError:
    pass"""
CHAT = '''import llamanb

def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"12 degrees in {city}"

llamanb.ChatWidget("demo", tools=[get_weather], temperature=0)'''
CHAT_SIZE = (1000, 1500)
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
    parser.add_argument("--panel", action="store_true", help="the panel of a server instead")
    parser.add_argument("--chat", action="store_true", help="the chat widget instead")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    if arguments.chat:
        take_chat(arguments.output.parent)
    elif arguments.panel:
        take_panel(arguments.output)
    else:
        take(arguments.notebook, arguments.output, (SIZE[0], arguments.height))
    sys.stdout.write(f"{arguments.output.parent if arguments.chat else arguments.output}\n")
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


def take_panel(picture: Path) -> None:
    """Serve the toy in JupyterLab, ask it with both SDKs, and write what its panel looks like."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        server = opened.enter_context(JupyterServer(folder))
        browser = launch(opened.enter_context(sync_playwright()))
        page = NotebookPage(browser, server, SIZE)
        page.create("server.ipynb", [SERVE, ASK])
        page.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        page.run_all()
        page.wait_for_all_cells()
        panel = page.page.locator(".llamanb-server")
        panel.locator("tr:not([data-state='running'])").nth(len(QUESTIONS) + 2).wait_for()
        panel.screenshot(path=picture)
        page.close()
        browser.close()


def take_chat(folder: Path) -> None:
    """Chat with the toy in JupyterLab; write what it looks like, light and dark, and its tokens."""
    with ExitStack() as opened:
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        server = opened.enter_context(JupyterServer(scratch))
        browser = launch(opened.enter_context(sync_playwright()))
        page = NotebookPage(browser, server, CHAT_SIZE)
        page.create("chat.ipynb", [CHAT, ""])
        page.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        page.page.add_style_tag(content=".jp-cell-toolbar { display: none !important }")
        chat = ChatPage(page, 0)
        chat.show()
        take_tokens(chat, folder / "token_inspector.png")
        chat.show()
        take_talk(chat, folder)
        page.close()
        browser.close()


def take_talk(chat: ChatPage, folder: Path) -> None:
    """Ask twice; the second call waits for an answer in the pictures."""
    chat.ask("What is the weather in Oslo?")
    chat.press("Approve the call of get_weather")
    chat.wait_for_answer("degrees")
    chat.ask("What is the weather in Bergen?")
    chat.turn(1).wait_for()
    chat.card("asking")
    chat.page.mouse.move(0, 0)
    chat.notebook.settle()
    chat.notebook.cell(0).screenshot(path=folder / "chat_widget.png")
    chat.notebook.choose_theme("Dark")
    chat.notebook.settle()
    chat.notebook.cell(0).screenshot(path=folder / "chat_widget_dark.png")
    chat.notebook.choose_theme("Light")


def take_tokens(chat: ChatPage, picture: Path) -> None:
    """Look at the tokens of an answer that might have been another one."""
    chat.ask("Tell me a joke about cats")
    chat.wait_for_answer(r"\w")
    chat.press("Inspect")
    chat.button("Tokens").click()
    chat.root.locator("[aria-pressed='true']", has_text="Tokens").wait_for()
    chat.root.screenshot(path=picture)


if __name__ == "__main__":
    sys.exit(main())
