"""Numbers from outside, whatever they are, and files that cannot be written down: each costs nobody but itself."""

import json
import os
import sqlite3
import struct
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import LONG_AGO_NS, draw, fill, save, write
from test_watch import until, watching

import hashindex.index.scan
from hashindex import HashIndex, Problem, ScanSummary
from hashindex.core.bounds import LARGEST, LONGEST_MS, MOST_PIXELS, SMALLEST
from hashindex.core.errors import CatalogueUnwritable
from hashindex.core.messages import Arrival, Examined, FileStat, Job
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.disk import files, walk
from hashindex.disk.diff import RACY_NS
from hashindex.index.scan import current_pipeline
from hashindex.output.text.status import daemon_json, daemon_text
from hashindex.pictures.examine import examine
from hashindex.pictures.structure import read_structure
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import daemon_lock, daemon_status, state_path
from hashindex.watch.arrivals import ArrivalJudge
from hashindex.watch.organizing import OrganizeSchedule

EDGES = [
    -(2**64),
    SMALLEST - 1,
    SMALLEST,
    -1,
    0,
    1,
    2**31,
    2**32,
    2**53,
    LARGEST,
    LARGEST + 1,
    2**64 - 1,
    2**64,
    2**127,
]
ANY = st.sampled_from(EDGES) | st.integers(-(2**70), 2**70)
ANY_FLOAT = ANY | st.floats()


def stat_of(info: os.stat_result, **said: int) -> Any:
    """What a file system might say instead."""
    names = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_dev", "st_ino", "st_mode")
    return SimpleNamespace(**{name: getattr(info, name) for name in names} | said)


