"""The catalogue, and organize with undo, as state machines: any order of things that people, disks and crashes do.

A few dozen steps in a quick run; HASHINDEX_EXAMPLES=2000, or --thorough, for very many.
"""

import io
import os
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from failing import FAULTS, OF_THE_CATALOGUE, Death, Failing, Killed, through
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pictures import draw
from trees import digest, manifest

from hashindex import Action, CatalogueDamaged, HashIndex, HashIndexError, ScanOptions, Severity
from hashindex.core.messages import MoveState
from hashindex.core.organizing import PLACING
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal


def encoded(seed: int, form: str) -> bytes:
    target = io.BytesIO()
    draw(seed, (40, 30)).save(target, form)
    return target.getvalue()


BYTES = {f"{seed}.{form}": encoded(seed, form) for seed in (1, 2, 3) for form in ("png", "bmp")}
BYTES["no picture.png"] = b"text"
KINDS = st.sampled_from(sorted(BYTES))
NAMES = st.sampled_from(["a.png", "b.gif", "c", "sub/a.png", "sub/d.jpg", "sub/deep/e.png"])
TEMPLATES = st.sampled_from(["", "", "{kind}", "{group}/{stem}"])
ONE = ScanOptions(workers=1)
ERRNOS = [fault for fault in FAULTS if fault.number is not None]


class Files(RuleBasedStateMachine):
    """A folder in which things happen, and its catalogue."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="hashindex-machine-"))
        self.folder, self.dest = self.scratch / "pictures", self.scratch / "out"
        self.folder.mkdir()
        self.index = HashIndex(self.scratch / "catalogue.db", wait_s=1)
        self.index.scan([self.folder], ONE)
        self.mtime_ns = 1_600_000_000_000_000_000

    def teardown(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def path(self, name: str) -> Path:
        return self.folder / name

    def put(self, name: str, kind: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(BYTES[kind])
        # No two writings look alike, as on a disk with fine times.
        self.mtime_ns += 10**9
        os.utime(path, ns=(self.mtime_ns, self.mtime_ns))

    @rule(name=NAMES, kind=KINDS)
    def add_or_change(self, name: str, kind: str) -> None:
        self.put(name, kind)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if self.path(old).exists() and old != new:
            self.path(new).parent.mkdir(parents=True, exist_ok=True)
            self.path(old).replace(self.path(new))

    def on_disk(self) -> dict[str, str]:
        return {str(path.relative_to(self.folder)): digest(path) for path in self.folder.rglob("*") if path.is_file()}


NO_PICTURE = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"


class CatalogueMachine(Files):
    """After every scan the catalogue says what the disk says, whatever went before."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh = True
        self.said: dict[tuple[str, str], bool] = {}

    @rule()
    def scan(self) -> None:
        # An emptied folder is taken for an unplugged drive until something is in it.
        before = self.known()
        self.index.scan([self.folder], ONE)
        disk = {name: sha for name, sha in self.on_disk().items() if sha != NO_PICTURE}
        assert self.known() == (disk if self.on_disk() or not before else before)

    @rule(at=st.integers(1, 60))
    def scan_killed(self, at: int) -> None:
        with suppress(Killed), through(Death(at), "copy"):
            self.index.scan([self.folder], ONE)

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        with suppress(HashIndexError):
            self.index.forget(self.path(name))

    @rule(one=NAMES, other=NAMES, same=st.booleans())
    def say(self, one: str, other: str, same: bool) -> None:
        a, b = self.path(one), self.path(other)
        if a.exists() and b.exists() and a.read_bytes() != b.read_bytes():
            (self.index.same if same else self.index.separate)(a, b)
            pair = sorted((digest(a), digest(b)))
            self.said[pair[0], pair[1]] = same

    @rule()
    def damage(self) -> None:
        """The pages of files are lost; words are not."""
        with Catalogue(self.index.path, write=True) as catalogue:
            catalogue.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = catalogue.connection.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name IN ('file', 'content')"
            ).fetchall()
        with self.index.path.open("rb+") as file:
            for (page,) in pages:
                file.seek((page - 1) * 4096)
                file.write(b"\xa5" * 4096)
        # Who meets the damage leaves word of it; the next who writes mends it.
        with pytest.raises(CatalogueDamaged):
            self.index.check()
        self.index.scan([self.folder], ONE)

    @rule()
    def groups_are_of_files_that_belong_together(self) -> None:
        for group in self.index.groups():
            assert len({member.file.path_bytes for member in group.members}) == len(group.members) > 1

    def known(self) -> dict[str, str]:
        with Catalogue(self.index.path) as catalogue:
            rows = catalogue.connection.execute(
                "SELECT path, name, digest FROM file JOIN folder ON folder.id = folder "
                "JOIN content ON content.id = content WHERE NOT missing"
            ).fetchall()
        return {
            os.path.relpath(os.fsdecode(os.path.join(path, name)), self.folder): sha.hex() for path, name, sha in rows
        }

    @invariant()
    def words_are_kept(self) -> None:
        assert {(word.a.hex(), word.b.hex()): word.same for word in self.index.decisions()} == self.said

    @invariant()
    def it_is_sound(self) -> None:
        with Catalogue(self.index.path) as catalogue:
            assert catalogue.faults() == []

    def teardown(self) -> None:
        self.index.scan([self.folder], ONE)
        assert [finding for finding in self.index.check(full=True) if finding.severity is Severity.PROBLEM] == []
        super().teardown()


