"""Paths that a confined agent may read: the system and its tools, without anybody's own files."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/snap",
    "/etc/resolv.conf", "/etc/localtime",
)  # fmt: skip
# Of these only the parts that every user may read: keys and passwords of services lie beside them.
PUBLIC = "/etc"
# Of the home folder: settings of git, and tools. Caches, keys and everybody's settings are not it.
OF_HOME = (
    ".gitconfig", ".config/git", ".local/bin", ".local/lib", ".local/share/uv", ".local/share/mise",
    ".local/share/fnm", ".local/share/pnpm", ".pyenv", ".rbenv", ".nvm", ".volta", ".asdf", ".bun",
    ".deno", ".sdkman", ".rustup", ".cargo/bin", ".cargo/env", ".cargo/registry", "go/bin",
    "go/pkg",
)  # fmt: skip
# Beside a folder `bin`: never `share`, which in a home folder holds a person's private data.
_BESIDE_BIN = ("lib", "lib64", "libexec", "include", "pyvenv.cfg")
# Variables that name files which a program needs for its network.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
# Every process has its own files there: a link in it leads elsewhere for an agent.
_OF_KERNEL = (Path("/proc"), Path("/sys"), Path("/dev"))
# Of a path with links that lead to links; a loop of them ends there.
MAX_STEPS = 400


def of_system(hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield the system's files but for hidden folders."""
    behind = [path for path in hidden if not any(Path(s).is_relative_to(path) for s in SYSTEM)]
    for named in SYSTEM:
        yield from without(Path(named), behind)
    for path in public_parts(Path(PUBLIC)):
        yield from without(path, behind)


def of_person(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the tools and settings that an environment names: home, PATH, certificates."""
    home = env.get("HOME", "")
    if home:
        yield from (Path(home, name) for name in OF_HOME)
    for folder in filter(os.path.isabs, env.get("PATH", "").split(os.pathsep)):
        if not home or not Path(home).is_relative_to(folder):
            yield from installation(Path(folder))
    yield from (Path(env[name]) for name in _CERTIFICATES if env.get(name))


def of_command(program: str, words: Iterable[str]) -> Iterator[Path]:
    """Yield the files of a command: its program, and each file and folder that its words name."""
    for word in (program, *filter(os.path.isabs, words)):
        for path in {Path(word), Path(os.path.realpath(word))}:
            if os.path.isdir(path):  # noqa: PTH112 (a folder that is closed to us is none)
                yield path
            elif os.path.exists(path):  # noqa: PTH110 (as above)
                yield path
                yield from _package(path)


def _package(path: Path) -> Iterator[Path]:
    """Yield the package that a program belongs to: its node_modules, else its folder."""
    modules = [parent for parent in path.parents if parent.name == "node_modules"]
    if modules:
        yield modules[-1]
    else:
        yield from installation(path.parent)


def installation(folder: Path) -> Iterator[Path]:
    """Yield a folder of programs, and where it is a `bin` the libraries beside it."""
    yield folder
    if folder.name == "bin":
        yield from (folder.parent / name for name in _BESIDE_BIN)


def without(path: Path, hidden: Collection[Path]) -> Iterator[Path]:
    """Yield path, or the parts of it that have no hidden file in them."""
    if any(path.is_relative_to(one) for one in hidden):
        return
    if not any(one.is_relative_to(path) for one in hidden):
        yield path
        return
    for child in _children(path):
        yield from without(child, hidden)


def public_parts(folder: Path) -> list[Path]:
    """Return the largest parts of a folder in which every user of the system may read all."""
    parts, is_whole = _public(folder)
    return [folder] if is_whole else parts


def _public(path: Path) -> tuple[list[Path], bool]:
    """Return the public parts of a path, and whether they are all of it."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return [], True  # a lock of an account tool, gone since it was listed
    if not stat.S_ISDIR(mode):
        is_public = bool(mode & stat.S_IROTH) and not stat.S_ISSOCK(mode)
        return [path], is_public
    if not mode & stat.S_IROTH or not mode & stat.S_IXOTH:
        return [], False
    parts: list[Path] = []
    is_whole = True
    for child in _children(path):
        found, is_all = _public(child)
        is_whole = is_whole and is_all
        parts += [child] if is_all else [] if found == [child] else found
    return parts, is_whole


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (PermissionError, NotADirectoryError, FileNotFoundError):
        return []


class Links:
    """The symbolic links on the way to paths; seen: each with its target.

    A link in a writable folder is not followed: an agent may have made it, to get more at its next
    start than it was given.
    """

    def __init__(self, writable: Iterable[Path] = ()) -> None:
        self.seen: dict[str, str] = {}
        self._writable = list(writable)

    def writable(self, named: Iterable[Path]) -> Iterator[Path]:
        """Yield paths that an agent may change, followed; links in them are its own from now on."""
        for path in named:
            real = self.follow(path)
            if real is not None:
                self._writable.append(real)
                yield real

    def follow(self, path: Path) -> Path | None:
        """Return a path without symbolic links, and note those on the way.

        None where a link leads on that is in a writable folder, or in one of the kernel's, and in
        folders that are closed to the server: a PATH may name those of another user.
        """
        try:
            return self._followed(path)
        except PermissionError:
            return None

    def _followed(self, path: Path) -> Path | None:
        real = Path("/")
        waiting = list(path.parts[1:])
        for _ in range(MAX_STEPS):
            if not waiting:
                break
            name = waiting.pop(0)
            step = real.parent if name == ".." else real / name
            if not step.is_symlink():
                real = step
                continue
            if any(step.is_relative_to(folder) for folder in (*self._writable, *_OF_KERNEL)):
                return None
            target = step.readlink()
            self.seen[str(step)] = str(target)
            waiting = [*(part for part in target.parts if part != "/"), *waiting]
            real = Path("/") if target.is_absolute() else real
        return real

    def outside(self, hidden: Collection[Path], named: Iterable[Path]) -> Iterator[Path]:
        """Yield named paths, followed, or their parts without a hidden file."""
        for path in named:
            real = self.follow(path)
            if real is not None:
                yield from without(real, hidden)
