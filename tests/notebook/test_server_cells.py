"""``%llama serve``, ``servers``, ``stop``, ``client``, and the panel, in a real kernel."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from nbconvert.exporters.html import HTMLExporter
from nbconvert.exporters.markdown import MarkdownExporter
from nbformat import v4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.notebook.conftest import Cell, Kernel

WIDGET = "application/vnd.jupyter.widget-view+json"
WAITS = "import threading; print('waits'); threading.Event().wait(30)"


@pytest.fixture(autouse=True)
def _no_server_is_left(kernel: Kernel) -> Iterator[None]:
    yield
    kernel.run("%llama stop all")


def shown(cell: Cell) -> str:
    return str(cell.of_type("execute_result")[0]["data"]["text/plain"])


def ask(url: str, text: str = "What is R?") -> dict[str, Any]:
    """Send a chat request from this process."""
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": text}]})
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{url}/v1/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # our own server
        found: dict[str, Any] = json.load(answer)
    return found


def serve(kernel: Kernel, line: str = "serve") -> str:
    """Start a server; gives its address."""
    cell = kernel.run(f"srv = %llama {line}")
    assert cell.reply["status"] == "ok", cell.stderr or cell.of_type("error")
    return str(kernel.value("srv.url"))


def test_a_server_answers_and_is_listed(kernel: Kernel) -> None:
    url = serve(kernel)
    assert ask(url)["choices"][0]["message"]["content"]
    table = shown(kernel.run("%llama servers"))
    assert url in table
    assert "OpenAI, Anthropic" in table
    assert table.splitlines()[-1].split()[-5:-2] == ["1", "0", "0"]
    assert table.endswith("running")
    assert url in kernel.run("%llama").displays[0]["data"]["text/plain"]


def test_the_same_line_again_gives_the_same_server(kernel: Kernel) -> None:
    url = serve(kernel, "serve -p 0 --n-ctx 512 --no-think")
    assert serve(kernel, "serve -p 0 --n-ctx 512 --no-think") == url


def test_replace_takes_the_port_over(kernel: Kernel) -> None:
    port = serve(kernel).rpartition(":")[2]
    assert "is served already" in kernel.run(f"%llama serve openai -p {port}").stderr
    assert serve(kernel, f"serve openai -p {port} --replace").endswith(port)
    assert kernel.value("srv.apis") == ("openai",)


def test_one_dialect_may_be_chosen(kernel: Kernel) -> None:
    serve(kernel, "serve anthropic -p 0 --n-ctx 512 -m demo")
    assert kernel.value("srv.apis") == ("anthropic",)


def test_stop_takes_the_only_one_or_a_port_or_all(kernel: Kernel) -> None:
    first = serve(kernel)
    assert shown(kernel.run("%llama stop")) == f"stopped {first}"
    assert shown(kernel.run("%llama stop")) == "no server is running"
    ports = [serve(kernel, f"serve {api} -p 0").rpartition(":")[2] for api in ("openai", "both")]
    assert f"which one? Running: {', '.join(ports)}" in kernel.run("%llama stop").stderr
    assert ports[0] in shown(kernel.run(f"%llama stop {ports[0]}"))
    assert ports[1] in shown(kernel.run("%llama stop all"))
    assert shown(kernel.run("%llama servers")).startswith("Servers\nnone is running")


def test_client_shows_what_to_paste(kernel: Kernel) -> None:
    url = serve(kernel)
    for name in ("curl", "openai", "anthropic", "opencode", "claude-code", "codex"):
        assert url in shown(kernel.run(f"%llama client {name}")), name
    assert "nothing for" not in shown(kernel.run("%llama client chatlas"))


def test_client_warns_of_a_key_and_knows_what_a_server_speaks(kernel: Kernel) -> None:
    port = serve(kernel, "serve openai -p 0 --api-key sesame").rpartition(":")[2]
    text = shown(kernel.run(f"%llama client openai -p {port}"))
    assert "sesame" in text
    assert "before you pass the notebook on" in text
    assert "is nothing for anthropic" in kernel.run("%llama client anthropic").stderr


def test_a_python_line_of_client_runs(kernel: Kernel) -> None:
    serve(kernel)
    kernel.run("text = %llama client openai")
    assert "sky" in kernel.run("exec(repr(text))").stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("serve opena", "unknown dialect 'opena'; did you mean 'openai'?", id="api"),
        pytest.param("serve -m nope", "unknown model 'nope'", id="model"),
        pytest.param("serve --prt 1", "did you mean '--port'?", id="option"),
        pytest.param("serve --port x", "--port needs a whole number", id="no number"),
        pytest.param("serve --port 70000", "port=70000", id="no port"),
        pytest.param("serve --host 0.0.0.0", "key", id="open to all without a key"),
        pytest.param("serve openai both", "'both' is one too many", id="two"),
        pytest.param("client", "client needs curl|openai|", id="no client"),
        pytest.param("client cladue-code", "did you mean 'claude-code'?", id="client"),
        pytest.param("client curl", "no server is running. Example: %llama serve", id="no server"),
        pytest.param("stop a b", "'b' is one too many", id="two to stop"),
    ],
)
def test_mistakes_are_one_line(kernel: Kernel, line: str, expected: str) -> None:
    cell = kernel.run(f"%llama {line}")
    assert expected in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1


def test_a_wrong_port_is_named(kernel: Kernel) -> None:
    port = serve(kernel).rpartition(":")[2]
    for line in ("stop 1", "client curl -p 1"):
        assert f"unknown port '1'; known are {port}" in kernel.run(f"%llama {line}").stderr


@pytest.mark.parametrize("line", ["serve --help", "serve -h", "serve?", "help serve"])
def test_help_is_there_in_every_way(kernel: Kernel, line: str) -> None:
    text = shown(kernel.run(f"%llama {line}"))
    assert "--n-ctx N" in text
    assert "Example: %llama serve openai" in text


def completions(kernel: Kernel, code: str) -> list[str]:
    """Complete ``code`` at its end."""
    kernel.client.complete(code, len(code))
    matches: list[str] = kernel.client.get_shell_msg(timeout=30)["content"]["matches"]
    return matches


def test_names_complete(kernel: Kernel) -> None:
    assert completions(kernel, "%llama serve o") == ["openai"]
    assert completions(kernel, "%llama serve --n") == ["--n-ctx", "--no-think"]
    found = completions(kernel, "%llama client c")
    assert sorted(found) == ["chatlas", "claude-code", "codex", "curl"]
    port = serve(kernel).rpartition(":")[2]
    assert sorted(completions(kernel, "%llama stop ")) == [port, "all"]


# ---- the panel ---------------------------------------------------------------------------


class PanelPage:
    """The page's side of a panel: hears its messages, sends on a subshell as JupyterLab does."""

    def __init__(self, kernel: Kernel, cell: Cell) -> None:
        opened = [one for one in cell.of_type("comm_open") if "_esm" in one["data"]["state"]]
        self.state = opened[0]["data"]["state"]
        self.kernel, self.comm = kernel, opened[0]["comm_id"]
        self.subshell = self._request("create_subshell_request")["subshell_id"]

    def close(self) -> None:
        """Give the subshell back."""
        self._request("delete_subshell_request", subshell_id=self.subshell)

    def send(self, **message: Any) -> None:
        """Send to the widget what the page's script would send."""
        session = self.kernel.client.session
        data = {"method": "custom", "content": {"v": 1, **message}}
        sent = session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        sent["header"]["subshell_id"] = self.subshell
        self.kernel.client.shell_channel.send(sent)

    def wait_for(self, status: str) -> dict[str, Any]:
        """Wait until the panel says that the server is in this state."""
        deadline_s = time.monotonic() + 10
        while True:
            message = self.kernel.next_output(deadline_s)
            content = message["content"].get("data", {}).get("content", {})
            if message["msg_type"] == "comm_msg" and content.get("d"):
                assert content["k"] in ("state", "rows")
                if content["d"]["facts"]["status"] == status:
                    found: dict[str, Any] = content
                    return found

    def _request(self, kind: str, **content: Any) -> dict[str, Any]:
        client = self.kernel.client
        client.control_channel.send(client.session.msg(kind, content))
        reply: dict[str, Any] = client.get_control_msg(timeout=30)["content"]
        return reply