def stored(index: HashIndex, columns: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(index.path) as connection:
        return connection.execute(
            f"SELECT {columns} FROM file LEFT JOIN content ON id = content ORDER BY name"
        ).fetchall()


class Here(ThreadPoolExecutor):
    """Examines in this process, where a test can say what the system says."""

    def __init__(self) -> None:
        super().__init__(1)


@given(mtime_ns=ANY, ctime_ns=ANY, device=ANY, inode=ANY)
@settings(max_examples=25, deadline=None)
def test_a_scan_reads_nothing_again_whatever_the_system_says_of_a_file(
    mtime_ns: int, ctime_ns: int, device: int, inode: int
) -> None:
    said = {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns, "st_dev": device, "st_ino": inode}
    true_seen, true_list = files.file_stat, walk.Walk._list

    def listed(self: walk.Walk, folder: bytes, root: bytes) -> Any:
        listing, folders = true_list(self, folder, root)
        listing.files = [(name, size, mtime_ns, device, ctime_ns) for name, size, *_ in listing.files]
        return listing, folders

    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        index, folder = HashIndex(Path(place) / "c.db"), Path(place) / "pictures"
        save(draw(1, (24, 24)), folder / "1.png")
        patch.setattr(files, "file_stat", lambda name, info: true_seen(name, stat_of(info, **said)))
        patch.setattr(walk.Walk, "_list", listed)
        with Here() as executor:
            assert index.scan([folder], executor=executor) == ScanSummary(files=1, digested=1, decoded=1)
            is_racy = abs(stored(index, "looked_ns - mtime_ns")[0][0]) <= RACY_NS
            again = index.scan([folder], executor=executor)
        assert again == ScanSummary(files=1, unchanged=0 if is_racy else 1, digested=int(is_racy))
        assert index.problems() == []


@given(size=ANY, mtime_ns=ANY, ctime_ns=ANY, device=ANY, inode=ANY)
def test_what_stat_says_is_bounded(size: int, mtime_ns: int, ctime_ns: int, device: int, inode: int) -> None:
    info = stat_of(
        os.stat(__file__), st_size=size, st_mtime_ns=mtime_ns, st_ctime_ns=ctime_ns, st_dev=device, st_ino=inode
    )
    seen = files.file_stat(b"a.png", info)
    assert all(SMALLEST <= number <= LARGEST for number in (seen.size, seen.mtime_ns, seen.ctime_ns or 0))
    assert 0 <= seen.device < 2**64
    assert 0 <= seen.inode < 2**64
    assert size < SMALLEST or size > LARGEST or seen.size == size
    assert mtime_ns < SMALLEST or mtime_ns > LARGEST or seen.mtime_ns == mtime_ns


@given(
    st.builds(
        FileStat,
        st.just(b"1.png"),
        *[ANY.map(lambda n: min(max(n, SMALLEST), LARGEST))] * 2,
        *[st.integers(0, 2**64 - 1)] * 2,
        ctime_ns=st.none() | st.integers(SMALLEST, LARGEST),
    ),
    st.builds(Decoded, st.just("png"), *[ANY_FLOAT] * 4, detail=ANY_FLOAT),
)
@settings(max_examples=40, deadline=None)
def test_every_decoded_number_is_stored_as_what_it_is_or_as_unknown(seen: FileStat, decoded: Decoded) -> None:
    bounded = decoded.bounded()
    assert 0 <= bounded.width * bounded.height <= LARGEST
    assert 0 <= bounded.duration_ms <= LONGEST_MS
    with tempfile.TemporaryDirectory() as place:
        index = HashIndex(Path(place) / "c.db")
        with Catalogue(index.path, write=True) as catalogue:
            with catalogue.atomic():
                catalogue.record([Examined(b"/f/1.png", seen, 1, bytes(32), bounded)], {}, {}, current_pipeline(), 1)
            (file,) = catalogue.present_pictures()
        held = file.content
        assert (held.width, held.height, held.frames, held.duration_ms, held.detail) == (*bounded[1:5], bounded.detail)
        assert (file.size, file.mtime_ns) == seen[1:3]
        assert bounded.bounded() == bounded


@pytest.mark.parametrize(
    ("claimed", "width", "duration_ms"),
    [
        pytest.param(Decoded("png", 10, 10, 1, 5), 10, 5, id="what it is"),
        pytest.param(Decoded("png", 2**64 - 1, 10, 1, 2**64 - 1), MOST_PIXELS, 0, id="2^64 - 1"),
        pytest.param(Decoded("png", -1, 10, 1, -1), 0, 0, id="negative"),
        pytest.param(Decoded("png", float("nan"), 10, 1, float("nan")), 0, 0, id="NaN"),  # type: ignore[arg-type]
        pytest.param(Decoded("png", float("inf"), 10, 1, float("inf")), MOST_PIXELS, 0, id="infinite"),  # type: ignore[arg-type]
    ],
)
def test_a_claim_that_can_not_be_is_unknown(claimed: Decoded, width: int, duration_ms: int) -> None:
    assert (claimed.bounded().width, claimed.bounded().duration_ms) == (width, duration_ms)


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I", 8 + len(body)) + kind + body


def avif_sequence(version: int, scale: int, duration: int) -> bytes:
    """The boxes of an AVIF of three frames that say how long they run."""
    times = bytes(16 if version else 8)
    media = bytes([version, 0, 0, 0]) + times + struct.pack(">IQ" if version else ">II", scale, duration)
    sizes = box(b"stbl", box(b"stsz", bytes(4), struct.pack(">II", 1, 3)))
    track = box(b"trak", box(b"mdia", box(b"mdhd", media), box(b"minf", sizes)))
    return box(b"ftyp", b"avis", bytes(4), b"avis") + box(b"moov", track)


@pytest.mark.parametrize(
    ("version", "scale", "duration", "known_ms"),
    [
        pytest.param(1, 1000, 1200, 1200, id="a duration"),
        pytest.param(0, 1000, 2**32 - 1, 0, id="all bits set: unknown"),
        pytest.param(1, 1000, 2**64 - 1, 0, id="all 64 bits set: unknown"),
        pytest.param(1, 1, 2**64 - 2, 0, id="for ever"),
        pytest.param(1, 0, 5, 0, id="no scale"),
    ],
)
def test_an_avif_that_does_not_know_its_duration_is_read(
    version: int, scale: int, duration: int, known_ms: int, index: HashIndex, folder: Path
) -> None:
    data = avif_sequence(version, scale, duration)
    structure = read_structure(data, "avif")
    assert (structure.frames, structure.duration_ms) == (3, known_ms)
    write(folder / "a.avif", data)
    fill(folder, [1])
    assert index.scan([folder]).decoded == 2
    assert index.scan([folder]).unchanged == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such times")
@pytest.mark.parametrize("seconds", [9_224_318_016, -9_277_977_600, 2**33, -1])
def test_a_file_of_another_age_is_in_the_catalogue_and_can_be_placed_and_taken_back(
    seconds: int, index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    paths = fill(folder, [1, 2])
    os.utime(paths[0], (seconds, seconds))
    assert index.scan([folder]) == ScanSummary(files=2, digested=2, decoded=2)
    assert index.scan([folder]) == ScanSummary(files=2, unchanged=2)
    assert index.organize(tmp_path / "placed", rest=True).outcome.done == 2
    assert index.undo().done == 2
    assert index.organize(tmp_path / "moved", rest=True, action="move").outcome.done == 2  # type: ignore[arg-type]
    assert index.undo().done == 2
    assert index.scan([folder]).digested <= 2


# One file that cannot be written down


ERRORS = [
    OverflowError("Python int too large to convert to SQLite INTEGER"),
    sqlite3.IntegrityError("CHECK constraint failed"),
    KeyError("png"),
    RuntimeError("what nobody thought of"),
    MemoryError(),
]


def refuse(patch: pytest.MonkeyPatch, name: bytes, error: Exception) -> None:
    """The catalogue raises when it is to take in what a file of that name holds."""
    true_put = Catalogue._put_content

    def put(self: Catalogue, id: int | None, examined: Examined, *rest: Any) -> int:
        if os.path.basename(examined.path) == name:
            raise error
        return true_put(self, id, examined, *rest)

    patch.setattr(Catalogue, "_put_content", put)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_file_that_cannot_be_written_down_gets_a_row_with_the_reason_and_the_others_are_kept(
    index: HashIndex, folder: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(5))
    refuse(monkeypatch, b"2.png", error)
    told: list[Problem] = []
    summary = index.scan([folder], on_problem=told.append)
    assert (summary.files, summary.problems) == (5, 1)
    assert [problem.path_bytes for problem in told] == [os.fsencode(folder.resolve() / "2.png")]
    assert f"({type(error).__name__}: {error})" in told[0].reason
    assert index.problems() == told
    assert index.status().present == 4
    monkeypatch.undo()
    assert index.scan([folder]) == ScanSummary(files=5, unchanged=4, digested=1, decoded=1)
    assert index.problems() == []


def test_a_file_whose_hashes_cannot_be_computed_is_one_problem(index: HashIndex, folder: Path) -> None:
    """What an executor gives back is not what a decoder of ours gives."""
    fill(folder, range(4))

    class Wrong(Here):
        def submit(self, work: Any, jobs: Sequence[Job], known: Collection[bytes], limits: Limits) -> Any:  # type: ignore[override]
            return super().submit(lambda: [self._spoilt(one) for one in examine(jobs, known, limits)])

        def _spoilt(self, examined: Examined) -> Examined:
            assert examined.decoded is not None
            assert examined.stat is not None
            if examined.path.endswith(b"1.png"):
                return examined._replace(decoded=examined.decoded._replace(prepared=b"short"))
            if examined.path.endswith(b"2.png"):
                return examined._replace(stat=examined.stat._replace(size=2**64, mtime_ns=-(2**64)))
            return examined

    with Wrong() as executor:
        summary = index.scan([folder], executor=executor)
    assert (summary.files, summary.problems) == (4, 2)
    assert [os.path.basename(problem.path_bytes) for problem in index.problems()] == [b"1.png", b"2.png"]
    assert index.status().present == 2


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(sqlite3.OperationalError("database or disk is full"), id="a full disk"),
        pytest.param(CatalogueUnwritable("The catalogue cannot be written."), id="a sentence"),
    ],
)
def test_what_is_no_fault_of_a_file_ends_the_scan_and_blames_none(
    index: HashIndex, folder: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(3))
    refuse(monkeypatch, b"2.png", error)
    with pytest.raises(type(error)):
        index.scan([folder])
    monkeypatch.undo()
    assert index.problems() == []
    assert index.scan([folder]).decoded == 3


