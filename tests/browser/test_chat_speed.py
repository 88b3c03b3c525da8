"""How quick the chat is for a person at JupyterLab: streams, traffic, repaints, Stop.

``LLAMANB_TEST_STREAM_S=20`` streams as long as a release is tested with.
"""

from __future__ import annotations

import os
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chat_page import ChatPage, kernel_value, run, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.jupyter_server import JupyterServer
    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).parents[2]
STREAM_S = int(os.environ.get("LLAMANB_TEST_STREAM_S", "4"))
RATE = 500
MOST_LATE_S = 0.150
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
SAVE = "([id, raw]) => window.jupyterapp.serviceManager.settings.save(id, raw)"
SETTINGS = "@jupyterlab/apputils-extension:kernels-settings"
BEGIN = f"""import asyncio, inspect, sys, textwrap, time
sys.path.insert(0, {str(REPOSITORY)!r})
import llamanb
from tests.browser.kernel_models import CountedChat, PacedModel
LINE = "A line of **plain** words, about {{}} of them, as answers have. ".format
def cut(text, n_characters):
    return [text[at:at + n_characters] for at in range(0, len(text), n_characters)]
def prose(n_characters):
    return "".join(LINE(n) + "\\n\\n" * (n % 8 == 7) for n in range(n_characters // 60))[:n_characters]
def code(n_characters):
    return "```python\\n" + inspect.getsource(textwrap)[:n_characters] + "\\n```\\n"
"""
SHOW = """model = PacedModel()
chat = CountedChat(llamanb.Session(model), probabilities=False)
model.pace({pieces}, {per_second})
chat"""
SLEEP = "print('waits')\ntime.sleep(10)"
AWAIT = "print('waits')\nawait asyncio.sleep(10)"
SLOW = """slow = llamanb.load(r'{}', name='slow', n_ctx=4096, n_threads=1)
ended = []
chat = llamanb.ChatWidget(slow, max_tokens=3000)
_ = chat.session.subscribe(lambda: ended.append(time.time()))
chat"""
# When the last token is on the screen: after the frame in which it came.
WATCH = """chat => {
  window.shownAt = 0;
  const thread = chat.querySelector('.llamanb-thread');
  const observer = new MutationObserver(() => {
    if (!thread.textContent.includes('the-last-token')) return;
    observer.disconnect();
    setTimeout(() => { window.shownAt = Date.now(); });
  });
  observer.observe(thread, {childList: true, subtree: true, characterData: true});
}"""
TIME_FRAMES = """() => {
  window.plainFrame = window.requestAnimationFrame;
  window.requestAnimationFrame = draw => window.plainFrame(now => {
    const begun = performance.now();
    draw(now);
    document.body.getBoundingClientRect();
    if (String(draw).includes('this.flush()')) window.framesMs.push(performance.now() - begun);
  });
}"""
PLAIN_FRAMES = "() => { if (window.plainFrame) window.requestAnimationFrame = window.plainFrame; }"


@pytest.fixture(scope="module")
def page(browser: Browser, lab: JupyterServer) -> Iterator[NotebookPage]:
    """Give a notebook with scripted models, on a page whose frames are timed."""
    from tests.browser.notebook_page import NotebookPage

    opened = NotebookPage(browser, lab)
    set_up(opened, "speed.ipynb", [BEGIN, "", ""])
    opened.page.evaluate(TIME_FRAMES)
    yield opened
    opened.page.evaluate(PLAIN_FRAMES)
    opened.close()
    (lab.root / "speed.ipynb").unlink()


def stream(page: NotebookPage, pieces: str, per_second: float) -> dict[str, Any]:
    """Let a scripted model say something; gives the figures."""
    page.cell(1).locator(".cm-content").fill(SHOW.format(pieces=pieces, per_second=per_second))
    chat = ChatPage(page)
    chat.show()
    chat.page.set_default_timeout(1000 * (STREAM_S + 30))
    chat.page.evaluate("() => { window.framesMs = []; }")
    chat.root.evaluate(WATCH)
    chat.ask("Go")
    chat.wait_for_answer("the-last-token")
    frames = chat.page.evaluate("() => window.framesMs")
    n_wanted = int(kernel_value(page, "len(''.join(model.pieces))"))
    return {
        "late_s": chat.page.evaluate("() => window.shownAt") / 1000
        - kernel_value(page, "model.last_at_s"),
        "text": chat.turn().locator(".llamanb-answer").evaluate("e => e.textContent"),
        "n_characters": n_wanted,
        "main_thread_share": kernel_value(page, "model.main_thread_share"),
        "kernel_share": kernel_value(page, "model.kernel_share"),
        "sent_share": kernel_value(page, "chat.sent_bytes") / n_wanted,
        "n_sent": kernel_value(page, "chat.n_sent"),
        "heard": kernel_value(page, "chat.heard"),
        "frame_ms": statistics.mean(frames),
        "slowest_frame_ms": max(frames),
    }


