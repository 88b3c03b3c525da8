"""A talk as a saved copy and as files."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from llamanb import Session
from llamanb.errors import OptionError
from llamanb.notebook.arguments import parse_line
from llamanb.notebook.calls import Call
from llamanb.notebook.chat.export import FORMATS, export_talk, talk_cells, write_talk
from llamanb.notebook.chat.messages_view import talk_of_messages
from llamanb.notebook.chat.parts import Attachment, TalkView, Thought, TurnView
from llamanb.notebook.chat.twin import chat_html, chat_markdown, chat_text
from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.options import CELL
from tests.corpora.hostile_markdown import HOSTILE
from tests.support.inert import assert_inert

if TYPE_CHECKING:
    from pathlib import Path

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
CALL = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief.\nBe kind."},
    {"role": "user", "content": "Is it cold in {{Oslo}}?"},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "I look it up.",
        "tool_calls": [{"id": "c1", "type": "function", "function": CALL}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "get_weather", "content": "3 °C"},
    {"role": "assistant", "content": "Yes: **3 °C**."},
    {"role": "user", "content": 'And "\'\'\'" or """?'},
    {"role": "assistant", "content": "No."},
]


@pytest.fixture
def talk() -> TalkView:
    """Give a talk with thinking and a tool call."""
    return talk_of_messages(MESSAGES, model="demo", is_toy=True, sampling={"temperature": 0.2})


def test_messages_become_turns_with_the_results_at_their_calls(talk: TalkView) -> None:
    assert talk.system_prompt == "Be brief.\nBe kind."
    first, second = talk.turns
    thought, call, answer = first.parts
    assert isinstance(thought, Thought)
    assert (thought.text, thought.is_open) == ("I look it up.", False)
    assert isinstance(call, Call)
    assert (call.name, call.result) == ("get_weather", "3 °C")
    assert answer == "Yes: **3 °C**."
    assert second.parts == ("No.",)


def test_the_copy_shows_everything_in_all_three_forms(talk: TalkView) -> None:
    for shown in (chat_html(talk), chat_markdown(talk), chat_text(talk)):
        for text in ("demo (toy)", "2 turns", "Be kind.", "I look it up.", "get_weather", "3 °C"):
            assert text in shown
    assert "<strong>3 °C</strong>" in chat_html(talk)


def test_pictures_are_small_in_the_copy_and_only_safe_ones_are_there() -> None:
    def page(url: str) -> str:
        given = Attachment(name="cat.png", kind="image", text="", url=url)
        return chat_html(TalkView(model="m", turns=(TurnView(question="?", attachments=(given,)),)))

    assert f'src="{PIXEL}"' in page(PIXEL)
    assert_inert(page(PIXEL), has_images=True)
    for url in ("http://evil.invalid/", "data:image/svg+xml;base64,AAAA", PIXEL + '"', "x"):
        assert "<img" not in page(url)
        assert "cat.png" in page(url)


def test_an_empty_talk_says_so() -> None:
    assert "Nothing has been said yet" in chat_html(TalkView(model="demo"))
    for name in FORMATS:
        assert export_talk(TalkView(model="demo"), name).text


def test_json_can_be_gone_on_with(talk: TalkView) -> None:
    model: Any = object()
    session = Session.from_json(export_talk(talk, "json").text, model)
    assert session.messages == MESSAGES[1:]
    assert session.system_prompt == talk.system_prompt


def run_program(text: str) -> dict[str, Any]:
    """Give what a program would ask, by reading its literals."""
    found: dict[str, Any] = {"asked": []}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "session.send":
            found["asked"].append(ast.literal_eval(node.args[0]))
        if isinstance(node, ast.keyword) and node.arg == "system_prompt":
            found["system_prompt"] = ast.literal_eval(node.value)
    return found


def test_the_program_asks_the_same_questions(talk: TalkView) -> None:
    text = export_talk(talk, "py").text
    asked = [message["content"] for message in MESSAGES if message["role"] == "user"]
    assert run_program(text) == {"asked": asked, "system_prompt": talk.system_prompt}
    assert "sampling = {'temperature': 0.2}" in text
    assert "# Yes: **3 °C**." in text
    assert "tools=[…]" in text


def test_the_program_compiles_whatever_was_said() -> None:
    for text in (*HOSTILE, "\\", '"""', "'''\n\"\"\"\\", "\x0c#\n\x85x\u2028y", "a\n\nb\n"):
        said = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
        program = export_talk(talk_of_messages(said, model=text), "py").text
        assert run_program(program)["asked"] == [text]
        program.encode("utf-8")


def test_the_notebook_is_valid_and_its_cells_ask_the_same(talk: TalkView) -> None:
    notebook = nbformat.reads(export_talk(talk, "ipynb").text, as_version=4)
    nbformat.validate(notebook)
    cells = [one.source for one in notebook.cells if one.source.startswith("%%llama")]
    line, _, prompt = cells[0].partition("\n")
    assert parse_line(line.removeprefix("%%llama"), CELL).values == {
        "new": True,
        "system": "{{system_prompt}}",
        "temperature": 0.2,
    }
    assert prompt == r"Is it cold in \{{Oslo}}?"
    assert "--new" not in cells[1]


class NoNames:
    """A shell without variables."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}

    def ev(self, expr: str) -> Any:
        """Fail: nothing in a question of the past is an expression."""
        raise AssertionError(expr)


@pytest.mark.parametrize("question", ["{{x}}", "{{{", r"\{{x}}", "{{{{x}}}}", "a { {b} }"])
def test_braces_of_a_question_stay_braces(question: str) -> None:
    view = TalkView(model="m", turns=(TurnView(question=question, parts=("y",)),))
    code, answer = talk_cells(view)
    assert interpolate(code.source.partition("\n")[2], NoNames()) == question
    assert (answer.kind, answer.source) == ("markdown", "y")


def test_notebooks_are_valid_whatever_was_said() -> None:
    for text in HOSTILE:
        said = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
        view = talk_of_messages([{"role": "system", "content": text}, *said], model=text)
        written = export_talk(view, "ipynb").text
        written.encode("utf-8")
        nbformat.validate(nbformat.reads(written, as_version=4))


def test_the_page_needs_nothing_from_elsewhere(talk: TalkView) -> None:
    page = export_talk(talk, "html").text
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert '<meta charset="utf-8">' in page


@pytest.mark.parametrize("name", FORMATS)
def test_files_are_written_in_the_format_of_their_name(
    talk: TalkView, tmp_path: Path, name: str
) -> None:
    path = write_talk(talk, tmp_path / f"a talk.{name.upper()}")
    assert path.read_text("utf-8") == export_talk(talk, name).text


def test_an_unknown_format_names_the_known_ones(talk: TalkView, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'docx'; known are md, html, json, py, ipynb"):
        export_talk(talk, "docx")
    with pytest.raises(OptionError, match=r"must end in one of \.md, \.html"):
        write_talk(talk, tmp_path / "talk.docx")


def test_json_keeps_what_is_no_text(talk: TalkView) -> None:
    said = [{"role": "user", "content": "\ud800"}]
    written = export_talk(talk_of_messages(said), "json").text
    written.encode("utf-8")
    assert json.loads(written)["messages"] == said
