"""Folders that end with the processes in them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_folder() -> Path:
    """Make a folder that other accounts may enter: PostgreSQL runs under its own."""
    folder = Path(tempfile.mkdtemp(prefix="backstay-"))
    folder.chmod(0o711)
    return folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that is removed with the block."""
    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
