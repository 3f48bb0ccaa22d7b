"""Prompts with a picture: its bytes go up first, over a line that may be cut before the prompt."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Final

from lab.chaos.people.hands import Hands
from transport.client.commands import UNANSWERED, Answer
from transport.client.uploads import named

TEXT: Final = "A picture of {id}."
# A person presses the button again so often.
TRIES: Final = 6
PAUSE_S: Final = 0.5
# More than one piece of an upload.
LARGE_BYTES: Final = 1_200_000
SMALL_BYTES: Final = 500


class Attaching:
    """Sends pictures."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    async def send(self, session_id: str, drawn: int, client_msg_id: str) -> None:
        """Upload a picture and send a prompt with it; without the upload there is no prompt."""
        data = picture(drawn)
        for _ in range(TRIES):
            blob, answer = await self._upload(data)
            if answer is not None and answer.is_done:
                break
            await asyncio.sleep(PAUSE_S)
        else:
            return
        if not self._hands.is_off:
            files = [named(blob, f"picture-{drawn}.png")]
            options = {"session_id": session_id, "attachments": files}
            self._hands.write(TEXT, client_msg_id=client_msg_id, **options)

    async def _upload(self, data: bytes) -> tuple[str, Answer | None]:
        try:
            return await self._hands.client.upload(data)
        except (*UNANSWERED, RuntimeError):
            return "", None


def picture(number: int) -> bytes:
    """Return a PNG of one point that no other number has; some take several pieces."""
    size = LARGE_BYTES if number % 8 == 0 else SMALL_BYTES
    comment = f"number {number}".ljust(size).encode()
    point = zlib.compress(b"\0" + number.to_bytes(4, "big")[:3])
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"tEXt", b"Comment\0" + comment), (b"IDAT", point), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
