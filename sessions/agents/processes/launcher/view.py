"""A view: the file system with nothing in it but named paths, in namespaces of its own.

Landlock alone leaves names, modes and sockets of hidden files within reach. In a view they do not
exist: neither the server's folder nor the sockets of services that obey any process of the user.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from sessions.agents.processes.launcher import kernel

# linux/sched.h
_NEW_MOUNTS, _NEW_IPC, _NEW_USER = 0x00020000, 0x08000000, 0x10000000
# linux/mount.h
_READ_ONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT = 1, 2, 4, 8, 32
_NOATIME, _NODIRATIME, _BIND, _REC, _SLAVE, _RELATIME = 1024, 2048, 4096, 16384, 1 << 19, 1 << 21
_DETACH = 2
# What a mount in a user namespace must keep, by its bit in statvfs.
_KEPT = {
    os.ST_NOSUID: _NOSUID,
    os.ST_NODEV: _NODEV,
    os.ST_NOEXEC: _NOEXEC,
    os.ST_NOATIME: _NOATIME,
    os.ST_NODIRATIME: _NODIRATIME,
    os.ST_RELATIME: _RELATIME,
}

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "fd/0",
    "/dev/stdout": "fd/1",
    "/dev/stderr": "fd/2",
    "/dev/ptmx": "pts/ptmx",
}
_SHARED_MEMORY = "size=256m,mode=1777"
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 (of the view)
_TERMINALS = "newinstance,ptmxmode=0666,mode=0620"


def enter(
    root: str,
    *,
    read: Sequence[str],
    write: Sequence[str],
    links: Mapping[str, str],
    hidden: Iterable[str],
    temporary: str,
) -> None:
    """Leave this process with a file system of read, write and links, temporary as its /tmp.

    hidden: files inside of these that stay out. root: an empty folder. Raises OSError where the
    system allows no namespaces.
    """
    _leave_namespaces()
    _mount("none", "/", flags=_REC | _SLAVE)
    _mount("tmpfs", root, kind="tmpfs", flags=_NOSUID | _NODEV, options="mode=0755")
    for target in TEMPORARY[:2]:  # the agent's own one is mounted there
        _bind(root, temporary, target)
    _make_devices(root)
    _bind_all(root, ["/proc", "/sys", *read, *write])
    _close(root, read, write)
    for path, target in links.items():
        _link(root, path, target)
    for path in hidden:
        _hide(root + path)
    os.chdir(root)
    kernel.call("pivot_root", b".", b".")
    kernel.call("umount2", b".", _DETACH)
    os.chdir("/")


def _leave_namespaces() -> None:
    """Take namespaces of our own; without the right to them, in a user namespace of our own."""
    try:
        kernel.call("unshare", _NEW_MOUNTS | _NEW_IPC)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        kernel.call("unshare", _NEW_MOUNTS | _NEW_IPC | _NEW_USER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _make_devices(root: str) -> None:
    for name in DEVICES:
        _bind(root, f"/dev/{name}", f"/dev/{name}")
    for name, kind, options in (
        ("shm", "tmpfs", _SHARED_MEMORY),
        ("pts", "devpts", _TERMINALS),
    ):
        os.mkdir(f"{root}/dev/{name}")
        _mount(kind, f"{root}/dev/{name}", kind=kind, flags=_NOSUID, options=options)
    for path, target in _LINKS.items():
        _link(root, path, target)


def _bind_all(root: str, paths: Iterable[str]) -> None:
    """Bind paths, each once: one inside another comes with that."""
    bound = ""
    for path in sorted(set(paths), key=lambda path: path.split("/")):
        if not (bound and _is_inside(path, bound)) and os.path.exists(path):
            _bind(root, path, path)
            bound = path


def _close(root: str, read: Iterable[str], write: Sequence[str]) -> None:
    """Mount paths that are read alone as such where they lie in a temporary folder.

    All of that folder may be written, and Landlock's rule for it holds in the mounts below it.
    """
    for path in sorted(set(read)):
        is_temporary = any(_is_inside(path, folder) for folder in TEMPORARY)
        if not is_temporary or any(_is_inside(path, own) for own in write):
            continue
        if os.path.exists(path):
            place = root + path
            _mount(place, place, flags=_BIND | _REC)
            has = os.statvfs(place).f_flag
            kept = sum(flag for bit, flag in _KEPT.items() if has & bit)
            _mount("none", place, flags=_REMOUNT | _BIND | _READ_ONLY | kept)
            for own in write:
                if _is_inside(own, path) and os.path.exists(own):
                    _mount(own, root + own, flags=_BIND | _REC)


def _is_inside(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")


def _bind(root: str, source: str, target: str) -> None:
    place = root + target
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "ab"):
            pass
    _mount(source, place, flags=_BIND | _REC)


def _hide(place: str) -> None:
    """Put something empty over a file or folder."""
    if os.path.isdir(place):
        _mount("tmpfs", place, kind="tmpfs", flags=_NOSUID | _NODEV, options="size=4k,mode=0")
    elif os.path.exists(place):
        _mount("/dev/null", place, flags=_BIND)


def _link(root: str, path: str, target: str) -> None:
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    if not os.path.lexists(root + path):
        os.symlink(target, root + path)


def _mount(
    source: str, target: str, *, kind: str | None = None, flags: int = 0, options: str = ""
) -> None:
    named = (os.fsencode(source), os.fsencode(target), kind.encode() if kind else None)
    kernel.call("mount", *named, flags, options.encode() or None)
