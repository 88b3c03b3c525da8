"""Bytes become final text: whole characters, no half stop strings."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from llamanb.engine.text import TextStitcher


def _stitch(pieces: list[bytes], stop: tuple[str, ...]) -> tuple[str, str | None]:
    stitcher, text = TextStitcher(stop), ""
    for piece in pieces:
        text += stitcher.feed(piece)
        if stitcher.stop_string:
            break
    return text + stitcher.finish(), stitcher.stop_string


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_stop_string_split_over_two_pieces() -> None:
    assert _stitch([b"blue ", b"sk", b"y is"], ("sky",)) == ("blue ", "sky")


def test_text_that_only_starts_like_a_stop_string_comes_at_last() -> None:
    assert _stitch([b"blue sk"], ("sky",)) == ("blue sk", None)


def test_the_stop_string_that_is_complete_first_wins() -> None:
    assert _stitch([b"one two three"], ("three", "wo", "two")) == ("one ", "two")


def test_half_a_character_at_the_end_becomes_the_replacement_character() -> None:
    assert _stitch(["é".encode()[:1]], ()) == ("�", None)


def test_nothing_follows_a_stop_string() -> None:
    stitcher = TextStitcher(("x",))
    stitcher.feed(b"ax")
    assert stitcher.finish() == ""


@given(
    st.text(alphabet="ab🙂é\n", max_size=40),
    st.lists(st.integers(0, 200), max_size=8),
    st.lists(st.text(alphabet="ab🙂\n", min_size=1, max_size=4), max_size=3),
)
def test_cut_anywhere_gives_the_same_text(text: str, places: list[int], stop: list[str]) -> None:
    data, stops = text.encode(), tuple(stop)
    assert _stitch(_cut(data, places), stops)[0] == _expected(text, stops)


def _expected(text: str, stops: tuple[str, ...]) -> str:
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return text[: min(found)[1]] if found else text
