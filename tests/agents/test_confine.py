"""An agent stays in its place: attacks from inside one, on everything that is not its own.

The servers, the database and Redis are real; the agent is the demo, whose `/run` is a shell.
"""

from __future__ import annotations

import os
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from lab.rig.programs import services
from sessions.agents.processes import confine, tree
from tests.agents.shell import Shell
from tests.agents.talking import Talk
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    print("connected")
except OSError as exc:
    print(exc.strerror)
"""
DENIED = re.compile(r"denied|not permitted|No such file|nonexistent|Read-only|cannot access")


class World:
    """A server that keeps its data in PostgreSQL and wakes by Redis, and two people's shells."""

    def __init__(self, server: Server, *, database: str, redis: str) -> None:
        self.server = server
        self.database = urlsplit(database)
        self.redis = urlsplit(redis)
        self.http = {name: server.client(name) for name in ("alice", "bob")}
        self.alice, self.bob = (Shell(http) for http in self.http.values())

    def close(self) -> None:
        for http in self.http.values():
            http.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with services.postgres() as database, services.redis_server() as redis:
        addresses = {"DATABASE_URL": database.create_database(), "REDIS_URL": redis}
        environment = addresses | {"CHAT_SENDS_PER_MINUTE": "1000", "CHAT_AGENT_CONFINE": "strict"}
        server = Server(tmp_path_factory.mktemp("confined"), environment=environment)
        try:
            server.start()
            made = World(server, database=addresses["DATABASE_URL"], redis=redis)
            yield made
            made.close()
        finally:
            server.close()


def assert_refused(said: str) -> None:
    assert DENIED.search(said), said


# --- files ---


@pytest.mark.parametrize("own", ["secret_key", "", "scratch", "workspaces", "agents/demo"])
def test_the_servers_folder_is_not_there(world, own):
    data = Path(world.server.environment["DATA_DIR"])
    inside = (data / own).exists()
    assert inside or own == "scratch"
    listed = world.alice.run(
        f"cat {data / own} || find {data / own} -type f -not -path '*scratch*'"
    )
    assert "secret_key" not in listed.replace(str(data / "secret_key"), "")
    for other in (world.bob.session_id, "sqlite"):
        assert other not in listed


def test_the_database_file_is_out_of_reach(make_server):
    server = make_server(environment={"CHAT_AGENT_CONFINE": "strict"})
    database = Path(server.environment["DATA_DIR"], "backstay.sqlite3")
    assert database.stat().st_size > 0
    with server.client("alice") as http:
        shell = Shell(http)
        mode = database.stat().st_mode
        for attack in ("cat", "rm", "chmod 777", "ln -t .", "mv -t ."):
            said = shell.run(f"{attack} {database} && echo done")
            assert "done" not in said
            assert_refused(said)
        assert database.stat().st_mode == mode
        assert database.read_bytes()[:15] == b"SQLite format 3"


def test_another_sessions_folder_is_out_of_reach(world):
    world.bob.run("echo bobs > notes.txt")
    theirs = world.bob.folder / "notes.txt"
    assert theirs.read_text() == "bobs\n"
    assert_refused(world.alice.run(f"cat {theirs}"))
    assert_refused(world.alice.run(f"echo mine > {theirs}"))
    assert_refused(world.alice.run(f"ln -s {theirs} link && cat link"))
    assert theirs.read_text() == "bobs\n"


def test_another_sessions_conversation_is_out_of_reach(world):
    kept = Path(world.server.environment["DATA_DIR"], "agents/demo", world.bob.session_id)
    files = list(kept.iterdir())
    assert files
    for path in (kept, *files):
        assert_refused(world.alice.run(f"cat {path}"))


@pytest.mark.parametrize(
    "place",
    ["/etc", "/usr/local/bin", "/opt", "/root", "/var/lib", "/proc/sys/kernel", "/sys", "/dev"],
)
def test_nothing_is_written_outside_of_the_sessions_folder(world, place):
    name = f"{place}/backstay-{uuid.uuid4().hex[:8]}"
    assert_refused(world.alice.run(f"echo x > {name}"))
    assert not Path(name).exists()


