"""Markdown that arrives bit by bit: blocks are settled once, and big texts degrade by block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text import growing, markdown
from sessions.text.growing import GrowingMarkdown, render

LINES = [
    *["# a\n", "para\n", "\n", "- a\n", "  b\n", "1. x\n", "> q\n", "```py\n", "x=1\n", "```\n"],
    *["~~~\n", "---\n", "===\n", "a|b\n", "-|-\n", "    code\n", "*e*", "`c`", " ", "#", "-"],
    *["<details>\n", "</details>\n", "<summary>s</summary>\n", "[^1]: n\n", "- [x] t\n", "<kbd>"],
    *["<details><summary>s</summary>", "t</details>", "</details>", "</summary>"],
    *["\r\n", "\r", "[x](http://a)", "\u2028", "\x0b", "\x00", "\ud83d"],
]
texts = st.lists(st.sampled_from(LINES), max_size=30).map("".join)


def whole(text: str) -> str:
    return "".join(block.html for block in markdown.blocks(text, markdown.References()) or [])


@given(texts, st.lists(st.integers(1, 20), max_size=40))
def test_any_division_of_a_text_comes_to_the_same_html(text: str, lengths: list[int]) -> None:
    growing_text = GrowingMarkdown()
    pieces = []
    at = 0
    for length in lengths:
        pieces += growing_text.add(text[at : at + length])
        at += length
    pieces += growing_text.add(text[at:])
    pieces += growing_text.close()
    assert "".join(piece.html for piece in pieces) == whole(text)
    ends = [piece.end for piece in pieces]
    assert ends == sorted(ends)
    assert not text or ends[-1] == len(text) == growing_text.end


def test_a_block_comes_when_the_line_that_ends_it_is_whole() -> None:
    text = GrowingMarkdown()
    assert text.add("one\n\n#") == []  # "#tag" would continue a paragraph
    (piece,) = text.add(" Title\n")
    assert (piece.html, piece.end) == ("<p>one</p>\n", 5 - 1)
    (last,) = text.close()
    assert last.html == "<h3>Title</h3>\n"


def test_a_heading_under_which_a_line_may_still_come_is_open() -> None:
    text = GrowingMarkdown()
    assert text.add("Title\n") == []
    assert text.add("=====\n") == []
    assert [piece.html for piece in text.close()] == ["<h3>Title</h3>\n"]


def test_a_long_block_of_code_stays_code_and_its_neighbours_are_rendered() -> None:
    lines = "x = 1 < 2\n" * 20_000
    html = render(f"before *it*\n\n~~~~\n{lines}~~~\n~~~~\nafter **it**\n")
    assert html.startswith("<p>before <em>it</em></p>\n<pre><code>x = 1 &lt; 2\n")
    assert html.endswith("~~~\n</code></pre>\n<p>after <strong>it</strong></p>\n")
    assert html.count("x = 1 &lt; 2\n") == 20_000


def test_one_block_that_is_too_much_costs_itself_alone() -> None:
    html = render("# One\n\n" + "[" * 2_000 + "\n\n# Two\n")
    assert html.startswith("<h3>One</h3>\n")
    assert html.endswith("<h3>Two</h3>\n")


def test_a_short_line_before_an_endless_one_is_rendered() -> None:
    html = render("# One\n" + "a" * 200_000)
    assert html.startswith("<h3>One</h3>\n")
    assert html.count("a") >= 200_000


def test_links_that_were_defined_before_work_in_later_parts() -> None:
    text = "[home]: https://example.org\n\n" + "word word\n\n" * 4_000 + "see [home]\n"
    assert '<a href="https://example.org"' in render(text)


@pytest.mark.parametrize("size", [1, 7, 4_096])
def test_a_line_without_end_is_cut_and_loses_nothing(size: int) -> None:
    line = "ab<&" * 25_000
    text = GrowingMarkdown()
    pieces = [piece for at in range(0, len(line), size) for piece in text.add(line[at : at + size])]
    pieces += text.close()
    assert sum(piece.html.count("ab&lt;&amp;") for piece in pieces) >= 25_000 - len(pieces)
    assert pieces[-1].end == len(line)


def test_a_text_that_has_cost_its_work_goes_out_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "MAX_WORK", -1)
    assert render("# <One>\n") == '<p class="plain"># &lt;One&gt;\n</p>\n'
