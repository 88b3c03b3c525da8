"""What users may write for a model, and where it is then looked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import ModelNotFoundError, OptionError
from llamanb.models import local
from llamanb.models.hub_names import HubSpec, choose_file, parse_hub_spec, part_names
from llamanb.models.sources import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty home folder, so that nobody's caches are searched."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("LLAMANB_MODEL_DIRS", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


def test_path_may_be_relative_or_begin_with_tilde(make_file: MakeFile, home: Path) -> None:
    path = make_file("a")
    (home / "b.gguf").write_bytes(path.read_bytes())
    assert resolve("a.gguf").path == resolve(f"  {path} ").path == path
    assert resolve("~/b.gguf").path == home / "b.gguf"
    assert resolve(path).name == "a"


def test_bundled_models_are_toys() -> None:
    assert resolve("demo").is_toy
    assert resolve("demo-embed").path.name == "llamanb-demo-embed.gguf"
    assert resolve(resolve("demo").path).name == "demo"


def test_folder_named_demo_does_not_hide_the_bundled_model(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert resolve("demo").is_toy


def test_alias_is_followed(make_file: MakeFile) -> None:
    path = make_file("a")
    assert resolve("mine", aliases={"mine": str(path)}).path == path


def test_missing_file_suggests_its_neighbour(make_file: MakeFile) -> None:
    path = make_file("qwen3-4b")
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'qwen3-4b\.gguf'"):
        resolve(path.with_name("qwen3-4.gguf"))


def test_missing_folder_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match="there is no folder /nowhere"):
        resolve("/nowhere/a.gguf")


def test_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(ModelNotFoundError, match=r"model file not found: dmeo\. Did you .*'demo'"):
        resolve("dmeo")


@pytest.mark.parametrize(
    "spec", [None, 3, b"a.gguf", "", "   ", "a\0b", "x" * 5000], ids=lambda spec: repr(spec)[:10]
)
def test_impossible_spec_is_refused(spec: object) -> None:
    with pytest.raises(OptionError):
        resolve(spec)  # type: ignore[arg-type]  # wrong on purpose


def test_web_address_of_another_site_says_to_download() -> None:
    with pytest.raises(ModelNotFoundError, match="download the file first"):
        resolve("https://example.org/model.gguf")


def test_split_model_is_named_without_its_number(tmp_path: Path, make_file: MakeFile) -> None:
    make_file("m-00001-of-00002")
    make_file("m-00002-of-00002")
    source = resolve(tmp_path / "m-00002-of-00002.gguf")
    assert source.name == "m"
    assert source.path.name == "m-00001-of-00002.gguf"


# ---- hub names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        pytest.param("org/repo", HubSpec(repo="org/repo"), id="repo"),
        pytest.param(
            "org/repo:Q4_K_M", HubSpec(repo="org/repo", quantization="Q4_K_M"), id="quant"
        ),
        pytest.param("o/r/f.gguf", HubSpec(repo="o/r", file="f.gguf"), id="file"),
        pytest.param("o/r/d/f.gguf", HubSpec(repo="o/r", file="d/f.gguf"), id="folder"),
        pytest.param(
            "https://huggingface.co/o/r/blob/main/f.gguf?x=1",
            HubSpec(repo="o/r", file="f.gguf"),
            id="address",
        ),
        pytest.param("https://hf.co/o/r", HubSpec(repo="o/r"), id="short address"),
        pytest.param("./o/r", None, id="relative path"),
        pytest.param("/o/r", None, id="absolute path"),
        pytest.param("models/a.gguf", None, id="file in a folder"),
        pytest.param("name", None, id="name"),
        pytest.param("a/b/../../c.gguf", None, id="upwards"),
    ],
)
def test_hub_specs_are_told_from_paths(text: str, parsed: HubSpec | None) -> None:
    assert parse_hub_spec(text) == parsed


FILES = [
    "mmproj-model-f16.gguf",
    "model-IQ4_XS.gguf",
    "model-Q4_K_M-00001-of-00002.gguf",
    "model-Q4_K_M-00002-of-00002.gguf",
    "model-Q8_0.gguf",
    "README.md",
]


@pytest.mark.parametrize(
    ("quantization", "chosen"),
    [
        pytest.param(None, "model-Q4_K_M-00001-of-00002.gguf", id="usual"),
        pytest.param("q8_0", "model-Q8_0.gguf", id="other case"),
        pytest.param("Q4_K", None, id="not a part of another"),
        pytest.param("F16", None, id="projector is no model"),
    ],
)
def test_quantization_is_chosen_by_whole_words(
    quantization: str | None, chosen: str | None
) -> None:
    assert choose_file(FILES, quantization) == chosen


def test_parts_are_listed_with_their_folder() -> None:
    assert part_names("d/m-00001-of-00002.gguf") == [
        "d/m-00001-of-00002.gguf",
        "d/m-00002-of-00002.gguf",
    ]


# ---- caches of other programs ----------------------------------------------------------------


def _put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    return path


def test_caches_of_other_programs_are_searched(home: Path, tmp_path: Path) -> None:
    folders = {
        "llama.cpp": home / ".cache/llama.cpp/a.gguf",
        "LM Studio": home / ".lmstudio/models/org/repo/b.gguf",
        "Hugging Face": home / ".cache/huggingface/hub/models--o--r/snapshots/1/c-Q4_0.gguf",
    }
    for path in folders.values():
        _put(path)
    _put(tmp_path / "elsewhere/mmproj-c.gguf")
    found = {item.place: item.path for item in local.search()}
    assert found == folders


def test_own_folders_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _put(tmp_path / "mine/qwen3.gguf")
    monkeypatch.setenv("LLAMANB_MODEL_DIRS", str(tmp_path / "mine"))
    assert resolve("Qwen3").path == path


def test_ollama_blobs_get_their_names(home: Path) -> None:
    digest = "ab" * 32
    blob = _put(home / f".ollama/models/blobs/sha256-{digest}")
    manifest = home / ".ollama/models/manifests/registry.ollama.ai/library/qwen3/0.6b"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": local.OLLAMA_MODEL, "digest": f"sha256:{digest}"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    assert [(item.name, item.path) for item in local.search()] == [("qwen3:0.6b", blob)]
    manifest.write_text("not json")
    assert local.search() == []


def test_loops_of_links_do_not_hang_the_search(tmp_path: Path) -> None:
    _put(tmp_path / "f/a.gguf")
    (tmp_path / "f/loop").symlink_to(tmp_path / "f")
    assert len(local.search(tmp_path / "f")) == 1


def test_downloaded_hub_model_needs_no_network(home: Path) -> None:
    snapshot = home / ".cache/huggingface/hub/models--o--r/snapshots/abc"
    path = _put(snapshot / "m-Q4_K_M.gguf")
    reference = snapshot.parents[1] / "refs/main"
    reference.parent.mkdir()
    reference.write_text("abc")
    assert resolve("o/r:Q4_K_M").path == path
    assert resolve("o/r").name == "m-Q4_K_M"


def test_half_downloaded_split_model_is_not_taken(home: Path) -> None:
    snapshot = home / ".cache/huggingface/hub/models--o--r/snapshots/abc"
    _put(snapshot / "m-Q4_0-00001-of-00002.gguf")
    assert local.find_downloaded(HubSpec(repo="o/r")) is None
