"""Walking: what a listing says of every kind of name, and that the short way through a folder says the same."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import LONG_AGO_NS, write

from hashindex.core.options import WalkRules
from hashindex.disk.files import HAS_CTIME
from hashindex.disk.walk import Listing, Walk

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


def walk(
    folder: Path, rules: WalkRules, not_ours: frozenset[bytes] = frozenset(), *, long: bool = False
) -> list[Listing]:
    """All listings, with files in order: a walk gives them in none. long: each name goes the long way."""
    root = os.fsencode(folder.resolve())
    way = Walk([root], rules, not_ours)
    if long:
        way._by_name = False
    listings = list(way.below(root))
    for listing in listings:
        listing.files.sort()
    return listings


def taken(folder: Path, rules: WalkRules) -> set[str]:
    """Paths of what a walk takes, below the folder."""
    root = os.fsencode(folder.resolve())
    return {
        os.path.relpath(os.fsdecode(os.path.join(listing.path, name)), folder.resolve()).replace(os.sep, "/")
        for listing in Walk([root], rules).below(root)
        for name, *_ in listing.files
    }


@posix_only
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("patterns", [((), ()), (("*.png", "d.e/"), ()), ((), ("a.*", "d/e.png", "d.e/"))])
def test_a_listing_is_the_same_by_the_short_way_and_by_the_long_one(
    folder: Path, tmp_path: Path, hidden: bool, links: bool, patterns: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    for name in (
        "b.png",
        "a.png",
        ".hidden.png",
        ".hidden/c.png",
        "d/e.png",
        "d/.f",
        "d.e/f",
        ".hashindex.jsonl",
        "own",
    ):
        write(folder / name, name.encode())
    write(tmp_path / "outside" / "g.png", b"")
    (folder / "link.png").symlink_to(tmp_path / "outside" / "g.png")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        rules = WalkRules(*patterns, hidden=hidden, links=links)
        own = frozenset([os.fsencode(folder.resolve() / "own")])
        short = walk(folder, rules, own)
        assert short == walk(folder, rules, own, long=True)
    if any(patterns):
        return
    first = short[0]
    info = os.stat(folder / "b.png")
    assert (b"b.png", 5, LONG_AGO_NS, info.st_dev, info.st_ctime_ns if HAS_CTIME else None) in first.files
    names = {name for name, *_ in first.files}
    assert names == {b"a.png", b"b.png"} | ({b".hidden.png"} if hidden else set()) | ({b"link.png"} if links else set())
    assert first.special == [(b"pipe.png", "a named pipe"), (b"socket", "a socket")]
    assert first.has_manifest
    # Parents first, in byte order of the names: "d" is whole before "d.e" begins.
    places = [os.path.relpath(listing.path, first.path) for listing in short]
    assert places[0] == b"."
    assert [place for place in places[1:] if place.startswith(b"d")] == [b"d", b"d.e"]


class Entry:
    """A directory entry that fails with the given error."""

    def __init__(self, entry: os.DirEntry[bytes], error: OSError) -> None:
        self._entry = entry
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        raise self._error


@pytest.mark.parametrize(
    ("error", "ignored"),
    [
        pytest.param(FileNotFoundError(2, "No such file"), set(), id="gone between listing and stat"),
        pytest.param(PermissionError(13, "Permission denied"), {b"b.png"}, id="not to be asked about"),
        pytest.param(OSError(5, "Input/output error"), {b"b.png"}, id="on a flaky drive"),
    ],
)
@pytest.mark.parametrize("long", [False, True])
def test_a_file_that_cannot_be_asked_about_is_ignored_and_the_others_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, ignored: set[bytes], long: bool
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write(folder / name, b"")
    real = os.scandir

    class Scan:
        def __init__(self, path: bytes) -> None:
            self._real = real(path)

        def __enter__(self) -> Iterator[Any]:
            return (Entry(entry, error) if entry.name == b"b.png" else entry for entry in self._real)

        def __exit__(self, *_: object) -> None:
            self._real.close()

    monkeypatch.setattr(os, "scandir", Scan)
    (listing,) = walk(folder, WalkRules(), long=long)
    assert ([name for name, *_ in listing.files], listing.ignored) == ([b"a.png", b"c.png"], ignored)
    assert listing.problem is None


def test_a_listing_that_breaks_off_in_its_middle_is_a_problem_and_lists_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.png", b"")
    (folder / "below").mkdir()
    real = os.scandir

    class Scan:
        def __init__(self, path: bytes) -> None:
            self._real = real(path)

        def __enter__(self) -> Iterator[os.DirEntry[bytes]]:
            yield from self._real
            raise OSError(5, "Input/output error")

        def __exit__(self, *_: object) -> None:
            self._real.close()

    monkeypatch.setattr(os, "scandir", Scan)
    path = os.fsencode(folder.resolve())
    assert walk(folder, WalkRules()) == [Listing(path, problem="the folder cannot be read: input/output error")]


def folders_listed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The folders that are listed from now on."""
    listed: list[bytes] = []
    real = os.scandir

    def scandir(path: bytes) -> Any:
        listed.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return listed


NAMES = ("a.png", "b.gif", "old/a.png", "old/x/b.gif", "x/old/a.png", "x/y/old/a.png", "[1] x/a.png", "old.png")


