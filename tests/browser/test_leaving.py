"""Two people after one another at one browser, and a cookie that another port has read."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from lab.rig.origin_key import HEADERS
from tests.browser.chat import Chat, as_modules
from tests.support.server import Server

STORED = """() => [...Object.entries(localStorage), ...Object.entries(sessionStorage)]
  .filter(([name]) => name.startsWith("backstay.")).map((pair) => pair.join("="))"""


SHOW = """async (html) => {
  const main = document.querySelector("script[src$='main.js']").src;
  const { setHtml } = await import(main.replace("main.js", "elements/html.js"));
  const place = document.createElement("div");
  place.className = "toast";
  document.getElementById("toasts").append(place);
  setHtml(place, html);
}"""


async def log_in(page: Page, server: Server, name: str, *, other: str = "") -> Chat:
    """Log a person in as a browser does, by a link and its button."""
    url = f"http://localhost:{server.port}"
    await page.goto(url + server.one_time_link(name))
    if other:
        await expect(page.get_by_text(f"logged in as {other}")).to_be_visible()
    await page.get_by_role("button", name=f"Log in as {name}").click()
    await page.wait_for_url(f"{url}/")
    chat = Chat(page, server, name, url=url)
    await chat.live()
    return chat


async def log_out(page: Page, *, says: str) -> None:
    await page.get_by_role("button", name="Log out").click()
    dialog = page.locator("#leave-dialog")
    await expect(dialog).to_contain_text(says)
    await dialog.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login/")


async def watched(page: Page) -> list[str]:
    """Return the list of every text that a page shows from here on."""
    shown: list[str] = []

    def note(text: str) -> None:
        shown.append(text)

    await page.expose_function("seen", note)
    await page.evaluate(
        "new MutationObserver(() => seen(document.body.innerText))"
        ".observe(document.body, {childList: true, subtree: true, characterData: true})"
    )
    await page.evaluate("seen(document.body.innerText)")
    return shown


async def test_log_out_takes_everything_with_it_in_every_tab(
    page: Page, context: BrowserContext, server: Server
) -> None:
    ada = await log_in(page, server, "ada")
    await ada.ask("/slow 1 the secret of ada")
    await ada.prompt.fill("a draft of ada")
    other = Chat(await context.new_page(), server, "ada", url=ada.url)
    await other.open(f"/s/{ada.session}")
    await other.answered(1)
    await other.prompt.fill("another draft")
    await page.evaluate("localStorage['backstay.newChat'] = '{\"cwd\": \"/of/ada\"}'")
    await page.evaluate("localStorage['backstay.theme'] = 'dark'")
    await log_out(page, says="begun to write")
    await other.page.wait_for_url("**/login/")
    for tab in (page, other.page):
        assert "ada" not in " ".join(await tab.evaluate(STORED))
        assert "secret of ada" not in await tab.content()
    bob = await log_in(page, server, "bob")
    await expect(page.get_by_text("Your chats will be listed here.")).to_be_visible()
    assert await bob.prompt.input_value() == ""
    assert "of ada" not in await page.content()
    await other.page.go_back()
    assert "secret of ada" not in await other.page.content()


async def test_a_tab_of_one_user_never_shows_the_next_users_chats(
    page: Page, context: BrowserContext, server: Server
) -> None:
    """Nobody logs out: the next person logs in over the first one, in another tab."""
    ada = await log_in(page, server, "ada")
    await ada.ask("/slow 1 of ada")
    shown = await watched(page)
    answers: list[str] = []
    page.on("response", lambda got: answers.append(f"{got.status} {got.url}"))
    bob = await log_in(await context.new_page(), server, "bob", other="ada")
    await bob.ask("/slow 1 the secret of bob")
    await page.bring_to_front()
    # The page's own next look may send it away meanwhile.
    await page.locator("html").dispatch_event("visibilitychange")
    await page.wait_for_url("**/login/?again=1")
    await expect(page.get_by_text("logged in as bob")).to_be_visible()
    assert "secret of bob" not in " ".join(shown)
    assert "ada" in " ".join(shown)
    refused = [answer for answer in answers if answer.startswith("401")]
    assert refused


SEARCH = """(field, text) => {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


async def test_an_answer_for_another_user_is_not_shown(
    page: Page, context: BrowserContext, server: Server
) -> None:
    """As with a key that both log-ins have: the id in each answer is the second fence."""
    ada = await Chat.of(page, server, "ada")
    await ada.open()
    await ada.ask("/slow 1 of ada")
    bobs = server.login("bob")
    server.data.call("create_session", name="bob", title="the secret of bob")
    shown = await watched(page)
    search = page.get_by_role("searchbox")
    await expect(search).to_be_editable()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    # The page's own next request would find it out as well, and take the field away.
    await page.route(lambda url: "/api/" in url and "q=secret" not in url, hold)
    await context.add_cookies(
        [{"name": name, "value": value, "url": server.url} for name, value in bobs.items()]
    )
    await search.evaluate(SEARCH, "secret")
    await page.wait_for_url("**/login/?again=1")
    assert "secret of bob" not in " ".join(shown)
    await page.get_by_role("link", name="Go to the chats").click()
    await expect(page.get_by_role("link", name="bob", exact=True)).to_be_visible()


async def test_prompts_that_wait_are_named_before_they_are_dropped(
    page: Page, server: Server
) -> None:
    ada = await log_in(page, server, "ada")
    await page.route("**/api/chat/send", lambda route: route.abort())
    await ada.send("never sent")
    await page.get_by_role("button", name="Log out").click()
    dialog = page.locator("#leave-dialog")
    await expect(dialog).to_contain_text("One prompt has not been sent")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(ada.prompts).to_contain_text(["never sent"])
    await log_out(page, says="One prompt has not been sent")


async def test_a_log_out_that_does_not_reach_the_server_says_so(page: Page, server: Server) -> None:
    await log_in(page, server, "ada")
    await page.route("**/logout/", lambda route: route.abort())
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator(".toast")).to_contain_text("still logged in")
    assert page.url.endswith(f":{server.port}/")


