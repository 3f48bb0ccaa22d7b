"""Files that go while their folder is listed: other chats and processes remove and rename them."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from sessions.agents.chats import lines
from sessions.core import storage
from sessions.eventlog.blobs import parts
from sessions.workspace import inside
from sessions.workspace.changes import baseline, tree
from sessions.workspace.checkpoints import shadow

THREADS = 8
TIMES = 12


@pytest.fixture
def data(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return settings.DATA_DIR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files, of which the second goes in the moment in which it is listed."""
    place = tmp_path / "folder"
    place.mkdir()
    for number, name in enumerate(("a.jsonl", "gone.jsonl", "z.jsonl")):
        (place / name).write_text(name)
        os.utime(place / name, (1_000 - number, 1_000 - number))
    return place


@pytest.fixture
def going(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    real = os.scandir

    @contextmanager
    def listed(place: int | Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with real(place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        (folder / "gone.jsonl").unlink(missing_ok=True)
        yield iter(found)

    monkeypatch.setattr(os, "scandir", listed)


def together(deed: Callable[[int], None]) -> None:
    """Call it some times in each of some threads at once; raise what one of them raised."""
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(deed, number) for number in range(THREADS) for _ in range(TIMES)]:
            done.result()


def test_files_come_by_age_without_those_that_are_gone(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    paths[1].unlink()
    assert [path.name for path, _ in storage.by_age(paths)] == ["z.jsonl", "a.jsonl"]


@pytest.mark.usefixtures("going")
def test_a_file_that_goes_hides_none_of_its_folder(folder: Path) -> None:
    with inside.of_folder(str(folder), [folder.parent]) as opened:
        assert tree.walk(opened)[0].keys() == {"a.jsonl", "z.jsonl"}


@pytest.mark.usefixtures("going")
def test_a_chat_that_goes_hides_none_of_the_others(folder: Path) -> None:
    found = [entry.path.name for entry in lines.files([folder], ".jsonl")]
    assert found == ["a.jsonl", "z.jsonl"]


def test_chats_that_begin_at_once_record_their_folders(data: Path, folder: Path, caplog) -> None:
    together(lambda _: baseline.keep(uuid4(), str(folder), [folder.parent]))
    assert caplog.records == []
    assert len(list((data / "baselines").iterdir())) == THREADS * TIMES


def test_uploads_of_one_person_begin_and_end_at_once(data: Path) -> None:
    def upload(number: int) -> None:
        with parts.held(1, f"{number:064x}") as part:
            part.add(b"piece", first=0)
            parts.collect()
            part.drop()

    together(upload)
    assert list((data / "uploads" / "1").iterdir()) == []


def test_a_kept_folder_that_another_process_removes_stops_no_start(data: Path) -> None:
    homes = shadow._homes()
    homes.mkdir(parents=True)
    (homes / "1").symlink_to("gone")
    old = homes / "2"
    old.mkdir()
    last = time.time() - shadow.UNUSED_S - 60
    os.utime(old, (last, last))
    shadow.forget_unused()
    assert not old.exists()
