"""Make model text harmless as text: no terminal escapes, no direction tricks."""

from __future__ import annotations

import re

__all__ = ["TextCleaner", "clean_delta", "clean_text", "encodable"]

# CSI, OSC (to BEL or ST), other string sequences, and two-byte escapes (ECMA-48).
_ANSI = re.compile(
    r"\x1b\[[0-?]{0,256}[ -/]{0,32}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]{0,8}[0-~]?"
    r"|\x9b[0-?]{0,256}[ -/]{0,32}[@-~]"
)
# The same sequences as far as they may have come when a text ends within them.
_UNENDED = re.compile(
    r"(?:\x1b\[[0-?]{0,256}[ -/]{0,32}|\x9b[0-?]{0,256}[ -/]{0,32}"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}\x1b?|\x1b[ -/]{0,8})\Z"
)
_SEQUENCE = re.compile(f"{_ANSI.pattern}|\x9b")
_DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROLS = "".join(map(chr, [*range(9), 11, 12, *range(13, 32), *range(0x7F, 0xA0)]))
_INVISIBLE = re.compile(f"[{re.escape(_CONTROLS + _DIRECTION)}\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    r"""Give ``text`` without escape sequences, controls and direction marks.

    Newlines and tabs stay; lone surrogates become U+FFFD, so that the result can
    always be encoded.

    Examples
    --------
    >>> clean_text("a\x1b[31mred\x1b[0m\u202eb")
    'aredb'
    """
    return clean_delta(_ANSI.sub("", text.replace("\r\n", "\n")))


def clean_delta(text: str) -> str:
    """Give one piece of a stream without control characters.

    An escape sequence may be cut anywhere between two pieces, so only its control
    characters go; what is left of it is ordinary text.
    """
    return encodable(_INVISIBLE.sub("", text))


def encodable(text: str) -> str:
    """Give ``text`` with U+FFFD for lone surrogates, which no message could carry."""
    return _SURROGATE.sub("\ufffd", text)


class TextCleaner:
    """Cleans a text that comes in pieces; the pieces joined are ``clean_text`` of the whole.

    Stages: made → ``feed`` for every piece → ``finish``. What may be the beginning of
    an escape sequence is held back until it is clear what it is.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece in and give what is clean by now."""
        text = (self._held + text).replace("\r\n", "\n")
        end = _settled_length(text)
        self._held = text[end:]
        return clean_text(text[:end])

    def finish(self) -> str:
        """Give what was held back."""
        held, self._held = self._held, ""
        return clean_text(held)


def _settled_length(text: str) -> int:
    """Give how much of ``text`` means the same whatever follows."""
    for found in _SEQUENCE.finditer(text):
        if _UNENDED.match(text, found.start()):
            return found.start()
    return len(text) - text.endswith("\r")
