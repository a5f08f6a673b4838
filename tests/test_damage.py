"""A damaged catalogue, checked, set aside and built anew; and a backup while others write."""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save
from trees import manifest
from typer.testing import CliRunner

from hashindex import CatalogueDamaged, CatalogueForeign, CatalogueUnwritable, HashIndex, Severity, UsageError
from hashindex.commands.cli import app
from hashindex.core.words import TextLine
from hashindex.disk import files
from hashindex.store.catalogue import Catalogue

SAID = "was damaged and is set aside as"


def problems(index: HashIndex, **how: Any) -> list[str]:
    return [finding.check for finding in index.check(**how) if finding.severity is Severity.PROBLEM]


def change(index: HashIndex, *statements: str) -> None:
    connection = sqlite3.connect(index.path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def index(tmp_path: Path, notices: list[str]) -> HashIndex:
    return HashIndex(tmp_path / "catalogue.db", wait_s=0.2, on_notice=notices.append)


@pytest.fixture
def stickers(index: HashIndex, folder: Path) -> Path:
    """Copies, a stranger, a person's words, and a batch of organize."""
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.bmp")
    save(draw(2), folder / "dog.png")
    save(draw(3), folder / "owl.png")
    index.scan([folder])
    index.same(folder / "dog.png", folder / "owl.png")
    index.separate(folder / "cat.png", folder / "owl.png")
    index.organize(folder.parent / "out", rest=True, folder="{kind}")
    change(index)
    return folder


# Check


def test_a_sound_catalogue_passes_quick_and_full(index: HashIndex, stickers: Path) -> None:
    assert (problems(index), problems(index, full=True)) == ([], [])
    checks = [finding.check for finding in index.check()]
    assert checks == ["pages", "hashes", "journal", "pictures"]


def test_check_reads_files_in_other_processes_where_there_are_many(index: HashIndex, folder: Path) -> None:
    fill(folder, range(20))
    index.scan([folder])
    seen: list[tuple[int, int]] = []
    assert all(
        finding.severity is Severity.OK
        for finding in index.check(full=True, on_progress=lambda done, total: seen.append((done, total)))
    )
    assert seen[-1] == (20, 20)


def test_other_bytes_under_the_same_size_and_mtime_are_a_problem_with_the_name(
    index: HashIndex, stickers: Path
) -> None:
    path = stickers / "cat.bmp"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    (finding,) = [finding for finding in index.check() if finding.severity is Severity.PROBLEM]
    assert (finding.check, str(path) in finding.says, "restore" in finding.way_out) == ("pictures", True, True)


def test_files_that_are_gone_or_changed_since_are_only_a_note(index: HashIndex, stickers: Path) -> None:
    (stickers / "cat.png").unlink()
    save(draw(9), stickers / "dog.png", mtime_ns=10**18)
    (note,) = [finding for finding in index.check(full=True) if finding.severity is Severity.NOTE]
    assert note.says.startswith("2 files are gone or were changed") and note.way_out == "hashindex scan"


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE file SET content = 999", "pages"),
        ("UPDATE hash_segment SET keys = zeroblob(length(keys)) WHERE recipe = 1", "pictures"),
        ("UPDATE hash_segment SET keys = zeroblob(7) WHERE recipe = 1", "hashes"),
        ("UPDATE hash_segment SET states = CAST(replace(states, x'01', x'09') AS BLOB)", "hashes"),
        ("UPDATE hash_segment SET states = CAST(x'01' || substr(states, 2) AS BLOB)", "hashes"),
        ("UPDATE content SET pixels = x'00' WHERE id = 1", "hashes"),
    ],
)
def test_check_finds_what_does_not_fit_together(
    index: HashIndex, folder: Path, notices: list[str], statement: str, check: str
) -> None:
    # Two similar pictures, and two with the same key.
    picture = draw(1, (300, 300))
    save(picture, folder / "a.png")
    save(picture, folder / "b.bmp")
    save(picture.rotate(1), folder / "c.png")
    save(draw(2), folder / "d.png")
    index.scan([folder])
    change(index, "PRAGMA foreign_keys = OFF", statement)
    assert check in problems(index, full=True)
    # The way out that it names works.
    index.scan([folder])
    assert (len(notices), problems(index, full=True)) == (1, [])


def test_check_reports_open_batches_and_incomplete_manifests(index: HashIndex, stickers: Path) -> None:
    change(index, "UPDATE batch SET state = 'applying'")
    (stickers.parent / "out" / ".hashindex.jsonl").unlink()
    notes = [finding for finding in index.check() if finding.severity is Severity.NOTE]
    assert [note.check for note in notes] == ["journal", "journal"]
    assert ("batch 1 is open" in notes[0].says, "4 pictures placed" in notes[1].says) == (True, True)
    (stickers.parent / "out" / ".hashindex.jsonl").mkdir()
    assert "the list in" in [finding.says for finding in index.check() if finding.check == "journal"][1]


