"""The catalogue as a file: its owner, what it refuses, and the messages for the user."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import draw, fill, save, write

from hashindex import (
    CatalogueDamaged,
    CatalogueForeign,
    CatalogueLocked,
    CatalogueMissing,
    CatalogueUnwritable,
    HashIndex,
    ScanSummary,
)
from hashindex.disk.diff import RACY_NS, KnownFile
from hashindex.store import schema
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import Database


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_reading_before_the_first_scan_says_run_scan(index: HashIndex) -> None:
    for ask in (index.groups, index.status, index.problems, lambda: index.forget("x"), lambda: index.plan("x")):
        with pytest.raises(CatalogueMissing, match="hashindex scan FOLDER"):
            ask()
    assert not index.path.exists()


def test_a_new_catalogue_is_ours_and_the_owners_alone(index: HashIndex, folder: Path) -> None:
    index.scan([folder])
    connection = sqlite3.connect(index.path)
    assert connection.execute("PRAGMA application_id").fetchone() == (0x48494458,)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.latest_version(),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    if os.name == "posix":
        assert stat.S_IMODE(index.path.stat().st_mode) == 0o600


def test_an_empty_file_is_taken_for_a_new_catalogue_by_scan_only(index: HashIndex, folder: Path) -> None:
    index.path.touch()
    with pytest.raises(CatalogueMissing):
        index.groups()
    fill(folder, [1])
    assert index.scan([folder]).decoded == 1


@pytest.mark.parametrize("content", [b"not a database, but longer than SQLite's header of 100 bytes" * 9, b"short"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(index: HashIndex, folder: Path, content: bytes) -> None:
    write(index.path, content)
    for act in (lambda: index.scan([folder]), index.groups):
        with pytest.raises(CatalogueForeign, match="not a hashindex catalogue"):
            act()
    assert index.path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(index: HashIndex, folder: Path) -> None:
    execute(index.path, "CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES (1)")
    before = index.path.read_bytes()
    for act in (lambda: index.scan([folder]), index.groups):
        with pytest.raises(CatalogueForeign, match="not a hashindex catalogue"):
            act()
    assert index.path.read_bytes() == before


def test_a_newer_catalogue_is_refused_with_the_way_out(index: HashIndex, folder: Path) -> None:
    index.scan([folder])
    execute(index.path, "PRAGMA user_version = 999")
    for act in (lambda: index.scan([folder]), index.groups):
        with pytest.raises(CatalogueForeign, match=r"newer hashindex.*upgrade"):
            act()


def test_a_damaged_catalogue_is_refused_with_the_way_out(index: HashIndex, folder: Path) -> None:
    fill(folder, range(20))
    index.scan([folder])
    data = bytearray(index.path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    index.path.write_bytes(data)
    with pytest.raises(CatalogueDamaged, match="run: hashindex scan"):
        index.groups()


def test_an_older_catalogue_is_backed_up_and_migrated(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    version = schema.latest_version()
    newer = (*schema.MIGRATIONS, ("ALTER TABLE root ADD COLUMN note TEXT", "UPDATE root SET note = 'migrated'"))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    # Also by a command that only reads.
    assert index.status().present == 2
    connection = sqlite3.connect(index.path)
    assert connection.execute("SELECT note FROM root").fetchall() == [("migrated",)]
    connection.close()
    backup = sqlite3.connect(f"{index.path}.v{version}.bak")
    assert backup.execute("PRAGMA user_version").fetchone() == (version,)
    assert backup.execute("SELECT count(*) FROM file").fetchone() == (2,)
    backup.close()


BEFORE_RELEASE = (
    "CREATE TABLE root (id INTEGER PRIMARY KEY, path BLOB, device BLOB, scanned_ns INTEGER, problem TEXT) STRICT",
    "CREATE TABLE word (a BLOB, b BLOB, same INTEGER, said_ns INTEGER, PRIMARY KEY (a, b)) STRICT, WITHOUT ROWID",
    "INSERT INTO word VALUES (x'01', x'02', 1, 5)",
    f"PRAGMA application_id = {schema.APPLICATION_ID}",
    "PRAGMA user_version = 7",
)


def test_a_catalogue_from_before_the_first_release_is_set_aside_and_its_decisions_are_kept(
    tmp_path: Path, folder: Path
) -> None:
    notices: list[str] = []
    index = HashIndex(tmp_path / "catalogue.db", on_notice=notices.append)
    fill(folder, [1, 2])
    execute(index.path, *BEFORE_RELEASE)
    with pytest.raises(CatalogueDamaged, match=r"before the first release; run: hashindex scan"):
        index.groups()
    assert index.scan([folder]).decoded == 2
    (notice,) = notices
    assert "was written before the first release and is set aside as catalogue.db.old-" in notice
    assert [(word.a, word.b, word.same, word.said_ns) for word in index.decisions()] == [(b"\1", b"\2", True, 5)]
    (aside,) = tmp_path.glob("catalogue.db.old-*")
    assert sqlite3.connect(aside).execute("PRAGMA user_version").fetchone() == (7,)


def test_a_migration_that_fails_changes_nothing(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([folder])
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE half (x)", "no SQL")))
        with pytest.raises(Exception, match=r"syntax"):
            index.status()
    assert index.status().present == 0


def test_a_lock_held_too_long_says_so(index: HashIndex, folder: Path) -> None:
    index.scan([folder])
    holder = sqlite3.connect(index.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    fill(folder, [1])
    with pytest.raises(CatalogueLocked, match="--wait"):
        index.scan([folder])
    # Readers do not wait.
    assert index.status().present == 0
    holder.execute("ROLLBACK")
    holder.close()
    assert index.scan([folder]).decoded == 1


def test_a_full_disk_says_make_room_and_going_on_works(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([folder])
    fill(folder, range(150))
    connect = Database._connect

    def small(self: Database, mode: str) -> sqlite3.Connection:
        connection = connect(self, mode)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_connect", small)
        with pytest.raises(CatalogueUnwritable, match="make room"):
            index.scan([folder])
    summary = index.scan([folder])
    assert summary.unchanged + summary.decoded == 150


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_catalogue_that_may_not_be_written_answers_and_refuses_to_scan(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "readonly"
    index = HashIndex(place / "c.db")
    save(draw(1), folder / "a.png")
    save(draw(1), folder / "b.jpg", quality=95)
    index.scan([folder])
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path(path.root):
            path.chmod(path.stat().st_mode | 0o055)
    (place / "c.db").chmod(0o444)
    place.chmod(0o555)
    nobody = 65534
    script = (
        # Imported while the interpreter's own files may still be read.
        "import os, hashindex.index.scan, hashindex.hashing.packed; from hashindex import HashIndex, HashIndexError\n"
        f"os.setgid({nobody}); os.setuid({nobody})\n"
        f"index = HashIndex({str(index.path)!r}, wait_s=0.2)\n"
        "print(len(index.groups()))\n"
        f"try: index.scan([{str(folder)!r}])\n"
        "except HashIndexError as error: print(type(error).__name__)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd="/")
    assert (run.stdout.split(), run.stderr) == (["1", "CatalogueUnwritable"], "")


def test_a_place_that_cannot_be_made_is_an_error_with_the_way_out(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "file", b"x")
    with pytest.raises(CatalogueUnwritable, match="--catalogue"):
        HashIndex(tmp_path / "file" / "c.db").scan([folder])


def test_a_reader_sees_no_half_of_a_transaction(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    with Catalogue(index.path, write=True, wait_s=0.2) as writer:
        try:
            with writer.atomic():
                writer.forget(os.fsencode(folder.resolve()))
                assert index.status().present == 1
                raise RuntimeError
        except RuntimeError:
            pass
    assert index.status().present == 1
    assert index.scan([folder]) == ScanSummary(files=1, unchanged=1)


@pytest.mark.parametrize(
    ("change", "settled"),
    [
        pytest.param("", True, id="a picture"),
        pytest.param("content = NULL", True, id="no picture"),
        pytest.param(f"looked_ns = mtime_ns + {RACY_NS + 1}", True, id="read more than two seconds after its mtime"),
        pytest.param(f"looked_ns = mtime_ns + {RACY_NS}", False, id="read two seconds after its mtime"),
        pytest.param(f"looked_ns = mtime_ns - {RACY_NS}", False, id="read two seconds before its mtime"),
        pytest.param("missing = 1", False, id="missing"),
        pytest.param("problem = 'the file may not be read'", False, id="a problem"),
        pytest.param("problem = 'it is locked', retry = 1", False, id="a problem that may pass"),
    ],
)
@pytest.mark.parametrize("moved", [False, True])
def test_known_files_are_settled_where_size_and_mtime_say_all(
    index: HashIndex, folder: Path, change: str, settled: bool, moved: bool
) -> None:
    fill(folder, [1, 2])
    (folder / "empty").mkdir()
    index.scan([folder])
    if change:
        execute(index.path, f"UPDATE file SET {change} WHERE name = x'312e706e67'")
    path, device = os.fsencode(folder.resolve()), folder.stat().st_dev
    with Catalogue(index.path) as catalogue:
        known = catalogue.known_files([path, path + b"/empty", b"/nowhere"], device if moved else None)
        ((size, mtime_ns, looked_ns, content, *facts),) = catalogue.connection.execute(
            "SELECT size, mtime_ns, looked_ns, content, problem, retry, missing, ctime_ns "
            "FROM file WHERE name = x'312e706e67'"
        )
    assert list(known) == [path]
    expected = KnownFile(size, mtime_ns, looked_ns, False, content, *facts)
    assert known[path].unstable == ({} if settled else {b"1.png": expected})
    assert set(known[path].stable) == ({b"1.png", b"2.png"} if settled else {b"2.png"})
    if settled:
        assert known[path].stable[b"1.png"] == (path, b"1.png", size, mtime_ns, content, True, facts[-1])


def test_known_files_on_another_device_are_settled_unless_their_root_moved(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    execute(index.path, "UPDATE file SET device = x'01ff' WHERE name = x'312e706e67'")
    path, device = os.fsencode(folder.resolve()), folder.stat().st_dev
    with Catalogue(index.path) as catalogue:
        stayed = catalogue.known_files([path], None)[path]
        moved = catalogue.known_files([path], device)[path]
    assert (set(stayed.stable), stayed.unstable) == ({b"1.png", b"2.png"}, {})
    assert (set(moved.stable), {name: file.elsewhere for name, file in moved.unstable.items()}) == (
        {b"2.png"},
        {b"1.png": True},
    )
