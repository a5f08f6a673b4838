"""Blocks that no pixel depends on never decide whether a picture is read, in any container."""

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import draw
from PIL import Image, PngImagePlugin

from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.pictures.decode import decode
from hashindex.pictures.frames import FRAME, small_frames
from hashindex.pictures.metadata import strip_metadata
from hashindex.pictures.pixel_digest import pixel_digest

LIMITS = Limits()
PICTURE = draw(1, (64, 64))
BOMB = zlib.compress(bytes(2**21))


def saved(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, kind, **options)
    return out.getvalue()


def moving(kind: str, **options: Any) -> bytes:
    rest = [draw(seed, (64, 64)) for seed in (2, 3)]
    return saved(kind, save_all=True, append_images=rest, duration=100, **options)


def turning(how: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = how
    return exif.tobytes()


def chunk(kind: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ int(wrong))


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content


def same(data: bytes, plain: bytes) -> bool:
    """Whether two files give the same of everything that is kept, shown and compared."""
    seen = [[image.tobytes() for image, _ in small_frames(each, LIMITS, 64, 3)] for each in (data, plain)]
    return (decode(data, LIMITS), pixel_digest(data, LIMITS), seen[0]) == (
        decode(plain, LIMITS),
        pixel_digest(plain, LIMITS),
        seen[1],
    )


# PNG

PNG_EXTRAS = {
    "a text with a wrong checksum": chunk(b"tEXt", b"Title\0text", wrong=True),
    "an unknown chunk with a wrong checksum": chunk(b"quAx", b"anything", wrong=True),
    "a short size of pixels": chunk(b"pHYs", b"\0\0\0\1"),
    "a short gamma": chunk(b"gAMA", b"\0\1"),
    "short colours": chunk(b"cHRM", bytes(16)),
    "an empty sRGB": chunk(b"sRGB", b""),
    "a short time": chunk(b"tIME", b"\7"),
    "a short background": chunk(b"bKGD", b""),
    "a profile of 2 MB": chunk(b"iCCP", b"name\0\0" + BOMB),
    "a profile packed in an unknown way": chunk(b"iCCP", b"name\0\x09" + BOMB[:9]),
    "a profile without a name": chunk(b"iCCP", b"name\0"),
    "a packed text of 2 MB": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "a text packed in an unknown way": chunk(b"zTXt", b"Comment\0\5..."),
    "an international text of 2 MB": chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
    "XMP of 2 MB": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "EXIF that is none": chunk(b"eXIf", b"nothing of the kind"),
    "EXIF with a wrong checksum": chunk(b"eXIf", turning(6), wrong=True),
    "a proposed palette with a wrong checksum": chunk(b"PLTE", bytes(6), wrong=True),
    "a transparent colour that is too short": chunk(b"tRNS", b"\0"),
    "a transparent colour with a wrong checksum": chunk(b"tRNS", bytes(6), wrong=True),
}


@pytest.mark.parametrize("name", PNG_EXTRAS)
def test_a_png_is_read_whatever_its_ancillary_chunks_are(name: str) -> None:
    plain = saved("PNG")
    assert decode(plain, LIMITS).problem is None
    assert same(plain[:33] + PNG_EXTRAS[name] + plain[33:], plain)
    assert same(plain[:-12] + PNG_EXTRAS[name] + plain[-12:], plain)


def test_the_end_of_a_png_needs_no_checksum_and_a_text_that_runs_past_it_hides_no_row() -> None:
    plain = saved("PNG")
    assert same(plain[:-1] + b"\0", plain)
    assert same(plain[:-12] + struct.pack(">I", 2**31) + b"tEXtTitle\0text", plain)


@pytest.mark.parametrize("name", PNG_EXTRAS)
def test_a_bad_chunk_between_the_frames_of_an_apng_costs_no_frame(name: str) -> None:
    plain = moving("PNG")
    second = plain.index(b"fcTL", plain.index(b"IDAT")) - 4
    assert decode(plain, LIMITS).frames == 3
    assert same(plain[:second] + PNG_EXTRAS[name] + plain[second:], plain)


@pytest.mark.parametrize(
    "control",
    [
        chunk(b"acTL", bytes(3)),
        chunk(b"acTL", bytes(8)),
        chunk(b"acTL", b"\0\0\0\2" + bytes(4), wrong=True),
        chunk(b"fcTL", bytes(26)),
        chunk(b"acTL", b"\0\0") + chunk(b"fcTL", bytes(9)) + chunk(b"fdAT", b""),
    ],
)
def test_a_png_that_is_no_sound_animation_is_the_still_that_it_holds(control: bytes) -> None:
    plain = saved("PNG")
    assert same(plain[:33] + control + plain[33:], plain)


@pytest.mark.parametrize("where", ["eXIf", "raw profile", "text", "xmp"])
def test_a_png_is_turned_as_it_says_whatever_else_it_holds(where: str) -> None:
    info = PngImagePlugin.PngInfo()
    exif = turning(6)
    bad = chunk(b"gAMA", b"", wrong=True)
    if where == "eXIf":
        bad += chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    elif where == "raw profile":
        info.add_text("Raw profile type exif", f"\nexif\n{len(exif)}\n{exif.hex()}\n", zip=True)
    elif where == "text":
        info.add(b"tEXt", b"exif\0" + exif)
    else:
        info.add_itxt("XML:com.adobe.xmp", '<rdf:Description tiff:Orientation="6"/>', zip=True)
    image = draw(1, (80, 60))
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    read = decode(out.getvalue()[:33] + bad + out.getvalue()[33:], LIMITS)
    out = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_270).save(out, "PNG")
    upright = decode(out.getvalue(), LIMITS)
    assert (read.width, read.height, read.prepared, read.problem) == (60, 80, upright.prepared, None)


