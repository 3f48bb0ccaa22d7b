"""One clone: git in a thread's care, into a hidden folder that takes its name when it is whole."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from sessions.core.conf import chat
from sessions.core.errors import (
    ChatError,
    CloneRefused,
    FolderExists,
    FolderRefused,
    TooManyRequests,
)
from sessions.workspace import browse
from sessions.workspace.changes import program
from sessions.workspace.cloning import address, records
from sessions.workspace.cloning.records import Record
from sessions.workspace.opening import opened
from sessions.workspace.roots import NO_ROOTS, roots

logger = logging.getLogger(__name__)

# Of one user, and of all in all processes.
MAX_OF_USER: Final = 2
MAX_RUNNING: Final = 8
LOOK_S: Final = 0.5
MEGABYTE: Final = 1024 * 1024
_PROGRESS: Final = re.compile(rb"([A-Z][a-z]+ [a-z]+):\s+(\d{1,3})%")
_TAIL_BYTES: Final = 4096
_WORDS: Final = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "credential.helper="),
    *("-c", "http.followRedirects=false", "-c", "gc.auto=0", "-c", "maintenance.auto=0"),
    *("-c", "fetch.fsckObjects=true", "-c", "protocol.version=2"),
)
_CLONE: Final = ("clone", "--progress", "--no-recurse-submodules", "--template=", "--")
_SSH: Final = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=20"


class _Stopped(Exception):
    """The clone ends before its time; the text is a sentence for a person, "" for a cancel."""


def start(owner: int, url: str, path: str, *, may_use_keys: bool) -> Record:
    """Begin a clone and return its record. Blocking: it looks the host up.

    may_use_keys: whether the person may use the SSH keys of the server's user. Raises CloneRefused,
    FolderRefused, FolderExists, TooManyRequests.
    """
    asked = address.checked(url)
    if asked.scheme == "ssh" and not may_use_keys:
        raise CloneRefused("SSH would use the keys of the server: that is for its staff.")
    known = records.running()
    if len(known) >= MAX_RUNNING or sum(one.owner == owner for one in known) >= MAX_OF_USER:
        raise TooManyRequests("Wait for the end of another clone.", retryAfter=10)
    record = Record(str(uuid.uuid4()), owner, asked.url, _destination(path))
    place = address.resolved(asked)
    begun = threading.Event()
    work = threading.Thread(
        target=_run, args=(record, asked, place, begun), name=f"clone-{record.id}", daemon=True
    )
    work.start()
    begun.wait()
    return record


def _destination(path: str) -> str:
    allowed = roots()
    if not allowed:
        raise FolderRefused(NO_ROOTS, path=path)
    parent, _, name = path.rstrip("/").rpartition("/")
    browse.check_name(name, path)
    with opened(parent or "/", allowed) as (descriptor, place):
        _refuse_taken(name, descriptor, path)
        return str(place / name)


def _refuse_taken(name: str, descriptor: int, path: str) -> None:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        raise FolderExists(path=path)


def _run(record: Record, asked: address.Address, place: str, begun: threading.Event) -> None:
    """Clone, and store how it came out. The hidden folder is gone at the end in any case."""
    with records.held(record):
        records.write(record)
        begun.set()
        try:
            _clone(record, asked, place)
            end = replace(record, state="done", percent=100)
        except _Stopped as exc:
            end = replace(record, state="failed" if str(exc) else "cancelled", error=str(exc))
        except ChatError as exc:
            end = replace(record, state="failed", error=str(exc))
        except Exception:
            logger.exception("a clone failed", extra={"clone": record.id})
            end = replace(record, state="failed", error="The server failed; it has been logged.")
        records.remove_half(record)
        records.write(end)


def _clone(record: Record, asked: address.Address, place: str) -> None:
    name = Path(record.path).name
    with opened(record.parent, roots()) as (descriptor, _):
        os.mkdir(record.half_made, mode=0o755, dir_fd=descriptor)
        with _started(record, asked, place, descriptor) as process:
            try:
                _follow(record, process, descriptor)
            finally:
                process.kill()
        _refuse_taken(name, descriptor, record.path)
        os.rename(record.half_made, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)


def _started(
    record: Record, asked: address.Address, place: str, descriptor: int
) -> subprocess.Popen[bytes]:
    found = shutil.which("git")
    if found is None:
        raise CloneRefused("The server has no git.")
    # Curl asks the very address that was checked.
    pin = f"http.curloptResolve={asked.host}:{asked.port}:{place}"
    env = {
        **program.ENVIRONMENT,
        "GIT_ALLOW_PROTOCOL": "https:ssh:git",
        "GIT_SSH_COMMAND": _SSH,
        "GIT_SSH_VARIANT": "ssh",
    }
    if asked.scheme == "ssh":
        env["HOME"] = str(Path.home())
    return subprocess.Popen(  # noqa: S603 (no shell; the address is checked, and behind --)
        [found, *_WORDS, "-c", pin, *_CLONE, asked.url, record.half_made],
        cwd=f"/proc/self/fd/{descriptor}",
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # A server that is killed closes it: git ends at its next word.
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _follow(record: Record, process: subprocess.Popen[bytes], descriptor: int) -> None:
    """Store the progress until git ends. Raises _Stopped."""
    last_s = time.monotonic() + chat.CLONE_TIMEOUT_S
    tail = bytearray()
    reading = threading.Thread(target=_drain, args=(process.stderr, tail), daemon=True)
    reading.start()
    shown = record
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
        if process.returncode is not None:
            break
        shown = _show(record, shown, bytes(tail))
        _check_bounds(record, descriptor, last_s)
    reading.join(LOOK_S)
    if process.returncode:
        raise _Stopped(_reason(bytes(tail)))


def _drain(source: IO[bytes] | None, tail: bytearray) -> None:
    while source is not None and (data := source.read1(_TAIL_BYTES)):  # type: ignore[attr-defined]  # a buffered reader
        tail += data
        del tail[:-_TAIL_BYTES]


def _show(record: Record, shown: Record, tail: bytes) -> Record:
    found = _PROGRESS.findall(tail)
    if not found:
        return shown
    phase, percent = found[-1]
    now = replace(record, phase=phase.decode(), percent=min(100, int(percent)))
    if now != shown:
        records.write(now)
    return now


def _check_bounds(record: Record, descriptor: int, last_s: float) -> None:
    if records.is_cancelled(record):
        raise _Stopped
    if time.monotonic() > last_s:
        raise _Stopped(f"The clone took over {chat.CLONE_TIMEOUT_S:g} s.")
    if sum(_sizes(record.half_made, descriptor)) > chat.CLONE_MB * MEGABYTE:
        raise _Stopped(f"The repository has more than {chat.CLONE_MB} MB.")
    if shutil.disk_usage(descriptor).free < chat.MIN_FREE_MB * MEGABYTE:
        raise _Stopped("The disk of the server is nearly full.")


def _sizes(name: str, descriptor: int) -> Iterator[int]:
    for _, _, files, folder in os.fwalk(name, dir_fd=descriptor, onerror=None):
        for file in files:
            with suppress(OSError):
                yield os.stat(file, dir_fd=folder, follow_symlinks=False).st_blocks * 512


def _reason(tail: bytes) -> str:
    """Return git's own last words, which name no secret: there is none in the address."""
    lines = re.split(rb"[\r\n]+", tail.strip())
    told = [line for line in lines if line.startswith((b"fatal:", b"error:", b"remote:"))]
    words = (told or lines or [b""])[-1].decode("utf-8", "replace")
    return "".join(sign for sign in words if sign.isprintable())[:300] or "Git could not clone."
