"""Markdown that grows: the same HTML as at once, in linear traffic and time."""

from __future__ import annotations

import re
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamanb.notebook import open_block
from llamanb.notebook.blocks import MarkdownStream, render_blocks
from llamanb.notebook.clean_text import TextCleaner, clean_text
from llamanb.notebook.markdown import LONGEST_RENDERED, render_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llamanb.notebook.blocks import BlockChange

ATOMS = (
    *(
        "a",
        "word ",
        "*",
        "**",
        "_",
        "~~",
        "`",
        "\\",
        "!",
        "é",
        "\u2028",
        "&amp;",
        "<b>",
        "'t",
        '"q"',
    ),
    *("\n", "\n", "\n", "\n\n", " ", "  ", "    ", "\t", "> ", "# ", "===", "---", "\r\n", "\r"),
    *("- a\n", "- b\n", "  c\n", "- ", "* ", "1. x\n", "2) ", "- # h\n", "- ```\n", "\n\n- z"),
    *(
        "```",
        "```\n",
        "```python\n",
        "~~~",
        "code\n",
        "|",
        "|-|-|",
        "|a|b|\n|-|-|\n",
        "| q | r |\n",
    ),
    *("[x]", "[x]: http://a.example/", "[x](http://b.example)", "]: u", "$$", "\\[", "\\]", "\\("),
    *("😀", "\ud800", "\0", "\x1b", "\x1b[31m", "m", "\x1b]8;;u\x07", "\x9b3", "\u202e"),
)
COLOURS = re.compile(r"</?(?:b|dfn|i|u|var)>")
texts = st.lists(st.sampled_from(ATOMS), max_size=40).map("".join)
sizes = st.lists(st.integers(1, 12), min_size=1, max_size=20)
quick = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class View:
    """What a page makes of the changes."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.open = ""

    def apply(self, change: BlockChange | None) -> None:
        """Do what the change says, with offsets as JavaScript counts."""
        if change is None:
            return
        if change.is_anew:
            self.__init__()  # type: ignore[misc]  # all over again
        units = self.open.encode("utf-16-le")[: 2 * change.keep]
        kept = units.decode("utf-16-le")
        if change.finished:
            self.finished += [kept + change.finished[0], *change.finished[1:]]
        self.open = change.tail if change.finished else kept + change.tail


def pieces(text: str, lengths: Sequence[int]) -> Iterable[str]:
    """Cut a text into pieces of these lengths, over and over."""
    start = 0
    for n in count():
        if start >= len(text):
            return
        end = start + lengths[n % len(lengths)]
        yield text[start:end]
        start = end


def untimed() -> MarkdownStream:
    """Give a stream that is never too busy."""
    return MarkdownStream(clock=lambda: 0.0)


@pytest.fixture(params=[0, 1_000], ids=["framed early", "as usual"])
def shortest_framed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settle the beginning of open blocks early, too, so that short texts test it."""
    monkeypatch.setattr(open_block, "SHORTEST_FRAMED", request.param)


@pytest.mark.usefixtures("shortest_framed")
@quick
@given(text=texts, lengths=sizes, is_eager=st.booleans())
def test_cut_anywhere_it_comes_to_the_same_html(
    text: str, lengths: list[int], is_eager: bool
) -> None:
    stream, view = untimed(), View()
    for number, piece in enumerate(pieces(text, lengths)):
        stream.feed(piece)
        if is_eager or number % 3 == 0:
            view.apply(stream.take())
            assert [*view.finished, view.open] == [*stream.finished, stream.open]
    stream.finish()
    view.apply(stream.take())
    assert "".join(view.finished) == render_html(text, compact=True)
    assert (view.finished, view.open) == (stream.finished, "")
    assert stream.take() is None


@pytest.mark.usefixtures("shortest_framed")
@quick
@given(text=texts, lengths=sizes)
def test_what_is_shown_is_what_has_come_but_for_colours(text: str, lengths: list[int]) -> None:
    text = clean_text(text).replace("]:", "]")
    stream, come = untimed(), ""
    for piece in pieces(text, lengths):
        stream.feed(piece)
        come += piece
        if stream.take():
            shown = "".join([*stream.finished, stream.open])
            assert COLOURS.sub("", shown) == COLOURS.sub("", render_html(come, compact=True))


@quick
@given(text=texts)
def test_blocks_joined_are_the_whole(text: str) -> None:
    assert "".join(render_blocks(text)) == render_html(text)


