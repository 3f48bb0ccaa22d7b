"""Log-ins that run: begun, looked at, typed into and ended by any web process of this machine."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from sessions.agents import registry
from sessions.agents.log_in.holder import Order
from sessions.agents.log_in.place import MAX_INPUT_BYTES, Place, Shown
from sessions.agents.processes import accounts, tree
from sessions.agents.processes.confine import CannotConfine, Launch
from sessions.agents.processes.environment import build
from sessions.agents.ways import Kind, Method
from sessions.core.conf import chat, data_dir
from sessions.core.errors import InvalidRequest

MAX_AT_ONCE: Final = 3
START_S: Final = 30.0
_ROOT: Final = Path(__file__).resolve().parents[3]
# The root of a command whose holder is gone: its mark alone tells it.
_NO_ROOT: Final = -1
_ID: Final = re.compile(r"[0-9a-f]{32}")
# Programs write plain lines for it: nothing draws a screen here. A browser of the server is none
# of the person's.
_TERM: Final = {"TERM": "dumb", "COLUMNS": "500", "NO_BROWSER": "1", "BROWSER": "true"}


def begin(agent: str, method: Method, *, user_id: int, account: str) -> str:
    """Start a log-in to an agent; return its id. account: the name of the person.

    Raises UnknownAgent, InvalidRequest.
    """
    log_in_id = uuid.uuid4().hex
    with _begun() as folder:
        if len(_running(folder)) >= MAX_AT_ONCE:
            raise InvalidRequest(f"{MAX_AT_ONCE} log-ins run already. End one of them first.")
        place = Place(folder / log_in_id)
        label = registry.find(agent).label
        system_user = accounts.name_of(account)
        about = {"label": label, "user": user_id, "method": method.name}
        place.make({**about, "agent": agent, "account": system_user})
        with ExitStack() as unless_held:
            unless_held.callback(place.remove)
            try:
                _hold(place, agent, method, account=account, unless_held=unless_held)
            except (OSError, CannotConfine, subprocess.SubprocessError) as exc:
                raise InvalidRequest(f"The log-in cannot be started: {exc}.") from exc
            unless_held.pop_all()
    return log_in_id


def find(log_in_id: str, *, user_id: int) -> tuple[Place, dict[str, Any]] | None:
    """Return a log-in of a person with its facts; None for one that is gone or another's."""
    if not _ID.fullmatch(log_in_id):
        return None
    place = Place(_folder() / log_in_id)
    try:
        about = place.about()
    except FileNotFoundError:
        return None
    return (place, about) if about["user"] == user_id else None


def turn(place: Place, *, since: int, typed: str) -> Shown:
    """Hand on what was typed; return the output behind a cursor.

    Raises FileNotFoundError, InvalidRequest.
    """
    if len(typed.encode("utf-8", "replace")) > MAX_INPUT_BYTES:
        raise InvalidRequest("This is too long for the terminal.")
    place.see()
    if typed:
        place.write(typed)
    return place.read(max(0, since))


def _hold(
    place: Place, agent: str, method: Method, *, account: str, unless_held: ExitStack
) -> None:
    session_id = f"log-in-{place.folder.name}"
    cwd = Path(tempfile.mkdtemp(prefix="backstay-log-in-"))
    gone: list[Path | None] = [cwd, registry.state_folder(agent, session_id)]
    unless_held.callback(_remove, gone)
    env = registry.environment(agent, session_id=session_id, cwd=cwd, account=account)
    env = {**(method.env or {}), **env, **_TERM, tree.MARK: place.folder.name}
    confinement = registry.confinement_of_script(agent, shared=registry.ALONE)
    launch = confinement.prepare(_command(agent, method), cwd=cwd, env=env)
    gone.append(confinement.scratch)
    order = Order(
        *_at_terminal(place, launch, method),
        str(cwd),
        place.folder.name,
        chat.AGENT_MEMORY_MB,
        tuple(str(folder) for folder in gone if folder is not None),
    )
    subprocess.run(  # noqa: S603 (ours)
        [sys.executable, "-P", "-m", "sessions.agents.log_in.holder", str(place.folder)],
        check=True,
        cwd=_ROOT,
        env=build(fixed={"PYTHONPATH": str(_ROOT)}),
        input=json.dumps(asdict(order)),
        pass_fds=launch.descriptors,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        text=True,
        timeout=START_S,
    )


def _remove(folders: list[Path | None]) -> None:
    for folder in folders:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _command(agent: str, method: Method) -> tuple[str, ...]:
    match method.kind:
        case Kind.TERMINAL:
            return (*registry.find(agent).command, *method.arguments)
        case Kind.COMMAND:
            return registry.find(agent).log_in
        case Kind.CALL:
            return registry.find(agent).command
    raise InvalidRequest("Set the variables for the server; there is no terminal for that.")


def _at_terminal(
    place: Place, launch: Launch, method: Method
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the command and environment at the terminal: a call is a program of ours beside."""
    if method.kind is not Kind.CALL:
        return launch.command, dict(launch.env)
    start = {
        "command": launch.command,
        "env": dict(launch.env),
        "descriptors": launch.descriptors,
    }
    file = place.folder / "start.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(start), encoding="utf-8")
    command = (sys.executable, "-P", "-m", "sessions.agents.log_in.call", method.id, str(file))
    own = {"PATH": os.defpath, "PYTHONPATH": str(_ROOT), tree.MARK: launch.env[tree.MARK]}
    return command, own | _TERM


def _folder() -> Path:
    return data_dir() / "log-ins"


@contextmanager
def _begun() -> Iterator[Path]:
    """Hold the lock under which log-ins begin; yield their folder."""
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _running(folder: Path) -> list[Place]:
    """Return the log-ins that are held; end and remove those whose holder was killed."""
    running = []
    for place in map(Place, filter(Path.is_dir, folder.iterdir())):
        with place.held() as is_lost:
            if is_lost:
                tree.kill_all(partial(tree.scan, _NO_ROOT, mark=place.folder.name))
                place.remove()
            else:
                running.append(place)
    return running
