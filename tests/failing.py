"""A disk that fails on request: every call that moves.py, files.py and walk.py make of the system can fail, or kill.

A run is counted first. A point is just before each change that moves.py makes to a folder (and amid each write), before
each BEGIN and before each COMMIT; asked for with reads=True, before each look at the disk too. Then for every point N
the same run fails there, in one way of FAULTS, or dies: from then on nothing reaches the disk or the catalogue. The
world is three pictures in two sets.
"""

import contextlib
import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

import pytest
from pictures import draw, save
from trees import Tree, copy_tree, digest, manifest, tree

from hashindex import HashIndex, UsageError
from hashindex.core.messages import MoveState
from hashindex.core.organizing import Action, BatchState, Organized
from hashindex.disk import files, walk
from hashindex.organize import moves
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import Database
from hashindex.store.journal import Journal

EFFECTS = {
    *("fchmod", "fsync", "link", "makedirs", "mkdir", "rename", "replace", "rmdir", "symlink", "unlink", "utime"),
    *("open", "close"),
}
LOOKS = {"fstat", "lstat", "stat", "readlink", "listdir", "scandir"}
"""Points only where reads are asked for."""
CONSTANTS = {name for name in dir(os) if name.startswith(("O_", "POSIX_FADV_"))}
HARMLESS = {
    *("path", "fspath", "fsdecode", "fsencode", "name", "sep", "posix_fadvise", "fdopen", "strerror"),
    *("PathLike", "DirEntry", "stat_result"),
} | CONSTANTS


class Way(NamedTuple):
    """How organize places pictures."""

    action: Action
    folder: str = ""
    name: str = "{number}{_copy}"


def into_folders(action: Action) -> Way:
    """By templates: two new folders below each other, and names that are no numbers."""
    return Way(action, "{kind}/{group}", "{stem}{_copy}")


MODES = {
    "copy": Way(Action.COPY),
    "hardlink": Way(Action.HARDLINK),
    "symlink": Way(Action.SYMLINK),
    "move": Way(Action.MOVE),
    "copy without links": Way(Action.COPY),
    "move across devices": Way(Action.MOVE),
    "move without links": Way(Action.MOVE),
    "copy into folders": into_folders(Action.COPY),
    "symlink into folders": into_folders(Action.SYMLINK),
    "move into folders": into_folders(Action.MOVE),
    "move into folders across devices": into_folders(Action.MOVE),
    "move into folders without links": into_folders(Action.MOVE),
}
MOVE = MODES["move"]
SELDOM = {"symlink into folders", "move into folders across devices", "move into folders without links"}
"""Modes that only a thorough run tries: each joins two others."""


class Killed(BaseException):
    """What a killed process does not live to see."""


class Points:
    """Counts points; at number `at` something happens, which is for subclasses to say."""

    def __init__(self, at: int = 0, look: Callable[[str], None] = lambda name: None) -> None:
        self.at = at
        self.points: list[str] = []
        self.look = look

    def point(self, name: str, *given: Any) -> Callable[[], None]:
        """Returns what is to be done after the call."""
        self.points.append(name)
        self.look(name)
        return lambda: None


class Death(Points):
    """At number `at` the process dies, and every point after it is death too."""

    def point(self, name: str, *given: Any) -> Callable[[], None]:
        super().point(name)
        if self.at and len(self.points) >= self.at:
            raise Killed
        return lambda: None


