"""Confinement by a server without rights: a view in a user namespace of its own, or bubblewrap."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.rig.processes import ROOT

NOBODY = 65534
# A test that is root becomes a user without rights; any other has none already.
AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
]

Run = Callable[..., str]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of that user; pytest's own ones are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="backstay-nobody-"))
    for name in ("data", "home"):
        (made / name).mkdir()
    (made / "data/secret_key").write_text("hush-hush-" * 5)
    (made / "home/.netrc").write_text("password")
    if os.geteuid() == 0:
        for path in (made, *made.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield made
    shutil.rmtree(made)


# A Python that has our packages, and may start itself again.
PROBE = """
import subprocess, sys, django, pydantic
sys.exit(subprocess.run([sys.executable, "-V"]).returncode)
"""


def interpreter() -> str:
    """Return a Python with our packages that a user without rights may run."""
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    for python in filter(None, (sys.executable, system)):
        probe = [*through(), python, "-c", PROBE]
        if not subprocess.run(probe, env=variables(), capture_output=True, check=False).returncode:
            return python
    raise AssertionError("no Python is open to other users here")


def through() -> list[str]:
    return AS_NOBODY if os.geteuid() == 0 else []


def variables() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(p for p in sys.path if "site-packages" in p)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "chatproject.settings",
        "CHAT_AGENT_CONFINE": "strict",
    }


@pytest.fixture(params=["landlock", "bubblewrap"])
def run(request, folder) -> Run:
    python = interpreter()

    def inside(command: str, **settings: str) -> str:
        module = ["-m", "tests.agents.unprivileged", str(folder), request.param, command]
        done = subprocess.run(
            [*through(), python, *module],
            cwd=ROOT,
            env=variables() | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        return done.stdout

    inside.kind = request.param
    return inside


def test_a_server_without_rights_confines_its_agents(run, folder):
    mark = f"backstay-{uuid.uuid4().hex}"
    said = run(
        f"id -u; echo own > file && cat file; echo tmp > /tmp/{mark} && cat /tmp/{mark};"
        f" cat {folder}/data/secret_key; cat ~/.netrc; ls {folder}/data; echo x > /usr/x;"
        f" mount -t tmpfs none /mnt; cat /proc/{os.getpid()}/environ; kill -0 {os.getpid()}"
    )
    own = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert said.split("\n")[:3] == [str(own), "own", "tmp"], said
    assert "hush" not in said
    assert "password" not in said
    assert (folder / "data/workspaces/own/file").read_text() == "own\n"
    assert not Path("/tmp", mark).exists()
    refusals = [line for line in said.split("\n") if line.startswith(("cat:", "bash:", "mount:"))]
    assert len(refusals) == 6, said


def test_no_power_comes_back_by_another_namespace(run):
    said = run(
        "unshare --user --map-root-user true && echo nested;"
        " unshare --user --map-root-user --mount mount -t tmpfs none /tmp && echo mounted;"
        " grep -E 'CapEff|NoNewPrivs' /proc/self/status"
    )
    if run.kind == "landlock":  # bubblewrap lets it mount in a view of its own, for itself alone
        assert "mounted" not in said
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


# A shell would try each fork again, for 15 seconds.
FORKS = """
import os, signal
made = []
try:
    while len(made) < 300:
        child = os.fork()
        if not child:
            signal.pause()
        made.append(child)
except BlockingIOError:
    print("refused", flush=True)
for child in made:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_the_number_of_processes_is_bounded(run):
    """Landlock's view counts them apart; with bubblewrap they count with the server's user."""
    said = run(
        f"python3 -I -c '{FORKS}'; ulimit -u -n | grep -oE '[0-9]+$'",
        CHAT_AGENT_PROCESSES="60",
        CHAT_AGENT_OPEN_FILES="100",
    )
    assert said.endswith("100\n"), said
    if run.kind == "landlock":
        assert said.startswith("refused\n60\n"), said
