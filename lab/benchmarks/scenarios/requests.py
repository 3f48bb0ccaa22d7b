"""Requests over HTTP: receipts one after the other and together, and the reads of a page."""

from __future__ import annotations

from lab.benchmarks.contenders import Contender, environment, running
from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

TIMEOUT_S = 300.0
SEND = "send"


def requesting(contender: Contender, sizes: Sizes, kind: str, at_once: int) -> dict[str, Value]:
    """Make requests of one kind over kept connections, at_once of them at a time."""
    with running(contender, sessions=sizes.request_sessions, history=200) as server:
        order = {
            "port": server.port,
            "headers": server.headers,
            "requests": server.requests[kind],
            "count": sizes.requests,
            "at_once": at_once,
        }
        cpu_before = server.process.cpu_s()
        with temporary_folder() as folder:
            log = folder / "asker.log"
            asker = Peer("lab.benchmarks.processes.asker", environment=environment(folder), log=log)
            try:
                asker.tell(order)
                answered: dict[str, Value] = asker.hear(within_s=TIMEOUT_S)
            finally:
                asker.close()
        cpu_s = server.process.cpu_s() - cpu_before
    return answered | {"cpu_ms_each": cpu_s * 1000 / sizes.requests}