def test_exif_that_says_upright_goes_before_xmp_that_says_turned() -> None:
    plain = saved("PNG")
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<rdf:Description tiff:Orientation='x' tiff:Orientation=\"6\"/>")
    upright = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0"
    assert same(plain[:33] + chunk(b"eXIf", upright) + xmp + plain[33:], plain)
    assert not same(plain[:33] + xmp + plain[33:], plain)


def test_a_png_without_extras_is_handed_on_as_it_is() -> None:
    for data in (saved("PNG"), moving("PNG"), saved("PNG", transparency=(1, 2, 3))):
        assert strip_metadata(data, "png") is data


# JPEG

JPEG_EXTRAS = {
    "a short Adobe": segment(0xEE, b"Adobe"),
    "a short JFIF": segment(0xE0, b"JFIF\0"),
    "an empty application": segment(0xE5, b""),
    "EXIF that is none": segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "a part of a profile": segment(0xE2, b"ICC_PROFILE\0\x07"),
    "a list of pictures that is none": segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\3"),
    "a short Photoshop block": segment(0xED, b"Photoshop 3.0\x008BIM\3\xed"),
    "an empty Photoshop block": segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\2\0\0"),
    "a comment of zeros": segment(0xFE, bytes(300)),
}


@pytest.mark.parametrize("name", JPEG_EXTRAS)
def test_a_jpeg_is_read_whatever_its_application_segments_are(name: str) -> None:
    plain = saved("JPEG", quality=90)
    assert decode(plain, LIMITS).problem is None
    assert same(plain[:2] + JPEG_EXTRAS[name] + plain[2:], plain)
    at = plain.index(b"\xff\xda")
    assert same(plain[:at] + JPEG_EXTRAS[name] + plain[at:], plain)


def test_a_jpeg_that_a_decoder_would_refuse_is_still_turned() -> None:
    out, upright = io.BytesIO(), io.BytesIO()
    draw(1, (80, 64)).save(out, "JPEG", quality=95, exif=turning(3))
    draw(1, (80, 64)).transpose(Image.Transpose.ROTATE_180).save(upright, "JPEG", quality=95)
    data = out.getvalue()
    read = decode(data[:2] + segment(0xEE, b"Adobe") + data[2:], LIMITS)
    assert read.problem is None
    assert read.prepared == decode(data, LIMITS).prepared
    other = decode(upright.getvalue(), LIMITS).prepared
    assert read.prepared is not None and other is not None
    assert sum(abs(a - b) for a, b in zip(read.prepared, other, strict=True)) < 2 * 4096


def test_a_jpeg_keeps_what_says_how_its_colours_are_stored() -> None:
    for options in ({"keep_rgb": True}, {}):
        image = PICTURE if options else PICTURE.convert("CMYK")
        out = io.BytesIO()
        image.save(out, "JPEG", quality=95, **options)
        data = out.getvalue()
        bare = strip_metadata(data[:2] + segment(0xFE, b"words") + data[2:], "jpeg")
        assert decode(bare, LIMITS) == decode(data, LIMITS)


# WebP and GIF


