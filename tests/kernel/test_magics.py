"""``%%llama`` in a kernel as a front end sees it: streams, re-runs, completes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.kernels import Kernel


def test_reply_streams_into_one_display(slow_kernel: Kernel) -> None:
    cell = slow_kernel.run("%%llama --new --max-tokens 80\nba be bi")
    assert not cell.complaint
    assert cell.n_updates >= 3
    assert cell.result is None


def test_updates_come_at_most_twelve_times_a_second(slow_kernel: Kernel) -> None:
    seconds = "import time; started = time.perf_counter()"
    slow_kernel.run(seconds)
    cell = slow_kernel.run("%%llama --new --max-tokens 150\nba be bi")
    took_s = slow_kernel.evaluate("time.perf_counter() - started")
    assert cell.n_updates <= 12 * took_s + 2


def test_reply_is_in_underscore_and_in_the_named_variable(tiny_kernel: Kernel) -> None:
    tiny_kernel.run("%%llama --new --max-tokens 6 --seed 1 -o said\nba be bi")
    assert tiny_kernel.evaluate("[str(_) == str(said), len(said) > 0]") == [True, True]


def test_same_seed_gives_the_same_reply(tiny_kernel: Kernel) -> None:
    ask = "%%llama --new --max-tokens 12 --seed 5 -o {}\nba be bi"
    for name in ("first", "second"):
        assert not tiny_kernel.run(ask.format(name)).complaint
    assert tiny_kernel.evaluate("str(first) == str(second)")


def test_running_a_cell_again_replaces_its_turn(tiny_kernel: Kernel) -> None:
    ask = "%%llama -c again --max-tokens 6 -o said\nba be bi"
    lengths = []
    for _ in range(2):
        assert not tiny_kernel.run(ask, cell_id="cell-1").complaint
        lengths.append(tiny_kernel.evaluate("len(said.messages)"))
    other = tiny_kernel.run("%%llama -c again --max-tokens 6 -o said\nke ki", cell_id="cell-2")
    assert not other.complaint
    lengths.append(tiny_kernel.evaluate("len(said.messages)"))
    assert lengths[0] == lengths[1]
    assert lengths[2] == lengths[1] + 2


def test_values_are_put_into_the_prompt(tiny_kernel: Kernel) -> None:
    tiny_kernel.run("colour = 'vo ze'")
    shown = tiny_kernel.run('%%llama --new --dry-run\nba {{colour}} {"json": 1}')
    assert 'ba vo ze {"json": 1}' in shown.text


def test_commands_and_options_complete(tiny_kernel: Kernel) -> None:
    assert "load" in completions(tiny_kernel, "%llama lo")
    assert "--max-tokens" in completions(tiny_kernel, "%%llama --max")
    assert "tiny" in completions(tiny_kernel, "%llama use t")


def test_plain_text_of_the_cell_is_not_completed(tiny_kernel: Kernel) -> None:
    assert "--max-tokens" not in completions(tiny_kernel, "%%llama\n--max")


def test_help_is_shown_by_a_question_mark(tiny_kernel: Kernel) -> None:
    reply = tiny_kernel.client.inspect("%%llama", reply=True, timeout=30)
    assert reply["content"]["found"]
    assert "--max-tokens" in reply["content"]["data"]["text/plain"]


def test_two_cells_do_not_mix(tiny_kernel: Kernel) -> None:
    ask = "%%llama -c {0} --max-tokens 8 --temp 0 -o {0}\nba be bi"
    for name in ("one", "two"):
        assert not tiny_kernel.run(ask.format(name)).complaint
    assert tiny_kernel.evaluate("str(one) == str(two)")


def completions(kernel: Kernel, code: str) -> list[str]:
    reply = kernel.client.complete(code, len(code), reply=True, timeout=30)
    return [str(match) for match in reply["content"]["matches"]]
