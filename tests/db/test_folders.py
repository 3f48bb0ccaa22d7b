"""Folders to choose from: only what lies inside the roots is ever named, whatever is asked."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from sessions.access.tokens import create_token
from sessions.core.errors import FolderRefused
from sessions.workspace import browse, folders, git

pytestmark = pytest.mark.django_db(transaction=True)


class Chooser:
    """A person's requests for folders."""

    def __init__(self, name: str) -> None:
        self.user = User.objects.create_user(name)
        self.client = Client(headers={"Authorization": f"Bearer {create_token(self.user)}"})

    def get(self, path: str = "", **query: object):
        return self.client.get("/api/folders", {"path": path, **query})

    def names(self, path: str = "", **query: object) -> list[str]:
        response = self.get(path, **query)
        assert response.status_code == 200, response.content
        return [row["name"] for row in response.json()["folders"]]

    def post(self, path: str):
        return self.client.post("/api/folders", {"path": path}, content_type="application/json")


@pytest.fixture
def ada() -> Chooser:
    return Chooser("ada")


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    settings.CHAT = {"WORKSPACE_ROOTS": str(made)}
    return made


def repository(folder: Path, head: str = "ref: refs/heads/main\n") -> Path:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(head)
    return folder


def test_a_level_has_its_folders_repositories_first(ada: Chooser, root: Path) -> None:
    repository(root / "work", "ref: refs/heads/feature/ü\n")
    for name in ("alpha", "Beta", ".hidden"):
        (root / name).mkdir()
    (root / "file.txt").touch()
    assert ada.get().json() == {
        "path": str(root),
        "parent": None,
        "folders": [
            {"name": "work", "path": f"{root}/work", "git": {"branch": "feature/ü"}},
            {"name": "alpha", "path": f"{root}/alpha", "git": None},
            {"name": "Beta", "path": f"{root}/Beta", "git": None},
        ],
        "hasMore": False,
    }
    assert ada.get(f"{root}/alpha").json()["parent"] == str(root)


def test_the_home_folder_is_the_root_of_a_single_account(
    ada: Chooser, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "home" / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert ada.names() == ["project"]
    assert folders.check("~/project") == tmp_path / "home/project"
    Chooser("bob")
    response = ada.get()
    assert response.status_code == 400
    assert response.json()["code"] == "folder_refused"
    assert "CHAT_WORKSPACE_ROOTS" in response.json()["error"]
    with pytest.raises(FolderRefused, match="CHAT_WORKSPACE_ROOTS"):
        folders.check("~/project")


def test_a_blocked_account_does_not_count(ada: Chooser, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    User.objects.create_user("gone", is_active=False)
    assert ada.get().status_code == 200


def test_several_roots_are_a_list(ada: Chooser, tmp_path: Path, settings) -> None:
    one, two = repository(tmp_path / "one"), tmp_path / "two"
    two.mkdir()
    settings.CHAT = {"WORKSPACE_ROOTS": f"{one}:{two}"}
    level = ada.get().json()
    assert (level["path"], level["parent"]) == ("", None)
    assert [row["path"] for row in level["folders"]] == [str(one), str(two)]
    assert level["folders"][0]["git"] == {"branch": "main"}
    assert ada.get(str(one)).json()["parent"] == ""


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc",
        "/proc/self",
        "/proc/self/cwd",
        "/dev/fd",
        "relative",
        "~nosuchuser",
        "{root}/..",
        "{root}/../outside",
        "{root}/out",
        "{root}/out/..",
        "{root}/loop",
        "{root}/none",
        "{root}/file",
        "{root}/pipe",
        "{root}/\x00",
        "{root}/\ud800",
        "{root}/" + "x" * 3000,
        "{root}" + "/x" * 1500,
    ],
)
def test_nothing_outside_the_roots_is_listed(ada: Chooser, root: Path, path: str) -> None:
    outside = root.parent / "outside"
    (outside / "secret").mkdir(parents=True)
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "file").touch()
    os.mkfifo(root / "pipe")
    response = ada.get(path.format(root=root).encode("utf-8", "surrogatepass").decode("latin-1"))
    assert response.status_code == 400, response.content
    assert response.json()["error"].endswith(".")
    assert "secret" not in response.content.decode()
    with pytest.raises(FolderRefused):
        browse.list_folders(path.format(root=root))


def test_links_out_and_odd_names_are_left_out(ada: Chooser, root: Path) -> None:
    (root.parent / "outside").mkdir()
    (root / "out").symlink_to(root.parent / "outside")
    (root / "broken").symlink_to(root / "none")
    (root / "in").mkdir()
    (root / "also-in").symlink_to(root / "in")
    (root / os.fsdecode(b"odd-\xff")).mkdir()
    assert ada.names() == ["also-in", "in"]


def test_the_data_folder_is_never_listed_nor_a_place_to_work(
    ada: Chooser, root: Path, settings
) -> None:
    data = root / "backstay" / "data"
    (data / "workspaces" / "of-somebody").mkdir(parents=True)
    settings.DATA_DIR = str(data)
    assert ada.names(f"{root}/backstay") == []
    for place in (data, data / "workspaces", data / "workspaces/of-somebody"):
        assert ada.get(str(place)).status_code == 400
        with pytest.raises(FolderRefused):
            folders.check(str(place))
    with pytest.raises(FolderRefused, match="holds the data"):
        folders.check(str(root))


