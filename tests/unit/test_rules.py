"""Rules: the words of a command, the paths of an action, and the rule that decides."""

import json
import shlex
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.core.errors import InvalidRequest
from sessions.rules import globs, lexer, patterns, places
from sessions.rules.action import action_of
from sessions.rules.matching import RuleText, choose
from sessions.rules.modes import plans

FOLDER = Path("/srv/project")


def request(told, *, kind="execute", tool="Bash", title="", **more):
    return {
        "permId": "p",
        "toolName": tool,
        "title": title,
        "input": told,
        "options": [],
        "expiresAt": "",
        "toolId": "t",
        "toolKind": kind,
        "digest": None,
        "seq": 1,
        **more,
    }


def command(line, **more):
    return request({"command": line}, **more)


def rule(pattern, effect="allow", kind="command", *, scope="chat", number=1, folder=""):
    return RuleText(number, scope, effect, kind, pattern, folder)


def decided(asked, *rules, folder=FOLDER, may_allow=True):
    found = choose(rules, action_of(asked), folder, may_allow=may_allow)
    return found.effect if found else None


# --- Commands -----------------------------------------------------------------------------------

ALLOWED = [
    "git status",
    "git status --short",
    "git status -s src/main.py",
    " git   status ",
    "git status 'a b' \"c d\"",
    "git status --color=always",
]
TRICKS = [
    *("git status; rm -rf ~", "git status;rm", "git status && rm x", "git status || rm x"),
    *("git status | sh", "git status & rm x", "git status\nrm x", "git status\r\nrm x"),
    *("git status\rrm x", "git status\x00rm", "git status\x0brm x", "git status\u2028rm x"),
    *("git status $(rm x)", "git status `rm x`", "git status ${x:-y}", "git status $HOME"),
    *("git status > x", "git status >> x", "git status 2>&1", "git status < x", "git status <<E"),
    *("git status <(rm x)", "(git status)", "{ git status; }", "! git status", "git status !!"),
    *("X=1 git status", "PATH=. git status", "env X=1 git status", "sudo git status"),
    *("doas git status", "/usr/bin/sudo git status", "SUDO git status", "time git status"),
    *("xargs git status", "bash -c 'git status'", "eval git status", "exec git status"),
    *("nohup git status", "command git status", "if git status", "while git status"),
    *("git status ~", "git status ~root/x", "git status *", "git status ?", "git status [a]"),
    *("git status {a,b}", "git status #x", "git status \\x", "git \\\nstatus", "gi\\t status"),
    *("git status '$(rm x)'", 'git status "$(rm x)"', 'git status "`rm`"', "git status 'a;b'"),
    *("'git' status", '"git" status', "g'i't status", 'git sta""tus', "git status a'b'"),
    *("git status 'x", 'git status "x', "$'git' status", "git status $'\\n'", "''git status"),
    *("gіt status", "ｇit status", "git\u00a0status", "git\u3000status", "git sta\u200btus"),  # noqa: RUF001
    *("git status\u202e x", "\u2066git status", "git\ufeff status", "git status\ud800"),
    *("git status \u2014x", "git status\u037e rm", "git status é", "git\tstatus\x1b[2K"),
    *("git status =ls", "./git status", "/tmp/git status", "git", "gitx status", "git stat"),
    *("GIT status", "git -c x=y status", "", " ", "git status " + "a" * 5_000),
]


@pytest.mark.parametrize("line", ALLOWED)
def test_a_rule_allows_a_simple_command_by_its_first_words(line) -> None:
    assert decided(command(line), rule("git status")) == "allow"


@pytest.mark.parametrize("line", TRICKS)
def test_a_trick_matches_no_rule_of_its_first_word(line) -> None:
    assert decided(command(line), rule("git status")) is None
    if line.split()[:1] != ["git"] or lexer.simple_command(line) is None:
        assert decided(command(line), rule("git")) is None


@pytest.mark.parametrize("line", ["sudo ls", "env ls", "bash -c ls", "xargs rm", "FOO=1"])
def test_a_rule_for_a_runner_of_commands_allows_nothing(line) -> None:
    assert decided(command(line), rule(line.split()[0])) is None


