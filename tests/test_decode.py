"""The opener of pictures: what it hands on, and what it says about what it cannot read."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import imagehash
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFile, ImageOps, PngImagePlugin

from hashindex.core.installation import how_to_install
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.pictures import decode as module
from hashindex.pictures import opener, pixel_digest
from hashindex.pictures.decode import DETAIL_GATE, decode, decoder_stamp, set_pillow_limits
from hashindex.pictures.frames import small_frames
from hashindex.pictures.pixels import detail_of
from hashindex.pictures.signature import has_pages, unpack

LIMITS = Limits()


def drawing(size: tuple[int, int] = (160, 120), mode: str = "RGB") -> Image.Image:
    """Light in the upper left corner, dark in the lower right one, and two shapes: no symmetry."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.ellipse((width // 10, height // 10, width // 2, height // 2), fill=(250, 240, 230))
    draw.rectangle((width * 6 // 10, height * 5 // 10, width * 9 // 10, height * 9 // 10), fill=(20, 60, 40))
    draw.line((0, height - 1, width // 2, height // 2), fill=(255, 0, 0), width=max(2, width // 40))
    return image.convert(mode)


def sticker(size: tuple[int, int] = (160, 120), colour: tuple[int, int, int] = (200, 60, 30)) -> Image.Image:
    image = Image.new("RGBA", size, (90, 200, 120, 0))
    ImageDraw.Draw(image).ellipse((20, 20, size[0] - 60, size[1] - 20), fill=(*colour, 255))
    ImageDraw.Draw(image).rectangle((size[0] - 50, 10, size[0] - 10, 60), fill=(0, 0, 0, 128))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str, frames: list[Image.Image], **options: Any) -> bytes:
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=40, **options)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG made by hand, for headers and sample depths that no library writes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    middle = b"".join(chunk(*each) for each in chunks)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + middle + data + chunk(b"IEND", b"")


def flattened(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def distance(one: bytes | None, other: bytes | None) -> int:
    """pHash bits between two prepared pictures."""
    assert one is not None
    assert other is not None
    first, second = (imagehash.phash(Image.frombytes("L", (64, 64), each)) for each in (one, other))
    return int(first - second)


def furthest(one: bytes | None, other: bytes | None) -> int:
    """Largest difference of two prepared pictures in grey levels."""
    assert one is not None
    assert other is not None
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


REFERENCE = decode(saved(drawing(), "PNG"), LIMITS)


# What a picture is


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("PNG", "png", {}),
        ("JPEG", "jpeg", {"quality": 92}),
        ("JPEG", "jpeg", {"quality": 92, "progressive": True}),
        ("GIF", "gif", {}),
        ("WEBP", "webp", {"quality": 92}),
        ("WEBP", "webp", {"lossless": True}),
        ("BMP", "bmp", {}),
        ("TIFF", "tiff", {"compression": "tiff_lzw"}),
        ("PPM", "ppm", {}),
        ("JPEG2000", "jp2", {}),
        ("QOI", "qoi", {}),
        ("ICO", "ico", {"sizes": [(160, 120)]}),
    ],
)
def test_one_picture_is_prepared_alike_in_every_format(kind: str, name: str, options: dict[str, Any]) -> None:
    read = decode(saved(drawing(), kind, **options), LIMITS)
    assert (read.format, read.width, read.height, read.frames, read.duration_ms) == (name, 160, 120, 1, 0)
    assert (read.problem, read.pixels, read.detail >= DETAIL_GATE) == (None, None, True)
    assert distance(read.prepared, REFERENCE.prepared) <= 2


def test_prepared_is_sixty_four_rows_of_grey_from_the_top() -> None:
    top = Image.new("L", (200, 300), 255)
    top.paste(0, (0, 0, 200, 150))
    prepared = decode(saved(top, "PNG"), LIMITS).prepared
    assert prepared is not None
    assert (len(prepared), set(prepared[: 64 * 30]), set(prepared[64 * 34 :])) == (4096, {0}, {255})


@pytest.mark.parametrize(
    "read",
    [
        lambda: decode(saved(drawing(mode="CMYK"), "JPEG", quality=92), LIMITS),
        lambda: decode(saved(drawing(mode="CMYK"), "TIFF"), LIMITS),
        lambda: decode(saved(drawing(mode="L"), "JPEG", quality=92), LIMITS),
        lambda: decode(saved(drawing(mode="LA"), "PNG"), LIMITS),
        lambda: decode(saved(drawing(mode="RGBA"), "PNG"), LIMITS),
        lambda: decode(saved(drawing(mode="P"), "PNG"), LIMITS),
        lambda: decode(saved(drawing(mode="YCbCr"), "TIFF"), LIMITS),
        lambda: decode(saved(drawing(mode="L").convert("I").point(lambda v: v * 257), "TIFF"), LIMITS),
        lambda: decode(saved(drawing(mode="L").convert("F"), "TIFF"), LIMITS),
        lambda: decode(saved(drawing(mode="L").convert("F").point(lambda v: v * (1 / 255)), "TIFF"), LIMITS),
        lambda: decode(saved(drawing(mode="L").convert("F").point(lambda v: v * 1000 - 90000), "TIFF"), LIMITS),
    ],
    ids=["cmyk-jpeg", "cmyk", "grey", "la", "rgba", "palette", "ycbcr", "32 bits", "float", "float to 1", "float any"],
)
def test_every_mode_shows_the_same_picture(read: Callable[[], Decoded]) -> None:
    result = read()
    assert (result.width, result.height, result.problem) == (160, 120, None)
    assert distance(result.prepared, REFERENCE.prepared) <= 6


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    image = drawing(mode="L")
    wide = Image.frombytes("I;16", image.size, b"".join(struct.pack("<H", value * 257) for value in image.tobytes()))
    assert furthest(decode(saved(wide, "PNG"), LIMITS).prepared, decode(saved(image, "PNG"), LIMITS).prepared) <= 1


def test_a_bilevel_picture_is_read() -> None:
    image = drawing(mode="1")
    grey = decode(saved(image.convert("L"), "PNG"), LIMITS)
    assert decode(saved(image, "PNG"), LIMITS) == grey
    assert distance(decode(saved(image, "TIFF", compression="group4"), LIMITS).prepared, grey.prepared) == 0


def test_lab_is_shown_by_its_lightness_and_not_by_three_numbers() -> None:
    # L* = 100 at the left, 20 at the right, without colour.
    image = Image.merge("LAB", [Image.new("L", (100, 100), value) for value in (255, 128, 128)])
    image.paste(Image.merge("LAB", [Image.new("L", (50, 100), value) for value in (51, 128, 128)]), (50, 0))
    prepared = decode(saved(image, "TIFF"), LIMITS).prepared
    assert prepared is not None
    assert prepared[0] >= 250
    assert prepared[63] < 70


# Transparency


def sticker_with(mode: str) -> bytes:
    if mode == "P bytes":
        return saved(sticker().quantize(64), "PNG")
    if mode == "GIF":
        return saved(sticker(), "GIF")
    if mode == "LA":
        return saved(sticker().convert("LA"), "PNG")
    return saved(sticker(), "WEBP" if mode == "WEBP" else "PNG", **({"lossless": True} if mode == "WEBP" else {}))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P bytes", "WEBP"])
def test_transparency_is_flattened_on_white(mode: str) -> None:
    expected = decode(saved(flattened(sticker()), "PNG"), LIMITS)
    assert furthest(decode(sticker_with(mode), LIMITS).prepared, expected.prepared) <= 12
    assert distance(decode(sticker_with(mode), LIMITS).prepared, expected.prepared) <= 2


def test_one_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (80, 60), 7)
    image.putpalette([0, 0, 0] * 3 + [10, 90, 10] * 5)
    image.paste(2, (10, 10, 40, 50))
    expected = Image.new("L", (80, 60), 255)
    expected.paste(0, (10, 10, 40, 50))
    for kind in ("PNG", "GIF"):
        read = decode(saved(image, kind, transparency=7, optimize=False), LIMITS)
        assert read.prepared == decode(saved(expected, "PNG"), LIMITS).prepared


