"""Loopback ports for servers that cannot choose one themselves, reserved without a race."""

from __future__ import annotations

import socket
import sys


class Port:
    """A loopback port that the system gives to no other process until it is released.

    The socket is bound and does not listen. Linux then keeps the port from every process that
    asks for any port, and lets a server bind it that names it and sets SO_REUSEADDR, as all
    servers of the rig do. Elsewhere a server could not bind it, so that it is released at once.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = int(self._socket.getsockname()[1])
        if sys.platform != "linux":
            self.release()

    def release(self) -> None:
        """Give the port back; a second call changes nothing."""
        self._socket.close()
