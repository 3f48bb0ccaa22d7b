"""The paths that a confined agent gets: nothing hidden is among them, by whatever way."""

import os
from pathlib import Path

import pytest

from sessions.agents import agents_file, registry
from sessions.agents.definitions import NO_WORDS, PRESETS
from sessions.agents.processes import confine, paths


def made(root: Path, *names: str, mode: int = 0o644) -> list[Path]:
    files = [root / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
        file.chmod(mode)
    return files


def test_a_folder_with_a_hidden_one_in_it_is_given_in_parts(tmp_path):
    made(tmp_path, "a/x", "b/data/key", "b/tool", "c")
    parts = paths.without(tmp_path, [tmp_path / "b/data"])
    assert set(parts) == {tmp_path / "a", tmp_path / "b/tool", tmp_path / "c"}


def test_a_folder_in_a_hidden_one_is_not_given(tmp_path):
    assert list(paths.without(tmp_path / "data/x", [tmp_path / "data"])) == []
    assert list(paths.without(tmp_path / "data", [tmp_path / "data"])) == []
    assert list(paths.without(tmp_path / "database", [tmp_path / "data"])) == [
        tmp_path / "database"
    ]


def test_a_link_in_a_repository_that_other_agents_write_leads_no_agent_further(tmp_path, settings):
    """A chat in the repository could make the link before a worktree's agent starts."""
    settings.DATA_DIR = tmp_path / "data"
    common, place, secret = (tmp_path / name for name in ("shop/.git", "tree", "home/.ssh"))
    for folder in (common / "objects", common / "refs", place, secret, settings.DATA_DIR):
        folder.mkdir(parents=True)
    (common / "logs").symlink_to(secret)
    write = tuple(str(common / name) for name in ("objects", "refs", "logs"))
    shared = registry.Shared((str(common),), write)
    held = registry.confinement_of_script("demo", shared=shared)
    assert isinstance(held, confine.Confinement)
    env = {"PATH": os.environ["PATH"]}
    asked = confine._Asked(("true",), "/bin/true", place, env, tmp_path / "data/scratch")
    given = held._paths(asked)
    assert [path for path in given["write"] if path.startswith(str(tmp_path / "shop"))] == [
        str(common / "objects"),
        str(common / "refs"),
    ]
    assert not [path for path in (*given["read"], *given["write"]) if str(secret) in path]


def test_a_link_into_a_hidden_folder_is_not_given(tmp_path):
    made(tmp_path, "data/key")
    (tmp_path / "tool").symlink_to("data/key")
    assert list(paths.Links().outside([tmp_path / "data"], [tmp_path / "tool"])) == []


def test_only_what_every_user_may_read_is_public(tmp_path):
    made(tmp_path, "passwd", "ssl/certs/ca.pem", "ssh/ssh_config")
    made(tmp_path, "shadow", "ssh/host_key", mode=0o640)
    made(tmp_path, "service/env")
    (tmp_path / "service").chmod(0o750)
    tmp_path.chmod(0o755)
    assert set(paths.public_parts(tmp_path)) == {
        tmp_path / "passwd",
        tmp_path / "ssl",
        tmp_path / "ssh/ssh_config",
    }


def test_links_are_followed_to_their_end_and_noted(tmp_path):
    made(tmp_path, "real/bin/tool")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/up").symlink_to("../real")
    (tmp_path / "first").symlink_to(tmp_path / "links/up/bin")
    links = paths.Links()
    assert links.follow(tmp_path / "first/tool") == tmp_path / "real/bin/tool"
    assert links.seen == {
        str(tmp_path / "first"): str(tmp_path / "links/up/bin"),
        str(tmp_path / "links/up"): "../real",
    }


def test_a_link_to_what_each_process_has_of_its_own_is_not_followed(tmp_path):
    (tmp_path / "mtab").symlink_to("/proc/self/mounts")
    links = paths.Links()
    assert links.follow(tmp_path / "mtab") is None


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    paths.Links().follow(tmp_path / "a")


def test_a_link_that_an_agent_may_have_made_is_not_followed(tmp_path):
    made(tmp_path, "secrets/key", ".cargo/registry/x")
    (tmp_path / ".cargo/bin").symlink_to(tmp_path / "secrets")
    (tmp_path / ".cargo/share").symlink_to("../secrets")
    links = paths.Links()
    assert list(links.writable([tmp_path / ".cargo"])) == [tmp_path / ".cargo"]
    named = [tmp_path / ".cargo/bin", tmp_path / ".cargo/registry"]
    assert list(links.outside([], named)) == [tmp_path / ".cargo/registry"]
    assert list(links.writable([tmp_path / ".cargo/share/opencode"])) == []
    assert links.seen == {}


def test_the_home_folder_on_the_path_is_not_given_whole(tmp_path):
    env = {"HOME": str(tmp_path), "PATH": os.pathsep.join([str(tmp_path), str(tmp_path / "x/bin")])}
    given = set(paths.of_person(env))
    assert tmp_path not in given
    assert tmp_path / "x/lib" in given
    assert tmp_path / "x/share" not in given
    assert not {tmp_path / ".ssh", tmp_path / ".config", tmp_path / ".npmrc"} & given


@pytest.fixture
def data(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.CHAT = settings.CHAT | {"AGENTS_FILE": str(tmp_path / "agents.toml")}
    made(tmp_path, "data/secret_key", "agents.toml", "project/file")
    return tmp_path


HELD = confine.Status(confine.Kind.LANDLOCK, view=True, ports=True, signals=True)
HELD_WITHOUT_VIEW = confine.Status(confine.Kind.LANDLOCK)


def test_a_path_of_another_user_is_left_out(monkeypatch):
    closed = Path("/closed/bin")

    def is_symlink(path):
        if path.is_relative_to(closed):
            raise PermissionError(13, "Permission denied")
        return False

    monkeypatch.setattr(Path, "is_symlink", is_symlink)
    links = paths.Links()
    assert list(links.outside((), [closed, Path("/usr/bin")])) == [Path("/usr/bin")]


def test_a_folder_with_the_servers_files_hides_them(data):
    hidden = confine._masked(data, HELD)
    assert {data / "data", data / "agents.toml"} <= set(hidden)
    with pytest.raises(confine.CannotConfine, match="holds the server's own files"):
        confine._masked(data, HELD_WITHOUT_VIEW)
    assert confine._masked(data / "project", HELD_WITHOUT_VIEW) == []


def test_the_servers_folder_is_no_folder_for_an_agent(data):
    for folder in (data / "data", data / "data/agents"):
        with pytest.raises(confine.CannotConfine, match="belongs to the server"):
            confine._masked(folder, HELD)
    assert confine._masked(data / "data/workspaces/x", HELD) == []


def test_paths_of_an_agent_take_its_variables(tmp_path):
    env = {"HOME": "/home/a", "CODEX_HOME": "/srv/codex", "ODD": "relative"}
    named = ["~/.codex", "$CODEX_HOME", "$UNSET/x", "$ODD/x", "/opt/x", "~other/x"]
    expanded = list(map(str, confine._expanded(named, env)))
    assert expanded == ["/home/a/.codex", "/srv/codex", "/opt/x"]
    assert list(confine._expanded(["~/.codex"], {})) == []


def test_the_agents_file_names_paths(tmp_path):
    path = tmp_path / "agents.toml"
    path.write_text('[agents.codex]\nread = ["~/a"]\nwrite = ["~/b"]\nconfine = false\n')
    codex = agents_file.read(path, PRESETS)["codex"]
    assert (codex.read, codex.write, codex.confine) == (("~/a",), ("~/b",), False)


def test_an_agent_that_the_file_does_not_confine_says_so_and_strict_refuses_it(data, settings):
    settings.CHAT = settings.CHAT | {"AGENT_CONFINE": "auto"}
    (data / "agents.toml").write_text('[agents.odd]\ncommand = ["true"]\nconfine = false\n')
    shown = {spec.name: spec.is_confined for spec in registry.available()}
    assert (shown["odd"], shown["demo"]) == (False, True)
    held = registry._confinement(registry.find("odd"), NO_WORDS, registry.ALONE)
    assert held.prepare(["true"], cwd=data, env={}).command == ("true",)
    settings.CHAT = settings.CHAT | {"AGENT_CONFINE": "strict"}
    with pytest.raises(confine.CannotConfine, match="CHAT_AGENT_CONFINE is strict"):
        held.prepare(["true"], cwd=data, env={})


def test_a_file_that_is_gone_since_it_was_listed_costs_nothing(tmp_path, monkeypatch):
    """Tools for accounts make and remove a lock beside each file of /etc that they change."""
    etc = tmp_path / "etc"
    made(etc, "passwd")
    etc.chmod(0o755)
    listed = {etc: [etc / "passwd", etc / "passwd.lock"]}
    monkeypatch.setattr(paths, "_children", listed.get)
    assert paths.public_parts(etc) == [etc]
