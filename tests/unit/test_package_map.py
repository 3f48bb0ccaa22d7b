"""The package map shows folders, imports between rooms, and circles."""

import textwrap

import pytest

from lab import package_map


@pytest.fixture
def tree(tmp_path):
    def write(**sources):
        for name, source in sources.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return package_map.packages(tmp_path)

    return write


def test_folders_have_their_modules_and_their_longest_class(tree):
    found = tree(
        sessions__core__a="class Small:\n    x = 1\n",
        sessions__core__b="class Big:\n    x = 1\n    y = 2\n",
    )
    assert list(found) == ["sessions.core"]
    assert len(found["sessions.core"].modules) == 2
    assert found["sessions.core"].biggest_class == (3, "Big")
    assert found["sessions.core"].biggest_module == (3, "b")


def test_migrations_and_empty_files_are_left_out(tree):
    assert tree(sessions__migrations__m="x = 1", sessions__core__a="") == {}


def test_imports_between_rooms_are_counted_once(tree):
    found = tree(
        sessions__models="from django.db import models\n",
        sessions__web__a="from sessions.models import X\nfrom sessions import models\n",
        sessions__web__b="import sessions.models\nfrom sessions.web.a import y\n",
    )
    assert package_map.imports(found) == {("sessions.web", "sessions.models")}


def test_a_circle_of_rooms_is_shown():
    assert package_map.circle([("a", "b"), ("b", "c")]) == []
    assert set(package_map.circle([("a", "b"), ("b", "a")])) == {"a", "b"}


def test_the_project_has_no_circle():
    found = package_map.packages()
    assert package_map.circle(package_map.imports(found)) == []
    assert "| `sessions/core` |" in package_map.table(found)
    assert "| circle of rooms | none |" in package_map.summary({"now": found})
