"""Requests that are wrong in every place we could think of, written by small generators."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GOOD_BODIES",
    "MISSING",
    "STRANGE_VALUES",
    "broken_texts",
    "changed",
    "is_told_rightly",
    "mutations",
    "places",
]

Steps = tuple[str | int, ...]
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Oslo", "Rome"]}, "n": {"type": "integer"}},
    "required": ["city"],
}
_FUNCTION = {"name": "look_up", "description": "Look up a city", "parameters": _SCHEMA}
_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"city": "Oslo"}'},
}
_CHAT = {
    "model": "local",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Where is Oslo?"}]},
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Norway"},
        {"role": "user", "content": "And Rome?"},
    ],
    "tools": [{"type": "function", "function": _FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "look_up"}},
    "parallel_tool_calls": True,
    "max_tokens": 2,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 20,
    "min_p": 0.1,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "n": 1,
    "seed": 1,
    "stop": ["\n"],
    "stream": False,
    "stream_options": {"include_usage": True},
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"1": -1},
    "user": "me",
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": False},
}
_FORMATTED = {
    "model": "local",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_completion_tokens": 2,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "city", "strict": True, "schema": _SCHEMA},
    },
}
_COMPLETION = {
    "model": "local",
    "prompt": ["Once", "Twice"],
    "max_tokens": 2,
    "logprobs": 1,
    "n": 1,
    "best_of": 1,
    "stop": ".",
    "suffix": "",
    "seed": 1,
}
_RESPONSE = {
    "model": "local",
    "instructions": "Be brief.",
    "input": [
        {"role": "developer", "content": "In English."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "look_up",
            "arguments": '{"city": "Oslo"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "Norway"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ],
    "tools": [{"type": "function", **_FUNCTION, "strict": True}],
    "tool_choice": "auto",
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
    "max_output_tokens": 16,
    "temperature": 0.5,
    "top_p": 0.9,
    "store": False,
    "stream": False,
}
_MESSAGE = {
    "model": "claude-local",
    "max_tokens": 2,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Where is Oslo?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "text", "text": "Wait."},
                {"type": "tool_use", "id": "t1", "name": "look_up", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "Norway", "is_error": True},
                {"type": "text", "text": "And Rome?"},
            ],
        },
    ],
    "tools": [{"name": "look_up", "description": "Look up", "input_schema": _SCHEMA}],
    "tool_choice": {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True},
    "thinking": {"type": "disabled"},
    "metadata": {"user_id": "me"},
    "stop_sequences": ["\n"],
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 20,
    "stream": False,
    "output_config": {"effort": "low"},
}
_COUNTED = {key: _MESSAGE[key] for key in ("model", "system", "messages", "tools", "tool_choice")}
_RERANK = {"model": "local", "query": "a", "documents": ["b", {"text": "c"}], "top_n": 1}
# Good bodies for each address, so that what is changed in them is alone what is wrong.
GOOD_BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [_CHAT, _FORMATTED],
    "/v1/completions": [_COMPLETION, {"prompt": [1, 2, 3], "max_tokens": 1}],
    "/v1/responses": [_RESPONSE, {"input": "Hi", "max_output_tokens": 16}],
    "/v1/responses/input_tokens": [{"input": "Hi", "tools": _RESPONSE["tools"]}],
    "/v1/embeddings": [{"input": ["a", "b"], "encoding_format": "float"}],
    "/v1/rerank": [_RERANK],
    "/v1/messages": [_MESSAGE],
    "/v1/messages/count_tokens": [_COUNTED],
    "/tokenize": [{"content": "Hi", "add_special": True, "with_pieces": True}],
    "/detokenize": [{"tokens": [1, 2]}],
    "/apply-template": [{"messages": [{"role": "user", "content": "Hi"}]}],
}
MISSING = object()
STRANGE_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**18,
    -(10**18),
    0.5,
    1e300,
    "",
    "none",
    "\x00\u202e<|im_end|>",
    "x" * 5000,
    [],
    [None],
    [[[]]],
    ["a", 1, {}],
    {},
    {"type": "unknown"},
    {"type": None, "text": 5, "name": [], "content": {}},
)


def mutations(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give a body with one place taken out, or with something strange in that place."""
    for steps in list(places(body)):
        for value in (MISSING, *STRANGE_VALUES):
            yield f"{'.'.join(map(str, steps))} = {str(value)[:20]!r}", changed(body, steps, value)


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """Give the path to every value inside a body."""
    if isinstance(value, dict):
        inner: list[tuple[str | int, Any]] = list(value.items())
    else:
        inner = list(enumerate(value)) if isinstance(value, list) else []
    for step, one in inner:
        yield (*steps, step)
        yield from places(one, (*steps, step))


def changed(body: dict[str, Any], steps: Steps, value: Any) -> dict[str, Any]:
    """Give a copy of a body with another value at a path, or with none (``MISSING``)."""
    copied = copy.deepcopy(body)
    place: Any = copied
    for step in steps[:-1]:
        place = place[step]
    if value is MISSING:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value
    return copied


def broken_texts(body: dict[str, Any]) -> Iterator[bytes]:
    """Give texts near a body that are not plain JSON objects."""
    good = json.dumps(body).encode()
    yield from (good[:-1], good[: len(good) // 2], good + b"}", good + good, b"[" + good + b"]")
    yield from (b"\xff" + good, good.decode().encode("utf-16"), b"null", b"[]", b'"a"', b"1", b"-")
    yield from (b"a=1&b=2", b"--x\r\n\r\n", b"<xml/>", b"\x00", b" ", b"{", b"{]", b'{"a"}')
    strange = (b"NaN", b"Infinity", b"1e999", b"9" * 30, b'"\\ud800"', b'"\xff"', b"[" * 5000)
    for value in (*strange, b"[" * 150 + b"]" * 150, b"'a'", b"undefined", b"01", b'"\n"'):
        yield good[:-1] + b', "extra": ' + value + b"}"


def is_told_rightly(path: str, told: Any) -> bool:
    """Whether an error's body has the shape of the dialect of its address."""
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return False
    if path.startswith("/v1/messages"):
        known = told["type"] == "error" and isinstance(error["type"], str)
        return known and told["request_id"].startswith("req_")
    return {"message", "type", "param", "code"} <= error.keys() and bool(error["message"])
