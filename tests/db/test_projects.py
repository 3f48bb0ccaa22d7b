"""Projects: each user's own, inside the roots alone; a chat begins in one with its defaults."""

import json
import uuid
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.functional import SimpleLazyObject

from lab.rig.origin_key import KEY
from sessions.account_models import Project
from sessions.agent_models import AgentOffer, McpServer
from sessions.control.send import create_session
from sessions.models import AuditEntry, Rule, Session, Worktree
from sessions.projects import rows
from sessions.web import projects_api
from tests.db.scripting import Script
from tests.db.test_api_schemas import check
from tests.db.test_folders import repository

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root"
    (made / "plain").mkdir(parents=True)
    repository(made / "shop")
    settings.CHAT = {"WORKSPACE_ROOTS": str(made)}
    return made


def post(script: Script, path: str, body: object):
    return script.client.post(
        path, json.dumps(body), content_type="application/json", headers=script.headers
    )


def make(script: Script, folder: Path, **fields: object) -> dict:
    answer = post(script, "/api/projects", {"folder": str(folder), **fields})
    assert answer.status_code in {200, 201}, answer.content
    check(projects_api.OneProject, answer.json())
    return answer.json()["project"]


def send(script: Script, name: str, **fields: object):
    body = {"clientMsgId": name, "sessionId": None, "text": "hello", **fields}
    return post(script, "/api/chat/send", body)


def test_a_project_is_made_listed_changed_and_removed(ada: Script, root: Path) -> None:
    made = make(ada, root / "shop")
    assert (made["name"], made["trust"], made["git"]) == ("shop", None, {"branch": "main"})
    no_defaults = {"agent": None, "modes": {}, "options": {}, "waiting": None, "setUpScript": ""}
    assert made["defaults"] == no_defaults
    again = post(ada, "/api/projects", {"folder": f"{root}/plain/../shop", "name": "other"})
    assert (again.status_code, again.json()["project"]) == (200, made)

    path = f"/api/projects/{made['id']}"
    wanted = {"agent": "demo", "options": {"demo": {"model": "large", "fast": True}}}
    changed = ada.patch(path, {"name": " The  shop ", "trust": True, "defaults": wanted}).json()
    assert (changed["project"]["name"], changed["project"]["trust"]) == ("The shop", True)
    more = ada.patch(f"/api/projects?id={made['id']}", {"defaults": {"waiting": 90}}).json()
    assert more["project"]["defaults"] == {**wanted, "modes": {}, "waiting": 90, "setUpScript": ""}
    assert ada.json("/api/projects")["projects"] == [more["project"]]

    assert ada.delete(path).json() == {"ok": True}
    assert ada.delete(path).json()["code"] == "unknown_project"
    assert ada.json("/api/projects") == {"projects": []}
    acts = [(e.act, e.facts.get("changed")) for e in AuditEntry.objects.filter(who="ada")]
    assert [act for act in acts if act[0].startswith("project")] == [
        ("project_made", None),
        ("project_changed", ["defaults.agent", "defaults.options", "name", "trust"]),
        ("project_changed", ["defaults.waiting"]),
        ("project_removed", None),
    ]


def test_another_users_project_is_like_none(ada: Script, bob: Script, root: Path) -> None:
    made = make(ada, root / "shop")
    assert bob.json("/api/projects") == {"projects": []}
    for id_ in (made["id"], str(uuid.uuid4())):
        told = {"ok": False, "code": "unknown_project", "error": "There is no such project."}
        told["projectId"] = id_
        for answer in (
            bob.patch(f"/api/projects/{id_}", {"name": "mine"}),
            bob.delete(f"/api/projects?id={id_}"),
            send(bob, "m1", projectId=id_),
        ):
            assert (answer.status_code, answer.json()) == (404, told)
        assert bob.json("/api/sessions", projectId=id_)["sessions"] == []
    assert Session.objects.count() == 0
    # The same folder is a project of each.
    assert make(bob, root / "shop")["id"] != made["id"]


def test_a_chat_begins_in_a_project(ada: Script, root: Path) -> None:
    shop, plain = make(ada, root / "shop", defaults={"agent": "demo"}), make(ada, root / "plain")
    assert [p["name"] for p in ada.json("/api/projects")["projects"]] == ["plain", "shop"]
    first = send(ada, "m1", projectId=shop["id"])
    assert first.status_code == 202
    assert [p["name"] for p in ada.json("/api/projects")["projects"]] == ["shop", "plain"]
    row = ada.json(f"/api/sessions/{first.json()['sessionId']}")
    assert (row["cwd"], row["agent"]) == (f"{root}/shop", "demo")
    assert row["projectId"] == shop["id"]
    send(ada, "m2", projectId=plain["id"])
    [listed] = ada.json("/api/sessions", projectId=shop["id"])["sessions"]
    assert (listed["sessionId"], listed["projectId"]) == (row["sessionId"], shop["id"])
    # The receipt outlives the project; under another project the id is a conflict.
    assert send(ada, "m1", projectId=plain["id"]).json()["code"] == "fingerprint_conflict"
    assert ada.delete(f"/api/projects/{shop['id']}").status_code == 200
    assert send(ada, "m1", projectId=shop["id"]).json() == {**first.json(), "duplicate": True}
    kept = ada.json(f"/api/sessions/{row['sessionId']}")
    assert kept == {**row, "projectId": None}
    refused = send(ada, "m3", projectId=plain["id"], cwd=str(root))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


