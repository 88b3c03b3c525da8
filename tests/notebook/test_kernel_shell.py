"""The magics as part of a kernel: interrupt, completion, help, reloading."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.notebook.conftest import DEADLINE_S, is_idle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.notebook.conftest import Kernel

ENDLESS = "--temp 0 -n 3900 --new\nWhy is the sky blue?"


@pytest.fixture
def endless(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel whose replies go on until the context is full."""
    kernel.run("%llama set ignore-eos=true")
    yield kernel
    kernel.run("%llama set ignore-eos=default")


def _shows_text(message: dict[str, Any]) -> bool:
    bundle = message["content"].get("data", {})
    return message["msg_type"] == "update_display_data" and len(bundle["text/plain"]) > 1


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("%%llama -o partial " + ENDLESS, id="awaited cell"),
        pytest.param("%%time\n%%llama -o partial " + ENDLESS, id="nested cell"),
        pytest.param(
            "%llama ask -o partial --temp 0 -n 3900 --new Why is the sky blue?", id="line"
        ),
    ],
)
def test_an_interrupt_keeps_the_partial_text(endless: Kernel, code: str) -> None:
    cell = endless.start(code)
    cell.wait_for(_shows_text)
    interrupted_s = time.monotonic()
    endless.manager.interrupt_kernel()
    cell.finish()
    assert time.monotonic() - interrupted_s < 2.0
    assert cell.reply["status"] == "ok", cell.stderr
    assert "stopped after" in cell.html
    assert endless.value("partial.cancelled")
    count, text = endless.value("(partial.usage.completion_tokens, partial.text)")
    assert 0 < count < 3900
    assert text in cell.displays[-1]["data"]["text/plain"]
    said = endless.value("[m['role'] for m in partial.messages]")
    assert said == ["user", "assistant"]
    assert endless.run("%%llama -n 5 --new --temp 0\nWhat is R?").reply["status"] == "ok"


def test_a_cell_that_waits_behind_an_interrupted_one_answers(endless: Kernel) -> None:
    first = endless.start("%%llama -o first " + ENDLESS)
    second = endless.start("%%llama --temp 0 -n 5 -o second\nWhat is R?")
    first.wait_for(_shows_text)
    endless.manager.interrupt_kernel()
    first.finish()
    second.finish()
    assert second.reply["status"] == "ok", second.stderr
    assert "chat main, turn 2<" in second.html
    assert endless.value("(first.cancelled, second.usage.completion_tokens)") == (True, 5)


def test_an_interrupt_can_raise_after_keeping_the_text(endless: Kernel) -> None:
    endless.run("partial = None\n%config LlamaMagics.interrupt = 'raise'")
    cell = endless.start("%%llama -o partial " + ENDLESS)
    cell.wait_for(_shows_text)
    endless.manager.interrupt_kernel()
    cell.finish()
    endless.run("%config LlamaMagics.interrupt = 'keep'")
    assert cell.reply["status"] == "error"
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert endless.value("partial.cancelled")


def test_an_interrupt_in_a_long_prompt_ends_the_cell(kernel: Kernel) -> None:
    kernel.run("words = 'blue sky ' * 900")
    cell = kernel.start("%%llama --new --temp 0\n{{words}}")
    cell.wait_for(lambda message: message["msg_type"] == "display_data")
    kernel.manager.interrupt_kernel()
    cell.finish()
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.run("%%llama --new --temp 0\nWhat is R?").reply["status"] == "ok"


def test_an_interrupt_while_an_expression_is_evaluated_raises_at_once(kernel: Kernel) -> None:
    kernel.run(
        "import threading\ndef wait():\n    print('waiting', flush=True)\n"
        "    threading.Event().wait(40)"
    )
    cell = kernel.start("%%llama\n{{wait()}}")
    cell.wait_for(lambda message: message["msg_type"] == "stream")
    kernel.manager.interrupt_kernel()
    cell.finish()
    assert cell.reply["ename"] == "KeyboardInterrupt"


def test_comm_messages_are_answered_while_a_cell_streams(endless: Kernel) -> None:
    endless.run(
        "def opened(comm, message):\n    comm.send({'heard': True})\n"
        "get_ipython().kernel.comm_manager.register_target('ears', opened)"
    )
    cell = endless.start("%%llama " + ENDLESS)
    cell.wait_for(_shows_text)
    content = {"comm_id": "one", "target_name": "ears", "data": {}}
    message = endless.client.session.msg("comm_open", content)
    endless.client.shell_channel.send(message)
    deadline_s = time.monotonic() + DEADLINE_S
    answer = endless.next_output(deadline_s)
    while answer["msg_type"] != "comm_msg":
        assert answer["parent_header"]["msg_id"] != cell.message_id or not is_idle(answer)
        answer = endless.next_output(deadline_s)
    endless.manager.interrupt_kernel()
    cell.finish()
    assert "stopped after" in cell.html


def test_unloading_the_model_while_it_answers_ends_the_cell(endless: Kernel) -> None:
    code = (
        "import threading, llamanb\n"
        "def unload_soon():\n"
        "    while not llamanb.models['demo'].engine.status().running: pass\n"
        "    llamanb.unload('demo', force=True)\n"
        "threading.Thread(target=unload_soon).start()"
    )
    assert endless.run(code).reply["status"] == "ok"
    cell = endless.run("%%llama " + ENDLESS)
    assert not cell.of_type("error")
    assert cell.displays[-1]["data"]["text/plain"] != "…"
    again = endless.run("%llama load demo")
    assert again.reply["status"] == "ok", again.stderr
    assert endless.run("%%llama -n 5 --new --temp 0\nWhat is R?").reply["status"] == "ok"