PLAIN = st.text("abcXYZ019_@%+:,./-", min_size=1, max_size=8)


@given(st.lists(PLAIN, min_size=1, max_size=6))
def test_plain_words_are_the_words_of_every_shell(words) -> None:
    line = " ".join(words)
    read = lexer.simple_command(line)
    assert read is None or list(read) == shlex.split(line) == words


@given(st.text(max_size=30), st.sampled_from(["", " ", ";", "\n", "|", "&&"]))
def test_whatever_stands_behind_a_command_is_plain_or_not_allowed(tail, join) -> None:
    line = f"git status{join}{tail}"
    if decided(command(line), rule("git status")) == "allow":
        read = shlex.split(line)
        assert read[:2] == ["git", "status"]
        assert all(" " <= char <= "~" for char in line)
        assert not set(line) & set(";&|<>()$`\\!*?[]{}~#\n\r\x00")


@given(st.characters(exclude_categories=["Cs"]), st.integers(0, 10))
def test_one_strange_character_anywhere_allows_nothing(char, at) -> None:
    is_plain = char.isascii() and (char.isalnum() or char in "_@%+=:,./- '\"")
    line = "git status"[:at] + char + "git status"[at:]
    if not is_plain:
        assert decided(command(line), rule("git"), rule("git status")) is None


def test_arguments_and_the_line_of_a_shell_are_read_like_a_line() -> None:
    for told in (["git", "status"], ["bash", "-lc", "git status"], ["/bin/sh", "-c", "git status"]):
        assert decided(command(told), rule("git status")) == "allow"
    for told in (
        ["git", "status;", "rm"],
        ["bash", "-lc", "git status; rm x"],
        ["bash", "-lc", "git status", "x"],
        ["bash", "-ic", "git status"],
        ["git", 1],
        [],
    ):
        assert decided(command(told), rule("git status"), rule("git")) is None


@pytest.mark.parametrize(
    "told",
    [
        {"command": "git status", "sandbox_permissions": "require_escalated"},
        {"command": "git status", "dangerouslyDisableSandbox": True},
        {"command": "git status", "env": {"PATH": "."}},
        {"command": "git status", "cmd": "rm x"},
        {"command": "git status", "cwd": "/etc"},
        {"command": "git status", "cwd": "../other"},
        {"command": {"line": "git status"}},
        {"title": "git status"},
        {"content": "git status"},
        {"truncated": '{"command": "git status"'},
        {},
        None,
        "",
    ],
)
def test_an_action_that_is_not_understood_is_never_allowed(told) -> None:
    every = [rule("git status"), rule("**", kind="path"), rule("*", kind="tool")]
    assert decided(request(told, title="git status"), *every) is None


def test_a_command_in_the_chats_folder_is_allowed_with_words_beside_it(tmp_path) -> None:
    told = {"command": "git status", "description": "Look", "timeout": 5, "cwd": str(tmp_path)}
    assert decided(request(told), rule("git status"), folder=tmp_path) == "allow"


DENIED = [
    *("rm x", "rm -r -f x", "/bin/rm x", "RM x", "cd x && rm y", "ls; rm y", "ls | xargs rm"),
    *("sudo rm x", "sudo -u root rm x", "env A=1 rm x", "A=1 rm x", "$(rm x)", "`rm x`"),
    *(
        "bash -c 'rm x'",
        "r\\m x",
        "r''m x",
        'r"m" x',
        "ls\nrm x",
        "ls &rm x",
        "(rm x)",
        "{ rm x; }",
    ),
    *(
        "\uff52m x",
        "r\u200bm x",
        "find . -exec rm {} +",
        "git status > x; rm y",
        "rm",
        "if true; then rm x",
    ),
]


@pytest.mark.parametrize("line", DENIED)
@pytest.mark.parametrize("effect", ["deny", "ask"])
def test_a_rule_that_restrains_sees_every_command_of_a_line(line, effect) -> None:
    both = [rule("rm", effect), rule(line.split()[0], number=2)]
    assert decided(command(line), *both) == effect
    assert decided(command(line.split(" ")), rule("rm", effect)) == effect