def test_a_folder_that_is_named_for_reading_is_not_written_wherever_it_lies(make_server, tmp_path):
    shown = tmp_path / "shown"
    (shown / "own").mkdir(parents=True)
    (shown / "notes.txt").write_text("theirs\n")
    agents = tmp_path / "agents.toml"
    agents.write_text(f'[agents.demo]\nread = ["{shown}"]\nwrite = ["{shown}/own"]\n')
    server = make_server(
        environment={"CHAT_AGENT_CONFINE": "strict", "CHAT_AGENTS_FILE": str(agents)}
    )
    with server.client("alice") as http:
        shell = Shell(http)
        assert "theirs" in shell.run(f"cat {shown}/notes.txt")
        for attack in (
            f"echo mine > {shown}/notes.txt",
            f"echo mine > {shown}/new",
            f"rm {shown}/notes.txt",
            f"mv {shown}/notes.txt {shown}/own/",
            f"chmod 777 {shown}/notes.txt",
        ):
            assert_refused(shell.run(f"{attack} && echo done"))
        shell.run(f"echo mine > {shown}/own/notes.txt")
    assert {each.name for each in shown.iterdir()} == {"notes.txt", "own"}
    assert (shown / "notes.txt").read_text() == "theirs\n"
    assert (shown / "own" / "notes.txt").read_text() == "mine\n"


def test_the_home_folder_holds_tools_alone(make_server, tmp_path):
    home = tmp_path / "home"
    for name in (".ssh/id_ed25519", ".netrc", ".aws/credentials", ".bash_history", ".gitconfig"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"[user]\n\tname = {name}\n")
    server = make_server(environment={"HOME": str(home), "CHAT_AGENT_CONFINE": "strict"})
    with server.client("alice") as http:
        shell = Shell(http)
        assert shell.run("git config user.name") == ".gitconfig\n"
        assert shell.run("ls -A ~").split() == [".gitconfig"]
        for name in (".ssh/id_ed25519", ".netrc", ".aws/credentials", ".bash_history"):
            assert_refused(shell.run(f"cat ~/{name}"))


def test_of_etc_an_agent_reads_what_every_user_may(world):
    assert "root" in world.alice.run("cat /etc/passwd")
    assert_refused(world.alice.run("cat /etc/shadow"))


def test_an_agent_has_a_temporary_folder_of_its_own(world):
    mark = f"mark-{uuid.uuid4().hex[:8]}"
    assert world.alice.run(f"echo x > /tmp/{mark} && cat $TMPDIR/{mark}") == "x\n"
    assert not Path("/tmp", mark).exists()
    assert_refused(world.bob.run(f"cat /tmp/{mark}"))


def test_no_device_but_the_harmless_ones(world):
    assert_refused(world.alice.run("mknod disk b 254 0"))
    assert_refused(world.alice.run("head -c 1 /dev/vda /dev/sda /dev/mem"))
    assert world.alice.run("echo gone > /dev/null; head -c 3 /dev/zero | wc -c").strip() == "3"


# --- processes ---


def test_the_environment_and_memory_of_others_are_closed(world):
    others = agents_of(world.bob.session_id)
    assert others
    names = "environ mem maps auxv fd/0 root/etc/passwd cwd/."
    for pid in (world.server.pid, *others, os.getpid()):
        said = world.alice.run(
            f"for n in {names}; do head -c 1 /proc/{pid}/$n >/dev/null && echo open: $n; done"
        )
        assert "open:" not in said, (pid, said)
        assert_refused(said)
    own = world.alice.run("tr '\\0' '\\n' < /proc/self/environ")
    assert f"BACKSTAY_SESSION={world.alice.session_id}" in own


def test_no_signal_leaves_an_agent(world):
    victims = [world.server.pid, *agents_of(world.bob.session_id), os.getpid()]
    for pid in victims:
        said = world.alice.run(f"for n in 0 15 9; do kill -$n {pid} && echo sent; done")
        assert_refused(said)
        assert "sent" not in said
    assert all(psutil.pid_exists(pid) for pid in victims)
    assert world.alice.run("sleep 60 & kill -9 $! && echo its own it may") == "its own it may\n"


