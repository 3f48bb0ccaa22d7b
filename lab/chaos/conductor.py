"""One run: start, break, heal, wait until all is quiet, check."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.chaos import hostile, repository
from lab.chaos.breaking import Breaking
from lab.chaos.crowd import Crowd
from lab.chaos.evidence import (
    Blobs,
    Evidence,
    FolderEvidence,
    Json,
    SessionEvidence,
    Violation,
)
from lab.chaos.healing import Healing
from lab.chaos.system import LIMITS, System
from lab.chaos.verdict.checker import check
from lab.rig.processes import Process

if TYPE_CHECKING:
    from lab.chaos.people.page import PageDevice

DEVICES: Final = 6
# Of the name of a blob, SHA-256 in hex.
NAME_CHARS: Final = 64
# Four steps of the ladder, the server's margin, and a web process that is frozen meanwhile.
INTERRUPT_LIMIT_S: Final = 4 * float(LIMITS["CHAT_INTERRUPT_TIMEOUT_S"]) + 8.0
# The longest that a fault may last after the last one of the schedule.
LAST_FAULTS_S: Final = 20.0


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
        is_hostile: bool = False,
    ) -> None:
        """is_hostile: an agent among the others attacks them."""
        if is_hostile:
            hostile.configure(system)
        self._is_hostile = is_hostile
        self._system = system
        self._seed = seed
        self._seconds = seconds
        self._has_page = page is not None
        self._crowd = Crowd(system, seed=seed, count=devices, page=page)
        self._breaking = Breaking(system, self._crowd, seed=seed)
        self._healing = Healing(system, self._crowd)

    async def play(self) -> Run:
        """Run it; whatever was started is ended when this returns."""
        began = time.monotonic()
        try:
            await self._system.up()
            await self._crowd.open()
            if self._is_hostile:
                await hostile.attack(self._system)
            await self._breaking.play(self._seconds)
            await self._breaking.wait(LAST_FAULTS_S)
            restless = await self._healing.heal()
            for device in self._crowd.devices:
                await device.finish()
            # While all are still there: a device that leaves changes the state of a session.
            evidence = await self._evidence(restless)
            await self._crowd.close()
            await self._add_aftermath(evidence)
        finally:
            await self._breaking.end()
            await self._crowd.close()
            await self._system.down()
        return Run(
            self._seed,
            self._system.name,
            evidence,
            [*check(evidence), *hostile.check(evidence)],
            [delay for device in self._crowd.devices for delay in device.delays],
            time.monotonic() - began,
            self._healing.after_s,
            [pid for process in self._processes() for pid in process.pids],
            self._has_page,
            self._system.folder,
        )

    def _processes(self) -> list[Process]:
        return [*self._system.servers, *self._system.services]

    async def _evidence(self, restless: list[str]) -> Evidence:
        self._system.look()
        call = self._system.database.call
        found = await call("dump")
        folders = await call("folders")
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
                folder=_folder(Path(row["cwd"]), folders[session_id]),
            )
            for session_id, row in found["sessions"].items()
        }
        return Evidence(
            records=[device.record for device in self._crowd.devices],
            sessions=sessions,
            prompts=found["prompts"],
            blobs=_blobs(self._system.folder / "data" / "blobs", found["blobs"]),
            rules=found["rules"],
            max_replay_gap=int(LIMITS["CHAT_MAX_REPLAY_GAP"]),
            interrupt_limit_s=INTERRUPT_LIMIT_S,
            faults=dict(self._crowd.counts),
            disturbances=self._crowd.disturbances,
            deaths=[death for process in self._processes() for death in process.deaths],
            restless=restless,
            memory_mb={process.name: process.most_memory_mb for process in self._system.servers},
        )

    async def _add_aftermath(self, evidence: Evidence) -> None:
        """Add the outcome of removing everything, with no device to see it."""
        call = self._system.database.call
        refused = await call("end_worktrees")
        evidence.repository = await asyncio.to_thread(
            repository.look, self._system.repository, refused
        )
        evidence.blobs.after = set(await call("blobs_after_a_day"))


def _folder(place: Path, told: Json) -> FolderEvidence:
    unfinished = [path.name for path in place.rglob(".backstay-*")]
    return FolderEvidence(told["checkpoint"], told["isRestoring"], unfinished)


def _effects(folder: Path) -> list[str]:
    written = folder / "effects.txt"
    return written.read_text(encoding="utf-8").split() if written.exists() else []


def _blobs(folder: Path, kept: list[str]) -> Blobs:
    """Return the rows and the files of blobs; a file that is half written has another name."""
    files = {path for path in folder.glob("*/*/*") if len(path.name) == NAME_CHARS}
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    whole = {name for name, digest in digests.items() if name == digest}
    return Blobs(set(kept), whole, digests.keys() - whole)