@pytest.mark.parametrize("line", ["ls rm", "git commit -m 'rm old'", "rmdir x", "npm run rm-cache"])
def test_a_clear_line_is_denied_by_its_command_alone(line) -> None:
    assert decided(command(line), rule("rm", "deny")) is None


def test_a_denied_command_is_found_with_arguments_between_and_in_a_title() -> None:
    assert decided(command("git -C x push -f"), rule("git push", "deny")) == "deny"
    assert decided(request(None, title="rm -rf x"), rule("rm", "deny")) == "deny"
    assert decided(request({"args": ["rm", "-rf"]}), rule("rm -rf", "deny")) == "deny"
    assert decided(request({"script": "rm x"}, kind="other"), rule("rm", "deny")) == "deny"
    assert decided(command("ls"), rule("*", "ask")) == "ask"


# --- Paths --------------------------------------------------------------------------------------


def edit(*paths, kind="edit", **more):
    told = {"file_path": paths[0], "old_string": "a", "new_string": "b"}
    rest = [{"path": path} for path in paths]
    return request(told, kind=kind, tool="Edit", locations=rest, **more)


def in_folder(asked, chat, pattern, effect="allow", **more):
    return decided(asked, rule(pattern, effect, "path", **more), folder=chat)


@pytest.fixture
def folder(tmp_path):
    for name in ("project/src/deep", "project/.git", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "project/out").symlink_to(tmp_path / "secret")
    (tmp_path / "project/link.py").symlink_to(tmp_path / "project/src/real.py")
    return tmp_path / "project"


def test_a_path_is_allowed_inside_the_folder_alone(folder) -> None:
    for path in ("src/a.py", str(folder / "src/a.py"), "./src/deep/b.py"):
        assert in_folder(edit(path), folder, "src/**") == "allow"
        assert in_folder(edit(path), folder, "*.py") == "allow"
    for path in (
        *("lib/a.py", "src/../x.py", "../project/src/a.py", "~/src/a.py", "/etc/src/a.py"),
        *("src/a.py\n", "src/\u202ea.py", "out/a.py", "", "src/\x00a.py"),
    ):
        assert in_folder(edit(path), folder, "src/*") is None
    assert in_folder(edit("out/a.py"), folder, "**") is None
    assert in_folder(edit("src/a.py", "lib/b.py"), folder, "src/**") is None


def test_a_link_is_allowed_by_the_file_that_it_leads_to(folder) -> None:
    assert in_folder(edit("link.py"), folder, "src/*") == "allow"
    assert in_folder(edit("link.py"), folder, "link.py") is None


def test_wildcards_that_allow_stand_for_no_hidden_name(folder) -> None:
    for path in (".git/hooks/pre-commit", ".env", "src/.env"):
        assert in_folder(edit(path), folder, "**") is None
    assert in_folder(edit(".github/x.yml"), folder, ".github/*") == "allow"
    assert in_folder(edit(".env"), folder, "**", "deny") == "deny"


@pytest.mark.parametrize("kind", ["delete", "move", "execute", "fetch", "other", "switch_mode"])
def test_a_path_allows_reading_and_changing_alone(folder, kind) -> None:
    assert in_folder(edit("src/a.py", kind=kind), folder, "**") is None
    assert in_folder(edit("src/a.py", kind=kind), folder, "src/**", "deny") == "deny"


