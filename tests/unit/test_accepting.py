"""A full table of open files costs no processor time, and the port recovers."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support.server import ROOT, eventually

# A port whose reserved file another thread has taken, in a process that may open no more files.
SERVER = """
import os, resource
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import protocol, reactor, tcp
from chatproject.server.accepting import pause_while_full

port = reactor.listenTCP(0, protocol.Factory.forProtocol(protocol.Protocol), interface="127.0.0.1")
pause_while_full(port, reactor)


def fill():
    tcp._reservedFD.__enter__()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        reactor.callLater(4, lambda: [os.close(fd) for fd in taken])
        print(port.getHost().port, flush=True)


reactor.callWhenRunning(fill)
reactor.run()
"""


@pytest.fixture
def full_server() -> Iterator[tuple[psutil.Process, int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield psutil.Process(process.pid), int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_a_full_table_of_open_files_does_not_spin(full_server) -> None:
    process, port = full_server
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=5)):
        assert process.cpu_percent(interval=1.5) < 5
        # Once there is room, the connection that waited is accepted.
        eventually(lambda: len(process.net_connections()) == 2, within_s=20, what="the accept")
