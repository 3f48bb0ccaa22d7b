"""The words that a screen reader hears of an answer."""

from playwright.async_api import expect

from tests.browser.answers import Answer
from tests.browser.chat import Chat, eventually

_RECORD = """() => {
  window.spoken = [];
  const region = document.getElementById("announcer");
  new MutationObserver(() => region.textContent && window.spoken.push(region.textContent))
    .observe(region, { childList: true, characterData: true, subtree: true });
}"""

_TEXT = """# The **plan**

- [x] read `a.py`
- [ ] mend it

| file | lines |
|------|-------|
| a.py | 12 |

One<br>two, see [the page](https://example.org/x).

```python
def f(): return "a & b"
```
"""


async def _spoken_of(chat: Chat, text: str, *, is_rendered: bool = True) -> str:
    """Return what is said of an answer when it ends."""
    answer = await Answer.begun(chat)
    await chat.page.evaluate(_RECORD)
    await answer.write(text)
    await answer.end(is_rendered=is_rendered)
    await expect(chat.deliveries).to_have_text("Answered")

    async def answers() -> list[str]:
        spoken = await chat.page.evaluate("window.spoken")
        return [words for words in spoken if words.startswith("Answer: ")]

    (words,) = await eventually(answers, what="the words of the answer")
    return str(words)


async def test_an_answer_is_spoken_as_it_is_read_and_not_as_it_is_written(chat: Chat) -> None:
    assert await _spoken_of(chat, _TEXT) == (
        "Answer: The plan done: read a.py open: mend it file lines a.py 12"
        ' One two, see the page. def f(): return "a & b"'
    )


async def test_of_a_long_answer_the_beginning_is_spoken(chat: Chat) -> None:
    text = "**word** " * 2_000
    spoken = await _spoken_of(chat, text)
    assert spoken.startswith("Answer: word word word")
    assert spoken.endswith(" … the rest is in the conversation.")
    assert "*" not in spoken
    assert len(spoken) < 700


async def test_an_answer_that_is_not_rendered_is_spoken_as_it_is(chat: Chat) -> None:
    assert await _spoken_of(chat, "2 * 3\n is **6**", is_rendered=False) == (
        "Answer: 2 * 3 is **6**"
    )
