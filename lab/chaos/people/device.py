"""A device: the project's own client, its person, and a record of all that it saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import httpx

from lab.chaos.evidence import Json, Record
from lab.chaos.people.client_record import ClientRecord
from lab.chaos.people.hands import SEND_TIMEOUT_S
from lab.chaos.people.person import MAX_PENDING, Person
from transport.client import Client, StreamState


class Device:
    """One client on a line. `run` uses it as a person would until the rest."""

    def __init__(
        self,
        name: str,
        *,
        user: str,
        token: str,
        url: Callable[[], str],
        sessions: Sequence[str],
        random: Random,
        folder: Path,
        repository: Path,
        makes_session: bool = False,
    ) -> None:
        self.record = Record(name, user)
        self._seen = ClientRecord(
            self.record, sessions=sessions, stream=lambda: self._person.client.stream
        )
        self._repository = repository
        self._person = self._new_person(random)
        self._token = token
        self._url = url
        self._random = random
        self._storage = folder / f"outbox-{name}.json"
        self._makes_session = makes_session
        self._client: Client | None = None

    def _new_person(self, random: Random) -> Person:
        return Person(self._seen, lambda: self._client, random=random, repository=self._repository)

    @property
    def name(self) -> str:
        """Its name in the report."""
        return self.record.device

    @property
    def delays(self) -> list[float]:
        """Seconds from each event to this client."""
        return self._seen.delays

    # --- On, off, frozen ------------------------------------------------------------------------

    async def switch_on(self, cursors: dict[str, int | None] | None = None) -> None:
        """Open the client. cursors: the known ones; without, it begins from snapshots."""
        known = {session_id: (cursors or {}).get(session_id) for session_id in self._seen.sessions}
        self._seen.begin(known)
        self._client = Client(
            self._url(),
            self._token,
            on_frame=self._on_frame,
            on_raw=self._seen.raw,
            on_prompt=self._seen.prompt,
            random=self._random,
            max_pending=MAX_PENDING,
            send_timeout_s=SEND_TIMEOUT_S,
            heartbeat_s=1.0,
            storage=self._storage,
            transport=_Recorder(self._seen.request),
        )
        for session_id, cursor in known.items():
            self._client.watch(session_id, cursor)
        await self._client.__aenter__()

    async def switch_off(self) -> None:
        """Close the client; its outbox stays in its file."""
        await self._person.leave()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def reload(self, *, keeps_cursors: bool) -> None:
        """Close and open, as a page that is reloaded."""
        stream = self._person.client.stream
        self._person.may_act.clear()
        try:
            await self.switch_off()
            # Only now: frames until its end are in the transcript that is kept.
            await self.switch_on(stream.cursors() if keeps_cursors else None)
        finally:
            self._person.may_act.set()

    async def freeze(self, *, frozen: bool) -> None:
        """Let the person do nothing, or continue; the line is frozen by its own."""
        if frozen:
            self._person.may_act.clear()
        else:
            self._person.may_act.set()
            if self._client is not None:
                self._client.stream.hurry()

    def rest(self) -> None:
        """Write nothing more. Waiting prompts are still sent, permissions are still answered."""
        self._person.rests.set()

    async def hurry(self) -> None:
        """Let it notice that its line is good again."""
        self._person.client.stream.hurry()

    async def unsettled(self) -> str:
        """Return the reason of its unrest, in words; empty without one."""
        client = self._person.client
        state, waiting = client.stream.status.state, len(client.outbox.pending)
        is_settled = state is StreamState.LIVE and not waiting
        return "" if is_settled else f"line {state}, {waiting} prompts to send"

    async def finish(self) -> None:
        """Record nothing: its record is whole."""

    def cursors(self) -> dict[str, int | None]:
        """Return where it stands."""
        return {} if self._client is None else self._client.stream.cursors()

    def _on_frame(self, frame: Json) -> None:
        self._seen.frame(frame)
        if "sessionId" in frame:
            self._person.look_at(frame)

    # --- Its person -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Use the client until the rest."""
        if self._makes_session:
            self._person.write("/slow 3", draft="first")
            self._person.write("/slow 2", draft="first")
        await self._person.run()

    async def burst(self, target: int) -> None:
        """Write more at once than the outbox holds."""
        if self._client is not None:
            self._person.burst(target)


class _Recorder(httpx.AsyncBaseTransport):
    """A recorder of each request before it is sent."""

    def __init__(self, note: Callable[[httpx.Request], None]) -> None:
        self._note = note
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._note(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
