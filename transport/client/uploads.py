"""Uploads: bytes go up in pieces, from where the server is, before the prompt that names them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

import httpx

from transport.client.commands import Answer, answer_of

PATH: Final = "/api/blobs/"
PIECE_BYTES: Final = 1024 * 1024
# A piece that another client sends at the same time moves the place; so often it is looked up.
MAX_MOVES: Final = 5


async def upload(http: httpx.AsyncClient, data: bytes, *, timeout_s: float) -> tuple[str, Answer]:
    """Store bytes; return their SHA-256 and the last answer. timeout_s: for one piece.

    Raises one of UNANSWERED; called again, it continues where it ended.
    """
    name, size = hashlib.sha256(data).hexdigest(), len(data)
    answer = await _put(http, name, f"*/{size}", b"", timeout_s)
    moves = 0
    while _is_partial(answer) and moves <= MAX_MOVES:
        first = answer.body["received"]
        piece = data[first : first + PIECE_BYTES]
        told = f"{first}-{first + len(piece) - 1}/{size}"
        answer = await _put(http, name, told, piece, timeout_s)
        moves += answer.status == httpx.codes.CONFLICT
    return name, answer


def named(blob: str, name: str) -> dict[str, Any]:
    """Return an attachment as a prompt names it."""
    return {"blob": blob, "name": name}


def _is_partial(answer: Answer) -> bool:
    is_open = answer.status in {httpx.codes.ACCEPTED, httpx.codes.CONFLICT}
    return is_open and type(answer.body.get("received")) is int


async def _put(
    http: httpx.AsyncClient, name: str, told: str, data: bytes, timeout_s: float
) -> Answer:
    headers = {"Content-Range": f"bytes {told}", "Content-Type": "application/octet-stream"}
    async with asyncio.timeout(timeout_s):
        return answer_of(await http.put(PATH + name, content=data, headers=headers))
