"""Markdown to safe HTML, block by block, bounded in size and time for any input.

An agent's text is hostile input: it may repeat a web page that wants to run a script in this
one, or a text made to keep a parser busy. Three fences, each enough on its own for scripts:
raw HTML is text to the parser, nh3 lets through the listed tags alone, and the page's
Content-Security-Policy runs no inline script and loads no foreign image.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from sessions.core.clean import clean_text
from sessions.text import highlight
from sessions.text.extensions import details, footnotes, formulas, links, tags, tasks

# A text over one of these is not parsed: smaller parts of it are, or it is shown as plain text.
# They are chosen by the parser's cost at its worst: it is quadratic in open brackets and in the
# cells of a table, looks at each line once for every quote that it may belong to, and makes a
# block of each mark that a line begins with. The worst text of these limits takes 0.2 s, as
# long as MAX_WEIGHT characters of ordinary text.
MAX_WEIGHT: Final = 131_072
MAX_CHARS: Final = 65_536
MAX_LINES: Final = 3_000
MAX_BRACKETS: Final = 1_500
MAX_MARKS: Final = 10_000
MAX_CELLS: Final = 4_000
MAX_BLOCKS: Final = 6_000
# Lines times the quotes of the line that has most.
MAX_QUOTED: Final = 30_000
MAX_NESTING: Final = 60
MAX_REFERENCES: Final = 1_000

# The quotes and list items that a line begins with.
_OPENING: Final = re.compile(r"[ \t]*(?:>[ \t]*|(?:[-+*]|\d{1,9}[.)])[ \t]+)+")
# The class of the link that stands for an image.
IMAGE_CARD: Final = "image-card"
_LANGUAGE: Final = re.compile(r"[a-z0-9+#-]{1,24}")
# For all code blocks of one text together, of the processor's time.
COLOUR_BUDGET_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block. end_line: the lines of its text up to its end; html: sanitised."""

    end_line: int
    html: str


class References(dict[str, Any]):
    """The link definitions that a text has made so far, for the parts that follow."""

    def forget_if_many(self) -> None:
        """Drop the definitions of a text that makes too many."""
        if len(self.get("references", ())) > MAX_REFERENCES:
            self.clear()


def blocks(
    text: str, references: References, *, colour_s: float = COLOUR_BUDGET_S
) -> list[Block] | None:
    """Return the top-level blocks of a text, or None where it is too much for the parser.

    text: Markdown (CommonMark, tables, strikethrough, and sessions/text/extensions); any content.
    colour_s: processor's time for the colours of its code. Never raises for any text.
    """
    text = clean_text(text)  # the sanitiser takes no lone surrogate
    if len(text) > MAX_CHARS or weight(text) > MAX_WEIGHT:
        return None
    references.forget_if_many()
    tokens = _parser.parse(text, references)
    # Past the limit the parser drops deeper nesting: plain text loses nothing.
    if any(token.level >= MAX_NESTING - 2 for token in tokens):
        return None
    for language in {_language(token) for token in tokens if token.type == "fence"}:
        highlight.load(language)
    deadline = time.thread_time() + colour_s
    return [_block(part, references | {"deadline": deadline}) for part in _top_level(tokens)]


def plain(text: str) -> str:
    """Return the HTML of a text that is shown as it is."""
    return f'<p class="plain">{escape(clean_text(text))}</p>\n'


def _block(tokens: list[Token], env: EnvType) -> Block:
    end = max(token.map[1] for token in tokens if token.map)
    html = _cleaner.clean(_parser.renderer.render(tokens, _parser.options, env))
    return Block(end, html)


def _top_level(tokens: list[Token]) -> Iterator[list[Token]]:
    """Yield the tokens of each top-level block."""
    part: list[Token] = []
    for token in tokens:
        part.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield part
            part = []


def weight(text: str) -> int:
    """Return how many characters of ordinary text cost the parser as much as a text does.

    Counted, never timed: but for the colours of code, a text is shown alike on a busy machine and
    on an idle one.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    openings = [match.group() for match in map(_OPENING.match, lines) if match]
    deepest = max((opening.count(">") for opening in openings), default=0)
    # A table gives every row as many cells as its header has, whatever the row says.
    bars = [line.count("|") for line in lines if "|" in line]
    share = max(
        ((text.count("[") + text.count("![")) / MAX_BRACKETS) ** 2,
        sum(map(text.count, "*_~<&")) / MAX_MARKS,
        len(lines) / MAX_LINES,
        sum(sum(map(opening.count, ">-+*.)")) for opening in openings) / MAX_BLOCKS,
        deepest * len(lines) / MAX_QUOTED,
        max(bars, default=0) * len(bars) / MAX_CELLS,
    )
    return max(len(text), round(share * MAX_WEIGHT))


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
        """Return a card, a link: an image that loads by itself tells a stranger about the reader.

        The card of an image that is a link already is that link's text.
        """
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children, options, env) if token.children else ""
        source = str(token.attrGet("src") or "")
        host = links.host_of(source)
        if not host:
            return escape(f"{alt} ({source})" if alt else source)
        text = escape(f"Image: {alt} ({host})" if alt else f"Image ({host})")
        if links.is_linked(token):
            return text
        return f'<a class="{IMAGE_CARD}" href="{escape(source)}">{text}</a>'

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


def _attribute(_tag: str, name: str, value: str) -> str | None:
    """Return value, or None to drop the attribute. The sanitiser calls it for each."""
    if name == "href":
        return value if links.leads(value) else None
    if name == "aria-label":
        return value if value in _LABELS else None
    if name == "class":
        language = value.removeprefix("language-")
        known = value in highlight.CLASSES or value in _CLASSES
        is_language = language != value and _LANGUAGE.fullmatch(language) is not None
        return value if known or is_language else None
    return value


_CLASSES: Final = frozenset(
    {"plain", "footnote", "align-left", "align-center", "align-right", IMAGE_CARD}
)
_LABELS: Final = frozenset({"done", "open"})
_TAG_NAMES: Final = (
    "a blockquote br code details em h3 h4 h5 h6 hr input kbd li ol p pre s span strong sub"
    " summary sup table tbody td th thead tr ul"
)
TAGS: Final = frozenset(_TAG_NAMES.split())
ATTRIBUTES: Final[Mapping[str, set[str]]] = {
    "a": {"class", "href", "title"},
    "code": {"class"},
    "input": {"aria-label", "checked", "disabled", "type"},
    "ol": {"start"},
    "p": {"class"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark", {"html": False, "maxNesting": MAX_NESTING}, renderer_cls=_Renderer
    ).enable(["table", "strikethrough"])
    for extension in (tags, details, footnotes, formulas, tasks, links):
        extension.install(parser)
    return parser


# Both are read-only once made: threads may share them.
_parser: Final = _make_parser()
_cleaner: Final = nh3.Cleaner(
    tags=set(TAGS),
    attributes=dict(ATTRIBUTES),
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto"},
    # noreferrer: the address of a session is private; nofollow: not our word.
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={
        "a": {"target": "_blank"},
        "input": {"type": "checkbox", "disabled": ""},
    },
)
