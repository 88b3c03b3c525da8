"""What docs/chat_layer.md says of families and templates is so."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import llamanb
from llamanb.chat_layer import ToolCall, build
from llamanb.chat_layer.output import family_of
from llamanb.chat_layer.syntax import FAMILIES, Family
from llamanb.chat_layer.syntax.written_calls import write_calls
from tests.chat_layer.conversations import CONVERSATIONS, PARIS, REFERENCE_CASES, TOOL, call, called
from tests.chat_layer.reference import NOW, render_plainly

pytestmark = pytest.mark.timeout(240)  # each reads 70 templates
PAGE = Path(llamanb.__file__).parent.parent / "docs" / "chat_layer.md"
CALL = ToolCall(id="a1b2c3d4e", name="get_weather", arguments='{"city": "Oslo"}')
BOUNDARIES: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
TOOLS: dict[str, Any] = {"tools": [TOOL]}
CASES = REFERENCE_CASES | {
    "round trip": TOOLS | {"messages": CONVERSATIONS["call-object"]},
    "two calls": TOOLS | {"messages": CONVERSATIONS["two-calls"]},
}
# Templates whose prompt differs from plain jinja2's without a repair, and why.
EXPLAINED = {
    "meta-llama-Llama-3.1-8B-Instruct": "`date_string`",
    "meta-llama-Llama-3.3-70B-Instruct": "`date_string`",
    "fireworks-ai-llama-3-firefunction-v2": "`functions`",
    "llama-cpp-deepseek-r1": "generator",
    "meetkai-functionary-medium-v3.1": "`safe`",
    "meetkai-functionary-medium-v3.2": "JSON text",
}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def templates(templates_dir: Path) -> dict[str, str]:
    files = sorted(templates_dir.glob("*.jinja"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def code(text: str) -> str:
    """Give ``text`` as code in one cell of a table."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if len(fence) > 1 else ""
    shown = text.replace("\n", "↵").replace("|", "\\|")
    return f"{fence}{pad}{shown}{pad}{fence}"


def row(family: Family, templates: list[str]) -> str:
    """Give the row of the families' table."""
    shown = ", ".join(templates) or "none"
    return f"| `{family.name}` | {code(write_calls(family, [CALL]))} | {shown} |"


def test_the_table_of_families_is_what_the_code_says(page: str, templates: dict[str, str]) -> None:
    speakers: dict[str, list[str]] = defaultdict(list)
    for name, source in templates.items():
        family = family_of(source)
        speakers[family.name if family else ""].append(name)
    rows = [row(family, speakers.pop(family.name, [])) for family in FAMILIES]
    assert [one for one in rows if one not in page] == []
    assert [name for name in speakers.pop("") if name not in page] == []
    assert not speakers


def differing(name: str, source: str, case: dict[str, Any]) -> str | None:
    """Name a template whose prompt is not plain jinja2's though nothing was repaired."""
    options = {"enable_thinking": None} | {k: v for k, v in case.items() if k != "messages"}
    prompt = build(source, case["messages"], now=NOW, **BOUNDARIES, **options)
    try:
        plain = render_plainly(source, {"add_generation_prompt": True} | BOUNDARIES | case)
    except Exception:  # noqa: BLE001  # whatever a template raises
        plain = ""
    return None if prompt.prompt == plain or prompt.repairs else name


def test_prompts_differ_from_plain_jinja2_only_as_documented(
    page: str, templates: dict[str, str]
) -> None:
    found = {
        differing(name, source, case)
        for name, source in templates.items()
        for case in CASES.values()
    }
    assert found - {None} == set(EXPLAINED)
    assert [
        name for name, reason in EXPLAINED.items() if name not in page or reason not in page
    ] == []


def test_arguments_as_text_give_the_prompt_that_objects_give(templates: dict[str, str]) -> None:
    def built(source: str, arguments: Any) -> str:
        messages = [CONVERSATIONS["plain"][0], called(call(arguments))]
        return build(source, messages, now=NOW, **BOUNDARIES, **TOOLS).prompt

    different = [
        name
        for name, source in templates.items()
        if built(source, PARIS) != built(source, json.dumps(PARIS))
    ]
    assert different == []
