"""The browser itself: it runs modules, and errors of a page do not stay unseen."""

from playwright.async_api import Page, expect


async def test_chromium_runs_scripts(page: Page) -> None:
    await page.set_content("<p id=out></p><script type=module>out.textContent = 6 * 7</script>")
    await expect(page.locator("#out")).to_have_text("42")


async def test_browser_holds_what_streams_and_outbox_need(page: Page) -> None:
    await page.route("**/*", lambda route: route.fulfill(body="<p>", content_type="text/html"))
    await page.goto("http://127.0.0.1:9/")
    present = await page.evaluate(
        "[!!window.EventSource, !!window.BroadcastChannel, !!navigator.locks, !!localStorage]"
    )
    assert present == [True, True, True, True]


async def test_an_error_in_the_page_is_recorded(page: Page, page_errors: list[str]) -> None:
    await page.set_content("<script>throw new Error('unseen')</script>")
    await page.wait_for_load_state()
    assert page_errors == ["unseen"]
    page_errors.clear()
