"""Log-ins of agents on their page: real programs at pseudo terminals, looked at by staff."""

import html
import json
import os
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS
from lab.rig.waiting import eventually
from sessions.agents.log_in import holder, place, terminal
from sessions.agents.processes import accounts, tree
from sessions.agents.ways import Kind, Method
from sessions.agents.ways import of_agent as ways_of_agent
from sessions.core.errors import InvalidRequest
from sessions.log_ins import needs
from sessions.models import AuditEntry
from sessions.trail.record import Act
from tests.agents.log_in_agent import CODE, LINK, METHODS
from tests.support.browsing import logged_in

pytestmark = pytest.mark.django_db(transaction=True)

KEY = {"origin_key": HEADERS["X-Origin-Key"]}
AGENT = Path(__file__).with_name("log_in_agent.py")


@pytest.fixture
def home(settings, tmp_path, monkeypatch) -> Path:
    home = tmp_path / "agent-home"
    home.mkdir()
    file = tmp_path / "agents.toml"
    file.write_text(
        f'[agents.ours]\ncommand = ["{sys.executable}", "{AGENT}"]\nlabel = "Ours"\n'
        f'env = {{ LOG_IN_HOME = "{home}" }}\nwrite = ["{home}"]\n'
        f'log_in = ["sh", "-c", "echo by hand; exit 3"]\n'
        f'[agents.other]\ncommand = ["{sys.executable}", "{AGENT}"]\npass_env = ["OTHER_SECRET"]\n'
    )
    monkeypatch.setenv("OTHER_SECRET", "of another agent")
    settings.DATA_DIR = tmp_path / "data"
    settings.CHAT = settings.CHAT | {"AGENTS_FILE": str(file)}
    return home


@pytest.fixture
def staff(home: Path) -> Client:
    return logged_in(User.objects.create_user("ada", is_staff=True))


def ways(staff: Client, agent: str = "ours") -> str:
    return staff.post("/account/agents/ways/", {"agent": agent} | KEY).content.decode()


def begin(staff: Client, name: str) -> str:
    """Begin a log-in by the name of its way; return its id."""
    found = re.search(rf'name="way" value="([^"]+)"><button[^>]*Begin: {name}"', ways(staff))
    assert found
    form = {"agent": "ours", "way": html.unescape(found[1])} | KEY
    answer = staff.post("/account/agents/log-in/", form)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"]).rpartition("=")[2]


class Screen:
    """The page of one log-in, as its script reads it."""

    def __init__(self, client: Client, log_in_id: str) -> None:
        self._client, self._id = client, log_in_id
        self.text, self.ended, self._since = "", "", 0

    def look(self, typed: str = "") -> None:
        form = {"id": self._id, "since": str(self._since), "typed": typed} | KEY
        answer = self._client.post("/account/agents/turn/", form)
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        self.text += told["text"]
        self.ended, self._since = told["ended"], told["since"]

    def has(self, words: str) -> bool:
        self.look()
        return words in self.text

    def has_ended(self) -> bool:
        self.look()
        return bool(self.ended)

    def leave(self) -> None:
        form = {"id": self._id, "leave": "1"} | KEY
        assert self._client.post("/account/agents/turn/", form).status_code == 204


def is_gone(log_in_id: str) -> bool:
    """Return whether neither a file nor a process of a log-in is left."""
    is_marked = bool(tree.scan(-1, mark=log_in_id))
    return not (terminal._folder() / log_in_id).exists() and not is_marked


def test_a_log_in_in_a_terminal_shows_link_and_code_and_takes_the_answer(
    staff: Client, home: Path
) -> None:
    page = ways(staff)
    assert "Opens a page and takes its code." in page
    assert "Set THE_KEY for the server" in page
    log_in_id = begin(staff, "In a terminal")
    shown = staff.get(f"/account/agents/terminal/?id={log_in_id}").content.decode()
    assert "In a terminal" in shown
    screen = Screen(staff, log_in_id)
    eventually(lambda: screen.has("Code: "))
    assert LINK in screen.text
    assert CODE in screen.text
    assert "(device, True, None)" in screen.text  # no variable of another agent
    assert "by the terminal" in screen.text
    screen.look("1234-code\r")
    eventually(screen.has_ended)
    assert screen.ended == "The log-in has ended."
    assert "Logged in as \x1b[32mada\x1b[0m." in screen.text
    assert (home / "credentials").read_text() == "1234-code"
    screen.leave()
    eventually(lambda: is_gone(log_in_id))
    entry = AuditEntry.objects.get(act=Act.AGENT_LOG_IN)
    assert (entry.about, entry.facts["way"]) == ("agent:ours", "In a terminal")