@pytest.mark.parametrize(
    ("depth", "colour", "samples", "transparent"),
    [
        (1, 0, b"\x0f", b"\0\0"),
        (2, 0, b"\x55\xff", b"\0\1"),
        (4, 0, b"\x55\x55\xff\xff", b"\0\5"),
        (8, 0, b"\x55" * 4 + b"\xff" * 4, b"\0\x55"),
        (16, 0, b"\x55\x66" * 4 + b"\xff\xff" * 4, b"\x55\x66"),
        (8, 2, b"\1\2\3" * 4 + b"\xff\xff\xff" * 4, b"\0\1\0\2\0\3"),
        (16, 2, b"\1\1\2\2\3\3" * 4 + b"\xff\xff" * 12, b"\1\1\2\2\3\3"),
    ],
    ids=["1 bit", "2 bits", "4 bits", "8 bits", "16 bits", "rgb", "rgb 16 bits"],
)
def test_a_transparent_colour_without_alpha_is_white_at_every_depth(
    depth: int, colour: int, samples: bytes, transparent: bytes
) -> None:
    data = png(8, 8, depth, colour, (b"\0" + samples) * 8, (b"tRNS", transparent))
    read = decode(data, LIMITS)
    assert (read.prepared, read.detail, read.problem) == (b"\xff" * 4096, 0, None)


