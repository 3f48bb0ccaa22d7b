"""One server program for as long as a test needs it: a folder, a port, a process, its log."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15


class ServiceMissingError(RuntimeError):
    """A server that the tests need is not installed; the message says how to install it."""


@contextlib.contextmanager
def private_folder(account: pwd.struct_passwd | None) -> Iterator[Path]:
    """Give a folder of one account (None: this one) that goes with the block."""
    # Not below pytest's folder: another account cannot enter that. Short, for the socket's path.
    folder = Path(tempfile.mkdtemp(prefix="backstay-"))
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_account(account: pwd.struct_passwd | None) -> dict:
    """Return what subprocess needs to run something as an account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def running(
    command: list[str],
    folder: Path,
    account: pwd.struct_passwd | None,
    *,
    stop_signal: signal.Signals,
) -> Iterator[Callable[[], None]]:
    """Run command; give a function that raises, with the server's log, once it has ended."""
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for pytest, which then stops its servers in order.
            start_new_session=True,
            **as_account(account),
        ) as process,
    ):

        def check() -> None:
            if process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{said}")

        try:
            yield check
        finally:
            process.send_signal(stop_signal)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def wait(
    attempt: Callable[[], None],
    check: Callable[[], None],
    *,
    passing: type[Exception] | tuple[type[Exception], ...] = OSError,
) -> None:
    """Try until attempt succeeds; raise its last error after START_TIMEOUT_S.

    passing: what it raises while the server is not up yet.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        check()
        try:
            return attempt()
        except passing:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
