"""Hostile pictures through real scans: damaged at every byte, bombs, and what only looks like a picture."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from hostile_pictures import (
    apng,
    bombs,
    cut,
    flipped,
    gif,
    jpeg_of_scans,
    no_pictures,
    polyglots,
    saved,
    small_picture,
    webp_animation,
    whole_files,
)
from pictures import draw, save
from PIL import Image

from hashindex import HashIndex, Limits, ScanOptions, UsageError
from hashindex.core.messages import Placed
from hashindex.index import decisions
from hashindex.index.scan import scan
from hashindex.pictures.decode import decode
from hashindex.pictures.formats import FORMATS
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.signature import unpack
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import daemon_status, state_path

SMALL = ScanOptions(limits=Limits(pixels=300_000, frames=200, seconds=20.0), workers=2)
BOMBS = bombs()
HEAVY = {
    name for name in BOMBS if any(word in name for word in ("110 million", "500,000", "300,000", "60 MB", "40 MB"))
}
"""Those that take this program long to make, or are large."""


def test_every_damaged_file_has_a_row_and_none_ends_the_scan(index: HashIndex, folder: Path) -> None:
    made = set()
    for kind, data in whole_files().items():
        parts = [part for number, part in enumerate(cut(data)) if number % 12 == 0]
        for number, part in enumerate([*parts, *flipped(data, 25, seed=7)]):
            (folder / f"{number}.{kind}").write_bytes(part)
            made.add(os.fsencode(f"{number}.{kind}"))
    # Without the judgement of pairs that follows a scan: all of them are one picture.
    with Catalogue(index.path, write=True) as catalogue:
        assert scan(catalogue, [os.fsencode(folder)], SMALL).files == len(made)
    connection = sqlite3.connect(index.path)
    assert {name for (name,) in connection.execute("SELECT name FROM file")} == made
    connection.close()
    assert not [problem for problem in index.problems() if "left out" in problem.reason]


@pytest.mark.parametrize("name", sorted(BOMBS.keys() - HEAVY))
def test_a_bomb_is_refused_by_its_header_or_costs_itself_alone(name: str) -> None:
    # Small limits make a bomb of what is slow with the usual ones; what is read at all is read within them.
    with IsolatedWorker(SMALL.limits) as alone:
        read = alone.run(decode, BOMBS[name](), SMALL.limits)
    assert read.prepared is not None or read.problem is not None
    assert read.prepared is None or read.width * read.height <= SMALL.limits.pixels


def test_a_scan_of_bombs_keeps_the_pictures_between_them(index: HashIndex, folder: Path) -> None:
    names = sorted(BOMBS.keys() - HEAVY)
    for number, name in enumerate(names):
        (folder / f"{number}.{name.rsplit('.', 1)[1]}").write_bytes(BOMBS[name]())
        save(draw(number), folder / f"{number} sound.png")
    summary = index.scan([folder], SMALL)
    assert summary.files == 2 * len(names)
    assert len(names) > 15
    troubled = {os.fsdecode(os.path.basename(problem.path_bytes)) for problem in index.problems()}
    assert not [name for name in troubled if "sound" in name]


def test_scans_that_say_nothing_are_ended_by_the_clock(index: HashIndex, folder: Path) -> None:
    # 1,200 megapixels of progressive scans in one call of C: seconds on any machine, whatever a signal handler says.
    (folder / "a.jpg").write_bytes(jpeg_of_scans(9000, 9000, 1_000))
    save(draw(1), folder / "b.png")
    assert index.scan([folder], ScanOptions(limits=Limits(seconds=0.4))).problems == 1
    assert index.problems()[0].reason == "decoding it takes longer than 0.4 seconds; it was left out"


@pytest.mark.parametrize(
    "data",
    [apng(400, (3000, 3000)), gif((6000, 6000), 400), webp_animation((4000, 4000), 300)],
    ids=["apng", "gif", "webp"],
)
def test_an_endless_animation_of_giants_is_looked_at_in_a_few_frames(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeks: list[int] = []
    for plugin in ("Gif", "Png", "WebP"):
        file = getattr(import_module(f"PIL.{plugin}ImagePlugin"), f"{plugin}ImageFile")
        monkeypatch.setattr(file, "seek", noted(file.seek, seeks))
    assert decode(data, Limits()).prepared is not None
    assert 0 < len(seeks) <= 40


def noted(seek: Callable[..., None], seeks: list[int]) -> Callable[..., None]:
    def seek_noted(self: object, frame: int) -> None:
        seeks.append(frame)
        seek(self, frame)

    return seek_noted


def test_scripts_documents_and_archives_are_never_pictures(index: HashIndex, folder: Path) -> None:
    for name, data in no_pictures().items():
        (folder / name).write_bytes(data)
    summary = index.scan([folder])
    assert (summary.decoded, summary.problems) == (0, len(no_pictures()))
    assert not Path("/tmp/hashindex-was-here").exists()


def test_a_polyglot_is_the_picture_that_it_is_and_nothing_else(index: HashIndex, folder: Path) -> None:
    for name, data in polyglots().items():
        (folder / name).write_bytes(data)
    summary = index.scan([folder])
    assert (summary.decoded, summary.problems) == (len(polyglots()), 0)


WATCHED = """
import os, sys
started = []
sys.addaudithook(lambda event, arguments: started.append((event, arguments[:1])) if event in {
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "os.forkpty",
    "socket.connect", "socket.getaddrinfo", "urllib.Request", "webbrowser.open", "ctypes.dlopen",
} else None)
from hashindex.pictures.decode import decode
from hashindex.pictures.frames import small_frames
from hashindex.pictures.pixel_digest import pixel_digest
from hashindex.core.errors import UnreadablePicture
from hashindex.core.options import Limits
limits = Limits(pixels=300_000)
for path in sys.argv[1:]:
    with open(path, "rb") as source:
        data = source.read()
    decode(data, limits)
    pixel_digest(data, limits)
    try:
        small_frames(data, limits, 64, 4)
    except UnreadablePicture:
        pass
