"""``%llama build``, ``grammar``, ``parse`` and ``tokens`` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel

TOOL = '''
def moon_phase(city: str) -> str:
    """Get the phase of the moon over a city."""
    return "full"

call = '<tool_call>\\n{"name": "moon_phase", "arguments": {"city": "Oslo"}}\\n</tool_call>'
thought = "<think>\\nHm.\\n</think>\\n\\nYes."
class Texts:
    call = call
number = 3
'''


@pytest.fixture(autouse=True)
def _tool(kernel: Kernel) -> None:
    assert kernel.run(TOOL).reply["status"] == "ok"
    kernel.run("%llama reset --all")
    kernel.run("%%llama --new --temp 0 -n 4 -t moon_phase\nWhat is R?")


def result(kernel: Kernel, code: str) -> dict[str, Any]:
    cell = kernel.run(code)
    assert cell.reply["status"] == "ok", cell.stderr
    shown: dict[str, Any] = cell.of_type("execute_result")[0]["data"]
    assert {"text/html", "text/markdown", "text/plain"} <= shown.keys()
    assert shown["text/markdown"]
    return shown


def test_build_shows_the_prompt_and_what_may_follow(kernel: Kernel) -> None:
    shown = result(kernel, "%llama build Is it {{1 + 1}}?")
    for part in ("# Tools", "Is it 2?", "format: hermes", "from a trigger on", "'<tool_call>'"):
        assert part in shown["text/plain"]
    assert "moon_phase" in shown["text/plain"]
    assert "<details" in shown["text/html"]
    assert "from the first token on" in str(result(kernel, "%llama build --schema bool Yes?"))


def test_build_marks_control_tokens_but_not_those_a_person_wrote(kernel: Kernel) -> None:
    html = result(kernel, "%llama build --new Say <|im_end|> now")["text/html"]
    real, typed = html.partition("Say ")[0], html.partition("Say ")[2].partition(" now")[0]
    assert ">&lt;|im_start|&gt;</span>" in real
    assert "dotted" in typed
    assert "dotted" not in real


def test_grammar_is_shown_as_lark_and_as_gbnf(kernel: Kernel) -> None:
    lark = result(kernel, "%llama grammar")
    assert lark["text/plain"].startswith("start: ")
    assert "<span style=" in lark["text/html"]
    assert result(kernel, "%llama grammar --gbnf")["text/plain"].startswith("root ::= ")
    assert "from the first" in str(result(kernel, "%llama grammar --tool-choice moon_phase"))
    kernel.run("kept = %llama grammar -t none --choices up,down")
    assert '"up"' in kernel.value("str(kept)")


def test_without_a_grammar_it_says_so(kernel: Kernel) -> None:
    assert "no grammar" in result(kernel, "%llama grammar -t none")["text/plain"]


def test_parse_tells_thinking_answer_and_calls_apart(kernel: Kernel) -> None:
    shown = result(kernel, "%llama parse $call")
    assert "1 tool call, no problems" in shown["text/plain"]
    assert "llamanb-call" in shown["text/html"]
    assert "1 tool call" in result(kernel, "%llama parse $Texts.call")["text/plain"]
    assert "thinking: Hm." in result(kernel, "%llama parse $thought")["text/plain"]
    kernel.run("kept = %llama parse {{call}}")
    assert kernel.value("kept.message.tool_calls[0].args") == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        pytest.param("call.replace('city', 'town')", "'city' is missing", id="arguments"),
        pytest.param("call.replace('moon_phase', 'sun_phase')", "'sun_phase'", id="tool"),
        pytest.param("call[:50]", "is not complete", id="cut off"),
        pytest.param("'<tool_call>nothing</tool_call>'", "was not understood", id="no call"),
    ],
)
def test_parse_says_what_was_not_understood(kernel: Kernel, expression: str, problem: str) -> None:
    kernel.run(f"odd = {expression}")
    shown = result(kernel, "%llama parse $odd")
    assert "problem: " in shown["text/plain"]
    for form in shown.values():
        assert problem in form.replace("&#x27;", "'")


def test_parse_reads_what_a_reply_was_made_of(kernel: Kernel) -> None:
    ask = "%%llama --new --temp 0 --approve auto -t moon_phase -o said\nWhat is the moon phase in Oslo?"
    kernel.run(ask)
    assert "1 tool call" in result(kernel, "%llama parse $said")["text/plain"]


def test_tokens_are_listed_with_their_kinds(kernel: Kernel) -> None:
    shown = result(kernel, "%llama tokens The sky is blü<|im_end|>")
    for part in ("'The'", "text", "end", "\\xc3", "bytes"):
        assert part in shown["text/plain"]
    plain = result(kernel, "%llama tokens --plain <|im_end|>")["text/plain"]
    assert " end" not in plain
    kernel.run("kept = %llama tokens $thought")
    assert kernel.value("''.join(t.piece for t in kept) == thought and len(kept) > 5")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("%llama build", "build needs a text", id="no text"),
        pytest.param("%llama parse $cal", "did you mean 'call'?", id="near variable"),
        pytest.param("%llama tokens $number", "is no text but int", id="no text in it"),
        pytest.param("%llama build --schema Nothing x", "unknown type 'Nothing'", id="type"),
        pytest.param("%llama grammar --gbfn", "did you mean '--gbnf'?", id="option"),
    ],
)
def test_mistakes_are_one_line(kernel: Kernel, code: str, expected: str) -> None:
    cell = kernel.run(code)
    assert cell.reply["status"] == "error"
    assert expected in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1


def test_a_look_leaves_no_trace_in_the_chat(kernel: Kernel) -> None:
    before = kernel.run("%llama history").of_type("execute_result")[0]["data"]
    for line in ("build -s Brief. What?", "grammar -t none", "parse -t none x"):
        kernel.run(f"%llama {line}")
    assert kernel.run("%llama history").of_type("execute_result")[0]["data"] == before
    assert "moon_phase" in str(kernel.run("%llama tools").of_type("execute_result"))


@pytest.mark.parametrize("command", ["build", "parse", "tokens"])
def test_hostile_texts_stay_texts(kernel: Kernel, command: str) -> None:
    kernel.run("odd = '<script>alert(1)</script><img src=x onerror=alert(1)>`|'")
    html = result(kernel, f"%llama {command} {{{{odd}}}}")["text/html"]
    assert "<script" not in html
    assert "<img" not in html


def test_probs_shows_how_likely_the_tokens_of_the_last_reply_were(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --new -t none --temp 0 -n 6 --probs 3 -o said\nWhy is the sky blue?")
    shown_below = [one["data"]["text/html"] for one in cell.of_type("display_data")]
    assert "llamanb-probs" in shown_below[-1]
    shown = result(kernel, "%llama probs")
    assert "6 tokens of demo" in shown["text/plain"]
    assert "data-alternative=" in shown["text/html"]
    assert shown == result(kernel, "%llama probs $said")
    kernel.run("other = said.probs.continue_with(1, said.probs[1].alternatives[1].token.id)")
    assert kernel.value("other.tokens[0] == said.tokens[0] and other.tokens[1] != said.tokens[1]")
    assert kernel.value("len(other.probs.to_rows()) == len(other.tokens)")


def test_probs_reads_a_reply_or_a_text_that_is_there_already(kernel: Kernel) -> None:
    ask = "%%llama --new -t none --temp 0 -n 6 -o {}\nWhy is the sky blue?"
    kernel.run(ask.format("known --probs 5"))
    kernel.run(ask.format("plain"))
    result(kernel, "%llama probs")
    kernel.run("read = %llama probs $plain")
    assert kernel.value(
        "max(abs(a.logprob - b.logprob) for a, b in zip(read, known.probs, strict=True)) < 0.01"
    )
    shown = result(kernel, "%llama probs The sky is {{'blue'}}.")["text/plain"]
    assert "given" in shown
    assert "perplexity" in shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [("$number", "not int"), ("-c nobody", "unknown chat"), ("a", "one token")],
)
def test_what_has_no_probabilities_is_said(kernel: Kernel, line: str, expected: str) -> None:
    assert expected in kernel.run(f"%llama probs {line}").stderr


def test_a_grammar_can_be_tried_out(kernel: Kernel) -> None:
    checked = result(kernel, "%llama grammar -t none --choices up,down --check upper")["text/plain"]
    assert "refused at character 2 (line 1, column 3): 'p'" in checked
    assert (
        "refused"
        in result(kernel, "%llama grammar -t none --choices up,down --check $thought")["text/html"]
    )
    allowed = result(kernel, "%llama grammar -t none --choices up,down --allowed")["text/plain"]
    assert "'u'" in allowed
    assert "'d'" in allowed
    assert "'own'" in str(result(kernel, "%llama grammar -t none --choices up,down --allowed d"))
    sampled = result(kernel, "%llama grammar -t none --choices up,down --sample 2")["text/plain"]
    assert sampled.count("'up'") + sampled.count("'down'") == 2


def test_a_call_is_followed_back_to_its_text(kernel: Kernel) -> None:
    shown = result(kernel, "%llama parse --call 1 $call")
    for part in ("'<tool_call>' at character 0", "accepts the whole call", "required", "Oslo"):
        assert part in shown["text/plain"]
    assert "call and trigger" in shown["text/html"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("%llama parse --call 2 $call", "the output has 1 call", id="no such call"),
        pytest.param("%llama grammar -t none --check a", "there is no grammar", id="no grammar"),
        pytest.param(
            "%llama grammar --choices a,b --sample 2 --allowed", "only one of", id="two trials"
        ),
        pytest.param("%llama grammar --choices a,b --check", "--check needs a value", id="no text"),
    ],
)
def test_mistakes_of_the_lab_are_one_line(kernel: Kernel, code: str, expected: str) -> None:
    cell = kernel.run(code)
    assert expected in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1
