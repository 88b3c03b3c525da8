"""Templates that try to use up the machine or to get out of the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llamanb.chat_layer import build, render_template
from llamanb.errors import TemplateError, TemplateLimitError
from tests.chat_layer.hostile_templates import HOSTILE, MEMORY

DEADLINE_S = 2.5
MAX_MIB = 300
VARIABLES = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_template_is_refused_in_time(source: str) -> None:
    start = time.thread_time()  # of this thread: other processes may keep the machine busy
    with pytest.raises(TemplateError):
        render_template(source, VARIABLES)
    assert time.thread_time() - start < DEADLINE_S


def test_hostile_templates_stay_within_memory() -> None:
    script = """
import json, resource, sys
from llamanb.chat_layer import render_template
from llamanb.errors import TemplateError
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
render_template("", {})
before, refused = peak(), 0
for source in json.load(sys.stdin):
    try:
        render_template(source, {"messages": []})
    except TemplateError:
        refused += 1
print(json.dumps([peak() - before, refused]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(list(MEMORY.values())),
        capture_output=True,
        text=True,
        check=True,
        timeout=55,
        cwd=Path(__file__).parents[2],
    )
    grown_mib, refused = json.loads(done.stdout)
    assert refused == len(MEMORY)
    assert grown_mib < MAX_MIB


def test_deadline_can_be_shorter() -> None:
    start = time.monotonic()
    with pytest.raises(TemplateLimitError, match="too long"):
        render_template(HOSTILE["recursion-fork"], VARIABLES, deadline_s=0.2)
    assert time.monotonic() - start < 1.0


def test_refusal_has_the_templates_own_words() -> None:
    with pytest.raises(TemplateError, match=r"^roles must alternate$"):
        render_template("{{ raise_exception('roles must alternate') }}", {})


def test_caller_messages_are_not_changed_by_loops() -> None:
    messages = [{"role": "user", "content": "hi"}]
    render_template("{% for m in messages %}{{ m.content }}{% endfor %}", {"messages": messages})
    assert messages == [{"role": "user", "content": "hi"}]


def test_long_conversation_of_a_megabyte_renders() -> None:
    source = (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
        "{{ '<|' + m.role + '|>' ~ (m.content | trim) + '\n' }}{% if loop.last %}.{% endif %}"
        "{% endfor %}"
    )
    messages = [{"role": "user", "content": "word " * 200}] * 1_000
    start = time.thread_time()
    assert len(render_template(source, {"messages": messages})) > 1_000_000
    assert time.thread_time() - start < DEADLINE_S


def test_slow_template_cannot_use_its_time_again_and_again() -> None:
    slow = "{% for i in range(90000) %}{% for j in range(9) %}{% endfor %}{% endfor %}"
    start = time.thread_time()
    with pytest.raises(TemplateLimitError):
        build(slow * 3, VARIABLES["messages"])
    assert time.thread_time() - start < DEADLINE_S
