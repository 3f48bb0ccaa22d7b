"""The requests of a tab, and their bytes over the wire, as the browser's developer tools tell."""

from __future__ import annotations

from typing import Any, Final, Protocol

STREAM: Final = "/api/chat/events"


class Devtools(Protocol):
    """A session of the developer tools, of either kind of Playwright's API."""

    def on(self, event: Any, f: Any) -> None:
        """Call f for each event."""


class Traffic:
    """The requests since now; the session must have enabled Network."""

    def __init__(self, devtools: Devtools) -> None:
        self.addresses: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        devtools.on("Network.requestWillBeSent", self._sent)
        devtools.on("Network.requestServedFromCache", self._kept)
        devtools.on("Network.loadingFinished", self._finished)

    def _sent(self, told: dict[str, Any]) -> None:
        self.addresses[told["requestId"]] = told["request"]["url"]

    def _kept(self, told: dict[str, Any]) -> None:
        del self.addresses[told["requestId"]]

    def _finished(self, told: dict[str, Any]) -> None:
        self.sizes[told["requestId"]] = int(told["encodedDataLength"])

    def all_came(self) -> bool:
        """Return whether every answer has ended, but for the stream."""
        return all(
            request in self.sizes or url.endswith(STREAM) for request, url in self.addresses.items()
        )
