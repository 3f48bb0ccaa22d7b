"""The name of a chat, made from its first prompt and answer."""

import time

import pytest

from sessions.text.naming import MAX_NAME_CHARS, name_of


@pytest.mark.parametrize(
    ("prompt", "answer", "name"),
    [
        ("please mend the roof. It leaks.", "", "Please mend the roof"),
        ("Why does it rain?  I am wet.", "", "Why does it rain?"),
        ("# Mend *the* `roof`\n\nAll of it.", "", "Mend the roof"),
        ("- read [the plan](https://example.org/p) first", "", "Read the plan first"),
        ("```\ncrash at 0x0\n```\nWhat does this mean?", "", "What does this mean?"),
        ("> 1. Rename my_first_file.py", "", "Rename my_first_file.py"),
        ("Use version 3.11 of python", "", "Use version 3.11 of python"),
        ("屋根を直してください。雨が漏れます。", "", "屋根を直してください"),
        ("hi", "I have read the logs: two tests fail.", "I have read the logs: two tests fail"),
        ("/init", "The project builds with make.", "The project builds with make"),
        ("/init", "", "/init"),
        ("hi", "", "Hi"),
        ("", "Here is the picture's text.", "Here is the picture's text"),
        ("a\u202eb\x00c mend the roof", "", "A b c mend the roof"),
        ("", "", ""),
        ("...", "```\ncode\n```", ""),
    ],
)
def test_the_first_sentence_names_a_chat(prompt: str, answer: str, name: str) -> None:
    assert name_of(prompt, answer) == name


def test_a_long_sentence_ends_at_a_word() -> None:
    name = name_of("the roof " * 50, "")
    assert name == "The roof the roof the roof the roof the roof the roof the…"
    assert len(name_of("x" * 500 + " y", "")) == MAX_NAME_CHARS


@pytest.mark.parametrize("text", ["[" * 100_000, "*_`" * 40_000, "```\n" * 30_000, " >" * 50_000])
def test_no_text_takes_long(text: str) -> None:
    begun = time.perf_counter()
    name_of(text, text)
    assert time.perf_counter() - begun < 0.5
