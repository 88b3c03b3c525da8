"""Reads a docstring in Google, NumPy or Sphinx style."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from docstring_parser import DocstringStyle, ParseError, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docstring_parser import Docstring

__all__ = ["Documented", "read_docstring"]

# Epydoc is left out: it takes any line with an "@" for its own.
_STYLES = (DocstringStyle.GOOGLE, DocstringStyle.NUMPYDOC, DocstringStyle.REST)
_TYPES: Mapping[str, type] = {
    kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What a docstring tells a model.

    Attributes
    ----------
    summary : what the function does, in one paragraph.
    descriptions : what each parameter means, in one line; only those described.
    types : the plain types named beside parameters, for functions without hints.
    """

    summary: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, type] = field(default_factory=dict)


@lru_cache(maxsize=256)
def read_docstring(text: str | None) -> Documented:
    """Read what a docstring says about a function and its parameters.

    A docstring in no known style is all summary.
    """
    parsed = _parsed(inspect.cleandoc(text or ""))
    if parsed is None:
        return Documented(summary=_one_line(text))
    parameters = [
        (name.strip().lstrip("*"), parameter)
        for parameter in parsed.params
        if parameter.args[0] != "attribute"
        for name in parameter.arg_name.split(",")
    ]
    return Documented(
        summary=_one_line(f"{parsed.short_description or ''} {parsed.long_description or ''}"),
        descriptions={name: _one_line(p.description) for name, p in parameters if p.description},
        types={name: found for name, p in parameters if (found := _plain_type(p.type_name))},
    )


def _parsed(text: str) -> Docstring | None:
    """Parse in the style that recognises most."""
    readings = [reading for style in _STYLES if (reading := _in_style(text, style)) is not None]
    return max(readings, key=lambda reading: len(reading.meta), default=None)


def _in_style(text: str, style: DocstringStyle) -> Docstring | None:
    try:
        return parse(text, style)
    except (ParseError, ValueError, IndexError):  # its readers trip over some odd texts
        return None


def _plain_type(name: str | None) -> type | None:
    return _TYPES.get((name or "").split(",")[0].strip())


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()