def riff(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.mark.parametrize(
    "tail",
    [
        b"EXIF" + struct.pack("<I", 900) + b"cut off",
        b"XMP " + struct.pack("<I", 2**31) + b"",
        b"EXIF" + struct.pack("<I", 4) + b"bad.",
        b"what" + struct.pack("<I", 2**32 - 1) + b"",
        b"ICCP" + struct.pack("<I", 3) + b"bad\0",
    ],
)
@pytest.mark.parametrize("is_moving", [False, True])
def test_a_webp_is_read_whatever_follows_its_picture(tail: bytes, is_moving: bool) -> None:
    plain = moving("WEBP", lossless=True) if is_moving else saved("WEBP", lossless=True, exif=turning(1))
    plain = strip_metadata(plain, "webp")
    assert decode(plain, LIMITS).problem is None
    assert same(riff(plain + tail), plain)


def test_a_webp_whose_size_is_wrong_is_read() -> None:
    plain = saved("WEBP", lossless=True)
    for wrong in (0, 20, 2**32 - 1):
        assert same(plain[:4] + struct.pack("<I", wrong) + plain[8:], plain)


def test_a_webp_is_turned_as_it_says_where_its_profile_is_damaged() -> None:
    out = io.BytesIO()
    draw(1, (80, 60)).save(out, "WEBP", lossless=True, exif=turning(6), icc_profile=b"bad!")
    data = out.getvalue()
    read = decode(strip_metadata(data, "webp"), LIMITS)
    assert (read.width, read.height, read.problem) == (60, 80, None)
    assert read == decode(data, LIMITS)


GIF_EXTRAS = {
    "a control of two bytes": b"!\xf9\x02\0\0\0",
    "an empty control": b"!\xf9\0",
    "an empty comment": b"!\xfe\0",
    "a short loop": b"!\xff\x0bNETSCAPE2.0\x01\x01\0",
    "an application without a name": b"!\xff\0",
    "an unknown extension": b"!\x77\x03abc\0",
    "a plain text of zeros": b"!\x01" + b"\x0c" + bytes(12) + b"\0",
}


def next_image(gif: bytes) -> int:
    """Where the first image begins, after the colours and what else there is before it."""
    return gif.index(b",\0\0\0\0\x40\0\x40\0")


@pytest.mark.parametrize("name", GIF_EXTRAS)
@pytest.mark.parametrize("is_moving", [False, True])
def test_a_gif_is_read_whatever_its_extensions_are(name: str, is_moving: bool) -> None:
    plain = moving("GIF") if is_moving else saved("GIF")
    assert decode(plain, LIMITS).frames == (3 if is_moving else 1)
    last = plain.rindex(b"!\xf9\x04") if is_moving else next_image(plain)
    assert same(plain[:last] + GIF_EXTRAS[name] + plain[last:], plain)


# TIFF, AVIF, JPEG 2000, Photoshop


def with_tag(data: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """A little-endian TIFF with one entry more, its directory copied to the end of the file."""
    at = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, at)[0]
    old = [data[at + 2 + 12 * n : at + 14 + 12 * n] for n in range(entries)]
    new = sorted(
        [*old, struct.pack("<HHII", tag, kind, count, value)], key=lambda entry: struct.unpack("<H", entry[:2])
    )
    data += b"\0" * (len(data) & 1)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + struct.pack("<H", len(new)) + b"".join(new) + bytes(4)


@pytest.mark.parametrize(
    "entry",
    [
        (270, 2, 500, 2**31),
        (305, 2, 2**31, 8),
        (306, 2, 20, 2**32 - 1),
        (282, 2, 3, 0x414141),
        (283, 5, 1, 2**32 - 9),
        (700, 1, 2**20, 8),
        (34665, 4, 1, 2**32 - 1),
        (34675, 7, 2**24, 100),
        (65001, 12, 2**29, 8),
    ],
)
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_tiff_is_read_whatever_its_other_tags_are(entry: tuple[int, int, int, int], compression: str) -> None:
    plain = saved("TIFF", compression=compression, tiffinfo={317: 2} if compression == "tiff_lzw" else {})
    assert decode(plain, LIMITS).problem is None
    assert same(with_tag(plain, *entry), plain)


def test_an_avif_is_read_whatever_its_camera_data_is() -> None:
    if "AVIF" not in Image.SAVE and (Image.init(), "AVIF" not in Image.SAVE)[1]:
        pytest.skip("this Pillow writes no AVIF")
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    data = saved("AVIF", exif=exif, quality=90)
    at = data.rindex(b"a camera") - 26
    assert data[at : at + 2] in (b"MM", b"II")
    read = decode(data[:at] + b"bad!" + data[at + 4 :], LIMITS)
    assert (read.problem, read.prepared) == (None, decode(data, LIMITS).prepared)


def test_a_jpeg_2000_is_read_whatever_its_resolution_is() -> None:
    data = saved("JPEG2000")
    at = data.index(b"jp2h") - 4
    size = struct.unpack_from(">I", data, at)[0]
    bad = struct.pack(">I", 18) + b"res " + struct.pack(">I", 10) + b"resc" + b"\0\0"
    header = struct.pack(">I", size + len(bad)) + data[at + 4 : at + size] + bad
    assert same(data[:at] + header + data[at + size :], data)


def psd(resources: bytes, layers: bytes = b"") -> bytes:
    planes = b"".join(PICTURE.getchannel(channel).tobytes() for channel in "RGB")
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 64, 64, 8, 3) + bytes(4)
    blocks = struct.pack(">I", len(resources)) + resources + struct.pack(">I", len(layers)) + layers
    return head + blocks + b"\0\0" + planes


