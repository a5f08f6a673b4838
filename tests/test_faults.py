"""Organize, undo and recover on a disk that fails, and beside a person at work: nothing is lost, the journal is true.

failing.py says what a point is. For every way to organize, every command and every fault a run is counted, and then
the same run meets the fault at point N; afterwards the disk is well again, `recover` is run, everything is checked, the
command is run again and has to finish the work. Quick: some N of each, spread out. All of them, with a table:

    python -m pytest tests/test_faults.py --thorough
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from failing import (
    LOOKS,
    MODES,
    MOVE,
    OF_THE_CATALOGUE,
    SELDOM,
    Death,
    Failing,
    Fault,
    Killed,
    Person,
    Points,
    World,
    check,
    meet_every_fault,
    points_of,
    through,
    told,
)
from pictures import draw
from trees import digest
from typer.testing import CliRunner

from hashindex import HashIndexError, UsageError
from hashindex.commands.cli import app
from hashindex.core.organizing import Action, BatchState
from hashindex.output.text.history import batch_json, recovered_text
from hashindex.store.catalogue import Catalogue

COMMANDS = ("organize", "undo", "recover")
SAMPLE = 2
"""Points of each mode, command and fault in a quick run."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("faults"))


class Scene:
    """One command in one mode, begun from the same state each time."""

    def __init__(self, world: World, mode: str, command: str) -> None:
        self.world, self.mode, self.command, self.way = world, mode, command, MODES[mode]
        self.must: set[str] = set()
        self.person = Person()

    def run(self) -> None:
        """The command. What it cannot do is said in a sentence of ours, or done another time."""
        try:
            if self.command == "organize":
                self.world.organize(self.way)
            elif self.command == "undo":
                self.world.index.undo()
            else:
                self.world.index.recover()
        except HashIndexError:
            pass
        except Killed:
            pass

    def count(self) -> list[str]:
        self.world.restore()
        with through(Points(), self.mode, reads=True) as points:
            self.run()
        return points.points

    def meets(self, fault: Fault, at: int) -> bool:
        """Runs the command with the fault at that point. Whether it could happen there."""
        self.world.restore()
        self.must, self.person = set(), Person()
        points: Points
        if fault.name == "killed":
            points = Death(at)
        else:
            points = Failing(at, fault, lambda name, given: self._hit(fault, name, given))
        with through(points, self.mode, reads=True):
            self.run()
        return not isinstance(points, Failing) or points.happened

    def _hit(self, fault: Fault, name: str, given: tuple[Any, ...]) -> bool:
        if fault.number is not None and name in ("BEGIN", "COMMIT"):
            return fault.number in OF_THE_CATALOGUE
        if fault.number is not None:
            return self._may_answer(fault.number, name, given)
        if name in ("BEGIN", "COMMIT"):
            return False
        step = self._step()
        if step is None:
            return False
        source, target = (Path(os.fsdecode(path)) for path in step)
        if fault.name == "target appeared":
            return self._appear(target)
        # Between the last look at a file and its unlink nothing can be done about it.
        if name == "unlink" or not source.is_file() or source.is_symlink():
            return False
        return self._edit(source, in_place=fault.name == "source changed")

    def _may_answer(self, number: int, name: str, given: tuple[Any, ...]) -> bool:
        """Whether a disk may say that. One that denies what is there lies, and no program can know."""
        if number == errno.EEXIST:
            makes = name == "open" and (len(given) < 2 or given[1] & os.O_CREAT)
            return bool(makes) or name in ("link", "symlink", "rename", "replace", "makedirs", "mkdir")
        return name not in LOOKS or number in (errno.EIO, errno.EACCES)

    def _step(self) -> tuple[bytes, bytes] | None:
        """From and to where the step under way goes, or else the next one."""
        undoing = self.command == "undo"
        with Catalogue(self.world.index.path) as catalogue:
            row = catalogue.connection.execute(
                "SELECT source, target FROM move WHERE state IN ('moving', 'undoing') OR state = ? "
                "ORDER BY state NOT IN ('moving', 'undoing'), iif(?2, -ordinal, ordinal) LIMIT 1",
                ("done" if undoing else "planned", undoing),
            ).fetchone()
        if row is None:
            return None
        return (row[1], row[0]) if undoing else (row[0], row[1])

    def _appear(self, target: Path) -> bool:
        if os.path.lexists(target):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        draw(7, (50, 50)).save(target, "PNG")
        self.person.added.add(digest(target))
        self._remember()
        return True

    def _edit(self, source: Path, in_place: bool) -> bool:
        before = digest(source)
        data = source.read_bytes() + b"edited"
        if in_place:
            with source.open("r+b") as file:
                file.write(data)
        else:
            new = source.with_name("being saved")
            new.write_bytes(data)
            new.replace(source)
        os.utime(source, ns=(10**18, 10**18))
        self.person.edited[digest(source)] = before
        self._remember()
        return True

    def _remember(self) -> None:
        # But for an empty name that was claimed for a copy.
        self.must = set(self.world.there().values()) - {hashlib.sha256().hexdigest()}

    def judge(self) -> None:
        """The disk is well again: what would a person do, and what does it come to?"""
        world, way = self.world, self.way
        self._nothing_is_lost()
        world.index.recover()
        self._nothing_is_lost()
        if self.person.edited:
            world.index.scan([world.pictures])
        check(world, way, self.person, may_be_kept=True)
        if self.command == "organize" or self.person.digests:
            world.organize(way)
            check(world, way, self.person, may_be_kept=True)
            placed = {digest(path) for path in world.dest.rglob("[!.]*") if path.is_file()}
            assert placed >= {what[0] for what in world.before.values() if what} - set(self.person.edited.values())
        world.undo_all()
        check(world, way, self.person, may_be_kept=bool(self.person.digests))
        self._nothing_is_lost()
        if not self.person.digests:
            # A folder of ours that could not be removed is empty.
            left = {name for name, what in world.tree().items() if what is None and name.startswith("stickers/")}
            assert {name: what for name, what in world.tree().items() if name not in left} == world.before

    def _nothing_is_lost(self) -> None:
        lost = self.must - set(self.world.there().values())
        assert not lost, "pictures were lost"


