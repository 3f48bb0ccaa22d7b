"""The port of a device: every kind of it can be switched, frozen, hurried and asked."""

from __future__ import annotations

from typing import Protocol

from lab.chaos.evidence import Record


class AnyDevice(Protocol):
    """A device of any kind, as the conductor sees it."""

    record: Record

    @property
    def delays(self) -> list[float]:
        """Seconds from each event to it."""
        ...

    @property
    def name(self) -> str:
        """Its name in the report."""
        ...

    async def switch_on(self) -> None:
        """Begin its first life."""
        ...

    async def switch_off(self) -> None:
        """End it; a second call changes nothing."""
        ...

    async def reload(self, *, keeps_cursors: bool) -> None:
        """End it and begin the next one."""
        ...

    async def freeze(self, *, frozen: bool) -> None:
        """Let it do nothing, or continue."""
        ...

    async def burst(self, target: int) -> None:
        """Write more at once than is good."""
        ...

    async def hurry(self) -> None:
        """Let it notice that its line is good again."""
        ...

    async def unsettled(self) -> str:
        """Return the reason of its unrest, in words; empty without one."""
        ...

    async def finish(self) -> None:
        """Record the facts that only the end has."""
        ...

    async def run(self) -> None:
        """Act as a person until the rest."""
        ...

    def rest(self) -> None:
        """Write nothing more."""
        ...

    def cursors(self) -> dict[str, int | None]:
        """Return where it stands, by session."""
        ...