def agents_of(session_id: str) -> list[int]:
    """Return the pids of a session's agent."""
    return [ref.pid for ref in tree.of_session(session_id)]


def test_no_power_of_root_is_left(world):
    for attack in (
        "mount -t tmpfs none .",
        "unshare --mount true && mount --bind / .",
        "chroot / true",
        "nsenter -t 1 -m true",
        "sysctl -w kernel.core_pattern=x",
        "su -s /bin/sh nobody -c id",
    ):
        assert_refused(world.alice.run(attack))


def test_limits_of_a_server_hold_its_agents(make_server):
    limits = {"CHAT_AGENT_OPEN_FILES": "64", "CHAT_AGENT_MEMORY_MB": "2000"}
    server = make_server(environment=limits)
    with server.client("alice") as http:
        shell = Shell(http)
        assert shell.run("ulimit -d").strip() == str(2000 * 1024)
        opened = "files = [open('/dev/null') for _ in range(200)]"
        assert "Too many open files" in shell.python(opened)
        assert "MemoryError" in shell.python("bytearray(3 * 10**9)")
        assert shell.run("echo still there") == "still there\n"


def test_limits_of_the_kernel_hold(world):
    said = world.alice.run("ulimit -c; ulimit -n; grep NoNewPrivs /proc/self/status").split()
    assert said[0] == "0"
    assert int(said[1]) <= 65536
    assert said[-1] == "1"


# --- the network ---


def test_the_ports_of_the_server_and_its_services_are_closed(world):
    closed = {
        "server": ("127.0.0.1", world.server.port),
        "redis": (world.redis.hostname, world.redis.port),
        "database": (world.database.hostname, world.database.port),
    }
    for name, address in closed.items():
        socket.create_connection(address, 5).close()
        assert_refused(f"{name}: {world.alice.python(CONNECT, *address)}")


@pytest.mark.parametrize("name", ["localhost", "::1", "::ffff:127.0.0.1", "127.0.0.2", "0.0.0.0"])
def test_the_ports_are_closed_under_every_name_of_this_machine(world, name):
    for port in (world.server.port, world.redis.port, world.database.port):
        said = world.alice.python(CONNECT, name, port)
        # Nothing listens on some of these addresses; the kernel refuses before it looks.
        assert re.search(r"denied|not permitted", said), (name, port, said)


def test_the_port_of_another_web_process_is_closed(world):
    noted = Path(world.server.environment["DATA_DIR"], "ports")
    assert (noted / str(world.server.port)).exists()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        (noted / str(port)).touch()
        assert_refused(Shell(world.http["alice"]).python(CONNECT, host, port))
        (noted / str(port)).unlink()


def test_every_other_port_is_open(world):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = world.alice.python(CONNECT, *listening.getsockname())
    assert said == "connected\n"


def test_no_unix_socket_of_another_process(world, tmp_path):
    named = tmp_path / "service"
    for address, shown in ((str(named), named), (f"\0{named}", f"@{named}")):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(address)
            listening.listen()
            code = (
                "import socket, sys; name = sys.argv[1].replace('@', chr(0));"
                "socket.socket(socket.AF_UNIX).connect(name)"
            )
            assert_refused(world.alice.python(code, shown))


# --- its work ---