@pytest.fixture
def names(folder: Path) -> Path:
    for name in NAMES:
        write(folder / name, b"")
    return folder


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [
        (("old/",), {"old/a.png", "old/x/b.gif", "x/old/a.png", "x/y/old/a.png"}),
        (("/old",), {"old/a.png", "old/x/b.gif"}),
        (("*/old/*",), {"x/old/a.png"}),
        (("**/old/*.png",), {"old/a.png", "x/old/a.png", "x/y/old/a.png"}),
        (("*.gif", "!x/"), {"b.gif", "old/x/b.gif"}),
        (("*.gif", "!b.gif"), set()),
        (("old/**", "!old/x/", "!old/x/b.gif"), {"old/a.png"}),
        (("old/", "!old/a.png"), {"old/a.png", "old/x/b.gif", "x/old/a.png", "x/y/old/a.png"}),
        ((r"\[1\] x/",), {"[1] x/a.png"}),
        (("[1] x",), set()),
    ],
)
def test_a_walk_leaves_out_what_is_excluded_and_all_below_it(
    names: Path, patterns: tuple[str, ...], left_out: set[str]
) -> None:
    assert taken(names, WalkRules(exclude=patterns)) == set(NAMES) - left_out


@pytest.mark.parametrize(
    ("patterns", "inside"),
    [
        (("*.gif",), {"b.gif", "old/x/b.gif"}),
        (("old/",), {"old/a.png", "old/x/b.gif", "x/old/a.png", "x/y/old/a.png"}),
        (("/old/", "!x/"), {"old/a.png"}),
        (("x/**/*.png",), {"x/old/a.png", "x/y/old/a.png"}),
        (("*.png", "!old/*.png"), {"a.png", "x/old/a.png", "x/y/old/a.png", "[1] x/a.png", "old.png"}),
    ],
)
def test_a_walk_takes_what_is_included_and_all_below_it(
    names: Path, patterns: tuple[str, ...], inside: set[str]
) -> None:
    assert taken(names, WalkRules(include=patterns)) == inside


def test_an_excluded_folder_is_not_entered(names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = folders_listed(monkeypatch)
    walk(names, WalkRules(exclude=("old/",)))
    assert {os.path.basename(path) for path in listed} == {b"pictures", b"x", b"y", b"[1] x"}


def test_single_names_and_folders_follow_the_same_patterns(names: Path) -> None:
    """As in the daemon, which receives events for single paths."""
    root = os.fsencode(names.resolve())
    rules = WalkRules(exclude=("old/", "!a.png", "*.gif"))
    whole = {listing.path: listing for listing in Walk([root], rules).below(root)}
    for name in NAMES:
        folder, base = os.path.split(os.path.join(root, os.fsencode(name).replace(b"/", os.sep.encode())))
        single, _ = Walk([root], rules).list_names(folder, [base], root)
        inside = folder in whole and base in {file[0] for file in whole[folder].files}
        assert bool(single.files) == inside, name
        assert (base in single.ignored) == (not inside), name


def test_patterns_count_from_the_innermost_root_whichever_is_walked_first(names: Path) -> None:
    root = os.fsencode(names.resolve())
    inner = os.path.join(root, b"x")
    rules = WalkRules(exclude=("/old/",))
    for roots, others in (([root, inner], []), ([inner, root], []), ([root], [inner])):
        way = Walk(roots, rules, other_roots=others)
        met = {listing.path for folder in roots for listing in way.below(folder)}
        assert met == {
            root,
            inner,
            *(os.path.join(root, name.encode()) for name in (f"x{os.sep}y", f"x{os.sep}y{os.sep}old", "[1] x")),
        }


def test_hidden_files_that_were_left_out_are_counted(folder: Path) -> None:
    for name in ("a.png", ".b.png", ".DS_Store", ".thumb/c.png", ".thumb/x/d.png", ".thumb/e.tmp", ".no/f.png"):
        write(folder / name, b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / ".pipe")
    root = os.fsencode(folder.resolve())
    for long in (False, True):
        way = Walk([root], WalkRules(exclude=(".no/",)))
        way._by_name = not long
        list(way.below(root))
        assert way.hidden == 3  # .b.png, c.png, d.png
    everything = Walk([root], WalkRules(hidden=True))
    list(everything.below(root))
    assert everything.hidden == 0


def test_a_hidden_root_inside_another_root_is_not_counted_as_left_out(folder: Path) -> None:
    write(folder / ".config" / "QQ" / "a.png", b"")
    write(folder / ".config" / "b.png", b"")
    root = os.fsencode(folder.resolve())
    way = Walk([root], WalkRules(), other_roots=[os.path.join(root, b".config", b"QQ")])
    list(way.below(root))
    assert way.hidden == 1


def test_hidden_files_are_counted_up_to_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashindex.disk.walk.HIDDEN_MOST", 5)
    for number in range(8):
        write(folder / ".thumb" / f"{number}.png", b"")
        write(folder / f".{number}.png", b"")
    root = os.fsencode(folder.resolve())
    way = Walk([root], WalkRules())
    list(way.below(root))
    assert way.hidden == 5


def test_counting_stops_in_hidden_folders_without_wanted_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        write(folder / ".cache" / str(number) / "page.html", b"")
    monkeypatch.setattr("hashindex.disk.walk.HIDDEN_NAMES_MOST", 3)
    listed = folders_listed(monkeypatch)
    walk(folder, WalkRules(include=("*.png",)))
    assert [os.path.basename(path) for path in listed] == [b"pictures", b".cache"]
