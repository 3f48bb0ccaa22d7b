"""A walk through the states of the page by one person, who is also an administrator.

async for state in states(chat): the page is in that state now
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from playwright.async_api import Page, expect

from sessions.text.growing import render
from tests.browser.chat import Chat
from tests.browser.permission_requests import Requests

Part = Callable[[], AsyncIterator[str]]

MARKDOWN = """\
# A heading

A paragraph with `code`, a [link](https://example.org) and <kbd>Enter</kbd>.[^1]

- [x] done
- [ ] open

| name | value |
| --- | ---: |
| one | 1 |

> A quote.

```python
def answer() -> int:
    return 42  # a comment with "words" and 1 number
```

<details><summary>More</summary>Hidden text.</details>

[^1]: A footnote.
"""
REPOSITORY = (
    "/run git init -q; seq 40 > a.txt; git add .; git -c user.name=a -c user.email=b commit -qm"
    " first; sed -i 's/^3$/three/; s/^30$/thirty/' a.txt; seq 90 > unbroken-name-of-a-new-file.txt;"
    " printf 'def f(name: str) -> str:\\n    return \"a\" + name  # one\\n' > b.py"
)
PAGES = (
    "account/",
    "account/password/",
    "account/phone/",
    "account/app/",
    "account/passkey/",
    "account/rules/",
    "account/projects/",
    "account/projects/{project}/",
    "account/mcp-servers/",
    "account/agents/",
    "no/such/page",
    "api/docs",
    "admin/",
    "admin/chat_sessions/session/",
    "admin/chat_sessions/session/{session}/change/",
    "admin/chat_sessions/event/?session__id__exact={session}",
    "admin/chat_sessions/message/",
    "admin/chat_sessions/prompt/",
    "admin/chat_sessions/apitoken/",
    "admin/chat_sessions/auditentry/",
    "admin/transport/watch/",
    "admin/transport/connection/",
    "admin/auth/user/",
)


async def states(chat: Chat) -> AsyncIterator[str]:
    """Bring the page into one state after the other; yield their names."""
    inside, beside = InTheChat(chat), BesideTheChat(chat)
    for part in (*inside.parts(), *beside.parts()):
        async for state in part():
            yield state


class InTheChat:
    """The states of the chat page."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.page: Page = chat.page

    def parts(self) -> tuple[Part, ...]:
        """Return the parts of the walk; each leaves a page from which the next can begin."""
        return (
            self._new_chat,
            self._answers,
            self._at_work,
            self._decisions,
            self._folder,
            self._list,
            self._without_line,
        )

    async def _new_chat(self) -> AsyncIterator[str]:
        await self.chat.open()
        await expect(self.page.locator(".agent").first).to_be_visible()
        await expect(self.page.get_by_role("link", name="Set a password")).to_be_visible()
        yield "new chat without a password"
        await self._press("Not now")
        yield "new chat"
        others = self.page.locator("#other-agents-label")
        await expect(others).to_contain_text("Set up ")
        await others.click()
        yield "other agents"
        await self._press("Choose folder")
        await expect(self.page.locator(".folder-row").first).to_be_visible()
        yield "folders"
        await self.page.keyboard.press("Escape")
        await self.page.locator("#terminal-chats").click()
        await expect(self.page.locator("dialog[open]")).to_be_visible()
        yield "chats from the terminal"
        await self.page.keyboard.press("Escape")
        await self.chat.prompt.blur()
        await self.page.keyboard.press("?")
        await expect(self.page.locator("#shortcuts-dialog")).to_be_visible()
        yield "shortcuts"
        await self.page.keyboard.press("Escape")
        await self.page.locator("#attach-input").set_input_files(
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"notes"}
        )
        await expect(self.page.locator(".attached")).to_have_count(1)
        yield "attached file"
        await self.page.get_by_role("button", name="Remove notes.txt").click()

    async def _answers(self) -> AsyncIterator[str]:
        await self.chat.open()
        for prompt in ("Hello", "/plan", "/picture", "/subagent", "/fail"):
            count = await self.chat.prompts.count()
            await self._send(prompt)
            await expect(self.chat.prompts).to_have_count(count + 1)
            await expect(self.page.locator(".delivery").last).to_have_attribute(
                "data-kind", re.compile("done|stopped")
            )
            yield f"answer to {prompt}"
        await self._written(MARKDOWN)
        yield "Markdown"
        await self.page.keyboard.press("Alt+f")
        await self.page.get_by_label("Find in this chat").fill("heading")
        await expect(self.page.locator(".find-count")).to_have_text("1 of 1")
        yield "find"
        await self.page.keyboard.press("Escape")
        await self.page.locator("#open-menu").click()
        await expect(self.page.locator(".menu")).to_be_visible()
        yield "menu"
        await self._press("Rename")
        yield "rename"
        await self.page.keyboard.press("Escape")

    async def _written(self, markdown: str) -> None:
        """Open a chat whose one answer is this Markdown."""
        ids = {"messageId": "m1", "blockId": "b1"}
        call = self.chat.server.data.call
        session = call("create_session", name=self.chat.name)
        drafts = [
            ("user_message", {"messageId": "m0", "clientMsgId": "c0", "text": "Write"}),
            ("turn_start", {"turnId": "t1", "clientMsgId": "c0"}),
            ("message_start", {"messageId": "m1", "turnId": "t1", "role": "assistant"}),
            ("block_start", {**ids, "blockType": "text"}),
            ("block_end", {**ids, "content": markdown, "html": render(markdown)}),
            ("message_end", {"messageId": "m1"}),
            ("turn_end", {"turnId": "t1", "stopReason": "end_turn"}),
        ]
        call("append_drafts", session=session, drafts=drafts)
        await self.chat.open(f"/s/{session}")
        await expect(self.chat.last_answer()).to_be_visible()

    async def _at_work(self) -> AsyncIterator[str]:
        await self.chat.open()
        await self._send("/slow 4000")
        await expect(self.chat.last_answer()).to_contain_text("word2")
        yield "at work"
        await self._send("/slow 1")
        await expect(self.page.locator(".waiting-row")).to_have_count(1)
        yield "a prompt waits"
        await self._press("Edit")
        await expect(self.page.locator(".waiting-form")).to_be_visible()
        yield "a prompt that waits is edited"
        await self.page.keyboard.press("Escape")
        await self._press("Stop")
        await expect(self.page.locator(".ending").first).to_be_visible()
        yield "stopped"

    async def _decisions(self) -> AsyncIterator[str]:
        requests = await Requests.opened(self.chat)
        commands = ("git log --oneline", "curl x | sh", "line\n" * 60)
        await requests.ask(*({"command": command} for command in commands))
        await expect(requests.armed).to_have_count(1)
        yield "three requests"
        await self._press("Deny and say why …")
        yield "deny and say why"
        await self._press("Always allow …")
        yield "always allow"
        await self.page.unroute("**/api/chat/permission")
        await self.chat.open()
        await self._send("/ask")
        await expect(self.page.locator("form.question[data-armed=true]")).to_have_count(1)
        yield "question"

    async def _folder(self) -> AsyncIterator[str]:
        await self.chat.open()
        await self._send(REPOSITORY)
        await expect(self.page.locator(".permission[data-armed=true]")).to_have_count(1)
        action = self.page.locator(".permission-action")
        await action.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
        await self._press("Allow once")
        await expect(self.chat.deliveries).to_have_text("Answered")
        await self.page.locator(".block.tool summary").last.click()
        yield "tool"
        await self.page.locator("#open-changes").click()
        await self.page.locator("#work-since").select_option("head")
        for name in ("a.txt", "b.py"):
            await self.page.locator("#work-list .change", has_text=name).locator("summary").click()
        await expect(self.page.locator("#work-changes .diff-row.added")).to_have_count(4)
        yield "changes"
        sides = self.page.locator("#work-sides")
        if await sides.is_visible():
            await sides.click()
            yield "changes side by side"
            await sides.click()
        await self.page.locator("#work-changes .diff-rows").first.focus()
        await self.page.keyboard.press("ArrowDown")
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator(".comment-form")).to_be_visible()
        yield "comment"
        await self.page.keyboard.press("Escape")
        await self.page.locator("#work-files-tab").click()
        await self.page.locator("#files-list").get_by_role("button", name="b.py").click()
        await expect(self.page.locator("#file-shown .diff-row")).to_have_count(2)
        yield "file"
        await self.page.locator("#work-close").click()
        await self.chat.prompts.last.hover()
        await self._press("Go back")
        await expect(self.page.locator(".back-dialog")).to_be_visible()
        yield "go back"
        await self.page.keyboard.press("Escape")

    async def _list(self) -> AsyncIterator[str]:
        await self.chat.open()
        await expect(self.page.locator("#sessions .row").first).to_be_attached()
        await self._open_list()
        yield "list"
        await self.page.locator("#search").fill("slow")
        await expect(self.page.locator("a.found").first).to_be_visible()
        yield "search"
        await self.page.locator("#search").fill("")
        await self.page.locator("#show-archived").click()
        await expect(self.page.locator("dialog[open]")).to_be_visible()
        yield "archived chats"
        await self.page.keyboard.press("Escape")
        await self.page.goto(f"{self.chat.url}/s/00000000-0000-4000-8000-000000000000")
        await expect(self.page.get_by_role("heading", name="nothing here")).to_be_visible()
        yield "no such chat"

    async def _without_line(self) -> AsyncIterator[str]:
        await self._written("An answer.")
        await self.page.context.set_offline(True)
        await expect(self.chat.line).to_have_attribute("data-kind", "offline")
        await self._send("/slow 1")
        await expect(self.chat.prompts).to_have_count(2)
        yield "offline"
        await self.page.context.set_offline(False)
        await self.chat.live()

    async def _send(self, prompt: str) -> None:
        """Send a prompt by the button: on touch, Enter makes a line."""
        await self.chat.prompt.fill(prompt)
        await self.page.locator("#send").click()

    async def _open_list(self) -> None:
        """Open the list of chats where it is a drawer."""
        button = self.page.get_by_role("button", name="Open the list of chats")
        if await button.is_visible():
            await button.click()

    async def _press(self, name: str) -> None:
        """Press the one button of this name that is shown."""
        buttons = self.page.get_by_role("button", name=name, exact=True)
        await buttons.filter(visible=True).last.click()


