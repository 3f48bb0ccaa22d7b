"""The terminal draws Markdown block by block, and an answer of an agent moves nothing but text."""

import re

import pytest

from transport.terminal.showing.screen import Screen

SGR = re.compile(r"\x1b\[[\d;]*m")


def screen_of(width=40, *, has_colours=True, session_id="s"):
    written = []
    columns = [width]
    screen = Screen(
        written.append, has_colours=has_colours, width=lambda: columns[0] if width else 0
    )
    screen.open(session_id)
    return screen, written, columns


def show(screen, event, **fields):
    screen.show({"type": event, "sessionId": "s", **fields})


def drawn(*deltas, width=40):
    screen, written, _ = screen_of(width)
    show(screen, "block_start", blockType="text", blockId="b")
    for delta in deltas:
        show(screen, "block_delta", delta=delta)
    show(screen, "block_end", blockId="b", content="".join(deltas))
    return "".join(written)


MARKDOWN = """\
# A title

Some **bold** and `code` with [a link](https://example.com/x) in a row of words that is long.

- one
- two

```python
def f(): return 1
```

| a | b |
| - | - |
| 1 | 2 |
"""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_markdown_is_drawn_block_by_block_wherever_it_was_cut(size):
    pieces = [MARKDOWN[at : at + size] for at in range(0, len(MARKDOWN), size)]
    shown = drawn(*pieces)
    plain = SGR.sub("", shown)
    assert plain == SGR.sub("", drawn(MARKDOWN))
    assert "**" not in plain
    assert "a link (https://example.com/x)" in plain.replace("\n", " ")
    assert "  def f(): return 1\n" in plain
    assert " • one\n" in plain
    assert max(map(len, plain.splitlines())) <= 40
    assert "\x1b[1mbold" in shown


def test_a_block_is_drawn_when_the_next_one_has_begun():
    screen, written, _ = screen_of()
    show(screen, "block_start", blockType="text", blockId="b")
    show(screen, "block_delta", delta="first *one*\n\nsecond")
    assert SGR.sub("", "".join(written)) == "first one\n"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]52;c;cm0gLXJm\x07 and \x1b[2J",
        "&#x1b;]0;title&#7; and &#x9b;2J and &#x202e;",
        "`\x1b[2J` and **\x9b2J**",
        "```\n\x1b[2J\n```",
        "    \x1b[2J in code",
        "[a](https://x/&#x1b;[2J) ![\x1b[2J](https://x/\x1b]0;t\x07)",
        "<b>\x1b[2J</b> <script>alert(1)</script>",
        "| \x1b[2J |\n| - |\n| &#x1b;c |",
        "# \u202etxt.exe",
        "```\x1b[2J\ncode\n```",
    ],
)
def test_nothing_but_colours_reaches_the_terminal(text):
    for shown in (drawn(text), drawn(*text)):
        plain = SGR.sub("", shown)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain), plain


def test_no_text_of_an_agent_is_left_out():
    shown = SGR.sub("", drawn("<b>bold</b> and <script>x</script> ![alt](https://x/y.png)"))
    for part in ("<b>", "bold", "<script>x</script>", "[image: alt]", "(https://x/y.png)"):
        assert part in shown.replace("\n", " ")


def test_a_text_that_is_too_much_for_the_parser_is_shown_as_it_is():
    for begin in ("> " * 2000, "- " * 30, "\n".join("  " * n + "- a" for n in range(60)) + " "):
        assert "deep⟨U+001B⟩[2J" in drawn(f"{begin}deep\x1b[2J", width=60)


def test_no_cell_of_a_table_is_cut():
    words = [f"{letter}" * 30 for letter in "abcde"]
    text = f"| {' | '.join(words)} |\n" + "| - " * 5 + f"|\n| {' | '.join(words)} |\n"
    for width in (30, 60, 200):
        shown = SGR.sub("", drawn(text, width=width))
        for word in words:
            assert shown.count(word[0]) >= 60, (width, shown)


