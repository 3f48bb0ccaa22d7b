"""Files of a chat's folder: read by those who may read the chat, never from elsewhere."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from model_bakery import baker

from sessions.access.tokens import create_token
from sessions.core.errors import FileRefused, UnknownFile
from sessions.models import Session
from sessions.workspace import files, folders, inside

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
SECRET = "the secret of another folder"


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root" / "project"
    made.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path / "root")}
    return made


class Reader:
    """A person's requests for the files of a chat."""

    def __init__(self, user: User, session: Session) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {create_token(user)}"})
        self.path = f"/api/sessions/{session.pk}"

    def level(self, path: str = "", **query: object):
        return self.client.get(f"{self.path}/files", {"path": path, **query})

    def rows(self, path: str = "") -> dict[str, dict]:
        answer = self.level(path)
        assert answer.status_code == 200, answer.content
        return {row["name"]: row for row in answer.json()["files"]}

    def file(self, path: str, **query: object):
        return self.client.get(f"{self.path}/file", {"path": path, **query})

    def content(self, path: str) -> dict:
        answer = self.file(path)
        assert answer.status_code == 200, answer.content
        return answer.json()


@pytest.fixture
def ada(root: Path) -> Reader:
    user = User.objects.create_user("ada")
    return Reader(user, baker.make(Session, owner=user, agent="demo", cwd=str(root)))


def test_a_level_has_folders_first_and_the_facts_of_files(ada: Reader, root: Path) -> None:
    (root / "src").mkdir()
    (root / "b.txt").write_text("four")
    (root / ".env").write_text("x")
    level = ada.level().json()
    assert (level["path"], level["hasMore"]) == ("", False)
    assert [(row["name"], row["path"], row["kind"], row["size"]) for row in level["files"]] == [
        ("src", "src", "folder", None),
        (".env", ".env", "file", 1),
        ("b.txt", "b.txt", "file", 4),
    ]
    assert all(row["modified"].endswith("Z") for row in level["files"])
    (root / "src" / "main.py").touch()
    for path in ("src", "src/", "./src", "src/../src", str(root / "src")):
        assert ada.level(path).json()["path"] == "src"
        assert list(ada.rows(path)) == ["main.py"]


def test_a_folder_of_ten_thousand_is_told_in_pages(ada: Reader, root: Path) -> None:
    for number in range(10_000):
        (root / f"{number:05}").touch()
    first, last = ada.level().json(), ada.level(offset=9_800).json()
    assert (len(first["files"]), first["hasMore"]) == (files.PAGE, True)
    assert ([row["name"] for row in last["files"]][-1], last["hasMore"]) == ("09999", False)
    assert ada.level(offset=-1).status_code == 400


def test_a_folder_beyond_the_bound_says_that_there_is_more(
    ada: Reader, root: Path, monkeypatch
) -> None:
    monkeypatch.setattr(files, "MAX_ENTRIES", 2)
    for number in range(4):
        (root / str(number)).touch()
    level = ada.level().json()
    assert (len(level["files"]), level["hasMore"]) == (2, True)


def links(root: Path) -> None:
    outside = root.parent.parent / "outside"
    (root / "sub").mkdir()
    (root / "sub" / "in.txt").write_text("inside")
    for name, target in {
        "out": outside,
        "out.txt": outside / "secret.txt",
        "up": "../../outside",
        "far": "sub/../../../outside/secret.txt",
        "etc": "/etc",
        "self": "self",
        "a": "b",
        "b": "a",
        "none": "nowhere",
        "chain": "out",
        "sub/back": "../out.txt",
        "proc": "/proc/self/root",
        "prefix": f"{root}-2/secret.txt",
    }.items():
        (root / name).symlink_to(target)
    (root.parent / "project-2").mkdir()
    (root.parent / "project-2" / "secret.txt").write_text(SECRET)


@pytest.mark.parametrize(
    "path",
    [
        "out.txt",
        "out/secret.txt",
        "up/secret.txt",
        "far",
        "etc/passwd",
        "self",
        "a",
        "none",
        "chain/secret.txt",
        "sub/back",
        "proc/etc/passwd",
        "prefix",
        "../project-2/secret.txt",
        "../../outside/secret.txt",
        "sub/../../project-2/secret.txt",
        "/etc/passwd",
        "/proc/self/environ",
        "{root}/../project-2/secret.txt",
        "{root}-2/secret.txt",
        "//etc/passwd",
        "..",
        "pipe",
        "socket",
        "sub/in.txt/x",
        "x" * 300,
        "x/" * 2000,
        "\x00",
        "a\x00/../../outside/secret.txt",
        "%2e%2e/outside",
        "..\\outside",
        "",
    ],
)
def test_nothing_outside_the_folder_is_read(ada: Reader, root: Path, path: str) -> None:
    links(root)
    os.mkfifo(root / "pipe")
    named = path.format(root=root)
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root)  # the name of a socket is short
        listening.bind("socket")
        os.chdir(here)
        answers = [ada.file(named), ada.file(named, raw=True)]
        answers += [ada.level(named)] if named else []
    for answer in answers:
        assert answer.status_code in {400, 404}, answer.content
        assert answer.json()["error"].endswith(".")
        assert SECRET not in answer.content.decode()
        assert "root:" not in answer.content.decode()


