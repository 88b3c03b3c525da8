"""The one renderer from model text to HTML; what it gives cannot do anything.

Three walls, each enough on its own against scripts: markdown-it runs with
``html=False`` (tags in the text are text), images become links, and nh3 keeps only
the listed tags and attributes.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt

from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import CODE_STYLES, highlight_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["render_html", "safe_markdown"]

LONGEST_RENDERED = 100_000
_TAGS = {"a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "s", "span"}
_TAGS |= {"strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_TAGS |= {f"h{level}" for level in range(1, 7)}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "span": {"style"},
    "td": {"style"},
    "th": {"style"},
}
_ALIGNMENTS = frozenset(f"text-align:{side}" for side in ("left", "right", "center"))
_ABSOLUTE_URL = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_MATH_CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
LONGEST_FORMULA = 2_000


def render_html(text: str) -> str:
    r"""Give ``text``, read as Markdown, as an inert HTML fragment.

    Tables, strikethrough and coloured code blocks work; images become links that
    name them; LaTeX between ``\(…\)``, ``\[…\]`` or ``$$`` is left for the page to
    typeset. More than 100,000 characters come back as plain preformatted text.

    Examples
    --------
    >>> render_html("**hi** <script>")
    '<p><strong>hi</strong> &lt;script&gt;</p>\n'
    """
    text = clean_text(text)
    if len(text) > LONGEST_RENDERED:
        return f"<pre>{escape(text)}</pre>"
    return nh3.clean(
        _parser().render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_keep_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def safe_markdown(text: str) -> str:
    """Give ``text`` as Markdown in which no image, tag or odd link can work.

    Front ends render ``text/markdown`` by rules of their own, so every opener is
    broken by a zero-width space or a backslash, except in plain code blocks.
    """
    text = clean_text(text)
    code = _code_lines(text) if len(text) <= LONGEST_RENDERED else set()
    return "\n".join(
        line if number in code else _disarm(line) for number, line in enumerate(text.split("\n"))
    )


_DISARM: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<(?=[A-Za-z/!?])"), "<\u200b"),
    (re.compile(r"!(?=\[)"), "!\u200b"),
    (re.compile(r"\](?=\(\s*<?(?!(?:https?://|mailto:)))", re.IGNORECASE), "]\u200b"),
    (re.compile(r"\](?=:)"), "]\u200b"),
)


def _disarm(line: str) -> str:
    for pattern, replacement in _DISARM:
        line = pattern.sub(replacement, line)
    return line


def _code_lines(text: str) -> set[int]:
    fences = (t for t in _parser().parse(text) if t.type == "fence" and t.level == 0 and t.map)
    return {line for token in fences for line in range(*(token.map or (0, 0)))}


def _keep_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        kept = value in CODE_STYLES if tag == "span" else value in _ALIGNMENTS
        return value if kept else None
    if attribute == "href":
        return value if _ABSOLUTE_URL.match(value) else None
    return value


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "math", _math_rule)
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("math", _render_math)
    parser.add_render_rule("fence", _render_fence)
    return parser


def _math_rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # markdown-it's signature
    closer = _MATH_CLOSERS.get(state.src[state.pos : state.pos + 2])
    if closer is None:
        return False
    end = state.src.find(closer, state.pos + 2, state.pos + LONGEST_FORMULA)
    if end < 0:
        return False
    if not silent:
        state.push("math", "", 0).content = state.src[state.pos : end + 2]
    state.pos = end + 2
    return True


def _render_math(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return escape(tokens[index].content)


def _render_image(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    token = tokens[index]
    address = escape(str(token.attrs.get("src", "")))
    return f'<a href="{address}">[image: {escape(token.content or address)}]</a>'


def _render_fence(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    token = tokens[index]
    words = token.info.split()
    inside = highlight_code(token.content, words[0]) if words else escape(token.content)
    return f"<pre><code>{inside}</code></pre>\n"
