"""Frames, duration and wholeness from the blocks of a file, without decoding it."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hashindex.pictures.structure import Structure, read_structure


def frames(count: int) -> list[Image.Image]:
    made = []
    for number in range(count):
        image = Image.new("RGB", (60, 40), "white")
        ImageDraw.Draw(image).ellipse((number * 5, 5, number * 5 + 20, 35), fill=(200, 30 * number % 256, 10))
        made.append(image)
    return made


def animation(kind: str, durations: list[int]) -> bytes:
    out = io.BytesIO()
    first, *rest = frames(len(durations))
    first.save(out, kind, save_all=True, append_images=rest, duration=durations if rest else durations[0])
    return out.getvalue()


def still(kind: str) -> bytes:
    out = io.BytesIO()
    frames(1)[0].save(out, kind)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp")])
def test_an_animation_is_counted_and_timed(kind: str, name: str) -> None:
    data = animation(kind, [40, 100, 0, 250])
    assert read_structure(data, name) == Structure(4, 390, True, (60, 40))


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("JPEG", "jpeg")])
def test_a_still_is_one_frame_without_duration(kind: str, name: str) -> None:
    assert read_structure(still(kind), name) == Structure(1, 0, True, (60, 40))


def test_every_kind_of_webp_says_its_size() -> None:
    for options in ({"lossless": True}, {"quality": 80}, {"quality": 80, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}):
        out = io.BytesIO()
        frames(1)[0].save(out, "WEBP", **options)
        assert read_structure(out.getvalue(), "webp") == Structure(1, 0, True, (60, 40))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (animation("GIF", [40] * 4), "gif"),
        (animation("PNG", [40] * 4), "png"),
        (animation("WEBP", [40] * 4), "webp"),
        (still("GIF"), "gif"),
        (still("PNG"), "png"),
        (still("WEBP"), "webp"),
        (still("JPEG"), "jpeg"),
    ],
    ids=["gif4", "png4", "webp4", "gif", "png", "webp", "jpeg"],
)
def test_a_file_that_is_cut_anywhere_is_not_whole(data: bytes, name: str) -> None:
    counts = [read_structure(data[:length], name) for length in range(len(data))]
    assert {each.whole for each in counts} == {False}
    assert [each.frames for each in counts] == sorted(each.frames for each in counts)


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("JPEG", "jpeg")])
def test_bytes_after_the_end_of_the_picture_change_nothing(kind: str, name: str) -> None:
    data = still(kind)
    assert read_structure(data + b"and more, \x3b\x2c\x21" * 9, name) == read_structure(data, name)


def test_a_gif_frame_beyond_the_screen_widens_the_extent() -> None:
    data = bytearray(animation("GIF", [40, 40]))
    second = data.rindex(b"\x21\xf9\x04") + 8
    data[second + 1 : second + 3] = b"\xff\xff"
    across = int.from_bytes(data[second + 5 : second + 7], "little")
    assert read_structure(bytes(data), "gif").extent == (65535 + across, 40)


def test_stray_bytes_between_gif_blocks_are_skipped() -> None:
    data = still("GIF")
    assert read_structure(data[:-1] + b"\0\0junk" + data[-1:], "gif") == read_structure(data, "gif")


def test_an_apng_counts_what_is_there_and_not_what_it_claims() -> None:
    data = animation("PNG", [40, 40])
    at = data.index(b"acTL")
    lying = data[: at - 4] + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + data[at + 16 :]
    assert read_structure(lying, "png") == Structure(2, 80, True, (60, 40))
    wrong = data[: at + 4] + struct.pack(">II", 2**31 - 1, 0) + data[at + 12 :]
    assert read_structure(wrong, "png").risky_metadata


def test_an_apng_with_a_hole_is_not_whole() -> None:
    data = animation("PNG", [40, 40, 40])
    at = data.index(b"fdAT") - 4
    hole = data[:at] + data[at + 12 + struct.unpack(">I", data[at : at + 4])[0] :]
    assert read_structure(hole, "png") == Structure(3, 120, False, (60, 40))


def test_a_delay_without_denominator_is_in_hundredths() -> None:
    control = struct.pack(">IIIIIHHBB", 0, 60, 40, 0, 0, 5, 0, 0, 0)
    second = struct.pack(">IIIIIHHBB", 1, 60, 40, 0, 0, 1, 4, 0, 0)
    plain = still("PNG")
    at = plain.index(b"IDAT") - 4
    end = plain.index(b"IEND") - 4
    head = plain[:at] + chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", control) + plain[at:end]
    body = chunk(b"fcTL", second) + chunk(b"fdAT", struct.pack(">I", 2) + plain[at + 8 : at + 20]) + plain[end:]
    assert read_structure(head + body, "png") == Structure(2, 300, True, (60, 40))


def test_a_jpeg_thumbnail_is_not_taken_for_the_end_of_the_picture() -> None:
    data = still("JPEG")
    nested = b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data
    cut = data[:2] + nested + data[2 : len(data) // 2]
    assert read_structure(cut, "jpeg").whole is False


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_pages_of_a_tiff_are_counted_and_a_ring_of_pages_ends(order: str) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    chain = head + struct.pack(order + "I", 8) + struct.pack(order + "HI", 0, 14)
    assert read_structure(chain + struct.pack(order + "HI", 0, 0), "tiff") == Structure(2)
    assert read_structure(chain + struct.pack(order + "HI", 0, 8), "tiff") == Structure(2, whole=False)
    out = io.BytesIO()
    first, *rest = frames(3)
    first.save(out, "TIFF", save_all=True, append_images=rest)
    assert read_structure(out.getvalue(), "tiff") == Structure(3)


def test_an_avif_sequence_is_counted_and_timed() -> None:
    if not Image.registered_extensions() or "AVIF" not in Image.SAVE_ALL:
        pytest.skip("this Pillow writes no AVIF")
    assert read_structure(animation("AVIF", [40, 100, 250]), "avif") == Structure(3, 390)
    assert read_structure(still("AVIF"), "avif") == Structure(1)


def test_an_icon_says_the_size_of_its_nested_pictures_and_not_of_its_directory() -> None:
    nested = still("PNG")
    directory = b"\0\0\1\0\1\0" + bytes([1, 1, 0, 0, 1, 0, 32, 0]) + struct.pack("<II", len(nested), 22)
    assert read_structure(directory + nested, "ico") == Structure(extent=(60, 40))


@pytest.mark.parametrize(
    ("data", "extent"),
    [
        (b"\xff\x0a" + (1 | 7 << 1 | 1 << 6).to_bytes(12, "little"), (64, 64)),
        (b"\xff\x0a" + (0 << 1 | 299 << 3 | 0 << 12 | 1 << 15 | 1999 << 17).to_bytes(12, "little"), (2000, 300)),
        (b"\xff\x0a" + (0 << 1 | 89 << 3 | 5 << 12).to_bytes(12, "little"), (160, 90)),
    ],
)
def test_a_jpeg_xl_says_its_size_before_it_is_decoded(data: bytes, extent: tuple[int, int]) -> None:
    boxed = b"\0\0\0\x0cJXL \r\n\x87\n" + struct.pack(">I", 8 + len(data)) + b"jxlc" + data
    assert (read_structure(data, "jxl").extent, read_structure(boxed, "jxl").extent) == (extent, extent)


def test_a_format_that_is_not_read_here_is_one_whole_frame() -> None:
    assert read_structure(b"anything", "bmp") == Structure(1, 0, True, (0, 0))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["gif", "png", "webp", "jpeg", "tiff", "avif", "ico", "jxl"]))
def test_any_bytes_are_read_without_an_error(data: bytes, name: str) -> None:
    heads = {"gif": b"GIF89a", "png": still("PNG")[:33], "webp": b"RIFF\xff\xff\0\0WEBP", "jpeg": b"\xff\xd8\xff"}
    heads |= {"tiff": b"II*\0", "avif": b"\0\0\0\x0cftypavif", "ico": b"\0\0\1\0\1\0", "jxl": b"\xff\x0a"}
    assert read_structure(heads[name] + data, name).frames >= 0
    assert read_structure(data, name).duration_ms >= 0


def avif_sequence(scale: int, length: int, *, wide: bool, samples: int = 3) -> bytes:
    def box(kind: bytes, *content: bytes) -> bytes:
        body = b"".join(content)
        return struct.pack(">I", 8 + len(body)) + kind + body

    times = struct.pack(">B3xQQIQ" if wide else ">B3xIIII", int(wide), 0, 0, scale, length) + bytes(4)
    sizes = struct.pack(">4xII", 1, samples)
    media = box(b"mdia", box(b"mdhd", times), box(b"minf", box(b"stbl", box(b"stsz", sizes))))
    return box(b"ftyp", b"avis", bytes(4)) + box(b"moov", box(b"trak", media))


@pytest.mark.parametrize(
    ("scale", "length", "wide", "duration"),
    [
        (1000, 390, False, 390),
        (1000, 390, True, 390),
        (1000, 2**32 - 1, False, 0),
        (1, 2**64 - 1, True, 0),
        (1000, 2**64 - 1, True, 0),
        (1, 2**32 - 2, False, 0),
        (1, 2**63, True, 0),
        (0, 390, True, 0),
        (2**32 - 1, 1, True, 0),
        (1000, 2**31, True, 0),
        (1000, 2**31 - 1, True, 2**31 - 1),
    ],
)
def test_an_unknown_duration_is_0(scale: int, length: int, wide: bool, duration: int) -> None:
    assert read_structure(avif_sequence(scale, length, wide=wide), "avif") == Structure(3, duration)


def test_a_gif_that_runs_for_years_has_no_duration() -> None:
    frame = b"!\xf9\x04\0\xff\xff\0\0,\0\0\0\0\1\0\1\0\0\2\0"
    gif = b"GIF89a\1\0\1\0\0\0\0"
    assert read_structure(gif + 3000 * frame + b";", "gif").duration_ms == 3000 * 655350
    assert read_structure(gif + 4000 * frame + b";", "gif") == Structure(4000, 0, True, (1, 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_no_number_in_a_file_leaves_its_bounds(scale: int, length: int, samples: int) -> None:
    read = read_structure(avif_sequence(scale, length, wide=True, samples=samples), "avif")
    assert 0 <= read.duration_ms < 2**31
    assert 1 <= read.frames <= 1000