def test_a_server_is_shown_as_a_panel_and_a_table(kernel: Kernel) -> None:
    url = serve(kernel)
    table, panel = kernel.run("srv").displays
    assert url in table["data"]["text/html"]
    assert url in table["data"]["text/markdown"]
    assert list(panel["data"]) == ["text/plain", WIDGET]


def test_running_the_cell_again_adds_no_widget(kernel: Kernel) -> None:
    serve(kernel)
    first = kernel.run("srv").displays[1]
    count = "len(__import__('ipywidgets.widgets.widget', fromlist=['x'])._instances)"
    n_widgets, n_threads = (
        kernel.value(count),
        kernel.value("__import__('threading').active_count()"),
    )
    assert kernel.run("srv").displays[1]["data"][WIDGET] == first["data"][WIDGET]
    assert kernel.value(count) == n_widgets
    assert kernel.value("__import__('threading').active_count()") == n_threads


def test_the_key_is_in_no_saved_output(kernel: Kernel) -> None:
    serve(kernel, "serve openai -p 0 --api-key sesame")
    cell = kernel.run("srv\n")
    assert "asks for a key" in str(cell.displays)
    assert "sesame" not in str([message["content"] for message in cell.messages])


def test_stop_works_while_a_cell_runs(kernel: Kernel) -> None:
    url = serve(kernel)
    page = PanelPage(kernel, kernel.run("srv"))
    busy = kernel.start(WAITS)
    busy.wait_for(lambda message: message["msg_type"] == "stream")
    page.send(k="hello", view="a")
    assert "curl" in page.wait_for("running")["d"]["snippets"]
    ask(url)  # what the panel sends now would tie its answers to the busy shell
    assert page.wait_for("running")["d"]["rows"]
    page.send(k="stop")
    page.wait_for("stopped")
    kernel.manager.interrupt_kernel()
    assert "KeyboardInterrupt" in str(busy.finish().of_type("error"))
    page.close()