def report(name: str, figures: dict[str, Any]) -> None:
    shown = {key: value for key, value in figures.items() if key != "text"}
    print(f"\n{name}: {shown}")  # noqa: T201  # seen with pytest -rP


def test_a_fast_stream_is_shown_at_once_and_whole(page: NotebookPage) -> None:
    n_pieces = RATE * STREAM_S
    found = stream(
        page, f"[f'w{{n}}' + ('.\\n\\n' if n % 40 == 39 else ' ') for n in range({n_pieces})]", RATE
    )
    report(f"{RATE} tokens/s for {STREAM_S} s", found)
    assert found["late_s"] <= MOST_LATE_S
    assert found["heard"].count("hello") == 1
    numbers = re.findall(r"w(\d+)", found["text"])
    assert list(map(int, numbers)) == list(range(n_pieces))
    assert found["main_thread_share"] < 0.15
    assert found["n_sent"] <= 30 * (STREAM_S + 1)


def test_long_answers_cost_what_their_text_costs(page: NotebookPage) -> None:
    for text in ("prose", "code"):
        found = stream(page, f"cut({text}(20_000), 20)", RATE)
        report(f"20,000 characters of {text}", found)
        assert found["sent_share"] <= 3
        assert found["frame_ms"] <= 10
        assert found["heard"].count("hello") == 1


def stop_while_busy(page: NotebookPage, busy: str, slow_gguf: Path) -> list[float]:
    """Press Stop three times while the cell below sleeps; gives how late each was."""
    page.cell(1).locator(".cm-content").fill(SLOW.format(slow_gguf))
    page.cell(2).locator(".cm-content").fill(busy)
    chat = ChatPage(page)
    chat.show()
    run(page, 2)
    page.wait_for_output(2, "waits")
    pressed = []
    for number in range(3):
        chat.ask("ba be bi bo")
        chat.turn(number).wait_for()
        chat.wait_for_growth(40)
        chat.note_press()
        chat.button("Stop").click()
        chat.wait_for_answer(status="stopped")
        pressed.append(chat.pressed_at_s())
    assert page.cell(2).locator(".jp-InputPrompt").inner_text() == "[*]:"
    page.press_stop()
    page.wait_for_output(2, "KeyboardInterrupt|CancelledError")
    page.wait_for_status("idle")
    ended = kernel_value(page, "ended")
    return [min(t for t in ended if t > at) - at for at in pressed]


def test_stop_works_while_another_cell_sleeps(page: NotebookPage, slow_gguf: Path) -> None:
    late = stop_while_busy(page, SLEEP, slow_gguf)
    report("Stop, subshells on", {"late_s": late})
    assert statistics.median(late) <= MOST_LATE_S


@pytest.fixture
def _without_subshells(page: NotebookPage) -> Iterator[None]:
    """Switch subshells off for widgets, and on again afterwards."""
    page.page.evaluate(SAVE, [SETTINGS, '{"commsOverSubshells": "disabled"}'])
    page.save()
    page.open("speed.ipynb")
    assert page.page.evaluate(f"() => {KERNEL}.commsOverSubshells") == "disabled"
    page.is_used_up = True  # its next kernels would have none either
    yield
    page.page.evaluate(SAVE, [SETTINGS, "{}"])


@pytest.mark.usefixtures("_without_subshells")
def test_stop_works_in_an_awaiting_cell_without_subshells(
    page: NotebookPage, slow_gguf: Path
) -> None:
    late = stop_while_busy(page, AWAIT, slow_gguf)
    report("Stop, subshells off, awaiting cell", {"late_s": late})
    assert statistics.median(late) <= MOST_LATE_S