def test_an_error_that_even_the_reason_meets_ends_the_scan(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(3))

    def put(*given: object) -> int:
        raise AssertionError("nothing can be written")

    monkeypatch.setattr(Catalogue, "_put_file", put)
    with pytest.raises(AssertionError, match="nothing can be written"):
        index.scan([folder])


def test_a_watch_goes_on_when_a_file_cannot_be_written_down(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, b"2.png", OverflowError("too large"))
    with watching(index, folder) as running:
        fill(folder, range(4))
        for number in (0, 1, 3):
            running.event("new", folder / f"{number}.png")
        assert "too large" in (running.event("problem", folder / "2.png").message or "")
        save(draw(9), folder / "9.png")
        running.event("new", folder / "9.png")
        until(lambda: index.status().present == 4)
    status = index.status().daemon
    assert status is not None
    assert (status.doing, status.failed) == ("stopped", None)


def test_a_watch_goes_on_when_it_cannot_say_what_a_file_is_like(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_classify = ArrivalJudge.classify

    def classify(self: ArrivalJudge, catalogue: Catalogue, arrival: Arrival, *rest: Any, **named: Any) -> Any:
        if arrival.path.endswith(b"2.png"):
            raise IndexError("what nobody thought of")
        return true_classify(self, catalogue, arrival, *rest, **named)

    monkeypatch.setattr(ArrivalJudge, "classify", classify)
    with watching(index, folder) as running:
        fill(folder, [1, 2])
        running.event("new", folder / "1.png")
        assert "what nobody thought of" in (running.event("problem", folder / "2.png").message or "")
    assert index.status().present == 2


def test_a_file_of_the_far_future_beside_others_ends_no_watch(index: HashIndex, folder: Path) -> None:
    with watching(index, folder) as running:
        save(draw(1), folder / "1.png")
        save(draw(2), folder / "2.png", mtime_ns=LARGEST + 1 if os.name == "posix" else LONG_AGO_NS)
        running.event("new", folder / "1.png")
        running.event("new", folder / "2.png")


def test_a_batch_is_written_in_one_transaction_where_all_is_well(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(6))
    batches: list[int] = []
    true_record = Catalogue.record

    def record(self: Catalogue, batch: list[Examined], *rest: Any) -> Any:
        batches.append(len(batch))
        return true_record(self, batch, *rest)

    monkeypatch.setattr(Catalogue, "record", record)
    monkeypatch.setattr(hashindex.index.scan, "BATCH_S", 1000.0)
    index.scan([folder])
    assert batches == [6]


# What a daemon wrote about itself, or somebody in its name


@pytest.mark.parametrize(
    "name", ["started_ns", "written_ns", "swept_ns", "organized_ns", "organizes_ns", "queue", "counts"]
)
def test_any_state_of_a_daemon_is_shown_or_none_is(index: HashIndex, name: str) -> None:
    hostile: tuple[object, ...] = (2**64, -(2**70), 1.5, float("inf"), "soon", None, [], True)
    for number in hostile:
        state = {"pid": 1, "host": "here", "started_ns": 1, "counts": {"new": number}, "doing": "watching"}
        state_path(index.path).write_text(json.dumps(state | {name: number}))
        for alive in (False, True):
            with daemon_lock(index.path, 0.0) if alive else nullcontext():
                status = daemon_status(index.path)
                assert daemon_text(status)
                json.dumps(daemon_json(status))


@pytest.mark.parametrize("organized", [[], 5, {"/stickers": "soon"}, {"/stickers": 2**70}])
def test_a_daemon_starts_whatever_the_last_one_left(index: HashIndex, folder: Path, organized: object) -> None:
    state = {"pid": 1, "host": "here", "started_ns": 1, "organized": organized, "failed": ["no sentence"]}
    state_path(index.path).write_text(json.dumps(state))
    with watching(index, folder, organize=OrganizeSchedule("/stickers", 1e9)) as running:
        assert running.daemon.reporter.state.last_error is None