def test_links_inside_are_followed_and_links_out_are_named(ada: Reader, root: Path) -> None:
    links(root)
    (root / "also").symlink_to("sub")
    (root / "absolute").symlink_to(root / "sub" / "in.txt")
    rows = ada.rows()
    told = {name: (row["kind"], row["isLink"], row["size"]) for name, row in rows.items()}
    assert told["also"] == ("folder", True, None)
    assert told["absolute"] == ("file", True, 6)
    for name in ("out", "out.txt", "up", "far", "etc", "self", "a", "none", "chain", "proc"):
        assert told[name] == ("link", True, None), name
    assert ada.content("also/in.txt")["text"] == "inside"
    assert ada.content("absolute")["path"] == "sub/in.txt"
    assert ada.level("also").json()["path"] == "sub"


def test_odd_names_are_named_and_the_good_ones_opened(ada: Reader, root: Path) -> None:
    (root / os.fsdecode(b"odd-\xff")).write_text("x")
    for name in ("a\nb", "\u202etxt.exe", "<b>", "ü", " ", "%41", "-x"):
        (root / name).write_text(name)
        assert ada.content(name)["text"] == name
    rows = ada.rows()
    assert rows["odd-\ufffd"]["path"] is None
    assert rows["a\nb"]["path"] == "a\nb"


def test_unreadable_files_and_folders_are_a_sentence(ada: Reader, root: Path, monkeypatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise PermissionError(13, "Permission denied")

    (root / "closed").mkdir()
    (root / "closed.txt").touch()
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *a, **k: (refuse if "closed" in str(path) else real)(path, *a, **k)
    )
    assert set(ada.rows()) == {"closed", "closed.txt"}
    for answer in (ada.level("closed"), ada.file("closed.txt")):
        assert (answer.status_code, answer.json()["code"]) == (400, "file_refused")
        assert answer.json()["error"] == "The server may not read this."


def test_text_has_colours_and_cannot_run(ada: Reader, root: Path) -> None:
    code = "def f():\n    return '<script>alert(1)</script>```'\n"
    (root / "a.py").write_text(code)
    told = ada.content("a.py")
    assert (told["kind"], told["text"], told["size"]) == ("text", code, len(code))
    assert '<span class="code-keyword">def</span>' in told["html"]
    assert "<script>" not in told["html"]
    long = "x = 1\n" * 5_000
    (root / "long.py").write_text(long)
    html = ada.content("long.py")["html"]
    assert html.count("<pre>") > 1
    assert html.count("\n") >= 5_000
    (root / "plain.xyz").write_text("<b>&")
    assert ada.content("plain.xyz")["html"] == ""


def test_texts_of_a_page_get_colours_and_cannot_run(ada: Reader) -> None:
    code = "def f():\n    return '</code></pre><script>alert(1)</script>```'\n"

    def colours(path: str, *texts: str) -> list[str]:
        body = {"path": path, "texts": texts}
        answer = ada.client.post("/api/colours", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()["html"]

    before, after = colours("src/a.py", "", code)
    assert before == ""
    assert '<span class="code-keyword">def</span>' in after
    assert "<script>" not in after
    assert "</code></pre><" not in after.removesuffix("</code></pre>\n")
    assert colours("a.unknown", code) == [""]
    assert "code-number" in colours("odd\x00.py", "x = 1 # \x00")[0]


@pytest.mark.parametrize(
    "body",
    [
        {"path": "a.py", "texts": []},
        {"path": "a.py", "texts": ["x"] * 3},
        {"path": "a.py", "texts": ["x" * 20_001]},
        {"path": "", "texts": ["x"]},
        {"path": "x" * 4_097, "texts": ["x"]},
        {"path": "a.py", "texts": [None]},
        {"path": "a.py", "texts": "x"},
        {"texts": ["x"]},
    ],
)
def test_malformed_texts_get_no_colours(ada: Reader, body: dict) -> None:
    answer = ada.client.post("/api/colours", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_markdown_is_rendered_and_safe(ada: Reader, root: Path) -> None:
    (root / "README.md").write_text("# Title\n\n<script>x</script> [a](javascript:x)")
    told = ada.content("README.md")
    assert told["kind"] == "markdown"
    assert "Title</h3>" in told["html"]
    assert "<script>" not in told["html"]
    assert 'href="javascript' not in told["html"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"a\x00b", "binary"),
        (PNG, "image"),
        (b"x" * 2_000, "tooLarge"),
        (b"", "text"),
        (b"caf\xe9", "text"),
        ("é".encode("utf-16"), "text"),
        (b"<svg onload='alert(1)'/>", "text"),
    ],
)
def test_a_file_is_told_by_its_bytes(
    ada: Reader, root: Path, settings, data: bytes, kind: str
) -> None:
    settings.CHAT = settings.CHAT | {"FILE_BYTES": 1_000}
    (root / "x.svg").write_bytes(data)
    told = ada.content("x.svg")
    assert told["kind"] == kind
    assert (told["text"] is None) is (kind != "text")
    assert told["size"] == len(data)