def test_a_field_that_is_not_known_keeps_a_path_from_being_allowed(folder) -> None:
    told = {"file_path": "src/a.py", "destination": "/etc/passwd"}
    assert in_folder(request(told, kind="edit"), folder, "src/**") is None


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"src/a": {"type": "update", "unified_diff": "x"}}, "allow"),
        ({"src/a": {"type": "add", "content": "x"}, "src/b": {"content": "x"}}, "allow"),
        ([{"path": "src/a", "oldText": None, "newText": "x"}], "allow"),
        ({"src/a": {"type": "delete"}}, None),
        ({"src/a": {"type": "update", "move_path": "/etc/x"}}, None),
        ({"src/a": {"update": {"move_path": "/etc/x"}}}, None),
        ({"src/a": {"type": ["delete"]}}, None),
        ({"src/a": "delete"}, None),
        ({"path": {"type": "delete"}}, None),
        ([{"path": "src/a", "destination": "/etc/x"}], None),
        ([{"path": "src/a", "kind": "delete"}], None),
        ([{"path": "src/a", "edits": [{"path": "/etc/x"}]}], None),
    ],
)
def test_changes_are_allowed_where_they_write_files_in_place(folder, changes, effect) -> None:
    asked = request({"changes": changes}, kind="edit", tool="Edit")
    assert in_folder(asked, folder, "src/**") == effect


def test_a_question_that_comes_as_a_tool_is_for_a_person() -> None:
    asked = request({"questions": ["Which?"]}, kind="think", tool="AskUserQuestion")
    assert decided(asked, rule("AskUserQuestion", kind="tool")) is None
    assert decided(asked, rule("*", "deny", kind="tool")) == "deny"


def test_a_denied_path_is_seen_however_it_is_named(folder) -> None:
    for path in ("out/key.pem", "OUT/KEY.PEM", str(folder / "out/key.pem"), "src/../out/key.pem"):
        assert in_folder(edit(path), folder, "out/**", "deny") == "deny"
        assert in_folder(edit(path), folder, "*.pem", "deny") == "deny"
    assert in_folder(edit("out/key.pem"), folder, "out", "deny") == "deny"
    assert in_folder(edit("out/key.pem"), folder, str(folder.parent / "secret"), "deny") == "deny"
    for line in ("cat .env", "cat ./.env", "x --file=.env", "cat $(echo .env)", "cat '.e'nv"):
        assert in_folder(command(line), folder, ".env", "deny") == "deny"
    assert in_folder(edit("src/a.py"), folder, "out/**", "deny") is None


def test_a_glob_of_a_project_begins_in_its_folder(folder) -> None:
    asked = edit("a.py")
    own = {"scope": "project", "folder": str(folder)}
    assert in_folder(asked, folder / "src", "src/*", **own) == "allow"
    assert in_folder(edit("../lib/a.py"), folder / "src", "lib/*", **own) is None


@given(st.text("ab*?/.", max_size=20), st.text("ab/.", max_size=30))
def test_a_strict_match_is_a_loose_one(glob, path) -> None:
    names = PurePosixPath(path.strip("/") or "a").parts
    if globs.matches(glob, names, is_strict=True):
        assert globs.matches(glob, names, is_strict=False)


def test_a_hostile_glob_and_a_long_path_end_soon() -> None:
    assert not globs.matches("**/a/" * 60 + "b", ["a"] * 1_000, is_strict=True)


@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_more_rules_look_at_the_disk_no_more_often(folder, monkeypatch, effect) -> None:
    looked = []
    real = places.os.path.realpath
    monkeypatch.setattr(places.os.path, "realpath", lambda path: looked.append(path) or real(path))
    counts = []
    for number in (1, 100):
        looked.clear()
        many = [rule(f"no{n}/**", effect, "path", number=n) for n in range(number)]
        assert decided(edit("src/a.py", "src/b.py"), *many, folder=folder) is None
        counts.append(len(looked))
    assert counts[0] == counts[1] > 0


# --- Tools --------------------------------------------------------------------------------------


def test_a_tool_is_matched_by_its_name() -> None:
    asked = request({"url": "https://x.example"}, kind="fetch", tool="WebFetch")
    assert decided(asked, rule("WebFetch", kind="tool")) == "allow"
    assert decided(asked, rule("Web*", kind="tool")) == "allow"
    assert decided(asked, rule("webfetch", kind="tool")) is None
    assert decided(asked, rule("webfetch", "deny", "tool")) == "deny"
    assert decided(command("ls"), rule("Bash", kind="tool")) is None
    assert decided(command("ls"), rule("Bash", "deny", "tool")) == "deny"