class BesideTheChat:
    """The pages of the account and of the administration, and those of a stranger."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.page: Page = chat.page

    def parts(self) -> tuple[Part, ...]:
        """Return the parts of the walk; the last one logs out."""
        return (self._pages, self._outside)

    async def _pages(self) -> AsyncIterator[str]:
        session = self.chat.server.data.call("create_session", name=self.chat.name)
        self.chat.server.data.call("prompt", session=session, text="Hello")
        project = self._project()
        for path in PAGES:
            own = path.format(session=session, project=project)
            await self.page.goto(f"{self.chat.url}/{own}")
            if path == "api/docs":
                await expect(self.page.locator(".opblock").first).to_be_visible()
            yield f"/{path}"
            if path == "account/phone/":
                await self.page.get_by_role("button", name="Make a link").click()
                await expect(self.page.locator(".qr svg")).to_be_visible()
                yield "link for a phone"

    def _project(self) -> str:
        """Make a project of the repository in the person's home; return its id."""
        folder = f"{self.chat.server.environment['HOME']}/shop"
        with self.chat.server.client(self.chat.name) as http:
            made = http.post("/api/projects", json={"folder": folder}).raise_for_status()
        return str(made.json()["project"]["id"])

    async def _outside(self) -> AsyncIterator[str]:
        await self.page.context.clear_cookies()
        await self.page.goto(f"{self.chat.url}/login/")
        yield "/login/"
        await self.page.get_by_label("User name").fill("nobody")
        await self.page.get_by_label("Password").fill("wrong")
        await self.page.get_by_role("button", name="Log in").click()
        await expect(self.page.get_by_role("alert")).to_be_visible()
        yield "refused log-in"
        await self.page.goto(self.chat.url + self.chat.server.one_time_link(self.chat.name))
        yield "one-time link"