def test_bytes_that_could_run_are_saved_and_pictures_are_shown(ada: Reader, root: Path) -> None:
    (root / "x.html").write_bytes(b"<script>alert(1)</script>")
    (root / "a.png").write_bytes(PNG)
    for name, mime in (("x.html", "application/octet-stream"), ("a.png", "image/png")):
        answer = ada.file(name, raw=True)
        assert answer.content == (root / name).read_bytes()
        assert answer["Content-Type"] == mime
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
        is_saved = answer.get("Content-Disposition", "").startswith("attachment")
        assert is_saved is (mime != "image/png")


def test_i11_files_of_another_user_do_not_exist(ada: Reader, root: Path) -> None:
    (root / "a.txt").write_text(SECRET)
    bob = Reader(User.objects.create_user("bob"), Session.objects.get())
    for answer in (bob.level(), bob.file("a.txt"), bob.file("a.txt", raw=True)):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    assert Client().get(f"{ada.path}/files").status_code == 401


def test_a_chat_without_a_folder_has_no_files_yet(settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    user = User.objects.create_user("ada")
    session = baker.make(Session, owner=user, agent="demo", cwd="")
    reader = Reader(user, session)
    assert reader.level().json() == {"path": "", "files": [], "hasMore": False}
    assert reader.file("a").status_code == 404
    folders.prepare(session.pk, "")
    (tmp_path / "workspaces" / str(session.pk) / "a").write_text("own")
    assert reader.content("a")["text"] == "own"
    other = baker.make(Session, owner=user, agent="demo", cwd="")
    folders.prepare(other.pk, "")
    (tmp_path / "workspaces" / str(other.pk) / "b").symlink_to(f"../{session.pk}/a")
    assert Reader(user, other).file("b").status_code == 400


def test_a_folder_that_left_the_roots_is_closed(ada: Reader, root: Path, settings) -> None:
    (root / "a").touch()
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": "/nowhere"}
    answer = ada.level()
    assert (answer.status_code, answer.json()["code"]) == (400, "folder_refused")


def test_the_servers_own_folder_is_closed_inside_an_open_one(
    ada: Reader, root: Path, settings
) -> None:
    data = root / "data"
    data.mkdir()
    (data / "secret_key").write_text(SECRET)
    settings.DATA_DIR = data
    assert ada.level().status_code == 400
    code = root / "code"
    code.mkdir()
    (code / "settings.py").write_text(SECRET)
    settings.DATA_DIR, settings.BASE_DIR = root.parent.parent, code
    settings.DATA_DIR = root.parent.parent / "outside"
    assert (ada.file("code/settings.py").status_code, ada.level("code").status_code) == (400, 400)


def test_a_link_that_changes_meanwhile_leads_nowhere(root: Path) -> None:
    """A folder swaps with a link out of the chat's, as fast as it can, while it is read."""
    real, swap = root / "real", root / "swap"
    real.mkdir()
    (real / "secret.txt").write_text("inside")
    outside, over = root.parent.parent / "outside", threading.Event()

    def keep_swapping() -> None:
        while not over.is_set():
            swap.symlink_to(outside)
            swap.unlink()
            real.rename(swap)
            swap.rename(real)

    swapping = threading.Thread(target=keep_swapping)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    place = inside.Inside(descriptor, root)
    swapping.start()
    seen, refused = set(), 0
    try:
        for _ in range(5_000):
            try:
                seen.add(files.read_file(place, "swap/secret.txt", limit=100).data)
            except (FileRefused, UnknownFile):
                refused += 1
    finally:
        over.set()
        swapping.join()
        os.close(descriptor)
    assert seen <= {b"inside"}
    assert refused


def test_no_descriptor_is_left_open(ada: Reader, root: Path) -> None:
    links(root)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    place = inside.Inside(descriptor, root)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("sub/in.txt", "out.txt", "sub/../sub", "a", "x/y", "far", "../..", "sub/back"):
        try:
            with place.opened(path) as found:
                assert stat.S_IFMT(os.fstat(found.descriptor).st_mode)
        except (FileRefused, UnknownFile):
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(descriptor)
