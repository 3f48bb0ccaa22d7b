"""The way to a server's database past the server: calls to a process with the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lab.rig.json_lines import Peer

CALL_S: Final = 60.0


class Backdoor:
    """The functions of lab/rig/backdoor_calls.py, run as another process of the set-up would."""

    def __init__(self, environment: Mapping[str, str], *, log: Path) -> None:
        self._peer = Peer("lab.rig.backdoor_calls", environment=environment, log=log, is_warm=True)

    def call(self, function: str, /, **arguments: Any) -> Any:
        """Run one function and return its result. Raises CallFailed, ProcessEnded, TimeoutError."""
        return self._peer.call(function, within_s=CALL_S, **arguments)

    def close(self) -> None:
        """End the process."""
        self._peer.close()