print(started)
print(" ".join(sorted(name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin"))))
"""


def test_no_decoder_beyond_the_list_is_imported_and_no_process_started(tmp_path: Path) -> None:
    files = {**no_pictures(), **polyglots(), **{f"whole.{kind}": data for kind, data in whole_files().items()}}
    for kind, data in whole_files().items():
        # What the first bytes of one format promise may be another one's picture: nobody else may be asked.
        files[f"half.{kind}"] = data[: len(data) // 2]
        files[f"behind.{kind}"] = data[:16] + no_pictures()["postscript.jpg"]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", WATCHED, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    started, imported = done.stdout.splitlines()
    assert started == "[]"
    known = {form.plugin for form in FORMATS.values()} | {"PIL.BmpImagePlugin", "PIL.TiffImagePlugin"}
    assert set(imported.split()) - known == set()
    for dangerous in ("Eps", "Pdf", "Wmf", "Fpx", "Mic", "Hdf5Stub", "BufrStub", "GribStub", "Mpeg", "Icns", "Gbr"):
        assert f"PIL.{dangerous}ImagePlugin" not in imported.split()


# Findings of benchmarks/fuzz.py, each with its input or the like of it.


@pytest.mark.parametrize(
    "line",
    [
        '{"number": 1, "copy": 0, "name": "\\ud800.png", "sha256": "%s"}' % ("00" * 32),
        '{"number": 1, "copy": 0, "name": "..", "sha256": "%s"}' % ("00" * 32),
        '{"number": 1, "copy": 0, "name": ".", "sha256": "%s"}' % ("00" * 32),
        '{"number": 1, "copy": 0, "name": "", "sha256": "%s"}' % ("00" * 32),
        '{"number": 1, "copy": 0, "name": "a\\u0000b", "sha256": "%s"}' % ("00" * 32),
        *(
            f'{{"number": 1, "copy": 0, "name": "{name}", "sha256": "{64 * chr(48)}"}}'
            for name in ("../a.png", "a/../../b.png", "/a.png", "a//b.png", "a/", "./a.png", "a/.", "a/\\u0000/b")
        ),
        "[" * 100_000,
        "{" * 100_000,
    ],
)
def test_a_line_of_a_manifest_names_a_file_below_its_folder_or_nothing(line: str) -> None:
    assert Placed.from_line(line) is None


def test_words_nested_without_end_are_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match="It, line 1 is not a decision"):
        decisions.from_lines(["[" * 100_000], "It")


@pytest.mark.parametrize(
    "state",
    [
        '{"pid": 1, "host": "h", "started_ns": 1, "roots": [{"pazh": "/a", "how": "events", "why": null}]}',
        '{"pid": 1, "host": "h", "started_ns": 1, "roots": [5]}',
        '{"pid": 1, "host": "h", "started_ns": 1, "roots": [{"path": "\\ud800", "how": "events", "why": null}]}',
        '{"pid": 1, "host": "h", "started_ns": 1, "counts": 7}',
    ],
)
def test_damaged_fields_of_a_daemon_s_state_are_left_out(state: str, tmp_path: Path) -> None:
    catalogue = tmp_path / "c.db"
    state_path(catalogue).write_text(state)
    status = daemon_status(catalogue)
    assert status is not None
    assert (status.pid, status.host, status.roots, status.counts) == (1, "h", (), {})


@pytest.mark.parametrize("state", ['{"pid": "1", "host": "h", "started_ns": 1}', "[" * 100_000, "null"])
def test_a_state_that_names_no_process_is_no_status(state: str, tmp_path: Path) -> None:
    catalogue = tmp_path / "c.db"
    state_path(catalogue).write_text(state)
    assert daemon_status(catalogue) is None


def signature_of(picture: Image.Image) -> bytes:
    made = decode(saved(picture, "PNG"), Limits()).signature
    assert made is not None
    return made


def test_a_damaged_signature_is_a_value_error_and_asks_for_nothing() -> None:
    transparent = small_picture((64, 48)).convert("RGBA")
    transparent.putpixel((3, 3), (0, 0, 0, 0))
    for whole in (signature_of(small_picture((64, 48))), signature_of(transparent)):
        # 256 TB of frames, and a mask that inflates to 300 MB.
        giant = bytearray(whole)
        giant[14:18] = b"\xff\xff\xff\xff"
        with pytest.raises(ValueError, match="signature"):
            unpack(bytes(giant))
        for at in range(len(whole)):
            damaged = bytearray(whole)
            damaged[at] ^= 0x55
            for data in (bytes(damaged), whole[:at]):
                try:
                    unpack(data)
                except ValueError:
                    continue
