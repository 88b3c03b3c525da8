"""``%llama set``: read and keep the defaults of the cells below."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.notebook.arguments import read_value
from llamanb.notebook.messages import UsageError, unknown
from llamanb.notebook.options import CELL
from llamanb.notebook.questions import SAMPLING_KEYS
from llamanb.notebook.tables import Table
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from llamanb.notebook.state import NotebookState

__all__ = ["change_settings", "settings_table"]

_TEXT_KEYS = ("chat", "model", "system", "format")
_BACK = ("default", "none")
_EXAMPLE = "%llama set temp=0.2 max-tokens=200"
_SWITCH = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def change_settings(operands: list[str], state: NotebookState) -> Table:
    """Keep every ``KEY=VALUE`` (or ``KEY VALUE``) and give the table of defaults.

    Raises
    ------
    UsageError
        For an unknown key or a value of the wrong kind; nothing is changed then.
    OptionError
        For a number that is out of range.
    """
    if len(operands) == 2 and "=" not in operands[0]:
        operands = ["=".join(operands)]
    defaults = dict(state.defaults)
    for operand in operands:
        written, assigned, text = operand.partition("=")
        if not assigned:
            raise UsageError(f"set needs KEY=VALUE, not {operand!r}. Example: {_EXAMPLE}")
        key = _key(written)
        if text.lower() in _BACK:
            defaults.pop(key, None)
        else:
            defaults[key] = _value(key, text)
    state.defaults = defaults
    return settings_table(state)


def settings_table(state: NotebookState) -> Table:
    """Give the defaults as a table."""
    rows = [(key, repr(value)) for key, value in sorted(state.defaults.items())]
    note = "KEY=default takes one back" if rows else f"none is set. Example: {_EXAMPLE}"
    return Table("Settings for the cells below", ("key", "value"), rows, note)


def _key(written: str) -> str:
    name = written.strip().lstrip("-").replace("_", "-")
    option = next((o for o in CELL.options if name in (o.name, o.short)), None)
    key = option.key if option else name.replace("-", "_")
    if key in SAMPLING_KEYS or key in (*_TEXT_KEYS, "think"):
        return key
    known = [o.name for o in CELL.options if o.key in (*SAMPLING_KEYS, *_TEXT_KEYS)]
    raise unknown("setting", written, {*SAMPLING_KEYS, *known, "think"}, example=_EXAMPLE)


def _value(key: str, text: str) -> Any:
    if key in ("think", "ignore_eos"):
        return _switch_value(key, text)
    option = next((o for o in CELL.options if o.key == key), None)
    value = read_value(option, text) if option else _number(key, text)
    if key in SAMPLING_KEYS:
        SamplingSettings.from_options(None, **{key: value})
    return value


def _switch_value(key: str, text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise UsageError(f"{key} needs true or false, not {text!r}. Example: %llama set {key}=true")
    return _SWITCH[text.lower()]


def _number(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise UsageError(f"{key} needs a number, not {text!r}. Example: {_EXAMPLE}") from None