def test_a_chat_in_the_folder_of_a_project_belongs_to_it(
    ada: Script, bob: Script, root: Path
) -> None:
    shop = make(ada, root / "shop")
    inside = send(ada, "m1", cwd=f"{root}/plain/../shop").json()["sessionId"]
    beside = send(ada, "m2", cwd=str(root / "plain")).json()["sessionId"]
    others = send(bob, "m1", cwd=str(root / "shop")).json()["sessionId"]
    assert ada.json(f"/api/sessions/{inside}")["projectId"] == shop["id"]
    assert ada.json(f"/api/sessions/{beside}")["projectId"] is None
    assert bob.json(f"/api/sessions/{others}")["projectId"] is None


def test_trust_is_for_the_folder_that_was_trusted(ada: Script, root: Path) -> None:
    made = make(ada, root / "shop")
    for trust, expected in ((None, False), (False, False), (True, True)):
        ada.patch(f"/api/projects/{made['id']}", {"trust": trust})
        project = Project.objects.get(pk=made["id"])
        assert rows.is_trusted(project, root / "shop") is expected
        # A link that leads elsewhere by now.
        assert not rows.is_trusted(project, root / "plain")
    assert not rows.is_trusted(None, root / "shop")


def test_the_page_of_projects_refuses_odd_forms(logged_in, user) -> None:
    for form in ({}, {"project": "x"}, {"project": str(uuid.uuid4()), "waiting": "soon"}):
        answer = logged_in.post("/account/projects/save/", {**form, "origin_key": KEY})
        assert answer.status_code == 200
        assert b"This cannot be stored." in answer.content


def test_a_folder_is_checked_again_at_each_use(ada: Script, root: Path, settings) -> None:
    made = make(ada, root / "shop")
    (root.parent / "outside").mkdir()
    repository(root.parent / "outside/secret", "ref: refs/heads/secret\n")
    (root / "shop").rename(root / "gone")
    (root / "shop").symlink_to(root.parent / "outside/secret")
    for _ in range(2):
        answer = send(ada, "m1", projectId=made["id"])
        assert (answer.status_code, answer.json()["code"]) == (400, "folder_refused")
        [row] = ada.json("/api/projects")["projects"]
        assert row["whyNot"]
        assert row["git"] is None
        settings.CHAT = {}  # with two accounts, no folder is open
        User.objects.get_or_create(username="bob")
    assert Session.objects.count() == 0


MANY = {str(number): "x" for number in range(51)}


@pytest.mark.parametrize(
    "body",
    [
        {"folder": "/etc"},
        {"folder": "shop"},
        {"folder": "{root}/nothing"},
        {"folder": "{root}/../.."},
        {"folder": "{root}/\x00"},
        {"folder": "{root}/\ud800"},
        {"folder": "~nobody"},
        {"folder": "x" * 5000},
        {"folder": "{root}", "name": "x" * 101},
        {"folder": "{root}", "trust": "yes"},
        {"folder": "{root}", "defaults": {"agent": "nothing"}},
        {"folder": "{root}", "defaults": {"waiting": 0}},
        {"folder": "{root}", "defaults": {"waiting": "for ever"}},
        {"folder": "{root}", "defaults": {"waiting": True}},
        {"folder": "{root}", "defaults": {"options": {"demo": {"a": 1}}}},
        {"folder": "{root}", "defaults": {"options": {"demo": MANY}}},
        {"folder": "{root}", "defaults": {"setUpScript": "x" * 10_001}},
        {"folder": "{root}", "defaults": []},
        {"folder": "{root}", "owner": 1},
    ],
)  # fmt: skip
def test_a_hostile_project_is_refused(ada: Script, root: Path, body: dict) -> None:
    named = {**body, "folder": body["folder"].replace("{root}", str(root))}
    answer = post(ada, "/api/projects", named)
    assert answer.status_code == 400, answer.content
    assert len(answer.content) < 10_000
    assert not Project.objects.exists()


def test_odd_text_is_stored_clean(ada: Script, root: Path) -> None:
    odd = "a\x00b"
    options = {"demo": {odd: odd}}
    made = make(ada, root / "shop", name=odd, defaults={"options": options, "setUpScript": odd})
    assert made["name"] == "a\ufffdb"
    assert made["defaults"]["options"] == {"demo": {"a\ufffdb": "a\ufffdb"}}
    assert ada.json("/api/projects")["projects"] == [made]
    for blank in ("", " ", "\n"):
        answer = ada.patch(f"/api/projects/{made['id']}", {"name": blank})
        assert answer.json()["fields"].keys() == {"name"}


