"""Escape sequences, controls and direction marks leave; ordinary text stays."""

from __future__ import annotations

import pytest

from llamanb.notebook.clean_text import clean_delta, clean_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colour"),
        pytest.param("\x1b]0;title\x07x", "x", id="title with bell"),
        pytest.param("\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "link", id="hyperlink"),
        pytest.param("\x9b31mred", "red", id="eight-bit CSI"),
        pytest.param("\x1bPq#0\x1b\\x", "x", id="sixel"),
        pytest.param("\x1b[2J\x1b[Hgone", "gone", id="clear screen"),
        pytest.param("a\rb\x08\x07", "ab", id="carriage return, backspace, bell"),
        pytest.param("a\r\nb\tc\n", "a\nb\tc\n", id="newlines and tabs stay"),
        pytest.param("a\u202eb\u2066c\u200f", "abc", id="direction marks"),
        pytest.param("\ud83d", "\ufffd", id="lone surrogate"),
        pytest.param("naïve 日本 🎉 \u200d", "naïve 日本 🎉 \u200d", id="letters and joiners stay"),
    ],
)
def test_clean_text(text: str, expected: str) -> None:
    assert clean_text(text) == expected


def test_pieces_of_a_cut_escape_sequence_hold_no_control_character() -> None:
    pieces = ["\x1b", "[31", "mred\x1b]0;", "x\x07"]
    assert "".join(map(clean_delta, pieces)) == "[31mred]0;x"
