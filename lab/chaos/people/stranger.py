"""A user who tries to reach the sessions of others (I11)."""

from __future__ import annotations

import asyncio
from random import Random

from lab.chaos.people.device import Device
from lab.chaos.people.person import Person


class Stranger(Device):
    """A device whose person knows the ids of others' sessions."""

    def _new_person(self, random: Random) -> Person:
        return _Intruder(
            self._seen, lambda: self._client, random=random, repository=self._repository
        )


class _Intruder(Person):
    """Tries to read, write and stop the sessions of others."""

    async def run(self) -> None:
        """Try one session after the other until the rest."""
        while not self.rests.is_set():
            await asyncio.sleep(self._random.uniform(1.0, 2.0))
            session_id = self._random.choice(self.record.sessions)
            for name, body in (
                ("send", {"clientMsgId": f"x-{self._random.random()}", "text": "/run id"}),
                ("interrupt", {}),
                ("watch", {}),
            ):
                answer = await self.post(name, {"sessionId": session_id, **body})
                if answer is not None:
                    self.record.record.refusals.append((name, answer.status))
            self.client.watch(session_id, 0)
