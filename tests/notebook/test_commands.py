"""What the ``%llama`` commands do, on the kernel's own manager with the bundled model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llamanb.errors import OptionError
from llamanb.models.kernel import manager
from llamanb.notebook.arguments import parse_line
from llamanb.notebook.commands import run_command
from llamanb.notebook.messages import UsageError
from llamanb.notebook.options import COMMANDS
from llamanb.notebook.state import NotebookState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[[str], str]


@pytest.fixture
def state() -> NotebookState:
    """Give what the magics remember."""
    return NotebookState()


@pytest.fixture
def run(state: NotebookState) -> Iterator[Run]:
    """Give a function that carries out a line after ``%llama`` and gives what it shows."""

    def run(line: str) -> str:
        name, _, rest = line.partition(" ")
        return repr(run_command(name, parse_line(rest, COMMANDS[name]), state))

    manager().unload(force=True)  # what tests of other rooms have left
    aliases = set(manager().aliases)
    yield run
    manager().unload(force=True)
    for name in set(manager().aliases) - aliases:
        manager().alias(name, None)


def test_loading_again_says_so(run: Run) -> None:
    assert run("load demo").startswith("demo: loaded, ")
    assert run("load demo").startswith("demo: already loaded, 0.0")
    assert run("load demo --reload").startswith("demo: loaded, ")


def test_load_options_arrive(run: Run) -> None:
    run("load demo --name small --n-ctx 256 --n-seq-max 1 --kv-type f16 --ttl 600 --pin")
    assert list(manager()) == ["small"]
    assert manager()["small"].n_ctx == 256


def test_load_takes_a_template_file(run: Run, tmp_path: Path) -> None:
    template = tmp_path / "own template.jinja"
    template.write_text("{{ messages[-1].content }}", encoding="utf-8")
    run(f"load demo --template '{template}'")
    assert manager()["demo"].chat_template == "{{ messages[-1].content }}"
    with pytest.raises(UsageError, match="is not a template file"):
        run("load demo --template nowhere.jinja")
    template.write_bytes(b"\xff\xfe")
    for name in (template, "~nobody-of-that-name/x"):
        with pytest.raises(UsageError, match="--template: "):
            run(f"load demo --template '{name}'")


def test_ps_and_models_show_what_is_resident(run: Run) -> None:
    run("load demo --name mine")
    assert "mine" in run("ps")
    assert "mine" in run("models")


def test_models_lists_the_files_of_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "tiny.gguf").write_bytes(b"x" * 1_500_000)
    assert "below/tiny.gguf  1.5 MB" in run(f"models {tmp_path}")
    (tmp_path / "lost.gguf").symlink_to("x" * 300)
    assert "lost.gguf        missing" in run(f"models {tmp_path}")
    for name in (f"{tmp_path}/gone", "~nobody-of-that-name"):
        with pytest.raises(UsageError, match="there is no folder"):
            run(f"models {name}")


def test_use_chooses_who_answers(run: Run, state: NotebookState) -> None:
    run("load demo --name one")
    run("load demo --name two")
    assert state.model(None).name == "two"
    assert run("use one") == "one answers from now on"
    assert state.model(None).name == "one"
    run("set model=two")
    assert state.model(None).name == "two"
    run("use one")
    assert state.model(None).name == "one"


def test_an_alias_can_be_loaded_and_is_listed(
    run: Run, state: NotebookState, demo_path: Path
) -> None:
    assert run(f"alias pet {demo_path}") == f"pet now means {demo_path}"
    assert "pet" in run("alias")
    run("load pet")
    assert state.model("pet").path == str(demo_path)
    with pytest.raises(UsageError, match="alias needs NAME and PATH"):
        run("alias pet")


def test_info_says_what_a_model_is(run: Run) -> None:
    shown = run("info demo")
    assert "a toy for demos and tests" in shown
    assert "n_ctx" in shown


def test_unload_takes_the_only_model_or_those_named(run: Run) -> None:
    run("load demo")
    assert run("unload") == "unloaded demo"
    run("load demo --name one")
    run("load demo --name two")
    with pytest.raises(UsageError, match="unload what"):
        run("unload")
    with pytest.raises(UsageError, match="unknown model 'three'"):
        run("unload one three")
    assert run("unload one") == "unloaded one"
    assert list(manager()) == ["two"]


def test_unload_all_takes_every_model_and_may_find_none(run: Run) -> None:
    run("load demo --name one")
    run("load demo --name two")
    assert run("unload --all") == "unloaded one, two"
    assert run("unload --all") == "no model is resident"


def test_an_unloaded_model_is_no_longer_the_default_of_set(run: Run, state: NotebookState) -> None:
    run("load demo --name one")
    run("set model=one")
    run("unload one")
    assert "model" not in state.defaults


def test_set_keeps_values_and_takes_them_back(run: Run, state: NotebookState) -> None:
    run('set temp=0.2 max-tokens=20 system="Be brief." think=off stop=END')
    assert state.defaults == {
        "temperature": 0.2,
        "max_tokens": 20,
        "system": "Be brief.",
        "think": False,
        "stop": ("END",),
    }
    run("set temp=default")
    run("set chat notes")
    assert "temperature" not in state.defaults
    assert state.chat_name(None) == "notes"


@pytest.mark.parametrize(
    ("line", "error", "expected"),
    [
        pytest.param("set tmp=1", UsageError, "unknown setting 'tmp'", id="unknown key"),
        pytest.param("set temp=1 top-p", UsageError, "needs KEY=VALUE", id="no value"),
        pytest.param("set temp=1 seed=x", UsageError, "needs a whole number", id="wrong kind"),
        pytest.param("set temp=1 top-p=7", OptionError, "top_p=7", id="out of range"),
        pytest.param("set temp=1 think=maybe", UsageError, "true or false", id="switch"),
    ],
)
def test_a_wrong_set_changes_nothing(
    run: Run, state: NotebookState, line: str, error: type[Exception], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        run(line)
    assert state.defaults == {}


def test_a_chat_can_be_copied_saved_restored_and_exported(
    run: Run, state: NotebookState, tmp_path: Path
) -> None:
    model = manager().load("demo", n_threads=1)
    chat = state.chats.open("main", model, "Be brief.")
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    chat.session.messages[:] = said
    assert run("fork second").startswith("'second' is a copy of 'main'")
    chat.session.messages.clear()
    assert state.chats.find("second").messages == said
    path = tmp_path / "my talk.json"
    assert "saved the chat 'second'" in run(f"save '{path}' -c second")
    assert run(f"restore '{path}'") == "the chat 'main' goes on after 1 turn"
    assert state.chats.find("main").messages == said
    assert state.chats.find("main").session.system_prompt == "Be brief."
    for name in ("talk.md", "talk.html", "talk.py", "talk.ipynb"):
        run(f"export '{tmp_path / name}'")
        assert "Hello" in (tmp_path / name).read_text("utf-8")


def test_chats_with_messages_are_not_overwritten(
    run: Run, state: NotebookState, tmp_path: Path
) -> None:
    model = manager().load("demo", n_threads=1)
    for name in ("main", "other"):
        state.chats.open(name, model).session.messages[:] = [{"role": "user", "content": "Hi"}]
    run(f"save {tmp_path / 'talk.json'}")
    for line in ("fork other", f"restore {tmp_path / 'talk.json'}"):
        with pytest.raises(UsageError, match="has messages already"):
            run(line)


def test_files_that_are_no_chat_are_refused(run: Run, state: NotebookState, tmp_path: Path) -> None:
    state.chats.open("main", manager().load("demo", n_threads=1))
    with pytest.raises(OptionError, match=r"must end in one of \.md"):
        run(f"export {tmp_path / 'talk.docx'}")
    for line in (f"export {tmp_path}/none/a.md", f"save {tmp_path}/none/a.json"):
        with pytest.raises(UsageError, match="cannot write"):
            run(line)
    with pytest.raises(UsageError, match="cannot read"):
        run(f"restore {tmp_path}/none.json")
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")
    with pytest.raises(OptionError, match="no saved talk"):
        run(f"restore {tmp_path}/a.json")
