"""Walking: what a listing says of every kind of name, and that the short way through a folder says the same."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import LONG_AGO_NS, write

from hashindex.disk.files import HAS_CTIME
from hashindex.disk.walk import Listing, Walk
from hashindex.model import WalkRules

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


def walk(folder: Path, rules: WalkRules, not_ours: frozenset[bytes] = frozenset()) -> list[Listing]:
    """All listings, with files in order: a walk gives them in none."""
    root = os.fsencode(folder.resolve())
    listings = list(Walk([root], rules, not_ours).below(root))
    for listing in listings:
        listing.files.sort()
    return listings


def as_if_globs(rules: WalkRules) -> WalkRules:
    """The same rules with a glob that nothing matches: each name goes the long way."""
    return WalkRules(rules.include, ("no name is like this",), rules.hidden, rules.links)


@posix_only
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("links", [False, True])
def test_a_listing_is_the_same_whether_the_name_alone_decides_or_globs_do(
    folder: Path, tmp_path: Path, hidden: bool, links: bool
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
        rules = WalkRules(hidden=hidden, links=links)
        own = frozenset([os.fsencode(folder.resolve() / "own")])
        short = walk(folder, rules, own)
        assert short == walk(folder, as_if_globs(rules), own)
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
    """A directory entry that fails as told."""

    def __init__(self, entry: os.DirEntry[bytes], error: OSError) -> None:
        self._entry = entry
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        raise self._error


@pytest.mark.parametrize(
    ("error", "left_alone"),
    [
        pytest.param(FileNotFoundError(2, "No such file"), set(), id="gone between listing and stat"),
        pytest.param(PermissionError(13, "Permission denied"), {b"b.png"}, id="not to be asked about"),
        pytest.param(OSError(5, "Input/output error"), {b"b.png"}, id="on a flaky drive"),
    ],
)
@pytest.mark.parametrize("rules", [WalkRules(), as_if_globs(WalkRules())])
def test_a_file_that_cannot_be_asked_about_is_left_alone_and_the_others_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, left_alone: set[bytes], rules: WalkRules
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
    (listing,) = walk(folder, rules)
    assert ([name for name, *_ in listing.files], listing.left_alone) == ([b"a.png", b"c.png"], left_alone)
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
