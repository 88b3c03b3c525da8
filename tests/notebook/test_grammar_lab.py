"""``GrammarLab`` and the way from a tool call back to its text, trigger and grammar."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import pytest

import llamanb
from llamanb.errors import GrammarError, OptionError
from llamanb.models import Model, ModelManager
from llamanb.notebook.call_span_view import CallSpanView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.chat_layer import ChatPrompt

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e&amp;"
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
TAG = re.compile(r"<[^>]+>")


class Trip(TypedDict):
    """Somewhere to go."""

    city: Literal["Oslo", "Rome"]
    days: int


@llamanb.tool
def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """Give the weather in a city."""
    return f"3 {unit} in {city}"


@pytest.fixture(scope="module")
def model(demo_path: Path) -> Iterator[Model]:
    manager = ModelManager()
    yield manager.load(str(demo_path), n_ctx=1024, n_threads=1, progress=False)
    manager.unload("demo", force=True)


@pytest.fixture(scope="module")
def prompt(model: Model) -> ChatPrompt:
    said = [{"role": "user", "content": "What is the weather in Oslo?"}]
    return model.chat_build(said, tools=[get_weather])


def shown(view: Any) -> str:
    """Give what a reader of the HTML sees."""
    return unescape(TAG.sub("", view._repr_html_()))


def test_a_check_tells_the_place_and_what_was_allowed(model: Model) -> None:
    check = llamanb.GrammarLab(model, json_schema=Trip).check('{"city": "Olso", "days": 3}')
    assert not check
    assert (check.position, check.line, check.column) == (11, 1, 12)
    assert (check.accepted, check.refused[:3]) == ('{"city": "O', "lso")
    assert check.expected.forced.startswith('slo"')
    assert "^" in repr(check).splitlines()[1]
    assert repr(check).splitlines()[1].index("^") == 11


def test_a_check_marks_both_parts_and_not_by_colour_alone(model: Model) -> None:
    html = llamanb.GrammarLab(model, choices=["Oslo"]).check("Osram")._repr_html_()
    assert re.search(r'underline solid[^>]*title="accepted">Os</span>', html)
    assert re.search(r'underline wavy[^>]*title="refused">ram</span>', html)
    assert "refused from here on" in html


@pytest.mark.parametrize(
    ("text", "ok", "verdict"),
    [("19", False, "has to go on"), ("1984", True, "matches"), ("19845", False, "character 4")],
)
def test_verdicts(model: Model, text: str, *, ok: bool, verdict: str) -> None:
    check = llamanb.GrammarLab(model, regex="[0-9]{4}").check(text)
    assert check.ok == ok
    assert verdict in repr(check)
    assert verdict in shown(check)


def test_a_line_that_is_refused_is_shown_with_an_arrow(model: Model) -> None:
    check = llamanb.GrammarLab(model, regex="ab\ncd\nef").check("ab\ncx\nef")
    assert repr(check).splitlines()[:3] == ["cx", " ^", check.verdict()]
    assert "line 2, column 2" in check.verdict()


def test_allowed_tokens_are_a_table(model: Model) -> None:
    allowed = llamanb.GrammarLab(model, regex="[0-9]{2}x?").allowed("19")
    assert [one.piece for one in allowed] == ["x"]
    assert (allowed.count, allowed.may_end) == (1, True)
    assert "<table>" in allowed._repr_html_()
    assert "1 token may come; the text may end here" in repr(allowed)
    with pytest.raises(OptionError, match="refused at line 1, column 1"):
        llamanb.GrammarLab(model, regex="[0-9]{2}x?").allowed("a")


def test_steps_count_what_was_allowed(model: Model) -> None:
    steps = llamanb.GrammarLab(model, choices=["yes", "no"]).steps("yes")
    assert "forced" in repr(steps)
    assert "free choice" in repr(steps)
    assert b"".join(one.piece for one in steps.steps) == b"yes"
    assert "matches" in shown(steps)


def test_samples_match_and_repeat(model: Model) -> None:
    lab = llamanb.GrammarLab(model, json_schema=Trip)
    samples = lab.sample(4, max_tokens=80)
    assert len(samples) == 4
    assert [one.text for one in lab.sample(4, max_tokens=80)] == [one.text for one in samples]
    for one in samples:
        assert lab.check(one.text).ok == one.is_whole
        assert not one.is_whole or one.value["city"] in {"Oslo", "Rome"}
    assert samples[0].seed == 0
    assert "Oslo" in repr(samples) or "Rome" in repr(samples)


def test_samples_go_on_from_a_prompt(model: Model, prompt: ChatPrompt) -> None:
    lab = llamanb.GrammarLab(model, choices=["blue", "rain"])
    assert {one.text for one in lab.sample(2, prompt="The sky is ")} <= {"blue", "rain"}
    (called,) = llamanb.GrammarLab(model, prompt=prompt).sample(1)
    assert "<tool_call>" in called.text
    with pytest.raises(OptionError, match="give 1 to 100"):
        lab.sample(0)


def test_a_prompt_brings_its_grammar(model: Model, prompt: ChatPrompt) -> None:
    lab = llamanb.GrammarLab(model, prompt=prompt)
    assert lab.language == "lark"
    assert "from a trigger on" in repr(lab)
    assert lab.check("Nothing to call").ok
    assert lab.allowed().is_free
    late = lab.check("Hm. " + CALL.replace("city", "town"))
    assert late.refused.startswith("town")
    assert late.begins_at == 4


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"grammar": 'start: "a" b'}, GrammarError, "line 1, column 8"),
        ({"regex": "(?=a)"}, GrammarError, "look-around"),
        ({"json_schema": {"type": "foo"}}, GrammarError, "foo"),
        ({}, OptionError, "no grammar to try"),
        ({"regex": "a", "choices": ["a"]}, OptionError, "only one of"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    model: Model, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        llamanb.GrammarLab(model, **options)


def test_the_lab_shows_its_grammar_in_colour(model: Model) -> None:
    lab = llamanb.GrammarLab(model, 'root ::= "a" | "b"')
    assert lab.language == "gbnf"
    assert "<span style=" in lab._repr_html_()
    assert lab.source in shown(lab)


def test_hostile_texts_stay_texts(model: Model, prompt: ChatPrompt) -> None:
    lab = llamanb.GrammarLab(model, choices=[HOSTILE])
    raw = CALL.replace("Oslo", HOSTILE.replace("\x1b", "")).replace("get_w", "<b>get_w")
    views: list[Any] = [
        lab,
        lab.check("x" + HOSTILE),
        lab.check(HOSTILE),
        lab.allowed(),
        lab.steps(HOSTILE),
    ]
    views += [lab.sample(1), CallSpanView.of(raw, prompt, tools={}, model=model)]
    for view in views:
        html = view._repr_html_()
        assert not re.search("<script|<img|<b>get|\x1b|\u202e", html)
        assert "\x1b" not in view._repr_markdown_()


# ---- from a call back to its text ----------------------------------------------------------


def test_a_call_leads_back_to_text_trigger_and_grammar(model: Model, prompt: ChatPrompt) -> None:
    raw = f"Let me look. {CALL}"
    view = CallSpanView.of(raw, prompt, tools={"get_weather": get_weather}, model=model)
    assert raw[view.span.start : view.span.end] == CALL
    assert (view.span.trigger_start, view.span.pattern) == (13, "<tool_call>")
    assert view.arguments[0] == ("city", '"Oslo"', 'required {"type": "string"}')
    assert view.arguments[1][:2] == ("unit", "not given")
    text = shown(view)
    for part in ("accepts the whole call", "1 of 1, read as hermes, no problems", "call: "):
        assert part in text
        assert part in repr(view)
    assert re.search(r'title="call and trigger">&lt;tool_call&gt;</span>', view._repr_html_())


def test_what_is_wrong_with_a_call_is_said(model: Model, prompt: ChatPrompt) -> None:
    raw = CALL.replace("city", "town")
    view = CallSpanView.of(raw, prompt, tools={"get_weather": get_weather}, model=model)
    assert ("town", '"Oslo"', "no such argument") in view.arguments
    assert "'city' is missing" in view.problems[0]
    assert "in the call; may come there: only 'city\"'" in repr(view)


def test_the_second_of_two_calls_is_found(prompt: ChatPrompt) -> None:
    view = CallSpanView.of(f"{CALL}\n{CALL.replace('Oslo', 'Rome')}", prompt, 1)
    assert view.span.arguments == '{"city": "Rome"}'
    assert view.check is None
    assert "call 2 of 2" in repr(view)


def test_a_call_that_is_not_there_is_an_error(prompt: ChatPrompt) -> None:
    with pytest.raises(OptionError, match=r"the output has 1 call$"):
        CallSpanView.of(CALL, prompt, 1)
    with pytest.raises(OptionError, match=r"the output has no calls$"):
        CallSpanView.of("Hello", prompt, "id")


def test_only_a_part_of_a_long_output_is_shown(prompt: ChatPrompt) -> None:
    view = CallSpanView.of(f"{'a ' * 5000}{CALL}{' b' * 5000}", prompt)
    assert len(view._repr_html_()) < 8000
    assert "…a a" in shown(view)
