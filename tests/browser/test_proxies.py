"""The chat behind the proxies of docs/deploy/proxy.md: over TLS and HTTP/2, and over a restart."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.async_api import Browser, expect

from lab.rig.programs import proxies
from tests.browser.chat import Chat, words
from tests.support.server import Server

BEHIND = {"ALLOWED_HOSTS": "localhost,127.0.0.1", "BEHIND_HTTPS": "1", "PROXY_COUNT": "1"}


async def test_a_chat_below_a_path_stays_below_it(
    browser: Browser, make_server: Callable[..., Server]
) -> None:
    server = make_server(environment=BEHIND | {"BASE_PATH": "/a/chat"})
    with proxies.proxy("nginx", server_port=server.port, below="/a/chat") as host:
        context = await browser.new_context(ignore_https_errors=True)
        page = await context.new_page()
        failed: list[tuple[int, str]] = []
        page.on(
            "response",
            lambda got: failed.append((got.status, got.url)) if got.status >= 400 else None,
        )
        chat = Chat(page, server, "owner", url=f"{host}/a/chat")

        link = httpx.URL(server.login_link).path
        assert link.startswith("/a/chat/login/once/")
        await page.goto(host + link)
        await page.get_by_role("button", name="Log in as owner").click()
        await chat.live()
        assert {cookie["path"] for cookie in await context.cookies()} == {"/a/chat/"}
        await chat.ask("/slow 3")
        assert re.fullmatch(rf"{host}/a/chat/s/[0-9a-f-]{{36}}", page.url)
        address = page.url
        await page.reload()
        await chat.live()
        assert await chat.transcript() == [("prompt", "/slow 3"), ("answer", words(3))]
        await page.get_by_role("link", name="New chat").click()
        assert page.url == f"{host}/a/chat/"
        await page.go_back()
        assert page.url == address
        await chat.live()
        assert failed == []
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("button", name="Log in")).to_be_visible()
        await page.goto(address)
        assert page.url == f"{host}/a/chat/login/?next={httpx.URL(address).path}"
        # A page may ask once more while its log-in ends. Its stream may end first: then there is
        # no connection to acknowledge for.
        late = (404, f"{host}/a/chat/api/chat/ack")
        assert [one for one in failed if one[0] != 401 and one != late] == []


@pytest.mark.parametrize("kind", list(proxies.PROGRAMS))
async def test_a_chat_behind_a_proxy_is_as_good_as_one_without(
    browser: Browser, make_server: Callable[..., Server], kind: str
) -> None:
    server = make_server(environment=BEHIND)
    with proxies.proxy(kind, server_port=server.port) as url:
        context = await browser.new_context(ignore_https_errors=True)
        page = await context.new_page()
        chat = Chat(page, server, "owner", url=url)

        # The form of the link is posted: cookies, origin and CSRF token are right over TLS.
        await page.goto(url + httpx.URL(server.login_link).path)
        await page.get_by_role("button", name="Log in as owner").click()
        await chat.live()
        hop = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert await page.evaluate(hop) == "h2"

        # Nothing of a stream is held back.
        await chat.record()
        await chat.ask("/slow 20")
        assert len({text for text in await chat.recorded() if text.strip()}) >= 10

        # The proxy answers for a dead server: that is no receipt, and no refusal either.
        server.kill()
        await expect(chat.line).to_have_text(re.compile("Reconnecting"))
        await chat.send("/slow 2")
        await expect(chat.deliveries.nth(1)).to_have_text("Waiting to send")
        server.start()
        await chat.answered(2, within_s=60)
        assert (await chat.transcript())[-1] == ("answer", words(2))
        prompts = [event["text"] for event in chat.log() if event["type"] == "user_message"]
        assert prompts == ["/slow 20", "/slow 2"]

        async with httpx.AsyncClient(verify=False) as stranger:
            assert (await stranger.get(f"{url}/metrics")).status_code == httpx.codes.FORBIDDEN
        await context.close()
