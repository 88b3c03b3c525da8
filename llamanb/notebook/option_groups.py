"""The options by what they are about; ``options.py`` says which command takes which."""

from __future__ import annotations

from llamanb.notebook.option_kinds import (
    Option,
    number_option,
    switch,
    text_option,
    whole_option,
)

__all__ = [
    "CLIENTS",
    "FORMATS",
    "LAB",
    "LOADING",
    "RESULT",
    "RUN_TOOLS",
    "SAMPLING",
    "SERVED_APIS",
    "SERVING",
    "SHOWN_TOOLS",
    "THINKING",
    "WANTED",
    "WHO",
]

CLIENTS = (
    "curl", "openai", "anthropic", "opencode", "claude-code", "codex", "chatlas", "langchain",
)  # fmt: skip
SERVED_APIS = ("openai", "anthropic", "both")
FORMATS = ("md", "text", "code", "json", "raw", "silent")

WHO = (
    text_option(
        "model", "model", "NAME", "the model that answers", "demo", short="m", completes="models"
    ),
    text_option(
        "chat",
        "chat",
        "NAME",
        "the chat to go on with; without it that is main",
        "notes",
        short="c",
        completes="chats",
    ),
    text_option(
        "system", "system", "TEXT", "the system prompt of the chat", '"Answer briefly."', short="s"
    ),
    switch("new", "new", "forget the chat first: the reply is its first turn"),
)
SHOWN_TOOLS = (
    text_option(
        "tools",
        "tools",
        "NAMES",
        "functions that the model may call from now on in this chat; none takes them away",
        "get_weather,add",
        short="t",
        completes="tools",
        is_list=True,
    ),
    text_option(
        "tool-choice",
        "tool_choice",
        "WHICH",
        "whether a tool is called: auto, none, required, or the name of one",
        "required",
        choices=("auto", "none", "required"),
        completes="tools",
    ),
)
RUN_TOOLS = (
    whole_option(
        "max-rounds",
        "max_rounds",
        "how often tools may run before the answer; 0 runs none",
        "3",
    ),
    Option(
        name="approve",
        key="approve",
        kind="choice",
        value="WHO",
        choices=("ask", "auto", "never"),
        about="whether a call may run: ask below the cell (default), auto, never",
        example="auto",
    ),
)
WANTED = (
    text_option(
        "schema",
        "schema",
        "TYPE",
        "the answer is JSON of this type, a variable or JSON Schema; .parsed is its value",
        "Person",
        completes="types",
    ),
    text_option("choices", "choices", "A,B,…", "the answer is one of these texts", "yes,no"),
    text_option("regex", "regex", "PATTERN", "the answer matches this pattern", "'[0-9]{4}'"),
)
LAB = (
    text_option(
        "check",
        "check",
        "TEXT",
        "whether a text (or a $variable) matches, and where it does not",
        "$reply",
        completes="variables",
    ),
    text_option(
        "allowed",
        "allowed",
        "[TEXT]",
        "the tokens that may follow a text (or a $variable); without one, at the beginning",
        "$reply",
        completes="variables",
        may_be_empty=True,
    ),
    whole_option("sample", "sample", "let the model write this many texts that match", "5"),
)
THINKING = (
    switch("think", "think", "let the model think first"),
    switch("no-think", "think", "answer without thinking", constant=False),
)
SAMPLING = (
    number_option("temp", "temperature", "randomness; 0 always takes the likeliest token", "0.2"),
    number_option("top-p", "top_p", "keep the likeliest tokens with this total probability", "0.9"),
    whole_option("top-k", "top_k", "keep this many of the likeliest tokens; 0 keeps all", "40"),
    number_option("min-p", "min_p", "drop tokens below this share of the likeliest", "0.05"),
    whole_option("seed", "seed", "draw the same tokens again", "7"),
    whole_option("max-tokens", "max_tokens", "stop after this many tokens", "200", short="n"),
    Option(
        name="stop",
        key="stop",
        kind="texts",
        value="TEXT",
        about="stop before this text (may be repeated)",
        example='"END"',
    ),
    *THINKING,
)
RESULT = (
    switch("raw", "raw", "continue the text as it is, without a chat template"),
    Option(
        name="format",
        key="format",
        short="f",
        kind="choice",
        value="FORMAT",
        choices=FORMATS,
        about="how the reply is shown: " + ", ".join(FORMATS),
        example="text",
    ),
    text_option(
        "output", "output", "VAR", "also put the reply into this variable", "answer", short="o"
    ),
    whole_option(
        "probs", "logprobs", "show how likely each token was, and this many of the likeliest", "5"
    ),
    switch("no-stream", "no_stream", "show the reply once, when it is complete"),
    switch("dry-run", "dry_run", "show the prompt that would be sent, and stop"),
)


LOADING = (
    text_option("name", "name", "NAME", "the name it gets here", "big"),
    whole_option("n-ctx", "n_ctx", "tokens that one sequence can hold", "8192"),
    whole_option("n-seq-max", "n_seq_max", "sequences answered at the same time", "4"),
    whole_option("gpu-layers", "n_gpu_layers", "layers put on the GPU; -1 is all", "-1"),
    whole_option("threads", "n_threads", "compute threads", "4"),
    text_option("kv-type", "kv_type", "TYPE", "type of the KV cache: f16, q8_0, …", "q8_0"),
    Option(
        name="flash-attn",
        key="flash_attn",
        kind="choice",
        value="WHEN",
        choices=("auto", "on", "off"),
        about="flash attention: auto, on, off",
        example="auto",
    ),
    text_option(
        "template",
        "template",
        "FILE",
        "a chat template to use instead",
        "my.jinja",
        completes="files",
    ),
    number_option("ttl", "ttl", "unload after this many idle seconds", "600"),
    number_option("timeout", "timeout", "give up loading after this many seconds", "60"),
    switch("pin", "pin", "never unload to make room"),
    switch("reload", "reload", "load again even if it is resident"),
)
SERVING = (
    WHO[0],
    whole_option("port", "port", "where to listen; 0 takes a free port", "8080", short="p"),
    text_option(
        "host", "host", "ADDRESS", "who can connect: others than this machine need a key", "::1"
    ),
    text_option("api-key", "api_key", "KEY", "what clients must send; it stays in the cell", "abc"),
    whole_option("n-ctx", "n_ctx", "tokens that a prompt and its answer may have", "32768"),
    *THINKING,
    switch("replace", "replace", "stop what this kernel serves on that port first"),
)
