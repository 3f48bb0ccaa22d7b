"""Landlock: the kernel's sandbox for a process without privileges, and for all that it starts.

Rules are allow-lists. What a process inside may not do: open files outside of its rules, connect to
TCP ports outside of its rules, signal or trace processes outside, use abstract sockets of theirs.
See the kernel's documentation, userspace-api/landlock.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

from sessions.agents.processes.launcher import kernel

# The numbers are the same on every architecture.
_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_VERSION = 1
_RULE_PATH, _RULE_PORT = 1, 2

# linux/landlock.h: one bit for each right on files, in the order of their versions.
(
    _EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR,
    _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV,
) = (1 << bit for bit in range(16))  # fmt: skip
_CONNECT_TCP = 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2

READ = _EXECUTE | _READ_FILE | _READ_DIR
# Device files are not made inside: with root's rights one would be a way to every disk.
WRITE = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK
WRITE |= _MAKE_FIFO | _MAKE_SYM | _REFER | _TRUNCATE
DEVICE = _READ_FILE | _WRITE_FILE | _READ_DIR | _TRUNCATE | _IOCTL_DEV
LIST = _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

PORTS_SINCE = 4
SIGNALS_SINCE = 6


def version() -> int:
    """Return the version that the kernel has, 0 for none."""
    if sys.platform != "linux":
        return 0
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def _known_rights(abi: int) -> int:
    """Return the rights on files that a version can hold back."""
    count = {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    return (1 << count) - 1


class FileRules:
    """A set of rules on files; the scopes of signals and sockets come with it."""

    def __init__(self) -> None:
        self._abi = version()
        self._rights = _known_rights(self._abi)
        scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if self._abi >= SIGNALS_SINCE else 0
        self._ruleset = _new_ruleset(self._abi, files=self._rights, scopes=scopes)

    def allow(self, path: str, rights: int) -> None:
        """Allow rights on a file, or on a folder and all that is in it; a missing one is left.

        Paths come without links; one that is a link now has been changed and is not followed.
        """
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        try:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            allowed = rights & self._rights & (-1 if is_folder else _OF_FILES)
            rule = struct.pack("=Qi", allowed, descriptor)
            kernel.syscall(_ADD_RULE, self._ruleset, _RULE_PATH, rule, 0)
        finally:
            os.close(descriptor)

    def enforce(self) -> None:
        """Hold this process to the rules, for the rest of its life."""
        restrict(self._ruleset)


def port_rules(closed: Iterable[int]) -> int:
    """Return a descriptor of rules that allow connections to every TCP port but the closed ones.

    A rule for each port takes some 100 ms to make, so one set is made and handed on to each agent.
    """
    refused = set(closed)
    ruleset = _new_ruleset(PORTS_SINCE, ports=_CONNECT_TCP)
    rule = ctypes.create_string_buffer(16)
    for port in range(65536):
        if port not in refused:
            struct.pack_into("=QQ", rule, 0, _CONNECT_TCP, port)
            kernel.syscall(_ADD_RULE, ruleset, _RULE_PORT, rule, 0)
    return ruleset


def restrict(ruleset: int) -> None:
    """Hold this process to a set of rules."""
    kernel.syscall(_RESTRICT_SELF, ruleset, 0)


def _new_ruleset(abi: int, *, files: int = 0, ports: int = 0, scopes: int = 0) -> int:
    fields = [files, ports, scopes] if scopes else [files, ports] if ports else [files]
    if abi < PORTS_SINCE:
        fields = [files]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
