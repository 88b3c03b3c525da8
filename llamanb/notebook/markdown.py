"""The one renderer from model text to HTML; what it gives cannot do anything.

Three walls, each enough on its own against scripts: markdown-it runs with
``html=False`` (tags in the text are text), images become links, and nh3 keeps only
the listed tags and attributes. A text is rendered block by block, so that one that
still grows (``blocks.py``) comes to the same HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore, inline, text_join

from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import CODE_STYLES, CODE_TAGS, highlight_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = [
    "LONGEST_RENDERED",
    "PLAIN_PIECE",
    "Block",
    "is_closed_code",
    "plain_block",
    "read_blocks",
    "read_inlines",
    "render_blocks",
    "render_html",
    "render_tokens",
    "safe_line",
    "safe_markdown",
]

LONGEST_RENDERED = 100_000
PLAIN_PIECE = 10_000
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


def render_html(text: str, *, compact: bool = False) -> str:
    r"""Give ``text``, read as Markdown, as an inert HTML fragment.

    Tables, strikethrough and coloured code blocks work; images become links that
    name them; LaTeX between ``\(…\)``, ``\[…\]`` or ``$$`` is left for the page to
    typeset. What follows the first 100,000 characters is plain preformatted text.

    Parameters
    ----------
    compact : colour code with short tags, for pages with a style sheet for ``highlight.CODE_TAGS``.

    Examples
    --------
    >>> render_html("**hi** <script>")
    '<p><strong>hi</strong> &lt;script&gt;</p>\n'
    """
    return "".join(render_blocks(text, compact=compact))


def render_blocks(text: str, *, compact: bool = False) -> list[str]:
    """Give the HTML of each block of ``text``; joined it is ``render_html`` of it."""
    text = clean_text(text)
    references: dict[str, Any] = {}
    blocks = read_blocks(text[:LONGEST_RENDERED], references)
    rendered = [_render_block(block, references, compact=compact) for block in blocks]
    beyond = range(LONGEST_RENDERED, len(text), PLAIN_PIECE)
    return rendered + [plain_block(text[start : start + PLAIN_PIECE]) for start in beyond]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or another part of a text.

    Attributes
    ----------
    tokens : what it is made of.
    end : the number of the line after it.
    is_last_line : whether the text has nothing after it, not even an empty line.
    """

    tokens: list[Token]
    end: int
    is_last_line: bool


def read_blocks(text: str, references: dict[str, Any]) -> list[Block]:
    """Cut clean ``text`` into blocks; link definitions in it are added to ``references``."""
    tokens: list[Token] = []
    _parser().block.parse(text, _parser(), {"references": references}, tokens)
    return list(_outer_blocks(tokens, len(text.removesuffix("\n").split("\n"))))


def _outer_blocks(tokens: list[Token], n_lines: int) -> Iterator[Block]:
    start = 0
    for place, token in enumerate(tokens, 1):
        if token.level == 0 and token.nesting <= 0 and token.type != "inline":
            end = (tokens[start].map or [0, 0])[1]
            yield Block(tokens[start:place], end, end >= n_lines)
            start = place


def is_closed_code(block: Block) -> bool:
    """Whether the block is a code block whose closing line has come."""
    token = block.tokens[0]
    first, end = token.map or [0, 0]
    n_lines = token.content.count("\n") + (token.content[-1:] not in ("", "\n"))
    return token.type == "fence" and end - first == n_lines + 2


def read_inlines(tokens: list[Token], references: dict[str, Any]) -> None:
    """Read what stands inside blocks; once only for each token."""
    state = StateCore("", _parser(), {"references": references}, tokens)
    inline(state)
    text_join(state)


def render_tokens(tokens: Sequence[Token], *, compact: bool = False) -> str:
    """Give the inert HTML of tokens that make whole blocks."""
    parser = _parser()
    html = parser.renderer.render(tokens, parser.options, {"compact": compact})
    return _inert(html, compact=compact)


def plain_block(text: str) -> str:
    """Give clean ``text`` as a block without Markdown or colour."""
    return _inert(f"<pre><code>{escape(text)}</code></pre>\n")


def _render_block(block: Block, references: dict[str, Any], *, compact: bool) -> str:
    read_inlines(block.tokens, references)
    return render_tokens(block.tokens, compact=compact)


def _inert(html: str, *, compact: bool = False) -> str:
    return nh3.clean(
        html,
        tags=_TAGS | CODE_TAGS.keys() if compact else _TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_keep_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def safe_markdown(text: str) -> str:
    """Give ``text`` as Markdown in which no image, tag or odd link can work.

    Front ends render ``text/markdown`` by rules of their own, so every opener is
    broken by a zero-width space or a backslash, except in plain code blocks. A code
    block that nothing closes is closed, so that it ends where the text does.
    """
    text = clean_text(text)
    fences = _fences(text) if len(text) <= LONGEST_RENDERED else []
    code = {line for block in fences for line in range(*(block.tokens[0].map or (0, 0)))}
    lines = [
        line if number in code else _disarm(line) for number, line in enumerate(text.split("\n"))
    ]
    if fences and not is_closed_code(fences[-1]) and fences[-1].is_last_line:
        lines.append(fences[-1].tokens[0].markup)
    return "\n".join(lines)


def safe_line(text: str) -> str:
    """Give ``text`` on one line, as words inside a Markdown paragraph that do nothing."""
    return re.sub(r"([\\`*_])", r"\\\1", _disarm(" ".join(clean_text(text).split())))


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


def _fences(text: str) -> list[Block]:
    return [block for block in read_blocks(text, {}) if block.tokens[0].type == "fence"]


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


def _render_fence(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]
) -> str:
    token = tokens[index]
    words = token.info.split()
    compact = bool(env.get("compact"))
    language = words[0] if words else "text"
    inside = highlight_code(token.content, language, compact=compact)
    return f"<pre><code>{inside}</code></pre>\n"
