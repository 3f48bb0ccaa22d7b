"""The static files of one version: their content, bundled, and compressed once."""

from __future__ import annotations

import gzip
import hashlib
import logging
import mimetypes
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders

from chatproject.assets import bundle
from chatproject.assets.minify import minified

logger = logging.getLogger(__name__)

# The entry of the page; other modules are loaded by pages that have few of them.
SCRIPT: Final = "sessions/main.js"
LATER: Final = bundle.later_name(SCRIPT)
SHEETS: Final = frozenset(f"sessions/{name}.css" for name in ("page", "chat", "site"))
# Packed before they are asked for, as small as can be, the script first. A person waits for all
# others: the script of /api/docs takes 3.4 s of a processor at the best quality, and 0.03 s at the
# other one, for an eighth more bytes.
AHEAD: Final = (SCRIPT, LATER, *sorted(SHEETS))
BEST: Final = 11
QUICK: Final = 5
_TEXTS: Final = ("text/", "image/svg+xml", "application/json", "application/javascript")
_DIGITS: Final = 16


class Assets:
    """Every static file of the apps, by its name."""

    def __init__(self) -> None:
        self._paths = dict(_paths())
        self._packed: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Return the digest of all files, which stands in their addresses."""
        return _version()

    def __contains__(self, name: str) -> bool:
        return name in self._paths or name == LATER

    def held(self, name: str, encoding: str) -> bytes | None:
        """Return a file's content if it was asked for before."""
        return self._packed.get((name, encoding))

    def packed(self, name: str, encoding: str) -> bytes:
        """Return a file's content in an encoding ("br", "gzip", ""); the first time takes long."""
        with self._lock:
            key = (name, encoding)
            if key not in self._packed:
                self._packed[key] = self._pack(name, encoding)
            return self._packed[key]

    def _pack(self, name: str, encoding: str) -> bytes:
        if not encoding:
            return self._content(name)
        if (name, "") not in self._packed:
            self._packed[name, ""] = self._content(name)
        plain = self._packed[name, ""]
        if encoding == "gzip":
            return gzip.compress(plain, mtime=0)
        return bytes(brotli.compress(plain, quality=BEST if name in AHEAD else QUICK))

    def _content(self, name: str) -> bytes:
        try:
            if name in {SCRIPT, LATER}:
                scripts = bundle.scripts(SCRIPT, self._read)
                text = scripts.first if name == SCRIPT else scripts.later
                return minified(text, "application/javascript").encode()
            if name in SHEETS:
                return minified(bundle.sheet(name, self._read), "text/css").encode()
        except bundle.CannotBundle:
            logger.exception("cannot bundle: the modules are served one by one")
            if name == LATER:
                return b""
        return self._paths[name].read_bytes()

    def _read(self, name: str) -> str:
        return self._paths[name].read_text(encoding="utf-8")


@cache
def assets() -> Assets:
    """Return the files of this process: they do not change while a server runs."""
    return Assets()


def type_of(name: str) -> str:
    """Return the media type of a file."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def is_text(name: str) -> bool:
    """Return whether a file becomes smaller when it is compressed."""
    return type_of(name).startswith(_TEXTS)


def version() -> str:
    """Return the version that addresses name, "" in development: there the files change."""
    return "" if settings.DEBUG else _version()


def _paths() -> Iterator[tuple[str, Path]]:
    """Yield the name and the place of each file; of two with one name the first, as in Django."""
    seen = set()
    for finder in finders.get_finders():
        for path, storage in finder.list(None):
            name = path.replace("\\", "/")
            if name not in seen:
                seen.add(name)
                yield name, Path(storage.path(path))


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name, path in sorted(_paths()):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:_DIGITS]
