"""What is given along with a question: files, images, and variables of the notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.notebook.call_view import fenced
from llamanb.notebook.chat.parts import Attachment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["content_of", "list_variables", "read_attachments", "text_of_value"]

MOST_ATTACHMENTS = 20
LONGEST_TEXT = 1 << 20
LONGEST_URL = 9 << 20  # Jupyter's server takes messages of 10 MiB
LONGEST_NAME = 200
LONGEST_SUMMARY = 80
MOST_VARIABLES = 200
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*")
_HIDDEN = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_UNSEEN = "(an image, which this model cannot see)"


def read_attachments(given: Any, variables: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Check what the page sends along.

    Parameters
    ----------
    given : the page's list.
    variables : the notebook's.

    Raises
    ------
    OptionError
        If something is too large or of no known kind, or a variable is not there.
    """
    if not isinstance(given, list) or len(given) > MOST_ATTACHMENTS:
        raise OptionError(f"at most {MOST_ATTACHMENTS} things can be attached")
    return tuple(_read(one, variables) for one in given)


def _read(given: Any, variables: Mapping[str, Any]) -> Attachment:
    match given:
        case {"kind": "text", "name": str(name), "text": str(text)}:
            if len(text) > LONGEST_TEXT:
                raise OptionError(f"{name!r} is too long: {len(text):,} characters")
            return Attachment(name=name[:LONGEST_NAME], kind="text", text=text)
        case {"kind": "image", "name": str(name), "url": str(url)}:
            if len(url) > LONGEST_URL or not _IMAGE.fullmatch(url):
                raise OptionError(f"{name!r} is no PNG, JPEG, GIF or WebP of at most 6 MiB")
            return Attachment(name=name[:LONGEST_NAME], kind="image", text=_UNSEEN, url=url)
        case {"kind": "variable", "name": str(name)}:
            if name not in variables:
                raise OptionError(f"there is no variable {name[:LONGEST_NAME]!r}")
            return Attachment(name=name, kind="variable", text=text_of_value(variables[name]))
    raise OptionError("this cannot be attached: it is no text, image or variable")


def content_of(question: str, attachments: Sequence[Attachment]) -> str:
    """Give the text that the model reads: the question, then what is attached by name."""
    shown = [f"{_title(one)}\n{fenced(one.text)}" for one in attachments]
    return "\n\n".join([question, *shown])


def _title(attachment: Attachment) -> str:
    kinds = {"text": "File", "image": "Image", "variable": "Variable"}
    return f"{kinds[attachment.kind]} {attachment.name}:"


def text_of_value(value: Any) -> str:
    """Give a value as text: tables as CSV where they can, everything else as it prints.

    Raises
    ------
    OptionError
        If it is too long, or cannot be printed.
    """
    try:
        text = value.to_csv() if _is_table(value) else str(value)
    except Exception as error:  # noqa: BLE001  # a value may raise anything
        raise OptionError(f"the value cannot be printed: {error!r}") from None
    if len(text) > LONGEST_TEXT:
        raise OptionError(f"the value is too long: {len(text):,} characters; attach a part of it")
    return text


def _is_table(value: Any) -> bool:
    return type(value).__name__ in ("DataFrame", "Series") and callable(
        getattr(value, "to_csv", None)
    )


def list_variables(variables: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the user's variables: name, type and a few words."""
    rows = [
        {"name": name, "type": type(value).__name__, "summary": _summary(value)}
        for name, value in _own(variables)
    ]
    return rows[:MOST_VARIABLES]


def _own(variables: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in list(variables.items()):
        is_code = callable(value) or type(value).__name__ == "module"
        if not name.startswith("_") and name not in _HIDDEN and not is_code:
            yield name, value


def _summary(value: Any) -> str:
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return " by ".join(map(str, shape))[:LONGEST_SUMMARY]
        if isinstance(value, str):
            return repr(value[:LONGEST_SUMMARY])[:LONGEST_SUMMARY]
        if isinstance(value, int | float | bool | None):
            return repr(value)[:LONGEST_SUMMARY]
        return f"{len(value)} items"
    except Exception:  # noqa: BLE001  # a value may raise anything
        return ""