def test_check_passes_over_what_another_version_hashed_and_what_cannot_be_read_now(
    index: HashIndex, stickers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(index, "UPDATE pipeline SET decoder = 'an older one'")
    assert problems(index) == []
    monkeypatch.setattr(files, "has_size_and_mtime", lambda *given: True)
    (stickers / "cat.bmp").unlink()
    (note,) = [finding for finding in index.check() if finding.severity is Severity.NOTE]
    assert "1 cannot be read now" in note.says


def test_many_rotten_files_are_counted(index: HashIndex, folder: Path) -> None:
    for path in fill(folder, range(8)):
        path.touch()
    index.scan([folder])
    change(index, "UPDATE content SET digest = randomblob(32)")
    (finding,) = [finding for finding in index.check() if finding.severity is Severity.PROBLEM]
    assert finding.says.startswith("8 of 8 of 8 files") and finding.says.endswith("and 3 more")


def test_check_ends_with_3_where_there_is_a_problem(
    index: HashIndex, stickers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    sound = CliRunner().invoke(app, ["check"])
    assert (sound.exit_code, sound.stdout.splitlines()[-1]) == (0, "4 findings: 0 problems, 0 notes.")
    change(index, "UPDATE content SET pixels = x'00' WHERE id = 1")
    broken = CliRunner().invoke(app, ["check", "--json"])
    lines = [json.loads(line) for line in broken.stdout.splitlines()]
    (bad,) = [line for line in lines if line["severity"] == "problem"]
    assert (broken.exit_code, bad["check"], bad["way_out"][:15]) == (3, "hashes", "hashindex scan:")


# Damage


def a_bad_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)


def no_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)
    path.write_bytes(data)


def truncated(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


def cut_to_a_stump(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(60)


@pytest.mark.parametrize("damage", [a_bad_page, no_header, truncated, cut_to_a_stump])
def test_a_damaged_catalogue_is_set_aside_by_scan_and_built_anew(
    index: HashIndex, stickers: Path, notices: list[str], damage: object
) -> None:
    groups = len(index.groups())
    damage(index.path)  # type: ignore[operator]
    damaged = index.path.read_bytes()
    with pytest.raises(CatalogueDamaged, match=r"run: hashindex scan\. It sets the file aside"):
        index.groups()
    index.scan([stickers])
    (aside,) = index.path.parent.glob("catalogue.db.damaged-*[0-9]")
    assert aside.read_bytes() == damaged
    assert len(notices) == 1 and SAID in notices[0] and aside.name in notices[0]
    assert problems(index, full=True) == []
    if index.decisions():
        assert len(index.groups()) == groups


def test_decisions_numbers_and_history_are_rescued(index: HashIndex, stickers: Path, notices: list[str]) -> None:
    words, history, placed = index.decisions(), index.history(), manifest(stickers.parent / "out")
    index.tag(["cat", "funny"], [stickers / "cat.png"])
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        file = catalogue.file_at(bytes(stickers / "cat.png"))
        assert file is not None
        catalogue.words.put(file.content.digest, "test 1", [TextLine("miau", 0.9)])
    # The pages of files and contents are gone, others are not.
    connection = sqlite3.connect(index.path)
    roots = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('file', 'content') AND rootpage"
    ).fetchall()
    connection.close()
    data = bytearray(index.path.read_bytes())
    for (page,) in roots:
        data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    index.path.write_bytes(data)
    summary = index.scan()
    assert (summary.decoded, index.decisions(), index.history()) == (4, words, history)
    assert "decisions of same and separate 2, placed pictures 4, batches of the history 1, " in notices[0]
    assert " tags 2, pictures whose words were read 1. No picture" in notices[0]
    organized = index.organize(stickers.parent / "out", rest=True)
    assert (organized.outcome.batch, manifest(stickers.parent / "out")) == (None, placed)
    assert (index.undo().done, (stickers.parent / "out").exists()) == (4, False)


def test_decisions_are_carved_out_of_a_file_that_cannot_be_opened(index: HashIndex, stickers: Path) -> None:
    words = index.decisions()
    no_header(index.path)
    index.scan([stickers])
    assert index.decisions() == words


def test_every_writer_sets_a_damaged_catalogue_aside(index: HashIndex, stickers: Path, notices: list[str]) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: index.same(stickers / "cat.png", stickers / "cat.bmp"),
        lambda: index.organize(stickers.parent / "elsewhere"),
        index.recover,
        lambda: index.withdraw(stickers / "cat.png", stickers / "dog.png", same=True),
        lambda: index.add_decisions(index.decisions()),
    )
    for number, act in enumerate(acts[:-1], 1):
        a_bad_page(index.path)
        act()
        assert (len(notices), "run" in notices[-1] or "hashindex scan" in notices[-1]) == (number, True)
        index.scan([stickers])
    a_bad_page(index.path)
    index.add_decisions([])
    for act in (index.undo, lambda: index.forget(stickers)):
        index.scan([stickers])
        a_bad_page(index.path)
        with pytest.raises(UsageError):
            act()