class Failing(Points):
    """At number `at` a call fails, or something happens just before it; for good: every call from then on fails."""

    def __init__(self, at: int, fault: "Fault", hit: Callable[[str, tuple[Any, ...]], bool]) -> None:
        """hit: what else happens at that point; False where the fault cannot happen there."""
        super().__init__(at)
        self._fault, self._hit = fault, hit
        self.happened = False

    def point(self, name: str, *given: Any) -> Callable[[], None]:
        super().point(name)
        number = len(self.points)
        if number != self.at and not (self._fault.for_good and number > self.at and self.happened):
            return lambda: None
        # What was opened can always be closed, and a folder that was made is not told to be missing.
        if name == "close" or not self._hit(name, given):
            return lambda: None
        self.happened = True
        if self._fault.number is None:
            return lambda: None
        if self._fault.number == errno.ENOENT and name == "unlink":
            # That is told of what somebody else has just taken away.
            return lambda: self._fail(name)
        if self._fault.after and name not in LOOKS and name not in ("BEGIN", "COMMIT"):
            return lambda: self._fail(name)
        self._fail(name)
        return lambda: None

    def _fail(self, name: str) -> None:
        assert self._fault.number is not None
        if name in ("BEGIN", "COMMIT"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        raise OSError(self._fault.number, os.strerror(self._fault.number))


@dataclass(frozen=True)
class Fault:
    """One way to fail."""

    name: str
    number: int | None = None
    """The errno; None where no call fails by itself."""
    for_good: bool = False
    after: bool = False
    """The call does its work and fails all the same, as a server's answer that got lost."""


FAULTS = (
    *(Fault(errno.errorcode[number], number) for number in (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EXDEV)),
    *(Fault(errno.errorcode[number], number) for number in (errno.EEXIST, errno.ENOENT)),
    Fault("ENOSPC for good", errno.ENOSPC, for_good=True),
    Fault("EIO for good", errno.EIO, for_good=True),
    Fault("EIO, yet done", errno.EIO, after=True),
    Fault("source changed"),
    Fault("source replaced"),
    Fault("target appeared"),
    Fault("killed"),
)
OF_THE_CATALOGUE = {errno.ENOSPC, errno.EIO}
"""What SQLite's own calls may meet: there both are told as a full disk."""


class Handle:
    """An open file: nothing stays in a buffer, and a write may be cut in its middle."""

    def __init__(self, points: Points, handle: Any, reads: bool) -> None:
        self._points, self._handle, self._reads = points, handle, reads

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._handle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def write(self, data: Any) -> None:
        middle = len(data) // 2
        for part in (data[:middle], data[middle:]):
            after = self._points.point("write")
            self._handle.write(part)
            self._handle.flush()
            after()
        self._points.look("written")

    def read(self, *most: int) -> Any:
        if self._reads:
            self._points.point("read")
        return self._handle.read(*most)


def fake_os(points: Points, mode: str, reads: bool) -> Any:
    """The os module as moves.py sees it: a point before every effect."""

    def effect(name: str) -> Callable[..., Any]:
        def act(*given: Any, **named: Any) -> Any:
            after = points.point(name, *given)
            if name == "link" and mode.endswith("without links"):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            if name == "link" and mode.endswith("devices") and os.path.dirname(given[0]) != os.path.dirname(given[1]):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            # Syncing shows in nothing but power cuts, and takes its time.
            done = None if name == "fsync" else getattr(os, name)(*given, **named)
            after()
            points.look(f"after {name}")
            return done

        return act

    # A name that is in no set is an AttributeError: whoever uses a new one has to say what it is.
    fake = SimpleNamespace(
        **{name: getattr(os, name) for name in HARMLESS | (set() if reads else LOOKS) if hasattr(os, name)},
        **{name: effect(name) for name in EFFECTS | (LOOKS if reads else set()) if hasattr(os, name)},
    )
    # moves.py asks whether link() can do this.
    fake.supports_follow_symlinks = os.supports_follow_symlinks
    return fake


@contextmanager
def mortal(mode: str, at: int = 0, look: Callable[[str], None] = lambda name: None) -> Iterator[Points]:
    """Lets moves.py and the catalogue go through points; at 0 only counts them. look hears of each, and of reads."""
    with through(Death(at, look), mode) as points:
        yield points


@contextmanager
def through(points: Points, mode: str, reads: bool = False) -> Iterator[Points]:
    """While it lasts, what moves.py does (reads: and what it, files.py and walk.py see) goes through these points."""

    def opening(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(path: Any, mode: str = "r", **named: Any) -> Any:
            if mode.startswith("r"):
                points.look("read")
                if reads:
                    points.point("open to read", path)
                return Handle(points, original(path, mode, **named), reads) if reads else original(path, mode, **named)
            # Where moves.py says how to open, its os.open is the point.
            after = points.point("open", path) if "opener" not in named else lambda: None
            handle = Handle(points, original(path, mode, **named), reads)
            try:
                after()
            except OSError:
                handle.close()
                raise
            return handle

        return act

    atomic = Database.atomic

    @contextmanager
    def mortal_atomic(self: Database, *, durable: bool = False) -> Iterator[None]:
        points.point("BEGIN")
        try:
            with atomic(self):
                yield
                points.point("COMMIT")
        finally:
            # Closing would sync the catalogue.
            self.connection.execute("PRAGMA synchronous = OFF")
        points.look("after COMMIT")

    fake = fake_os(points, mode, reads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "os", fake)
        patch.setattr(moves, "open", opening(open), raising=False)
        if reads:
            patch.setattr(files, "os", fake)
            patch.setattr(walk, "os", fake)
            patch.setattr(files, "open", opening(open), raising=False)
        patch.setattr(Database, "atomic", mortal_atomic)
        yield points


class SavedWorld:
    """A folder of pictures and its catalogue; put back as it was for every run."""

    def __init__(self, folder: Path) -> None:
        """A subclass makes its pictures, scans them, and calls save_as_it_is."""
        self.place, self._saved = folder / "world", folder / "saved"
        self.pictures = self.place / "pictures"
        self.index = HashIndex(self.place / "catalogue.db", wait_s=0.2)

    def save_as_it_is(self) -> None:
        copy_tree(self.place, self._saved)

    def restore(self) -> None:
        copy_tree(self._saved, self.place)

    @contextmanager
    def keep(self) -> Iterator[None]:
        """While it lasts, restore() goes back to the present."""
        saved, self._saved = self._saved, self._saved.with_name("saved later")
        copy_tree(self.place, self._saved)
        try:
            yield
        finally:
            self._saved = saved

    def undo_all(self) -> None:
        with contextlib.suppress(UsageError):
            while self.index.undo().done:
                pass


class World(SavedWorld):
    """Three pictures in two sets, for organize."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.dest = self.place / "stickers"
        save(draw(1, (60, 40)), self.pictures / "a" / "cat.png")
        save(draw(1, (60, 40)), self.pictures / "b" / "cat.bmp")
        save(draw(2, (60, 40)), self.pictures / "dog.png")
        self.index.scan([self.pictures])
        self.before = self.tree()
        self.save_as_it_is()

    def tree(self) -> Tree:
        """Everything but the catalogue and its like."""
        return {name: what for name, what in tree(self.place).items() if not name.startswith("catalogue.db")}

    def there(self) -> dict[str, str]:
        """Name -> digest of every file but the manifest, unfinished copies, and what a link leads to nowhere."""
        return {
            name: digest(path)
            for path in (*self.pictures.rglob("[!.]*"), *self.dest.rglob("[!.]*"))
            if path.is_file() and (name := os.fsdecode(path.relative_to(self.place)))
        }

    def organize(self, way: Way) -> Organized:
        return self.index.organize(
            self.dest, action=way.action, rest=True, keep="largest", name=way.name, folder=way.folder
        )


@dataclass
class Person:
    """Somebody who is at work in the same folders, and whose bytes are nobody's to lose either."""

    edited: dict[str, str] = field(default_factory=dict)
    """New digest -> the digest that the file had."""
    added: set[str] = field(default_factory=set)
    """Digests of files made under a name that a step was about to take."""

    @property
    def digests(self) -> set[str]:
        return self.edited.keys() | self.added


NOBODY = Person()


def check(world: World, way: Way, person: Person = NOBODY, *, may_be_kept: bool = False) -> None:
    """No picture is lost or twice, and disk, journal, manifest and catalogue say the same."""
    everything = world.there()
    # What a person made or edited is judged by whether it is there; all else to the byte.
    there = {name: bytes for name, bytes in everything.items() if bytes not in person.digests}
    sources = {name: what[0] for name, what in world.before.items() if what}
    wanted = Counter(sources.values())
    in_dest = {name.partition("/")[2]: bytes for name, bytes in everything.items() if name.startswith("stickers/")}
    dest = os.fsencode(world.dest)
    links = {path.relative_to(world.dest).as_posix() for path in world.dest.rglob("[!.]*") if path.is_symlink()}
    if way.action is Action.MOVE:
        assert Counter(there.values()) <= wanted
        assert wanted - Counter(person.edited.values()) <= Counter(there.values())
    else:
        left = {name: bytes for name, bytes in everything.items() if name in sources}
        assert {name: person.edited.get(bytes, bytes) for name, bytes in left.items()} == sources
        assert set(in_dest.values()) <= {*wanted, *person.digests}
    assert [name for name in tree(world.place) if name.endswith(".part")] == []
    with Catalogue(world.index.path) as catalogue:
        journal = Journal(catalogue)
        batches = journal.batches()
        moves = [move for batch in batches for move in journal.moves(batch.id, list(MoveState))]
        rows = catalogue.connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE content IS NOT NULL AND NOT missing"
        ).fetchall()
        placed = {os.fsdecode(entry.name): entry.digest.hex() for entry in journal.placed(dest)}
    assert {batch.state for batch in batches} <= {BatchState.APPLIED, BatchState.UNDONE}
    assert {move.state for move in moves} <= {
        *(MoveState.DONE, MoveState.SKIPPED, MoveState.UNDONE),
        *([MoveState.KEPT] if may_be_kept else []),
    }
    done = {
        os.fsdecode(os.path.relpath(move.step.target_bytes, dest)): move.step.digest.hex()
        for move in moves
        if move.state in (MoveState.DONE, MoveState.KEPT)
    }
    said = dict(in_dest)
    for name, bytes in in_dest.items():
        if bytes in person.digests and name not in done:
            del said[name]
        elif bytes in person.edited and (way.action is not Action.COPY or person.edited[bytes] == done[name]):
            said[name] = done[name]
    # A link whose picture was taken away by a person leads nowhere.
    said |= {name: done[name] for name in links if name in done and name not in said}
    assert said == done == manifest(world.dest) == placed
    by_person = {name for name, bytes in everything.items() if bytes in person.digests}
    known = {os.fsdecode(os.path.relpath(os.path.join(*row), os.fsencode(world.place))) for row in rows}
    assert known - by_person == set(everything) - by_person


def count(mode: str, run: Callable[[], object]) -> list[str]:
    with mortal(mode) as death:
        run()
    return death.points


def killed(mode: str, at: int, run: Callable[[], object]) -> None:
    with mortal(mode, at), pytest.raises(Killed):
        run()


@contextmanager
def told(points: list[str], at: int, what: str = "killed") -> Iterator[None]:
    """A failure names the point."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"{what} at point {at} of {len(points)}: {points[max(0, at - 6) : at]}")
        raise


class FaultScene(Protocol):
    """One command in one mode, begun from the same state each time."""

    def count(self) -> list[str]:
        """The points of an undisturbed run."""
        ...

    def meets(self, fault: Fault, at: int) -> bool:
        """Runs the command with the fault at that point. Whether it could happen there."""
        ...

    def judge(self) -> None:
        """Checks what the run left behind."""
        ...


def points_of(total: int, thorough: bool, salt: int, sample: int) -> list[int]:
    """The points to try: all, or `sample` of them, spread out."""
    if thorough:
        return list(range(1, total + 1))
    step = max(1, total // sample)
    return list(range(1 + salt % step, total + 1, step))[:sample]


def meet_every_fault(
    scene: FaultScene, mode: str, command: str, tally: dict[tuple[str, str, str], int], *, thorough: bool, sample: int
) -> None:
    """Meets each of FAULTS at the points to try, judges each run, and counts the runs in tally."""
    points = scene.count()
    assert points
    for salt, fault in enumerate(FAULTS):
        tried = 0
        for at in points_of(len(points), thorough, 7 * salt + len(mode), sample):
            with told(points, at, f"{mode}, {command}, {fault.name}"):
                if scene.meets(fault, at):
                    tried += 1
                    scene.judge()
        tally[mode, command, fault.name] = tried
