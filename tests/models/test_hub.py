"""Downloads, against a small stand-in for the hub on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit

import pytest

from llamanb.errors import HubError, ModelNotFoundError, OptionError
from llamanb.models import hub
from llamanb.models.sources import resolve
from tests.models.gguf_bytes import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import ModelManager

COMMIT = "c" * 40


class _Hub(BaseHTTPRequestHandler):
    """Serves one repository, ``org/repo``, the way huggingface_hub asks for it."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.asked.append(path)
        if path.startswith("/api/models/org/repo"):
            rows = [{"rfilename": name, "size": len(text)} for name, text in self.files.items()]
            described = {"id": "org/repo", "sha": COMMIT, "siblings": rows}
            self._answer(200, json.dumps(described).encode())
        elif path.startswith("/org/repo/resolve/main/"):
            self._file(path.removeprefix("/org/repo/resolve/main/"))
        elif "broken" in path:
            self._answer(500, b"{}")
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _file(self, name: str) -> None:
        content = self.files.get(name)
        if content is None:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        etag = hashlib.sha256(content).hexdigest()
        self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    """Run the stand-in and point huggingface_hub at it and at an empty cache."""
    _Hub.files = {
        "m-Q4_K_M.gguf": Recipe().encode(),
        "m-Q8_0.gguf": Recipe().encode() + b"\0" * 64,
        "README.md": b"hello",
    }
    _Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield _Hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_are_listed_with_sizes() -> None:
    files = hub.list_files("org/repo")
    assert {file.name for file in files} == {"m-Q4_K_M.gguf", "m-Q8_0.gguf"}
    assert all(file.size_bytes for file in files)
    assert [file.name for file in hub.list_files("org/repo", "*Q8*")] == ["m-Q8_0.gguf"]


def test_quantization_is_downloaded_and_found_again_offline(stub: type[_Hub]) -> None:
    source = resolve("org/repo:Q8_0", progress=False)
    assert source.path.read_bytes() == stub.files["m-Q8_0.gguf"]
    asked = len(stub.asked)
    assert resolve("org/repo:Q8_0").path == source.path
    assert len(stub.asked) == asked


def test_download_gives_the_named_file(stub: type[_Hub]) -> None:
    path = hub.download("org/repo/m-Q4_K_M.gguf", progress=False)
    assert path.read_bytes() == stub.files["m-Q4_K_M.gguf"]
    assert [item.name for item in hub.cache()] == ["m-Q4_K_M"]
    assert path.stat().st_size == hub.local()[0].size_bytes


def test_every_part_of_a_split_model_is_downloaded(stub: type[_Hub]) -> None:
    names = [f"big-Q6_K-0000{n}-of-00002.gguf" for n in (1, 2)]
    stub.files.update(dict.fromkeys(names, b"GGUF part"))
    path = hub.download("org/repo:Q6_K", progress=False)
    assert path.name == names[0]
    assert path.with_name(names[1]).exists()


def test_unknown_quantization_lists_what_there_is() -> None:
    with pytest.raises(ModelNotFoundError, match=r"has no Q2_K; it has: .*m-Q8_0\.gguf"):
        hub.download("org/repo:Q2_K")


def test_repository_without_models_is_told(stub: type[_Hub]) -> None:
    stub.files.clear()
    with pytest.raises(ModelNotFoundError, match="holds no GGUF file"):
        hub.download("org/repo")


def test_unknown_repository_is_told() -> None:
    with pytest.raises(HubError, match="does not exist, or is private or gated"):
        hub.list_files("org/nothing")


def test_failing_server_is_told() -> None:
    with pytest.raises(HubError, match="Check the network"):
        hub.list_files("org/broken")


def test_unreachable_hub_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="give the path of a file"):
        resolve("org/repo:Q4_K_M")


def test_path_is_not_a_hub_model() -> None:
    with pytest.raises(OptionError, match="is not a hub model"):
        hub.download("./a.gguf")


def test_removed_repository_is_gone() -> None:
    hub.download("org/repo", progress=False)
    hub.remove("org/repo")
    assert hub.cache() == []
    with pytest.raises(ModelNotFoundError, match="is not in the cache"):
        hub.remove("org/repo")


def test_hub_model_loads_by_its_spec(fake: ModelManager, stub: type[_Hub]) -> None:
    model = fake.load("org/repo:Q4_K_M", progress=False)
    assert model.name == "m-Q4_K_M"
    stub.files.clear()
    assert fake.load("org/repo:Q4_K_M") is model