def test_a_way_without_a_terminal_calls_the_agent_and_shows_its_page(
    staff: Client, home: Path
) -> None:
    screen = Screen(staff, begin(staff, "By a page"))
    eventually(screen.has_ended)
    assert LINK in screen.text
    assert "Logged in." in screen.text
    assert (home / "credentials").read_text() == "accept"
    screen.leave()


def test_a_command_of_the_agents_file_logs_in_and_its_failure_is_told(staff: Client) -> None:
    screen = Screen(staff, begin(staff, "Ours"))
    eventually(screen.has_ended)
    assert "by hand" in screen.text
    assert screen.ended == "The log-in has ended with exit code 3."
    screen.leave()


def test_a_log_in_that_ends_well_settles_the_need_and_a_failed_one_does_not(
    staff: Client, home: Path
) -> None:
    account = accounts.name_of("ada")
    for agent in ("ours", "other"):
        needs.note(agent, account, ways_of_agent(METHODS), at_prompt=True)
    failing = Screen(staff, begin(staff, "Ours"))
    eventually(failing.has_ended)
    failing.leave()
    assert needs.of_account(account).keys() == {"ours", "other"}
    log_in_id = begin(staff, "In a terminal")
    screen = Screen(staff, log_in_id)
    eventually(lambda: screen.has("Code: "))
    assert needs.of_account(account).keys() == {"ours", "other"}
    screen.look("1234-code\r")
    # The page may leave before it has seen the end.
    own = place.Place(terminal._folder() / log_in_id)
    eventually(lambda: own.read(0).ended)
    screen.leave()
    assert needs.of_account(account).keys() == {"other"}


def test_a_page_that_leaves_ends_the_program_and_its_files(staff: Client, home: Path) -> None:
    log_in_id = begin(staff, "In a terminal")
    screen = Screen(staff, log_in_id)
    eventually(lambda: screen.has("Code: "))
    assert not is_gone(log_in_id)
    screen.leave()
    eventually(lambda: is_gone(log_in_id))
    assert not (home / "credentials").exists()
    again = staff.get(f"/account/agents/terminal/?id={log_in_id}")
    assert (again.status_code, again["Location"]) == (302, "/account/agents/")


def test_a_page_that_is_not_seen_any_more_counts_as_left(home: Path, tmp_path: Path) -> None:
    own = place.Place(tmp_path / "log-in")
    own.make({})
    assert not own.is_left()
    long_ago = own.output.stat().st_mtime - place.LEFT_S - 1
    os.utime(own.folder / "seen", (long_ago, long_ago))
    assert own.is_left()


def test_output_and_number_are_bounded(staff: Client) -> None:
    flood = begin(staff, "Flood")
    screen = Screen(staff, flood)
    eventually(screen.has_ended)
    assert screen.ended == "The log-in was ended: it wrote too much."
    assert len(screen.text) < holder.MAX_OUTPUT_BYTES + 2 * holder.READ_BYTES
    others = [begin(staff, "In a terminal") for _ in range(terminal.MAX_AT_ONCE - 1)]
    way = re.search(r'name="way" value="([^"]+)"', ways(staff))
    assert way
    form = {"agent": "ours", "way": html.unescape(way[1])} | KEY
    refused = staff.post("/account/agents/log-in/", form)
    assert refused.status_code == 200
    assert "3 log-ins run already" in refused.content.decode()
    for log_in_id in (flood, *others):
        Screen(staff, log_in_id).leave()
        eventually(lambda one=log_in_id: is_gone(one))
    Screen(staff, begin(staff, "In a terminal")).leave()