def test_a_tool_is_allowed_with_paths_inside_the_folder_alone(folder) -> None:
    asked = edit("src/a.py")
    assert decided(asked, rule("Edit", kind="tool"), folder=folder) == "allow"
    assert decided(edit("/etc/passwd"), rule("Edit", kind="tool"), folder=folder) is None


def test_an_mcp_tool_is_matched_by_its_server_and_name() -> None:
    asked = request({"query": "x"}, kind="other", tool="mcp__github__search_issues")
    assert decided(asked, rule("github/search_issues", kind="mcp")) == "allow"
    assert decided(asked, rule("github/*", kind="mcp")) == "allow"
    assert decided(asked, rule("gitlab/*", kind="mcp")) is None
    assert decided(command("ls"), rule("*", kind="mcp", effect="allow")) is None


# --- The choice ---------------------------------------------------------------------------------


def test_deny_comes_before_ask_before_allow_and_then_the_most_specific() -> None:
    rules = [
        rule("git", scope="chat", number=1),
        rule("git", "ask", scope="everywhere", number=2),
        rule("git", "deny", scope="everywhere", number=3),
        rule("git", "deny", scope="agent", number=4),
        rule("git status", "deny", scope="agent", number=5),
    ]

    def number(*chosen):
        return choose(chosen, action_of(command("git status")), FOLDER).number

    assert number(*rules) == number(*reversed(rules)) == 5
    assert number(*rules[:4]) == 4
    assert number(*rules[:3]) == 3
    assert number(*rules[:2]) == 2
    assert number(*rules[:1]) == 1


@pytest.mark.parametrize("mode", ["plan", "Plan", "https://x.example/modes#plan", "read-only"])
def test_no_rule_widens_a_mode_that_plans(mode) -> None:
    assert plans(mode)
    allows = rule("git", scope="everywhere")
    assert decided(command("git status"), allows, may_allow=False) is None
    assert decided(command("git status"), allows, rule("git", "deny"), may_allow=False) == "deny"
    leave = request({"plan": "x"}, kind="switch_mode", tool="ExitPlanMode")
    assert decided(leave, rule("ExitPlanMode", kind="tool"), rule("*", kind="tool")) is None


@pytest.mark.parametrize("mode", ["", "default", "ask", "acceptEdits", "auto", "explain"])
def test_other_modes_do_not_plan(mode) -> None:
    assert not plans(mode)


# --- Patterns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "effect", "pattern", "stored"),
    [
        ("command", "allow", " git  status ", "git status"),
        ("command", "allow", "npm test *", "npm test"),
        ("command", "deny", "*", "*"),
        ("command", "deny", "sudo", "sudo"),
        ("path", "allow", "./src/**", "src/**"),
        ("path", "deny", "/etc/**", "/etc/**"),
        ("tool", "allow", "Web*", "Web*"),
        ("mcp", "allow", "github/*", "github/*"),
    ],
)
def test_a_pattern_is_stored_in_its_plain_form(kind, effect, pattern, stored) -> None:
    assert patterns.checked(kind, effect, pattern) == stored


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        *(("command", p) for p in ("*", "sudo", "sudo apt", "env", "bash", "FOO=1 git", "a; b")),
        *(("command", p) for p in ("git $(x)", "'git'", "git 'a b'", "gіt", "g\u202et", "", "\n")),  # noqa: RUF001
        *(("path", p) for p in ("../x", "a/../b", "/etc/*", "~/x", "a\\b", "", "a\nb", "x" * 301)),
        *(("tool", p) for p in ("", "tооl", "a\x00", "a;b")),  # noqa: RUF001
    ],
)
def test_a_pattern_that_would_allow_too_much_is_refused(kind, pattern) -> None:
    with pytest.raises(InvalidRequest) as refused:
        patterns.checked(kind, "allow", pattern)
    assert refused.value.fields["fields"].keys() == {"pattern"}


LEAVES = st.none() | st.text() | st.integers()


@given(st.recursive(LEAVES, lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_every_input_has_an_action(told) -> None:
    action = action_of(request(told, title=json.dumps(told)))
    every = [rule("a", "deny", kind) for kind in ("command", "path", "tool", "mcp")]
    choose(every, action, FOLDER)
