"""Dedupe, its undo and its recover on a disk that fails or kills, and beside a person at work: nothing is lost.

failing.py says what a point is. As in test_faults.py, a run is counted, then the same run meets each fault at point N.
Quick: some N of each, spread out. All of them, with a table:

    python -m pytest tests/test_dedupe_faults.py --thorough
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from failing import (
    LOOKS,
    OF_THE_CATALOGUE,
    Death,
    Failing,
    Fault,
    Killed,
    Points,
    SavedWorld,
    meet_every_fault,
    through,
    told,
)
from pictures import draw, save
from trees import Tree, digest, tree

from hashindex import HashIndexError
from hashindex.core.deduping import DedupeOptions, Link
from hashindex.core.messages import Move, MoveState
from hashindex.core.organizing import Action, BatchState
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal

SAMPLE = 1
"""Points of each mode, command and fault in a quick run."""


class Mode(NamedTuple):
    """A way to dedupe."""

    disk: str
    """How the disk behaves; see failing.MODES."""
    is_folder: bool = False
    link: Link | None = None


MODES = {
    "trash": Mode("move"),
    "trash without links": Mode("move without links"),
    "folder": Mode("move", is_folder=True),
    "folder across devices": Mode("move across devices", is_folder=True),
    "folder without links": Mode("move without links", is_folder=True),
    "hard links": Mode("move", link=Link.HARD),
    "symbolic links": Mode("move", link=Link.SYMBOLIC),
}
COMMANDS = ("dedupe", "undo", "recover")


class World(SavedWorld):
    """Copies of one picture in three folders, and a picture of its own; put back as it was for every run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.copies = self.place / "copies"
        save(draw(1, (60, 40)), self.pictures / "a" / "cat.png")
        save(draw(1, (60, 40)), self.pictures / "b" / "cat.bmp")
        save(draw(1, (60, 40)), self.pictures / "c" / "cat.tiff")
        save(draw(2, (60, 40)), self.pictures / "dog.png")
        self.index.scan([self.pictures])
        assert len(self.index.plan_dedupe().removals) == 2
        self.before = self.tree()
        self.save_as_it_is()

    def tree(self) -> Tree:
        """Everything but the catalogue, and without empty folders of the trash."""
        found = tree(self.place)
        return {name: what for name, what in found.items() if not name.startswith(("catalogue.db", "data/"))} | {
            name: what for name, what in found.items() if name.startswith("data/") and what is not None
        }

    def there(self) -> dict[str, str]:
        """Name -> digest of every regular file but those of hashindex itself and records of the trash."""
        own = ("catalogue.db", "data/Trash/info/", "copies/.hashindex")
        return {
            name: what[0]
            for name, what in self.tree().items()
            if what and not what[0].startswith("-> ") and not name.startswith(own) and not name.endswith(".part")
        }

    def dedupe(self, mode: Mode) -> None:
        to = os.fsencode(self.copies) if mode.is_folder else None
        self.index.dedupe(DedupeOptions(to=to, link=mode.link))

    def moves(self) -> list[Move]:
        with Catalogue(self.index.path) as catalogue:
            journal = Journal(catalogue)
            return [move for batch in journal.batches() for move in journal.moves(batch.id, list(MoveState))]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dedupe-faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder / "world" / "data"))
        yield World(folder)


