"""System calls that Python does not offer, by the C library; a failed one raises OSError."""

from __future__ import annotations

import ctypes
import os

_library = ctypes.CDLL(None, use_errno=True)
_library.syscall.restype = ctypes.c_long

# linux/prctl.h
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library."""
    return _checked(getattr(_library, name)(*arguments), name)


def syscall(number: int, *arguments: object) -> int:
    """Call the kernel by number."""
    return _checked(_library.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def _checked(result: int, name: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return result
