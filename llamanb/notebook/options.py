"""The table of commands and options; parser, help, docs and completion read it.

Nothing here does anything: ``%llama`` commands are carried out in ``commands.py``
and ``%%llama`` in ``magics.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CELL", "COMMANDS", "FORMATS", "Command", "Option"]

Kind = Literal["switch", "text", "texts", "whole", "number", "choice"]
Source = Literal["", "models", "chats", "files", "commands", "settings"]
FORMATS = ("md", "text", "code", "json", "raw", "silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: ``--name VALUE``.

    ``key`` names the parsed value; a switch gives ``constant``; ``texts`` may be
    repeated; ``completes`` says where completions of the value come from.
    """

    name: str
    key: str
    about: str
    short: str = ""
    kind: Kind = "text"
    value: str = ""
    choices: tuple[str, ...] = ()
    constant: bool = True
    completes: Source = ""
    example: str = ""

    @property
    def spellings(self) -> tuple[str, ...]:
        """The ways to write it, the long one first."""
        return (f"--{self.name}", f"-{self.short}") if self.short else (f"--{self.name}",)

    @property
    def usage(self) -> str:
        """All spellings and the value, as the help shows them."""
        return " ".join(filter(None, ("/".join(self.spellings), self.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its operands, its options and a line that works.

    ``operands`` is how the help writes them; ``at_least`` and ``at_most`` count
    them. With ``takes_text`` everything that is not an option is text, verbatim.
    """

    name: str
    about: str
    example: str
    operands: str = ""
    at_least: int = 0
    at_most: int = 0
    takes_text: bool = False
    completes: Source = ""
    options: tuple[Option, ...] = ()


def _text(name: str, key: str, value: str, about: str, example: str, **more: str) -> Option:
    return Option(name=name, key=key, value=value, about=about, example=example, **more)  # type: ignore[arg-type]  # short and completes only


def _whole(name: str, key: str, about: str, example: str, short: str = "") -> Option:
    return Option(
        name=name, key=key, kind="whole", value="N", about=about, example=example, short=short
    )


def _number(name: str, key: str, about: str, example: str) -> Option:
    return Option(name=name, key=key, kind="number", value="X", about=about, example=example)


def _switch(name: str, key: str, about: str, *, constant: bool = True) -> Option:
    return Option(name=name, key=key, kind="switch", about=about, constant=constant)


_WHO = (
    _text(
        "model", "model", "NAME", "the model that answers", "demo", short="m", completes="models"
    ),
    _text(
        "chat",
        "chat",
        "NAME",
        "the chat to go on with; without it that is main",
        "notes",
        short="c",
        completes="chats",
    ),
    _text(
        "system", "system", "TEXT", "the system prompt of the chat", '"Answer briefly."', short="s"
    ),
    _switch("new", "new", "forget the chat first: the reply is its first turn"),
)
_SAMPLING = (
    _number("temp", "temperature", "randomness; 0 always takes the likeliest token", "0.2"),
    _number("top-p", "top_p", "keep the likeliest tokens with this total probability", "0.9"),
    _whole("top-k", "top_k", "keep this many of the likeliest tokens; 0 keeps all", "40"),
    _number("min-p", "min_p", "drop tokens below this share of the likeliest", "0.05"),
    _whole("seed", "seed", "draw the same tokens again", "7"),
    _whole("max-tokens", "max_tokens", "stop after this many tokens", "200", short="n"),
    Option(
        name="stop",
        key="stop",
        kind="texts",
        value="TEXT",
        about="stop before this text (may be repeated)",
        example='"END"',
    ),
    _switch("think", "think", "let the model think first"),
    _switch("no-think", "think", "answer without thinking", constant=False),
)
_RESULT = (
    _switch("raw", "raw", "continue the text as it is, without a chat template"),
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
    _text("output", "output", "VAR", "also put the reply into this variable", "answer", short="o"),
    _switch("no-stream", "no_stream", "show the reply once, when it is complete"),
    _switch("dry-run", "dry_run", "show the prompt that would be sent, and stop"),
)
_ASKING = _WHO + _SAMPLING + _RESULT

_LOADING = (
    _text("name", "name", "NAME", "the name it gets here", "big"),
    _whole("n-ctx", "n_ctx", "tokens that one sequence can hold", "8192"),
    _whole("n-seq-max", "n_seq_max", "sequences answered at the same time", "4"),
    _whole("gpu-layers", "n_gpu_layers", "layers put on the GPU; -1 is all", "-1"),
    _whole("threads", "n_threads", "compute threads", "4"),
    _text("kv-type", "kv_type", "TYPE", "type of the KV cache: f16, q8_0, …", "q8_0"),
    Option(
        name="flash-attn",
        key="flash_attn",
        kind="choice",
        value="WHEN",
        choices=("auto", "on", "off"),
        about="flash attention: auto, on, off",
        example="auto",
    ),
    _text(
        "template",
        "template",
        "FILE",
        "a chat template to use instead",
        "my.jinja",
        completes="files",
    ),
    _number("ttl", "ttl", "unload after this many idle seconds", "600"),
    _number("timeout", "timeout", "give up loading after this many seconds", "60"),
    _switch("pin", "pin", "never unload to make room"),
    _switch("reload", "reload", "load again even if it is resident"),
)

CELL = Command(
    name="%%llama",
    about="ask a model; the cell is the prompt, {{expression}} puts a value in",
    example="%%llama --temp 0",
    operands="[MODEL]",
    at_most=1,
    completes="models",
    options=_ASKING,
)

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(name="status", about="show models, chats and settings", example="%llama"),
        Command(
            name="load",
            about="make a model resident (the same file again: at once)",
            example="%llama load demo",
            operands="PATH|ALIAS|org/repo:QUANT",
            at_least=1,
            at_most=1,
            completes="files",
            options=_LOADING,
        ),
        Command(
            name="unload",
            about="free the memory of models",
            example="%llama unload demo",
            operands="NAME…",
            at_most=99,
            completes="models",
            options=(
                _switch("all", "all", "all of them"),
                _switch("force", "force", "even while they answer"),
            ),
        ),
        Command(name="ps", about="list the resident models", example="%llama ps"),
        Command(
            name="models",
            about="list resident models, or the GGUF files of a folder",
            example="%llama models ~/models",
            operands="[DIR]",
            at_most=1,
            completes="files",
        ),
        Command(
            name="use",
            about="choose the model that answers by default",
            example="%llama use demo",
            operands="NAME",
            at_least=1,
            at_most=1,
            completes="models",
        ),
        Command(
            name="alias",
            about="give a model file a short name, or list the short names",
            example="%llama alias tiny ~/models/tiny.gguf",
            operands="[NAME PATH]",
            at_most=2,
            completes="files",
        ),
        Command(
            name="info",
            about="show what a model is",
            example="%llama info demo",
            operands="[NAME]",
            at_most=1,
            completes="models",
        ),
        Command(
            name="set",
            about="set defaults for the cells below (KEY=default takes one back)",
            example="%llama set temp=0.2 max-tokens=200",
            operands="[KEY=VALUE…]",
            at_most=99,
            completes="settings",
        ),
        Command(
            name="ask",
            about="ask in one line; x = %llama ask … keeps the reply",
            example="%llama ask --temp 0 Why is the sky blue?",
            operands="TEXT…",
            at_least=1,
            takes_text=True,
            options=_ASKING,
        ),
        Command(name="chats", about="list the named chats", example="%llama chats"),
        Command(
            name="history",
            about="show the messages of a chat",
            example="%llama history",
            operands="[CHAT]",
            at_most=1,
            completes="chats",
        ),
        Command(
            name="reset",
            about="forget the messages of a chat",
            example="%llama reset",
            operands="[CHAT]",
            at_most=1,
            completes="chats",
            options=(_switch("all", "all", "all chats"),),
        ),
        Command(
            name="undo",
            about="take back the last turn of a chat",
            example="%llama undo",
            operands="[CHAT]",
            at_most=1,
            completes="chats",
        ),
        Command(
            name="help",
            about="show this, or everything about one command",
            example="%llama help load",
            operands="[COMMAND]",
            at_most=1,
            completes="commands",
        ),
    )
}
