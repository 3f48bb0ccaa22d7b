"""Images and files of a prompt: picked, pasted, dropped; they survive a reload and a lost line."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

from playwright.async_api import FilePayload, Locator, Page, Route, expect

from tests.browser.chat import Chat, eventually

_JPEG = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = 40; canvas.height = 30;
  canvas.getContext("2d").fillRect(5, 5, 10, 10);
  return canvas.toDataURL("image/jpeg").split(",")[1];
}"""
# The page asks for much when its connection is back; more often, the server would refuse it.
BACK_EVERY_S = 1.0
PLACE = b"GPS 52.5200 N, 13.4050 E of a camera"


async def come_back(chat: Chat) -> None:
    """Let the outbox try at once: the test is not about its delays."""
    await chat.page.evaluate("dispatchEvent(new Event('online'))")
    await asyncio.sleep(BACK_EVERY_S)


def png(width: int, height: int) -> bytes:
    """Return a grey image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def attached(page: Page) -> Locator:
    return page.locator(".attached")


async def pick(chat: Chat, *files: FilePayload) -> None:
    before = await attached(chat.page).count()
    await chat.page.locator("#attach-input").set_input_files(list(files))
    await expect(attached(chat.page)).to_have_count(before + len(files))


def payload(name: str, mime: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": mime, "buffer": data}


def prompts(chat: Chat) -> list[dict[str, Any]]:
    return [event for event in chat.log() if event["type"] == "user_message"]


async def bytes_of(chat: Chat, blob: str) -> bytes:
    token = chat.server.token(chat.name)
    headers = {"Authorization": f"Bearer {token}"}
    answer = await chat.page.context.request.get(
        f"{chat.server.url}/api/blobs/{blob}", headers=headers
    )
    assert answer.status == 200
    return await answer.body()


async def test_an_image_is_made_smaller_loses_its_place_and_is_shown(chat: Chat) -> None:
    await chat.open()
    jpeg = base64.b64decode(await chat.page.evaluate(_JPEG))
    segment = b"Exif\x00\x00" + PLACE
    with_place = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
    await pick(chat, payload("photo.jpg", "image/jpeg", with_place))
    await pick(chat, payload("wide.png", "image/png", png(3000, 30)))
    await expect(attached(chat.page).locator("canvas")).to_have_count(2)
    await pick(chat, payload("notes.txt", "text/plain", b"remember the milk"))
    await attached(chat.page).nth(2).get_by_role("button", name="Remove notes.txt").click()
    await expect(attached(chat.page)).to_have_count(2)
    await chat.ask("/slow 1")
    await expect(attached(chat.page)).to_have_count(0)
    [prompt] = prompts(chat)
    assert [each["name"] for each in prompt["attachments"]] == ["photo.jpg", "wide.png"]
    photo, wide = [await bytes_of(chat, each["blob"]) for each in prompt["attachments"]]
    assert photo.startswith(b"\xff\xd8\xff")
    assert PLACE not in photo
    assert struct.unpack(">II", wide[16:24]) == (2000, 20)
    await expect(chat.last_answer()).to_contain_text("I see 2 images")
    images = chat.prompts.last.locator("img")
    await expect(images).to_have_count(2)
    for number in range(2):
        await expect(images.nth(number)).to_have_js_property("complete", value=True)
        await expect(images.nth(number)).not_to_have_js_property("naturalWidth", 0)


async def test_files_are_pasted_and_dropped_and_a_text_may_be_missing(chat: Chat) -> None:
    await chat.open()
    for kind, event, name in (
        ("paste", "ClipboardEvent", "a.txt"),
        ("drop", "DragEvent", "b.txt"),
    ):
        target = "#prompt" if kind == "paste" else "#composer"
        field = "clipboardData" if kind == "paste" else "dataTransfer"
        await chat.page.locator(target).evaluate(
            f"""(element, name) => {{
              const files = new DataTransfer();
              files.items.add(new File(["text of " + name], name, {{ type: "text/plain" }}));
              element.dispatchEvent(new {event}("{kind}",
                {{ {field}: files, bubbles: true, cancelable: true }}));
            }}""",
            name,
        )
        await expect(attached(chat.page).last).to_contain_text(name)
    await expect(attached(chat.page)).to_have_count(2)
    await chat.page.locator("#send").click()
    await chat.answered(1)
    [prompt] = prompts(chat)
    assert prompt["text"] == ""
    await chat.send("/slow 600")
    await expect(chat.last_answer()).to_contain_text("word2")
    await pick(chat, payload("waits.txt", "text/plain", b"w"))
    await chat.page.locator("#send").click()
    await expect(chat.page.locator(".waiting-text")).to_have_text("waits.txt")
    await chat.page.get_by_role("button", name="Remove", exact=True).click()
    await expect(chat.page.locator("#waiting")).to_be_hidden()
    await chat.page.get_by_role("button", name="Stop", exact=True).click()
    blobs = [hashlib.sha256(f"text of {n}.txt".encode()).hexdigest() for n in "ab"]
    assert [each["blob"] for each in prompt["attachments"]] == blobs
    assert await bytes_of(chat, blobs[0]) == b"text of a.txt"


async def test_i4_a_reload_and_a_cut_between_upload_and_send_bring_one_prompt_with_its_image(
    chat: Chat,
) -> None:
    await chat.open()
    tries: list[str] = []

    async def cut(route: Route) -> None:
        tries.append(route.request.url)
        await route.abort()

    await chat.page.route("**/api/blobs/*", cut)
    await pick(chat, payload("shot.png", "image/png", png(50, 40)))
    await chat.page.reload()
    await chat.live()
    await expect(attached(chat.page)).to_have_count(1)
    await chat.send("/slow 1")
    await expect(chat.deliveries).to_have_text("Waiting to send")
    await chat.page.reload()
    await expect(chat.deliveries).to_have_text("Waiting to send")
    await chat.page.route("**/api/chat/send", cut)
    await chat.page.unroute("**/api/blobs/*")

    async def is_cut_behind_the_upload() -> bool:
        await come_back(chat)
        return any(url.endswith("/api/chat/send") for url in tries)

    await eventually(is_cut_behind_the_upload, what="a POST behind the upload")
    await chat.page.unroute("**/api/chat/send")

    async def is_answered() -> bool:
        await come_back(chat)
        return await chat.deliveries.all_inner_texts() == ["Answered"]

    await eventually(is_answered, what="the answer")
    [prompt] = prompts(chat)
    assert [each["name"] for each in prompt["attachments"]] == ["shot.png"]
    await expect(chat.last_answer()).to_contain_text("I see 1 image")
    await expect(chat.prompts).to_have_count(1)


async def test_an_at_sign_offers_the_files_of_the_folder_by_keyboard_and_by_thumb(
    chat: Chat,
) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.in_session()
    folder = Path(chat.log()[0]["cwd"])
    (folder / "src").mkdir()
    (folder / "src" / "reader.py").write_text("x")
    (folder / "README.md").write_text("x")
    options = chat.page.locator("#path-hints [role=option]")
    await chat.prompt.press_sequentially("look at @rea")
    await expect(options).to_have_count(2)
    await chat.prompt.press("ArrowDown")
    active = await chat.prompt.get_attribute("aria-activedescendant")
    await expect(chat.page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    await chat.prompt.press("Enter")
    await expect(options).to_have_count(0)
    await expect(chat.prompt).to_have_value("look at @src/reader.py ")
    await chat.prompt.press_sequentially("and at @rea")
    await options.first.click()
    await expect(chat.prompt).to_have_value("look at @src/reader.py and at @README.md ")
    await chat.prompt.press_sequentially("mail@rea")
    await expect(options).to_have_count(0)
    await chat.prompt.press("Enter")
    await chat.answered(2)
    [_, prompt] = [event for event in chat.log() if event["type"] == "user_message"]
    assert prompt["mentions"] == ["src/reader.py", "README.md"]
