"""`GET /healthz` before Django: load balancers ask it every few seconds, and it asks nothing."""

from __future__ import annotations

from typing import Final

from chatproject.headers import Message, Send

PATH: Final = "/healthz"
BODY: Final = b'{"ok": true}'
_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
    ],
}


def is_probe(scope: Message) -> bool:
    """Return whether a request asks whether the process answers; Django refuses other methods."""
    return scope["path"] == PATH and scope["method"] in {"GET", "HEAD"}


async def answer(scope: Message, send: Send) -> None:
    """Answer that this process answers."""
    await send(dict(_START))
    await send({"type": "http.response.body", "body": BODY if scope["method"] == "GET" else b""})
