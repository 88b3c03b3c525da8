"""The renderer: what it shows, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

import llamanb
from llamanb.notebook.highlight import CODE_TAGS
from llamanb.notebook.markdown import LONGEST_RENDERED, render_html, safe_line, safe_markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("**b** *i* ~~s~~", "<strong>b</strong> <em>i</em> <s>s</s>", id="emphasis"),
        pytest.param("|a|\n|:-:|\n|1|", '<td style="text-align:center">1</td>', id="table"),
        pytest.param("3. x", '<ol start="3">', id="ordered list"),
        pytest.param("[x](https://a.example)", 'href="https://a.example"', id="link"),
        pytest.param("![cat](http://a.example/c.png)", ">[image: cat]</a>", id="image as link"),
        pytest.param("a < b & c", "a &lt; b &amp; c", id="escapes"),
        pytest.param("\\(a_1 * b_2*\\)", "\\(a_1 * b_2*\\)", id="formula untouched"),
        pytest.param("```python\nfor x in y: pass\n```", "keyword-color", id="coloured code"),
        pytest.param(
            "```nolanguage\na<b\n```", "<pre><code>a&lt;b\n</code></pre>", id="plain code"
        ),
    ],
)
def test_markdown_renders(text: str, expected: str) -> None:
    assert expected in render_html(text)


def test_links_open_elsewhere_and_tell_nothing() -> None:
    html = render_html("[x](https://a.example)")
    assert 'target="_blank"' in html
    assert "noopener" in html
    assert "noreferrer" in html


def test_what_follows_a_very_long_text_is_preformatted() -> None:
    html = render_html("**a** word\n\n" * (LONGEST_RENDERED // 10))
    assert html.startswith("<p><strong>a</strong> word</p>")
    assert html.rstrip().endswith("**a** word\n\n</code></pre>")


def test_code_can_be_coloured_with_short_tags() -> None:
    text = "```python\nfor x in 'a<b': pass  # 1\n```"
    inside = "<b>for</b> x <b>in</b> <u>'a&lt;b'</u>: <b>pass</b>  <i># 1</i>\n"
    assert render_html(text, compact=True) == f"<pre><code>{inside}</code></pre>\n"


def test_the_page_of_the_chat_colours_each_short_tag() -> None:
    sheet = (Path(llamanb.__file__).parent / "notebook/static/chat.css").read_text("utf-8")
    for tag, style in CODE_TAGS.items():
        rule = f"{tag}{{{style};}}"
        assert rule in sheet.replace(" ", "")


def test_markdown_twin_closes_a_code_block_that_nothing_closes() -> None:
    assert safe_markdown("a\n````py\n<b>") == "a\n````py\n<b>\n````"
    assert safe_line("a\n*b* <i> ![x](y)") == "a \\*b\\* <\u200bi> !\u200b[x]\u200b(y)"


def test_markdown_twin_keeps_code_blocks_and_ordinary_text() -> None:
    text = "# Title\n\nSome *text*, a < b.\n\n```html\n<b>![x]</b>\n```\n"
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "![" * 30_000, "\\(" * 40_000, "$$" * 40_000, "a*" * 40_000, ">" * 50_000],
)
@pytest.mark.timeout(20)
def test_repetitive_text_renders_in_bounded_time(text: str) -> None:
    assert render_html(text)