# Orientation

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(orientation: int) -> tuple[Image.Image, Image.Exif]:
    turn = TURNS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = drawing((320, 240))
    return (image if turn is None else image.transpose(turn)), exif


@pytest.mark.parametrize("orientation", list(TURNS))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_shows_the_same_upright_picture(kind: str, orientation: int) -> None:
    image, exif = turned(orientation)
    options: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    read = decode(saved(image, kind, exif=exif, **options.get(kind, {})), LIMITS)
    upright = decode(saved(drawing((320, 240)), "PNG"), LIMITS)
    assert (read.width, read.height, read.problem) == (320, 240, None)
    assert distance(read.prepared, upright.prepared) <= 2


def test_an_orientation_in_xmp_is_applied() -> None:
    image, _ = turned(6)
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    read = decode(saved(image, "PNG", pnginfo=info), LIMITS)
    assert (read.width, read.height) == (320, 240)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_a_damaged_exif_block_costs_nothing_but_itself(exif: bytes) -> None:
    read = decode(saved(drawing(), "JPEG", quality=92, exif=exif), LIMITS)
    assert (read.width, read.problem) == (160, None)


# Size and the reduced JPEG


@pytest.mark.parametrize("size", [(700, 600), (1300, 1000), (2600, 2400), (1900, 640)])
def test_a_reduced_jpeg_decode_gives_the_hash_of_the_full_one(size: tuple[int, int]) -> None:
    data = saved(drawing(size), "JPEG", quality=88)
    reduced = decode(data, LIMITS).prepared
    # The same picture in a format that has no reduced decode goes through the same total factor.
    whole = decode(saved(Image.open(io.BytesIO(data)).convert("L"), "BMP"), LIMITS).prepared
    assert distance(reduced, whole) <= 2
    assert furthest(reduced, whole) <= 6


