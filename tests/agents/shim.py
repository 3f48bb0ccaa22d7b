"""Runs an agent and stands in its pipes: the same faults for every agent that speaks over stdio.

    python shim.py ORDERS COMMAND …

The file ORDERS is looked at before each line of the agent; the word in it is done once:
garbage (binary data on stdout), stderr (100 MB on stderr), long (one line of 17 MB).
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

MEGABYTE = 1024 * 1024


def misbehave(order: str) -> None:
    if order == "garbage":
        sys.stdout.buffer.write(b"\x00\xff\x1b\x9d" * 4096 + b"\n")
    elif order == "long":
        sys.stdout.buffer.write(b'{"x":"' + b"y" * (17 * MEGABYTE) + b'"}\n')
    elif order == "stderr":
        # Some agents make the pipe that they share with us one that never waits.
        os.set_blocking(2, True)
        for _ in range(100):
            sys.stderr.buffer.write(b"e" * (MEGABYTE - 1) + b"\n")
        sys.stderr.buffer.flush()
    sys.stdout.buffer.flush()


def main() -> None:
    orders = Path(sys.argv[1])
    with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:

        def forward() -> None:
            while data := os.read(0, 65536):
                agent.stdin.write(data)
                agent.stdin.flush()
            agent.stdin.close()

        threading.Thread(target=forward, daemon=True).start()
        for line in agent.stdout:
            if orders.exists():
                order = orders.read_text()
                orders.unlink()
                misbehave(order)
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        sys.exit(agent.wait())


if __name__ == "__main__":
    main()
