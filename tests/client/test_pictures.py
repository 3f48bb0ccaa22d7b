"""The pictures of the docs can be taken again."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


# It starts a server, a browser and a terminal.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_picture_of_the_docs_is_taken(tmp_path):
    command = [sys.executable, "-m", "lab.pictures", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=360)
    taken = {path.name for path in tmp_path.iterdir()}
    assert taken == {path.name for path in (ROOT / "docs/pictures").iterdir()}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())