def test_a_large_jpeg_is_decoded_once_at_reduced_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = loaded_sizes(monkeypatch)
    decode(saved(drawing((1600, 1200)), "JPEG"), LIMITS)
    assert sizes == [(400, 300)]


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(Image.linear_gradient("L").resize((1600, 1200)), id="smooth"),
        pytest.param(ImageOps.expand(drawing((700, 500)).convert("L"), 400, 250), id="on an even ground"),
    ],
)
def test_a_jpeg_whose_hashes_hang_on_single_grey_levels_is_decoded_in_full(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = saved(picture, "JPEG", quality=88)
    sizes = loaded_sizes(monkeypatch)
    prepared = decode(data, LIMITS).prepared
    assert sizes[1:] == [picture.size]
    assert prepared == decode(saved(Image.open(io.BytesIO(data)).convert("L"), "BMP"), LIMITS).prepared


def loaded_sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Fills up with the size of every frame that is decoded from now on."""
    sizes: list[tuple[int, int]] = []
    load = opener.load

    def noted(image: ImageFile.ImageFile, *rest: Any) -> float:
        missing = load(image, *rest)
        sizes.append(image.size)
        return missing

    monkeypatch.setattr(module, "load", noted)
    return sizes


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (20000, 2), (63, 64), (64, 64), (95, 1)])
def test_odd_sizes_are_prepared(size: tuple[int, int]) -> None:
    read = decode(saved(Image.linear_gradient("L").resize(size), "PNG"), LIMITS)
    assert (read.width, read.height, len(read.prepared or b""), read.problem) == (*size, 4096, None)


# Limits


def test_a_bomb_is_refused_by_its_header() -> None:
    sentence = "the picture is 30000 x 30000 pixels, more than the limit of 120,000,000"
    assert decode(png(30000, 30000, 8, 0, b""), LIMITS) == Decoded("png", 30000, 30000, 1, problem=sentence)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "QOI", "ICO"])
def test_the_limit_of_pixels_holds_in_every_format(kind: str) -> None:
    options = {"sizes": [(160, 120)]} if kind == "ICO" else {}
    data = saved(drawing(), kind, **options)
    assert decode(data, Limits(pixels=160 * 120)).problem is None
    refused = decode(data, Limits(pixels=160 * 120 - 1))
    assert (refused.prepared, refused.problem) == (
        None,
        "the picture is 160 x 120 pixels, more than the limit of 19,199",
    )


def test_a_picture_inside_an_icon_cannot_be_larger_than_the_limit() -> None:
    nested = png(20000, 20000, 8, 0, b"")
    icon = b"\0\0\1\0\1\0" + bytes([16, 16, 0, 0, 1, 0, 32, 0]) + struct.pack("<II", len(nested), 22) + nested
    assert "20000 x 20000" in (decode(icon, LIMITS).problem or "")


def test_a_gif_frame_larger_than_its_screen_is_refused_before_it_is_composed() -> None:
    data = bytearray(animated("GIF", [drawing(), drawing().rotate(90)]))
    at = data.rindex(b"\x21\xf9\x04") + 9
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert "more than the limit of 120,000,000" in (decode(bytes(data), LIMITS).problem or "")


def test_frames_and_bytes_have_limits() -> None:
    data = animated("GIF", [drawing(), drawing().rotate(90), drawing().rotate(180)])
    assert decode(data, Limits(frames=2)).problem == "the animation has 3 frames, more than the limit of 2"
    assert decode(data, Limits(bytes=9)).problem == f"the file is {len(data):,} bytes, more than the limit of 9"
    assert decode(data, Limits(frames=3, bytes=len(data))).problem is None


def test_importing_and_decoding_leave_the_switches_of_pillow_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    decode(saved(drawing(), "JPEG")[:-200], LIMITS)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_allow_makes_pillow_refuse_just_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    with warnings.catch_warnings():
        set_pillow_limits(Limits(pixels=100))
        warnings.simplefilter("ignore")
        assert Image.open(io.BytesIO(saved(Image.new("L", (10, 10)), "BMP"))).size == (10, 10)
        with pytest.raises(Image.DecompressionBombError):
            Image.open(io.BytesIO(saved(Image.new("L", (101, 1)), "BMP")))


# Animations


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("PNG", "apng"), ("WEBP", "webp")])
def test_the_first_frame_stands_for_an_animation(kind: str, name: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    read = decode(animated(kind, [drawing(), drawing().rotate(90), drawing().rotate(180)], **options), LIMITS)
    assert (read.format, read.frames, read.duration_ms, read.problem) == (name, 3, 120, None)
    assert distance(read.prepared, REFERENCE.prepared) <= 2


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("PNG", "apng"), ("WEBP", "webp")])
def test_a_blank_first_frame_hides_nothing(kind: str, name: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    white = Image.new("RGB", (160, 120), "white")
    almost = white.copy()
    almost.putpixel((3, 3), (250, 250, 250))
    read = decode(animated(kind, [white, almost, drawing()], **options), LIMITS)
    assert (read.format, read.frames, read.pixels, read.problem) == (name, 3, None, None)
    assert distance(read.prepared, REFERENCE.prepared) <= 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_each_frame_of_a_small_animation_is_kept_as_it_is(kind: str) -> None:
    colours = [(250, 0, 0), (0, 130, 0), (0, 0, 240), (250, 250, 0)]
    frames = [Image.new("RGB", (60, 40), colour) for colour in colours]
    for number, frame in enumerate(frames):
        frame.paste("white", (10 * number, 5, 10 * number + 15, 20))
    read = decode(animated(kind, frames, **({"lossless": True} if kind == "WEBP" else {})), LIMITS)
    assert read.signature is not None
    shown = [image.convert("RGB").getpixel((55, 35)) for image in unpack(read.signature).shown]
    assert len(shown) == 4
    for one, other in zip(shown, colours, strict=True):
        assert isinstance(one, tuple)
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) < 32


def test_an_animation_that_is_damaged_in_its_third_frame_is_known_by_the_first_two() -> None:
    data = animated("WEBP", SMALL)
    third = data.rindex(b"ANMF")
    damaged = [data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :] for at in range(third + 32, len(data), 2)]
    reads = [decode(each, LIMITS) for each in damaged]
    assert {read.prepared is None for read in reads if read.problem is None} == {False}
    assert {len(unpack(read.signature).shown) for read in reads if read.signature is not None} >= {2, 3}


def test_a_still_apng_is_a_png() -> None:
    assert decode(animated("PNG", [drawing()]), LIMITS).format == "png"


def test_the_still_that_an_apng_hides_from_viewers_does_not_stand_for_it() -> None:
    other = drawing().transpose(Image.Transpose.ROTATE_180)
    data = animated("PNG", [other, drawing(), other], default_image=True)
    read = decode(data, LIMITS)
    assert (read.format, read.frames) == ("apng", 2)
    assert distance(read.prepared, REFERENCE.prepared) <= 2


def test_the_still_of_an_apng_stands_in_where_the_animation_is_damaged() -> None:
    data = bytearray(animated("PNG", [drawing(), drawing().rotate(90), drawing().rotate(180)], default_image=True))
    first_control = data.index(b"fcTL")
    data[first_control + 4 : first_control + 8] = b"\0\0\0\x09"
    read = decode(bytes(data), LIMITS)
    sentence = "the animated PNG is cut off or damaged after its first frame, so that not all of it can be shown"
    assert (read.prepared, read.problem) == (REFERENCE.prepared, sentence)


def test_a_jpeg_that_lacks_the_last_part_of_its_last_row_says_so() -> None:
    read = decode(saved(noisy(), "JPEG")[:-400], LIMITS)
    assert (read.prepared is None, read.problem) == (False, "the JPEG is cut off: 1 % of its rows are missing")


def test_the_pages_of_a_tiff_are_its_frames() -> None:
    read = decode(animated("TIFF", [drawing(), drawing().rotate(90)]), LIMITS)
    assert (read.format, read.frames, read.prepared) == ("tiff", 2, REFERENCE.prepared)


def document(*colours: str, compression: str = "tiff_lzw") -> bytes:
    """A cover, and a page of each of these colours with a shape on it."""
    pages = [drawing()]
    for number, colour in enumerate(colours):
        page = Image.new("RGB", (160, 120), "white")
        ImageDraw.Draw(page).ellipse((20 + number * 9, 20, 90, 100), fill=colour)
        pages.append(page)
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)


def test_every_page_of_a_tiff_is_part_of_what_it_is_compared_by() -> None:
    read = decode(document("red", "blue"), LIMITS)
    assert read.signature is not None
    known = unpack(read.signature)
    assert (known.frames, len(known.shown), known.times_ms, read.duration_ms) == (3, 3, (0, 0, 0), 0)
    assert has_pages(read.signature)
    for other in (saved(drawing(), "TIFF"), animated("GIF", SMALL), animated("WEBP", SMALL)):
        signature = decode(other, LIMITS).signature
        assert signature is not None
        assert not has_pages(signature)


def test_only_the_first_page_of_a_tiff_is_shown_unless_pages_are_asked_for() -> None:
    data = document("red", "blue")
    assert len(small_frames(data, LIMITS, 64, 10)) == 1
    assert [ms for _, ms in small_frames(data, LIMITS, 64, 10, pages=True)] == [0, 0, 0]


def test_a_page_that_is_too_many_is_said_to_be_one() -> None:
    assert decode(document("red", "blue"), Limits(frames=2)).problem == "the TIFF has 3 pages, more than the limit of 2"
    ring = bytearray(document("red"))
    assert "after its first page" in (decode(bytes(ring[:-10]), LIMITS).problem or "")


@pytest.mark.parametrize("size", [(2**64 - 1, 5), (5, 2**63), (2**40, 2**40), (2**31, 1)])
def test_a_size_that_no_picture_has_is_refused_and_not_kept(size: tuple[int, int]) -> None:
    entries = [(256, 16, 1, size[0]), (257, 16, 1, size[1]), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 16, 1, 8), (277, 3, 1, 1), (278, 3, 1, 1), (279, 16, 1, 1)]
    packed = b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
    read = decode(b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, len(entries)) + packed + bytes(8), LIMITS)
    assert read.problem is not None
    assert (read.prepared, 0 <= read.width < 2**31, 0 <= read.height < 2**31) == (None, True, True)


# Cut off and damaged


def cut(data: bytes, share: float) -> bytes:
    return data[: round(len(data) * share)]


def noisy(size: tuple[int, int] = (300, 400)) -> Image.Image:
    """Every row costs about the same number of bytes, and no row is black."""
    return Image.blend(Image.effect_noise(size, 60).convert("RGB"), drawing(size), 0.6).point(lambda v: max(v, 9))


@pytest.mark.parametrize(("kind", "words"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("GIF", "GIF")])
def test_a_still_that_lacks_a_few_rows_is_hashed_and_says_so(kind: str, words: str) -> None:
    options = {"interlace": 0} if kind == "GIF" else {}
    data = saved(noisy().convert("L") if kind == "GIF" else noisy(), kind, **options)
    read = decode(cut(data, 0.95), LIMITS)
    assert read.problem is not None
    assert read.problem.startswith(f"the {words} is cut off: ")
    assert read.problem.endswith(" % of its rows are missing")
    assert distance(read.prepared, decode(data, LIMITS).prepared) <= 12


def test_a_bmp_lacks_its_upper_rows_when_it_is_cut_off() -> None:
    data = saved(noisy(), "BMP")
    read = decode(cut(data, 0.95), LIMITS)
    assert (read.problem, read.prepared is None) == (
        "the BMP is cut off or damaged: 5 % of its rows are missing",
        False,
    )
    assert decode(cut(data, 0.5), LIMITS).prepared is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "PPM", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_still_that_lacks_half_of_itself_is_a_problem_and_no_picture(kind: str, share: float) -> None:
    read = decode(cut(saved(noisy(), kind), share), LIMITS)
    assert (read.prepared, read.pixels, read.detail) == (None, None, 0)
    assert read.problem is not None
    assert any(word in read.problem for word in ("cut off", "damaged"))


def test_interlaced_rows_are_not_taken_for_whole_ones() -> None:
    image = noisy().convert("L")
    assert decode(cut(saved(image, "GIF", interlace=1), 0.97), LIMITS).prepared is None


def test_a_jpeg_that_only_lacks_its_end_mark_is_whole() -> None:
    data = saved(noisy(), "JPEG")
    assert decode(data[:-2], LIMITS) == decode(data, LIMITS)


def test_a_black_foot_does_not_count_as_missing_rows_of_a_jpeg() -> None:
    image = noisy()
    image.paste("black", (0, 300, 300, 400))
    data = saved(image, "JPEG")
    assert decode(data[:-2], LIMITS) == decode(data, LIMITS)


def test_a_progressive_jpeg_that_is_cut_off_is_read_from_its_first_scans() -> None:
    data = saved(drawing((400, 300)), "JPEG", progressive=True, quality=92)
    read = decode(cut(data, 0.6), LIMITS)
    assert read.problem == "the JPEG is cut off: its finest details may be missing"
    assert distance(read.prepared, decode(data, LIMITS).prepared) <= 2


def test_a_damaged_row_is_named_as_damage() -> None:
    data = bytearray(saved(noisy(), "PNG"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    read = decode(bytes(data), LIMITS)
    assert (read.prepared, (read.problem or "")[:30]) == (None, "the PNG is cut off or damaged:")


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_an_animation_that_is_cut_off_later_is_read_from_its_first_frame(kind: str) -> None:
    data = animated(kind, [drawing(), drawing().rotate(90), drawing().rotate(180)])
    words = "GIF" if kind == "GIF" else "animated PNG"
    read = decode(cut(data, 0.8), LIMITS)
    assert read.prepared == decode(data, LIMITS).prepared
    sentence = f"the {words} is cut off or damaged after its first frame, so that not all of it can be shown"
    assert read.problem == sentence


@pytest.mark.parametrize(
    ("data", "format_name", "sentence"),
    [
        (b"", "", "the file is empty"),
        (b"<html>", "", "the file is not a supported picture: it is an HTML page"),
        (b"\x89", "", "the file is cut off after its first bytes"),
        (b"\x89PNG\r\n\x1a\n", "png", "the PNG is cut off: it ends before the picture does"),
        (b"GIF89a", "gif", "the GIF is cut off: it ends before the picture does"),
        (b"\xff\xd8\xff", "jpeg", "the JPEG is cut off: it ends before the picture does"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(data: bytes, format_name: str, sentence: str) -> None:
    assert decode(data, LIMITS) == Decoded(format_name, problem=sentence)


def test_a_kind_of_bmp_that_pillow_does_not_know_is_no_damage() -> None:
    data = bytearray(saved(drawing(), "BMP"))
    data[28:30] = b"\x02\0"
    assert decode(bytes(data), LIMITS).problem == "this kind of BMP cannot be read"


def test_bytes_go_to_the_decoder_that_their_first_bytes_name_and_to_no_other() -> None:
    # A fresh process: no other test has imported more of Pillow yet.
    program = (
        "import sys, io\nfrom PIL import Image\n"
        "from hashindex.pictures.decode import decode\nfrom hashindex.core.options import Limits\n"
        "out = io.BytesIO(); Image.new('L', (9, 9)).save(out, 'GIF')\n"
        "read = decode(out.getvalue(), Limits())\n"
        "broken = decode(b'GIF89a' + bytes(99), Limits())\n"
        "assert read.problem is None and broken.problem\n"
        "print(sorted(name for name in sys.modules if name in ('numpy', 'PIL.TgaImagePlugin', 'PIL.EpsImagePlugin')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_raises_or_warns(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(WHOLE)))
    damaged = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 12))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = decode(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), Limits(pixels=10**6))
    assert read.prepared is not None or read.problem is not None


SMALL = [drawing((48, 40)), drawing((48, 40)).rotate(90), Image.new("RGB", (48, 40))]
WHOLE = {
    kind: saved(SMALL[0], kind)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "QOI", "ICO", "JPEG2000")
} | {f"animated {kind}": animated(kind, SMALL) for kind in ("GIF", "PNG", "WEBP")}


# Detail and flat pictures


def test_detail_is_zero_for_a_blank_picture_and_full_for_noise() -> None:
    assert detail_of(bytes([137]) * 4096) == 0
    assert detail_of(Image.effect_noise((64, 64), 80).tobytes()) == 100


def test_detail_counts_neighbours_across_and_down_but_not_around_the_edge() -> None:
    across = Image.new("L", (64, 64))
    across.paste(255, (32, 0, 64, 64))
    # 64 edges of 100 points, over 90.
    assert (detail_of(across.tobytes()), detail_of(across.rotate(90).tobytes())) == (71, 71)


def test_detail_agrees_with_the_formula_written_out() -> None:
    rows = Image.effect_noise((64, 64), 2).tobytes()
    total = sum(abs(rows[i] - rows[i + 1]) * 100 // 255 for i in range(4095) if i % 64 != 63)
    total += sum(abs(rows[i] - rows[i + 64]) * 100 // 255 for i in range(4032))
    assert detail_of(rows) == min(100, total // 90)


def test_a_thin_line_drawing_is_above_the_gate() -> None:
    image = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(image).arc((60, 60, 240, 240), 0, 360, fill=0, width=3)
    assert decode(saved(image, "PNG"), LIMITS).detail >= DETAIL_GATE


def flat(kind: str, colour: str = "white", size: tuple[int, int] = (100, 100), **options: Any) -> bytes | None:
    read = decode(saved(Image.new("RGB", size, colour), kind, **options), LIMITS)
    assert read.detail < DETAIL_GATE
    return read.pixels


def test_flat_pictures_match_in_any_container_and_only_when_nobody_could_see_a_difference() -> None:
    white = flat("PNG")
    assert white is not None
    assert len(white) == 16
    assert {
        flat("BMP"),
        flat("GIF"),
        flat("WEBP", lossless=True),
        flat("TIFF"),
        flat("JPEG"),
        decode(saved(Image.new("RGBA", (100, 100), (255, 255, 255, 255)), "PNG"), LIMITS).pixels,
        decode(animated("PNG", [Image.new("L", (100, 100), 255)] * 2), LIMITS).pixels,
    } == {white}
    others = [flat("PNG", "black"), flat("PNG", "#fffffe"), flat("PNG", size=(100, 101))]
    assert len({white, *others}) == 4


def test_white_drawings_on_transparency_are_told_apart_but_hidden_colours_are_not() -> None:
    round_one = sticker(colour=(255, 255, 255)).crop((0, 0, 110, 120))
    square = Image.new("RGBA", (110, 120), (1, 2, 3, 0))
    square.paste((255, 255, 255, 255), (30, 30, 70, 70))
    recoloured = Image.new("RGBA", (110, 120), (77, 0, 0, 0))
    recoloured.paste((255, 255, 255, 255), (30, 30, 70, 70))
    one, two, three = (decode(saved(each, "PNG"), LIMITS) for each in (round_one, square, recoloured))
    assert (one.detail, two.detail) == (0, 0)
    assert (one.pixels != two.pixels, two.pixels == three.pixels) == (True, True)


def test_a_flat_animation_differs_from_its_first_frame() -> None:
    blink = [Image.new("L", (50, 50), 255), Image.new("L", (50, 50), 0)]
    still, twice = decode(saved(blink[0], "GIF"), LIMITS), decode(animated("GIF", blink), LIMITS)
    assert (twice.frames, twice.detail, still.pixels != twice.pixels) == (2, 0, True)


def test_a_turned_flat_picture_matches_the_upright_one() -> None:
    dot = Image.new("RGB", (90, 60), "white")
    dot.putpixel((3, 4), (250, 250, 250))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned_dot = saved(dot.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    assert decode(turned_dot, LIMITS).pixels == decode(saved(dot, "PNG"), LIMITS).pixels


def test_a_flat_picture_too_large_to_look_at_matches_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_digest, "DIGEST_PIXELS", 99)
    assert flat("PNG") == flat("PNG")
    assert flat("PNG") != flat("BMP")


# Optional decoders


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "heic",
            f"HEIC pictures need an extra: {how_to_install('heif')}",
        ),
        (
            b"\xff\x0a" + (1 | 7 << 1 | 1 << 6).to_bytes(12, "little"),
            "jxl",
            f"JPEG XL pictures need an extra: {how_to_install('jxl')}",
        ),
    ],
)
def test_a_missing_extra_is_named(data: bytes, name: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("pillow_heif", "pillow_heif.HeifImagePlugin", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, missing, None)
    read = decode(data, LIMITS)
    assert (read.format, read.prepared, read.problem) == (name, None, sentence)


def test_heic_is_read_upright() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra 'heif'")
    heif.register_heif_opener()
    image, exif = turned(6)
    image.info["exif"] = exif.tobytes()
    try:
        data = saved(image, "HEIF", quality=90)
    except (RuntimeError, KeyError, OSError):
        pytest.skip("this pillow-heif cannot write")
    read = decode(data, LIMITS)
    assert (read.format, read.width, read.height, read.problem) == ("heic", 320, 240, None)
    assert distance(read.prepared, decode(saved(drawing((320, 240)), "PNG"), LIMITS).prepared) <= 2
    assert "more than the limit" in (decode(data, Limits(pixels=99)).problem or "")


def test_jpeg_xl_is_read() -> None:
    pytest.importorskip("pillow_jxl", reason="needs the extra 'jxl'")
    data = saved(drawing(), "JXL", quality=92)
    read = decode(data, LIMITS)
    assert (read.format, read.width, read.height, read.problem) == ("jxl", 160, 120, None)
    assert distance(read.prepared, REFERENCE.prepared) <= 2
    assert "160 x 120" in (decode(data, Limits(pixels=99)).problem or "")


def test_avif_is_read_and_its_frames_are_counted() -> None:
    Image.init()
    if "AVIF" not in Image.SAVE_ALL:
        pytest.skip("this Pillow has no AVIF")
    read = decode(saved(drawing(), "AVIF", quality=90), LIMITS)
    assert (read.format, read.width, read.height, read.frames, read.problem) == ("avif", 160, 120, 1, None)
    assert distance(read.prepared, REFERENCE.prepared) <= 2
    several = decode(animated("AVIF", [drawing(), drawing().rotate(90)]), LIMITS)
    assert (several.frames, several.duration_ms, several.problem) == (2, 80, None)


def test_the_stamp_names_the_decoders() -> None:
    assert decoder_stamp().startswith(f"pillow {PIL.__version__}")


def test_a_jpeg_that_holds_rgb_instead_of_luma_is_read() -> None:
    picture = Image.radial_gradient("L").convert("RGB")
    files = [io.BytesIO(), io.BytesIO()]
    picture.save(files[0], "JPEG", quality=95)
    picture.save(files[1], "JPEG", quality=95, keep_rgb=True)
    usual, rgb = (decode(file.getvalue(), Limits()) for file in files)
    assert usual.prepared is not None and rgb.prepared is not None
    assert rgb.problem is None
    assert max(abs(a - b) for a, b in zip(usual.prepared, rgb.prepared, strict=True)) <= 4