def scene(world: World, mode: str, command: str) -> Scene:
    return Scene(world, mode, command)


def begun(world: World, mode: str, command: str) -> Callable[[], None]:
    """Brings the world to where the command begins."""

    def organized() -> None:
        world.organize(MODES[mode])

    def cut_off() -> None:
        # In the middle of the second step, its copy or its second name just made.
        with through(Points(), mode) as points:
            world.organize(MODES[mode])
        claims = [at for at, name in enumerate(points.points, 1) if name in ("link", "symlink", "replace")]
        world.restore()
        with through(Death(claims[min(len(claims) - 1, len(claims) // 2)] + 1), mode), pytest.raises(Killed):
            world.organize(MODES[mode])

    return {"organize": lambda: None, "undo": organized, "recover": cut_off}[command]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mode", MODES)
def test_whatever_fails_no_picture_is_lost_and_running_again_finishes(
    world: World, mode: str, command: str, thorough: bool, tally: dict[tuple[str, str, str], int]
) -> None:
    if mode in SELDOM and not thorough:
        pytest.skip("only with --thorough")
    world.restore()
    begun(world, mode, command)()
    with world.keep():
        meet_every_fault(scene(world, mode, command), mode, command, tally, thorough=thorough, sample=SAMPLE)


class Exit(Points):
    """At number `at` the process is gone: no buffer is written, no `finally` is heard of."""

    def point(self, name: str, *given: Any) -> Callable[[], None]:
        super().point(name)
        if len(self.points) == self.at:
            os._exit(9)
        return lambda: None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("command", ["organize", "undo"])
@pytest.mark.parametrize("mode", ["copy", "move", "move across devices", "move without links", "move into folders"])
def test_a_process_that_is_really_gone_leaves_the_same_behind(
    world: World, mode: str, command: str, thorough: bool
) -> None:
    world.restore()
    begun(world, mode, command)()
    with world.keep():
        one = scene(world, mode, command)
        points = one.count()
        for at in points_of(len(points), thorough, len(mode), SAMPLE):
            world.restore()
            child = os.fork()
            if not child:
                with through(Exit(at), mode, reads=True):
                    one.run()
                os._exit(0)
            with told(points, at, f"{mode}, {command}, gone"):
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
                one.must, one.person = set(), Person()
                one.judge()


@pytest.fixture
def stuck(world: World) -> Iterator[World]:
    """A move that made the second names and may remove nothing: every picture has both."""
    world.restore()
    with pytest.MonkeyPatch.context() as patch:

        def denied(path: bytes) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

        patch.setattr(os, "unlink", denied)
        yield world


def test_what_the_disk_does_not_settle_stays_open_and_is_said(stuck: World) -> None:
    organized = stuck.index.organize(stuck.dest, action=Action.MOVE, rest=True)
    assert (organized.outcome.done, len(organized.outcome.refused)) == (0, 3)
    assert organized.outcome.stopped is not None
    assert "(permission denied); fix that and run: hashindex recover" in organized.outcome.stopped
    (batch,) = stuck.index.recover()
    assert (batch.state, batch.trouble) == (BatchState.APPLYING, organized.outcome.stopped)
    assert "stays open: it cannot be determined whether" in recovered_text(batch) and "trouble" in batch_json(batch)
    for act in (stuck.index.undo, lambda: stuck.organize(MOVE)):
        with pytest.raises(UsageError, match="was cut off, and its progress cannot be determined"):
            act()


def test_an_open_batch_is_ended_as_soon_as_the_disk_answers(
    stuck: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(stuck.index.path))
    stuck.organize(MOVE)
    shell = CliRunner().invoke(app, ["recover"])
    assert (shell.exit_code, shell.stdout.splitlines()[0][:44]) == (3, "Batch 1 was interrupted and stays open: it c")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", os.remove)
        (batch,) = stuck.index.recover()
        assert (batch.state, batch.trouble, batch.done) == (BatchState.APPLIED, None, 3)
        check(stuck, MOVE)
        stuck.undo_all()
        assert stuck.tree() == stuck.before
