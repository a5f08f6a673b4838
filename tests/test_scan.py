"""Scanning: what each change on disk costs, and what is never lost."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pictures import LONG_AGO_NS, draw, fill, save, write

import hashindex.index.jobs
import hashindex.index.local_executor
import hashindex.index.scan
from hashindex import HashIndex, Limits, Problem, ScanOptions, ScanSummary, UsageError, WalkRules
from hashindex.core.messages import Examined, Job
from hashindex.disk.files import HAS_CTIME
from hashindex.hashing import recipes
from hashindex.pictures.decode import decode
from hashindex.pictures.examine import examine
from hashindex.store.catalogue import Catalogue

WITH_HIDDEN = ScanOptions(WalkRules(hidden=True))
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")
not_as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")


def rows(index: HashIndex, question: str) -> list[tuple[Any, ...]]:
    """What a second connection sees in the catalogue."""
    connection = sqlite3.connect(index.path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def names(index: HashIndex, state: str = "NOT missing") -> list[bytes]:
    return [name for (name,) in rows(index, f"SELECT name FROM file WHERE {state} ORDER BY name")]


def test_first_scan_reads_everything_and_the_second_nothing(index: HashIndex, folder: Path) -> None:
    fill(folder, range(12))
    write(folder / "notes.txt", b"not a picture")
    assert index.scan([folder]) == ScanSummary(files=13, digested=12, decoded=12, other=1)
    assert index.scan([folder]) == ScanSummary(files=13, unchanged=13, other=1)


def test_new_files_are_taken_in_by_folder_and_name(index: HashIndex, folder: Path) -> None:
    for place in ("b", "b a", "c"):
        fill(folder / place, range(8))
    index.scan([folder])
    found = rows(index, "SELECT path, name FROM file JOIN folder ON folder.id = folder ORDER BY folder.id, content")
    assert found == sorted(found)
    assert len(found) == 24


def test_many_small_folders_are_compared_each_with_its_own_rows(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashindex.index.scan, "ASK_FOLDERS", 3)
    monkeypatch.setattr(hashindex.index.scan, "ASK_FILES", 5)
    paths = [save(draw(number), folder / str(number) / "a.png") for number in range(10)]
    fill(folder / "large", range(10, 20))
    index.scan([folder])
    assert index.scan([folder]) == ScanSummary(files=20, unchanged=20)
    paths[2].unlink()
    save(draw(99), paths[8], LONG_AGO_NS + 1)
    assert index.scan([folder]) == ScanSummary(files=19, unchanged=18, digested=1, decoded=1, missing=1)


def test_scan_without_folders_scans_the_known_roots(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    fill(folder, [2])
    assert index.scan() == ScanSummary(files=2, unchanged=1, digested=1, decoded=1)


def test_scan_without_folders_and_roots_says_what_to_do(index: HashIndex) -> None:
    with pytest.raises(UsageError, match="hashindex scan FOLDER"):
        index.scan()
    assert list(index.path.parent.iterdir()) == []


def test_each_kind_of_change_costs_what_it_must(index: HashIndex, folder: Path) -> None:
    paths = fill(folder, range(40))
    index.scan([folder])
    for path in paths[:10]:
        path.rename(path.with_name(f"renamed {path.name}"))
    for path in paths[10:15]:
        os.utime(path, ns=(LONG_AGO_NS + 1, LONG_AGO_NS + 1))
    for path in paths[15:18]:
        save(draw(100 + int(path.stem)), path, LONG_AGO_NS + 2)
    for path in paths[18:20]:
        path.unlink()
    assert index.scan([folder]) == ScanSummary(files=38, unchanged=20, digested=18, decoded=3, moved=10, missing=2)
    assert names(index, "missing") == [b"18.png", b"19.png"]


def test_copies_of_one_content_are_decoded_once_in_one_run(index: HashIndex, folder: Path) -> None:
    original = save(draw(1), folder / "0.png")
    for number in range(1, 60):
        shutil.copy2(original, folder / f"{number}.png")
    assert index.scan([folder]) == ScanSummary(files=60, digested=60, decoded=1)


def test_a_copy_in_a_later_run_costs_no_decode(index: HashIndex, folder: Path) -> None:
    original = save(draw(1), folder / "a.png")
    index.scan([folder])
    (folder / "later").mkdir()
    shutil.copy2(original, folder / "later" / "b.jpg")
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=1, digested=1)


def test_a_renamed_file_keeps_its_history(index: HashIndex, folder: Path) -> None:
    path = save(draw(1), folder / "a.png")
    index.scan([folder])
    before = rows(index, "SELECT first_seen_ns, content FROM file")
    path.rename(folder / "b.png")
    index.scan([folder])
    assert rows(index, "SELECT first_seen_ns, content FROM file") == before
    assert names(index) == [b"b.png"]


def test_two_files_that_swap_names_are_not_decoded(index: HashIndex, folder: Path) -> None:
    a, b = fill(folder, [1, 2])
    index.scan([folder])
    a.rename(folder / "c.png")
    b.rename(a)
    (folder / "c.png").rename(b)
    summary = index.scan([folder])
    # Where both files happen to have equal sizes and times, nothing shows that they swapped; so theirs must differ.
    assert summary == ScanSummary(files=2, digested=2)


@pytest.mark.skipif(not HAS_CTIME, reason="Windows has no ctime")
def test_two_files_of_one_size_that_swap_names_with_equal_mtimes_are_noticed(index: HashIndex, folder: Path) -> None:
    first, second, _ = (save(draw(seed), folder / f"{seed}.bmp") for seed in (1, 2, 3))
    index.scan([folder])
    assert index.scan([folder]) == ScanSummary(files=3, unchanged=3)
    before = dict(rows(index, "SELECT name, digest FROM file JOIN content ON id = content"))
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    assert index.scan([folder]) == ScanSummary(files=3, unchanged=1, digested=2)
    after = dict(rows(index, "SELECT name, digest FROM file JOIN content ON id = content"))
    assert after == {b"1.bmp": before[b"2.bmp"], b"2.bmp": before[b"1.bmp"], b"3.bmp": before[b"3.bmp"]}
    assert index.scan([folder]) == ScanSummary(files=3, unchanged=3)


@pytest.mark.skipif(not HAS_CTIME, reason="Windows has no ctime")
def test_bytes_that_were_written_in_place_with_the_old_mtime_are_noticed(index: HashIndex, folder: Path) -> None:
    path, other = save(draw(1), folder / "1.bmp"), save(draw(2), folder / "2.bmp")
    index.scan([folder])
    write(path, other.read_bytes())
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=1, digested=1)
    assert index.groups()[0].widest == 0


@posix_only
def test_a_hard_link_or_another_permission_costs_one_reading_and_no_decode(index: HashIndex, folder: Path) -> None:
    linked, changed, _ = fill(folder, [1, 2, 3])
    index.scan([folder])
    os.link(linked, folder / "link.png")
    changed.chmod(0o600)
    assert index.scan([folder]) == ScanSummary(files=4, unchanged=1, digested=3)
    assert index.scan([folder]) == ScanSummary(files=4, unchanged=4)


def test_rows_of_a_catalogue_without_ctime_are_compared_by_size_and_mtime(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    connection = sqlite3.connect(index.path)
    connection.execute("UPDATE file SET ctime_ns = NULL")
    connection.commit()
    connection.close()
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2)


def test_a_rewrite_with_the_same_size_and_mtime_just_after_the_scan_is_found(index: HashIndex, folder: Path) -> None:
    now_ns = time.time_ns()
    path = save(draw(1), folder / "a.bmp", now_ns)
    index.scan([folder])
    save(draw(2), path, now_ns)
    assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1)


def test_a_vanished_file_keeps_its_row_and_hashes_and_comes_back_for_one_reading(
    index: HashIndex, folder: Path
) -> None:
    path, _ = fill(folder, [1, 2])
    index.scan([folder])
    data, stat = path.read_bytes(), path.stat()
    path.unlink()
    assert index.scan([folder]).missing == 1
    assert set(index.status().recipes.values()) == {2}
    write(path, data, stat.st_mtime_ns)
    # It is another inode, and nothing but its bytes says that it is the same picture.
    read = int(HAS_CTIME)
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2 - read, digested=read)
    assert names(index, "missing") == []


def test_content_that_was_overwritten_is_dropped(index: HashIndex, folder: Path) -> None:
    path = save(draw(1), folder / "a.png")
    index.scan([folder])
    save(draw(2), path, LONG_AGO_NS + 1)
    index.scan([folder])
    assert rows(index, "SELECT count(*) FROM content") == [(1,)]
    assert set(index.status().recipes.values()) == {1}


def test_a_vanished_folder_loses_no_row(index: HashIndex, folder: Path) -> None:
    fill(folder / "2019-08" / "deep", [1, 2])
    fill(folder, [3])
    index.scan([folder])
    shutil.rmtree(folder / "2019-08")
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1, missing=2)


def test_a_renamed_folder_is_moves(index: HashIndex, folder: Path) -> None:
    fill(folder / "a", [1, 2])
    index.scan([folder])
    (folder / "a").rename(folder / "b")
    assert index.scan([folder]) == ScanSummary(files=2, digested=2, moved=2)


def test_a_root_that_is_gone_marks_nothing_missing(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    folder.rename(tmp_path / "elsewhere")
    met: list[Problem] = []
    assert index.scan([folder], on_problem=met.append) == ScanSummary(problems=1)
    assert [problem.path_bytes for problem in met] == [os.fsencode(folder.resolve())]
    assert "hashindex forget" in met[0].reason
    assert names(index) == [b"1.png", b"2.png"]


def test_a_root_that_was_full_and_is_empty_marks_nothing_missing(index: HashIndex, folder: Path) -> None:
    paths = fill(folder, [1, 2])
    index.scan([folder])
    for path in paths:
        path.unlink()
    assert index.scan([folder]) == ScanSummary(problems=1)
    assert names(index) == [b"1.png", b"2.png"]
    assert len(index.problems()) == 1


def was_on_another_device(index: HashIndex) -> None:
    connection = sqlite3.connect(index.path)
    for table in ("root", "file"):
        connection.execute(f"UPDATE {table} SET device = x'ffffffffffffffff'")
    connection.commit()
    connection.close()


def test_a_root_on_another_device_marks_nothing_missing(index: HashIndex, folder: Path) -> None:
    path, _ = fill(folder, [1, 2])
    index.scan([folder])
    was_on_another_device(index)
    path.unlink()
    fill(folder, [3])
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=1, digested=1, decoded=1, problems=1)
    # 2.png was where it was, so the volume is the same under another number; from now on it counts again.
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2, missing=1)


def test_another_volume_under_a_known_root_never_marks_files_missing(index: HashIndex, folder: Path) -> None:
    paths = fill(folder, [1, 2])
    index.scan([folder])
    was_on_another_device(index)
    for path in paths:
        path.unlink()
    fill(folder, [3])
    for _ in range(3):
        index.scan([folder])
    assert names(index) == [b"1.png", b"2.png", b"3.png"]


@posix_only
@not_as_root
def test_a_folder_that_may_not_be_listed_marks_nothing_missing(index: HashIndex, folder: Path) -> None:
    fill(folder / "closed" / "below", [1])
    fill(folder, [2])
    index.scan([folder])
    (folder / "closed").chmod(0)
    try:
        assert index.scan([folder]) == ScanSummary(files=1, unchanged=1, problems=1)
        assert index.scan([folder]).problems == 1
    finally:
        (folder / "closed").chmod(0o700)
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2)
    assert index.problems() == []


def test_a_walk_that_ends_in_an_error_marks_nothing_missing(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder / "bad" / "below", [1])
    fill(folder, [2])
    index.scan([folder])
    real = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"bad"):
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1, problems=1)
    assert names(index) == [b"1.png", b"2.png"]
    monkeypatch.undo()
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2)
    assert index.problems() == []


def test_nested_and_repeated_roots_count_each_file_once(index: HashIndex, folder: Path) -> None:
    fill(folder / "inner", [1])
    fill(folder, [2])
    expected = ScanSummary(files=2, digested=2, decoded=2)
    assert index.scan([folder, folder / "inner", folder / "." / "inner"]) == expected
    assert index.scan() == ScanSummary(files=2, unchanged=2)
    assert index.scan([folder / "inner"]) == ScanSummary(files=1, unchanged=1)


def test_a_hidden_root_inside_another_survives_a_scan_of_the_outer_one(index: HashIndex, folder: Path) -> None:
    fill(folder / ".config" / "QQ", [1])
    fill(folder, [2])
    index.scan([folder, folder / ".config" / "QQ"])
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1)
    assert names(index) == [b"1.png", b"2.png"]


def test_hidden_files_are_taken_only_when_asked_and_then_left_alone(index: HashIndex, folder: Path) -> None:
    fill(folder / ".hidden", [1])
    save(draw(2), folder / ".b.png")
    save(draw(3), folder / "c.png")
    assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1, hidden=2)
    assert index.scan([folder], WITH_HIDDEN) == ScanSummary(files=3, unchanged=1, digested=2, decoded=2)
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1, hidden=2)


def test_patterns_mean_the_same_in_a_scan_of_a_root_and_of_the_root_around_it(index: HashIndex, folder: Path) -> None:
    """Once a folder is a root, patterns count from it, whichever root is scanned."""
    fill(folder / "inner" / "old", [1])
    fill(folder / "inner", [2])
    rules = ScanOptions(WalkRules(exclude=("/old/",)))
    assert index.scan([folder / "inner"], rules).files == 1
    assert index.scan([folder], rules).files == 1
    assert index.scan([], rules).files == 1


def test_forget_takes_a_name_with_brackets_as_it_is(index: HashIndex, folder: Path) -> None:
    fill(folder / "[ab]", [1])
    fill(folder / "a", [2])
    index.scan([folder])
    assert index.forget(folder / "[ab]").pictures == 1
    assert names(index) == [b"2.png"]


def test_include_and_exclude_choose_by_name_or_path_and_leave_known_rows_alone(index: HashIndex, folder: Path) -> None:
    fill(folder / "Thumb", [1])
    fill(folder / "Ori", [2, 3])
    save(draw(4), folder / "Ori" / "4.gif")
    rules = WalkRules(include=("*.png",), exclude=("Thumb", "Ori/3*"))
    assert index.scan([folder], ScanOptions(rules)) == ScanSummary(files=1, digested=1, decoded=1)
    assert index.scan([folder]).digested == 3
    assert index.scan([folder], ScanOptions(rules)) == ScanSummary(files=1, unchanged=1)
    assert names(index) == [b"1.png", b"2.png", b"3.png", b"4.gif"]


@posix_only
def test_links_are_off_unless_asked_and_never_show_a_file_twice(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    inside = save(draw(1), folder / "a.png")
    outside = save(draw(2), tmp_path / "outside" / "b.png")
    (folder / "to inside.png").symlink_to(inside)
    (folder / "to outside.png").symlink_to(save(draw(3), tmp_path / "c.png"))
    (folder / "to there.png").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "self").symlink_to(folder / "self")
    (folder / "dangling.png").symlink_to(tmp_path / "nowhere")
    (folder / "there").symlink_to(tmp_path / "outside")
    assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1)
    followed = index.scan([folder], ScanOptions(WalkRules(links=True)))
    assert (followed.decoded, followed.problems) == (2, 0)
    assert names(index) == [b"a.png", b"b.png", b"to outside.png"]


@posix_only
def test_pipes_and_sockets_with_picture_names_are_not_opened(index: HashIndex, folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.png"))
        save(draw(1), folder / "a.png")
        assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1, problems=2)
        assert index.scan([folder]) == ScanSummary(files=1, unchanged=1)
        assert [(os.path.basename(problem.path_bytes), problem.reason) for problem in index.problems()] == [
            (b"pipe.jpg", "it has a picture's name, but it is a named pipe; it was not opened"),
            (b"socket.png", "it has a picture's name, but it is a socket; it was not opened"),
        ]


@posix_only
def test_a_name_that_is_not_utf_8_is_kept_as_it_is(index: HashIndex, folder: Path) -> None:
    name = "表情\n%_".encode("gbk") + b"\xff.gif"
    os.rename(save(draw(1), folder / "a.png"), os.path.join(os.fsencode(folder), name))
    index.scan([folder])
    assert names(index) == [name]
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1)


def test_a_picture_suffix_over_other_bytes_is_a_problem_once(index: HashIndex, folder: Path) -> None:
    write(folder / "page.gif", b"<html><body>not found</body></html>")
    write(folder / "empty.jpg", b"")
    write(folder / "empty", b"")
    met: list[Problem] = []
    assert index.scan([folder], on_problem=met.append) == ScanSummary(files=3, other=1, problems=2)
    assert sorted(os.path.basename(problem.path_bytes) for problem in met) == [b"empty.jpg", b"page.gif"]
    assert index.scan([folder]) == ScanSummary(files=3, unchanged=3, other=1)
    assert len(index.problems()) == 2


def test_a_damaged_picture_is_a_problem_and_not_decoded_again(index: HashIndex, folder: Path) -> None:
    data = save(draw(1), folder / "whole.png").read_bytes()
    write(folder / "half.png", data[: len(data) // 2])
    assert index.scan([folder]) == ScanSummary(files=2, digested=2, decoded=2, problems=1)
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2)
    shutil.copy2(folder / "half.png", folder / "half again.png")
    assert index.scan([folder]) == ScanSummary(files=3, unchanged=2, digested=1, problems=1)


def test_what_another_decoder_could_not_read_is_tried_again(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(draw(1), folder / "whole.png").read_bytes()
    write(folder / "half.png", data[: len(data) // 2])
    index.scan([folder])
    monkeypatch.setattr(hashindex.index.scan, "decoder_stamp", lambda: "a newer one")
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=1, digested=1, decoded=1, problems=1)


@posix_only
def test_a_file_that_may_not_be_read_is_tried_again_every_run(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(draw(1), folder / "a.png")
    real = os.open

    def refuse(name: bytes, flags: int, *rest: int) -> int:
        if name == os.fsencode(path.resolve()):
            raise PermissionError(13, "Permission denied")
        return real(name, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    for _ in range(2):
        assert index.scan([folder]) == ScanSummary(files=1, problems=1)
    monkeypatch.undo()
    assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1)
    assert index.problems() == []


def test_limits_refuse_before_the_decode_and_can_be_raised(index: HashIndex, folder: Path) -> None:
    save(draw(1, (300, 200)), folder / "a.png")
    small = ScanOptions(limits=Limits(pixels=59_999))
    assert index.scan([folder], small).problems == 1
    assert "60,000" in index.problems()[0].reason or "300 x 200" in index.problems()[0].reason
    size = (folder / "a.png").stat().st_size
    write(folder / "b.png", (folder / "a.png").read_bytes() + b"more")
    assert index.scan([folder], ScanOptions(limits=Limits(bytes=size))).problems == 1


def test_the_catalogue_itself_is_not_scanned(tmp_path: Path) -> None:
    index = HashIndex(tmp_path / "catalogue.db")
    fill(tmp_path, [1])
    assert index.scan([tmp_path]) == ScanSummary(files=1, digested=1, decoded=1)
    assert index.scan([tmp_path]) == ScanSummary(files=1, unchanged=1)


def test_two_catalogues_side_by_side_do_not_disturb_each_other(folder: Path, tmp_path: Path) -> None:
    fill(folder, [1, 2])
    first, second = HashIndex(tmp_path / "a.db"), HashIndex(tmp_path / "b.db")
    first.scan([folder])
    second.scan([folder])
    first.forget(folder)
    assert second.scan([folder]) == ScanSummary(files=2, unchanged=2)


def test_a_file_for_a_folder_and_a_folder_that_is_not_there_make_no_catalogue(index: HashIndex, folder: Path) -> None:
    path = save(draw(1), folder / "a.png")
    with pytest.raises(UsageError, match="name the folder that contains it"):
        index.scan([path])
    with pytest.raises(UsageError, match="no such folder"):
        index.scan([folder, folder / "nowhere"])
    assert not index.path.exists()


def test_any_executor_gives_the_same_catalogue(folder: Path, tmp_path: Path) -> None:
    fill(folder, range(30))
    shutil.copy2(folder / "3.png", folder / "copy.png")
    catalogues = []
    with ThreadPoolExecutor(1) as threads:
        for name, executor, workers in (("threads", threads, None), ("one", None, 1), ("two", None, 2)):
            index = HashIndex(tmp_path / f"{name}.db")
            summary = index.scan([folder], ScanOptions(workers=workers), executor=executor)
            assert summary == ScanSummary(files=31, digested=31, decoded=30)
            with Catalogue(index.path) as catalogue:
                pictures = list(catalogue.present_pictures())
                catalogues.append(
                    [(file.path_bytes, file.content.digest, catalogue.hashes_of(file.content.id)) for file in pictures]
                )
    assert catalogues[0] == catalogues[1] == catalogues[2]
    assert [len(values) for _, _, values in catalogues[0]] == [6] * 31


def test_stored_hashes_are_those_of_the_prepared_picture(index: HashIndex, folder: Path) -> None:
    path = save(draw(5), folder / "a.gif")
    index.scan([folder])
    prepared = decode(path.read_bytes(), Limits()).prepared
    assert prepared is not None
    with Catalogue(index.path) as catalogue:
        stored = catalogue.keys.of(1)
    assert {version.name: value for version, value in stored.items()} == recipes.compute([prepared])[0]


def raise_version(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = tuple(recipes.Recipe(recipe.name, recipe.bits, recipe.version + 1) for recipe in recipes.RECIPES)
    monkeypatch.setattr(recipes, "RECIPES", newer)


def test_a_new_recipe_replaces_old_hashes_in_the_next_scan(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fill(folder, range(5))
    save(draw(0), folder / "alike.jpg", quality=95)
    index.scan([folder])
    paths[4].unlink()
    index.scan([folder])
    raise_version(monkeypatch)
    # Until then the old hashes answer, and status says how many there are.
    assert len(index.groups()) == 1
    assert index.status().outdated == 5
    assert index.scan([folder]) == ScanSummary(files=5, digested=5, decoded=5)
    assert index.status().outdated == 0
    # The file that is gone keeps its hashes of the old version.
    assert {name: count for name, count in index.status().recipes.items() if name.startswith("phash ")} == {
        f"phash v{recipes.RECIPES[0].version - 1}": 1,
        f"phash v{recipes.RECIPES[0].version}": 5,
    }


def test_a_picture_that_was_read_in_part_follows_a_new_recipe_too(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(draw(1), folder / "whole.bmp").read_bytes()
    write(folder / "whole.bmp", data[: len(data) * 97 // 100])
    index.scan([folder])
    assert rows(index, "SELECT count(*) FROM content WHERE problem IS NOT NULL") == [(1,)]
    assert set(index.status().recipes.values()) == {1}
    raise_version(monkeypatch)
    assert index.status().outdated == 1
    assert index.scan([folder]) == ScanSummary(files=1, digested=1, decoded=1, problems=1)
    assert index.status().outdated == 0


def test_recipes_never_mix_in_one_search(index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(draw(0), folder / "old" / "a.png")
    index.scan([folder / "old"])
    raise_version(monkeypatch)
    save(draw(0), folder / "new" / "b.jpg", quality=95)
    summary = index.scan([folder / "new"])
    assert (summary.decoded, summary.outdated) == (1, 1)
    assert index.groups(hash="phash256") == []
    answer = index.query(folder / "new" / "b.jpg")
    # It is found by what it shows all the same, and no distance of the old hash is given.
    assert ([hit.distances for hit in answer.hits], answer.unreachable) == ([{}], 1)


class StopAfter(Executor):
    """An executor's stand-in for a person's Ctrl-C after so many chunks."""

    def __init__(self, chunks: int) -> None:
        self._left = chunks
        self._pool = ThreadPoolExecutor(1)
        self._max_workers = 1

    def submit(self, *call: Any, **named: Any) -> Future[Any]:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return self._pool.submit(*call, **named)


def test_an_interrupted_scan_keeps_what_was_done(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(64))
    monkeypatch.setattr(hashindex.index.scan, "BATCH", 8)
    with pytest.raises(KeyboardInterrupt):
        index.scan([folder], executor=StopAfter(4))
    kept = rows(index, "SELECT count(*) FROM content")[0][0]
    assert isinstance(kept, int) and 0 < kept < 64
    assert index.scan([folder]) == ScanSummary(files=64, unchanged=kept, digested=64 - kept, decoded=64 - kept)


class SlowFirst(ThreadPoolExecutor):
    """Gives the first chunk back only when so many others are done."""

    def __init__(self, others: int) -> None:
        super().__init__(2)
        self._others = threading.Semaphore(0)
        self._needed = others
        self._first = True

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        first, self._first = self._first, False
        return super().submit(self._run_first if first else self._run, work, *given)

    def _run_first(self, work: Callable[..., object], *arguments: object) -> object:
        for _ in range(self._needed):
            assert self._others.acquire(timeout=60)
        return work(*arguments)

    def _run(self, work: Callable[..., object], *arguments: object) -> object:
        done = work(*arguments)
        self._others.release()
        return done


def test_a_slow_file_does_not_keep_the_others_waiting(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(40))
    monkeypatch.setattr(hashindex.index.jobs, "CHUNK_JOBS", 2)
    with SlowFirst(others=19) as executor:
        assert index.scan([folder], executor=executor).decoded == 40


@posix_only
def test_ctrl_c_in_a_shell_ends_with_130_and_a_whole_catalogue(folder: Path, tmp_path: Path) -> None:
    # More lines than a pipe holds: the scan cannot end before the first of them is read here.
    for number in range(500):
        save(draw(number, (32, 32)), folder / f"{number:0200}.png")
    catalogue = tmp_path / "c.db"
    command = [sys.executable, "-m", "hashindex", "--catalogue", str(catalogue), "scan", "-vv", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # The first file was taken in: the run is in its middle.
        while "hashindex.index.scan: read" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "work done so far is kept" in messages
    assert "Traceback" not in messages
    index = HashIndex(catalogue)
    assert rows(index, "PRAGMA integrity_check") == [("ok",)]
    summary = index.scan([folder])
    assert summary.unchanged > 0
    assert summary.unchanged + summary.decoded == 500


@posix_only
@pytest.mark.parametrize("threads", [1, 2])
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path: Path, threads: int) -> None:
    # One thread is forked, more are not; either way the workers hold the far end of standard output.
    script = tmp_path / "script.py"
    script.write_text(
        "import os, threading, time\n"
        "from hashindex.core.options import Limits\n"
        "from hashindex.pictures.worker_pool import make_pool\n"
        'if __name__ == "__main__":\n'
        f"    for _ in range({threads} - 1):\n"
        "        threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "    pool = make_pool(Limits(), 2)\n"
        "    for started in [pool.submit(os.getpid), pool.submit(os.getpid)]:\n"
        "        started.result()\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says how many threads there are")
def test_a_process_is_forked_only_while_it_has_one_thread(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import threading\n"
        "from hashindex.core.options import Limits\n"
        "from hashindex.pictures.worker_pool import make_pool\n"
        "print(make_pool(Limits(), 2)._mp_context.get_start_method())\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "print(make_pool(Limits(), 2)._mp_context.get_start_method())\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "fork\nforkserver\n"


def _crash_on_one(jobs: Sequence[Job], known: Collection[bytes], limits: Limits) -> list[Examined]:
    if any(job.path.endswith(b"13.png") for job in jobs):
        os._exit(1)
    return examine(jobs, known, limits)


def test_a_decoder_that_crashes_costs_one_file(index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, range(40))
    monkeypatch.setattr(hashindex.index.local_executor, "examine", _crash_on_one)
    summary = index.scan([folder], ScanOptions(workers=2))
    assert (summary.digested, summary.decoded, summary.problems) == (40, 40, 1)
    assert [os.path.basename(problem.path_bytes) for problem in index.problems()] == [b"13.png"]


def test_a_script_without_the_main_guard_gets_a_sentence_and_no_file_is_blamed(index: HashIndex, folder: Path) -> None:
    fill(folder, range(20))
    script = folder.parent / "script.py"
    script.write_text(
        "import threading\n"
        "from hashindex import HashIndex, ScanOptions\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        f"index = HashIndex({str(index.path)!r})\n"
        f"print(index.scan([{str(folder)!r}], ScanOptions(workers=2)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    # Python itself may have more to say after it, about what the processes that never started left behind.
    assert 'needs `if __name__ == "__main__":` around the call.' in done.stderr
    assert index.problems() == []
    assert index.scan([folder]).decoded == 20


def test_content_forgotten_by_another_process_meanwhile_is_decoded_again(index: HashIndex, folder: Path) -> None:
    original = save(draw(1), folder / "a" / "1.png")
    index.scan([folder / "a"])
    (folder / "b").mkdir()
    shutil.copy2(original, folder / "b" / "2.png")

    class ForgetsFirst(StopAfter):
        def submit(self, *call: Any, **named: Any) -> Future[Any]:
            if self._left == 9:
                index.forget(folder / "a")
            return super().submit(*call, **named)

    summary = index.scan([folder / "b"], executor=ForgetsFirst(9))
    assert (summary.files, summary.decoded) == (1, 1)
    assert set(index.status().recipes.values()) == {1}
