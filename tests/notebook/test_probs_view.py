"""The token inspector as a value: its figures, its three forms, and going on from it."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, cast

import pytest

from llamanb.engine import TokenLogprob
from llamanb.errors import GrammarError, OptionError
from llamanb.models import Model, ModelManager
from llamanb.models.reply import prepare
from llamanb.notebook.continuing import probs_of
from llamanb.notebook.probs_view import MOST_ROWS, ProbsView
from llamanb.notebook.reply import Reply
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "```\n<b>|`",
    "\x1b[31m\u202e|",
    "&lt;b&gt;",
)
SKY = [{"role": "user", "content": "Why is the sky blue?"}]


@dataclass(frozen=True)
class Answer:
    """An answer that no model wrote."""

    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] = ()


class Words:
    """A vocabulary of some words and of bytes that are no character."""

    def __init__(self, *words: str) -> None:
        self.pieces = [*(word.encode() for word in words), b"\n\xc3"]

    def token_bytes(self, token: int) -> bytes:
        return self.pieces[token]

    def is_control(self, token: int) -> bool:
        del token
        return False


@dataclass
class Writer:
    vocab: Words
    name: str = "<toy>"


def entry(token: int, *top: tuple[int, float], **facts: Any) -> TokenLogprob:
    shares = {number: math.log(share) for number, share in top}
    told = tuple((number, "", logprob) for number, logprob in shares.items())
    return TokenLogprob(token=token, text="", logprob=shares[token], top=told, **facts)


def view_of(*entries: TokenLogprob, words: tuple[str, ...] = ("a", " b", "c")) -> ProbsView:
    answer = Answer(tuple(one.token for one in entries), entries)
    return ProbsView.of(answer, cast("Model", Writer(Words(*words))))


class Spans(HTMLParser):
    """Collects the tags and the tokens that can be chosen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.choices: list[tuple[str | None, str | None]] = []
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.names |= found.keys()
        if "data-alternative" in found:
            self.choices.append((found["data-token"], found["data-alternative"]))


ENTRIES = (
    entry(0, (0, 0.5), (1, 0.25), entropy=math.log(2)),
    entry(1, (2, 0.75), (1, 0.125), masked=True, banned=frozenset({2})),
)


def test_the_figures_are_those_of_the_answer() -> None:
    view = view_of(*ENTRIES)
    assert view.mean_logprob == pytest.approx((math.log(0.5) + math.log(0.125)) / 2)
    assert view.perplexity == pytest.approx(4)
    assert (view.summary.n_unlikely, view.summary.n_overruled) == (1, 1)
    assert view[0].entropy_bits == pytest.approx(1)
    assert len(view) == 2


def test_every_form_says_how_likely_and_what_the_grammar_did() -> None:
    view = view_of(*ENTRIES)
    for form in (repr(view), view._repr_markdown_(), view._repr_html_()):
        for part in ("perplexity 4.00", "50.0 %", "12.5 %", "1.00 bits", "(forbidden)"):
            assert part in form
        assert "grammar overruled" in form


def test_only_other_tokens_that_the_grammar_allows_can_be_chosen() -> None:
    assert Spans(view_of(*ENTRIES)._repr_html_()).choices == [("0", "1")]


def test_colour_is_not_alone() -> None:
    html = view_of(*ENTRIES)._repr_html_()
    strip = html[html.index("<pre") : html.index("</pre>")]
    assert re.search(r"border-bottom[^>]+title=\"&#x27;a&#x27; 50.0 %", strip)
    assert "forbade the likeliest" in strip
    for text in ("90 % or more", "less than 10 %", "given, not known"):
        assert text in html


def test_rows_are_plain_values() -> None:
    first, second = view_of(*ENTRIES).to_rows()
    assert (first["index"], first["token"]) == (0, "a")
    assert first["probability"] == pytest.approx(0.5)
    assert second["forbidden"] == ["c"]
    assert (second["is_overruled"], second["is_likeliest"]) == (True, False)
    assert second["alternatives"][0] == ("c", pytest.approx(0.75))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_token_becomes_markup(text: str) -> None:
    view = view_of(entry(0, (1, 0.5), (0, 0.25)), entry(2, (2, 1.0)), words=(text, text))
    spans = Spans(view._repr_html_())
    own = {"div", "b", "pre", "span", "small", "table", "thead", "tbody", "tr", "th", "td"}
    assert spans.tags <= own
    assert spans.names <= {"class", "style", "title", "data-token", "data-alternative"}
    for form in (view._repr_markdown_(), repr(view)):
        assert "\x1b" not in form
        assert "\u202e" not in form


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_texts_inside_their_code(text: str) -> None:
    from llamanb.notebook.markdown import render_html

    view = view_of(entry(0, (1, 0.5), (0, 0.25)), words=(text, text))
    html = render_html(view._repr_markdown_())
    assert html.count("<tr") == 2
    assert not {"script", "img", "svg"} & Spans(html).tags


