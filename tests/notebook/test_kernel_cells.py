"""``%%llama`` in a real kernel: streaming, results, re-runs, nesting, errors."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel

SKY = "%%llama --temp 0\nWhy is the sky blue?"
LONG = "%%llama --temp 0 --new\nWhy is the sky blue?"


@pytest.fixture(autouse=True)
def _fresh_chat(kernel: Kernel) -> None:
    assert kernel.run("%llama reset --all").reply["status"] == "ok"


def test_a_cell_streams_into_one_display(kernel: Kernel) -> None:
    cell = kernel.run(SKY)
    assert cell.reply["status"] == "ok", cell.stderr
    kinds = [m["msg_type"] for m in cell.messages if "display" in m["msg_type"]]
    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    assert "scatters blue light" in cell.html
    assert cell.displays[-1]["data"]["text/plain"] == kernel.value("str(_)")
    assert not cell.of_type("execute_result")


def test_the_reply_is_in_underscore_out_and_variable(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --temp 0 -o answer\nWhy is the sky blue?")
    number = cell.reply["execution_count"]
    same = kernel.value(f"_ is answer and Out[{number}] is answer and type(_).__name__")
    assert same == "Reply"
    facts = kernel.value("[answer.finish_reason, answer.usage.completion_tokens, answer.model]")
    assert facts[0] == "stop"
    assert facts[1] >= kernel.value("len(answer.tokens)") > 5
    assert facts[2] == "demo"
    assert kernel.value("[m['role'] for m in answer.messages]") == ["user", "assistant"]
    assert "<|im_start|>" in kernel.value("answer.built.prompt")


def test_a_reply_shows_itself_in_a_later_cell(kernel: Kernel) -> None:
    kernel.run("%%llama --temp 0 -o answer\nWhat is R?")
    shown = kernel.run("answer")
    assert shown.displays[-1]["data"]["text/plain"] == kernel.value("str(answer)")


def test_an_assigned_question_shows_once(kernel: Kernel) -> None:
    cell = kernel.run("x = %llama ask --temp 0 Why is the sky blue?\nx")
    assert cell.reply["status"] == "ok", cell.stderr
    assert len({c["transient"]["display_id"] for c in cell.displays}) == 1
    assert "scatters blue light" in kernel.value("str(x)")


def test_running_a_cell_again_replaces_its_turn(kernel: Kernel) -> None:
    kernel.run("%%llama --temp 0\nWhy is the sky blue?", cell_id="one")
    kernel.run("%%llama --temp 0\nWhat is R?", cell_id="two")
    kernel.run("%%llama --temp 0 -o last\nSay pear dashboard", cell_id="two")
    said = kernel.value("[m['content'] for m in last.messages if m['role'] == 'user']")
    assert said == ["Why is the sky blue?", "Say pear dashboard"]
    kernel.run("%%llama --temp 0 -o last\nWhat is R?", cell_id="one")
    assert kernel.value("[m['content'] for m in last.messages][:1]") == ["What is R?"]
    assert kernel.value("len(last.messages)") == 2


def test_a_cell_that_asks_twice_has_two_turns_and_replaces_both(kernel: Kernel) -> None:
    code = (
        "%llama ask --temp 0 -f silent Why is the sky blue?\n"
        "last = %llama ask --temp 0 -f silent What is R?"
    )
    for _ in range(2):
        assert kernel.run(code, cell_id="both").reply["status"] == "ok"
        said = kernel.value("[m['content'] for m in last.messages if m['role'] == 'user']")
        assert said == ["Why is the sky blue?", "What is R?"]


def test_cells_without_an_id_add_turns(kernel: Kernel) -> None:
    kernel.run(SKY)
    kernel.run(SKY)
    assert (
        "4 messages"
        in kernel.run("print(repr(get_ipython().run_line_magic('llama', 'history')))").stdout
    )


def test_named_chats_are_separate(kernel: Kernel) -> None:
    kernel.run("%%llama -c one --temp 0\nWhat is R?")
    kernel.run("%%llama -c two --temp 0 -s 'Be brief.' -o last\nWhy is the sky blue?")
    assert kernel.value("[m['role'] for m in last.messages]") == ["system", "user", "assistant"]
    assert "one" in kernel.run("%llama chats").of_type("execute_result")[0]["data"]["text/plain"]


def test_the_line_below_says_which_turn_of_which_chat_it_is(kernel: Kernel) -> None:
    assert "chat main, turn 1<" in kernel.run(SKY, cell_id="a").html
    assert "chat main, turn 2<" in kernel.run("%%llama\nWhat is R?", cell_id="b").html
    assert "chat main, turn 1<" in kernel.run(SKY, cell_id="a").html
    assert "chat notes, turn 1<" in kernel.run("%%llama -c notes\nWhat is R?").html
    assert "chat main, turn 1<" in kernel.run("%%llama --new\nWhat is R?").html
    assert "chat " not in kernel.run("%%llama --raw -n 3\nThe sky").html


def test_undo_takes_the_last_turn_back(kernel: Kernel) -> None:
    kernel.run(SKY)
    undone = kernel.run("%llama undo")
    assert "took back: Why is the sky blue?" in str(undone.of_type("execute_result"))
    again = kernel.run("%llama undo")
    assert again.reply["status"] == "error"
    assert "no turn to undo" in again.stderr


def test_interpolation_takes_the_value_of_a_variable(kernel: Kernel) -> None:
    kernel.run("color = 'blue'")
    cell = kernel.run("%%llama --temp 0 -o reply\nWhy is the sky {{color}}?")
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.value("reply.messages[0]['content']") == "Why is the sky blue?"


def test_metadata_says_how_the_reply_was_made(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --temp 0 --seed 7\nWhat is R?")
    metadata = cell.displays[-1]["metadata"]["llamanb"]
    assert metadata["model"] == "demo"
    assert len(metadata["fingerprint"]) >= 16
    assert metadata["seed"] == 7
    assert metadata["sampling"]["temperature"] == 0
    assert metadata["usage"]["completion_tokens"] > 0
    assert metadata["finish_reason"] == "stop"


def test_thinking_is_folded(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --temp 0 --think -o reply\nWhy is the sky blue?")
    assert cell.reply["status"] == "ok", cell.stderr
    assert "<details" in cell.html
    assert "Thought for" in cell.html
    assert kernel.value("reply.reasoning")
    assert "<think>" not in kernel.value("reply.text")


def test_updates_come_at_most_twelve_times_per_second(kernel: Kernel) -> None:
    kernel.run("%llama set ignore-eos=true")
    cell = kernel.run("%%llama --temp 0 -n 600\nWhy is the sky blue?")
    kernel.run("%llama set ignore-eos=default")
    assert cell.reply["status"] == "ok", cell.stderr
    sent = [m for m in cell.messages if m["msg_type"] == "update_display_data"]
    times = [m["header"]["date"].timestamp() for m in sent[:-1]]
    assert len(times) >= 2
    assert all(later - earlier > 0.07 for earlier, later in pairwise(times))


@pytest.mark.parametrize("style", ["text", "code", "json"])
def test_formats(kernel: Kernel, style: str) -> None:
    cell = kernel.run(f"%%llama --temp 0 -f {style}\nWhy is the sky blue?")
    assert "<pre" in cell.html


def test_raw_and_silent_formats(kernel: Kernel) -> None:
    raw = kernel.run("%%llama --temp 0 -f raw\nWhy is the sky blue?")
    assert "scatters blue light" in raw.stdout
    assert not raw.displays
    silent = kernel.run("%%llama --temp 0 -f silent -o reply\nWhy is the sky blue?")
    assert not silent.of_type("stream", "display_data", "execute_result")
    assert kernel.value("reply.text")


def test_no_stream_shows_one_display(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --temp 0 --no-stream\nWhy is the sky blue?")
    assert [m["msg_type"] for m in cell.messages if "display" in m["msg_type"]] == ["display_data"]


def test_dry_run_shows_the_prompt_and_sends_nothing(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --dry-run -s 'Be brief.'\nWhy is the sky blue?")
    text = cell.of_type("execute_result")[0]["data"]["text/plain"]
    assert "<|im_start|>system\nBe brief." in text
    assert "Why is the sky blue?" in text
    assert "not sent" in text


def test_dry_run_leaves_the_chat_as_it_is(kernel: Kernel) -> None:
    kernel.run("%%llama --temp 0\nWhat is R?", cell_id="one")
    kernel.run("%%llama --dry-run --new -s 'Be brief.'\nx")
    shown = kernel.run("%%llama --dry-run\nx").of_type("execute_result")[0]["data"]["text/plain"]
    assert "What is R?" in shown
    assert "Be brief." not in shown
    again = kernel.run("%%llama --dry-run\nx", cell_id="one")
    assert "What is R?" not in str(again.of_type("execute_result"))


def test_raw_continues_a_text(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --raw --temp 0 -n 5 -o reply\nThe sky is")
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.value("reply.usage.completion_tokens") == 5
    assert kernel.value("reply.messages") == ()


def test_time_and_capture_work_around_a_cell(kernel: Kernel) -> None:
    timed = kernel.run("%%time\n%%llama --temp 0\nWhy is the sky blue?")
    assert timed.reply["status"] == "ok", timed.stderr
    assert "Wall time" in timed.stdout
    assert "scatters blue light" in timed.html
    captured = kernel.run("%%capture kept\n%%llama --temp 0\nWhy is the sky blue?")
    assert captured.reply["status"] == "ok", captured.stderr
    assert not captured.displays
    shown = kernel.value("[o.data.get('text/plain') for o in kept.outputs if o.data]")
    assert len(shown) == 1
    assert "scatters blue light" in shown[0]


def test_a_cell_magic_called_in_a_function_gives_its_reply(kernel: Kernel) -> None:
    code = (
        "def ask(text):\n"
        "    return get_ipython().run_cell_magic('llama', '--temp 0 -f silent', text)\n"
        "replies = [ask('What is R?'), ask('Why is the sky blue?')]"
    )
    assert kernel.run(code).reply["status"] == "ok"
    assert kernel.value("[type(reply).__name__ for reply in replies]") == ["Reply", "Reply"]


def test_a_nested_run_cell_works(kernel: Kernel) -> None:
    code = "r = get_ipython().run_cell('%%llama --temp 0 -f silent\\nWhat is R?')\nr.success"
    cell = kernel.run(code)
    assert cell.of_type("execute_result")[-1]["data"]["text/plain"] == "True", cell.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("%%llama --tmp 1\nx", "did you mean '--temp'", id="option"),
        pytest.param("%%llama -m dmo\nx", "did you mean 'demo'", id="model"),
        pytest.param("%llama lod demo", "Example: %llama load demo", id="command"),
        pytest.param("%llama What is R?", "ask the model: %llama ask What is R?", id="sentence"),
        pytest.param("%%llama\n{{colr}}", "unknown variable 'colr'", id="variable"),
        pytest.param("%%llama\n{{1/0}}", "ZeroDivisionError", id="failing expression"),
        pytest.param("%%llama --temp -1\nx", "temperature=-1.0 is not possible", id="range"),
        pytest.param("%%llama\n  ", "the cell is empty", id="empty"),
        pytest.param("%%llama -o 1x\nx", "cannot name a variable", id="variable name"),
        pytest.param("%llama load nothing.gguf", "model file not found", id="missing file"),
        pytest.param("%llama history nobody", "unknown chat 'nobody'", id="chat"),
        pytest.param("%%llama\n" + "word " * 9000, "larger n_ctx", id="too long"),
    ],
)
def test_mistakes_fail_the_cell_in_one_line(kernel: Kernel, code: str, expected: str) -> None:
    cell = kernel.run(code)
    assert cell.reply["status"] == "error"
    assert cell.reply["ename"] == "UsageError"
    assert expected in cell.stderr
    assert cell.stderr.strip().count("\n") == 0
    assert not cell.of_type("error")
    assert kernel.run("%%llama --new --temp 0\nWhat is R?").reply["status"] == "ok"
