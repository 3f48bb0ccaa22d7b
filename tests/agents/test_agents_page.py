"""The page of the agents: versions and states of programs that are there, one turn for staff."""

import html
import shlex
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS
from sessions.agents import acp_registry, added, registry
from sessions.agents.agents_file import NAME
from sessions.agents.processes import accounts, confine
from sessions.agents.ways import of_agent
from sessions.core.errors import UnknownAgent
from sessions.log_ins import needs
from sessions.models import AuditEntry
from tests.support.browsing import logged_in

pytestmark = pytest.mark.django_db(transaction=True)

KEY = {"origin_key": HEADERS["X-Origin-Key"]}
ODD = Path(__file__).with_name("odd_agent.py")


@pytest.fixture
def staff(settings, tmp_path) -> Client:
    program = tmp_path / "versioned"
    mark = tmp_path / "mark"
    program.write_text(
        f"#!/bin/sh\necho 'versioned 1.2.3'\necho more\n(echo x > {mark}) 2>/dev/null\ntrue\n"
    )
    program.chmod(0o755)
    lost = tmp_path / "agents.toml"
    odd = f'["{sys.executable}", "{ODD}", "WantsLogin"]'
    lost.write_text(
        f'[agents.versioned]\ncommand = ["{program}"]\n'
        f'[agents.lost]\ncommand = ["no-such-program"]\n[agents.login]\ncommand = {odd}\n'
    )
    settings.DATA_DIR = tmp_path / "data"
    settings.CHAT = settings.CHAT | {"AGENTS_FILE": str(lost)}
    return logged_in(User.objects.create_user("ada", is_staff=True))


def test_versions_and_states_are_told_to_staff(staff: Client) -> None:
    page = staff.get("/account/agents/").content.decode()
    assert "versioned 1.2.3" in page
    assert "more" not in page.split("versioned 1.2.3")[1].split("</li>")[0]
    assert "The command no-such-program is not on the PATH." in page
    assert "/account/agents/" in staff.get("/account/").content.decode()
    other = logged_in(User.objects.create_user("bob"))
    assert other.get("/account/agents/").status_code == 403
    assert other.post("/account/agents/try/", {"agent": "demo"} | KEY).status_code == 403
    assert "/account/agents/" not in other.get("/account/").content.decode()


def test_a_log_in_that_an_agent_wants_is_told_to_everybody_until_the_agent_is_removed(
    staff: Client, settings
) -> None:
    # An agent chooses the names of its ways.
    ways = of_agent([{"id": "a", "name": "By <b>a page</b>\u202e"}, {"id": "b", "name": "By hand"}])
    needs.note("login", accounts.name_of("ada"), ways, at_prompt=False)
    page = html.unescape(staff.get("/account/agents/").content.decode())
    [item] = [part for part in page.split("<li") if 'id="agent-login"' in part]
    assert "Log-in needed" in item
    assert "It offers: By <b>a page</b>⟨U+202E⟩, By hand." in item
    assert page.count("Log-in needed") == 1
    bob = logged_in(User.objects.create_user("bob"))
    listed = bob.get("/api/agents", headers=HEADERS).json()["agents"]
    rows = {row["name"]: row["logIn"] for row in listed}
    assert [way["name"] for way in rows["login"]["ways"]][1] == "By hand"
    assert rows["login"]["since"].endswith("Z")
    assert [name for name, wanted in rows.items() if wanted is not None] == ["login"]
    needs.forget("login")
    assert "Log-in needed" not in staff.get("/account/agents/").content.decode()


def test_a_program_that_tells_its_version_is_confined_as_the_agent_is(
    staff: Client, tmp_path: Path
) -> None:
    assert "versioned 1.2.3" in staff.get("/account/agents/").content.decode()
    # Where agents are confined, the program has written nothing outside its folders.
    assert (tmp_path / "mark").exists() is (confine.status().kind is confine.Kind.OFF)
    for left in ("scratch", "agents/versioned"):
        folder = tmp_path / "data" / left
        assert not folder.exists() or not list(folder.iterdir())


