"""The account in a real browser: passkeys by a virtual authenticator, an app, and the log-in."""

import re
import time
from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, expect

from sessions.access.factors import qr_code
from tests.browser.chat import becomes_true
from tests.support.server import Server

PASSWORD = "battery staple of a horse"
RECORD_WORDS = """(button) => {
  window.words = [];
  new MutationObserver(() => window.words.push(button.textContent)).observe(button, {
    childList: true, subtree: true, characterData: true,
  });
}"""


class Person:
    """A person at a browser, under the name localhost: an address has no passkeys."""

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page, self.server, self.name = page, server, name
        self.url = f"http://localhost:{server.port}"
        self.devtools: CDPSession

    async def log_in_by_link(self) -> None:
        link = self.server.one_time_link(self.name)
        await self.page.goto(self.url + link)
        await self.page.get_by_role("button", name=f"Log in as {self.name}").click()
        await self.page.wait_for_url(f"{self.url}/")

    async def is_live(self) -> None:
        """Wait until the chat page has its stream."""
        await expect(self.page.locator("#line")).to_have_attribute("data-kind", "live")

    async def set_password(self) -> None:
        await self.page.goto(f"{self.url}/account/password/")
        await self.page.get_by_label("New password").fill(PASSWORD)
        await self.page.get_by_label("The same again").fill(PASSWORD)
        await self.page.get_by_role("button", name="Set the password").click()
        await self.page.wait_for_url("**/account/")

    async def log_out(self) -> None:
        await self.page.goto(self.url)
        await self.page.get_by_role("button", name="Log out").click()
        await expect(self.page.get_by_label("User name")).to_be_visible()

    async def give_password(self) -> None:
        await self.page.goto(f"{self.url}/login/")
        await self.page.get_by_label("User name").fill(self.name)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Log in").click()
        await self.page.wait_for_url("**/login/second/**")

    async def authenticator(self) -> str:
        """Plug a security key in; return its id."""
        self.devtools = await self.page.context.new_cdp_session(self.page)
        await self.devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(made["authenticatorId"])

    async def make_passkey(self, name: str) -> None:
        await self.page.goto(f"{self.url}/account/passkey/")
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Make the passkey").click()


@pytest_asyncio.fixture(loop_scope="session")
async def person(page: Page, server: Server) -> AsyncIterator[Person]:
    someone = Person(page, server, "alice")
    await someone.log_in_by_link()
    yield someone


async def test_a_passkey_is_made_used_and_removed(person: Person) -> None:
    page = person.page
    await person.set_password()
    key = await person.authenticator()
    await person.make_passkey("My key")
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    await expect(page.locator(".codes li")).to_have_count(10)
    recovery_code = await page.locator(".codes code").first.inner_text()
    await person.log_out()

    await person.give_password()
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url(f"{person.url}/")
    await person.log_out()

    # A copy of the key has a count that was seen before: it is refused.
    sent = await person.devtools.send("WebAuthn.getCredentials", {"authenticatorId": key})
    copied = sent["credentials"][0]
    await person.devtools.send(
        "WebAuthn.removeCredential",
        {"authenticatorId": key, "credentialId": copied["credentialId"]},
    )
    copied["signCount"] = 0
    await person.devtools.send(
        "WebAuthn.addCredential", {"authenticatorId": key, "credential": copied}
    )
    await person.give_password()
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.locator(".message.bad")).to_contain_text("not accepted")
    await page.get_by_label("Recovery code").fill(recovery_code)
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(f"{person.url}/")

    await page.goto(f"{person.url}/account/")
    await expect(page.get_by_text("9 unused")).to_be_visible()
    await page.get_by_role("button", name="Remove the passkey My key").click()
    await expect(page.get_by_text("My key")).to_have_count(0)
    await expect(page.get_by_text("Recovery codes")).to_have_count(0)


async def test_a_passkey_of_another_name_is_not_asked_for(
    person: Person, context: BrowserContext
) -> None:
    await person.set_password()
    await person.authenticator()
    await person.make_passkey("Here")
    await expect(person.page.locator(".codes li")).to_have_count(10)
    elsewhere = Person(await context.new_page(), person.server, person.name)
    elsewhere.url = person.server.url
    await elsewhere.give_password()
    await expect(elsewhere.page.get_by_text("Your passkeys are for localhost")).to_be_visible()
    await expect(elsewhere.page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    await elsewhere.page.goto(f"{elsewhere.url}/account/passkey/")
    await expect(elsewhere.page.get_by_label("User name")).to_be_visible()


async def test_the_qr_code_is_read_and_the_app_logs_in(person: Person) -> None:
    page = person.page
    await person.set_password()
    await page.goto(f"{person.url}/account/app/")
    await expect(page.locator(".qr svg")).to_be_visible()
    secret = (await page.locator(".secret").inner_text()).replace(" ", "")
    box = await page.locator(".qr svg").bounding_box()
    assert box is not None
    assert box["width"] > 150
    before = pyotp.TOTP(secret).at(int(time.time()) - 30)
    await page.get_by_label("Code", exact=True).fill(before)
    await page.get_by_role("button", name="Turn on").click()
    await page.get_by_role("link", name="I have kept them").click()
    await page.wait_for_url(f"{person.url}/")
    await person.log_out()
    await person.give_password()
    await page.get_by_label("Code of your authenticator app").fill(before)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator(".message.bad")).to_contain_text("was used already")
    await page.get_by_label("Code of your authenticator app").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(f"{person.url}/")


