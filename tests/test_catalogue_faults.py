"""The catalogue killed at every statement, on a full disk, with a log left behind: it is sound, and going on works.

Killed: the run is forked, and the fork ends itself just before SQLite begins statement N. Quick: some N of each; every
N with --thorough. A full disk: a small file system made for the test, which needs root; skipped elsewhere.
"""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import draw, fill, save
from trees import listing

from hashindex import Action, CatalogueUnwritable, HashIndex, Severity, Step
from hashindex.core.model import Decision
from hashindex.store import schema
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import Database

SAMPLE = 5


def is_sound(index: HashIndex) -> bool:
    return not any(finding.severity is Severity.PROBLEM for finding in index.check(full=True))


def statements(run: Callable[[], object], at: int = 0) -> int:
    """Runs it; how many statements a writer began. Dies before statement number `at`."""
    count = 0
    connect = Database._connect

    def note(statement: str) -> None:
        nonlocal count
        count += 1
        if count == at:
            os._exit(9)

    def traced(self: Database, mode: str) -> sqlite3.Connection:
        connection = connect(self, mode)
        if mode == "rw":
            connection.set_trace_callback(note)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_connect", traced)
        run()
    return count


def killed(run: Callable[[], object], at: int) -> None:
    child = os.fork()
    if not child:
        statements(run, at)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def some(total: int, thorough: bool) -> range:
    return range(1, total + 1, 1 if thorough else max(1, total // SAMPLE))


def forget_all(index: HashIndex) -> None:
    for path in index.path.parent.glob("catalogue.db*"):
        path.unlink()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def pictures(folder: Path) -> Path:
    """So few that they are read in this process: copies, a neighbour that is a stranger, a file that is no picture."""
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.bmp")
    save(draw(2).rotate(1), folder / "a" / "dog.png")
    save(draw(2), folder / "a" / "dog.gif")
    (folder / "a" / "note.png").write_text("no picture")
    return folder


def told(index: HashIndex) -> object:
    """What a person sees of a catalogue."""
    groups = [[member.file.path_bytes for member in group.members] for group in index.groups()]
    status = index.status()
    # Not how many are gone: a rename that a killed scan saw the half of is one file gone and one new.
    return groups, index.problems(), status.present, index.decisions()


@needs_fork
def test_a_scan_killed_at_any_statement_leaves_a_sound_catalogue(
    index: HashIndex, pictures: Path, thorough: bool
) -> None:
    """Reading, hashing and judging: all of it is in a scan."""
    total = statements(lambda: index.scan([pictures]))
    wanted = told(index)
    assert total > 100
    for at in some(total, thorough):
        forget_all(index)
        killed(lambda: index.scan([pictures]), at)
        index.scan([pictures])
        assert (told(index), is_sound(index)) == (wanted, True), at


@needs_fork
def test_a_rescan_killed_at_any_statement_goes_on(index: HashIndex, pictures: Path, thorough: bool) -> None:
    def change() -> None:
        save(draw(5), pictures / "cat.png", mtime_ns=10**18)
        (pictures / "cat.bmp").rename(pictures / "renamed.bmp")
        (pictures / "a" / "dog.gif").unlink()

    index.scan([pictures])
    before = index.path.read_bytes()
    change()
    total = statements(lambda: index.scan([pictures]))
    wanted = told(index)
    for at in some(total, thorough):
        forget_all(index)
        index.path.write_bytes(before)
        killed(lambda: index.scan([pictures]), at)
        index.scan([pictures])
        assert (told(index), is_sound(index)) == (wanted, True), at


@needs_fork
def test_decisions_and_verdicts_killed_at_any_statement_are_there_or_not(
    index: HashIndex, pictures: Path, thorough: bool
) -> None:
    index.scan([pictures])
    before = index.path.read_bytes()

    def say() -> None:
        index.separate(pictures / "cat.png", pictures / "cat.bmp")
        index.groups(mirrored=True)

    total = statements(say)
    wanted = [(word.a, word.b, word.same) for word in index.decisions()]
    for at in some(total, thorough):
        forget_all(index)
        index.path.write_bytes(before)
        killed(say, at)
        assert [(word.a, word.b, word.same) for word in index.decisions()] in ([], wanted)
        assert is_sound(index), at


@needs_fork
def test_a_migration_killed_at_any_statement_is_done_by_the_next_command(
    index: HashIndex, thorough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = schema.latest_version()
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        catalogue.put_root(b"/p", 1)
        catalogue.verdicts.put_decision(Decision(bytes(32), bytes(31) + b"\1", True, 5))
    migration = (
        "CREATE TABLE new_root (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, device BLOB NOT NULL, "
        "scanned_ns INTEGER, problem TEXT, note TEXT) STRICT",
        "INSERT INTO new_root SELECT id, path, device, scanned_ns, problem, NULL FROM root",
        "DROP TABLE root",
        "ALTER TABLE new_root RENAME TO root",
    )
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, migration))
    before = index.path.read_bytes()
    total = statements(index.status)
    for at in some(total, thorough):
        forget_all(index)
        index.path.write_bytes(before)
        killed(index.status, at)
        assert ([root.path_bytes for root in index.status().roots], len(index.decisions())) == ([b"/p"], 1)
        assert is_sound(index), at
        assert list(index.path.parent.glob("*.part")) == []
        backup = index.path.with_name(f"catalogue.db.v{version}.bak")
        assert os.name != "posix" or stat.S_IMODE(backup.stat().st_mode) == 0o600


# A full disk


class Disk:
    """A file system of so many KiB."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def resize(self, kib: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={kib}k", str(self.place)], check=True)

    def fill(self, leave: int = 0) -> None:
        """Takes all that is left, but for some KiB."""
        room = os.statvfs(self.place)
        free = room.f_bavail * room.f_frsize - leave * 1024
        if free > 0:
            with (self.place / "another program").open("ab") as file:
                file.write(bytes(free))

    def make_room(self) -> None:
        (self.place / "another program").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small file system needs root and Linux")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)], check=False)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_scan_on_a_full_disk_says_so_and_goes_on_after_room_was_made(disk: Disk, folder: Path) -> None:
    index = HashIndex(disk.place / "catalogue.db")
    index.scan([folder])
    fill(folder, range(60))
    disk.fill(leave=200)
    with pytest.raises(CatalogueUnwritable, match=r"make room, then run the same again: what was done before is kept"):
        index.scan([folder])
    assert index.status().present <= 60
    disk.make_room()
    summary = index.scan([folder])
    assert (summary.unchanged + summary.decoded, is_sound(index)) == (60, True)


def test_a_first_scan_on_a_full_disk_says_so_too(disk: Disk, folder: Path) -> None:
    index = HashIndex(disk.place / "catalogue.db")
    fill(folder, [1])
    disk.fill(leave=8)
    with pytest.raises(CatalogueUnwritable, match="make room"):
        index.scan([folder])
    disk.make_room()
    assert (index.scan([folder]).decoded, is_sound(index)) == (1, True)


def test_organize_says_before_the_first_file_that_the_disk_is_too_small(
    disk: Disk, index: HashIndex, folder: Path
) -> None:
    fill(folder, range(3))
    index.scan([folder])
    disk.fill()
    with pytest.raises(Exception, match=r"has 0 bytes free, and this needs .* nothing was placed"):
        index.organize(disk.place / "out", rest=True)


@pytest.mark.parametrize("action", [Action.COPY, Action.MOVE])
def test_organize_on_a_disk_that_fills_up_stops_and_goes_on_after_room_was_made(
    disk: Disk, index: HashIndex, folder: Path, action: Action
) -> None:
    fill(folder, range(4))
    index.scan([folder])
    out = disk.place / "out"

    def another_program(step: Step) -> None:
        disk.fill()

    outcome = index.organize(out, action=action, rest=True, on_step=another_program).outcome
    assert outcome.done == 1 and outcome.stopped is not None
    assert outcome.stopped.startswith("the disk is full; free some space and run it again")
    assert [name for name in listing(out) if name.endswith(".part")] == []
    disk.make_room()
    assert index.organize(out, action=action, rest=True).outcome.done == 3
    assert (len(listing(out)), is_sound(index)) == (4, True)
    while index.history() and any(batch.done for batch in index.history()):
        index.undo()
    assert len(list(folder.iterdir())) == 4


def test_a_journal_that_cannot_be_written_stops_organize_before_or_after_a_file(disk: Disk, folder: Path) -> None:
    """The catalogue's disk fills up, not that of the pictures."""
    index = HashIndex(disk.place / "catalogue.db")
    fill(folder, range(4))
    index.scan([folder])
    out = folder.parent / "out"
    with pytest.raises(CatalogueUnwritable, match="make room"):
        index.organize(out, action=Action.MOVE, rest=True, on_step=lambda step: disk.fill())
    disk.make_room()
    index.recover()
    index.organize(out, action=Action.MOVE, rest=True)
    assert (len(listing(out)), len(list(folder.iterdir())), is_sound(index)) == (4, 0, True)


def test_a_backup_to_a_full_disk_says_so_and_leaves_nothing_there(disk: Disk, index: HashIndex, folder: Path) -> None:
    fill(folder, range(3))
    index.scan([folder])
    disk.fill(leave=40)
    with pytest.raises(CatalogueUnwritable, match="make room, or name another place"):
        index.backup(disk.place / "copy.db")
    assert [path.name for path in disk.place.iterdir()] == ["another program"]
    disk.make_room()
    assert index.backup(disk.place / "copy.db") > 0


# A log left behind


@needs_fork
def test_what_a_killed_writer_left_in_the_log_is_read(index: HashIndex, pictures: Path) -> None:
    index.scan([pictures])
    child = os.fork()
    if not child:
        writer = Database(index.path, write=True)
        writer.connection.execute("PRAGMA wal_autocheckpoint = 0")
        with writer.atomic():
            writer.connection.execute("UPDATE root SET problem = 'in the log'")
        os._exit(9)
    os.waitpid(child, 0)
    log = index.path.with_name("catalogue.db-wal")
    assert log.stat().st_size
    assert "in the log" in [problem.reason for problem in index.problems()]


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_log_left_behind_in_a_folder_that_may_not_be_written_is_an_error_and_no_old_answer(
    folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "readonly"
    index = HashIndex(place / "c.db")
    fill(folder, [1])
    index.scan([folder])
    (place / "c.db-wal").write_bytes(b"what another computer wrote last")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path(path.root):
            path.chmod(path.stat().st_mode | 0o055)
    for path in place.iterdir():
        path.chmod(0o444)
    place.chmod(0o555)
    script = (
        "import os, hashindex.index.scan\nfrom hashindex import HashIndex, HashIndexError\n"
        f"os.setgid(65534); os.setuid(65534)\ntry: HashIndex({str(index.path)!r}).problems()\n"
        "except HashIndexError as error: print(type(error).__name__)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd="/")
    assert (run.stdout.split(), run.stderr) == (["CatalogueUnwritable"], "")
