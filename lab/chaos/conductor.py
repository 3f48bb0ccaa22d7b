"""One run: start, break, heal, wait until all is quiet, check."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from lab.chaos.checker import check
from lab.chaos.devices import Device, Stranger
from lab.chaos.evidence import Evidence, Record, SessionEvidence, Violation
from lab.chaos.faults import Fault, Kind, schedule, source
from lab.chaos.lines import Line
from lab.chaos.system import LIMITS, System, pick, pick_agent
from lab.rig.json_lines import CallFailed
from lab.rig.processes import Process

if TYPE_CHECKING:
    from lab.chaos.page import PageDevice

logger = logging.getLogger(__name__)

OWNER: Final = "owner"
STRANGER: Final = "stranger"
DEVICES: Final = 6
# ask: every command waits for a permission. auto: none does.
SESSION_MODES: Final = ("auto", "ask", "auto")
# The longest that healing may take: leases run out, queues are worked off.
QUIET_S: Final = 120.0
# All is quiet when nothing has moved for so long.
STILL_S: Final = 1.5
# Four steps of the ladder, the server's margin, and a web process that is frozen meanwhile.
INTERRUPT_LIMIT_S: Final = 4 * float(LIMITS["CHAT_INTERRUPT_TIMEOUT_S"]) + 8.0
# Fewer than the ring holds, more than a replay may have.
EVENTS_OF_A_BURST: Final = 150


class Client(Protocol):
    """The conductor's view of a device of any kind."""

    record: Record
    delays: list[float]

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
        """Let it do nothing, or go on."""
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


@dataclass(slots=True)
class Run:
    """The outcome of a run. has_page: a Chromium took part."""

    seed: int
    system: str
    evidence: Evidence
    violations: list[Violation]
    delays: list[float]
    seconds: float
    quiet_after_s: float
    pids: list[int]
    has_page: bool
    folder: Path | None = None


