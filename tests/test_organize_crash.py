"""Organize, undo and recover killed at every effect and every transaction: no picture is lost, and the journal is true.

The world is three pictures in two sets. A run is counted first. A point is just before each change that moves.py makes
to a folder (and amid each write), before each BEGIN and before each COMMIT: what is just before one change is just
after the one before it. Then for every point N the same run is killed there: from then on nothing reaches the disk or
the catalogue.

design.md, "Moving files", line by line (o: test_organize.py, p: test_plan.py, here otherwise):

plan first, as data                     p: all of it; o: test_a_plan_changes_nothing
commit `moving`, then act               test_each_act_comes_after_its_intent_and_before_its_done
act without ever replacing              o: test_what_appeared_under_a_target_is_never_overwritten
                                        o: test_undo_never_overwrites_what_took_the_old_name
link + unlink                           test_killed_apply[move]: no moment at which a picture has no name
copy to a temporary + fsync + claim     test_killed_apply[copy and the two long moves]: whole files only
                                        test_a_copy_is_synced_before_it_has_its_name
across devices: compared before the     o: test_a_copy_that_reads_back_otherwise_costs_no_source
source goes                             test_across_devices_the_source_goes_after_the_copy_was_synced_and_read_back
then in one transaction `done` and path test_killed_apply: journal, catalogue and disk agree
recover looks at the disk               test_killed_apply, test_killed_undo, test_killed_recover
                                        test_recover_waits_for_a_destination_that_is_not_there
recover never removes a last copy       test_recover_leaves_the_source_of_a_target_with_other_bytes
                                        test_recover_leaves_a_target_whose_source_has_other_bytes
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pictures import draw, save
from trees import Tree, copy_tree, digest, listing, manifest, tree

from hashindex import HashIndex, UsageError, moves
from hashindex.catalogue import Catalogue
from hashindex.database import Database
from hashindex.journal import Journal
from hashindex.model import Action, BatchState, MoveState

EFFECTS = {
    *("fchmod", "fsync", "link", "makedirs", "rename", "replace", "rmdir", "symlink", "unlink", "utime"),
    *("open", "close"),
}
HARMLESS = {
    *("path", "fspath", "fsdecode", "fsencode", "fstat", "name", "posix_fadvise", "POSIX_FADV_DONTNEED"),
    *("O_CREAT", "O_EXCL", "O_WRONLY", "O_RDONLY"),
}
MODES = {
    "copy": Action.COPY,
    "hardlink": Action.HARDLINK,
    "symlink": Action.SYMLINK,
    "move": Action.MOVE,
    "copy without links": Action.COPY,
    "move across devices": Action.MOVE,
    "move without links": Action.MOVE,
}
# What was counted when this was written, less a tenth: fewer points would mean that something is not counted any more.
LEAST = {
    "copy": (54, 23),
    "hardlink": (35, 23),
    "symlink": (35, 23),
    "move": (38, 26),
    "copy without links": (59, 23),
    "move across devices": (67, 56),
    "move without links": (73, 61),
}


class Killed(BaseException):
    """What a killed process does not live to see."""


class Death:
    """Counts points; at number `at` the process dies, and every point after it is death too."""

    def __init__(self, at: int = 0, look: Callable[[str], None] = lambda name: None) -> None:
        self.at = at
        self.points: list[str] = []
        self.look = look

    def point(self, name: str) -> None:
        self.points.append(name)
        self.look(name)
        if self.at and len(self.points) >= self.at:
            raise Killed


class Writer:
    """A file open for writing: nothing stays in a buffer, and a write may be cut in its middle."""

    def __init__(self, death: Death, handle: Any) -> None:
        self._death, self._handle = death, handle

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def write(self, data: Any) -> None:
        middle = len(data) // 2
        for part in (data[:middle], data[middle:]):
            self._death.point("write")
            self._handle.write(part)
            self._handle.flush()
        self._death.look("written")


def fake_os(death: Death, mode: str) -> Any:
    """The os module as moves.py sees it: a point before every effect."""

    def effect(name: str) -> Callable[..., Any]:
        def act(*given: Any, **named: Any) -> Any:
            death.point(name)
            if name == "link" and mode.endswith("without links"):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            if name == "link" and mode.endswith("devices") and os.path.dirname(given[0]) != os.path.dirname(given[1]):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            # Syncing shows in nothing but power cuts, and takes its time.
            done = None if name == "fsync" else getattr(os, name)(*given, **named)
            death.look(f"after {name}")
            return done

        return act

    # A name that is in neither set is an AttributeError: whoever uses a new one has to say what it is.
    return SimpleNamespace(
        **{name: getattr(os, name) for name in HARMLESS if hasattr(os, name)},
        **{name: effect(name) for name in EFFECTS if hasattr(os, name)},
    )


@contextmanager
def mortal(mode: str, at: int = 0, look: Callable[[str], None] = lambda name: None) -> Iterator[Death]:
    """Lets moves.py and the catalogue go through points; at 0 only counts them. look hears of each, and of reads."""
    death = Death(at, look)

    def opening(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(path: Any, mode: str = "r", **named: Any) -> Any:
            if mode.startswith("r"):
                death.look("read")
                return original(path, mode, **named)
            death.point("open")
            handle = original(path, mode, **named)
            return Writer(death, handle)

        return act

    class MortalPath(type(Path())):  # type: ignore[misc]
        open = opening(Path.open)

    atomic = Database.atomic

    @contextmanager
    def mortal_atomic(self: Database, *, durable: bool = False) -> Iterator[None]:
        death.point("BEGIN")
        try:
            with atomic(self):
                yield
                death.point("COMMIT")
        finally:
            # Closing would sync the catalogue.
            self.connection.execute("PRAGMA synchronous = OFF")
        death.look("after COMMIT")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "os", fake_os(death, mode))
        patch.setattr(moves, "open", opening(open), raising=False)
        patch.setattr(moves, "Path", MortalPath)
        patch.setattr(Database, "atomic", mortal_atomic)
        yield death


class World:
    """A folder of pictures and its catalogue, as scanned; put back as it was for every run."""

    def __init__(self, folder: Path) -> None:
        self.place, self._saved = folder / "world", folder / "saved"
        self.pictures, self.dest = self.place / "pictures", self.place / "stickers"
        self.index = HashIndex(self.place / "catalogue.db", wait_s=0.2)
        save(draw(1, (60, 40)), self.pictures / "a" / "cat.png")
        save(draw(1, (60, 40)), self.pictures / "b" / "cat.bmp")
        save(draw(2, (60, 40)), self.pictures / "dog.png")
        self.index.scan([self.pictures])
        self.before = self.tree()
        copy_tree(self.place, self._saved)

    def restore(self) -> None:
        copy_tree(self._saved, self.place)

    def keep(self) -> "AbstractContextManager[None]":
        """While it lasts, restore() goes back to the present."""
        return self._keeping()

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        saved, self._saved = self._saved, self._saved.with_name("saved later")
        copy_tree(self.place, self._saved)
        try:
            yield
        finally:
            self._saved = saved

    def tree(self) -> Tree:
        """Everything but the catalogue and its like."""
        return {name: what for name, what in tree(self.place).items() if not name.startswith("catalogue.db")}

    def organize(self, action: Action) -> None:
        self.index.organize(self.dest, action=action, rest=True)

    def undo_all(self) -> None:
        with contextlib.suppress(UsageError):
            while True:
                self.index.undo()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("crash"))


def check(world: World, action: Action) -> None:
    """No picture is lost or twice, and disk, journal, manifest and catalogue say the same."""
    there = {
        name: digest(path)
        for path in (*world.pictures.rglob("*"), *world.dest.glob("[!.]*"))
        if not path.is_dir() and (name := os.fsdecode(path.relative_to(world.place)))
    }
    wanted = sorted(what[0] for what in world.before.values() if what)
    sources = {name: what[0] for name, what in world.before.items() if what}
    in_dest = {name.partition("/")[2]: bytes for name, bytes in there.items() if name.startswith("stickers/")}
    if action is Action.MOVE:
        assert sorted(there.values()) == wanted
    else:
        assert {name: bytes for name, bytes in there.items() if name in sources} == sources
        assert set(in_dest.values()) <= set(wanted)
    assert [name for name in tree(world.place) if name.endswith(".part")] == []
    with Catalogue(world.index.path) as catalogue:
        journal = Journal(catalogue)
        batches = journal.batches()
        moves = [move for batch in batches for move in journal.moves(batch.id, list(MoveState))]
        rows = catalogue.connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE content IS NOT NULL AND NOT missing"
        ).fetchall()
        placed = {os.fsdecode(entry.name): entry.digest.hex() for entry in journal.placed(os.fsencode(world.dest))}
    assert {batch.state for batch in batches} <= {BatchState.APPLIED, BatchState.UNDONE}
    assert {move.state for move in moves} <= {MoveState.DONE, MoveState.SKIPPED, MoveState.UNDONE}
    done = {
        os.fsdecode(os.path.basename(move.step.target)): move.step.digest.hex()
        for move in moves
        if move.state is MoveState.DONE
    }
    assert in_dest == done == manifest(world.dest) == placed
    known = sorted(os.fsdecode(os.path.relpath(os.path.join(*row), os.fsencode(world.place))) for row in rows)
    assert known == sorted(there)


def count(mode: str, run: Callable[[], object]) -> list[str]:
    with mortal(mode) as death:
        run()
    return death.points


def killed(mode: str, at: int, run: Callable[[], object]) -> None:
    with mortal(mode, at), pytest.raises(Killed):
        run()


def first_step(points: list[str]) -> range:
    """The points between the first step's intent and the next one's."""
    committing = [at for at, name in enumerate(points, 1) if name == "COMMIT"]
    return range(committing[1] + 1, committing[2] + 1)


def states(world: World) -> tuple[str, ...]:
    """The states of the steps of the last batch as another process would read them now."""
    with Catalogue(world.index.path) as catalogue:
        journal = Journal(catalogue)
        return tuple(move.state.value for move in journal.moves(journal.batches()[-1].id, list(MoveState)))


@contextmanager
def told(points: list[str], at: int) -> Iterator[None]:
    """A failure names the point."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"killed at point {at} of {len(points)}: {points[max(0, at - 6) : at]}")
        raise