def test_a_photoshop_file_is_read_whatever_its_resources_and_layers_are() -> None:
    plain = psd(b"")
    assert decode(plain, LIMITS).prepared == decode(saved("PNG"), LIMITS).prepared
    for resources in (b"8", b"8BIM\4\x0f\0\0\xff\xff\xff\xff", b"x" * 300):
        assert same(psd(resources, b"\xff" * 7), plain)


# What is made of a picture


def test_a_comment_is_no_part_of_what_is_kept_of_a_jpeg_however_long_it_is() -> None:
    plain = saved("JPEG", quality=90)
    assert all(same(saved("JPEG", quality=90, comment=b"x" * length), plain) for length in (9, 3000, 60_000))


def test_a_colour_profile_is_no_part_of_what_is_shown_of_a_picture() -> None:
    data = saved("JPEG", icc_profile=bytes(50_000))
    assert [image.info for image, _ in small_frames(data, LIMITS, 64)] == [{FRAME: 0}]


# What is said of what cannot be read


def noisy(kind: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((300, 400), 60).convert("RGB").save(out, kind)
    return out.getvalue()


def test_broken_is_called_broken_and_cut_off_is_called_cut_off() -> None:
    png, jpeg, tiff = saved("PNG"), saved("JPEG"), saved("TIFF")
    at = jpeg.index(b"\xff\xdb")
    said = {
        "header": decode(png[:20] + b"\xff" + png[21:29] + bytes(4) + png[33:], Limits(pixels=2**40)),
        "second header": decode(png[:33] + chunk(b"IHDR", bytes(5)) + png[33:], LIMITS),
        "tables": decode(jpeg[: at + 2] + b"\xff\xff" + jpeg[at + 4 :], LIMITS),
        "colours": decode(
            tiff.replace(struct.pack("<HHII", 262, 3, 1, 2), struct.pack("<HHII", 262, 3, 1, 77)), LIMITS
        ),
        "half a PNG": decode(noisy("PNG")[:60_000], LIMITS),
        "half a TIFF": decode(noisy("TIFF")[:60_000], LIMITS),
        "half a WebP": decode(noisy("WEBP")[:20_000], LIMITS),
        "half a BMP": decode(noisy("BMP")[:60_000], LIMITS),
        "a JPEG's head": decode(jpeg[: at + 30], LIMITS),
    }
    assert {name: "cut off" in (read.problem or "") for name, read in said.items()} == {
        name: name.startswith(("half", "a JPEG")) for name in said
    }
    assert all(read.problem for read in said.values())


# Anything


PLAIN = {
    kind: (name, saved(kind) if kind != "GIF" else moving(kind))
    for kind, name in (("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("TIFF", "tiff"), ("WEBP", "webp"))
}


@settings(max_examples=40, deadline=None)
@given(
    st.from_regex(rb"[a-z][a-zA-Z]{3}", fullmatch=True),
    st.binary(max_size=80),
    st.booleans(),
    st.booleans(),
)
def test_any_ancillary_chunk_leaves_a_png_as_it_is(kind: bytes, body: bytes, wrong: bool, late: bool) -> None:
    plain = PLAIN["PNG"][1]
    if kind == b"tRNS":
        kind = b"tExt"
    at = len(plain) - 12 if late else 33
    made = decode(plain[:at] + chunk(kind, body, wrong=wrong) + plain[at:], LIMITS)
    assert made == decode(plain, LIMITS)


@settings(max_examples=40, deadline=None)
@given(st.integers(0xE0, 0xF0), st.binary(max_size=60))
def test_any_application_segment_leaves_a_jpeg_readable(marker: int, content: bytes) -> None:
    plain = PLAIN["JPEG"][1]
    read = decode(plain[:2] + segment(0xFE if marker == 0xF0 else marker, content) + plain[2:], LIMITS)
    assert read.problem is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_bytes_make_it_raise_and_what_it_gives_is_read_alike(data: st.DataObject) -> None:
    name, whole = PLAIN[data.draw(st.sampled_from(sorted(PLAIN)))]
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    for each in ("png", "jpeg", "gif", "tiff", "webp", "avif", "heic", "jp2", "psd", "bmp"):
        bare = strip_metadata(bytes(damaged), each)
        assert strip_metadata(bare, each) == bare or each != name
    read = decode(bytes(damaged), Limits(pixels=10**6))
    assert isinstance(read, Decoded)
    assert read.prepared is not None or read.problem is not None
