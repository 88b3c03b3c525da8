"""One call as each family with tagged arguments writes it."""

from __future__ import annotations

_MARK = "]<]minimax[>["


def _keyed(name_end: str, key_end: str, value_end: str, end: str) -> str:
    """Give the call of a family that writes ``<arg_key>`` and ``<arg_value>``."""
    return (
        f"<tool_call>get_weather{name_end}<arg_key>city</arg_key>{key_end}<arg_value>@@</arg_value>"
        f"{value_end}<arg_key>days</arg_key>{key_end}<arg_value>3</arg_value>{value_end}{end}"
    )


def _dsml(section: str) -> str:
    text = (
        f'<*{section}>\n<*invoke name="get_weather">\n'
        '<*parameter name="city" string="true">@@</*parameter>\n'
        '<*parameter name="days" string="false">3</*parameter>\n'
        f"</*invoke>\n</*{section}>"
    )
    return text.replace("*", "｜DSML｜")


# ``get_weather(city="@@", days=3)``
TAGGED_CALLS = {
    "qwen-coder": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\n@@\n</parameter>\n"
        "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
    ),
    "seed-oss": (
        "<seed:tool_call>\n<function=get_weather>\n<parameter=city>@@</parameter>\n"
        "<parameter=days>3</parameter>\n</function>\n</seed:tool_call>"
    ),
    "minimax-m2": (
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">@@</parameter>\n'
        '<parameter name="days">3</parameter>\n</invoke>\n</minimax:tool_call>'
    ),
    "minicpm-5": (
        '<function name="get_weather"><param name="city">@@</param><param name="days">3</param>'
        "</function>"
    ),
    "glm-4.5": _keyed("\n", "\n", "\n", "</tool_call>"),
    "glm-4.7": _keyed("", "", "", "</tool_call>"),
    "ling-3": _keyed("\n", "\n", "", "\n</tool_call>"),
    "hunyuan-3": (
        "<tool_calls>\n<tool_call>get_weather<tool_sep>\n<arg_key>city</arg_key>\n"
        "<arg_value>@@</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n"
        "</tool_call>\n</tool_calls>"
    ).replace(">", ":opensource>"),
    "deepseek-v3.2": _dsml("function_calls"),
    "deepseek-v4": _dsml("tool_calls"),
    "minimax-m3": (
        '*<tool_call>\n*<invoke name="get_weather">*<city>@@*</city>*<days>3*</days>*</invoke>\n'
        "*</tool_call>"
    ).replace("*", _MARK),
    "kimi-k3": (
        '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|>'
        '<|open|>argument key="city" type="string"<|sep|>@@<|close|>argument<|sep|>'
        '<|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|>'
        "<|close|>call<|sep|><|close|>tools<|sep|>"
    ),
}