def test_a_log_in_is_limited_in_time(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(holder, "LIMIT_S", 0.0)
    own = place.Place(tmp_path / "log-in")
    own.make({})
    env = {"PATH": os.defpath, tree.MARK: "limited"}
    held = holder.Terminal(
        holder.Order(("sleep", "600"), env, str(tmp_path), "limited", 0, ()), own
    )
    assert held.run() == "The log-in was ended after 0 minutes."
    held.close()
    assert not tree.scan(-1, mark="limited")


def test_others_see_and_type_nothing(staff: Client) -> None:
    log_in_id = begin(staff, "In a terminal")
    form = {"id": log_in_id, "since": "0", "typed": "x"}
    bob = logged_in(User.objects.create_user("bob"))
    assert bob.post("/account/agents/ways/", {"agent": "ours"} | KEY).status_code == 403
    assert bob.post("/account/agents/turn/", form | KEY).status_code == 403
    eve = logged_in(User.objects.create_user("eve", is_staff=True))
    assert eve.post("/account/agents/turn/", form | KEY).status_code == 404
    assert eve.get(f"/account/agents/terminal/?id={log_in_id}").status_code == 302
    assert staff.post("/account/agents/turn/", form).status_code == 403  # a cookie alone
    Screen(staff, log_in_id).leave()


@pytest.mark.parametrize("way", ["", "forged", "of another agent"])
def test_only_a_way_that_was_offered_is_taken(staff: Client, way: str) -> None:
    if way == "of another agent":
        found = re.search(r'name="way" value="([^"]+)"', ways(staff, "other"))
        assert found
        way = html.unescape(found[1])
    answer = staff.post("/account/agents/log-in/", {"agent": "ours", "way": way} | KEY)
    assert "Choose again." in answer.content.decode()


@pytest.mark.parametrize(
    ("agent", "said"), [("nobody", "There is no agent"), ("demo", "tells no way to log in")]
)
def test_an_agent_without_a_way_says_so(staff: Client, agent: str, said: str) -> None:
    assert said in html.unescape(ways(staff, agent))


@pytest.mark.parametrize("kind", [Kind.COMMAND, Kind.VARIABLES])
def test_a_log_in_that_cannot_start_leaves_nothing(
    home: Path, tmp_path: Path, monkeypatch, kind: Kind
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with (tmp_path / "agents.toml").open("a") as file:
        file.write('[agents.absent]\ncommand = ["absent-agent"]\nlog_in = ["absent-program"]\n')
    with pytest.raises(InvalidRequest):
        terminal.begin("absent", Method("m", "n", "d", kind), user_id=1, account="ada")
    assert [*temporary.iterdir()] == []
    assert [each for each in terminal._folder().iterdir() if each.is_dir()] == []


def test_the_program_of_a_killed_holder_is_ended_by_the_next_log_in(
    staff: Client, tmp_path: Path
) -> None:
    words = ["sh", "-c", "trap '' HUP; echo stays; while :; do sleep 1; done"]
    with (tmp_path / "agents.toml").open("a") as file:
        file.write(f'[agents.stubborn]\ncommand = ["sh"]\nlog_in = {json.dumps(words)}\n')
    method = Method("m", "n", "d", Kind.COMMAND)
    log_in_id = terminal.begin("stubborn", method, user_id=1, account="ada")
    own = place.Place(terminal._folder() / log_in_id)
    eventually(lambda: "stays" in own.read(0).text)
    [held] = [each for each in psutil.process_iter() if str(own.folder) in _words(each)]
    held.kill()
    eventually(lambda: not held.is_running() or held.status() == psutil.STATUS_ZOMBIE)
    assert tree.scan(-1, mark=log_in_id)
    screen = Screen(staff, begin(staff, "Ours"))
    assert is_gone(log_in_id)
    screen.leave()


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def test_a_method_survives_its_page() -> None:
    method = Method("m", "n", "d", Kind.TERMINAL, ("a",), {"K": "v"}, ())
    assert Method.of_told(method.told()) == method
