"""The line between a browser and the server, which can be cut in the middle of everything."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

HOST: Final = "127.0.0.1"
CHUNK: Final = 64 * 1024


class Line:
    """A relay of TCP on a port of its own; while it is cut it refuses connections."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.join()

    @property
    def url(self) -> str:
        """The address at which the browser finds the server."""
        return f"http://{HOST}:{self._port}"

    def join(self) -> None:
        """Take connections, at the same port as before."""
        self._listener = socket.create_server((HOST, self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self._lock:
            ended, self._open = self._open, set()
            if self._listener is not None:
                ended.add(self._listener)
                self._listener = None
        for each in ended:
            _end(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                browser, _ = listener.accept()
            except OSError:  # it was cut
                return
            self._lead_on(browser, listener)

    def _lead_on(self, browser: socket.socket, listener: socket.socket) -> None:
        """Join a connection with one to the server; end it when the server is away."""
        try:
            server = socket.create_connection((HOST, self._server_port))
        except OSError:
            _end(browser)
            return
        with self._lock:
            is_cut = listener is not self._listener
            if not is_cut:
                self._open |= {browser, server}
        if is_cut:
            _end(browser)
            _end(server)
            return
        for source, target in ((browser, server), (server, browser)):
            threading.Thread(target=self._pass_on, args=[source, target], daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # either end is gone
            while data := source.recv(CHUNK):
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        _end(source)
        _end(target)


def _end(ended: socket.socket) -> None:
    """Close a socket; a thread that waits for it wakes."""
    with suppress(OSError):  # the other end has closed it
        ended.shutdown(socket.SHUT_RDWR)
    ended.close()
