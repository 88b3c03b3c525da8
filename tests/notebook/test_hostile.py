"""Hostile text stays text in every place that shows it."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from llamanb.chat_layer import ChatMessage, ChatPrompt
from llamanb.notebook.blocks import MarkdownStream
from llamanb.notebook.call_view import call_html, call_markdown
from llamanb.notebook.calls import Call
from llamanb.notebook.chat.export import export_talk
from llamanb.notebook.chat.parts import Attachment, TalkView, Thought, TurnView
from llamanb.notebook.chat.twin import chat_html, chat_markdown
from llamanb.notebook.chat_views import History
from llamanb.notebook.grammar_view import GrammarView
from llamanb.notebook.markdown import render_html, safe_markdown
from llamanb.notebook.parse_view import ParseView
from llamanb.notebook.prompt_view import PromptView
from llamanb.notebook.reply_view import growing_bundle, reply_bundle
from llamanb.notebook.tables import Table
from llamanb.notebook.token_view import Token, TokensView
from tests.corpora.hostile_markdown import BEACONS, FAMILIES, HOSTILE, RUN
from tests.support.inert import assert_inert

if TYPE_CHECKING:
    from collections.abc import Iterable

payloads = pytest.mark.parametrize("family", FAMILIES)
STREAM_PIECES = (3, 20)


def test_there_are_many_different_payloads_and_most_would_do_something() -> None:
    assert len(set(HOSTILE)) >= 150
    assert sum(RUN in text or any(one in text for one in BEACONS) for text in HOSTILE) >= 150


def hostile_call(text: str) -> Call:
    """Give a call with the text everywhere."""
    arguments = json.dumps({text: text})
    return Call(id=text, name=text, arguments=arguments, is_whole=True, result=text, stdout=text)


def hostile_talk(text: str) -> TalkView:
    """Give a talk with the text everywhere."""
    kept = Attachment(name=text, kind="image", text=text, url=text)
    near = Attachment(name=text, kind="image", text=text, url=f"data:image/png;base64,{text}")
    parts = (Thought(text=text, is_open=False), text, hostile_call(text), text)
    turn = TurnView(question=text, attachments=(kept, near), parts=parts, footer=text, error=text)
    said = {"role": "user", "content": text}
    return TalkView(
        model=text,
        system_prompt=text,
        sampling={text: text, "temperature": 0.5},
        turns=(turn,),
        messages=[{"role": "system", "content": text}, said],
    )


@payloads
def test_rendered_text_is_inert(family: str) -> None:
    for text in FAMILIES[family]:
        assert_inert(render_html(text))
        assert_inert(render_html(text, compact=True))


@payloads
def test_everything_a_growing_text_shows_is_inert(family: str) -> None:
    for text in FAMILIES[family]:
        for n_characters in STREAM_PIECES:
            stream = MarkdownStream(clock=lambda: 0.0)
            for shown in _growing(stream, text[:250], n_characters):
                assert_inert(shown)


def _growing(stream: MarkdownStream, text: str, n_characters: int) -> Iterable[str]:
    for start in range(0, len(text), n_characters):
        stream.feed(text[start : start + n_characters])
        if stream.take():
            yield "".join([*stream.finished[-1:], stream.open])
    stream.finish()
    stream.take()
    yield "".join(stream.finished)


@payloads
def test_a_cell_s_display_is_inert(family: str) -> None:
    for text in FAMILIES[family]:
        for style in ("md", "text", "code", "json"):
            bundle = reply_bundle(text, reasoning=text, footer=text, error=text, style=style)
            assert_inert(bundle["text/html"])
        said: list[str | Call] = [text, hostile_call(text)]
        assert_inert(growing_bundle(said, reasoning=text, thinking=text, waiting=text)["text/html"])


@payloads
def test_a_call_is_inert(family: str) -> None:
    for text in FAMILIES[family]:
        assert_inert(call_html(hostile_call(text)))
        assert_inert(call_html(Call(id="1", name=text, arguments=text)))


@payloads
def test_a_saved_talk_is_inert(family: str) -> None:
    for text in FAMILIES[family]:
        talk = hostile_talk(text)
        assert_inert(chat_html(talk), has_images=True)
        assert_inert(History(text, talk.messages)._repr_html_())


@payloads
def test_an_exported_page_has_nothing_but_its_own_head(family: str) -> None:
    for text in FAMILIES[family]:
        page = export_talk(hostile_talk(text), "html").text
        head, _, body = page.partition("<body>")
        assert_inert(body.rpartition("</body>")[0], has_images=True)
        title = re.search(r"<title>([^<]*)</title>", head)
        assert title is not None
        assert re.sub(r"<title>[^<]*</title>|<style>[^<]*</style>", "", head).count("<") == 7


@payloads
def test_an_exported_program_does_nothing_but_ask(family: str) -> None:
    for text in FAMILIES[family]:
        tree = ast.parse(export_talk(hostile_talk(text), "py").text)
        called = [ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)]
        assert called == ["llamanb.Session", "session.send", "print", "llamanb.load"]


@payloads
def test_inspectors_are_inert(family: str) -> None:
    for text in FAMILIES[family]:
        prompt = ChatPrompt(
            prompt=text,
            generation_prompt=text,
            grammar=text,
            trigger_patterns=(text,),
            additional_stops=(text,),
            preserved_tokens=(text,),
            repairs=(text,),
        )
        message = ChatMessage(content=text, reasoning_content=text)
        parts = (text, hostile_call(text))
        for view in (
            PromptView(text, 3, text, prompt, frozenset({text})),
            ParseView(message=message, parts=parts, problems=(text,), format=text),
            TokensView(text, (Token(1, text, "text"), Token(2, text, "control")), text),
            GrammarView(text, "lark", text),
            GrammarView(text, "gbnf", text),
            Table(text, (text,), [(text,)], text),
        ):
            assert_inert(view._repr_html_())


@payloads
def test_markdown_is_inert_even_where_html_is_allowed(family: str) -> None:
    for text in FAMILIES[family]:
        front_end = MarkdownIt("commonmark", {"html": True}).enable("table")
        front_end.validateLink = lambda url: True  # type: ignore[method-assign]  # the worst front end
        talk = hostile_talk(text)
        for markdown in (
            safe_markdown(text),
            call_markdown(hostile_call(text)),
            chat_markdown(talk),
        ):
            assert_inert(_without_controls(front_end.render(markdown)))
        for cell in json.loads(export_talk(talk, "ipynb").text)["cells"]:
            if cell["cell_type"] == "markdown":
                assert_inert(_without_controls(front_end.render("".join(cell["source"]))))


def _without_controls(html: str) -> str:
    """Leave out what markdown-it makes of ``&#1;``: a browser takes it as text."""
    return re.sub("[\x01-\x08\x0e-\x1f]", "", html)
