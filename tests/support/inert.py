"""What HTML made of foreign text may consist of, read with a parser that llamanb does not use."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["TEXT_TAGS", "assert_inert"]

TEXT_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES = {"class", "href", "rel", "start", "style", "target", "title"}
_WORKING_STYLE = re.compile(
    r"url|expression|import|image-set|position|behaviou?r|binding|\\|@", re.I
)
_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.I)
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


def assert_inert(html: str, *, has_images: bool = False) -> None:
    """Fail unless ``html`` only has elements that show text, and links that a click opens.

    Parameters
    ----------
    has_images : whether images in ``data:`` addresses may be there.
    """
    elements = _Elements()
    elements.feed(html)
    elements.close()
    assert not elements.others, elements.others
    for tag, attributes in elements.found:
        if tag == "img" and has_images:
            assert _IMAGE.fullmatch(attributes.pop("src"))
            attributes.pop("alt")
        else:
            assert tag in TEXT_TAGS, tag
        assert attributes.keys() <= _ATTRIBUTES, (tag, attributes)
        assert not _WORKING_STYLE.search(attributes.get("style", "")), attributes
        assert _ADDRESS.match(attributes.get("href", "http://")), attributes
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html
    )
