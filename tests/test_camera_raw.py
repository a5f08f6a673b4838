"""Camera raws are distinguished from TIFF by their structure, and never judged or named by their thumbnail."""

import os
import struct
import sys
from pathlib import Path

import pytest
from builders import content, file
from pictures import draw, write
from tiffs import ASCII, BYTE, LONG, SENSOR, SHORT, Tags, grey, mosaic, tiff, with_pixels

from hashindex import HashIndex
from hashindex.core.installation import how_to_install
from hashindex.core.options import Limits
from hashindex.core.organizing import Action, PlaceOptions
from hashindex.disk.files import FolderNames
from hashindex.organize.plan import Alike, make_plan
from hashindex.pictures.camera_raw import format_of
from hashindex.pictures.decode import decode, undecoded
from hashindex.pictures.formats import FORMATS, HEAD_BYTES, has_picture_extension, sniff
from hashindex.pictures.frames import small_frames

LIMITS = Limits()
THUMBNAIL = draw(1, (96, 64)).convert("L").tobytes()
REDUCED: Tags = {254: (LONG, 1)}


def made_by(maker: bytes) -> Tags:
    return {271: (ASCII, maker + b"\0")}


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


RAWS = {
    "dng of one thumbnail": ("dng", with_pixels(THUMBNAIL, 96, {**REDUCED, 50706: (BYTE, (1, 4, 0, 0))})),
    "dng with its tags at the end": ("dng", b"II*\0" + struct.pack("<I", 9000) + bytes(8992) + tiff(
        [{**REDUCED, 50706: (BYTE, (1, 4, 0, 0))}])[8:]),
    "dng of a phone": ("dng", mosaic(16, 16)),
    "nef": ("nef", with_pixels(THUMBNAIL, 96, {**REDUCED, **made_by(b"NIKON CORPORATION")}, [SENSOR])),
    "nef, big end first": (
        "nef", with_pixels(THUMBNAIL, 96, {**REDUCED, **made_by(b"NIKON CORPORATION")}, [SENSOR], order=">")),
    "nef of a thumbnail": ("nef", with_pixels(THUMBNAIL, 96, {**REDUCED, **made_by(b"NIKON")})),
    "arw": ("arw", with_pixels(THUMBNAIL, 96, {**REDUCED, **made_by(b"SONY")}, [{**SENSOR, 259: (SHORT, 32767)}])),
    "pef": ("pef", tiff([{**SENSOR, **made_by(b"PENTAX Corporation"), 259: (SHORT, 65535)}])),
    "srw": ("srw", tiff([{**REDUCED, **made_by(b"SAMSUNG")}], [{**SENSOR, 259: (SHORT, 32770)}])),
    "3fr": ("3fr", tiff([{**REDUCED, **made_by(b"Hasselblad")}], [SENSOR])),
    "raw of an unknown maker": ("raw", tiff([{**REDUCED, **made_by(b"Nobody")}], [SENSOR])),
    "raw of a new kind": ("raw", tiff([{**REDUCED, **made_by(b"Nobody")}], [{254: (LONG, 0), 259: (SHORT, 50000)}])),
    "raw without a maker": ("raw", tiff([grey(THUMBNAIL, 96, 8)], [{262: (SHORT, 34892)}])),
    "raw in the second page": ("cr2", tiff([made_by(b"Canon"), SENSOR])),
    "cr2": ("cr2", tiff([made_by(b"Canon")], magic=b"II*\0\x10\0\0\0CR\2\0" + bytes(4))),
    "iiq": ("iiq", tiff([made_by(b"Phase One")], magic=b"II*\0\x10\0\0\0IIII" + bytes(4))),
    "orf": ("orf", b"IIRO\x08\0\0\0" + bytes(40)),
    "orf of an older camera": ("orf", b"IIRS\x08\0\0\0" + bytes(40)),
    "orf, big end first": ("orf", b"MMOR\0\0\0\x08" + bytes(40)),
    "rw2": ("rw2", b"IIU\0\x18\0\0\0" + bytes(40)),
    "raf": ("raf", b"FUJIFILMCCD-RAW 0201FF383501" + bytes(40)),
    "crw": ("crw", b"II\x1a\0\0\0HEAPCCDR" + bytes(40)),
    "x3f": ("x3f", b"FOVb\0\0\3\0" + bytes(40)),
    "mrw": ("mrw", b"\0MRM\0\0\1\0" + bytes(40)),
    "cr3": ("cr3", box(b"ftyp", b"crx \0\0\0\1crx isom") + bytes(40)),
}  # fmt: skip


