"""Adding settings to a user's JSON file loses nothing, or does nothing."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.errors import OptionError
from llamanb.integrations.json_files import added_to_file, merged, write_object

if TYPE_CHECKING:
    from pathlib import Path

OURS = {"provider": {"llamanb": {"options": {"baseURL": "http://127.0.0.1:1/v1"}}}}


def add(path: Path, ours: dict[str, Any] = OURS, keep: tuple[str, ...] = ()) -> dict[str, Any]:
    return added_to_file(path, ours, keeps=lambda name, _: name in keep)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_new_file_is_made_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "opencode.json"
    assert add(path) == OURS
    assert read(path) == OURS
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    known = {
        "theme": "grün",
        "provider": {"other": {"npm": "x"}, "llamanb": {"options": {"timeout": 1.5}}},
        "instructions": ["a", {"b": None}],
    }
    write_object(path, known)
    add(path)
    options = {"timeout": 1.5, "baseURL": "http://127.0.0.1:1/v1"}
    provider = {"other": {"npm": "x"}, "llamanb": {"options": options}}
    assert read(path) == known | {"provider": provider}
    assert "grün" in path.read_text(encoding="utf-8")


def test_a_setting_that_is_kept_is_added_only_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    add(path, {"model": "mine"}, keep=("model",))
    assert add(path, {"model": "yours"}, keep=("model",)) == {"model": "mine"}


def test_the_same_settings_twice_leave_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text(json.dumps(OURS), encoding="utf-8")  # one line, as we would not write it
    before = path.stat().st_mtime_ns, path.read_bytes()
    add(path)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{\n  // mine\n  "theme": "x"\n}', id="a comment"),
        pytest.param('{"theme": "x",}', id="a trailing comma"),
        pytest.param('{"theme": "x", "theme": "y"}', id="a name twice"),
        pytest.param('{"theme": ', id="half a file"),
        pytest.param('["theme"]', id="a list"),
        pytest.param('{"provider": "x"}', id="a word for an object"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param('{"x": 1e999}', id="a number beyond JSON"),
    ],
)
def test_a_file_that_would_lose_something_is_left_as_it_was(text: str, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=r"opencode\.json"):
        add(path)
    assert path.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["opencode.json"]


def test_a_file_that_is_not_text_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="cannot be read"):
        add(path)
    assert path.read_bytes() == b"\xff\xfe\x00"


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff{}"])
def test_an_empty_file_is_filled(text: str, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text(text, encoding="utf-8")
    assert add(path) == OURS
    assert read(path) == OURS


@pytest.mark.parametrize("indent", ["\t", "    ", "  "])
def test_the_indentation_of_the_file_is_kept(indent: str, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text(json.dumps({"theme": "x"}, indent=indent), encoding="utf-8")
    add(path)
    assert path.read_text(encoding="utf-8") == json.dumps({"theme": "x"} | OURS, indent=indent)


def test_the_rights_of_the_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text("{}", encoding="utf-8")
    path.chmod(0o600)
    add(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "dotfiles.json", tmp_path / "opencode.json"
    path.write_text("{}", encoding="utf-8")
    link.symlink_to(path)
    add(link)
    assert link.is_symlink()
    assert read(path) == OURS


def test_a_folder_in_its_place_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "opencode.json").mkdir()
    with pytest.raises(OptionError, match="cannot be read"):
        add(tmp_path / "opencode.json")


def test_merging_changes_neither_side() -> None:
    known: dict[str, Any] = {"a": {"b": 1}}
    ours: dict[str, Any] = {"a": {"c": 2}}
    assert merged(known, ours) == {"a": {"b": 1, "c": 2}}
    assert (known, ours) == ({"a": {"b": 1}}, {"a": {"c": 2}})
