"""One table feeds parser, help, docs and completion, so they agree."""

from __future__ import annotations

from llamanb.notebook.arguments import parse_line
from llamanb.notebook.commands import HANDLERS
from llamanb.notebook.inspectors import INSPECTORS
from llamanb.notebook.manual import command_help, docs_page, overview
from llamanb.notebook.options import CELL, COMMANDS


def test_every_command_is_carried_out_or_asks() -> None:
    assert set(HANDLERS) | set(INSPECTORS) | {"ask"} == set(COMMANDS)


def test_help_and_docs_name_every_command_and_option() -> None:
    for text in (overview(), docs_page()):
        for command in COMMANDS.values():
            assert command.name in text
        for option in CELL.options:
            assert f"--{option.name}" in text


def test_help_fits_into_100_columns() -> None:
    for text in (overview(), *map(command_help, (CELL, *COMMANDS.values()))):
        assert max(map(len, text.split("\n"))) <= 100


def test_help_says_which_chat_goes_on_and_how_to_start_anew() -> None:
    assert "'main'" in overview()
    assert "%%llama --new" in overview()


def test_every_example_parses() -> None:
    for command in COMMANDS.values():
        words = command.example.split(maxsplit=2)
        if len(words) > 1:
            assert words[:2] == ["%llama", command.name]
        parse_line(words[2] if len(words) > 2 else "", command)
        assert command.example in command_help(command)


def test_option_examples_are_good_values() -> None:
    for command in (CELL, *COMMANDS.values()):
        for option in command.options:
            if option.kind != "switch":
                assert option.example
                text = "x" if command.takes_text else " ".join(["x"] * command.at_least)
                parse_line(f"--{option.name} {option.example} {text}", command)


def test_no_two_options_share_a_spelling() -> None:
    for command in (CELL, *COMMANDS.values()):
        spellings = [s for option in command.options for s in option.spellings]
        assert len(spellings) == len(set(spellings))
