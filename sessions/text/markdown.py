"""Markdown to safe HTML, once per text block, bounded in size and time for any input.

An agent's text is hostile input: it may repeat a web page that wants to run a script in this
one, or a text made to keep a parser busy. Three fences, each enough on its own for scripts:
raw HTML is text to the parser, nh3 lets through the listed tags alone, and the page's
Content-Security-Policy runs no inline script and loads no foreign image.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from sessions.core.clean import clean_text
from sessions.text import highlight

# A block over one of these is shown as the plain text that it is. They are chosen by what the
# parser costs at its worst: it is quadratic in open brackets and in the cells of a table, looks at
# each line once for every quote that it may belong to, and makes a block of each mark that a line
# begins with. A runner renders between the events of all its sessions: the worst text of these
# limits takes 0.2 s.
MAX_CHARS: Final = 65_536
MAX_LINES: Final = 3_000
MAX_BRACKETS: Final = 1_500
MAX_MARKS: Final = 10_000
MAX_CELLS: Final = 4_000
MAX_BLOCKS: Final = 6_000
# Lines times the quotes of the line that has most.
MAX_QUOTED: Final = 30_000
MAX_NESTING: Final = 60
MAX_HTML_CHARS: Final = 524_288

_LINK: Final = re.compile(r"https?://[^\s<>\"'`\\^{}|]+")
# The quotes and list items that a line begins with.
_OPENING: Final = re.compile(r"[ \t]*(?:>[ \t]*|(?:[-+*]|\d{1,9}[.)])[ \t]+)+")
_TAIL: Final = frozenset(".,;:!?*_~)]")
_LANGUAGE: Final = re.compile(r"[a-z0-9+#-]{1,24}")
# For all code blocks of one text together, of the processor's time.
COLOUR_BUDGET_S: Final = 0.1


def render(text: str) -> str:
    """Return sanitised HTML of a text block, or "" where it is to be shown as plain text.

    text: Markdown (CommonMark, tables, strikethrough, bare http links); any length, any content.
    Never raises for any text; at most MAX_HTML_CHARS long. See docs/reference/events.md#events.
    """
    text = clean_text(text)  # the sanitiser takes no lone surrogate
    if not text.strip() or _is_too_much(text):
        return ""
    tokens = _parser.parse(text)
    # Past the limit the parser drops what is nested deeper: plain text loses nothing.
    if any(token.level >= MAX_NESTING - 2 for token in tokens):
        return ""
    for language in {_language(token) for token in tokens if token.type == "fence"}:
        highlight.load(language)
    deadline = time.thread_time() + COLOUR_BUDGET_S
    html = _parser.renderer.render(tokens, _parser.options, {"deadline": deadline})
    if len(html) > MAX_HTML_CHARS:
        return ""
    cleaned = _cleaner.clean(html)
    return cleaned if len(cleaned) <= MAX_HTML_CHARS else ""


def _is_too_much(text: str) -> bool:
    if len(text) > MAX_CHARS or text.count("[") > MAX_BRACKETS:
        return True
    if sum(map(text.count, "*_~<&")) > MAX_MARKS:
        return True
    lines = re.split(r"\r\n|\r|\n", text)
    if len(lines) > MAX_LINES:
        return True
    openings = [match.group() for match in map(_OPENING.match, lines) if match]
    if sum(sum(map(opening.count, ">-+*.)")) for opening in openings) > MAX_BLOCKS:
        return True
    deepest = max((opening.count(">") for opening in openings), default=0)
    if deepest * len(lines) > MAX_QUOTED:
        return True
    # A table gives every row as many cells as its header has, whatever the row says.
    bars = [line.count("|") for line in lines if "|" in line]
    return bool(bars) and max(bars) * len(bars) > MAX_CELLS


def _language(token: Token) -> str:
    """Return the first word behind a fence."""
    return token.info.strip().partition(" ")[0].lower()


# ruff: noqa: ARG002 (the signatures of these methods are the parser's)
class _Renderer(RendererHTML):
    """The stock renderer, but for code, images, headings and the alignment of cells."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return a code block; its language, where it is a plain word, as a class."""
        token = tokens[idx]
        language = _language(token)
        coloured = highlight.colour(token.content, language, deadline=env["deadline"])
        body = escape(token.content) if coloured is None else coloured
        attribute = f' class="language-{language}"' if _LANGUAGE.fullmatch(language) else ""
        return f"<pre><code{attribute}>{body}</code></pre>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return a link: an image that loads by itself tells a stranger about the reader."""
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children, options, env) if token.children else ""
        source = str(token.attrGet("src") or "")
        return f'<a href="{escape(source)}">{escape(alt or source)}</a>'

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Return the tag two levels down: h1 and h2 belong to the page around the message."""
        return f"<{_demoted(tokens[idx].tag)}>"

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Return the closing tag of heading_open."""
        return f"</{_demoted(tokens[idx].tag)}>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return the cell with its alignment as a class: the page allows no style attribute."""
        return _cell(tokens[idx])

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return the cell with its alignment as a class."""
        return _cell(tokens[idx])


def _demoted(tag: str) -> str:
    return f"h{min(int(tag[1]) + 2, 6)}"


def _cell(token: Token) -> str:
    style = str(token.attrGet("style") or "")
    side = style.removeprefix("text-align:")
    return f'<{token.tag} class="align-{side}">' if side else f"<{token.tag}>"


def _link_bare_addresses(state: StateCore) -> None:
    """Turn http(s) addresses in plain text into links, outside links and code."""
    for block in state.tokens:
        if block.type == "inline" and block.children and "://" in block.content:
            block.children = list(_with_links(block.children))


def _with_links(children: list[Token]) -> Iterator[Token]:
    depth = 0
    for child in children:
        depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type != "text" or depth or "://" not in child.content:
            yield child
            continue
        done = 0
        for match in _LINK.finditer(child.content):
            address = _without_tail(match.group())
            yield _text(child.content[done : match.start()], child.level)
            yield Token("link_open", "a", 1, attrs={"href": address}, level=child.level)
            yield _text(address, child.level + 1)
            yield Token("link_close", "a", -1, level=child.level)
            done = match.start() + len(address)
        yield _text(child.content[done:], child.level)


def _without_tail(address: str) -> str:
    """Return the address without the punctuation of the sentence around it. In linear time."""
    # More are closed than opened inside the address: that many belong to the sentence.
    foreign = address.count(")") - address.count("(")
    end = len(address)
    while address[end - 1] in _TAIL:
        if address[end - 1] == ")":
            if foreign <= 0:
                break
            foreign -= 1
        end -= 1
    return address[:end]


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _attribute(_tag: str, name: str, value: str) -> str | None:
    """Return value, or None to drop the attribute. The sanitiser calls it for each."""
    if name == "href":
        # A relative address would lead into this site, on the agent's word.
        return value if value.lower().startswith(("http://", "https://", "mailto:")) else None
    if name == "class":
        language = value.removeprefix("language-")
        known = value in highlight.CLASSES or value in _ALIGNMENTS
        is_language = language != value and _LANGUAGE.fullmatch(language) is not None
        return value if known or is_language else None
    return value


_ALIGNMENTS: Final = frozenset({"align-left", "align-center", "align-right"})
_TAG_NAMES: Final = (
    "a blockquote br code em h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul"
)
TAGS: Final = frozenset(_TAG_NAMES.split())
ATTRIBUTES: Final[Mapping[str, set[str]]] = {
    "a": {"href", "title"},
    "code": {"class"},
    "ol": {"start"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark", {"html": False, "maxNesting": MAX_NESTING}, renderer_cls=_Renderer
    ).enable(["table", "strikethrough"])
    parser.core.ruler.push("bare_addresses", _link_bare_addresses)
    return parser


# Both are read-only once made: threads may share them.
_parser: Final = _make_parser()
_cleaner: Final = nh3.Cleaner(
    tags=set(TAGS),
    attributes=dict(ATTRIBUTES),
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto"},
    # noreferrer: the address of a session is nobody's business; nofollow: not our word.
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
