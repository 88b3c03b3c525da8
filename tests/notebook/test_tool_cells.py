"""``%%llama -t`` and ``%llama tools`` in a real kernel; asking is tested in tests/kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel

TOOLS = '''
import llamanb

def moon_phase(city: str) -> str:
    """Get the phase of the moon over a city."""
    return f"The moon over {city} is a thin crescent."

@llamanb.tool(approve=True)
def tide_level(city: str, unit: str = "m") -> str:
    """Get the tide of a city."""
    print("measuring")
    return "2.4 meters"

def broken(city: str) -> str:
    """Get the color of a city."""
    raise RuntimeError("the tool's own fault")

several = [moon_phase, tide_level]
number = 3
'''
MOON = "What is the moon phase in Oslo?"
AUTO = "%%llama --new --temp 0 --approve auto -o said"


@pytest.fixture(autouse=True)
def _tools(kernel: Kernel) -> None:
    assert kernel.run(TOOLS).reply["status"] == "ok"
    kernel.run("%llama reset --all\n%llama tools list")


def test_a_new_tool_is_called_and_the_answer_uses_its_result(kernel: Kernel) -> None:
    cell = kernel.run(f"{AUTO} -t moon_phase\n{MOON}")
    assert cell.reply["status"] == "ok", cell.stderr
    assert "thin crescent" in kernel.value("said.text")
    call = "said.tool_calls[0]"
    facts = kernel.value(f"[{call}.name, {call}.args, {call}.result, {call}.is_error]")
    assert facts == [
        "moon_phase",
        {"city": "Oslo"},
        "The moon over Oslo is a thin crescent.",
        False,
    ]
    roles = kernel.value("[m['role'] for m in said.messages]")
    assert roles == ["user", "assistant", "tool", "assistant"]


def test_numbers_are_those_of_all_rounds(kernel: Kernel) -> None:
    kernel.run(f"{AUTO} -t moon_phase\n{MOON}")
    assert kernel.value("said.usage.completion_tokens") > kernel.value("len(said.tokens)") - 3 > 20
    assert "<tool_call>" in kernel.value("said.raw")
    assert "It says" in kernel.value("said.raw")
    cell = kernel.run(f"{AUTO} -t moon_phase\n{MOON}")
    metadata = cell.displays[-1]["metadata"]["llamanb"]
    assert metadata["usage"]["completion_tokens"] == kernel.value("said.usage.completion_tokens")
    assert metadata["tools"] == ["moon_phase"]


def test_the_saved_output_has_the_call_in_every_form(kernel: Kernel) -> None:
    saved = kernel.run(f"{AUTO} -t tide_level\nWhat is the tide level in Oslo?").displays[-1][
        "data"
    ]
    for form in ("text/html", "text/markdown", "text/plain"):
        for part in ("tide_level", "Oslo", "measuring", "2.4 meters"):
            assert part in saved[form], form
    shown = kernel.run("said").displays[-1]["data"]
    assert "llamanb-call" in shown["text/html"]


def test_what_a_tool_raises_is_shown_as_an_error(kernel: Kernel) -> None:
    cell = kernel.run(f"{AUTO} -t broken --tool-choice broken -n 60\nWhat is the color of Oslo?")
    assert cell.reply["status"] == "ok", cell.stderr
    assert "the tool&#x27;s own fault" in cell.html
    assert kernel.value("said.tool_calls[0].is_error")


def test_tools_stay_with_the_chat_until_they_are_replaced(kernel: Kernel) -> None:
    kernel.run(f"{AUTO} -t moon_phase\n{MOON}")
    names = "[t['function']['name'] for t in get_ipython()._llamanb_state.chats.find('main').session.tool_use.schemas() or []]"
    kernel.run(f"%%llama --temp 0 --approve auto -o said\n{MOON}")
    assert kernel.value("len(said.tool_calls)") == 1
    kernel.run("%%llama --temp 0 -n 5 -t tide_level\nWhat is R?")
    assert kernel.value(names) == ["tide_level"]
    kernel.run("%%llama --temp 0 -n 5 -t none\nWhat is R?")
    assert kernel.value(names) == []


def test_a_list_of_tools_may_be_named_and_a_look_changes_nothing(kernel: Kernel) -> None:
    kernel.run("%llama build --new -t several What is R?")
    kernel.run("%%llama --new --dry-run -t several\nWhat is R?")
    assert "no tools" in shown(kernel, "%llama tools")
    kernel.run("%%llama --new --temp 0 -n 5 -t several\nWhat is R?")
    assert "tide_level" in shown(kernel, "%llama tools")


def test_calls_come_back_without_rounds(kernel: Kernel) -> None:
    cell = kernel.run(f"{AUTO} -t moon_phase --max-rounds 0\n{MOON}")
    assert kernel.value("[said.finish_reason, said.tool_calls[0].result]") == ["tool_calls", None]
    assert "calls not run" in cell.html
    assert "running…" not in cell.html


def test_no_tool_is_called_if_the_choice_is_none(kernel: Kernel) -> None:
    kernel.run(f"{AUTO} -t moon_phase --tool-choice none -n 20\n{MOON}")
    assert kernel.value("said.tool_calls") == ()


def test_a_required_tool_is_called_for_any_question(kernel: Kernel) -> None:
    kernel.run(f"{AUTO} -t several --tool-choice tide_level -n 60\nWhat is the color of Oslo?")
    assert kernel.value("said.tool_calls[0].name") == "tide_level"


def test_text_formats_show_calls_too(kernel: Kernel) -> None:
    cell = kernel.run(f"{AUTO} -f text -t moon_phase\n{MOON}")
    assert "llamanb-call" in cell.html
    raw = kernel.run(f"{AUTO} -f raw -t moon_phase\n{MOON}")
    assert raw.stdout.strip() == kernel.value("said.text")


def test_history_shows_calls_and_results(kernel: Kernel) -> None:
    kernel.run(f"{AUTO} -t moon_phase\n{MOON}")
    history = kernel.run("%llama history").of_type("execute_result")[0]["data"]
    assert 'assistant: moon_phase {"city": "Oslo"}' in history["text/plain"]
    assert "tool moon_phase: The moon over Oslo" in history["text/plain"]
    assert "llamanb-call" in history["text/html"]


def test_running_a_cell_again_replaces_calls_and_results(kernel: Kernel) -> None:
    for _ in range(2):
        kernel.run(f"%%llama --temp 0 --approve auto -o said -t moon_phase\n{MOON}", cell_id="one")
    assert kernel.value("len(said.messages)") == 4


def shown(kernel: Kernel, code: str) -> str:
    return str(kernel.run(code).of_type("execute_result")[0]["data"]["text/plain"])


def test_tools_are_added_listed_and_taken_away(kernel: Kernel) -> None:
    kernel.run("%llama reset\n%llama tools list")
    assert "city: string" in shown(kernel, "%llama tools -c sea add moon_phase,tide_level")
    table = shown(kernel, "%llama tools -c sea")
    assert "city: string, unit?: string" in table
    assert "without asking" in table
    assert "after asking" in table
    assert "tide_level" not in shown(kernel, "%llama tools -c sea rm tide_level")


def test_a_tool_is_shown_as_its_schema_and_as_the_template_writes_it(kernel: Kernel) -> None:
    text = shown(kernel, "%llama tools show moon_phase")
    assert '"description": "Get the phase of the moon over a city."' in text
    assert "# Tools" in text.partition("demo reads:")[2]


def test_a_tool_is_called_by_hand(kernel: Kernel) -> None:
    text = shown(kernel, """%llama tools call tide_level '{"city": "Oslo"}'""")
    assert "printed: measuring" in text
    assert "result: 2.4 meters" in text
    assert "wrong arguments: 'city' is missing" in shown(kernel, "%llama tools call tide_level {}")


def test_a_choice_that_cannot_be_kept_leaves_the_chat_alone(kernel: Kernel) -> None:
    kernel.run("%%llama --temp 0 -n 5\nWhat is R?")
    kernel.run("%%llama --new -t moon_phase --tool-choice moon\nx")
    assert "What is R?" in shown(kernel, "%llama history")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("%%llama -t moon_phas\nx", "did you mean 'moon_phase'?", id="near name"),
        pytest.param("%%llama -t number\nx", "'number' is no tool but int", id="a number"),
        pytest.param("%%llama -t 'a b'\nx", "'a b' is no tool", id="no expression"),
        pytest.param("%%llama -t ,\nx", "--tools needs names", id="no name"),
        pytest.param("%%llama -t several,moon_phase\nx", "two tools", id="twice"),
        pytest.param("%%llama --raw -t moon_phase\nx", "leave --tools out", id="raw"),
        pytest.param("%%llama --new --tool-choice required\nx", "needs tools", id="none to choose"),
        pytest.param(
            "%%llama -t moon_phase --tool-choice moon_phse\nx", "'moon_phase'?", id="choice"
        ),
        pytest.param("%%llama --approve yes\nx", "unknown approve 'yes'", id="approve"),
        pytest.param("%%llama --max-rounds -1\nx", "max_rounds=-1", id="rounds"),
        pytest.param("%llama tools ad moon_phase", "did you mean 'add'?", id="action"),
        pytest.param("%llama tools add", "tools add needs names", id="nothing to add"),
        pytest.param("%llama tools rm tide", "unknown tool 'tide'", id="nothing to remove"),
        pytest.param("%llama tools call moon_phase Oslo", "is no JSON object", id="no JSON"),
    ],
)
def test_mistakes_are_one_line(kernel: Kernel, code: str, expected: str) -> None:
    cell = kernel.run(code)
    assert cell.reply["status"] == "error"
    assert expected in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("%%llama -t moon", ["moon_phase"], id="function"),
        pytest.param("%%llama -t moon_phase,ti", ["moon_phase,tide_level"], id="second name"),
        pytest.param("%%llama --tool-choice re", ["required"], id="choice"),
        pytest.param("%%llama --approve au", ["auto"], id="approve"),
        pytest.param("%llama tools sh", ["show"], id="action"),
        pytest.param("%llama tools add sev", ["several"], id="list of tools"),
        pytest.param("%llama grammar -t ti", ["tide_level"], id="inspector"),
    ],
)
def test_names_are_completed(kernel: Kernel, code: str, expected: list[str]) -> None:
    content = kernel.client.complete(code, reply=True, timeout=45)["content"]
    assert content["matches"] == expected
