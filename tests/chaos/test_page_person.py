"""The person of the fault suite at the page: presses only what a careful person would."""

from collections import Counter
from random import Random

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from lab.chaos.people.page_person import PagePerson
from lab.chaos.people.window import Window
from lab.rig.programs import chromium

CARD = """
<div class="permission" data-armed="%s"><div class="permission-options">
<button onclick="pressed.push('allow %s')">Allow</button>
<button onclick="pressed.push('reject %s')">Reject</button>
</div></div>
"""
PAGE = "<script>window.pressed = []</script>"


class AtPage(Window):
    """A window that shows a page of the test."""

    def __init__(self, page):
        super().__init__("test", "http://test")
        self._page = page


@pytest_asyncio.fixture
async def page():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


@pytest.mark.parametrize(
    ("cards", "pressed"),
    [
        ([], []),
        (["false"], []),
        (["true"], ["reject true"]),
        (["false", "true"], ["reject true"]),
    ],
)
async def test_only_a_card_that_takes_presses_is_pressed(page, cards, pressed):
    await page.set_content(PAGE + "".join(CARD % (armed, armed, armed) for armed in cards))
    person = PagePerson(AtPage(page), typed=Counter(), random=Random(1))
    await person._decide()
    assert await page.evaluate("pressed") == pressed