def test_an_agent_does_its_work(world):
    shell = world.alice
    assert "[main (root-commit)" in shell.run(
        "git init -qb main repo && cd repo && echo text > file && git add . &&"
        " git -c user.name=a -c user.email=a@b commit -m first"
    )
    assert shell.run("cd repo && echo more >> file && git diff --stat").endswith("1 insertion(+)\n")
    assert shell.run("python3 -m venv --without-pip v && v/bin/python -c 'print(6 * 7)'") == "42\n"
    assert shell.run("node -e 'console.log(6 * 7)'") == "42\n"
    package = '{"name": "x", "version": "1.0.0", "scripts": {"test": "echo tested"}}'
    assert "tested" in shell.run(f"echo '{package}' > package.json && npm test --silent")
    assert "added 1 package" in shell.run(
        'mkdir -p dep && echo \'{"name": "dep", "version": "1.0.0"}\' > dep/package.json &&'
        " npm install --offline ./dep"
    )
    code = "import multiprocessing as m; print(sum(m.Pool(2).map(abs, [-20, -22])))"
    assert shell.python(code) == "42\n"
    assert "pts" in shell.run("script -qc tty /dev/null")


# --- what a person sees, and what an operator chooses ---


def test_what_confines_the_agents_is_shown(world):
    assert world.http["alice"].get("/api/agents").json()["confinement"] == {
        "kind": "landlock",
        "sentence": "Agents on this server are confined (landlock).",
        "isWhole": True,
    }
    assert "Agents on this server are confined (landlock)." in world.server.manage("agents")
    world.alice.run("true")
    told = world.http["alice"].get("/metrics").text
    assert 'backstay_agent_confinement{kind="landlock"} 1.0' in told
    assert 'backstay_agent_confinement{kind="off"} 0.0' in told
    assert re.search(
        r'^backstay_agents_running\{confinement="landlock"\} [1-9]', told, re.MULTILINE
    )
    assert 'backstay_agents_running{confinement="off"}' not in told


def test_without_confinement_everything_is_open_and_said_to_be(make_server):
    server = make_server(environment={"CHAT_AGENT_CONFINE": "off"})
    with server.client("alice") as http:
        shell = Shell(http)
        assert shell.run(f"cat {server.environment['DATA_DIR']}/secret_key").strip()
        told = http.get("/api/agents").json()["confinement"]
        counted = http.get("/metrics").text
        assert 'backstay_agent_confinement{kind="off"} 1.0' in counted
        assert 'backstay_agents_running{confinement="off"} 1.0' in counted
        Talk(http).stop(shell.session_id)
        eventually(lambda: running(http, "off") == 0, within_s=30, what="the end of the count")
    sentence = "Agents on this server are not confined."
    assert told == {"kind": "off", "sentence": sentence, "isWhole": False}
    assert told["sentence"] in server.manage("agents")


def running(http: httpx.Client, kind: str) -> float:
    """Return how many agents run under a kind of confinement."""
    name = f'backstay_agents_running{{confinement="{kind}"}} '
    return sum(
        float(line.split()[-1]) for line in http.get("/metrics").text.split("\n") if name in line
    )


def test_strict_without_means_is_no_readiness(settings, monkeypatch):
    monkeypatch.setattr(confine, "_possible", lambda: confine.UNHELD)
    for setting, is_told in (("strict", True), ("auto", False), ("off", False)):
        settings.CHAT = settings.CHAT | {"AGENT_CONFINE": setting}
        assert bool(confine.problem()) is is_told


def test_strict_starts_no_agent_unconfined(tmp_path, settings, monkeypatch):
    settings.CHAT = settings.CHAT | {"AGENT_CONFINE": "strict"}
    monkeypatch.setattr(confine, "_possible", lambda: confine.Status(confine.Kind.OFF))
    with pytest.raises(confine.CannotConfine, match="CHAT_AGENT_CONFINE is strict"):
        confine.Confinement().prepare(["true"], cwd=tmp_path, env={"PATH": os.environ["PATH"]})


def test_the_temporary_files_of_an_agent_go_with_it(make_server):
    server = make_server()
    with server.client("alice") as http:
        shell = Shell(http)
        shell.run(
            "d=$TMPDIR; for i in $(seq 1200); do d=$d/d; done; mkdir -p $d; chmod 0 $TMPDIR/d"
        )
        scratch = Path(server.environment["DATA_DIR"], "scratch", shell.session_id)
        assert scratch.exists()
        Talk(http).stop(shell.session_id)
        eventually(lambda: not scratch.exists(), within_s=30, what="the end of its files")