class Scene:
    """One command in one mode, begun from the same state each time."""

    def __init__(self, world: World, mode: Mode, command: str) -> None:
        self.world, self.mode, self.command = world, mode, command
        self.added: dict[str, str | None] = {}
        """Digests of files that a person saved meanwhile, and the digest that the same path had before."""
        self.may_leave_records = False

    def run(self) -> None:
        with contextlib.suppress(HashIndexError, Killed):
            if self.command == "dedupe":
                self.world.dedupe(self.mode)
            elif self.command == "undo":
                self.world.index.undo()
            else:
                self.world.index.recover()

    def count(self) -> list[str]:
        self.world.restore()
        with through(Points(), self.mode.disk, reads=True) as points:
            self.run()
        return points.points

    def meets(self, fault: Fault, at: int) -> bool:
        """Runs the command with the fault at that point. Whether it could happen there."""
        self.world.restore()
        self.added = {}
        self.may_leave_records = fault.name != "killed"
        points: Points
        if fault.name == "killed":
            points = Death(at)
        else:
            points = Failing(at, fault, lambda name, given: self._hit(fault, name, given))
        with through(points, self.mode.disk, reads=True):
            self.run()
        return not isinstance(points, Failing) or points.happened

    def _hit(self, fault: Fault, name: str, given: tuple[Any, ...]) -> bool:
        if fault.number is not None and name in ("BEGIN", "COMMIT"):
            return fault.number in OF_THE_CATALOGUE
        if fault.number is not None:
            if fault.name == "EEXIST":
                makes = name == "open" and (len(given) < 2 or given[1] & os.O_CREAT)
                return bool(makes) or name in ("link", "symlink", "rename", "replace", "makedirs")
            # A disk that denies what is there lies, and no program can know.
            return name not in LOOKS or fault.name in ("EIO", "EACCES", "EIO for good")
        if name in ("BEGIN", "COMMIT", "unlink"):
            return False
        step = self._step()
        if step is None:
            return False
        source, target = (Path(os.fsdecode(path)) for path in step)
        if fault.name == "target appeared":
            if os.path.lexists(target):
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            draw(7, (50, 50)).save(target, "PNG")
            self.added[digest(target)] = None
            return True
        if not source.is_file() or source.is_symlink() or source.stat().st_nlink > 1:
            return False
        before = digest(source)
        data = source.read_bytes() + b"edited"
        if fault.name == "source changed":
            source.write_bytes(data)
        else:
            new = source.with_name("being saved")
            new.write_bytes(data)
            new.replace(source)
        os.utime(source, ns=(10**18, 10**18))
        self.added[digest(source)] = before
        return True

    def _step(self) -> tuple[bytes, bytes] | None:
        """From and to where the removal under way, or else the next one, goes."""
        undoing = self.command == "undo"
        moves = [move for move in self.world.moves() if move.step.action is Action.MOVE]
        under_way = [move for move in moves if move.state in (MoveState.MOVING, MoveState.UNDOING)]
        waiting = [move for move in moves if move.state is (MoveState.DONE if undoing else MoveState.PLANNED)]
        if not under_way + waiting:
            return None
        step = (under_way + (waiting[::-1] if undoing else waiting))[0].step
        return (step.target_bytes, step.source_bytes) if undoing else (step.source_bytes, step.target_bytes)

    def judge(self) -> None:
        """The disk is well again: nothing is lost, the journal is true, and the command can be finished and undone."""
        world = self.world
        self._nothing_is_lost()
        world.index.recover()
        self._nothing_is_lost()
        self._journal_is_true()
        if self.added:
            world.index.scan([world.pictures])
            world.undo_all()
            self._nothing_is_lost()
            return
        if self.command == "dedupe":
            world.dedupe(self.mode)
            self._journal_is_true()
            left = [name for name in world.there() if name.startswith("pictures/")]
            assert len(left) == (4 if self.mode.link is Link.HARD else 2), left
        world.undo_all()
        self._journal_is_true()
        # A folder that could not be removed is empty.
        ours = ("copies/", "data/Trash/info/") if self.may_leave_records else ("copies/",)
        assert {name: what for name, what in world.tree().items() if not name.startswith(ours)} == world.before

    def _nothing_is_lost(self) -> None:
        """Every picture is there once or, between a copy and the removal of its source, twice."""
        wanted = Counter(what[0] for what in self.world.before.values() if what)
        wanted -= Counter(before for before in self.added.values() if before)
        wanted += Counter(self.added.keys())
        assert wanted <= Counter(self.world.there().values()), "pictures were lost"

    def _journal_is_true(self) -> None:
        assert [name for name in self.world.tree() if name.endswith(".part")] == []
        there = self.world.there()
        with Catalogue(self.world.index.path) as catalogue:
            batches = Journal(catalogue).batches()
            rows = catalogue.connection.execute(
                "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE content NOT NULL AND NOT missing"
            ).fetchall()
        present = {os.path.join(*row) for row in rows}
        assert {batch.state for batch in batches} <= {BatchState.APPLIED, BatchState.UNDONE}
        for move in self.world.moves():
            target = os.path.relpath(os.fsdecode(move.step.target_bytes), self.world.place)
            if move.step.action is not Action.MOVE or self.added:
                continue
            if move.state is MoveState.DONE:
                assert there[target] == move.step.digest.hex()
                assert move.step.source_bytes not in present or self.mode.link is Link.HARD
        known = {os.path.relpath(os.fsdecode(path), self.world.place) for path in present}
        if not self.added:
            assert known == {name for name in there if not name.startswith("data/")}
        records = {name for name in self.world.tree() if name.startswith("data/Trash/info/")}
        files = {name for name in self.world.tree() if name.startswith("data/Trash/files/")}
        # A record that could not be removed does no harm.
        assert len(records) == len(files) or (len(records) > len(files) and self.may_leave_records)


def begun(world: World, mode: Mode, command: str) -> Callable[[], None]:
    """Brings the world to where the command begins."""

    def cut_off() -> None:
        with through(Points(), mode.disk) as points:
            world.dedupe(mode)
        world.restore()
        claims = [at for at, name in enumerate(points.points, 1) if name in ("link", "symlink", "replace")]
        with through(Death(claims[len(claims) // 2] + 1), mode.disk), pytest.raises(Killed):
            world.dedupe(mode)

    return {"dedupe": lambda: None, "undo": lambda: world.dedupe(mode), "recover": cut_off}[command]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", MODES)
def test_whatever_fails_no_picture_is_lost_and_running_again_finishes(
    world: World, name: str, command: str, thorough: bool, tally: dict[tuple[str, str, str], int]
) -> None:
    mode = MODES[name]
    world.restore()
    begun(world, mode, command)()
    with world.keep():
        meet_every_fault(Scene(world, mode, command), name, command, tally, thorough=thorough, sample=SAMPLE)


@pytest.mark.parametrize("name", MODES)
def test_killed_at_every_change(world: World, name: str, thorough: bool) -> None:
    """Every point of dedupe and of its undo, without looks at the disk."""
    if not thorough and name not in ("trash", "folder across devices", "hard links"):
        pytest.skip("only with --thorough")
    mode = MODES[name]
    world.restore()
    for command in ("dedupe", "undo"):
        begun(world, mode, command)()
        with world.keep():
            scene = Scene(world, mode, command)
            with through(Points(), mode.disk) as counted:
                scene.run()
            assert len(counted.points) > 15
            for at in range(1, len(counted.points) + 1):
                world.restore()
                scene.added = {}
                with told(counted.points, at, f"{name}, {command}"):
                    with through(Death(at), mode.disk):
                        scene.run()
                    scene.judge()
        world.restore()