@pytest.mark.parametrize(
    ("code", "expected", "unwanted"),
    [
        pytest.param("%llama lo", ["load"], "%lsmagic", id="command"),
        pytest.param("%%llama --te", ["--temp"], "", id="cell option"),
        pytest.param("%%llama -m de", ["demo"], "", id="model name"),
        pytest.param("x = %llama un", ["undo", "unload"], "", id="assignment"),
        pytest.param("%llama load dem", ["demo", "demo-embed"], "", id="bundled models"),
        pytest.param("%lla", ["%llama"], "", id="the magic itself"),
    ],
)
def test_completion(kernel: Kernel, code: str, expected: list[str], unwanted: str) -> None:
    content = kernel.client.complete(code, reply=True, timeout=DEADLINE_S)["content"]
    assert set(expected) <= set(content["matches"])
    assert unwanted not in content["matches"] or not unwanted
    assert content["matches"][0].startswith(code[content["cursor_start"] : content["cursor_end"]])


def test_completion_replaces_only_the_last_word(kernel: Kernel) -> None:
    content = kernel.client.complete("%llama unload d", reply=True, timeout=DEADLINE_S)["content"]
    assert (content["matches"], content["cursor_start"]) == (["demo"], len("%llama unload "))


@pytest.mark.parametrize(
    ("code", "matches"),
    [
        pytest.param("%%llama\nWhy is a_variable_h", [], id="prose of a cell"),
        pytest.param("%%time\n%%llama\nWhy is a_variable_h", [], id="prose of a timed cell"),
        pytest.param("%llama ask Why is a_variable_h", [], id="prose of a line"),
        pytest.param("%%llama\n{{a_variable_h", ["a_variable_here"], id="expression"),
        pytest.param("%llama ask {{a_variable_h", ["a_variable_here"], id="expression in a line"),
        pytest.param("%%llama\n{{a_variable_here.bit_l", [".bit_length"], id="attribute"),
    ],
)
def test_prompts_complete_only_expressions_and_at_once(
    kernel: Kernel, code: str, matches: list[str]
) -> None:
    kernel.run("a_variable_here = 1")
    begun_s = time.monotonic()
    content = kernel.client.complete(code, reply=True, timeout=DEADLINE_S)["content"]
    assert content["matches"] == matches
    assert time.monotonic() - begun_s < 3.0


def test_lsmagic_lists_nothing_hidden(kernel: Kernel) -> None:
    shown = str(kernel.run("%lsmagic").of_type("execute_result"))
    assert "%%llama " in shown
    assert "awaited" not in shown


def test_inspection_shows_the_help(kernel: Kernel) -> None:
    for code in ("%llama", "%%llama"):
        content = kernel.client.inspect(code, reply=True, timeout=DEADLINE_S)["content"]
        assert content["found"]
        assert "--temp" in content["data"]["text/plain"]


def test_help_of_one_command(kernel: Kernel) -> None:
    assert "--n-ctx" in str(kernel.run("%llama help load").of_type("execute_result"))
    assert "--n-ctx" in str(kernel.run("%llama load?").of_type("execute_result"))
    assert "--temp" in str(kernel.run("%llama?").reply["payload"])


def test_status_shows_models_chats_and_settings(kernel: Kernel) -> None:
    kernel.run("%llama set temp=0.5")
    shown = kernel.run("%llama").displays[0]["data"]
    kernel.run("%llama set temp=default")
    for part in ("demo", "Chats", "Settings", "0.5"):
        assert part in shown["text/plain"]
        assert part in shown["text/html"]


def test_models_are_shown_live_beside_what_is_saved(kernel: Kernel) -> None:
    for code in ("%llama", "import llamanb; llamanb.models", "llamanb.models.manager()"):
        saved, panel = kernel.run(code).displays
        assert "demo" in saved["data"]["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in panel["data"]
    assert kernel.value("len(get_ipython()._llamanb_widgets['models'])") == 1


def test_models_are_one_plain_table_where_nothing_streams(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['LLAMANB_STREAM'] = '0'")
    cells = [kernel.run(code) for code in ("%llama", "llamanb.models")]
    kernel.run("del os.environ['LLAMANB_STREAM']")
    for cell in cells:
        assert cell.displays == []
        assert "demo" in cell.of_type("execute_result")[0]["data"]["text/plain"]


def test_loading_twice_and_reloading_keep_the_chats(kernel: Kernel) -> None:
    kernel.run("%%llama -c kept --temp 0\nWhat is R?")
    reloads = (
        "%load_ext llamanb\n%reload_ext llamanb\n"
        "import importlib, llamanb.notebook.magics as m\n"
        "importlib.reload(m)\n%reload_ext llamanb\n"
    )
    cell = kernel.run(reloads)
    assert cell.reply["status"] == "ok", cell.stderr
    assert "What is R?" in str(kernel.run("%llama history kept").of_type("execute_result"))
    assert kernel.value("len(get_ipython().input_transformers_post)") == 1
    cell = kernel.run("%%llama --new --temp 0\nWhy is the sky blue?")
    assert "scatters blue light" in cell.html


def test_unloading_removes_every_hook(kernel: Kernel) -> None:
    cell = kernel.run("%unload_ext llamanb")
    assert cell.reply["status"] == "ok", cell.stderr
    facts = kernel.value(
        "(len(get_ipython().input_transformers_post), "
        "len(get_ipython().Completer.custom_matchers), "
        "[c for c in get_ipython().configurables if type(c).__name__ == 'LlamaMagics'], "
        "[n for t in get_ipython().magics_manager.magics.values() for n in t if 'llama' in n])"
    )
    assert facts == (0, 0, [], [])
    assert kernel.run("%load_ext llamanb\n%llama").reply["status"] == "ok"
