"""Git as a program: bounded in time and bytes, without hooks, pagers, helpers and a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from sessions.core.conf import data_dir

DEADLINE_S: Final = 10.0
# No command takes so long.
OLD_S: Final = 3_600.0
MAX_BYTES: Final = 8 * 1024 * 1024
ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # No transport, whatever a repository allows: it could name a program.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
}


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder for the time of some commands, out of the agents' reach."""
    place = data_dir() / "changes"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_old(place)
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name).resolve()


def _forget_old(place: Path) -> None:
    """Remove folders of commands whose server was killed."""
    for folder in place.iterdir():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > OLD_S:
                shutil.rmtree(folder, ignore_errors=True)


class GitFailed(Exception):
    """Git is missing, refused, or took too long."""


def run(
    *words: str,
    cwd: Path,
    env: Mapping[str, str],
    limit: int = MAX_BYTES,
    descriptors: Sequence[int] = (),
    may_differ: bool = False,
    given: bytes = b"",
    source: IO[bytes] | None = None,
    deadline_s: float = DEADLINE_S,
) -> bytes:
    """Return git's output, at most limit + 1 bytes of it. Raises GitFailed.

    may_differ: status 1 says that there is a difference. given: its input; source: a file of it.
    """
    found = shutil.which("git")
    if found is None:
        raise GitFailed("there is no git")
    with tempfile.TemporaryFile() as text:
        text.write(given)
        text.seek(0)
        command = [found, "--no-pager", *words]
        process = _started(command, source or text, cwd, env, descriptors)
    with process:
        output, is_cut = _read(process, limit, deadline_s)
    if not is_cut and process.returncode not in ((0, 1) if may_differ else (0,)):
        raise GitFailed(f"git ended with {process.returncode}")
    return output


def _started(
    command: list[str],
    source: IO[bytes],
    cwd: Path,
    env: Mapping[str, str],
    descriptors: Sequence[int],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 (no shell; each word is ours or a literal path)
            command,
            cwd=cwd,
            env={**ENVIRONMENT, **env},
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
        )
    except OSError as exc:
        raise GitFailed("git cannot be started") from exc


def _read(process: subprocess.Popen[bytes], limit: int, deadline_s: float) -> tuple[bytes, bool]:
    """Return the output and whether there was more; the deadline ends the program."""
    clock = threading.Timer(deadline_s, process.kill)
    clock.daemon = True
    clock.start()
    try:
        output = process.stdout.read(limit + 1) if process.stdout else b""
        is_cut = len(output) > limit
        if is_cut:
            process.kill()
        process.wait()
    finally:
        clock.cancel()
        process.kill()
    return output, is_cut