def test_the_number_of_projects_is_bounded(ada: Script, root: Path, monkeypatch) -> None:
    monkeypatch.setattr(rows, "MAX_PROJECTS", 1)
    make(ada, root / "shop")
    answer = post(ada, "/api/projects", {"folder": str(root / "plain")})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_projects")
    make(ada, root / "shop")


def test_listing_projects_asks_the_database_a_fixed_number_of_times(
    ada: Script, root: Path, django_assert_num_queries
) -> None:
    for number in range(3):
        (root / str(number)).mkdir()
        make(ada, root / str(number))
    projects = rows.of_user(ada.user)
    with django_assert_num_queries(1):
        assert len(projects_api._told(projects)) == 3


def test_a_lazy_user_of_a_page_makes_a_project(ada: Script, settings, tmp_path: Path) -> None:
    """A page's user is not of the user model's own class."""
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path)}
    lazy = SimpleLazyObject(lambda: ada.user)
    assert rows.make(lazy, rows.Wanted(str(tmp_path))).is_new


# --- The page of one project --------------------------------------------------------------------


@pytest.fixture
def offer() -> AgentOffer:
    """The settings of the demo agent at its last start."""
    pace = {"id": "pace", "category": "", "label": "Pace", "kind": "select", "value": "normal"}
    loud = {"id": "loud", "category": "", "label": "Loud", "kind": "boolean", "value": False}
    paces = [{"id": name, "label": name.title()} for name in ("normal", "slow")]
    options = [{**pace, "choices": paces}, {**loud, "choices": []}]
    return AgentOffer.objects.create(agent="demo", modes=[], options=options)


def test_the_page_of_a_project_has_its_chats_servers_and_rules(
    logged_in, user, bob: Script, root: Path, offer
) -> None:
    project = rows.make(user, rows.Wanted(str(root / "shop"), "The shop")).project
    other = rows.make(user, rows.Wanted(str(root / "plain"))).project
    for place, title in ((project, "Mend the roof"), (other, "Paint the wall")):
        chat = create_session(owner=user, agent="demo", title=title)
        Session.objects.filter(pk=chat.pk).update(project=place)
        if place == project:
            Worktree.objects.create(
                session=chat, repository="/r", branch="fix", is_new=True, start="", state="ready"
            )
    for place, name in ((project, "docs"), (other, "others"), (None, "everywhere")):
        McpServer.objects.create(owner=user, project=place, name=name, kind="http", url="https://a")
    for folder, pattern in ((project.folder, "git push"), (other.folder, "git pull")):
        Rule.objects.create(
            owner=user, scope="project", effect="deny", kind="command", pattern=pattern,
            folder=folder,
        )  # fmt: skip
    path = f"/account/projects/{project.pk}/"
    page = logged_in.get(path).content.decode()
    for word in (
        *("The shop", project.folder, "Mend the roof", "worktree on <bdi>fix</bdi> (ready)"),
        *("docs", "everywhere", "git push", "Pace of new chats with", "Set-up script"),
    ):
        assert word in page, word
    for word in ("Paint the wall", "others", "git pull"):
        assert word not in page, word
    stranger = Client()
    stranger.force_login(bob.user)
    assert stranger.get(path).status_code == 404
    assert logged_in.get(f"/account/projects/{uuid.uuid4()}/").status_code == 404
    assert Client().get(path)["Location"].startswith("/login/")


def test_the_form_of_the_page_sets_the_options_of_agents(logged_in, user, root, offer) -> None:
    kept = {"options": {"demo": {"old": "1"}, "gone": {"x": True}}}
    project = rows.make(user, rows.Wanted(str(root / "shop"), defaults=kept)).project
    path = f"/account/projects/{project.pk}/"

    def save(**given: str):
        form = {"project": str(project.pk), "name": "Shop", "page": "1", "origin_key": KEY}
        return logged_in.post("/account/projects/save/", {**form, **given})

    def options() -> dict:
        return Project.objects.get(pk=project.pk).defaults["options"]

    answer = save(**{"option-demo-pace": "slow", "option-demo-loud": "off"})
    assert (answer.status_code, answer["Location"]) == (302, path)
    told = {"demo": {"old": "1", "pace": "slow", "loud": False}, "gone": {"x": True}}
    assert options() == told
    page = logged_in.get(path).content.decode()
    assert '<option value="slow" selected>' in page
    assert '<option value="off" selected>' in page
    for odd in ({"option-demo-pace": "fast"}, {"option-demo-loud": "1"}, {"waiting": "soon"}):
        answer = save(**odd)
        assert answer.status_code == 200
        assert b"This cannot be stored." in answer.content
        assert b"Chats and worktrees" in answer.content
    assert b"A project has a name." in save(name=" ").content
    assert options() == told
    save(**{"option-demo-pace": "", "option-demo-loud": ""})
    assert options() == {"demo": {"old": "1"}, "gone": {"x": True}}
    # The form of all projects has no settings, and leaves them.
    logged_in.post(
        "/account/projects/save/",
        {"project": str(project.pk), "name": "Shop", "origin_key": KEY},
    )
    assert options() == {"demo": {"old": "1"}, "gone": {"x": True}}