async def test_a_cookie_that_was_read_elsewhere_opens_nothing(
    page: Page, context: BrowserContext, server: Server
) -> None:
    ada = await log_in(page, server, "ada")
    await ada.ask("/slow 1 the secret of ada")
    cookies = {one["name"]: one["value"] for one in await context.cookies(ada.url)}
    url = f"http://localhost:{server.port}"
    async with httpx.AsyncClient(base_url=url, cookies=cookies) as thief:
        reading = [
            "/api/sessions",
            f"/api/sessions/{ada.session}/messages",
            f"/api/sessions/{ada.session}/export?format=md",
            f"/api/chat/events?watch={ada.session}",
            f"/events/{ada.session}",
        ]
        for path in reading:
            for headers in ({}, HEADERS):
                refused = await thief.get(path, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (401, "origin_key_missing")
        for path in ("/", f"/s/{ada.session}", "/account/"):
            assert "secret of ada" not in (await thief.get(path)).text
        csrf = next(value for name, value in cookies.items() if "csrf" in name)
        sent = {"clientMsgId": "x", "sessionId": ada.session, "text": "rm -rf ~"}
        refused = await thief.post("/api/chat/send", json=sent, headers={"X-CSRFToken": csrf})
        assert refused.status_code == 401


class Neighbour(HTTPServer):
    """An agent's own server on another port, which keeps the cookies that it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listening)
        self.heard: list[str] = []


class Listening(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.heard.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>neighbour</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    running = Neighbour()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield running
    running.shutdown()
    thread.join(timeout=10)
    running.server_close()


async def test_a_link_to_another_port_gets_no_log_in(
    page: Page, server: Server, neighbour: Neighbour
) -> None:
    await as_modules(page)
    await log_in(page, server, "ada")
    port = neighbour.server_port
    markup = f'<p><a target="_blank" href="http://localhost:{port}/">my page</a></p>'
    await page.evaluate(SHOW, markup)
    link = page.get_by_role("link", name="my page")
    await expect(link).to_have_attribute("href", f"http://127.0.0.1:{port}/")
    await expect(link).to_have_attribute("title", re.compile("no log-in"))
    async with page.context.expect_page() as opened:
        await link.click()
    await expect(await opened.value).to_have_title("neighbour")
    assert [cookie for cookie in neighbour.heard if "backstay" in cookie] == []
    # The same link as it came would have carried it.
    plain = await page.context.new_page()
    await plain.goto(f"http://localhost:{port}/")
    assert "backstay_login" in neighbour.heard[-1] or "backstay_login" in neighbour.heard[-2]
    # With the cookie in its hands the page there still reads nothing here.
    read = await plain.evaluate(
        "(url) => fetch(url, {credentials: 'include', mode: 'no-cors'})"
        ".then((got) => got.type, String)",
        f"http://localhost:{server.port}/api/sessions",
    )
    assert read in {"opaque", "TypeError: Failed to fetch"}
