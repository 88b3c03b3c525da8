"""Completions of ``%llama`` lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llamanb.notebook.candidates import completions
from llamanb.notebook.completion import open_expression, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def _names(kind: str) -> Iterable[str]:
    return {"models": ["demo", "big"], "chats": ["main", "notes"]}[kind]


@pytest.mark.parametrize(
    ("rest", "is_cell", "expected"),
    [
        pytest.param("lo", False, ["load"], id="command"),
        pytest.param("unload d", False, ["demo"], id="model operand"),
        pytest.param("use ", False, ["demo", "big"], id="model operand, empty"),
        pytest.param("history n", False, ["notes"], id="chat operand"),
        pytest.param("help rese", False, ["reset"], id="command operand"),
        pytest.param("set top", False, ["top_k=", "top_p="], id="setting"),
        pytest.param("load --n-", False, ["--n-ctx", "--n-seq-max"], id="option of a command"),
        pytest.param("ask --max-t", False, ["--max-tokens"], id="option of ask"),
        pytest.param("--temp 0 --see", True, ["--seed"], id="second option"),
        pytest.param("-m b", True, ["big"], id="option value"),
        pytest.param("--chat=n", True, ["notes"], id="assigned option value"),
        pytest.param("-f j", True, ["json"], id="choice"),
        pytest.param("de", True, ["demo"], id="model of a cell"),
        pytest.param("nothing x", False, [], id="unknown command"),
    ],
)
def test_completions(rest: str, is_cell: bool, expected: list[str]) -> None:
    assert sorted(completions(rest, _names, is_cell=is_cell)) == sorted(expected)


def test_load_completes_folders_and_model_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf").touch()
    (tmp_path / "models" / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert completions("load mo", _names, is_cell=False) == ["models/"]
    assert completions("load models/", _names, is_cell=False) == ["models/tiny.gguf"]


def test_links_in_a_circle_are_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / ("x" * 200)).symlink_to("y" * 300)
    monkeypatch.chdir(tmp_path)
    assert completions("load ", _names, is_cell=False)[:2] == ["demo", "demo-embed"]


@pytest.mark.parametrize(
    ("code", "place"),
    [
        pytest.param("%llama lo", ("line", "lo"), id="line"),
        pytest.param("x = %llama ask W", ("line", "ask W"), id="assigned line"),
        pytest.param("a = 1\n%llama lo", ("line", "lo"), id="line below code"),
        pytest.param("%%llama --te", ("cell line", "--te"), id="cell line"),
        pytest.param("%%llama\nWhy", ("prompt", "Why"), id="prompt"),
        pytest.param("%%llama -c x\nWhy\n%llama lo", ("prompt", "Why\n%llama lo"), id="quoting"),
        pytest.param("%%time\n%%llama\nWhy", ("prompt", "Why"), id="below another cell magic"),
        pytest.param("%%time\n%llama lo", ("line", "lo"), id="line in a timed cell"),
        pytest.param("%%llama", None, id="the magic's own name"),
        pytest.param("%%llamas\nWhy", None, id="another magic"),
        pytest.param("x = 1\n%%llama\ny", None, id="not at the top"),
        pytest.param("llama", None, id="Python"),
    ],
)
def test_place_of_the_cursor(code: str, place: tuple[str, str] | None) -> None:
    assert place_of(code.split("\n")) == place


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        pytest.param("a {{ na", "na", id="open"),
        pytest.param("a {{name}} b", None, id="closed"),
        pytest.param("{{a}} {{b", "b", id="second"),
        pytest.param("{{", "", id="nothing yet"),
        pytest.param('{"json": {"a": 1', None, id="single braces"),
        pytest.param("\\{{name", None, id="literal braces"),
    ],
)
def test_open_expression(text: str, expression: str | None) -> None:
    assert open_expression(text) == expression
