"""Tests of what one folder's listing means: each rule on its own, then all in one folder."""

import pytest

from hashindex.core.bounds import LARGEST, SMALLEST
from hashindex.core.messages import ListedFile
from hashindex.disk import diff
from hashindex.disk.diff import RACY_NS, FolderDiff, KnownFile, KnownFolder, ToRead, is_unchanged

MTIME = 1_700_000_000_000_000_000
CTIME = MTIME + 5
LATER = MTIME + 3_600_000_000_000

PICTURE = KnownFile(
    size=100,
    mtime_ns=MTIME,
    looked_ns=LATER,
    elsewhere=False,
    content=1,
    problem=None,
    retry=False,
    missing=False,
    ctime_ns=CTIME,
)
OTHER = PICTURE._replace(content=None)
BROKEN = PICTURE._replace(content=None, problem="it is cut off")
MISSING = PICTURE._replace(missing=True)


def seen(
    name: bytes = b"a.jpg", size: int = 100, mtime_ns: int = MTIME, device: int = 1, ctime_ns: int | None = CTIME
) -> ListedFile:
    return name, size, mtime_ns, device, ctime_ns


def read(name: bytes = b"a.jpg", size: int = 100) -> ToRead:
    """It is read, and hashed only if its content is new."""
    return ToRead(name, size, decode=False)


def decoded(name: bytes = b"a.jpg", size: int = 100) -> ToRead:
    """It is read, and hashed again."""
    return ToRead(name, size, decode=True)


def means(
    unchanged: int = 0,
    other: int = 0,
    to_read: tuple[ToRead, ...] = (),
    returned: tuple[bytes, ...] = (),
    gone: tuple[bytes, ...] = (),
    remounted: int = 0,
) -> FolderDiff:
    return FolderDiff(unchanged, other, remounted, to_read, returned, gone)


def compare(
    known: dict[bytes, KnownFile], listed: list[ListedFile], ignored: set[bytes], stale: set[int]
) -> FolderDiff:
    """In a root that moved to device 1. Stable files may be given as StableRow or KnownFile; the result is equal."""
    stable = {
        name: (b"/pictures", name, file.size, file.mtime_ns, file.content, True, file.ctime_ns)
        for name, file in known.items()
        if not file.elsewhere
        and not file.missing
        and not file.retry
        and file.problem is None
        and abs(file.looked_ns - file.mtime_ns) > RACY_NS
    }
    unstable = {name: file for name, file in known.items() if name not in stable}
    in_full = diff.compare(KnownFolder({}, known), listed, ignored, stale, moved_to=1)
    split = diff.compare(KnownFolder(stable, unstable), listed, ignored, stale, moved_to=1)
    assert split == in_full._replace(gone=split.gone)
    assert sorted(split.gone) == sorted(in_full.gone)
    return split


@pytest.mark.parametrize(
    ("known", "now", "unchanged"),
    [
        pytest.param(PICTURE, seen(), True, id="same size and mtime"),
        pytest.param(PICTURE, seen(size=101), False, id="another size"),
        pytest.param(PICTURE, seen(mtime_ns=MTIME + 1), False, id="newer by a nanosecond"),
        pytest.param(PICTURE, seen(mtime_ns=MTIME - 1), False, id="older by a nanosecond"),
        pytest.param(PICTURE, seen(device=9), True, id="another device"),
        pytest.param(PICTURE, seen(ctime_ns=CTIME + 1), False, id="another ctime: other bytes may have that mtime"),
        pytest.param(PICTURE, seen(ctime_ns=None), True, id="a system without ctime"),
        pytest.param(PICTURE._replace(ctime_ns=None), seen(), True, id="read on a system without ctime"),
        pytest.param(
            PICTURE._replace(mtime_ns=LARGEST, ctime_ns=SMALLEST),
            seen(mtime_ns=2**64 - 1, ctime_ns=-(2**70)),
            True,
            id="numbers beyond what the catalogue can hold",
        ),
        pytest.param(PICTURE._replace(mtime_ns=LARGEST), seen(mtime_ns=LARGEST - 1), False, id="the last but one"),
        pytest.param(PICTURE._replace(retry=True), seen(), False, id="a problem that may pass"),
        pytest.param(BROKEN, seen(), True, id="a problem that stays"),
        pytest.param(OTHER, seen(), True, id="no picture"),
        pytest.param(MISSING, seen(), True, id="was missing"),
        pytest.param(PICTURE._replace(size=0), seen(size=0), True, id="empty"),
        pytest.param(PICTURE._replace(mtime_ns=-1, looked_ns=LATER), seen(mtime_ns=-1), True, id="before 1970"),
    ],
)
def test_is_unchanged_compares_size_and_times(known: KnownFile, now: ListedFile, unchanged: bool) -> None:
    assert is_unchanged(known, now[1], now[2], now[4]) == unchanged


def test_the_racy_window_is_two_seconds() -> None:
    assert RACY_NS == 2_000_000_000


@pytest.mark.parametrize(
    ("read_after_ns", "unchanged"),
    [
        (-RACY_NS - 1, True),
        (-RACY_NS, False),
        (-1, False),
        (0, False),
        (1, False),
        (RACY_NS, False),
        (RACY_NS + 1, True),
    ],
)
def test_a_file_read_within_two_seconds_of_its_mtime_is_not_trusted(read_after_ns: int, unchanged: bool) -> None:
    assert is_unchanged(PICTURE._replace(looked_ns=MTIME + read_after_ns), 100, MTIME, CTIME) == unchanged


def test_an_empty_folder_that_was_empty_means_nothing() -> None:
    assert compare({}, [], set(), set()) == means()