def test_words_are_wrapped_for_the_window_as_it_is_and_no_row_passes_for_another_line():
    screen, written, columns = screen_of(30, has_colours=False)
    screen.line("? [runs a command] echo one two :1 Allow once")
    columns[0] = 60
    screen.line("? [runs a command] echo one two :1 Allow once")
    *wrapped, whole = "".join(written).splitlines()
    assert whole == "? [runs a command] echo one two :1 Allow once"
    assert all(row.startswith("  ┆ ") for row in wrapped[1:])
    assert "".join(row.removeprefix("  ┆ ") for row in wrapped) == whole


def test_a_program_and_a_plain_terminal_get_the_text_as_it_came():
    for width, has_colours in ((None, True), (40, False)):
        written = []
        of = None if width is None else lambda: 40
        screen = Screen(written.append, has_colours=has_colours, width=of)
        screen.open("s")
        show(screen, "block_start", blockType="text", blockId="b")
        show(screen, "block_delta", delta="some **bold")
        show(screen, "block_delta", delta="** text")
        show(screen, "block_end", blockId="b", content="some **bold** text")
        assert "".join(written) == "some **bold** text\n"


def test_a_prompt_that_was_typed_is_not_repeated_and_the_header_stands_once():
    screen, written, _ = screen_of(has_colours=False)
    screen.typed.add("c1")
    prompt = {"messageId": "u1", "clientMsgId": "c1", "text": "Mend it"}
    message = {**prompt, "role": "user", "promptState": "accepted"}
    shot = {"title": "Mend it", "agent": "demo", "messages": [message], "current": None}
    shot |= {"full": True, "turn": None, "permissions": [], "questions": []}
    show(screen, "session_snapshot", **shot)
    show(screen, "user_message", **prompt)
    assert "".join(written) == "— new session (demo) —\n> Mend it\n"
    show(screen, "session_snapshot", **shot)
    assert "".join(written).count("—") == 2


def test_an_output_is_shown_while_it_grows_and_only_its_rest_at_the_end():
    screen, written, _ = screen_of(has_colours=False)
    for delta in ("one\ntw", "o\nthr"):
        show(screen, "tool_output", toolId="t", delta=delta)
    assert "".join(written) == "one\ntwo\n"
    show(screen, "tool_result", toolId="t", status="completed", content="one\ntwo\nthree\n")
    assert "".join(written) == "one\ntwo\n[completed] three\n\n"
    show(screen, "tool_output", toolId="u", delta="one\n")
    show(screen, "tool_result", toolId="u", status="failed", content="another")
    assert written[-1] == "[failed] another\n"


def test_places_images_and_resources_are_named():
    screen, written, _ = screen_of(100, has_colours=False)
    blob = "3f2a9c1d" * 8
    show(
        screen,
        "tool_result",
        toolId="t",
        status="completed",
        content="",
        locations=[{"path": "a.py", "line": 3}, {"path": "b\x1b.py"}],
        images=[{"blob": blob, "mime": "image/png"}],
        resources=[{"uri": "file:///x", "mime": "text/plain", "text": "in\nit"}],
    )
    assert "".join(written).splitlines() == [
        "[completed]",
        "  at a.py:3",
        "  at b⟨U+001B⟩.py",
        "  [image: image/png, :save 3f2a9c1d3f2a PATH]",
        "  [file:///x: text/plain, 5 characters]",
        "  | in",
        "  | it",
    ]
    assert screen.standing.blobs("3f2a") == [blob]


def test_acts_of_persons_and_of_the_agent_itself_are_quiet_lines():
    screen, written, _ = screen_of(100, has_colours=False)
    show(screen, "notice", kind="worktree_merged", text="alice merged it.")
    show(screen, "notice", kind="compaction", text="The agent has compacted.")
    show(screen, "option_changed", optionId="fast", value=True, by="alice")
    show(screen, "mode_changed", mode="plan", by="bob")
    show(screen, "turn_start", turnId="t", origin="agent")
    show(screen, "block_start", blockType="text", blockId="b", parentToolId="x")
    assert "".join(written).splitlines() == [
        "[alice merged it.]",
        "! The agent has compacted.",
        "[fast: on, by alice]",
        "[mode: plan, by bob]",
        "[the agent continues by itself]",
        "[of a subagent]",
    ]
