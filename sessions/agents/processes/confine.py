"""Confinement: what an agent may reach on this machine, and the command that starts it inside.

The kernel enforces it (launcher/): with Landlock, and where namespaces are allowed with a view of
the file system that has nothing else in it. A kernel without Landlock leaves it to bubblewrap. See
docs/deploy/security.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from sessions.agents.processes import accounts, bubblewrap, paths, tree
from sessions.agents.processes.launcher import identity, landlock
from sessions.agents.processes.launcher.main import ORDER
from sessions.core import metrics
from sessions.core.conf import chat, data_dir, own_files, workspace_roots
from sessions.core.hardening.ports import own_ports
from sessions.core.reserves.files import spare_files

_CODE = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from sessions.agents.processes.launcher.main import main; main()"
)
_PROBE_S = 20.0
_IS_STRICT = "CHAT_AGENT_CONFINE is strict"
# Sockets of services that start programs for any process of the user: out of sight and unnamed.
_UNNAMED = ("XDG_RUNTIME_DIR",)
_CACHES = {
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "npm_config_cache": "npm",
    "GOCACHE": "go",
}


class CannotConfine(ValueError):
    """An agent that may not start as it is; the text is the end of a sentence."""


class Kind(StrEnum):
    """The means by which agents are confined."""

    LANDLOCK = "landlock"
    BUBBLEWRAP = "bubblewrap"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Status:
    """The confinement of this server's agents, and which of its parts the system can hold."""

    kind: Kind
    view: bool = False
    ports: bool = False
    signals: bool = False

    @property
    def is_whole(self) -> bool:
        """Return whether the system holds every part of it."""
        return self.kind is not Kind.OFF and self.view and self.ports and self.signals

    @property
    def sentence(self) -> str:
        """Return it in words for a person."""
        if self.kind is Kind.OFF:
            return "Agents on this server are not confined."
        missing = [
            words
            for has, words in (
                (self.view, "names and sockets of hidden files"),
                (self.ports, "the server's ports"),
                (self.signals, "signals"),
            )
            if not has
        ]
        but = f", but for {', '.join(missing)}" if missing else ""
        return f"Agents on this server are confined ({self.kind}{but})."


UNHELD = Status(Kind.OFF)


def problem() -> str | None:
    """Return a sentence when no agent can start because none can be confined. Blocking, once."""
    if chat.AGENT_CONFINE == "strict" and status().kind is Kind.OFF:
        return f"no agent can start: this system can confine none, and {_IS_STRICT}"
    return None


def status() -> Status:
    """Return how agents are confined now. Blocking the first time: it tries the system."""
    held = UNHELD if chat.AGENT_CONFINE == "off" else _possible()
    for kind in Kind:
        metrics.CONFINEMENT.labels(kind=kind).set(kind is held.kind)
    return held


@lru_cache(maxsize=1)
def _possible() -> Status:
    abi = landlock.version()
    if abi:
        return Status(
            Kind.LANDLOCK,
            view=_has_views(),
            ports=abi >= landlock.PORTS_SINCE,
            signals=abi >= landlock.SIGNALS_SINCE,
        )
    if bubblewrap.works():
        return Status(Kind.BUBBLEWRAP, view=True, signals=True)
    return Status(Kind.OFF)