@pytest.mark.parametrize("mode", MODES)
def test_killed_apply(world: World, mode: str) -> None:
    action = MODES[mode]
    world.restore()
    points = count(mode, lambda: world.organize(action))
    check(world, action)
    whole = listing(world.dest)
    assert whole == ["00001.bmp", "00001_1.png", "00002.png"]
    for at in range(1, len(points) + 1):
        with told(points, at):
            world.restore()
            killed(mode, at, lambda: world.organize(action))
            count(mode, world.index.recover)
            check(world, action)
            count(mode, lambda: world.organize(action))
            check(world, action)
            assert listing(world.dest) == whole
            count(mode, world.undo_all)
            assert world.tree() == world.before
            check(world, action)


@pytest.mark.parametrize("mode", MODES)
def test_killed_undo(world: World, mode: str) -> None:
    action = MODES[mode]
    world.restore()
    world.organize(action)
    with world.keep():
        points = count(mode, world.index.undo)
        assert world.tree() == world.before
        for at in range(1, len(points) + 1):
            with told(points, at):
                world.restore()
                killed(mode, at, world.index.undo)
                count(mode, world.index.recover)
                check(world, action)
                count(mode, world.undo_all)
                assert world.tree() == world.before
                check(world, action)


def test_killed_recover(world: World) -> None:
    """Whatever half of the first step's traces a killed recover has cleared away, the next one ends it."""
    mode, action = "move without links", Action.MOVE
    applying: tuple[Callable[[], object], bool] = (lambda: world.organize(action), False)
    undoing: tuple[Callable[[], object], bool] = (world.index.undo, True)
    for run, placed in (applying, undoing):
        world.restore()
        if placed:
            world.organize(action)
        with world.keep():
            points = count(mode, run)
            for at in first_step(points):
                for again in range(1, 6):
                    with told(points, at):
                        world.restore()
                        killed(mode, at, run)
                        with contextlib.suppress(Killed), mortal(mode, again):
                            world.index.recover()
                        count(mode, world.index.recover)
                        check(world, action)


