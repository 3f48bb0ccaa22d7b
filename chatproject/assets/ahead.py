"""The files of the page, bundled and compressed at the start, before a browser asks for them."""

from __future__ import annotations

import asyncio
import logging
import threading
from itertools import product
from typing import Final

from django.conf import settings

from chatproject.assets import files

logger = logging.getLogger(__name__)

# Browsers take "br" over https and on this machine, else "gzip".
ENCODINGS: Final = ("br", "gzip")


async def pack() -> None:
    """Pack the files in a thread; in development, where they change, pack none. Never raises."""
    if settings.DEBUG:
        return
    is_over = threading.Event()
    try:
        await asyncio.to_thread(_pack, is_over)
    except Exception:  # the request that packs a file by itself answers with the error
        logger.exception("cannot pack the files of the page: each is packed when it is asked for")
    finally:
        is_over.set()


def _pack(is_over: threading.Event) -> None:
    assets = files.assets()
    for name, encoding in product(files.AHEAD, ENCODINGS):
        if is_over.is_set():  # a server that stops waits for its threads
            return
        assets.packed(name, encoding)
    logger.info("the files of the page are packed", extra={"version": assets.version})
