"""``Reply`` is a string, survives pickling, and draws itself when asked."""

from __future__ import annotations

import pickle

import pytest

from llamanb.notebook.reply import Reply
from llamanb.notebook.reply_view import code_blocks, first_json, growing_bundle, reply_bundle

TEXT = 'Here:\n\n```python\nx = 1\n```\n\nand {"a": [1, 2]} too'


def test_a_reply_is_a_string() -> None:
    reply = Reply("blue", model="demo", finish_reason="cancelled")
    assert reply == "blue"
    assert reply.upper() == "BLUE"
    assert type(reply.text) is str
    assert reply.cancelled


def test_a_reply_can_be_pickled() -> None:
    copy = pickle.loads(pickle.dumps(Reply("blue", reasoning="Hm", tokens=(1, 2))))  # noqa: S301  # our own bytes
    assert (copy, copy.reasoning, copy.tokens) == ("blue", "Hm", (1, 2))


def test_attributes_have_defaults() -> None:
    reply = Reply("x")
    assert (reply.reasoning, reply.messages, reply.seed, reply.built) == ("", (), None, None)


@pytest.mark.parametrize(
    ("style", "plain"),
    [
        pytest.param("md", TEXT, id="md"),
        pytest.param("text", TEXT, id="text"),
        pytest.param("code", "x = 1\n", id="code"),
        pytest.param("json", '{\n  "a": [\n    1,\n    2\n  ]\n}', id="json"),
    ],
)
def test_plain_twin_by_format(style: str, plain: str) -> None:
    bundle = reply_bundle(TEXT, style=style)
    assert bundle["text/plain"] == plain
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}


def test_reasoning_is_folded_and_the_footer_below() -> None:
    html = reply_bundle("Yes.", reasoning="Hm", thinking="Thought for 1 s", footer="3 tokens")[
        "text/html"
    ]
    assert html.index("<details") < html.index("Thought for 1 s") < html.index("Yes.")
    assert html.index("Yes.") < html.index("3 tokens")


def test_a_growing_reply_shows_an_ellipsis_first() -> None:
    assert growing_bundle("", reasoning="", thinking="")["text/plain"] == "…"


def test_an_unclosed_code_block_is_code() -> None:
    assert code_blocks("```py\nx = 1") == [("py", "x = 1")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('a {"b": 1} c', {"b": 1}, id="inside text"),
        pytest.param("{not} [1]", [1], id="after braces that are not JSON"),
        pytest.param("none", None, id="none"),
        pytest.param("[" * 100_000, None, id="deep nesting"),
    ],
)
@pytest.mark.timeout(20)
def test_first_json(text: str, value: object) -> None:
    assert first_json(text) == value