async def test_a_phone_logs_in_by_a_qr_code(person: Person, browser: Browser) -> None:
    page = person.page
    await page.goto(f"{person.url}/account/")
    await page.get_by_role("link", name="Log in a phone").click()
    await expect(page.locator("#unreachable")).to_contain_text("A phone cannot reach localhost")
    await page.get_by_role("button", name="Make a link").click()
    link = await page.locator("#link").inner_text()
    assert link.startswith(f"{person.url}/login/once/")
    drawn = await page.locator(".qr .qrline").get_attribute("d")
    assert drawn is not None
    assert drawn in qr_code.drawing(link)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=person.url)
    await page.evaluate("() => navigator.clipboard.writeText('before')")
    # The word of the button stands for a moment alone: all its words are recorded.
    button = page.get_by_role("button", name="Copy the link")
    await button.evaluate(RECORD_WORDS)
    await button.click()
    await becomes_true(page, "window.words.includes('Copied')")
    assert await page.evaluate("() => navigator.clipboard.readText()") == link

    for is_first in (True, False):
        phone = await browser.new_context()
        opened = await phone.new_page()
        await opened.goto(link)
        if is_first:
            await opened.get_by_role("button", name="Log in as alice").click()
            await opened.wait_for_url(f"{person.url}/")
            await Person(opened, person.server, person.name).is_live()
        else:
            await expect(opened.get_by_text("This link was used already")).to_be_visible()
        await phone.close()
    await page.goto(f"{person.url}/account/")
    log_ins = page.get_by_role("region", name="Log-ins").get_by_role("listitem")
    await expect(log_ins).to_have_count(2)


async def test_a_password_is_suggested_until_there_is_one(page: Page, server: Server) -> None:
    owner = Person(page, server, "owner")
    await owner.log_in_by_link()
    await page.get_by_role("link", name="Set a password").click()
    await expect(page.get_by_role("heading", name="Account of owner")).to_be_visible()
    await page.get_by_role("link", name="Set a password").click()
    await expect(page.get_by_role("heading", name="New password")).to_be_visible()
    await owner.set_password()
    await page.goto(owner.url)
    await owner.is_live()
    await expect(page.locator("#no-password")).to_have_count(0)


async def test_a_suggestion_that_was_put_away_stays_away(
    page: Page, server: Server, browser: Browser
) -> None:
    owner = Person(page, server, "owner")
    await owner.log_in_by_link()
    await owner.is_live()
    await page.get_by_role("button", name="Not now").click()
    suggestion = page.locator("#no-password")
    await expect(suggestion).to_have_count(0)
    await expect(page.locator("#scroll")).to_be_focused()
    await page.reload()
    await owner.is_live()
    await expect(suggestion).to_have_count(0)
    await owner.log_out()
    await owner.log_in_by_link()
    await owner.is_live()
    await expect(suggestion).to_have_count(0)

    context = await browser.new_context()
    other = Person(await context.new_page(), server, "owner")
    await other.log_in_by_link()
    await expect(other.page.locator("#no-password")).to_be_visible()
    await context.close()


async def test_a_device_without_passkeys_says_so(person: Person) -> None:
    page = person.page
    await page.add_init_script("delete window.PublicKeyCredential")
    await person.make_passkey("None")
    await expect(page.locator(".field-error")).to_contain_text("no passkeys here")


async def test_the_account_is_reached_from_the_chat(person: Person) -> None:
    page = person.page
    await page.get_by_role("link", name="alice").click()
    await expect(page.get_by_role("heading", name="Account of alice")).to_be_visible()
    await page.get_by_label("Name of a new token").fill("laptop")
    await page.get_by_role("button", name="Make a token").click()
    token = await page.locator(".secret").inner_text()
    assert re.fullmatch(r"backstay_[\w-]{43}", token)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Revoke laptop").click()
    await expect(page.get_by_text("laptop", exact=True)).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
async def test_no_page_of_the_account_is_wider_than_its_screen(person: Person, width: int) -> None:
    await person.page.set_viewport_size({"width": width, "height": 800})
    for path in ("", "password/", "app/", "passkey/", "phone/"):
        await person.page.goto(f"{person.url}/account/{path}")
        wide = await person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
