"""Static files by version: kept by the browser for a year, and compressed."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware

from chatproject.assets.files import Assets, assets, is_text, type_of

_YEAR_S: Final = 31_536_000
_ENCODINGS: Final = ("br", "gzip")
_REFUSED: Final = re.compile(r";\s*q=0(?:\.0*)?\s*$")


class AssetsMiddleware(ServeStaticMiddleware):  # type: ignore[misc]  # it has no types
    """ServeStatic, and the files of this version below an address of their own.

    Our pages name those alone. So ServeStatic's files are listed when the first one is asked for:
    at the start, it would take a third of the time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._are_listed = False
        self._listing = asyncio.Lock()
        super().__init__(*args, **kwargs)
        self._assets: Assets | None = None

    def add_files_from_finders(self) -> None:
        """List no files yet; in development, they are looked for in these folders."""
        if self.autorefresh:
            super().add_files_from_finders()

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return a file, or the answer of the next middleware."""
        name = await self._name_of(request.path_info)
        if name is not None:
            return await self._answer(request, name)
        if request.path_info.startswith(self.static_prefix):
            await self._list()
        response: HttpResponseBase = await super().__call__(request)
        return response

    async def _list(self) -> None:
        """List ServeStatic's files, once."""
        if self.autorefresh or self._are_listed:
            return
        async with self._listing:
            if not self._are_listed:
                await asyncio.to_thread(super().add_files_from_finders)
                self._are_listed = True

    async def _name_of(self, path: str) -> str | None:
        """Return the name of the file at an address of this version; None for other addresses."""
        if not path.startswith(self.static_prefix):
            return None
        version, _, name = path.removeprefix(self.static_prefix).partition("/")
        if not name:
            return None
        if self._assets is None:
            self._assets = await asyncio.to_thread(assets)
            await asyncio.to_thread(lambda: self._assets and self._assets.version)
        return name if version == self._assets.version and name in self._assets else None

    async def _answer(self, request: HttpRequest, name: str) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        encoding = _encoding_for(request) if is_text(name) else ""
        content = await self._content(name, encoding)
        response = HttpResponse(content_type=type_of(name))
        response["Cache-Control"] = f"max-age={_YEAR_S}, public, immutable"
        response["Vary"] = "Accept-Encoding"
        response["Content-Length"] = str(len(content))
        if encoding:
            response["Content-Encoding"] = encoding
        if request.method == "GET":
            response.content = content
        return response

    async def _content(self, name: str, encoding: str) -> bytes:
        if self._assets is None:
            raise RuntimeError("no name is known before the files")
        held = self._assets.held(name, encoding)
        if held is not None:
            return held
        return await asyncio.to_thread(self._assets.packed, name, encoding)


def _encoding_for(request: HttpRequest) -> str:
    """Return the best encoding that a client takes, "" for none."""
    accepted = [
        part.strip().lower() for part in request.headers.get("Accept-Encoding", "").split(",")
    ]
    taken = {part.partition(";")[0].strip() for part in accepted if not _REFUSED.search(part)}
    return next((encoding for encoding in _ENCODINGS if encoding in taken), "")
