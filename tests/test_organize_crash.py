"""Organize, undo and recover killed at every effect and every transaction: no picture is lost, and the journal is true.

failing.py says what a point is; what is just before one change is just after the one before it. A run is counted, and
then for every point N the same run is killed there: from then on nothing reaches the disk or the catalogue. Calls that
fail and people at work in the same folders: test_faults.py.

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
folders are made before the intent      test_killed_apply[into folders]: undo takes them away when they are empty
recover never removes a last copy       test_recover_leaves_the_source_of_a_target_with_other_bytes
                                        test_recover_leaves_a_target_whose_source_has_other_bytes
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from failing import MODES, MOVE, SELDOM, Killed, World, check, count, killed, mortal, points_of, told
from trees import digest, listing, manifest

from hashindex import UsageError
from hashindex.core.messages import MoveState
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal

SAMPLE = 6
"""Points that each mode but copying and moving tries in a run that is not thorough."""

# What was counted when this was written, less a tenth: fewer points would mean that something is not counted any more.
LEAST = {
    "copy": (54, 23),
    "hardlink": (35, 23),
    "symlink": (35, 23),
    "move": (38, 26),
    "copy without links": (59, 23),
    "move across devices": (67, 56),
    "move without links": (73, 61),
    "copy into folders": (62, 25),
    "symlink into folders": (43, 25),
    "move into folders": (45, 27),
    "move into folders across devices": (75, 57),
    "move into folders without links": (81, 63),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("crash"))


def first_step(points: list[str]) -> range:
    """The points between the first step's intent and the next one's."""
    committing = [at for at, name in enumerate(points, 1) if name == "COMMIT"]
    return range(committing[1] + 1, committing[2] + 1)


def tried(points: list[str], mode: str, thorough: bool) -> list[int]:
    """Every point of copying and of moving; of the other modes a sample, unless the run is thorough."""
    return points_of(len(points), thorough or mode in ("copy", "move"), len(mode), SAMPLE)


def states(world: World) -> tuple[str, ...]:
    """The states of the steps of the last batch as another process would read them now."""
    with Catalogue(world.index.path) as catalogue:
        journal = Journal(catalogue)
        return tuple(move.state.value for move in journal.moves(journal.batches()[-1].id, list(MoveState)))


@pytest.mark.parametrize("mode", MODES)
def test_killed_apply(world: World, mode: str, thorough: bool) -> None:
    if mode in SELDOM and not thorough:
        pytest.skip("only with --thorough")
    way = MODES[mode]
    world.restore()
    points = count(mode, lambda: world.organize(way))
    check(world, way)
    whole = manifest(world.dest)
    flat, in_folders = ["00001.bmp", "00001_1.png", "00002.png"], ["00001/cat.bmp", "00001/cat_1.png", "dog.png"]
    assert sorted(whole) == ([f"still/{name}" for name in in_folders] if way.folder else flat)
    for at in tried(points, mode, thorough):
        with told(points, at):
            world.restore()
            killed(mode, at, lambda: world.organize(way))
            count(mode, world.index.recover)
            check(world, way)
            count(mode, lambda: world.organize(way))
            check(world, way)
            assert manifest(world.dest) == whole
            count(mode, world.undo_all)
            assert world.tree() == world.before
            check(world, way)


@pytest.mark.parametrize("mode", MODES)
def test_killed_undo(world: World, mode: str, thorough: bool) -> None:
    if mode in SELDOM and not thorough:
        pytest.skip("only with --thorough")
    way = MODES[mode]
    world.restore()
    world.organize(way)
    with world.keep():
        points = count(mode, world.index.undo)
        assert world.tree() == world.before
        for at in tried(points, mode, thorough):
            with told(points, at):
                world.restore()
                killed(mode, at, world.index.undo)
                count(mode, world.index.recover)
                check(world, way)
                count(mode, world.undo_all)
                assert world.tree() == world.before
                check(world, way)


def test_killed_recover(world: World) -> None:
    """Whatever half of the first step's traces a killed recover has cleared away, the next one ends it."""
    mode = "move without links"
    way = MODES[mode]
    applying: tuple[Callable[[], object], bool] = (lambda: world.organize(way), False)
    undoing: tuple[Callable[[], object], bool] = (world.index.undo, True)
    for run, placed in (applying, undoing):
        world.restore()
        if placed:
            world.organize(way)
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
                        check(world, way)


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
        world.organize(MOVE)
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
    points = count(mode, lambda: world.organize(MOVE))
    at = [at for at, name in enumerate(points, 1) if name == "unlink"][1]
    world.restore()
    killed(mode, at, lambda: world.organize(MOVE))
    source, target = world.pictures / "b" / "cat.bmp", world.dest / "00001.bmp"
    assert source.read_bytes() == target.read_bytes()
    return source, target


def test_recover_leaves_the_source_of_a_target_with_other_bytes(world: World) -> None:
    source, target = killed_before_the_source_goes(world)
    target.write_bytes(target.read_bytes()[:-1] + b"?")
    (batch,) = world.index.recover()
    assert (batch.done, batch.skipped, source.exists(), target.exists()) == (0, 3, True, True)


def test_recover_leaves_a_target_whose_source_has_other_bytes(world: World) -> None:
    """The picture was moved; what has its old name is another one by now."""
    source, target = killed_before_the_source_goes(world)
    source.write_bytes(b"edited meanwhile")
    (batch,) = world.index.recover()
    assert (batch.done, batch.skipped) == (1, 2)
    assert (source.read_bytes(), digest(target)) == (b"edited meanwhile", world.before["pictures/b/cat.bmp"][0])  # type: ignore[index]


def test_recover_leaves_both_of_an_undo_whose_source_has_other_bytes(world: World) -> None:
    world.restore()
    world.organize(MOVE)
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
    points = count("move", lambda: world.organize(MOVE))
    world.restore()
    killed("move", points.index("unlink") + 1, lambda: world.organize(MOVE))
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
        (batch,) = world.organize(MODES[mode]).recovered
        check(world, MODES[mode])
    assert (batch.id, batch.done, batch.skipped, len(manifest(world.dest))) == (1, 1, 2, 3)
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
    points = count(mode, lambda: world.organize(MOVE))
    at = first_step(points)[-1] if state == "moved" else points.index("utime") + 1
    world.restore()
    killed(mode, at, lambda: world.organize(MOVE))
    aside = world.place / "unplugged"
    world.dest.rename(aside)
    with contextlib.suppress(UsageError):
        world.index.recover()
    aside.rename(world.dest)
    world.index.recover()
    check(world, MOVE)
    world.undo_all()
    assert world.tree() == world.before