def test_one_final_table_where_nothing_streams(kernel: Kernel) -> None:
    serve(kernel)
    kernel.run("import os; os.environ['LLAMANB_STREAM'] = '0'")
    displays = kernel.run("srv").displays
    kernel.run("del os.environ['LLAMANB_STREAM']")
    assert [list(one["data"]) for one in displays] == [["text/html", "text/markdown", "text/plain"]]


def test_a_converted_notebook_shows_the_table(kernel: Kernel) -> None:
    url = serve(kernel)
    ask(url)
    cell = kernel.run("srv")
    kinds = ("display_data", "execute_result")
    outputs = [v4.output_from_msg(one) for one in cell.messages if one["msg_type"] in kinds]
    notebook = v4.new_notebook(cells=[v4.new_code_cell("srv", outputs=outputs)])
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert f"server at {url}: running" in page
    assert "POST /v1/chat/completions" in page
    markdown, _ = MarkdownExporter().from_notebook_node(notebook)
    assert f"server at {url}: running" in markdown


def test_captured_outputs_hold_the_table(kernel: Kernel) -> None:
    serve(kernel)
    kernel.run("%%capture kept\ndisplay(srv)")
    assert kernel.value("len(kept.outputs)") == 1
    assert kernel.value("'running' in kept.outputs[0].data['text/html']")


def test_unloading_stops_servers_and_shows_them_plainly(kernel: Kernel) -> None:
    url = serve(kernel)
    kernel.run("srv")
    kernel.run("%unload_ext llamanb")
    assert shown(kernel.run("srv")).endswith("stopped>")
    kernel.run("%load_ext llamanb")
    assert url not in shown(kernel.run("%llama servers"))
