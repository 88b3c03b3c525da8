"""What an answer has to be: JSON of a type, one of several texts, or a pattern."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.errors import ExtractionError, OptionError
from llamanb.models.typed import target_of
from llamanb.notebook.messages import UsageError, one_line
from llamanb.notebook.names import find_value, names_of

if TYPE_CHECKING:
    from llamanb.models.typed import Target
    from llamanb.notebook.interpolation import Namespace

__all__ = ["Wanted", "read_wanted"]

_CUT = "the JSON was cut off at the token limit; the text stays above: give a larger --max-tokens"
_OPTIONS = ("schema", "choices", "regex")
_SCHEMA_EXAMPLE = 'Example: --schema Person, or --schema \'{"type": "object"}\''


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked of an answer; ``options`` go to the model, at most one of them.

    Attributes
    ----------
    options : ``json_schema``, ``choices`` or ``regex`` with its value, or nothing.
    target : the type of which the answer is to be a value, if one was named.
    """

    options: Mapping[str, Any]
    target: Target | None = None

    @property
    def has_value(self) -> bool:
        """Whether the answer stands for a Python value."""
        return "json_schema" in self.options

    def read(self, text: str, finish_reason: str) -> Any:
        """Give the value of the answer.

        Raises
        ------
        UsageError
            If it was cut off, or does not pass a check that no grammar can express.
        """
        if finish_reason == "length":
            raise UsageError(_CUT)
        try:
            if self.target is not None:
                return self.target.read(text, finish_reason)
            return json.loads(text)
        except (ExtractionError, ValueError) as error:
            raise UsageError(f"--schema: {one_line(error)}") from None


def read_wanted(options: Mapping[str, Any], shell: Namespace) -> Wanted:
    """Read ``--schema``, ``--choices`` and ``--regex``.

    Raises
    ------
    UsageError
        If more than one is given, or one makes no sense.
    """
    given = [name for name in _OPTIONS if options.get(name) is not None]
    if len(given) > 1:
        raise UsageError(f"give only one of {' and '.join(f'--{name}' for name in given)}")
    if not given:
        return Wanted(options={})
    value = options[given[0]]
    if given[0] == "schema":
        return _schema(value, shell)
    return Wanted(options={given[0]: value if given[0] == "regex" else _choices(value)})


def _choices(written: str) -> list[str]:
    """Read texts separated by commas, or a JSON list of texts that hold commas themselves."""
    listed: Any = [one.strip() for one in written.split(",")]
    if written.lstrip().startswith("["):
        listed = _json(written, "--choices")
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise UsageError(f"--choices: {written!r} is no list of texts. Example: --choices yes,no")
    return list(dict.fromkeys(listed))


def _schema(written: str, shell: Namespace) -> Wanted:
    value: Any = written
    if not written.lstrip().startswith("{"):
        value = find_value(written, shell, what="type", known=names_of("types", shell))
    if isinstance(value, str):
        value = _json(value, "--schema")
    if isinstance(value, Mapping):
        return Wanted(options={"json_schema": dict(value)})
    try:
        return Wanted(options={"json_schema": value}, target=target_of(value))
    except OptionError as error:
        reason = one_line(error).removeprefix("data_model=")
        raise UsageError(f"--schema: {reason}. {_SCHEMA_EXAMPLE}") from None


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option}: {text!r} is no JSON: {one_line(error)}") from None