@pytest.mark.parametrize("mode", MODES)
def test_there_are_as_many_points_as_there_were(world: World, mode: str) -> None:
    world.restore()
    counted = (len(count(mode, lambda: world.organize(MODES[mode]))), len(count(mode, world.index.undo)))
    assert (counted[0] >= LEAST[mode][0], counted[1] >= LEAST[mode][1]) == (True, True), counted


def test_each_act_comes_after_its_intent_and_before_its_done(world: World) -> None:
    seen: list[tuple[str, tuple[str, ...]]] = []

    def look(name: str) -> None:
        if name in ("link", "after unlink"):
            seen.append((name, states(world)))

    world.restore()
    with mortal("move", look=look):
        world.organize(Action.MOVE)
    applied, seen[:] = seen[:], []
    with mortal("move", look=look):
        world.index.undo()
    assert applied == [
        ("link", ("moving", "planned", "planned")),
        ("after unlink", ("moving", "planned", "planned")),
        ("link", ("done", "moving", "planned")),
        ("after unlink", ("done", "moving", "planned")),
        ("link", ("done", "done", "moving")),
        ("after unlink", ("done", "done", "moving")),
    ]
    assert seen[:6] == [
        ("link", ("done", "done", "undoing")),
        ("after unlink", ("done", "done", "undoing")),
        ("link", ("done", "undoing", "undone")),
        ("after unlink", ("done", "undoing", "undone")),
        ("link", ("undoing", "undone", "undone")),
        ("after unlink", ("undoing", "undone", "undone")),
    ]


