"""This process' memory: not for other processes of its user, which its agents' tools are.

Linux shows a process' environment and memory to every process of the same user, in /proc. The
server's hold the secret key and the database's address.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

logger = logging.getLogger(__name__)

# linux/prctl.h. A process that is not dumpable belongs to root in /proc, cannot be traced and
# leaves no core file. What it starts is dumpable again once it has executed its program.
PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Close this process' memory and environment to others but root. Call it at the start.

    Elsewhere than on Linux it only logs that it cannot.
    """
    if sys.platform != "linux":
        logger.warning("processes of this user may read this one's environment: not Linux")
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        why = os.strerror(ctypes.get_errno())
        logger.warning(
            "processes of this user may read this one's environment: refused", extra={"why": why}
        )
