"""The real local model as an OpenAI-compatible server on loopback, in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from lab.rig import json_lines
from lab.rig.folders import temporary_folder
from lab.rig.waiting import eventually

# The weights are read from the disk.
LOAD_S = 60.0


@contextmanager
def serving() -> Iterator[str]:
    """Run this module; give the server's base URL once it answers."""
    with temporary_folder() as folder:
        model = json_lines.Peer(
            "tests.agents.model_server", environment=os.environ, log=folder / "model.log"
        )
        try:
            address = model.hear(within_s=LOAD_S)
            eventually(lambda: answers(address), within_s=LOAD_S, what="the model's answer")
            yield address
        finally:
            model.close()


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/models", timeout=5).is_success
    except httpx.HTTPError:
        return False


def main() -> None:
    from sessions.agents.programs.local import _load

    server = _load()
    json_lines.say(server.listening_address)
    # The end of stdin is the end of the tests. The server's threads would outlive this one.
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
