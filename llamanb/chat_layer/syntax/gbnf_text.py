"""Text and character classes as GBNF writes them."""

from __future__ import annotations

__all__ = ["any_of", "any_other", "quote"]

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def quote(text: str) -> str:
    """Give a literal."""
    return '"' + "".join(_escape(one, '"') for one in text) + '"'


def any_of(characters: str) -> str:
    """Give what matches one of ``characters``."""
    return quote(characters) if len(characters) == 1 else f"[{_class(characters)}]"


def any_other(characters: str) -> str:
    """Give what matches one character that is none of ``characters``."""
    return f"[^{_class(characters)}]" if characters else r"[^\x00]"


def _class(characters: str) -> str:
    return "".join(_escape(one, "]^-[") for one in characters)


def _escape(character: str, special: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character in special:
        return f"\\x{ord(character):02X}" if character in "^-" else f"\\{character}"
    return character if character.isprintable() else _coded(character)


def _coded(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02X}"
    return character
