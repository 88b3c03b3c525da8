"""Small chat templates whose ways to write tool calls no known family has, by name."""

from __future__ import annotations

__all__ = ["CHAT", "QUOTING", "UNKNOWN"]


def _chat(calls: str) -> str:
    return (
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% if m.tool_calls %}"
        f"{calls}{{% endif %}}<|end|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    )


def _each(call: str, before: str = "", after: str = "", separator: str = "") -> str:
    """Write ``call`` for every call, with ``f`` for its function and ``c`` for itself."""
    return (
        f"{before}{{% for c in m.tool_calls %}}{{% set f = c.function %}}{call}"
        f"{{% if not loop.last %}}{separator}{{% endif %}}{{% endfor %}}{after}"
    )


def _tags(name: str, argument: str, after: str) -> str:
    written = "{{ v if v is string else (v | tojson) }}"
    return (
        f"{name}{{% for k, v in f.arguments.items() %}}"
        f"{argument.replace('VALUE', written)}{{% endfor %}}{after}"
    )


_ARGS = "{{ f.arguments | tojson }}"
CHAT = _chat("")
UNKNOWN = {
    "own-keys": _chat(_each('\n<do>{"tool": "{{ f.name }}", "input": ' + _ARGS + "}</do>")),
    "openai-wrapper": _chat(
        _each(
            '{"type": "function", "function": {"name": "{{ f.name }}", "arguments": '
            + _ARGS
            + "}}",
            before="<|plan|>[",
            after="]<|/plan|>",
            separator=", ",
        )
    ),
    "compact-json": _chat(
        _each('{"n":"{{ f.name }}","a":' + _ARGS + "}", "[[RUN ", " RUN]]", separator=";")
    ),
    "indented-json": _chat(
        _each(
            '{\n  "name": "{{ f.name }}",\n  "parameters": ' + _ARGS + "\n}", "```call\n", "\n```"
        )
    ).replace("m.tool_calls %}{% set", "m.tool_calls[:1] %}{% set"),
    "id-in-object": _chat(
        _each(
            '{"ref": "{{ c.id }}", "fn": "{{ f.name }}", "args": ' + _ARGS + "}",
            "<todo>[",
            "]</todo>",
            ", ",
        )
    ),
    "type-in-object": _chat(
        _each('<t>{"type": "function", "name": "{{ f.name }}", "arguments": ' + _ARGS + "}</t>")
    ),
    "name-as-key": _chat(_each('{"{{ f.name }}": ' + _ARGS + "}", "<acts>", "</acts>", "\n")),
    "name-then-json": _chat(_each("\n<|run|>{{ f.name }}<|with|>" + _ARGS + "<|stop|>")),
    "id-then-name": _chat(
        _each('\n<call id="{{ c.id }}" tool="{{ f.name }}">' + _ARGS + "</call>")
    ),
    "numbered": _chat(
        _each("<|c|>{{ f.name }}#{{ loop.index }}<|in|>" + _ARGS, "<|calls|>", "<|/calls|>", " ")
    ),
    "tags": _chat(
        _each(
            _tags('<use tool="{{ f.name }}">\n', '<in name="{{ k }}">VALUE</in>\n', "</use>"),
            before="<uses>\n",
            after="\n</uses>",
            separator="\n",
        )
    ),
    "typed-tags": _chat(
        _each(
            _tags(
                "<|fn|>{{ f.name }}<|sep|>",
                "<|key|>{{ k }}<|{{ 's' if v is string else 'j' }}|>VALUE<|/key|>",
                "<|/fn|>",
            )
        )
    ),
    "id-in-tags": _chat(
        _each(_tags('<go {{ f.name }} id="{{ c.id }}">', "<p {{ k }}>VALUE</p>", "</go>\n"))
    ),
    "results-needed": "{% if messages[-1].tool_calls %}{{ raise_exception('no result') }}{% endif %}"
    + _chat(_each("<act {{ f.name }}>" + _ARGS + "</act>\n")),
    "plain-words": _chat(_each("call {{ f.name }} with " + _ARGS + " now", separator="\n")),
    "bare": _chat(
        "<think>{{ m.reasoning_content }}</think>"
        + _each('{"fn": "{{ f.name }}", "in": ' + _ARGS + "}")
    ).replace("m.tool_calls %}{% set", "m.tool_calls[:1] %}{% set"),
    "json-in-tags": _chat(
        _each(
            "<fn {{ f.name }}>{% for k, v in f.arguments.items() %}"
            "<arg {{ k }}>{{ v | tojson }}</arg>{% endfor %}</fn>",
            separator="\n",
        )
    ),
}
QUOTING = UNKNOWN["own-keys"].replace(
    "{% for m",
    '{% if tools %}<|system|>\nCall with <do>{"tool": <name>, "input": {<key>: <value>}}</do>:'
    "\n{{ tools | tojson }}<|end|>\n{% endif %}{% for m",
    1,
)