def test_tokens_that_were_given_are_shown_without_probability() -> None:
    answer = Answer((2, 0), (ENTRIES[0],))
    view = ProbsView.of(answer, cast("Model", Writer(Words("a", " b", "c"))))
    assert [one.probability for one in view.tokens] == [None, pytest.approx(0.5)]
    assert view.perplexity == pytest.approx(2)
    assert "given" in repr(view)
    nothing = ProbsView.of(Answer((2,)), cast("Model", Writer(Words("a", " b", "c"))))
    assert nothing.perplexity is None
    assert "perplexity" not in repr(nothing)


def test_long_answers_are_shown_in_part() -> None:
    view = view_of(*[ENTRIES[0]] * (MOST_ROWS + 5))
    assert "and 5 more" in repr(view)
    assert view._repr_html_().count("<tr") == MOST_ROWS + 1
    last = view.to_html(first=MOST_ROWS)
    assert last.count("<tr") == 6
    assert f'data-token="{MOST_ROWS + 4}" data-alternative="1"' in last


def test_the_answers_of_a_turn_are_counted_through() -> None:
    answers = [Answer((0,), ENTRIES[:1]), Answer((1,), ENTRIES[1:])]
    view = ProbsView.of(answers, cast("Model", Writer(Words("a", " b", "c"))))
    assert [one.index for one in view.tokens] == [0, 1]


def test_a_saved_view_still_shows_but_cannot_go_on() -> None:
    view = view_of(*ENTRIES)
    copy = pickle.loads(pickle.dumps(view))  # noqa: S301  # our own bytes
    assert copy == view
    assert copy._repr_html_() == view._repr_html_()
    with pytest.raises(OptionError, match="alternative_tokens"):
        copy.continue_with(0, 1)


# ---- with a model -------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(demo_path: Path) -> Iterator[Model]:
    manager = ModelManager()
    model = manager.load(str(demo_path), n_ctx=256, n_threads=1, progress=False)
    yield model
    manager.unload(model.name, force=True)


def asked(demo: Model, **options: Any) -> ProbsView:
    sampling = SamplingSettings(temperature=0, max_tokens=12, logprobs=4)
    prepared = prepare(demo, SKY, sampling=sampling, **options)
    stream = prepared.submit(demo)
    list(stream)
    view = probs_of(demo, [(stream.generation, stream.prompt)])
    assert view is not None
    return view


def test_an_answer_goes_on_from_an_alternative(demo: Model) -> None:
    view = asked(demo)
    other = view[1].alternatives[1]
    by_id = view.continue_with(1, other.token.id)
    assert isinstance(by_id, Reply)
    assert by_id.text.startswith(view[0].token.piece + other.token.piece)
    assert by_id == view.continue_with(1, other.token.piece)
    assert by_id.usage.cached_tokens == by_id.usage.prompt_tokens - 1  # asked twice
    assert by_id.probs is not None
    assert by_id.probs[0] == view[0]
    assert len(by_id.probs) == len(by_id.tokens)


def test_going_on_with_the_token_that_was_there_gives_the_same(demo: Model) -> None:
    view = asked(demo)
    again = view.continue_with(3, view[3].token.id)
    assert [*again.tokens[:12]] == [one.token.id for one in view.tokens]


@pytest.mark.parametrize(("index", "token"), [(99, 5), (-1, 5), (99, "x"), (0, "no such piece")])
def test_what_cannot_go_on_is_said(index: int, token: int | str, demo: Model) -> None:
    with pytest.raises(OptionError):
        asked(demo).continue_with(index, token)


def test_a_forbidden_alternative_is_refused(demo: Model) -> None:
    view = asked(demo, choices=["cat", "dog"])
    assert view[0].is_overruled
    forbidden = next(one for one in view[0].alternatives if one.is_forbidden)
    with pytest.raises(GrammarError):
        view.continue_with(0, forbidden.token.id)
