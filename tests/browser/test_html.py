"""The page's own fence around markup: a forged event changes nothing but what is shown."""

import pytest
from playwright.async_api import Page, expect

from sessions.text import growing
from tests.browser.chat import Chat, as_modules

ATTACKS = [
    "<img src=x onerror=\"window.hit = 'img'\">",
    "<script>window.hit = 'script'</script>",
    "<svg><script>window.hit = 'svg'</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=\"window.hit='mxss'\">",
    "<iframe srcdoc=\"<script>parent.hit = 'frame'</script>\"></iframe>",
    "<form action='https://example.org'><input name=password></form>",
    "<a href=\"javascript:window.hit = 'link'\">x</a>",
    "<a href=\" \tjava\nscript:window.hit='spaced'\">x</a>",
    "<p style='position:fixed;inset:0' onmouseover=\"window.hit = 'over'\">x</p>",
    "<base href='https://example.org/'>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "<template><img src=x onerror=\"window.hit = 'template'\"></template>",
    "<p id=prompt name=cookie class=prompt>clobbered</p>",
    "<input type=text name=password id=prompt autofocus onfocus=\"window.hit = 'focus'\">",
    "<details open ontoggle=\"window.hit = 'toggle'\"><summary name=x>x</summary></details>",
]

_SET = """async (html) => {
  const { setHtml } = await import(document.querySelector("script[src$='main.js']").src.replace("main.js", "elements/html.js"));
  const element = document.createElement("div");
  document.body.append(element);
  setHtml(element, html);
  await new Promise((go) => setTimeout(go, 50));
  element.querySelectorAll("a").forEach((link) => link.click());
  const left = element.innerHTML;
  element.remove();
  return left;
}"""  # noqa: E501 (JavaScript)


async def _open(chat: Chat) -> None:
    await as_modules(chat.page)
    await chat.open()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_forged_markup_does_nothing(chat: Chat, attack: str) -> None:
    await _open(chat)
    left = await chat.page.evaluate(_SET, attack)
    assert await chat.page.evaluate("window.hit") is None
    for word in ("on", "style", "script", "src", "id=", "name=", "action", "http-equiv"):
        assert f" {word}" not in left
        assert f"<{word}" not in left


async def test_markup_of_the_servers_sanitiser_passes_unchanged(chat: Chat) -> None:
    await _open(chat)
    html = growing.render(
        "### Head\n\n> quote with `code` and **bold** ~~gone~~ _em_\n\n"
        "1. one\n2. two\n\n- a\n\n| a | b |\n|--|:-:|\n| 1 | 2 |\n\n---\n\n"
        "- [x] done\n- [ ] open\n\n<kbd>Ctrl</kbd> x<sup>2</sup> H<sub>2</sub>O<br>[^1]\n\n"
        "[^1]: note\n\n"
        "<details>\n<summary>More</summary>\n\ntext\n</details>\n\n"
        '[link](https://example.org "title") https://example.org/x\n\n'
        "![chart](https://example.org/c.png)\n\n```python\nx = 1\n```\n"
    )
    assert "<table>" in html
    assert await chat.page.evaluate(_SET, html) == html


async def test_no_other_code_may_set_markup(page: Page, chat: Chat) -> None:
    await chat.open()
    refused = await page.evaluate(
        "() => { try { document.createElement('p').innerHTML = '<b>x</b>'; return ''; }"
        " catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"
    await expect(chat.prompt).to_be_visible()
