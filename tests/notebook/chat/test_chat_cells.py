"""``%llama chat`` and ``ChatWidget`` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.notebook.conftest import Cell, Kernel

INTERRUPT_SOON = """
import os, signal, threading
def interrupt():
    desk = chat._talk.desk
    while not (desk.running and (stream := desk.streams.get(desk.running.id))
               and stream.generation.n_tokens > 5):
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def _no_chat_is_left(kernel: Kernel) -> None:
    kernel.run("%llama set temp=0 max-tokens=40")


def displays(cell: Cell) -> list[dict[str, Any]]:
    return [content["data"] for content in cell.of_type("display_data")]


def test_the_widget_and_its_copy_are_shown(kernel: Kernel) -> None:
    copy, widget = displays(kernel.run("%llama chat one --new"))
    assert "llamanb-twin-" in copy["text/html"]
    assert WIDGET in widget
    assert widget["text/plain"] == ""


def test_a_turn_brings_the_copy_up_to_date(kernel: Kernel) -> None:
    kernel.run("chat = %llama chat two --new\nchat")
    cell = kernel.run("answer = chat.ask('What is R?')")
    (update,) = [content["data"] for content in cell.of_type("update_display_data")]
    answer = kernel.value("answer")
    assert answer
    assert answer in update["text/plain"]
    assert answer in update["text/markdown"]


def test_cells_and_the_widget_share_a_named_chat(kernel: Kernel) -> None:
    kernel.run("chat = %llama chat three --new")
    kernel.run("%%llama -c three\nWhat is R?")
    kernel.run("chat.ask('What is Jupyter?')")
    roles = kernel.value("[m['role'] for m in chat.messages]")
    assert roles == ["user", "assistant"] * 2
    assert kernel.value("chat._talk.desk.tree.path[0].live.question") == "What is R?"
    assert "What is Jupyter?" in str(kernel.run("%llama history three").messages)


def test_the_same_chat_has_one_widget(kernel: Kernel) -> None:
    kernel.run("a = %llama chat four --new\nb = %llama chat four -s 'Be brief.'")
    assert kernel.value("a is b") is True
    assert kernel.value("a.session.system_prompt") == "Be brief."
    kernel.run("c = %llama chat four --new")
    assert kernel.value("a is c") is False
    kernel.run("c.close()\nd = %llama chat four")
    assert kernel.value("c.is_closed and d is not c and d.session is c.session") is True


def test_a_widget_goes_on_with_a_chat_that_a_cell_begins_anew(kernel: Kernel) -> None:
    kernel.run("chat = %llama chat seven --new -s 'Be brief.'")
    kernel.run("chat.ask('What is R?')")
    kernel.run("%%llama -c seven --new\nWhat is Jupyter?")
    said = kernel.value("[m['role'] for m in chat.messages]")
    assert said == ["user", "assistant"]
    assert "Jupyter" in kernel.value("repr(chat)")


def test_a_cell_that_ran_again_does_not_replace_what_the_page_said_since(kernel: Kernel) -> None:
    kernel.run("chat = %llama chat five --new")
    kernel.run("%%llama -c five\nWhat is R?", cell_id="cell-five")
    kernel.run("chat.session.reset(); chat.ask('What is Jupyter?')")
    kernel.run("%%llama -c five\nWhat is R?", cell_id="cell-five")
    questions = kernel.value("[m['content'] for m in chat.messages if m['role'] == 'user']")
    assert questions == ["What is Jupyter?", "What is R?"]


def test_a_tool_is_asked_for_only_if_it_has_to_be(kernel: Kernel) -> None:
    kernel.run(
        "ran = []\n"
        "def get_weather(city: str) -> str:\n"
        "    'Get the weather of a city.'\n"
        "    ran.append(city)\n"
        "    return f'12 degrees in {city}'\n"
        "chat = %llama chat six --new -t get_weather --approve never"
    )
    kernel.run("chat.ask('What is the weather in Oslo?')")
    assert kernel.value("ran") == []
    kernel.run("%llama chat six --approve auto")
    kernel.run("chat.ask('What is the weather in Oslo?')")
    assert kernel.value("ran") == ["Oslo"]


def test_the_talk_is_written_to_files(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("import llamanb\nchat = llamanb.ChatWidget('demo', temperature=0)")
    kernel.run("chat.ask('What is R?')")
    for name in ("talk.md", "talk.html", "talk.json", "talk.py", "talk.ipynb"):
        kernel.run(f"chat.export({str(tmp_path / name)!r})")
        assert "What is R?" in (tmp_path / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%llama chat -m strange", "unknown model 'strange'"),
        ("%llama chat -t strange", "strange"),
        ("llamanb.ChatWidget('demo', temperature=-1)", "temperature"),
        ("llamanb.ChatWidget('demo', temprature=1)", "temprature"),
        ("llamanb.ChatWidget('demo', approve='perhaps')", "approve='perhaps'"),
        ("chat.export('talk.exe')", ".exe"),
        ("chat.ask('')", "nothing to send"),
    ],
)
def test_mistakes_say_what_is_wrong(kernel: Kernel, line: str, said: str) -> None:
    kernel.run("import llamanb")
    cell = kernel.run(line)
    assert said in str(cell.of_type("error")) + cell.stderr


def test_an_interrupt_keeps_what_was_said(kernel: Kernel, slow_gguf: Path) -> None:
    kernel.run(
        f"import llamanb\n%llama load {slow_gguf} --name slow --n-ctx 4096\n"
        "chat = llamanb.ChatWidget('slow', max_tokens=3000)"
    )
    for line in ("answer = chat.ask('ba')", "answer = await chat.aask('be')"):
        cell = kernel.run(f"{INTERRUPT_SOON}\n{line}")
        assert cell.reply["status"] == "ok", "\n".join(cell.reply["traceback"])
        assert kernel.value("chat._talk.desk.tree.path[-1].live.status") == "stopped"
        assert kernel.value("chat.messages[-1]['role']") == "assistant"
    kernel.run("chat.close()\n%llama unload slow")
