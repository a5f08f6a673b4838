"""Scan and watch beside everything else that writes to the catalogue: no row's number outlives another's commit."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save
from test_watch import assert_as_a_fresh_scan, until, watching

import hashindex.index.jobs
import hashindex.index.scan
from hashindex import HashIndex, UsageError
from hashindex.core.options import Limits
from hashindex.core.organizing import Action, Step
from hashindex.index import judge_new
from hashindex.store.catalogue import Catalogue

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


class Beside(ThreadPoolExecutor):
    """Examines files one by one; before the one of that number, counted from 0, it does something else."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        super().__init__(1)
        self._left = number
        self._act = act

    def submit(self, *call: Any) -> Any:  # type: ignore[override]
        if self._left == 0:
            self._act()
        self._left -= 1
        return super().submit(*call)


@pytest.fixture(autouse=True)
def _one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan commits each file, and reads the next one only then."""
    monkeypatch.setattr(hashindex.index.jobs, "CHUNK_JOBS", 1)
    monkeypatch.setattr(hashindex.index.scan, "BATCH", 1)
    monkeypatch.setattr(hashindex.index.reading, "DONE_AHEAD", 1)
    monkeypatch.setattr(hashindex.index.reading, "DONE_AHEAD_EACH", 1)


def scan_beside(index: HashIndex, act: Callable[[], object], *folders: Path, number: int = 4) -> None:
    with Beside(number, act) as executor:
        index.scan(folders, executor=executor)


def faults(index: HashIndex) -> list[str]:
    with Catalogue(index.path) as catalogue:
        return catalogue.faults()


@pytest.mark.parametrize("number", [0, 1, 4, 7])
def test_a_folder_that_is_forgotten_beside_a_scan_of_it_ends_nothing(
    index: HashIndex, folder: Path, tmp_path: Path, number: int
) -> None:
    fill(folder / "a", range(4))
    fill(folder / "b", range(10, 14))
    index.scan([folder])
    for path in folder.glob("*/*.png"):
        save(draw(int(path.stem) + 100), path)
    scan_beside(index, lambda: index.forget(folder), folder, number=number)
    assert faults(index) == []
    # What was read since lies below a folder that is known, and whose scan has to go on.
    (root,) = index.status().roots
    assert root.path_bytes == os.fsencode(folder.resolve())
    index.scan()
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_the_number_of_a_forgotten_folder_is_given_to_no_other(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder / "a", [1])
    index.scan([folder])
    for path in fill(folder / "a", range(2, 6)):
        save(draw(int(path.stem) + 100), path)
    other = tmp_path / "other"
    fill(other, [50])

    def forget_and_scan_another() -> None:
        index.forget(folder)
        HashIndex(index.path).scan([other])

    scan_beside(index, forget_and_scan_another, folder, number=2)
    with Catalogue(index.path) as catalogue:
        there = {file.path_bytes for file in catalogue.present_pictures()}
    assert {os.path.basename(path) for path in there if path.startswith(os.fsencode(other.resolve()))} == {b"50.png"}
    index.scan()
    index.forget(other)
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_the_number_of_a_forgotten_content_is_given_to_no_other(index: HashIndex, folder: Path) -> None:
    first, second = fill(folder, [1, 2])
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        before = {file.content.id for file in catalogue.present_pictures()}
    index.forget(folder)
    first.unlink()
    second.unlink()
    fill(folder, [3, 4])
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        after = {file.content.id for file in catalogue.present_pictures()}
        # Their keys lie where the new numbers are, and nowhere else.
        for version in catalogue.keys.versions():
            assert {id for id, state in enumerate(catalogue.keys.states(version)) if state} == after
    assert before.isdisjoint(after)


def test_pictures_that_are_forgotten_while_they_are_compared_leave_nothing_behind(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(draw(1), folder / "a.png")
    save(draw(1), folder / "a.jpg", quality=90)
    with Here() as executor:
        index.scan([folder], executor=executor)
    connection = sqlite3.connect(index.path)
    connection.execute("UPDATE compare_keys SET compared = 0")
    connection.execute("DELETE FROM judged_pair")
    connection.commit()
    true_candidates = judge_new._candidates

    def candidates(*given: Any) -> Any:
        found = true_candidates(*given)
        assert found[0]
        index.forget(folder)
        return found

    monkeypatch.setattr(judge_new, "_candidates", candidates)
    with Catalogue(index.path, write=True) as catalogue:
        judge_new.keep_relations(catalogue, Limits())
    assert connection.execute("SELECT count(*) FROM judged_pair").fetchone() == (0,)
    connection.close()


class Here(ThreadPoolExecutor):
    def __init__(self) -> None:
        super().__init__(1)


def test_a_destination_that_another_process_made_or_took_away_is_seen(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    one, other = b"/one", b"/other"
    with Catalogue(index.path, write=True) as first, Catalogue(index.path, write=True) as second:
        assert first.destinations() == []
        with second.atomic():
            second.put_destination(one)
        assert first.destinations() == [one]
        with first.atomic():
            first.put_destination(one)
            first.put_destination(other)
        with second.atomic():
            second.drop_destination(one)
            second.note_folder_problem(one + b"/below", "it may not be read")
        with first.atomic():
            first.put_destination(one)
        assert second.destinations() == [one, other]
        assert first.faults() == []


def test_undo_beside_a_scan_is_whole(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder / "a", range(6))
    index.scan([folder])
    index.organize(tmp_path / "stickers", action=Action.MOVE, rest=True)
    fill(folder / "b", range(20, 26))
    undone: list[int] = []
    scan_beside(index, lambda: undone.append(index.undo().done), folder, number=3)
    assert undone == [6]
    assert faults(index) == []
    index.scan([folder])
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_words_and_a_backup_beside_a_scan_are_whole(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder, range(8))
    copy = tmp_path / "copy.db"

    def act() -> None:
        index.same(folder / "0.png", folder / "1.png")
        index.separate(folder / "2.png", folder / "7.png")
        index.backup(copy)

    scan_beside(index, act, folder)
    assert [word.same for word in index.decisions()] == [True, False]
    assert faults(HashIndex(copy)) == faults(index) == []
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_a_picture_that_is_forgotten_beside_organize_is_read_by_the_next_scan(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    fill(folder, [1, 2])
    index.scan([folder])

    def forget_what_is_left(step: Step) -> None:
        with suppress(UsageError):
            index.forget(folder)

    index.organize(tmp_path / "stickers", action=Action.MOVE, rest=True, on_step=forget_what_is_left)
    assert index.status().present == 1
    index.scan([tmp_path / "stickers"])
    assert (index.status().present, index.status().other) == (2, 0)


def test_forget_undo_words_and_backup_beside_a_watch_end_nothing(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    index = HashIndex(index.path)
    fill(folder / "a", range(4))
    fill(folder / "b", range(10, 14))
    index.scan([folder])
    with watching(index, folder, sweep_s=0.3) as running:
        for number in range(2):
            fill(folder / "a", range(20 + 5 * number, 25 + 5 * number))
            index.forget(folder / "a")
            index.same(folder / "b" / "10.png", folder / "b" / "11.png")
            index.backup(tmp_path / f"copy{number}.db")
            index.organize(tmp_path / "stickers", action=Action.MOVE, rest=True)
            index.undo()
            running.swept()
        index.forget(folder)
        running.swept(2)
        until(lambda: index.status().present == 18)
        until(lambda: len(running.daemon.settle) == 0)
    status = index.status().daemon
    assert status is not None
    assert (status.doing, status.failed) == ("stopped", None)
    assert faults(index) == []
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_two_processes_beside_each_other_leave_what_a_fresh_scan_finds() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "beside.py", "--rounds", "5"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tracebacks 0; integrity_check ok; equal to a fresh scan" in done.stdout
