"""A trial of an agent: its version, and one turn in a folder of its own, bounded in time."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import which
from typing import Final

from sessions.agents import registry
from sessions.agents.port import (
    Agent,
    AgentError,
    AgentExited,
    LogInNeeded,
    PermissionAsked,
    QuestionAsked,
    TextDelta,
    TurnDone,
)
from sessions.agents.processes.accounts import NoSystemUser
from sessions.agents.processes.confine import CannotConfine, Launch
from sessions.agents.ways import Method
from sessions.core.hardening.files import usual_umask

PROMPT: Final = "Say hello in one sentence."
DEADLINE_S: Final = 60.0
VERSION_S: Final = 20.0
MAX_CHARS: Final = 2_000
MAX_VERSION: Final = 80


@dataclass(frozen=True, slots=True)
class Tried:
    """The outcome of a trial: the answer, or the reason for none.

    log_in: the ways to log in, where the agent wants that first; at_prompt: it opened a session.
    """

    text: str
    error: str = ""
    log_in: tuple[Method, ...] | None = None
    at_prompt: bool = False


async def one_turn(name: str, *, account: str = "") -> Tried:
    """Run one turn; requests of the agent are cancelled. Raises UnknownAgent, NoSystemUser.

    account: the name of the user as whose agent it runs; "": the server's.
    """
    with tempfile.TemporaryDirectory(prefix="backstay-try-") as folder:
        cwd = Path(folder)
        agent = registry.create(name, cwd=cwd)
        env = await asyncio.to_thread(
            registry.environment, name, session_id="try", cwd=cwd, account=account
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                await agent.start(cwd=cwd, env=env, resume=None, mode=None)
                await agent.send(PROMPT)
                return await _answer(agent)
        except TimeoutError:
            return Tried("", f"It did not answer within {DEADLINE_S:g} s.")
        except LogInNeeded as exc:
            return Tried("", str(exc), exc.ways)
        except AgentError as exc:
            return Tried("", str(exc)[:MAX_CHARS])
        finally:
            await agent.close(grace_s=0)


async def _answer(agent: Agent) -> Tried:
    said = ""
    async for update in agent.events():
        match update:
            case TextDelta(text):
                said = (said + text)[:MAX_CHARS]
            case PermissionAsked(perm_id=perm_id):
                await agent.answer(perm_id, None)
            case QuestionAsked(question_id=question_id):
                await agent.reply(question_id, "cancel", {})
            case TurnDone(error=error, log_in=ways):
                return Tried(said, (error or "")[:MAX_CHARS], ways, at_prompt=ways is not None)
            case AgentExited(error=error):
                return Tried(said, (error or "The agent ended.")[:MAX_CHARS])
    return Tried(said, "The agent ended.")


def version(name: str) -> str:
    """Return the version that an agent's program tells, "" for one of this project. Blocking."""
    definition = registry.find(name)
    path = which(definition.command[0])
    if definition.is_ours or path is None:
        return ""
    with suppress(OSError):
        return _version(name, path, Path(path).stat().st_mtime_ns)
    return ""


@lru_cache(64)
def _version(name: str, path: str, _changed: int) -> str:
    """Return the first line of --version; one for each state of the program."""
    session_id = f"version-{uuid.uuid4().hex}"
    confinement = registry.confinement_of_script(name, shared=registry.ALONE)
    try:
        with tempfile.TemporaryDirectory(prefix="backstay-version-") as folder:
            cwd = Path(folder)
            env = registry.environment(name, session_id=session_id, cwd=cwd)
            done = _run(confinement.prepare([path, "--version"], cwd=cwd, env=env), cwd)
    except (OSError, CannotConfine, NoSystemUser, subprocess.TimeoutExpired):
        return ""
    finally:
        confinement.clean()
        registry.forget(name, session_id)
    lines = done.stdout.strip().splitlines()
    return lines[0][:MAX_VERSION] if done.returncode == 0 and lines else ""


def _run(launch: Launch, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, confined as an agent is."""
    return subprocess.run(  # noqa: S603 (a program of the configuration)
        launch.command,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=launch.env,
        pass_fds=launch.descriptors,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=VERSION_S,
        umask=usual_umask(),
    )
