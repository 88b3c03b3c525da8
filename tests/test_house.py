"""The house rules: what the README promises, what the package carries, what imports what."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(llamanb.__file__).parent.parent
TOP_LEVEL = {"llamanb", "notebooks", "tests", "docs", "binder"}
TEXT_FILES = {
    ".py",
    ".md",
    ".toml",
    ".ipynb",
    ".yml",
    ".yaml",
    ".json",
    ".jinja",
    ".js",
    ".mjs",
    ".css",
    "",
}
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:(?:home|Users)/\w+|root|work|srv|mnt)/")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
NEVER_IMPORTED = ("fastapi", "chatlas", "openai", "jupyterlab", "llama_cpp", "huggingface_hub")


def _settings() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def _project_files() -> Iterator[Path]:
    """Give every file that belongs to the project: tracked, or new and not ignored."""
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        pytest.skip("needs git and a checkout, to know which files belong to the project")
    command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )  # git itself
    paths = (CHECKOUT / name for name in listed.stdout.split("\0") if name)
    return (path for path in paths if path.is_file())


@pytest.mark.parametrize(
    "command", ['pip install ".[lab]" && llamanb lab', 'pip install -e ".[test]" && pytest']
)
def test_the_readme_gives_both_commands(command: str) -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert readme.splitlines().count(f"    {command}") == 1


def test_the_commands_come_after_one_sentence_and_one_picture() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    opening = readme[: readme.index("    pip install")]
    paragraphs = [part for part in opening.split("\n\n") if part.strip()]
    assert paragraphs[1].count(".") == 1
    assert paragraphs[2].startswith("![")


def test_ci_runs_the_second_command_as_it_stands_in_the_readme() -> None:
    script = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().splitlines()[-1] == 'pip install -e ".[test]" && pytest'


def test_the_version_stands_in_one_place() -> None:
    settings = _settings()
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["tool"]["hatch"]["version"]["path"] == "llamanb/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", llamanb.__version__)


def test_the_extras_are_the_promised_ones() -> None:
    extras = _settings()["project"]["optional-dependencies"]
    assert set(extras) == {"lab", "chat", "rag", "cluster", "test", "docs", "all"}


def test_the_top_level_holds_nothing_else() -> None:
    entries = {path.relative_to(CHECKOUT).parts[0] for path in _project_files()}
    shown = {entry for entry in entries if not entry.startswith(".")}
    assert shown <= TOP_LEVEL | {"pyproject.toml", "README.md", "LICENSE"}


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel from the checkout and give the names inside."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)  # hatchling itself
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.mark.parametrize(
    "name",
    [
        "llamanb/py.typed",
        "llamanb/demo/llamanb-demo.gguf",
        "llamanb/demo/llamanb-demo-embed.gguf",
        "llamanb/demo/README.md",
        "llamanb/notebook/static/chat.js",
        "llamanb/notebook/static/chat.css",
        "llamanb/notebook/static/models_panel.js",
        "llamanb/cli/notebooks/01_quickstart.ipynb",
        "llamanb/cli/notebooks/02_tool_calls_and_grammars.ipynb",
        "llamanb/cli/notebooks/03_servers.ipynb",
        "llamanb/cli/notebooks/04_chat_widget.ipynb",
        "llamanb/cli/notebooks/05_look_inside.ipynb",
        "llamanb/notebook/static/server_panel.js",
        "llamanb/cli/jupyter_config/labconfig/page_config.json",
    ],
)
def test_the_wheel_carries_what_users_need(name: str, wheel_names: set[str]) -> None:
    assert name in wheel_names


def test_the_wheel_carries_nothing_else(wheel_names: set[str]) -> None:
    assert not [name for name in wheel_names if "training" in name or "test" in name]
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {"llamanb"}


def test_importing_llamanb_imports_nothing_heavy() -> None:
    source = f"import sys, llamanb; print([m for m in {NEVER_IMPORTED!r} if m in sys.modules])"
    done = subprocess.run(  # our own command
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_rooms_depend_one_way() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    done = subprocess.run(  # import-linter itself
        [*command, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_no_file_names_a_place_on_one_machine() -> None:
    texts = (path for path in _project_files() if path.suffix in TEXT_FILES)
    found = {
        str(path.relative_to(CHECKOUT)): MACHINE_PATH.findall(path.read_text(encoding="utf-8"))
        for path in texts
        if path != Path(__file__)
    }
    assert not {name: places for name, places in found.items() if places}


def test_relative_links_lead_somewhere() -> None:
    pages = [path for path in _project_files() if path.suffix == ".md"]
    links = [
        (page.relative_to(CHECKOUT), link)
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    broken = [
        (str(page), link) for page, link in links if not (CHECKOUT / page.parent / link).exists()
    ]
    assert not broken


def test_every_room_is_in_the_map() -> None:
    page = (CHECKOUT / "docs" / "structure.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (CHECKOUT / "llamanb").glob("*/__init__.py")}
    assert {room for room in rooms if f"| `{room}/` |" not in page} == set()