def test_no_version_is_told_where_no_agent_may_start(
    staff: Client, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "_possible", lambda: confine.UNHELD)
    settings.CHAT = settings.CHAT | {"AGENT_CONFINE": "strict"}
    assert "versioned 1.2.3" not in staff.get("/account/agents/").content.decode()


def test_a_confinement_that_is_held_in_part_is_told_to_staff(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = confine.Status(confine.Kind.LANDLOCK, view=True, signals=True)
    assert not held.is_whole
    monkeypatch.setattr(confine, "_possible", lambda: held)
    page = html.unescape(staff.get("/account/agents/").content.decode())
    assert "are confined (landlock, but for the server's ports)." in page


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("demo", "it answers: "),
        ("login", "<strong>Log-in needed.</strong> login wants a log-in first."),
        ("lost", "cannot be started"),
        ("<b>", "There is no agent"),
    ],
)
def test_a_trial_is_one_turn_or_the_reason_for_none(staff: Client, name: str, said: str) -> None:
    answer = staff.post("/account/agents/try/", {"agent": name} | KEY)
    assert answer.status_code == 200
    tried = answer.content.decode().split('id="tried"')[1].split("</p>")[0]
    assert said in tried
    assert "<b><b>" not in tried


def test_a_trial_keeps_a_log_in_that_is_wanted_and_settles_it_by_an_answer(
    staff: Client, settings, tmp_path: Path
) -> None:
    program = Path(__file__).with_name("log_in_agent.py")
    home = tmp_path / "agent-home"
    home.mkdir()
    with (tmp_path / "agents.toml").open("a") as file:
        file.write(
            f'[agents.late]\ncommand = ["{sys.executable}", "{program}"]\nwrite = ["{home}"]\n'
            f'env = {{ LOG_IN_HOME = "{home}", LOG_IN_AT = "prompt" }}\n'
        )
    account = accounts.name_of("ada")
    page = staff.post("/account/agents/try/", {"agent": "late"} | KEY).content.decode()
    tried = page.split('id="tried"')[1].split("</p>")[0]
    assert "Log-in needed." in tried
    assert "It offers: In a terminal, By a page, By a key, Flood." in tried
    assert "<strong>Log-in needed</strong> since" in page
    assert needs.of_account(account).keys() == {"late"}
    assert needs.everywhere().get(agent="late").at_prompt
    (home / "credentials").write_text("of ada")
    page = staff.post("/account/agents/try/", {"agent": "late"} | KEY).content.decode()
    assert "it answers: hello" in page
    assert "Log-in needed" not in page
    assert needs.of_account(account) == {}


def add(staff: Client, name: str, command: str, label: str = "") -> str:
    """Add an agent; return the problem that the page tells, "" without one."""
    answer = staff.post(
        "/account/agents/add/", {"name": name, "label": label, "command": command} | KEY
    )
    if answer.status_code == 302:
        return ""
    return answer.content.decode().split('role="alert">')[1].split("</p>")[0]


def test_an_added_agent_stays_can_be_tried_and_is_removed(staff: Client, tmp_path: Path) -> None:
    odd = tmp_path / "my agent's.py"
    odd.write_text(ODD.read_text())
    command = shlex.join([sys.executable, str(odd), "Greets"])
    assert add(staff, "mine", command, "My <b>agent</b>") == ""
    found = registry.find("mine")
    assert found.command == (sys.executable, str(odd), "Greets")
    assert found.confine
    assert not found.is_ours
    page = staff.get("/account/agents/").content.decode()
    assert "My &lt;b&gt;agent&lt;/b&gt;" in page
    assert 'aria-label="Remove Demo' not in page
    tried = staff.post("/account/agents/try/", {"agent": "mine"} | KEY).content.decode()
    assert "cannot be started" not in tried
    assert "There is an agent mine already." in html.unescape(add(staff, "mine", command))
    staff.post("/account/agents/remove/", {"agent": "mine"} | KEY)
    with pytest.raises(UnknownAgent):
        registry.find("mine")
    acts = list(AuditEntry.objects.order_by("pk").values_list("act", "about"))
    assert [act for act in acts if act[1] == "agent:mine"] == [
        ("agent_added", "agent:mine"),
        ("agent_removed", "agent:mine"),
    ]