def _has_views() -> bool:
    """Return whether the system lets a process have namespaces of its own, by trying it."""
    with tempfile.TemporaryDirectory() as folder:
        order = _order(("true",), program="/bin/true", cwd=Path("/"))
        links = paths.Links()
        read = _texts(*links.outside((), map(Path, paths.SYSTEM)))
        order |= {"view": folder, "temporary": folder, "read": read, "links": links.seen}
        tried = subprocess.run(  # noqa: S603 (a command of our own)
            _launcher(),
            env={ORDER: json.dumps(order)},
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    return tried.returncode == 0


@dataclass(frozen=True, slots=True)
class Launch:
    """A command as it is started: with its environment and the descriptors that it inherits."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    kind: Kind = Kind.OFF


class Unconfined:
    """No confinement: an agent gets all that the server's user has."""

    scratch: Path | None = None

    def prepare(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Launch:  # noqa: ARG002 (the port)
        """Return the command as it is. Raises CannotConfine where that is not allowed."""
        if chat.AGENT_CONFINE == "strict":
            raise CannotConfine("the agents' file lets it run unconfined, and " + _IS_STRICT)
        return Launch(tuple(command), env)

    def clean(self) -> None:
        """Remove nothing."""


UNCONFINED = Unconfined()


@dataclass(slots=True)
class Confinement:
    """The confinement of one agent. read, write: paths of its own beside those that all get.

    own: its folders in the server's. A path may begin with ~, or be a variable of the agent such as
    $CODEX_HOME, left out where it is not set. hidden: names in its folder that it does not see,
    where the system can hide them. open_to_others: folders that other agents may change: no link
    in them leads this one further.
    """

    read: Sequence[str] = ()
    write: Sequence[str] = ()
    own: Sequence[str] = ()
    hidden: Sequence[str] = ()
    open_to_others: Sequence[str] = ()
    # Behind the session's name, where another process of the session has its temporary files.
    part: str = ""
    _scratch: Path | None = field(default=None, init=False)

    def prepare(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Launch:
        """Return the command that starts the agent confined. Blocking. Raises CannotConfine.

        FileNotFoundError: the command is not on its PATH.
        """
        held = status()
        if held.kind is Kind.OFF:
            _accept_unconfined()
            return Launch(tuple(command), env)
        program = shutil.which(command[0], path=env.get("PATH"))
        if program is None:
            raise FileNotFoundError(f"there is no command {command[0]}")
        scratch = self._scratch = _new_scratch(env, self.part)
        order = _order(command, program=program, cwd=cwd)
        order["hidden"] = _texts(*_masked(cwd, held), *self._unseen(cwd, held))
        order |= self._paths(_Asked(tuple(command), program, cwd, env, scratch))
        order |= self._identity(held, cwd=cwd, env=env, scratch=scratch)
        return _launch(order, held, scratch=scratch, env=env)

    @property
    def scratch(self) -> Path | None:
        """The folder of its temporary files, from `prepare` on."""
        return self._scratch

    def _identity(
        self, held: Status, *, cwd: Path, env: Mapping[str, str], scratch: Path
    ) -> dict[str, Any]:
        """Return the system user that the agent runs as, after giving it its folders."""
        user = accounts.identity(env)
        if user is None:
            return {}
        if os.geteuid() != 0 or held.kind is not Kind.LANDLOCK or not held.view:
            raise CannotConfine(
                "CHAT_AGENT_USER needs a runner that is root, Landlock and namespaces"
            )
        own = [*_expanded(self.own, env), *_scratch_folders(scratch)]
        if cwd.resolve().is_relative_to(data_dir().resolve()):
            own.append(cwd)
        for folder in own:
            accounts.give(folder, user)
        return {"identity": user}

    def _unseen(self, cwd: Path, held: Status) -> list[Path]:
        """Return what of its folder the agent does not see. A link hides its target."""
        if not held.view:
            return []
        real = [(cwd / name).resolve() for name in self.hidden if (cwd / name).exists()]
        return [path for path in real if path.is_relative_to(cwd.resolve())]

    def clean(self) -> None:
        """Remove the agent's temporary files. Blocking."""
        if self._scratch is not None:
            _remove(self._scratch)

    def _paths(self, asked: _Asked) -> dict[str, Any]:
        state = list(_expanded(self.write, asked.env))
        named = [*asked.tools(), *_expanded(self.read, asked.env)]
        own = [*_expanded(self.own, asked.env), asked.cwd, asked.scratch / "tmp"]
        system = paths.of_system([*own_files(), *workspace_roots(), *asked.home()])
        links = paths.Links([*asked.strange_homes(), *map(Path, self.open_to_others)])
        write = [*links.writable(own)]
        write += [
            part for path in links.writable(state) for part in paths.without(path, own_files())
        ]
        read = [*links.outside((), system), *links.outside(own_files(), named), _CODE]
        return {
            "read": _texts(*read),
            "write": _texts(*write),
            "made": _texts(*(path for path in state if not path.suffix)),
            "links": links.seen,
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """A start that was asked for."""

    command: tuple[str, ...]
    program: str
    cwd: Path
    env: Mapping[str, str]
    scratch: Path

    def home(self) -> list[Path]:
        """Return the home folder, if there is one."""
        return [Path(self.env["HOME"])] if self.env.get("HOME") else []

    def strange_homes(self) -> list[Path]:
        """Return the home folder where another user owns it, and may put any link into it."""
        return [home.resolve() for home in self.home() if self.env.get(accounts.SYSTEM_USER)]

    def tools(self) -> Iterator[Path]:
        """Yield the files of the command, of the tools beside it and of this server's Python."""
        yield from paths.of_command(sys.executable, ())
        yield from paths.of_command(self.program, self.command[1:])
        yield from paths.of_person(self.env)


def _accept_unconfined() -> None:
    if chat.AGENT_CONFINE == "strict":
        raise CannotConfine(
            "this system can confine no agents (it has neither Landlock nor bubblewrap), and "
            + _IS_STRICT
        )


def _order(command: Sequence[str], *, program: str, cwd: Path) -> dict[str, Any]:
    """Return an order to the launcher that confines nothing yet."""
    return {
        "command": list(command),
        "program": program,
        "cwd": str(cwd),
        "landlock": False,
        "view": "",
        "temporary": "",
        "read": [],
        "write": [],
        "made": [],
        "links": {},
        "identity": None,
        "hidden": [],
        "ports": None,
        "processes": 0,
        "open_files": chat.AGENT_OPEN_FILES,
    }


def _masked(cwd: Path, held: Status) -> list[Path]:
    """Return what is hidden in the agent's folder: the server's own files, where they lie in it."""
    real = cwd.resolve()
    inside = [path for path in own_files() if path.is_relative_to(real)]
    outer = [path for path in own_files() if real.is_relative_to(path)]
    if outer and not real.is_relative_to(data_dir().resolve() / "workspaces"):
        raise CannotConfine("its folder belongs to the server")
    if inside and not held.view:
        raise CannotConfine("its folder holds the server's own files: use a folder below it")
    return inside


def _launch(
    order: dict[str, Any], held: Status, *, scratch: Path, env: Mapping[str, str]
) -> Launch:
    changed = _environment(env, scratch=scratch, held=held)
    descriptors: tuple[int, ...] = ()
    if held.kind is Kind.LANDLOCK:
        order["landlock"] = True
        if held.ports:
            descriptors = (_port_rules(frozenset(own_ports())),)
            order["ports"] = descriptors[0]
        if held.view:
            order |= {"view": str(scratch / "view"), "temporary": str(scratch / "tmp")}
            order["processes"] = chat.AGENT_PROCESSES
        return Launch(_launcher(), changed | {ORDER: json.dumps(order)}, descriptors, held.kind)
    identity.make_folders(order["made"], None)  # bubblewrap shows only existing paths
    outside = bubblewrap.command(order, temporary=str(scratch / "tmp"))
    return Launch((*outside, *_launcher()), changed | {ORDER: json.dumps(order)}, kind=held.kind)


def _launcher() -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", _BOOT, str(_CODE.parent))


def _environment(env: Mapping[str, str], *, scratch: Path, held: Status) -> dict[str, str]:
    """Return the environment of a confined agent: its temporary files and caches are its own."""
    caches = {name: str(scratch / "tmp" / "cache" / folder) for name, folder in _CACHES.items()}
    changed = {name: value for name, value in (caches | dict(env)).items() if name not in _UNNAMED}
    changed["TMPDIR"] = "/tmp" if held.view else str(scratch / "tmp")  # noqa: S108 (of its view)
    if env.get("PYTHONPATH") == str(_CODE.parent):
        # Our folder holds more than the code; Python lists every folder that it imports from.
        changed["PYTHONPATH"] = str(scratch / "tmp" / "code")
    return changed


def _new_scratch(env: Mapping[str, str], part: str) -> Path:
    """Return an empty folder for what an agent keeps no longer than its process."""
    scratch = data_dir() / "scratch" / f"{env.get(tree.SESSION) or uuid.uuid4().hex}{part}"
    _remove(scratch)
    for folder in (*_scratch_folders(scratch), scratch / "view"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    code = scratch / "tmp/code" / _CODE.name
    if not code.is_symlink():
        code.symlink_to(_CODE)
    return scratch.resolve()


def _scratch_folders(scratch: Path) -> list[Path]:
    return [scratch / name for name in ("tmp", "tmp/cache", "tmp/code")]


def _remove(folder: Path) -> None:
    # A program: an agent may have nested its folders deeper than Python's own can follow.
    command = ["rm", "-rf", "--", str(folder)]
    with spare_files.lent():
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 (ours)


def _expanded(named: Iterable[str], env: Mapping[str, str]) -> Iterator[Path]:
    """Yield paths with ~ and a leading variable put in from an agent's environment."""
    for path in named:
        first, _, rest = path.partition("/")
        start = env.get("HOME") if first == "~" else env.get(first[1:])
        if not first.startswith(("~", "$")):
            yield Path(path)
        elif start and Path(start).is_absolute():
            yield Path(start, rest)


def _texts(*found: Path) -> list[str]:
    return list(dict.fromkeys(map(str, found)))


_rules_lock = threading.Lock()


def _port_rules(closed: frozenset[int]) -> int:
    with _rules_lock:  # two agents that start at once share one set
        return _made_port_rules(closed)


@lru_cache(maxsize=1)
def _made_port_rules(closed: frozenset[int]) -> int:
    return landlock.port_rules(closed)
