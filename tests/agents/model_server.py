"""The real local model as an OpenAI-compatible server on loopback, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving() -> Iterator[str]:
    """Run this module; give the server's base URL."""
    command = [sys.executable, "-m", "tests.agents.model_server"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            address = server.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            yield address
        finally:
            server.kill()


def main() -> None:
    from sessions.agents.programs.local import _load

    server = _load()
    print(server.listening_address, flush=True)
    threading.Thread(target=sys.stdin.read, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