@pytest.mark.parametrize("name", RAWS)
def test_a_camera_raw_is_recognised_by_its_structure(name: str) -> None:
    kind, data = RAWS[name]
    assert sniff(data[:HEAD_BYTES]) is not None
    assert format_of(data) is FORMATS[kind]
    assert has_picture_extension(f"DSC_0001.{kind.upper()}".encode())


@pytest.mark.parametrize(
    "data",
    [
        with_pixels(THUMBNAIL, 96, {}),
        with_pixels(THUMBNAIL, 96, made_by(b"Canon")),
        with_pixels(THUMBNAIL, 96, made_by(b"Nikon Scanner")),
        with_pixels(THUMBNAIL, 96, REDUCED),
        tiff([grey(THUMBNAIL, 96, 8), {**REDUCED, **grey(THUMBNAIL, 96, 8)}]),
        tiff([{**REDUCED, **made_by(b"NIKON")}, grey(THUMBNAIL, 96, 8)]),
        b"II*\0\x08\0\0\0",
        b"II*\0" + b"\xff" * 60,
        b"MM\0*\0\0\0\x08\xff\xff" + bytes(30),
    ],
)
def test_any_other_tiff_is_a_tiff(data: bytes) -> None:
    assert format_of(data) is FORMATS["tiff"]


def test_words_that_begin_as_a_raw_does_are_words() -> None:
    assert [sniff(head) for head in (b"FOVback to you all", b"IIROC, an organization", b"IIU is a school")] == [
        None
    ] * 3


@pytest.mark.parametrize("name", RAWS)
def test_a_raw_that_cannot_be_read_here_says_how_to_read_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    monkeypatch.delitem(sys.modules, "hashindex.pictures.raw_opener", raising=False)
    kind, data = RAWS[name]
    read = decode(data, LIMITS)
    words = "camera raw" if kind == "raw" else f"camera raw ({kind.upper()})"
    problem = f"{words} pictures need an extra: {how_to_install('raw')}"
    assert (read.format, read.prepared, read.signature, read.problem) == (kind, None, None, problem)
    assert undecoded(data, "it crashed the decoder").format == kind


def test_a_raw_beside_the_tiff_of_its_thumbnail_is_in_no_group_and_has_a_row(index: HashIndex, folder: Path) -> None:
    write(folder / "DSC_1.NEF", RAWS["nef"][1])
    write(folder / "DSC_1.tif", with_pixels(THUMBNAIL, 96, {}))
    write(folder / "DSC_1 copy.tif", with_pixels(THUMBNAIL, 96, {270: (ASCII, b"a copy\0")}))
    index.scan([folder])
    groups = [{os.path.basename(member.file.path_bytes) for member in group.members} for group in index.groups()]
    assert groups == [{b"DSC_1.tif", b"DSC_1 copy.tif"}]
    assert [os.path.basename(problem.path_bytes) for problem in index.problems()] == [b"DSC_1.NEF"]


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in RAWS.values()}))
def test_a_raw_keeps_the_suffix_of_its_kind_when_it_is_placed(kind: str) -> None:
    raw = Alike((file(b"/a.tif", content(1, format=kind)),))
    plan = make_plan([raw], b"/out", Action.COPY, PlaceOptions(), placed=[], taken=FolderNames([], []))
    assert plan.steps[0].target_bytes == os.path.join(b"/out", f"00001.{kind}".encode())


def test_a_raw_is_read_whole_and_not_by_its_thumbnail() -> None:
    pytest.importorskip("rawpy", reason="needs the extra 'raw'")
    data = mosaic()
    read = decode(data, LIMITS)
    assert (read.format, read.width, read.height, read.problem) == ("dng", 320, 240, None)
    assert read.prepared is not None and read.signature is not None
    levels = read.prepared
    assert levels[2 * 64 + 2] < levels[2 * 64 + 60] < levels[60 * 64 + 60]
    ((picture, _),) = small_frames(data, LIMITS, 100)
    assert picture.size == (100, 75)
    assert "more than the limit" in (decode(data, Limits(pixels=99)).problem or "")


def test_a_raw_that_is_cut_off_is_said_to_be_so() -> None:
    pytest.importorskip("rawpy", reason="needs the extra 'raw'")
    data = mosaic()
    cut, empty = decode(data[: len(data) // 2], LIMITS), decode(RAWS["dng of one thumbnail"][1], LIMITS)
    assert cut.problem == "the camera raw (DNG) is cut off: it ends before the picture does"
    assert (empty.format, empty.prepared) == ("dng", None)
    assert empty.problem == "this kind of camera raw (DNG) cannot be read"