@quick
@given(
    text=st.text(st.sampled_from("a\x1b\x9b[]\\;38m\x07\r\n P^ \u202e"), max_size=30), lengths=sizes
)
def test_cleaning_pieces_is_cleaning_the_whole(text: str, lengths: list[int]) -> None:
    cleaner = TextCleaner()
    cleaned = [cleaner.feed(piece) for piece in pieces(text, lengths)]
    assert "".join([*cleaned, cleaner.finish()]) == clean_text(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("see [a] and [b][a]\n\nmore\n\n[a]: http://a.example 't'", id="late links"),
        pytest.param("[a]: http://a.example\n'one\ntwo'\n\n[a]", id="title on later lines"),
        pytest.param("[a]: http://a.example\n'one\n\ntwo' [a]", id="title that is none"),
        pytest.param("a heading\n=======\nnot\n---\nb", id="setext headings"),
        pytest.param("- a\n\n\n- b\n\n  c\n\n      d\n- e\nlazy\n\n1. f", id="lists go on"),
        pytest.param("- a\n- b\n- c\n\n- d\n- # e\n\n- f", id="a list becomes loose"),
        pytest.param("x\na | b\n-|-\n1 | 2\n3\n\n| c |", id="tables"),
        pytest.param("````md\n```py\nx\n```\n````\n~~~\n```\n~~~\ny", id="nested fences"),
        pytest.param("x\n```python\nfor x in y:\n  pass", id="unclosed fence"),
        pytest.param("- ```\n  a\n\n  b\n- c\n```", id="fences in lists"),
        pytest.param("\\[\na\n= b\n\\]\n\n$$\n- c\n$$", id="formulas over lines"),
        pytest.param("a\r\n\r\n- b\r\n\r\n  c\r\n```\r\nd\r\n```", id="Windows lines"),
        pytest.param("a\x1b[3", id="escape that never ends"),
    ],
)
def test_each_place_of_a_difficult_text_may_be_a_cut(text: str) -> None:
    expected = render_html(text, compact=True)
    for cut in range(len(text) + 1):
        stream, view = untimed(), View()
        for piece in (text[:cut], text[cut:]):
            stream.feed(piece)
            view.apply(stream.take())
        stream.finish()
        view.apply(stream.take())
        assert "".join(view.finished) == expected


def test_links_defined_below_their_use_come_right_at_the_end() -> None:
    stream, view = untimed(), View()
    stream.feed("See [a].\n\nMore.\n\n")
    view.apply(stream.take())
    stream.feed("[a]: http://a.example\n")
    stream.finish()
    change = stream.take()
    assert change is not None
    assert change.is_anew
    view.apply(change)
    assert 'href="http://a.example"' in view.finished[0]


def test_a_text_beyond_the_limit_goes_on_as_plain_text() -> None:
    text = "*words*\n\n" * (LONGEST_RENDERED // 8)
    stream, view = untimed(), View()
    for piece in pieces(text, [49_999]):
        stream.feed(piece)
        view.apply(stream.take())
    stream.finish()
    view.apply(stream.take())
    assert "".join(view.finished) == render_html(text, compact=True)
    assert view.finished[-1].startswith("<pre><code>")
    assert "<em>" not in view.finished[-1]


PROSE = "Cities like Oslo have *long* winters, and `rain` falls on most of the days there. "
CODE = "def mean(values: list[float]) -> float:\n    # an empty list has none\n    return sum(values) / len(values) if values else 0.0\n\n"
LONG: dict[str, str] = {
    "one paragraph": PROSE,
    "one paragraph of lines": PROSE.rstrip() + "\n",
    "paragraphs": PROSE * 4 + "\n\n",
    "list": f"- {PROSE}\n",
    "loose list": f"1. {PROSE}\n\n",
    "nested list": f"- {PROSE}\n  - {PROSE}\n",
    "code": CODE,
    "table": "| Oslo | 3 °C, and rain | **Norway** | 700,000 |\n",
}
HEADS = {"code": "```\n", "table": "| city | weather | country | people |\n|---|---|---|---|\n"}
N_CHARACTERS = 20_000


def long_text(name: str, n_characters: int = N_CHARACTERS) -> str:
    """Give a text of one shape that is so long."""
    repeated = LONG[name] * (n_characters // len(LONG[name]) + 1)
    return (HEADS.get(name, "") + repeated)[:n_characters]


def sent(text: str) -> int:
    """Count what is sent of a text that is taken every 80 characters."""
    stream, total = untimed(), 0
    for piece in [*pieces(text, [80]), None]:
        stream.finish() if piece is None else stream.feed(piece)
        if change := stream.take():
            total += len(change.tail) + sum(map(len, change.finished))
    return total


@pytest.mark.parametrize("name", LONG)
def test_traffic_is_linear(name: str) -> None:
    assert sent(long_text(name)) <= 3 * N_CHARACTERS


def test_traffic_of_coloured_code_is_linear_too() -> None:
    text = long_text("code").replace("```", "```python", 1) + "\n```\n\nThat is all."
    assert sent(text) <= 3 * len(text)


@pytest.mark.parametrize("pattern", ["a\n=", "a\n=b\n", "[a", "*a", "- a\n\n", "|a|\n|-|\n|", "`"])
def test_traffic_of_text_that_flips_is_linear(pattern: str) -> None:
    text = (pattern * 1_000)[:2_000]
    at_once = len(render_html(text, compact=True))
    assert sent(text) <= 2 * at_once + 3 * len(text) + 4_000


def seconds_of_takes(text: str) -> float:
    """Measure the processor time of all takes before the last."""
    stream, begun = untimed(), time.process_time()
    for piece in pieces(text, [80]):
        stream.feed(piece)
        stream.take()
    return time.process_time() - begun


@pytest.mark.parametrize(
    "name", ["paragraphs", "list", "loose list", "nested list", "code", "table"]
)
def test_the_cost_of_a_take_does_not_grow_with_what_is_above(name: str) -> None:
    short = min(seconds_of_takes(long_text(name, 5_000)) for _ in range(2))
    assert seconds_of_takes(long_text(name)) < 4 * short * 2.5


def test_after_a_dear_take_the_next_ones_wait_but_the_end_does_not() -> None:
    ticks = count()
    stream = MarkdownStream(clock=lambda: next(ticks) / 10)
    stream.feed("a")
    assert stream.take() is not None
    stream.feed("b")
    assert stream.take() is None
    stream.finish()
    change = stream.take()
    assert change is not None
    assert "".join(stream.finished) == render_html("ab")