def test_damage_that_a_reader_met_is_repaired_by_the_next_writer_wherever_it_is(
    index: HashIndex, stickers: Path, notices: list[str]
) -> None:
    """The bad page is one that a scan does not touch."""
    connection = sqlite3.connect(index.path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'decision'").fetchone()
    connection.close()
    data = bytearray(index.path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    index.path.write_bytes(data)
    with pytest.raises(CatalogueDamaged):
        index.decisions()
    index.scan([stickers])
    assert (len(notices), index.decisions()) == (1, [])
    assert not index.path.with_name("catalogue.db.suspect").exists() and problems(index) == []


def test_an_error_that_a_sound_file_cannot_explain_starts_a_check(index: HashIndex, stickers: Path) -> None:
    """A row of nonsense makes our own code stumble: then the pages are looked at."""
    with pytest.raises(ValueError, match="its own"), Catalogue(index.path):
        raise ValueError("its own")
    with pytest.raises(CatalogueDamaged, match="its rows make no sense"), Catalogue(index.path):
        a_bad_page(index.path)
        raise ValueError("month out of range")
    index.path.unlink()
    index.scan([stickers])
    with pytest.raises(ValueError, match="its own"), Catalogue(index.path):
        index.path.unlink()
        raise ValueError("its own")


def test_a_suspect_that_is_sound_is_believed(index: HashIndex, stickers: Path, notices: list[str]) -> None:
    suspect = index.path.with_name("catalogue.db.suspect")
    suspect.touch()
    index.scan([stickers])
    assert (notices, suspect.exists()) == ([], False)


def test_a_file_that_was_never_ours_is_left_as_it_is(index: HashIndex, folder: Path, notices: list[str]) -> None:
    index.path.write_bytes(b"a diary, and longer than the header of SQLite" * 99)
    before = index.path.read_bytes()
    with pytest.raises(CatalogueForeign):
        index.scan([folder])
    assert (index.path.read_bytes(), notices) == (before, [])


def test_a_catalogue_cut_off_to_nothing_keeps_its_log(index: HashIndex, stickers: Path, notices: list[str]) -> None:
    holder = Catalogue(index.path, wait_s=0.2)
    index.separate(stickers / "cat.bmp", stickers / "dog.png")
    log = index.path.with_name("catalogue.db-wal").read_bytes()
    holder.close()
    index.path.write_bytes(b"")
    index.path.with_name("catalogue.db-wal").write_bytes(log)
    with pytest.raises(CatalogueDamaged):
        index.groups()
    index.scan([stickers])
    (aside,) = index.path.parent.glob("catalogue.db.damaged-*-wal")
    assert aside.read_bytes() == log and len(notices) == 1
    assert index.decisions()


def test_two_who_find_the_damage_set_it_aside_once(index: HashIndex, stickers: Path, notices: list[str]) -> None:
    a_bad_page(index.path)
    other = HashIndex(index.path, wait_s=5, on_notice=notices.append)
    threads = [threading.Thread(target=one.scan, args=([stickers],)) for one in (other, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(notices), len(list(index.path.parent.glob("*.damaged-*[0-9]")))) == (1, 1)
    assert problems(index) == []


# Backup


def test_a_backup_is_a_whole_catalogue_of_its_owner_alone(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    # What is only in the log is in the copy.
    with Catalogue(index.path, wait_s=0.2):
        index.separate(stickers / "cat.bmp", stickers / "dog.png")
        assert index.backup(file) == file.stat().st_size
    copy = HashIndex(file)
    assert (copy.decisions(), len(copy.groups())) == (index.decisions(), len(index.groups()))
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_backup_is_made_while_another_writes_and_replaces_nothing(
    index: HashIndex, stickers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "copy.db"
    with Catalogue(index.path, write=True, wait_s=0.2) as writer, writer.atomic():
        writer.forget(os.fsencode(stickers.resolve()))
        index.backup(file)
    before = file.read_bytes()
    assert problems(HashIndex(file)) == []
    with pytest.raises(UsageError, match="was left as it is"):
        index.backup(file)
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(UsageError, match="meanwhile"):
        index.backup(file)
    assert (file.read_bytes(), list(tmp_path.glob(".*.part*"))) == (before, [])


def test_a_backup_where_there_are_no_hard_links(
    index: HashIndex, stickers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*given: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert index.backup(tmp_path / "copy.db") > 0
    there = iter([False, True])
    monkeypatch.setattr(os.path, "lexists", lambda path: next(there))
    with pytest.raises(UsageError, match="meanwhile"):
        index.backup(tmp_path / "copy.db")


def test_a_backup_that_cannot_be_written_is_a_sentence_and_leaves_nothing(
    index: HashIndex, stickers: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogueUnwritable, match="cannot be written"):
        index.backup(tmp_path / "nowhere" / "copy.db")


def test_backup_on_the_command_line(
    index: HashIndex, stickers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    shell = CliRunner().invoke(app, ["backup", str(tmp_path / "a.db"), "--json"])
    again = CliRunner().invoke(app, ["backup", str(tmp_path / "a.db")])
    assert json.loads(shell.stdout) == {
        "event": "summary",
        "file": str(tmp_path / "a.db"),
        "bytes": (tmp_path / "a.db").stat().st_size,
    }
    assert again.exit_code == 2
    assert "Wrote" in CliRunner().invoke(app, ["backup", str(tmp_path / "b.db")]).stdout
