"""The program of the rendering process: texts in, HTML out, until its input ends.

    python -m sessions.text.worker DEADLINE_S MEMORY_BYTES

It knows no database, no network and no setting. Frames are a head and a text in UTF-8: a length
towards this process; a length and the processor's seconds back. An empty frame says that it is
ready.
"""

from __future__ import annotations

import math
import resource
import struct
import sys
import time
from typing import BinaryIO, Final

from sessions.core.hardening.memory import keep_memory_private
from sessions.text import growing

ASKED: Final = struct.Struct("!I")
ANSWERED: Final = struct.Struct("!Id")


def main(deadline_s: float, memory_bytes: int) -> None:
    """Render until the input ends."""
    keep_memory_private()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    _answer(sys.stdout.buffer, "", 0.0)
    while (head := sys.stdin.buffer.read(ASKED.size)) and len(head) == ASKED.size:
        text = sys.stdin.buffer.read(*ASKED.unpack(head)).decode()
        _limit_processor(deadline_s)
        started = time.process_time()
        html = growing.render(text)
        _answer(sys.stdout.buffer, html, time.process_time() - started)


def _limit_processor(deadline_s: float) -> None:
    """Let the kernel end this process if its parent, which has a clock of its own, cannot."""
    soft = math.ceil(time.process_time() + 2 * deadline_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(output: BinaryIO, html: str, cost_s: float) -> None:
    body = html.encode()
    output.write(ANSWERED.pack(len(body), cost_s) + body)
    output.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