class OrganizeMachine(Files):
    """No bytes are lost, whatever fails, and recover makes the journal say what the disk says."""

    @initialize(kinds=st.lists(KINDS.filter(lambda kind: kind != "no picture.png"), min_size=2, max_size=4))
    def begin(self, kinds: list[str]) -> None:
        for number, kind in enumerate(kinds):
            self.put(f"{number}.x", kind)
        self.index.scan([self.folder], ONE)

    def in_dest(self) -> list[Path]:
        """Files and links in the destination and below it, but for hidden ones."""
        return sorted(path for path in self.dest.rglob("[!.]*") if path.is_symlink() or not path.is_dir())

    def everywhere(self) -> set[str]:
        return {
            digest(path) for path in self.scratch.rglob("[!.]*") if path.is_file() and "catalogue.db" not in path.name
        }

    def run(self, command: str, action: Action, folder: str = "") -> None:
        with suppress(HashIndexError):
            if command == "organize":
                self.index.organize(self.dest, action=action, rest=True, folder=folder)
            elif command == "undo":
                self.index.undo()
            else:
                self.index.recover()

    def keeping(self, act: object) -> None:
        before = self.everywhere() - {digest_of_nothing}
        act()  # type: ignore[operator]
        assert before <= self.everywhere(), "pictures were lost"

    @rule(
        command=st.sampled_from(["organize", "organize", "undo", "recover"]),
        action=st.sampled_from(PLACING),
        folder=TEMPLATES,
    )
    def command(self, command: str, action: Action, folder: str) -> None:
        self.keeping(lambda: self.run(command, action, folder))

    @rule(
        command=st.sampled_from(["organize", "undo", "recover"]),
        action=st.sampled_from(PLACING),
        folder=TEMPLATES,
        mode=st.sampled_from(["plain", "across devices", "without links"]),
        fault=st.sampled_from(ERRNOS),
        at=st.integers(1, 90),
    )
    def command_that_fails(self, command: str, action: Action, folder: str, mode: str, fault: object, at: int) -> None:
        def may(name: str, given: tuple[object, ...]) -> bool:
            looks = name in (
                "BEGIN",
                "COMMIT",
                "lstat",
                "stat",
                "fstat",
                "readlink",
                "listdir",
                "scandir",
                "open to read",
            )
            return fault.number in OF_THE_CATALOGUE if looks else fault.number != 17  # type: ignore[attr-defined]

        def act() -> None:
            with through(Failing(at, fault, may), mode, reads=True):  # type: ignore[arg-type]
                self.run(command, action, folder)

        self.keeping(act)

    @rule(
        command=st.sampled_from(["organize", "undo", "recover"]),
        action=st.sampled_from(PLACING),
        folder=TEMPLATES,
        mode=st.sampled_from(["plain", "across devices", "without links"]),
        at=st.integers(1, 90),
    )
    def command_that_is_killed(self, command: str, action: Action, folder: str, mode: str, at: int) -> None:
        def act() -> None:
            with suppress(Killed), through(Death(at), mode, reads=True):
                self.run(command, action, folder)

        self.keeping(act)

    @rule()
    def scan(self) -> None:
        self.keeping(lambda: self.index.scan([self.folder], ONE))

    @precondition(lambda self: self.dest.is_dir())
    @rule(which=st.integers(0, 5))
    def somebody_deletes_in_dest(self, which: int) -> None:
        names = self.in_dest()
        if names:
            names[which % len(names)].unlink()

    @rule()
    def the_journal_is_true_after_recover(self) -> None:
        self.keeping(lambda: self.run("recover", Action.COPY))
        with Catalogue(self.index.path) as catalogue:
            journal = Journal(catalogue)
            batches = journal.batches()
            moves = [move for batch in batches for move in journal.moves(batch.id, list(MoveState))]
            placed = {os.fsdecode(entry.name) for entry in journal.placed(os.fsencode(self.dest.resolve()))}
        assert not any(batch.is_open for batch in batches)
        done = [
            os.fsdecode(os.path.relpath(move.step.target_bytes, os.fsencode(self.dest.resolve())))
            for move in moves
            if move.state in (MoveState.DONE, MoveState.KEPT)
        ]
        assert max(Counter(done).values(), default=0) <= 1
        there = {path.relative_to(self.dest).as_posix() for path in self.in_dest()}
        assert there <= set(done), "a file in the destination that the journal does not know"
        assert set(done) == placed == set(manifest(self.dest))
        assert list(self.scratch.rglob("*.part")) == []


digest_of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("machine", "few"), [(CatalogueMachine, 6), (OrganizeMachine, 8)])
def test_machine(machine: type[RuleBasedStateMachine], few: int, thorough: bool) -> None:
    examples = int(os.environ.get("HASHINDEX_EXAMPLES", 1000 if thorough else few))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples <= few,
            database=None,
        ),
    )