def test_no_chat_works_in_the_program_nor_around_it(
    ada: Chooser, root: Path, settings, monkeypatch
) -> None:
    program, packages = root / "apps" / "backstay", root / "environments" / "server"
    for folder in (program / "sessions", packages / "lib"):
        folder.mkdir(parents=True)
    settings.BASE_DIR = program
    monkeypatch.setattr(sys, "prefix", str(packages))
    for place in (program, program / "sessions", packages, packages / "lib"):
        with pytest.raises(FolderRefused):
            folders.check(str(place))
    for place in (root, program.parent, packages.parent):
        with pytest.raises(FolderRefused, match="holds the program"):
            folders.check(str(place))
    (program.parent / "other").mkdir()
    assert folders.check(str(program.parent / "other")) == program.parent / "other"


def test_a_folder_of_many_is_told_in_pages(ada: Chooser, root: Path) -> None:
    for number in range(browse.PAGE + 3):
        (root / f"f{number:04}").mkdir()
    first, second = ada.get().json(), ada.get(offset=browse.PAGE).json()
    assert (len(first["folders"]), first["hasMore"]) == (browse.PAGE, True)
    assert (len(second["folders"]), second["hasMore"]) == (3, False)
    assert ada.names(offset=browse.PAGE + 3) == []
    assert ada.get(offset=-1).status_code == 400


def test_a_folder_beyond_the_bound_says_that_there_is_more(
    ada: Chooser, root: Path, monkeypatch
) -> None:
    monkeypatch.setattr(browse, "MAX_ENTRIES", 2)
    for number in range(4):
        (root / str(number)).mkdir()
    level = ada.get().json()
    assert (len(level["folders"]), level["hasMore"]) == (2, True)


@pytest.mark.parametrize(
    ("head", "branch"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("0123456789abcdef0123456789abcdef01234567\n", "0123456789ab"),
        ("ref: refs/remotes/x\n", ""),
        ("", ""),
        ("root:x:0:0\n", ""),
    ],
)
def test_the_branch_is_read_from_head(tmp_path: Path, head: str, branch: str) -> None:
    assert git.branch(repository(tmp_path / "r", head)) == branch


def test_the_branch_of_a_worktree_is_its_own(tmp_path: Path) -> None:
    repository(tmp_path / "main")
    state = tmp_path / "main/.git/worktrees/side"
    state.mkdir(parents=True)
    (state / "HEAD").write_text("ref: refs/heads/side\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side/.git").write_text(f"gitdir: {state}\n")
    assert git.branch(tmp_path / "side") == "side"
    assert git.branch(tmp_path) is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_head_that_is_no_file_gives_no_branch(tmp_path: Path, kind: str) -> None:
    (tmp_path / ".git").mkdir()
    head = tmp_path / ".git/HEAD"
    if kind == "pipe":
        os.mkfifo(head)
    elif kind == "folder":
        head.mkdir()
    else:
        head.symlink_to("/etc/passwd")
    assert git.branch(tmp_path) == ""


def test_a_new_folder_is_made_once(ada: Chooser, root: Path) -> None:
    made = ada.post(f"{root}/new")
    assert made.status_code == 201
    assert made.json()["folder"] == {"name": "new", "path": f"{root}/new", "git": None}
    assert (root / "new").is_dir()
    again = ada.post(f"{root}/new")
    assert (again.status_code, again.json()["code"]) == (409, "folder_exists")


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/new",
        "{root}/../new",
        "{root}/out/new",
        "{root}/none/new",
        "{root}/..",
        "{root}/.",
        "{root}/a\nb",
        "{root}/a\u202eb",
        "{root}/" + "x" * 256,
        "new",
        "/",
    ],
)
def test_no_folder_is_made_elsewhere(ada: Chooser, root: Path, path: str) -> None:
    (root.parent / "outside").mkdir()
    (root / "out").symlink_to(root.parent / "outside")
    response = ada.post(path.format(root=root))
    assert response.status_code in {400, 409}, response.content
    assert list((root.parent / "outside").iterdir()) == []
    assert sorted(p.name for p in root.iterdir()) == ["out"]


def test_a_link_that_changes_meanwhile_leads_nowhere(root: Path) -> None:
    """A folder swaps with a link out of the roots, as fast as it can, while it is listed."""
    outside = root.parent / "outside"
    (outside / "secret").mkdir(parents=True)
    (root / "real").mkdir()
    (root / "real" / "inside").mkdir()
    swap, over = root / "swap", threading.Event()

    def keep_swapping() -> None:
        while not over.is_set():
            for target in (root / "real", outside):
                fresh = root / "fresh"
                fresh.symlink_to(target)
                fresh.replace(swap)

    swap.symlink_to(root / "real")
    swapping = threading.Thread(target=keep_swapping)
    swapping.start()
    seen, refused = set(), 0
    try:
        for _ in range(2000):
            try:
                seen |= {folder.name for folder in browse.list_folders(str(swap)).folders}
            except FolderRefused:
                refused += 1
    finally:
        over.set()
        swapping.join()
    assert seen == {"inside"}
    assert refused


def test_a_closed_folder_is_a_sentence(root: Path, monkeypatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FolderRefused, match="may not use"):
        browse.list_folders(str(root))


def test_strangers_see_no_folder(root: Path) -> None:
    (root / "a").mkdir()
    assert Client().get("/api/folders").status_code == 401
    assert Client().post("/api/folders", {"path": f"{root}/b"}).status_code == 401
    assert stat.S_ISDIR((root / "a").stat().st_mode)
    assert not (root / "b").exists()