class Conductor:
    """Plays one run on a system."""

    def __init__(
        self,
        system: System,
        *,
        seed: int,
        seconds: float,
        devices: int = DEVICES,
        page: type[PageDevice] | None = None,
    ) -> None:
        self._system = system
        self._seed = seed
        self._seconds = seconds
        self._counts: Counter[str] = Counter()
        self._page = page
        self._count_of_clients = devices
        self._lines: list[Line] = []
        self._targets: list[tuple[Line, Client]] = []
        self._devices: list[Client] = []
        self._sessions: list[str] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._quiet_after_s = 0.0

    async def play(self) -> Run:
        """Run it; whatever was started is ended when this returns."""
        began = time.monotonic()
        try:
            await self._system.up()
            await self._open_devices()
            await self._break()
            restless = await self._heal()
            for device in self._devices:
                await device.finish()
            # With everybody still there: who leaves changes the state of a session.
            evidence = await self._evidence(restless)
        finally:
            await self._close_devices()
            await self._system.down()
        return Run(
            self._seed,
            self._system.name,
            evidence,
            check(evidence),
            [delay for device in self._devices for delay in device.delays],
            time.monotonic() - began,
            self._quiet_after_s,
            [pid for process in self._processes() for pid in process.pids],
            self._page is not None,
            self._system.folder,
        )

    def _processes(self) -> list[Process]:
        return [*self._system.servers, *self._system.services]

    # --- Up and down ----------------------------------------------------------------------------

    async def _open_devices(self) -> None:
        call = self._system.database.call
        tokens = {name: await call("token", name=name) for name in (OWNER, STRANGER)}
        for mode in SESSION_MODES:
            self._sessions.append(await call("create_session", name=OWNER, agent="demo", mode=mode))
        for number in range(self._count_of_clients):
            name = f"d{number}"
            line = await self._line(name)
            made = self._client(Device, name, OWNER, tokens[OWNER], line, makes_session=not number)
            self._devices.append(made)
        if self._page is not None:
            self._devices.append(await self._open_page(self._page, "page"))
        # Whom faults are for; the stranger is left in peace.
        self._targets = list(zip(self._lines, self._devices, strict=True))
        line = await self._line("stranger")
        self._devices.append(self._client(Stranger, "stranger", STRANGER, tokens[STRANGER], line))
        for device in self._devices:
            await device.switch_on()

    async def _line(self, name: str) -> Line:
        line = Line(
            name,
            ports=self._system.ports,
            random=source(self._seed, "line", name),
            counts=self._counts,
        )
        await line.open()
        self._lines.append(line)
        return line

    def _client(
        self, kind: type[Device], name: str, user: str, token: str, line: Line, **options: bool
    ) -> Device:
        return kind(
            name,
            user=user,
            token=token,
            url=lambda: line.url,
            sessions=self._sessions,
            random=source(self._seed, "device", name),
            folder=self._system.folder,
            **options,
        )

    async def _open_page(self, kind: type[PageDevice], name: str) -> PageDevice:
        line = await self._line(name)
        return kind(
            name,
            user=OWNER,
            cookies=await self._system.database.call("login", name=OWNER),
            url=line.url,
            sessions=self._sessions,
            random=source(self._seed, "device", name),
        )

    async def _close_devices(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        for device in self._devices:
            await device.switch_off()
        for line in self._lines:
            await line.close()

    # --- Breaking -------------------------------------------------------------------------------

    async def _break(self) -> None:
        """Let people write while the schedule breaks things."""
        people = [asyncio.create_task(device.run()) for device in self._devices]
        began = time.monotonic()
        try:
            for fault in schedule(self._seed, seconds=self._seconds, kinds=self._system.kinds):
                await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
                self._system.look()
                self._start(self._one_fault(fault))
            await asyncio.sleep(max(0.0, began + self._seconds - time.monotonic()))
        finally:
            for device in self._devices:
                device.rest()
                await device.freeze(frozen=False)
            for person in people:
                person.cancel()
            ended = await asyncio.gather(*people, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _one_fault(self, fault: Fault) -> None:
        logger.info("fault at %.1f s: %s for %.1f s", fault.at_s, fault.kind, fault.for_s)
        try:
            if await self._act_on_servers(fault) or await self._act_on_devices(fault):
                self._counts[fault.kind] += 1
        except Exception:
            logger.exception("a fault could not be played: %s", fault.kind)

    async def _act_on_servers(self, fault: Fault) -> bool:
        system = self._system
        victims = {
            Kind.KILL_WEB: (system.webs, signal.SIGKILL),
            Kind.STOP_WEB: (system.webs, signal.SIGTERM),
            Kind.KILL_RUNNER: (system.runners, signal.SIGKILL),
            Kind.KILL_SYNC: (system.syncs, signal.SIGKILL),
            # PostgreSQL's crash: nothing is finished, and the next start recovers.
            Kind.RESTART_DATABASE: (system.services[:1], signal.SIGQUIT),
            Kind.RESTART_REDIS: (system.services[1:], signal.SIGKILL),
        }
        if fault.kind in victims:
            processes, number = victims[fault.kind]
            victim = pick(processes, fault.target)
            if not victim.is_up:
                return False  # it is in the middle of another fault
            await asyncio.to_thread(victim.end, number)
            await asyncio.sleep(fault.for_s)
            victim.start()
            return True
        if fault.kind in {Kind.FREEZE_WEB, Kind.FREEZE_RUNNER}:
            processes = system.webs if fault.kind is Kind.FREEZE_WEB else system.runners
            victim = pick(processes, fault.target)
            if not victim.is_up:
                return False
            victim.freeze()
            await asyncio.sleep(fault.for_s)
            victim.thaw()
            return True
        return fault.kind is Kind.KILL_AGENT and self._kill_agent(fault)

    def _kill_agent(self, fault: Fault) -> bool:
        pid = pick_agent(self._system.runners, source(self._seed, "agent", fault.at_s))
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    async def _act_on_devices(self, fault: Fault) -> bool:
        line, device = self._targets[fault.target % len(self._targets)]
        lasting: dict[Kind, Callable[[bool], None]] = {
            Kind.STALL: line.stall,
            Kind.TRICKLE: line.slow,
            Kind.REFUSE: line.refuse,
        }
        if fault.kind in lasting:
            lasting[fault.kind](True)  # noqa: FBT003 (one parameter)
            await asyncio.sleep(fault.for_s)
            lasting[fault.kind](False)  # noqa: FBT003 (one parameter)
        elif fault.kind is Kind.CUT:
            return line.cut() > 0
        elif fault.kind is Kind.FREEZE_DEVICE:
            await device.freeze(frozen=True)
            line.stall(stalled=True)
            await asyncio.sleep(fault.for_s)
            line.stall(stalled=False)
            await device.freeze(frozen=False)
        elif fault.kind is Kind.RELOAD_DEVICE:
            await device.reload(keeps_cursors=fault.target % 2 == 0)
        elif fault.kind is Kind.BURST:
            await device.burst(fault.target)
        elif fault.kind is Kind.FLOOD_LOG:
            session_id = self._sessions[fault.target % len(self._sessions)]
            await self._system.database.call(
                "append", session=session_id, count=EVENTS_OF_A_BURST, batch=EVENTS_OF_A_BURST
            )
        else:
            return False
        return True

    # --- Healing --------------------------------------------------------------------------------

    async def _heal(self) -> list[str]:
        """Let everything work again; return the parts that are not quiet within QUIET_S."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=20.0)
        for line in self._lines:
            line.heal()
        await self._system.heal()
        for device in self._devices:
            await device.hurry()
        began = time.monotonic()
        still_since = began
        before: object = None
        restless: list[str] = []
        while time.monotonic() - began < QUIET_S:
            restless, stand = await self._stand()
            logger.info("%.1f s after the last fault: %s", time.monotonic() - began, restless)
            if restless or stand != before:
                before, still_since = stand, time.monotonic()
            elif time.monotonic() - still_since >= STILL_S:
                break
            self._system.look()
            await asyncio.sleep(0.3)
        else:
            restless = restless or ["the log still grew"]
        self._quiet_after_s = time.monotonic() - began
        return restless

    async def _stand(self) -> tuple[list[str], object]:
        """Return the unsettled parts, in words, and the place of everything."""
        try:
            progress = await self._system.database.call("progress")
        except CallFailed as exc:
            return [f"the database does not answer: {exc}"], None
        restless = []
        if progress["open"]:
            restless.append(f"{progress['open']} prompts have no outcome")
        restless += [f"session {name} is live without an owner" for name in progress["orphans"]]
        for device in self._devices:
            if unsettled := await device.unsettled():
                restless.append(f"{device.name}: {unsettled}")
            for session_id, cursor in device.cursors().items():
                head = progress["heads"].get(session_id, 0)
                if cursor != head and not isinstance(device, Stranger):
                    restless.append(f"{device.name}: {session_id} at {cursor} of {head}")
        return restless, progress["heads"]

    # --- What is known at the end ---------------------------------------------------------------

    async def _evidence(self, restless: list[str]) -> Evidence:
        self._system.look()
        found = await self._system.database.call("dump")
        sessions = {
            session_id: SessionEvidence(
                owner=row["owner"],
                head=row["head"],
                events=row["events"],
                messages=row["messages"],
                snapshot=row["snapshot"],
                state=row["state"],
                is_live=row["isLive"],
                has_owner=row["hasOwner"],
                effects=_effects(Path(row["cwd"])),
            )
            for session_id, row in found["sessions"].items()
        }
        return Evidence(
            records=[device.record for device in self._devices],
            sessions=sessions,
            commands=found["commands"],
            max_replay_gap=int(LIMITS["CHAT_MAX_REPLAY_GAP"]),
            interrupt_limit_s=INTERRUPT_LIMIT_S,
            faults=dict(self._counts),
            deaths=[death for process in self._processes() for death in process.deaths],
            restless=restless,
            memory_mb={process.name: process.most_memory_mb for process in self._system.servers},
        )


def _effects(folder: Path) -> list[str]:
    written = folder / "effects.txt"
    return written.read_text(encoding="utf-8").split() if written.exists() else []
