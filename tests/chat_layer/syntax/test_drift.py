"""What models write instead of what their family's syntax asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llamanb.chat_layer.syntax import join_events, parse_syntax
from tests.chat_layer.syntax.cases import described, events_of, pieces_of, summary

Calls = list[tuple[str, Any]]
GET: Calls = [("get", {})]
PARIS: Calls = [("get_weather", {"city": "Paris"})]
ONE = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
TWO = '{"name": "get", "arguments": {}}'
LISTS = {
    "apriel": ("<tool_calls>", "</tool_calls>"),
    "nemotron-nano-2": ("<TOOLCALL>", "</TOOLCALL>"),
    "granite-3": ("<|tool_call|>", ""),
    "phi-4-mini": ("<|tool_call|>", "<|/tool_call|>"),
    "minimax-m1": ("<tool_calls>\n", "\n</tool_calls>"),
    "mistral-nemo": ("[TOOL_CALLS]", ""),
    "apertus": ("<|tools_prefix|>", "<|tools_suffix|>"),
    "lfm2": ("<|tool_call_start|>", "<|tool_call_end|>"),
    "hermes": ("<tool_call>", "</tool_call>"),
}
INNER: dict[str, tuple[str, Calls]] = {
    "list": (f"[{ONE}, {TWO}]", PARIS + GET),
    "single-object": (ONE, PARIS),
    "trailing-comma": (f"[{ONE},]", PARIS),
    "fenced-list": (f"```json\n[{ONE}]\n```", PARIS),
    "fenced-object": (f"```json\n{ONE}\n```", PARIS),
    "lines": (f"{ONE}\n{TWO}", PARIS + GET),
    "no-closing-bracket": (f"[{ONE}", PARIS),
    "spaces": (f"  [\n  {ONE} ,\n  {TWO}\n ] ", PARIS + GET),
    "wrapped": (f'[{{"type": "function", "function": {ONE}}}]', PARIS),
    "parameters": (f"[{ONE.replace('arguments', 'parameters')}]", PARIS),
    "text-arguments": (
        '[{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}]',
        PARIS,
    ),
}
ALL_LISTS = [
    pytest.param(name, f"{LISTS[name][0]}{text}{LISTS[name][1]}", calls, id=f"{name}-{kind}")
    for name in LISTS
    for kind, (text, calls) in INNER.items()
]
KIMI = "<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
R1 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
V3 = "<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
CITY = '{"city": "Paris"}'
OTHERS = [
    pytest.param("hermes", f"Sure!\n<tool_call>{ONE}</tool_call>", PARIS, id="text-before"),
    pytest.param("kimi-k2", f"{KIMI}{CITY}<|tool_call_end|>", PARIS, id="kimi-no-section"),
    pytest.param(
        "kimi-k2",
        f"<|tool_calls_section_begin|>{KIMI}{CITY}<|tool_calls_section_end|>",
        PARIS,
        id="kimi-no-call-end",
    ),
    pytest.param("kimi-k2", KIMI.replace("functions.", "") + CITY, PARIS, id="kimi-no-prefix"),
    pytest.param("kimi-k2", KIMI.replace(":0", "") + CITY, PARIS, id="kimi-no-index"),
    pytest.param(
        "kimi-k2",
        f"{KIMI}{CITY}".replace("get_weather", "gone"),
        [("gone", {"city": "Paris"})],
        id="kimi-unknown-tool",
    ),
    pytest.param("deepseek-r1", f"<｜tool_calls_begin｜>{R1}{CITY}", PARIS, id="r1-misspelt"),
    pytest.param("deepseek-r1", f"{R1}{CITY}\n```", PARIS, id="r1-no-section"),
    pytest.param("deepseek-r1", f"{V3}{CITY}<｜tool▁call▁end｜>", PARIS, id="r1-writes-v3"),
    pytest.param(
        "deepseek-v3.1", f"<｜tool▁calls▁begin｜>{R1}{CITY}\n```", PARIS, id="v3-writes-r1"
    ),
    pytest.param("deepseek-v3.1", f"{V3}<｜tool▁call▁end｜>", [("get_weather", {})], id="v3-empty"),
    pytest.param("command-r-plus", f"Action: ```json\n[{ONE}]\n```", PARIS, id="command-r-plus"),
    pytest.param(
        "command-r7b", f"<|START_ACTION|>\n{ONE}\n<|END_ACTION|>", PARIS, id="command-r-object"
    ),
    pytest.param("gigachat-3", f"function call<|role_sep|>\n{ONE}", PARIS, id="gigachat-3"),
    pytest.param("gigachat-3.1", f"Hm.<|function_call|>\n{ONE}", PARIS, id="gigachat-3.1"),
    pytest.param(
        "llama-3", '{"type": "function", "name": "get", "parameters": {}}', GET, id="llama-type"
    ),
    pytest.param("functionary-3.1", f"<function=get_weather>{CITY}", PARIS, id="functionary-3.1"),
    pytest.param(
        "functionary-3.2",
        f">>>all\n>>> print(1)\n>>>get_weather\n{CITY}",
        PARIS,
        id="functionary-prompt-in-text",
    ),
    pytest.param("functionary-3.2", f">>>get_weather {CITY}", [], id="functionary-no-line"),
    pytest.param(
        "functionary-3.2", ">>>get_weather_now\n{}", [("get_weather_now", {})], id="longer"
    ),
    pytest.param("gemma-4", "<|tool_call>call:get{}", GET, id="gemma-no-end"),
    pytest.param("gemma-4", f"<|tool_call>call:get_weather{CITY}", PARIS, id="gemma-json"),
    pytest.param("gemma-4", "<|tool_call>call:get_weather{city:Paris}", PARIS, id="gemma-bare"),
    pytest.param(
        "gemma-4", '<|tool_call>get_weather{city:<|"|>Paris<|"|>}', PARIS, id="gemma-call"
    ),
    pytest.param(
        "gemma-4",
        '<|tool_call>call:get_weather{city:<|"|>Paris<|"|><tool_call|>',
        PARIS,
        id="gemma-no-brace",
    ),
    pytest.param("lfm2", "<|tool_call_start|>get()<|tool_call_end|>", GET, id="lfm2-no-list"),
    pytest.param("lfm2", "<|tool_call_start|>[get_weather('Paris')]", PARIS, id="lfm2-by-place"),
    pytest.param(
        "lfm2", '<|tool_call_start|>[get_weather(city: "Paris",)]', PARIS, id="lfm2-colon"
    ),
    pytest.param("lfm2", "<|tool_call_start|>[gone(a=1)]", [("gone", {"a": 1})], id="lfm2-unknown"),
    pytest.param(
        "solar-open",
        f"<|tool_call:begin|>x1<|tool_call:name|>get_weather<|tool_call:args|>{CITY}",
        PARIS,
        id="solar-no-section",
    ),
    pytest.param(
        "muse-glimmer",
        '<atem:function_calls>\n<atem:invoke name="get">\n</atem:invoke>\n</atem:function_calls>',
        GET,
        id="muse-no-recipient",
    ),
]
ALL = [*ALL_LISTS, *OTHERS]


def calls_of(name: str, text: str) -> Calls:
    message = parse_syntax(text, described(name))
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


@pytest.mark.parametrize(("name", "text", "calls"), ALL)
def test_drifted_calls_are_understood(name: str, text: str, calls: Calls) -> None:
    assert calls_of(name, text) == calls


@pytest.mark.parametrize(("name", "text", "calls"), ALL)
def test_drift_that_is_cut_anywhere_is_kept(name: str, text: str, calls: Calls) -> None:
    del calls
    for end in range(len(text)):
        message = join_events(events_of(described(name), [text[:end]]))
        kept = message.content + "".join(one.name + one.arguments for one in message.tool_calls)
        assert all(word in kept for word in ("get_weather", "Paris") if word in text[:end])


@pytest.mark.parametrize(("name", "text", "calls"), ALL)
def test_drift_is_read_the_same_by_character(name: str, text: str, calls: Calls) -> None:
    del calls
    whole = summary(events_of(described(name), [text]))
    for size in (1, 2, 3, 7):
        assert summary(events_of(described(name), pieces_of(text, size))) == whole


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("'it's'", "it's", id="quote-inside"),
        pytest.param("'say 'hi''", "say 'hi'", id="quotes-at-the-end"),
        pytest.param(r"'it\'s'", "it's", id="escaped-quote"),
        pytest.param(r"'a\nb\t\\'", "a\nb\t\\", id="escapes"),
        pytest.param(r"'\x41\u00e9\U0001F642'", "Aé🙂", id="codes"),
        pytest.param(r'"\ud83d\ude42"', "🙂", id="pair-of-codes"),
        pytest.param(r"'\d\u12'", r"\d\u12", id="no-escapes"),
        pytest.param("'a\n\nb'", "a\n\nb", id="lines"),
        pytest.param("'''a 'b', c'''", "a 'b', c", id="three-quotes"),
        pytest.param('"""x"""', "x", id="three-double-quotes"),
        pytest.param("''", "", id="empty"),
        pytest.param("True", True, id="true"),
        pytest.param("None", None, id="none"),
        pytest.param("null", None, id="null"),
        pytest.param("-1.5e3", -1500.0, id="number"),
        pytest.param(".5", 0.5, id="python-number"),
        pytest.param("NaN", "NaN", id="nan"),
        pytest.param("New York", "New York", id="bare-words"),
        pytest.param("[1, 'a', None,]", [1, "a", None], id="list"),
        pytest.param("(1, 2)", [1, 2], id="tuple"),
        pytest.param("{'a': {'b': []}}", {"a": {"b": []}}, id="dictionary"),
        pytest.param('{"a": true, b: false}', {"a": True, "b": False}, id="mixed-keys"),
        pytest.param("[[[[]]], {}]", [[[[]]], {}], id="nested"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_values_in_pythons_notation(written: str, value: Any) -> None:
    text = f"<|tool_call_start|>[gone(a={written}, b=1)]<|tool_call_end|>"
    assert calls_of("lfm2", text) == [("gone", {"a": value, "b": 1})]
    for size in (1, 2, 5):
        events = events_of(described("lfm2"), pieces_of(text, size))
        assert json.loads(join_events(events).tool_calls[0].arguments) == {"a": value, "b": 1}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param('<|"|>a "b" \\n {c}<|"|>', 'a "b" \\n {c}', id="raw"),
        pytest.param('[<|"|>a<|"|>,<|"|>b<|"|>]', ["a", "b"], id="list"),
        pytest.param('{x:1,<|"|>y<|"|>:None}', {"x": 1, "y": None}, id="keys"),
        pytest.param("true", True, id="true"),
    ],
)
def test_values_in_gemmas_notation(written: str, value: Any) -> None:
    text = f"<|tool_call>call:gone{{a:{written},b:1}}<tool_call|>"
    assert calls_of("gemma-4", text) == [("gone", {"a": value, "b": 1})]


def test_deep_nesting_in_pythons_notation() -> None:
    text = f"<|tool_call_start|>[gone(a={'[' * 5000}{']' * 5000})]"
    assert parse_syntax(text, described("lfm2")).tool_calls[0].arguments.count("[") == 5000


@pytest.mark.parametrize("piece", ["'", "' ", "'''", "\\", "a=", "[", "(", "<", '"', ",", "{a:"])
@pytest.mark.parametrize("name", ["lfm2", "gemma-4"])
def test_nothing_in_a_value_is_read_twice(name: str, piece: str) -> None:
    start = {"lfm2": "<|tool_call_start|>[get(", "gemma-4": "<|tool_call>call:get{"}[name]
    text = start + piece * (20_000 // len(piece))
    message = join_events(events_of(described(name), pieces_of(text, 4)))
    assert message.tool_calls[0].name == "get"
