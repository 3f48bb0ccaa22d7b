"""Pictures for the docs, taken of a real server, a real agent and a real Chromium.

python -m lab.pictures          every picture, into docs/pictures
python -m lab.pictures FOLDER   into another folder
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console
from rich.text import Text

from lab.rig import origin_key
from lab.rig.processes import ROOT
from lab.rig.programs import chromium
from lab.rig.servers import Server

PICTURES: Final = ROOT / "docs/pictures"
PATIENCE_MS: Final = 60_000
OWNER: Final = "owner"
Scheme = Literal["dark", "light"]
DESKTOP: Final[dict[str, Any]] = {"viewport": {"width": 1200, "height": 750}}
WIDE: Final[dict[str, Any]] = {"viewport": {"width": 1400, "height": 560}}
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36",
}
# Title of a chat, and its prompts. The last one is the chat in the pictures of the page.
CHATS: Final = (
    ("Upgrade to Django 5.2", ("What do you need to begin?",)),
    ("Why is the build slow?", ("/slow 4000",)),
    ("Fix the flaky login test", ("Can I close this page while you work?",)),
)
ALLOWED: Final = "/run python3 --version"
ASKED: Final = "/run git push origin login-fix"
TERMINAL_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 20px 24px; width: 780px; background: #16181d; color: #d9dce3; }}
pre {{ margin: 0; font: 14px/1.45 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}
</style><pre>{text}</pre>"""


class Photographer:
    """One server and one browser; each method takes pictures into the folder."""

    def __init__(self, server: Server, browser: Browser, folder: Path) -> None:
        self._server = server
        self._browser = browser
        self._folder = folder

    def prepare(self) -> str:
        """Hold the conversations; return the id of the one to show."""
        session_id = ""
        with self._server.client(OWNER) as api:
            for title, prompts in CHATS:
                session_id = self._begin(api, title, prompts)
            self._send(api, ALLOWED, session_id)
            self._allow(api, session_id)
            self._send(api, ASKED, session_id)
            self._until(api, session_id, {"requires_action"})
        return session_id

    def page(self, name: str, device: dict[str, Any], scheme: Scheme, session_id: str) -> None:
        """Take the page of a chat."""
        with self._tab(device, scheme) as tab:
            tab.goto(f"{self._server.url}/s/{session_id}")
            expect(tab.locator("#line")).to_have_attribute("data-kind", "live")
            expect(tab.locator("#permissions [data-armed=true]")).to_be_visible()
            tab.get_by_role("button", name="Not now").click()
            tab.screenshot(path=self._path(f"{name}-{scheme}"), animations="disabled")

    def deliveries(self, session_id: str) -> None:
        """Take the admin's page of deliveries while a desktop and a phone watch."""
        with self._tab(DESKTOP, "light") as desktop, self._tab(PHONE, "light") as phone:
            for tab in (desktop, phone):
                tab.goto(f"{self._server.url}/s/{session_id}")
                expect(tab.locator("#line")).to_have_attribute("data-kind", "live")
            with self._tab(WIDE, "light") as admin:
                self._until_confirmed(admin)
                admin.screenshot(path=self._path("deliveries"), animations="disabled")

    def terminal(self) -> None:
        """Take a chat in the terminal, from prompt to permission to answer."""
        said = terminal_session(self._server)
        tab = self._browser.new_page(viewport={"width": 828, "height": 300})
        tab.set_content(TERMINAL_PAGE.format(text=in_colours(said)))
        tab.screenshot(path=self._path("terminal"), full_page=True)
        tab.close()

    def _until_confirmed(self, admin: Page) -> None:
        """Load the deliveries until both devices have acknowledged every event."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            admin.goto(f"{self._server.url}/admin/transport/watch/")
            if admin.locator(".field-unconfirmed").all_text_contents() == ["0", "0"]:
                return
            time.sleep(0.2)
        raise TimeoutError("the devices did not acknowledge what they have")

    @contextmanager
    def _tab(self, device: dict[str, Any], scheme: Scheme) -> Iterator[Page]:
        context = self._browser.new_context(**device, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(origin_key.SCRIPT)
        cookies = self._server.login(OWNER).items()
        context.add_cookies(
            [{"name": name, "value": value, "url": self._server.url} for name, value in cookies]
        )
        try:
            yield context.new_page()
        finally:
            context.close()

    def _begin(self, api: httpx.Client, title: str, prompts: tuple[str, ...]) -> str:
        session_id = ""
        for prompt in prompts:
            session_id = self._send(api, prompt, session_id)
            is_long = prompt.startswith("/slow")
            self._until(api, session_id, {"running"} if is_long else {"idle"})
        api.patch(f"/api/sessions/{session_id}", json={"title": title}).raise_for_status()
        return session_id

    def _send(self, api: httpx.Client, text: str, session_id: str) -> str:
        body = {"clientMsgId": f"m-{time.monotonic_ns()}", "sessionId": None, "text": text}
        place = {"sessionId": session_id} if session_id else {"agent": "demo"}
        answer = api.post("/api/chat/send", json=body | place)
        return str(answer.raise_for_status().json()["sessionId"])

    def _allow(self, api: httpx.Client, session_id: str) -> None:
        [asked] = self._until(api, session_id, {"requires_action"})["permissions"]
        body = {
            "permId": asked["permId"],
            "optionId": asked["options"][0]["id"],
            "digest": asked["digest"],
        }
        answer = api.post("/api/chat/permission", json={"sessionId": session_id, **body})
        answer.raise_for_status()
        self._until(api, session_id, {"idle"})

    def _until(self, api: httpx.Client, session_id: str, run_states: set[str]) -> Any:
        """Return the snapshot once the last prompt has begun and the run state is one of these."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            snapshot = api.get(f"/api/sessions/{session_id}/snapshot").raise_for_status().json()
            prompts = [m for m in snapshot["messages"] if m["role"] == "user"]
            has_begun = bool(prompts) and prompts[-1]["promptState"] != "accepted"
            if has_begun and snapshot["runState"] in run_states:
                return snapshot
            time.sleep(0.1)
        raise TimeoutError(f"{session_id} did not become {run_states}")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.png"


