"""The crowd of a run: its sessions, its devices and the line of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from lab.chaos.evidence import Disturbance
from lab.chaos.faults import source
from lab.chaos.network.line import Line
from lab.chaos.people.device import Device
from lab.chaos.people.port import AnyDevice
from lab.chaos.people.stranger import Stranger
from lab.chaos.system import System

if TYPE_CHECKING:
    from lab.chaos.people.page import PageDevice

OWNER: Final = "owner"
STRANGER: Final = "stranger"
# ask: every command waits for a permission. auto: none does.
SESSION_MODES: Final = ("auto", "ask", "auto")


class Crowd:
    """Everyone who takes part. count: of clients, beside a page and a stranger."""

    def __init__(
        self, system: System, *, seed: int, count: int, page: type[PageDevice] | None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.disturbances: list[Disturbance] = []
        self.sessions: list[str] = []
        self.lines: list[Line] = []
        self.devices: list[AnyDevice] = []
        # Those that faults are for; the stranger is left in peace.
        self.targets: list[tuple[Line, AnyDevice]] = []
        self._system = system
        self._seed = seed
        self._count = count
        self._page = page

    async def open(self) -> None:
        """Make the sessions, and switch every device on."""
        call = self._system.database.call
        tokens = {name: await call("token", name=name) for name in (OWNER, STRANGER)}
        for mode in SESSION_MODES:
            self.sessions.append(await call("create_session", name=OWNER, agent="demo", mode=mode))
        for number in range(self._count):
            name = f"d{number}"
            line = await self._line(name)
            made = self._client(Device, name, OWNER, tokens[OWNER], line, makes_session=not number)
            self.devices.append(made)
        if self._page is not None:
            self.devices.append(await self._open_page(self._page, "page"))
        self.targets = list(zip(self.lines, self.devices, strict=True))
        line = await self._line("stranger")
        self.devices.append(self._client(Stranger, "stranger", STRANGER, tokens[STRANGER], line))
        for device in self.devices:
            await device.switch_on()

    async def close(self) -> None:
        """Switch every device off, and end the lines."""
        for device in self.devices:
            await device.switch_off()
        for line in self.lines:
            await line.close()

    async def _line(self, name: str) -> Line:
        line = Line(
            name,
            ports=self._system.ports,
            random=source(self._seed, "line", name),
            counts=self.counts,
            disturbances=self.disturbances,
        )
        await line.open()
        self.lines.append(line)
        return line

    def _client(
        self, kind: type[Device], name: str, user: str, token: str, line: Line, **options: bool
    ) -> Device:
        return kind(
            name,
            user=user,
            token=token,
            url=lambda: line.url,
            sessions=self.sessions,
            random=source(self._seed, "device", name),
            folder=self._system.folder,
            repository=self._system.repository,
            **options,
        )

    async def _open_page(self, kind: type[PageDevice], name: str) -> PageDevice:
        line = await self._line(name)
        return kind(
            name,
            user=OWNER,
            cookies=await self._system.database.call("login", name=OWNER),
            url=line.url,
            sessions=self.sessions,
            random=source(self._seed, "device", name),
        )