def first_acts(world: World, mode: str) -> list[str]:
    """What the first step does, in order."""
    names: list[str] = []
    world.restore()
    with mortal(mode, look=names.append) as death:
        world.organize(MODES[mode])
    committed = [at for at, name in enumerate(names) if name == "after COMMIT"]
    acts = names[committed[1] + 1 : committed[2]]
    manifest_begins = len(acts) - acts[::-1].index("open") - 1
    assert death.points
    return [name for name in acts[:manifest_begins] if not name.startswith("after") and name != "write"]


def test_a_copy_is_synced_before_it_has_its_name(world: World) -> None:
    assert first_acts(world, "copy") == ["read", "open", "written", "fchmod", "fsync", "utime", "link", "unlink"]


def test_across_devices_the_source_goes_after_the_copy_was_synced_and_read_back(world: World) -> None:
    made_and_read_back = ["link", "read", "open", "written", "fchmod", "fsync", "utime", "read"]
    named_and_synced = ["link", "unlink", "open", "fsync", "close"]
    assert first_acts(world, "move across devices") == [*made_and_read_back, *named_and_synced, "unlink"]


def killed_before_the_source_goes(world: World) -> tuple[Path, Path]:
    """A move across devices that had made its copy. Returns source and target."""
    mode = "move across devices"
    world.restore()
    points = count(mode, lambda: world.organize(Action.MOVE))
    at = [at for at, name in enumerate(points, 1) if name == "unlink"][1]
    world.restore()
    killed(mode, at, lambda: world.organize(Action.MOVE))
    source, target = world.pictures / "b" / "cat.bmp", world.dest / "00001.bmp"
    assert source.read_bytes() == target.read_bytes()
    return source, target


def test_recover_leaves_the_source_of_a_target_with_other_bytes(world: World) -> None:
    source, target = killed_before_the_source_goes(world)
    target.write_bytes(target.read_bytes()[:-1] + b"?")
    (batch,) = world.index.recover()
    assert (batch.done, batch.skipped, source.exists(), target.exists()) == (0, 3, True, True)