def terminal_session(server: Server) -> str:
    """Return the text of a short chat in a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "chat", "--agent", "demo", "--url", server.url]
    process = subprocess.Popen(
        command, cwd=ROOT, env=server.environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = "$ manage.py chat --agent demo\n"
    try:
        said += heard(ours, r":help lists .*\n")
        for line, answer in (("/run python3 --version", r":3 .*\n"), (":1", r"exit code 0\.")):
            os.write(ours, line.encode() + b"\n")
            said += heard(ours, answer)
        os.write(ours, b":quit\n")
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said


def in_colours(said: str) -> str:
    """Return the output of a terminal as HTML."""
    page = Console(file=io.StringIO(), record=True, width=200, force_terminal=True, _environ={})
    page.print(Text.from_ansi(said))
    return page.export_html(inline_styles=True, code_format="{code}")


def heard(terminal: int, answer: str) -> str:
    """Return the output of a terminal up to an answer."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    said = ""
    while not re.search(answer, said):
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"{answer} did not come: {said}")
        said += os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
    return said


def main() -> None:
    """Take every picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    program = chromium.find()
    if program is None:
        raise SystemExit(f"The pictures need {chromium.HOW_TO_INSTALL}.")
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = Server(Path(data)).start()
        browser = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
        try:
            photographer = Photographer(server, browser, folder)
            session_id = photographer.prepare()
            for scheme in ("light", "dark"):
                photographer.page("desktop", DESKTOP, scheme, session_id)
                photographer.page("phone", PHONE, scheme, session_id)
            photographer.deliveries(session_id)
            photographer.terminal()
        finally:
            browser.close()
            server.close()


if __name__ == "__main__":
    main()
