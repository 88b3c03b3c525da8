"""What a command and an option are; ``options.py`` is the table of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Command", "Option", "Source", "number_option", "switch", "text_option", "whole_option"]

Kind = Literal["switch", "text", "texts", "whole", "number", "choice"]
Source = Literal[
    "",
    "models",
    "chats",
    "files",
    "commands",
    "settings",
    "tools",
    "types",
    "variables",
    "actions",
    "ports",
    "talks",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: ``--name VALUE``.

    ``key`` names the parsed value; a switch gives ``constant``; ``texts`` may be
    repeated; ``completes`` says where completions of the value come from, beside
    ``choices``; ``is_list`` that values are separated by commas; ``may_be_empty`` that
    a line may end without the value.
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
    is_list: bool = False
    may_be_empty: bool = False

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
    them, ``choices`` and ``completes`` say what they may be. With ``takes_text``
    everything that is not an option is text, verbatim.
    """

    name: str
    about: str
    example: str
    operands: str = ""
    at_least: int = 0
    at_most: int = 0
    takes_text: bool = False
    choices: tuple[str, ...] = ()
    completes: Source = ""
    options: tuple[Option, ...] = ()


def text_option(
    name: str, key: str, value: str, about: str, example: str, **more: object
) -> Option:
    """Give an option whose value is a text; ``more`` are other fields."""
    return Option(name=name, key=key, value=value, about=about, example=example, **more)  # type: ignore[arg-type]  # fields of Option


def whole_option(name: str, key: str, about: str, example: str, short: str = "") -> Option:
    """Give an option whose value is a whole number."""
    return Option(
        name=name, key=key, kind="whole", value="N", about=about, example=example, short=short
    )


def number_option(name: str, key: str, about: str, example: str) -> Option:
    """Give an option whose value is a number."""
    return Option(name=name, key=key, kind="number", value="X", about=about, example=example)


def switch(name: str, key: str, about: str, *, constant: bool = True) -> Option:
    """Give an option without a value."""
    return Option(name=name, key=key, kind="switch", about=about, constant=constant)