def test_recover_leaves_a_target_whose_source_has_other_bytes(world: World) -> None:
    source, target = killed_before_the_source_goes(world)
    source.write_bytes(b"edited meanwhile")
    (batch,) = world.index.recover()
    assert (batch.done, batch.skipped) == (0, 3)
    assert (source.read_bytes(), digest(target)) == (b"edited meanwhile", world.before["pictures/b/cat.bmp"][0])  # type: ignore[index]


def test_recover_leaves_both_of_an_undo_whose_source_has_other_bytes(world: World) -> None:
    world.restore()
    world.organize(Action.MOVE)
    with world.keep():
        mode = "move across devices"
        points = count(mode, world.index.undo)
        at = [at for at, name in enumerate(points, 1) if name == "unlink"][1]
        world.restore()
        killed(mode, at, world.index.undo)
    source, target = world.pictures / "dog.png", world.dest / "00002.png"
    assert source.read_bytes() == target.read_bytes()
    source.write_bytes(b"edited meanwhile")
    world.index.recover()
    assert (source.read_bytes(), digest(target)) == (b"edited meanwhile", world.before["pictures/dog.png"][0])  # type: ignore[index]


def test_recover_makes_one_of_two_names_of_one_file(world: World) -> None:
    """Killed between link and unlink: the picture is never without a name, and then has one."""
    world.restore()
    points = count("move", lambda: world.organize(Action.MOVE))
    world.restore()
    killed("move", points.index("unlink") + 1, lambda: world.organize(Action.MOVE))
    source, target = world.pictures / "b" / "cat.bmp", world.dest / "00001.bmp"
    assert os.path.samefile(source, target)
    world.index.recover()
    assert (source.exists(), target.exists()) == (False, True)


def after_the_first_step(world: World, mode: str) -> None:
    """Leaves the world as a run that was killed when its first picture was placed and written down."""
    world.restore()
    at = first_step(count(mode, lambda: world.organize(MODES[mode])))[-1] + 1
    world.restore()
    killed(mode, at, lambda: world.organize(MODES[mode]))


@pytest.mark.parametrize("mode", MODES)
def test_the_next_organize_and_the_next_undo_recover_first(world: World, mode: str) -> None:
    after_the_first_step(world, mode)
    with mortal(mode):
        (batch,) = world.index.organize(world.dest, action=MODES[mode], rest=True).recovered
        check(world, MODES[mode])
    assert (batch.id, batch.done, batch.skipped, len(listing(world.dest))) == (1, 1, 2, 3)
    after_the_first_step(world, mode)
    with mortal(mode):
        assert world.index.undo().done == 1
    assert world.tree() == world.before
    check(world, MODES[mode])


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
def test_a_killed_run_and_a_lost_catalogue_place_nothing_twice(world: World, mode: str) -> None:
    after_the_first_step(world, mode)
    for path in world.place.glob("catalogue.db*"):
        path.unlink()
    world.index.scan([world.pictures])
    world.organize(MODES[mode])
    assert listing(world.dest) == sorted(manifest(world.dest)) == ["00001.bmp", "00001_1.png", "00002.png"]


@pytest.mark.parametrize("state", ["moved", "copied"])
def test_recover_waits_for_a_destination_that_is_not_there(world: World, state: str) -> None:
    """A stick pulled out in the middle: what is on it is judged when it is back."""
    mode = "move across devices"
    world.restore()
    points = count(mode, lambda: world.organize(Action.MOVE))
    at = first_step(points)[-1] if state == "moved" else points.index("utime") + 1
    world.restore()
    killed(mode, at, lambda: world.organize(Action.MOVE))
    aside = world.place / "unplugged"
    world.dest.rename(aside)
    with contextlib.suppress(UsageError):
        world.index.recover()
    aside.rename(world.dest)
    world.index.recover()
    check(world, Action.MOVE)
    world.undo_all()
    assert world.tree() == world.before
