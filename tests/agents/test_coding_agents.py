"""Claude Code, OpenCode and Codex, headless, on the bundled toy model."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llamanb import clients
from tests.agents.conftest import NOTE
from tests.agents.forcing import ForcedCall, ForcingProxy

if TYPE_CHECKING:
    from llamanb.servers import Server
    from tests.agents.conftest import Place

QUESTION, ANSWER = "Why is the sky blue?", "scatters blue light"
TASK = "What does notes.txt say?"
# With tools their first prompts have 12,000 tokens of the toy: half a minute on one idle core.
pytestmark = [pytest.mark.timeout(900)]

claude_code = pytest.mark.agents("claude")
opencode = pytest.mark.agents("opencode")
codex = pytest.mark.agents("codex")


def run(command: list[str], place: Place, **more: str) -> str:
    """Run a program in the project and give what it printed."""
    done = subprocess.run(
        command,
        cwd=place.project,
        env=place.environment | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def answer_of(place: Place, agent: str, *words: str) -> str:
    """Give what a program prints that llamanb runs, on a model that is shown the question alone."""
    command = [sys.executable, "-m", "llamanb", agent, "demo", "--temp", "0"]
    command += ["--reasoning", "off", "--chat-template-file", str(place.template), "--"]
    return run([*command, *words], place)


def events_of(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


@claude_code
def test_claude_code_answers(place: Place) -> None:
    assert ANSWER in answer_of(place, "claude", "-p", QUESTION)


@opencode
def test_opencode_answers(place: Place) -> None:
    assert ANSWER in answer_of(place, "opencode", "run", QUESTION)


@codex
def test_codex_answers(place: Place) -> None:
    assert ANSWER in answer_of(place, "codex", "exec", "--skip-git-repo-check", QUESTION)


@claude_code
def test_claude_code_reads_a_file(place: Place, agent_server: Server) -> None:
    call = ForcedCall(tool="Read", arguments={"file_path": str(place.notes)})
    with ForcingProxy(agent_server.url, call) as proxy:
        variables = clients.claude_code_env(agent_server) | {"ANTHROPIC_BASE_URL": proxy.url}
        variables |= {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "512"}
        command = ["claude", "-p", TASK, "--output-format", "stream-json", "--verbose"]
        events = events_of(run(command, place, **variables))
    assert proxy.forced == 1
    results = [event for event in events if event["type"] == "user"]
    assert NOTE in json.dumps(results)
    assert (events[-1]["type"], events[-1]["is_error"]) == ("result", False)


@opencode
def test_opencode_reads_a_file(place: Place, agent_server: Server) -> None:
    call = ForcedCall(tool="read", arguments={"filePath": str(place.notes)})
    clients.opencode_config(agent_server, place.project / "opencode.json")
    with ForcingProxy(agent_server.url, call) as proxy:
        _point_to(proxy, agent_server, place.project / "opencode.json")
        command = ["opencode", "run", "--format", "json", TASK]
        events = events_of(run(command, place, OPENCODE_DISABLE_MODELS_FETCH="1"))
    assert proxy.forced == 1
    calls = [event["part"]["state"] for event in events if event["type"] == "tool_use"]
    assert calls[0]["status"] == "completed"
    assert NOTE in calls[0]["output"]
    assert [event["type"] for event in events].count("step_finish") >= 2


@codex
def test_codex_runs_a_command(place: Place, agent_server: Server) -> None:
    call = ForcedCall(tool="exec_command", arguments={"cmd": "cat notes.txt"})
    config = place.home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text(clients.codex_config(agent_server), encoding="utf-8")
    with ForcingProxy(agent_server.url, call) as proxy:
        _point_to(proxy, agent_server, config)
        command = ["codex", "exec", "--json", "--strict-config", "--skip-git-repo-check"]
        # The command is ours, and its sandbox does not work inside containers.
        command += ["--dangerously-bypass-approvals-and-sandbox", TASK]
        events = events_of(run(command, place))
    assert proxy.forced == 1
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    runs = [item for item in items if item["type"] == "command_execution"]
    assert NOTE in runs[0]["aggregated_output"]
    assert events[-1]["type"] == "turn.completed"


def _point_to(proxy: ForcingProxy, server: Server, file: Any) -> None:
    """Put the proxy's address into a file of settings."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(server.url, proxy.url), encoding="utf-8")
