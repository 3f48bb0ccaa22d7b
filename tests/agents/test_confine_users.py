"""A system user for each account: two of them, out of each other's reach.

Only root can become another user. As anybody else the setting is refused, which a test sees too.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sessions.agents.processes import accounts, confine, environment, tree
from tests.agents.shell import Shell
from tests.agents.talking import Talk
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

NAMES = ("alice", "bob")


@contextmanager
def system_users() -> Iterator[str]:
    """Make a system user for each name; give the setting by which the server finds them."""
    prefix = f"bs{uuid.uuid4().hex[:6]}-"
    try:
        for name in NAMES:
            subprocess.run(["useradd", "--create-home", f"{prefix}{name}"], check=True)
        yield f"{prefix}{{account}}"
    finally:
        for name in NAMES:
            subprocess.run(["userdel", "--remove", f"{prefix}{name}"], check=False)


class Two:
    """A server whose agents run as two system users, and a shell of each."""

    def __init__(self, server: Server, users: str) -> None:
        self.server = server
        self.users = [pwd.getpwnam(users.format(account=name)) for name in NAMES]
        self.https = [server.client(name) for name in NAMES]
        self.alice, self.bob = (Shell(http) for http in self.https)

    def close(self) -> None:
        for http in self.https:
            http.close()


if os.geteuid() == 0:

    @pytest.fixture
    def two(make_server) -> Iterator[Two]:
        with system_users() as users:
            settings = {"CHAT_AGENT_USER": users, "CHAT_AGENT_CONFINE": "strict"}
            made = Two(make_server(environment=settings | {"CHAT_LEASE_S": "3"}), users)
            yield made
            made.close()
            made.server.kill()  # before its users go

    def test_each_account_has_a_user_and_only_what_is_that_users(two):
        for shell, user in zip((two.alice, two.bob), two.users, strict=True):
            assert shell.run("id -un; echo $HOME").split() == [user.pw_name, user.pw_dir]
            assert shell.run("echo text > file && cat file && grep CapEff /proc/self/status") == (
                "text\nCapEff:\t0000000000000000\n"
            )
            assert (shell.folder / "file").stat().st_uid == user.pw_uid
        victim = agent_of(two.bob.session_id)
        home = two.users[1].pw_dir
        Path(home, ".gitconfig").write_text("[user]\n")
        for attack in (
            f"cat {two.bob.folder}/file",
            f"cat {home}/.gitconfig",
            f"cat /proc/{victim}/environ",
            f"kill -9 {victim}",
            f"kill -9 {two.server.pid}",
            f"su {two.users[1].pw_name} -c true",
            f"cat {two.server.environment['DATA_DIR']}/secret_key",
        ):
            said = two.alice.run(f"{attack} && echo done")
            assert "done" not in said, (attack, said)
        assert agent_of(two.bob.session_id) == victim
        assert two.bob.run("cat file") == "text\n"

    def test_stop_and_recovery_reach_the_other_user(two):
        talk = Talk(two.https[0])
        running = talk.send("/run sleep 600 & setsid sleep 600", two.alice.session_id)
        strays = eventually(lambda: both(two.alice.session_id), within_s=30, what="a command")
        assert {Path(f"/proc/{ref.pid}").stat().st_uid for ref in strays} == {two.users[0].pw_uid}
        talk.interrupt(two.alice.session_id)
        assert talk.settled(running)["promptState"] == "interrupted"
        talk.stop(two.alice.session_id)
        eventually(lambda: not tree.of_session(two.alice.session_id), within_s=30, what="its end")
        talk.send("/run sleep 600 & setsid sleep 600", two.alice.session_id)
        eventually(lambda: both(two.alice.session_id), within_s=30, what="a command")
        two.server.kill()
        assert tree.of_session(two.alice.session_id)
        two.server.start()
        assert two.alice.run("echo back") == "back\n"
        assert not sleeping(two.alice.session_id)

    def sleeping(session_id: str) -> list[tree.ProcessRef]:
        """Return a session's commands that sleep."""
        return [ref for ref in tree.of_session(session_id) if is_sleep(ref.pid)]

    def both(session_id: str) -> list[tree.ProcessRef]:
        """Return the two commands of a session that sleep, none before."""
        found = sleeping(session_id)
        return found if len(found) == 2 else []

    def is_sleep(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def agent_of(session_id: str) -> int:
        return tree.of_session(session_id)[0].pid


def test_an_account_without_a_system_user_starts_no_agent(make_server):
    server = make_server(environment={"CHAT_AGENT_USER": "no-such-user-{account}"})
    with server.client("alice") as http:
        talk = Talk(http)
        prompt = talk.settled(talk.send("hello"))
        assert prompt["promptState"] == "failed"
        events = talk.events(talk.http.get("/api/sessions").json()["sessions"][0]["sessionId"])
    assert "no system user 'no-such-user-alice'" in str(events)


def test_no_account_is_root(settings):
    settings.CHAT = settings.CHAT | {"AGENT_USER": "{account}"}
    with pytest.raises(accounts.NoSystemUser, match="do not run as root"):
        accounts.variables("root")


def test_only_root_changes_the_user(settings, monkeypatch, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    variables = environment.build(fixed={accounts.SYSTEM_USER: "nobody", "HOME": "/nonexistent"})
    with pytest.raises(confine.CannotConfine, match="needs a runner that is root"):
        confine.Confinement().prepare(["true"], cwd=tmp_path, env=variables)