def test_a_new_file_is_read_and_decoded_only_if_its_content_is_new() -> None:
    assert compare({}, [seen()], set(), set()) == means(to_read=(read(),))


def test_a_changed_file_is_read() -> None:
    assert compare({b"a.jpg": PICTURE}, [seen(size=101)], set(), set()) == means(to_read=(read(size=101),))


def test_an_unchanged_picture_costs_one_stat() -> None:
    assert compare({b"a.jpg": PICTURE}, [seen()], set(), set()) == means(unchanged=1)


def test_an_unchanged_file_that_is_no_picture_is_counted_apart() -> None:
    assert compare({b"a.jpg": OTHER}, [seen()], set(), set()) == means(other=1)


def test_an_unchanged_file_with_a_lasting_problem_is_not_read_again() -> None:
    assert compare({b"a.jpg": BROKEN}, [seen()], set(), set()) == means(unchanged=1)


def test_an_unchanged_file_with_a_passing_problem_is_read_again() -> None:
    locked = BROKEN._replace(retry=True)
    assert compare({b"a.jpg": locked}, [seen()], set(), set()) == means(to_read=(read(),))


def test_an_unchanged_picture_with_stale_hashes_is_decoded_again() -> None:
    assert compare({b"a.jpg": PICTURE}, [seen()], set(), {1}) == means(to_read=(decoded(),))


def test_a_stale_content_of_another_file_does_not_matter() -> None:
    assert compare({b"a.jpg": PICTURE}, [seen()], set(), {2}) == means(unchanged=1)


def test_a_changed_picture_is_not_decoded_for_the_sake_of_what_it_was() -> None:
    assert compare({b"a.jpg": PICTURE}, [seen(size=101)], set(), {1}) == means(to_read=(read(size=101),))


def test_a_file_is_gone_when_the_folder_does_not_list_it() -> None:
    assert compare({b"a.jpg": PICTURE}, [], set(), set()) == means(gone=(b"a.jpg",))


@pytest.mark.parametrize("known", [OTHER, BROKEN])
def test_a_file_that_is_no_picture_can_be_gone_too(known: KnownFile) -> None:
    assert compare({b"a.jpg": known}, [], set(), set()) == means(gone=(b"a.jpg",))


def test_a_missing_file_that_is_still_missing_is_not_gone_again() -> None:
    assert compare({b"a.jpg": MISSING}, [], set(), set()) == means()


def test_a_file_that_is_ignored_is_not_gone() -> None:
    assert compare({b".a.jpg": PICTURE}, [], {b".a.jpg"}, set()) == means()


def test_a_missing_file_that_is_there_again_unchanged_is_back() -> None:
    assert compare({b"a.jpg": MISSING}, [seen()], set(), set()) == means(unchanged=1, returned=(b"a.jpg",))


def test_a_missing_file_that_is_no_picture_returns_as_no_picture() -> None:
    known = OTHER._replace(missing=True)
    assert compare({b"a.jpg": known}, [seen()], set(), set()) == means(other=1, returned=(b"a.jpg",))


def test_a_missing_file_that_is_there_again_changed_is_read() -> None:
    assert compare({b"a.jpg": MISSING}, [seen(mtime_ns=MTIME + 1)], set(), set()) == means(to_read=(read(),))


def test_a_missing_file_with_stale_hashes_is_decoded_when_it_is_there_again() -> None:
    assert compare({b"a.jpg": MISSING}, [seen()], set(), {1}) == means(to_read=(decoded(),))


def test_unchanged_files_that_moved_to_another_device_with_their_root_are_counted_and_not_read() -> None:
    elsewhere = PICTURE._replace(elsewhere=True)
    known = {
        b"a.jpg": elsewhere,
        b"b.txt": elsewhere._replace(content=None),
        b"c.jpg": PICTURE,
        b"changed.jpg": elsewhere,
        b"mounted below.jpg": elsewhere,
    }
    listed = [
        seen(b"a.jpg"),
        seen(b"b.txt"),
        seen(b"c.jpg"),
        seen(b"changed.jpg", size=5),
        seen(b"mounted below.jpg", device=2),
    ]
    expected = means(unchanged=3, other=1, remounted=2, to_read=(read(b"changed.jpg", size=5),))
    assert compare(known, listed, set(), set()) == expected


def test_names_are_bytes_and_case_counts() -> None:
    assert compare({b"\xff.JPG": PICTURE}, [seen(b"\xff.jpg")], set(), set()) == means(
        to_read=(read(b"\xff.jpg"),), gone=(b"\xff.JPG",)
    )


def test_each_file_of_a_folder_is_judged_by_itself() -> None:
    known = {
        b"same.jpg": PICTURE,
        b"text.txt": OTHER,
        b"broken.jpg": BROKEN,
        b"stale.jpg": PICTURE._replace(content=2),
        b"changed.jpg": PICTURE,
        b"returned.jpg": MISSING,
        b"lost.jpg": MISSING,
        b"gone.jpg": PICTURE,
        b".hidden.jpg": PICTURE,
    }
    listing = [
        seen(b"same.jpg"),
        seen(b"text.txt"),
        seen(b"broken.jpg"),
        seen(b"stale.jpg"),
        seen(b"changed.jpg", size=5),
        seen(b"returned.jpg"),
        seen(b"new.jpg"),
    ]
    assert compare(known, listing, {b".hidden.jpg"}, {2}) == means(
        unchanged=3,
        other=1,
        to_read=(
            decoded(b"stale.jpg"),
            read(b"changed.jpg", size=5),
            read(b"new.jpg"),
        ),
        returned=(b"returned.jpg",),
        gone=(b"gone.jpg",),
    )