@pytest.mark.parametrize(
    ("name", "command", "problem"),
    [
        ("codex", "true", "There is an agent codex already."),
        ("versioned", "true", "There is an agent versioned already."),
        ("../x", "true", "A name has small letters"),
        ("x" * 64, "true", "A name has small letters"),
        ("x", "true 'open", "a quote that does not end"),
        ("x", "no-such-program --acp", "not on the server's PATH"),
        ("x", "", "not on the server's PATH"),
        ("x", "'' --acp", "not on the server's PATH"),
        ("x", "true \u202e cpa", "cannot be seen"),
        ("x", "true\n--acp", "cannot be seen"),
        ("x", "true " + "y" * 2000, "too long"),
        ("x", "true; touch /tmp/backstay-was-here", "not on the server's PATH"),
    ],
)
def test_an_agent_that_cannot_be_added_says_why(
    staff: Client, name: str, command: str, problem: str
) -> None:
    assert problem in html.unescape(add(staff, name, command))
    assert added.read() == {}


def test_others_add_and_remove_no_agents(staff: Client) -> None:
    other = logged_in(User.objects.create_user("bob"))
    wanted = {"name": "x", "label": "", "command": "true"}
    assert other.post("/account/agents/add/", wanted | KEY).status_code == 403
    assert other.post("/account/agents/remove/", {"agent": "x"} | KEY).status_code == 403
    assert added.read() == {}


def test_a_preset_and_the_file_come_before_an_added_agent(staff: Client) -> None:
    assert add(staff, "late", "true") == ""
    file = Path(settings.CHAT["AGENTS_FILE"])
    file.write_text(file.read_text() + '[agents.late]\ncommand = ["false"]\n')
    assert registry.find("late").command == ("false",)
    assert 'aria-label="Remove late"' not in staff.get("/account/agents/").content.decode()


def test_the_registry_can_be_read_and_its_agents_have_names_of_their_own() -> None:
    names = [entry.id for entry in acp_registry.entries()]
    assert len(set(names)) == len(names) > 5
    assert set(names).isdisjoint(registry.configured())
    assert all(NAME.fullmatch(name) for name in names)


def test_an_agent_of_the_registry_is_added_as_this_server_starts_it(
    staff: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "Needs npx on the PATH." in staff.get("/account/agents/").content.decode()
    refused = staff.post("/account/agents/add/", {"known": "auggie"} | KEY)
    assert "This server cannot start auggie." in refused.content.decode()
    (programs / "npx").write_text("#!/bin/sh\n")
    (programs / "npx").chmod(0o755)
    assert 'aria-label="Add Auggie CLI"' in staff.get("/account/agents/").content.decode()
    assert staff.post("/account/agents/add/", {"known": "auggie"} | KEY).status_code == 302
    found = registry.find("auggie")
    entry = acp_registry.find("auggie")
    assert entry is not None
    package = entry.distribution.npx
    assert package is not None
    assert found.command == ("npx", "--yes", package.package, *package.args)
    assert found.env == package.env != {}
    assert 'aria-label="Add Auggie CLI"' not in staff.get("/account/agents/").content.decode()


def test_a_binary_that_is_there_comes_before_a_package() -> None:
    told = {
        "id": "both",
        "name": "Both",
        "version": "1.0.0",
        "description": "d",
        "distribution": {
            "binary": {
                f"{system}-{machine}": {
                    "archive": "https://a.b/c",
                    "cmd": "./both",
                    "args": ["acp"],
                }
                for system in ("linux", "darwin")
                for machine in ("x86_64", "aarch64")
            },
            "uvx": {"package": "both@1.0.0"},
        },
    }
    starts = list(acp_registry.Entry.model_validate(told).starts())
    assert starts == [(("both", "acp"), {}), (("uvx", "both@1.0.0"), {})]
