"""Which notebook ``llamanb lab`` opens, and that a user's copy stays theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamanb.cli.places import QUICKSTART, bundled_notebooks, choose_notebook
from llamanb.errors import OptionError


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def test_a_checkout_is_used_in_place(here: Path, tmp_path: Path) -> None:
    local = here / "notebooks" / QUICKSTART
    local.parent.mkdir()
    local.write_text("{}", encoding="utf-8")
    assert choose_notebook(None, here=here, home=tmp_path) == local


def test_elsewhere_the_quickstart_is_copied_to_the_home_folder(here: Path, tmp_path: Path) -> None:
    chosen = choose_notebook(None, here=here, home=tmp_path)
    assert chosen == tmp_path / "llamanb-notebooks" / QUICKSTART
    assert chosen.read_bytes() == (bundled_notebooks() / QUICKSTART).read_bytes()


def test_all_bundled_notebooks_are_copied(here: Path, tmp_path: Path) -> None:
    folder = choose_notebook(None, here=here, home=tmp_path).parent
    bundled = {path.name for path in bundled_notebooks().glob("*.ipynb")}
    assert {path.name for path in folder.iterdir()} == bundled >= {QUICKSTART}


def test_a_changed_copy_is_never_written_over(here: Path, tmp_path: Path) -> None:
    copy = choose_notebook(None, here=here, home=tmp_path)
    copy.write_text("mine", encoding="utf-8")
    assert choose_notebook(None, here=here, home=tmp_path).read_text(encoding="utf-8") == "mine"


def test_a_notebook_that_is_asked_for_is_taken(here: Path, tmp_path: Path) -> None:
    own = here / "own.ipynb"
    own.write_text("{}", encoding="utf-8")
    assert choose_notebook("own.ipynb", here=here, home=tmp_path) == own


def test_a_home_that_cannot_be_written_is_named(here: Path, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    with pytest.raises(OptionError, match=r"cannot be copied to .*set HOME"):
        choose_notebook(None, here=here, home=home)


def test_a_home_that_nobody_knows_is_named(here: Path) -> None:
    with pytest.raises(OptionError, match="cannot be copied to ~nobody-of-that-name/"):
        choose_notebook(None, here=here, home=Path("~nobody-of-that-name"))


def test_a_home_that_nobody_knows_is_not_needed_for_a_notebook(here: Path) -> None:
    with pytest.raises(OptionError, match="there is no notebook"):
        choose_notebook("~nobody-of-that-name/x.ipynb", here=here)


def test_a_missing_notebook_is_named(here: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gone\.ipynb"):
        choose_notebook("gone.ipynb", here=here, home=tmp_path)
