"""What the sanitised rendering lets through, and what it costs at its worst."""

import json
import re
import time
from functools import partial
from html import escape, unescape
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text import growing, highlight, markdown
from sessions.text.growing import render
from tests.support import processor

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/markdown.json").read_text())


class Elements(HTMLParser):
    """Collects (tag, attributes) as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    return Elements(html).found


def tags(html: str) -> list[str]:
    return [tag for tag, _ in elements(html)]


def test_renders_the_markdown_that_agents_write() -> None:
    html = render("# Plan\n\n1. *read*\n2. **write** `x`\n\n> quoted ~~not~~\n\n---\n")
    assert "<h3>Plan</h3>" in html  # h1 and h2 belong to the page
    assert "<em>read</em>" in html
    assert "<strong>write</strong> <code>x</code>" in html
    assert tags(html) == [
        "h3", "ol", "li", "em", "li", "strong", "code", "blockquote", "p", "s", "hr",
    ]  # fmt: skip


def test_a_table_keeps_its_alignment_without_a_style_attribute() -> None:
    html = render("| a | b |\n|:-:|--:|\n| 1 | 2 |\n")
    assert '<td class="align-center">1</td>' in html
    assert '<td class="align-right">2</td>' in html
    assert "style" not in html


def test_code_is_coloured_and_escaped() -> None:
    html = render('```python\ndef f():\n    return "<b>" # why\n```\n')
    assert '<code class="language-python">' in html
    assert '<span class="code-keyword">def</span>' in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


@pytest.mark.parametrize("language", ["", "nonsense", 'x" onclick="y', "PYTHON title=a"])
def test_any_word_behind_the_fence_is_harmless(language: str) -> None:
    html = render(f"```{language}\nif x: pass\n```\n")
    assert re.sub("<[^>]+>", "", html).strip() == "if x: pass"
    assert all(set(attributes) <= {"class"} for _, attributes in elements(html))


@pytest.mark.parametrize("language", sorted(highlight.LANGUAGES))
def test_colours_change_no_character_of_the_code(language: str) -> None:
    code = '/* a */ int x = 0x1F; // "b"\n# c\nfn main() { return \'d\' + `e` }\n\n\t@f <g h="i">\n'
    coloured = highlight.colour(code, language, deadline=time.thread_time() + 60)
    assert coloured is not None
    assert re.sub("</?span[^>]*>", "", coloured) == markdown.escape(code)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: str(row["name"]))
def test_each_notation_has_its_golden_html(row: dict[str, str]) -> None:
    assert render(row["text"]) == row["html"]
    assert_harmless(row["html"])


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="https://x.example" onclick="alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](//evil.example/a)",
    "[x](/admin/logout/)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://tracker.example/p.png?secret=1)",
    '[x](https://x.example "t\\" onmouseover=alert(1) x=\\"")',
    "```\n</code></pre><script>alert(1)</script>\n```",
    "```html\n<script>alert(1)</script>\n```",
    "`<script>`",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "https://x.example/<script>alert(1)</script>",
    "https://x.example/\"onmouseover='alert(1)'",
    "[a]: javascript:alert(1)\n\n[a]",
    "<style>*{display:none}</style>",
    "<form action=https://x.example><input name=password></form>",
    "<iframe src=https://x.example>",
    "<kbd onclick=alert(1)>a</kbd>",
    "<details ontoggle=alert(1) open>\n<summary onclick=alert(1)>x</summary>\n</details>",
    "<details>\n<summary><script>alert(1)</script></summary>\n<script>alert(1)</script>\n</details>",
    "- [x] <input name=password autofocus onfocus=alert(1)>",
    "[^1]: <img src=x onerror=alert(1)>\n\n[^1]",
    "<sup></p><script>alert(1)</script></sup>",
]
ALLOWED = {
    "a": {"class", "href", "title", "rel", "target"},
    "code": {"class"},
    "input": {"aria-label", "checked", "disabled", "type"},
    "ol": {"start"},
    "p": {"class"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}


def assert_harmless(html: str) -> None:
    for tag, attributes in elements(html):
        assert tag in markdown.TAGS
        assert set(attributes) <= ALLOWED.get(tag, set())
        if tag == "input":
            assert (attributes["type"], attributes["disabled"]) == ("checkbox", "")
        if tag == "a":
            assert "href" in attributes, "a link that leads nowhere"
        address = attributes.get("href")
        if address is not None:
            assert address.lower().startswith(("http://", "https://", "mailto:"))
            assert attributes["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markup_comes_out_as_text(text: str) -> None:
    html = render(text)
    assert_harmless(html)
    assert "img" not in tags(html)


ANY_CHARACTER = st.characters(exclude_categories=())
MARKUP = st.sampled_from(
    [
        "[",
        "](",
        "> ",
        "- ",
        "1. ",
        "**",
        "~~~",
        "```python\n",
        "|-|\n",
        "\n\n",
        "<a ",
        "<kbd>",
        "</kbd>",
        "<details>\n",
        "</details>\n",
        "<details><summary>s</summary>t</details>\n",
        "[^1]: ",
        "[x] ",
        "\0",
        "\ud83d",
    ]
)


@given(st.text(ANY_CHARACTER, max_size=300) | st.lists(MARKUP, max_size=400).map("".join))
def test_no_character_and_no_nesting_raises(text: str) -> None:
    assert_harmless(render(text))
    render(text).encode()


@pytest.mark.parametrize("piece", ["> ", "- ", "[", "*a ", "- > ", "1. > * ", "![", "(", "|"])
@pytest.mark.parametrize("end", ["", "a", "\ud83d", "\0", "\ude00]"])
def test_deep_nesting_raises_nothing(piece: str, end: str) -> None:
    for depth in (10, 100, 1_000, 20_000):
        render(piece * depth + end).encode()


def test_half_a_character_costs_itself_alone() -> None:
    assert render("**half** \ud83d") == "<p><strong>half</strong> \ufffd</p>\n"


@given(st.text(max_size=300) | st.text("<>[]()!`*_~|\\\"'&#:-=/ \nahtps.j", max_size=300))
def test_no_text_raises_or_gets_a_tag_through(text: str) -> None:
    assert_harmless(render(text))


def test_a_link_opens_elsewhere_and_tells_nothing() -> None:
    [(_, link)] = [found for found in elements(render("[x](https://x.example)")) if found[0] == "a"]
    assert link["target"] == "_blank"
    assert link["rel"] == "noopener noreferrer nofollow"


def test_an_image_is_a_link_that_loads_nothing() -> None:
    html = render("![a *plan*](https://x.example/p.png)")
    assert "<img" not in html
    assert '<a class="image-card" href="https://x.example/p.png"' in html
    assert ">Image: a plan (x.example)</a>" in html


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://x.example/a.", "https://x.example/a"),
        ("(https://x.example/a)", "https://x.example/a"),
        ("https://x.example/a_(b)", "https://x.example/a_(b)"),
        ("(https://x.example/a_(b)).", "https://x.example/a_(b)"),
        ("https://x.example/(a.)))!", "https://x.example/(a.)"),
        ("https://x.example/(a", "https://x.example/(a"),
        ("https://x.example/a_b_c?d=e&f=g, then", "https://x.example/a_b_c?d=e&amp;f=g"),
        ("**https://x.example/a**", "https://x.example/a"),
        ("http://127.0.0.1:8000/s/1", "http://127.0.0.1:8000/s/1"),
    ],
)
def test_a_bare_address_is_a_link_without_the_sentence_around_it(text: str, address: str) -> None:
    assert f'<a href="{address}"' in render(text)


@pytest.mark.parametrize("text", ["`https://x.example`", "[https://x.example](https://y.example)"])
def test_an_address_in_code_or_in_a_link_is_left_alone(text: str) -> None:
    assert 'href="https://x.example"' not in render(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * (markdown.MAX_CHARS + 1),
        "x\n" * (markdown.MAX_LINES + 1),
        "[" * (markdown.MAX_BRACKETS + 1),
        "a_" * (markdown.MAX_MARKS + 1),
        "|" * 100 + "\n" + "|-" * 99 + "|\n" + "|\n" * 100,
        "> " * 500 + "a",
        ("- " * 3 + "a\n") * (markdown.MAX_BLOCKS // 3 + 1),
        "> " * 20 + "a\n" * (markdown.MAX_QUOTED // 20 + 1),
    ],
)
def test_a_text_that_is_too_much_for_the_parser_loses_nothing(text: str) -> None:
    assert markdown.blocks(text, markdown.References()) is None
    shown = re.sub(r"<[^>]*>", "", render(text))
    marks = re.compile(r"[\s>|_-]")  # those of quotes, tables, lists and emphasis
    assert marks.sub("", unescape(shown)) == marks.sub("", text)


@pytest.mark.parametrize("text", ["", " \n\t\n", "x" * 600_000])
def test_a_text_without_a_word_or_with_too_many_has_no_html(text: str) -> None:
    assert render(text) == ""


def test_long_lists_and_quotes_are_shown_as_such() -> None:
    text = "> > said\n> 1. a\n> - b\n" * 900
    assert render(text).count("<li>") == 1_800


def test_a_list_of_fifteen_levels_loses_nothing() -> None:
    text = "".join(f"{'  ' * level}- level{level}\n" for level in range(15))
    html = render(text)
    assert all(f"level{level}" in html for level in range(15))


PIECES = [
    "[", "![", "[a](", "[a](<b", "[[a]](b)", "*a **a ", "_a ", "**a*", "~~a ", "`", "` `` ``` ",
    "> ", ">", "- ", "* a\n", "1. ", "|", "|a|b|\n|-|-|\n", "|\n", "<", "<a ", "<http://a",
    "https://a.b/ ", "http://", "&amp;", "\\*", "[a]: b\n", "[a][b]", "\n", "\r", "\0", "#",
    "<kbd>", "<kbd><sub>", "</kbd>", "<kbd></kbd>", "*<kbd>", "<br>", "[^1]", "[^1]: a\n",
    "- [ ] a\n", "<details>\n", "<details>\n</details>\n", "</details>\n", "- <details>\n",
    "[a](b)", "# a\n", "---\n", "    a\n\n", "\t", "](", "a\n=\n", "```\n", "~~~x\n",
    "\u202e", "\U0001f600",
]  # fmt: skip


ORDINARY = (
    "## Section\n\nSome *words*, **more** and `code`, a [link](https://example.org/a).\n\n"
    "- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nA paragraph of ordinary length.\n\n"
) * 400


def cost(text: str) -> tuple[float, str]:
    """Return the processor time that a text takes, in seconds, and its HTML.

    Of this thread: other work on the machine, and of this process, hardly counts.
    """
    with processor.without_collections():
        begun = time.thread_time()
        html = render(text)
        return time.thread_time() - begun, html


def assert_bounded(text: str) -> None:
    """Assert that a text costs a small multiple of an ordinary one on the same machine."""
    ordinary_s, _ = cost(ORDINARY[: markdown.MAX_CHARS // 4])
    taken_s, html = cost(text)
    assert taken_s < 40 * ordinary_s  # measured: 13 times at most
    assert len(html) <= growing.MAX_HTML_CHARS


@pytest.mark.parametrize("size", [markdown.MAX_BRACKETS, markdown.MAX_MARKS, markdown.MAX_CHARS])
@pytest.mark.parametrize("piece", PIECES)
def test_a_text_made_to_keep_the_parser_busy_stays_bounded(piece: str, size: int) -> None:
    assert_bounded((piece * size)[:size])


def test_a_text_is_shown_alike_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ORDINARY * 2
    before = render(text)
    clock = count(step=1_000)
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert render(text) == before


def quotes(deep: int) -> str:
    return "> " * deep + "a\n"


BLOCKS = {
    "address": "http://a" + ")" * 65_000,
    "open address": "http://a" + "(" * 32_000 + ")" * 33_000,
    "addresses": "http://a))).,;:!? " * 3_600,
    "quotes": quotes(20) * 2_000,
    "fewer quotes": quotes(20) * 1_500,
    "lines after quotes": quotes(27) + "b\n" * 2_900,
    "lines after a few quotes": quotes(10) + "b\n" * 2_900,
    "quotes again": (quotes(27) + "b\n" * 20) * 140,
    "paragraphs of quotes": (quotes(28) + "\n") * 1_000,
    "lists": ("- " * 27 + "a\n") * 1_160,
    "lists in pairs": ("- - a\n+ + a\n") * 1_490,
    "numbered lists": ("1. " * 20 + "a\n") * 1_000,
    "lists in quotes": ("> - " * 14 + "a\n") * 1_100,
    "parts in parts": "<details>\n" * 20 + "</details>\n" * 20,
    "many parts in parts": ("<details>\n" * 20 + "</details>\n" * 20) * 70,
    "parts after open parts": "<details>\n" * 40 + "<details>\nx\n</details>\n" * 900,
    "deep parts": "<details>\n" * 2_900,
    "many titles in one line": "<details><summary>" + "</summary>" * 6_000 + "</details>\n",
    "many parts in one line": "<details><summary>s</summary>t</details>" * 1_600,
    "indented lists": "".join("  " * level + "- a\n" for level in range(28)) * 75,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_made_to_keep_the_parser_busy_stay_bounded(name: str) -> None:
    assert_bounded(BLOCKS[name])


BLANK = [" \n", "\r\n", "\t\n", " ", "\x0b\n", "\u2028", " " * 99 + "\n", "a" + " \n" * 140]
BUSY = ["\n", "a b ", "a<", "<!--", "a.", "{{", "'", '"', "\\", "/*", "(", "${", "<<a\n", "- ", "0"]


@pytest.mark.parametrize("language", ["c", *highlight.PYGMENTS_ALIASES])
def test_code_made_to_keep_a_lexer_busy_stays_bounded(language: str) -> None:
    highlight.colour("x", language, deadline=time.thread_time() + 60)  # makes the lexer
    for piece in [*BUSY, *BLANK]:
        text = (piece * highlight.MAX_CHARS)[: highlight.MAX_CHARS]
        width = highlight.MAX_LINE
        code = "\n".join(text[at : at + width] for at in range(0, len(text) - 20, width))
        colour = partial(highlight.colour, code[: highlight.MAX_CHARS], language)
        # Measured: a thousandth of a second at most beyond the deadline.
        assert processor.seconds(partial(colour, deadline=time.thread_time() + 0.1)) < 0.2, piece


def test_the_deadline_is_looked_at_between_tokens_that_become_one_run(monkeypatch) -> None:
    looks = count()
    monkeypatch.setattr(time, "thread_time", lambda: next(looks))
    assert highlight.runs("a." * 400, "typescript", deadline=5) is None
    assert next(looks) == 7


def test_every_colour_has_its_style() -> None:
    sheet = (Path(highlight.__file__).parents[1] / "static/sessions/code.css").read_text()
    assert set(re.findall(r"\.(code-[a-z]+)", sheet)) == highlight.CLASSES


@pytest.mark.parametrize(
    "formula",
    [
        "$a_1 * b_2 * c_3$",
        r"\(x_1 * y_1 * z\)",
        r"\[ \int_0^1 f_a * g_b * h \]",
        "$$\n\\sum_{i=1}^n i_1 * j_1 * k \\\\\n\\frac{a}{b}\n$$",
        "$`$",
    ],
)
def test_a_formula_stays_its_source(formula: str) -> None:
    assert render(f"Let {formula} be *one*.") == f"<p>Let {formula} be <em>one</em>.</p>\n"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("It costs $5 or *maybe* $6.", "It costs $5 or <em>maybe</em> $6."),
        ("`$HOME` and *x* `$PATH`", "<code>$HOME</code> and <em>x</em> <code>$PATH</code>"),
        (r"\(*open*", "(<em>open</em>"),
        ("$ *a* $", "$ <em>a</em> $"),
    ],
)
def test_a_sign_of_a_formula_alone_is_none(text: str, html: str) -> None:
    assert render(text) == f"<p>{html}</p>\n"


def test_a_diagram_keeps_its_text_and_its_language() -> None:
    source = "graph TD\n  A-->B & C"
    assert render(f"```mermaid\n{source}\n```") == (
        f'<pre><code class="language-mermaid">{escape(source, quote=False)}\n</code></pre>\n'
    )
