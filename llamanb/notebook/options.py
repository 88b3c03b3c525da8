"""The table of commands and options; parser, help, docs and completion read it.

Nothing here does anything: ``%llama`` commands are carried out in ``commands.py``
and ``%%llama`` in ``magics.py``.
"""

from __future__ import annotations

from llamanb.notebook.option_groups import (
    CLIENTS,
    FORMATS,
    LOADING,
    RESULT,
    RUN_TOOLS,
    SAMPLING,
    SERVED_APIS,
    SERVING,
    SHOWN_TOOLS,
    THINKING,
    WANTED,
    WHO,
)
from llamanb.notebook.option_kinds import Command, Option, switch, whole_option

__all__ = ["CELL", "COMMANDS", "FORMATS", "Command", "Option"]

_ASKING = WHO + SHOWN_TOOLS + RUN_TOOLS + WANTED + SAMPLING + RESULT
_BUILDING = WHO + SHOWN_TOOLS + WANTED + THINKING
_CHAT = WHO[1]

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
            options=LOADING,
        ),
        Command(
            name="unload",
            about="free the memory of models",
            example="%llama unload demo",
            operands="NAME…",
            at_most=99,
            completes="models",
            options=(
                switch("all", "all", "all of them"),
                switch("force", "force", "even while they answer"),
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
            options=(switch("all", "all", "all chats"),),
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
            name="tools",
            about="list the tools of the chat; add or take away some, show or call one",
            example="%llama tools add get_weather",
            operands="[list|add|rm|show|call] [NAME…]",
            at_most=99,
            completes="actions",
            options=(_CHAT,),
        ),
        Command(
            name="build",
            about="show the prompt that a question would send, and what may follow it",
            example="%llama build -t get_weather Is it cold in Oslo?",
            operands="TEXT…",
            at_least=1,
            takes_text=True,
            options=_BUILDING,
        ),
        Command(
            name="grammar",
            about="show the grammar that an answer is held to",
            example="%llama grammar -t get_weather --tool-choice required",
            operands="[TEXT…]",
            takes_text=True,
            options=(
                *_BUILDING,
                switch("gbnf", "gbnf", "as GBNF, for llama.cpp and other programs"),
            ),
        ),
        Command(
            name="parse",
            about="take a raw output apart as the chat would: answer, thinking, calls",
            example="%llama parse $reply",
            operands="TEXT…|$VARIABLE",
            at_least=1,
            takes_text=True,
            completes="variables",
            options=_BUILDING,
        ),
        Command(
            name="tokens",
            about="show the tokens of a text",
            example="%llama tokens The sky is blue.",
            operands="TEXT…|$VARIABLE",
            at_least=1,
            takes_text=True,
            completes="variables",
            options=(
                WHO[0],
                switch("plain", "plain", "read names of control tokens as ordinary text"),
            ),
        ),
        Command(
            name="serve",
            about="let other programs use the model, over HTTP from this kernel",
            example="%llama serve openai -m demo",
            operands="[openai|anthropic|both]",
            at_most=1,
            choices=SERVED_APIS,
            options=SERVING,
        ),
        Command(name="servers", about="list the running servers", example="%llama servers"),
        Command(
            name="stop",
            about="stop a server",
            example="%llama stop 11434",
            operands="[PORT|all]",
            at_most=1,
            choices=("all",),
            completes="ports",
        ),
        Command(
            name="client",
            about="show what to paste into another program, so that it uses a server",
            example="%llama client curl",
            operands="|".join(CLIENTS),
            at_least=1,
            at_most=1,
            choices=CLIENTS,
            options=(
                whole_option("port", "port", "of which server, if several run", "11434", short="p"),
            ),
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
