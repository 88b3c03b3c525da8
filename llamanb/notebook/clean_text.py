"""Make model text harmless as text: no terminal escapes, no direction tricks."""

from __future__ import annotations

import re

__all__ = ["clean_delta", "clean_text"]

# CSI, OSC (to BEL or ST), other string sequences, and two-byte escapes (ECMA-48).
_ANSI = re.compile(
    r"\x1b\[[0-?]{0,256}[ -/]{0,32}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]{0,8}[0-~]?"
    r"|\x9b[0-?]{0,256}[ -/]{0,32}[@-~]"
)
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
    return _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))
