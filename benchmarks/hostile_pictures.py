"""Makes hostile pictures byte by byte: files to damage, bombs, and files that only resemble pictures.

No file is larger than some megabytes, but a decoder may need far more memory for it.
"""

import gzip
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image, ImageDraw

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def small_picture(size: tuple[int, int] = (24, 20), seed: int = 1) -> Image.Image:
    """Some shapes, with detail enough for a hash."""
    rng = random.Random(seed)
    image = Image.new("RGB", size, (200, 210, 90))
    pen = ImageDraw.Draw(image)
    for _ in range(5):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        pen.rectangle((x, y, x + size[0] // 3, y + size[1] // 3), fill=tuple(rng.randrange(256) for _ in range(3)))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def whole_files() -> dict[str, bytes]:
    """A small sound file of each format that Pillow can write and hashindex reads, animations too: name to bytes."""
    image = small_picture()
    others = [small_picture(seed=seed) for seed in (2, 3)]
    moving: dict[str, Any] = {"save_all": True, "append_images": others, "duration": 40}
    files = {
        "jpg": saved(image, "JPEG", quality=50),
        "progressive.jpg": saved(image, "JPEG", quality=50, progressive=True),
        "png": saved(image, "PNG"),
        "interlaced.gif": saved(image, "GIF", interlace=1),
        "gif": saved(image, "GIF", **moving),
        "webp": saved(image, "WEBP", quality=50),
        "lossless.webp": saved(image, "WEBP", lossless=True),
        "moving.webp": saved(image, "WEBP", **moving),
        "moving.png": saved(image, "PNG", **moving),
        "bmp": saved(image.quantize(16), "BMP"),
        "tiff": saved(image, "TIFF", compression="tiff_lzw"),
        "jpeg.tiff": saved(image, "TIFF", compression="jpeg"),
        "ico": saved(image, "ICO", sizes=[image.size]),
        "jp2": saved(image, "JPEG2000"),
        "qoi": saved(image, "QOI"),
        "ppm": saved(image.resize((12, 10)), "PPM"),
    }
    Image.init()
    if "AVIF" in Image.SAVE:
        files["avif"] = saved(image, "AVIF", quality=50)
    return files


def cut(data: bytes) -> Iterator[bytes]:
    """The file cut off after every byte of it."""
    for end in range(len(data)):
        yield data[:end]


def flipped(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies with one to eight bits turned over somewhere, and some of them cut off as well."""
    rng = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        yield bytes(damaged[: rng.randrange(len(data) // 2, len(data))] if rng.random() < 0.1 else damaged)


# PNG


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, packed: bytes, *before: tuple[bytes, bytes]) -> bytes:
    """A PNG of zlib bytes; before: chunks that come before them."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    chunks = b"".join(png_chunk(*each) for each in before)
    return PNG_HEAD + head + chunks + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def zeros(count: int, wrapper: Callable[[int], Any] = zlib.compressobj) -> bytes:
    """So many zero bytes, packed with zlib: a thousandth of them."""
    packer = wrapper(9)
    block = bytes(2**20)
    parts = [packer.compress(block[: min(len(block), count - at)]) for at in range(0, count, len(block))]
    return b"".join(parts) + bytes(packer.flush())


def png_of_zeros(width: int, height: int, depth: int, colour: int, *before: tuple[bytes, bytes]) -> bytes:
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = 1 + -(-width * depth * samples // 8)
    return png(width, height, depth, colour, zeros(row * height), *before)


def apng(frames: int, size: tuple[int, int] = (16, 16), claimed: int | None = None) -> bytes:
    """Frames of one pixel that are shown for no time, for ever."""
    width, height = size
    parts = [png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts.append(png_chunk(b"acTL", struct.pack(">II", frames if claimed is None else claimed, 0)))
    pixel, sequence = zlib.compress(b"\0\x80"), 0
    for number in range(frames):
        across, down = size if number == 0 else (1, 1)
        parts.append(png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, across, down, 0, 0, 0, 0, 0, 0)))
        sequence += 1
        if number == 0:
            parts.append(png_chunk(b"IDAT", zeros((1 + width) * height)))
        else:
            parts.append(png_chunk(b"fdAT", struct.pack(">I", sequence) + pixel))
            sequence += 1
    return PNG_HEAD + b"".join(parts) + png_chunk(b"IEND", b"")


# GIF


def gif(screen: tuple[int, int], frames: int, first: tuple[int, int] = (1, 1)) -> bytes:
    """Frames of one pixel on a screen, shown for no time, for ever; first: the size that the first one claims."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    control = b"\x21\xf9\x04\0\0\0\0\0"
    frame = b"\x2c\0\0\0\0%s\0\x02\x02\x44\x01\0"
    parts = [frame % struct.pack("<HH", *(first if number == 0 else (1, 1))) for number in range(min(2, frames))]
    return head + loop + control + parts[0] + (control + parts[-1]) * (frames - 1) + b";"


# JPEG


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG whose scans say nothing, each over all of its blocks: minutes of work in a megabyte."""
    blocks = -(-width // 8) * -(-height // 8)
    quantisation = jpeg_segment(0xDB, b"\0" + bytes([1] * 64))
    frame = jpeg_segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0")
    # One code each, a single 0: the difference 0; and for the rest of the band 16,384 blocks and as many more.
    tables = jpeg_segment(0xC4, b"\0" + b"\1" + bytes(15) + b"\0")
    tables += jpeg_segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\xe0")
    first = jpeg_segment(0xDA, b"\x01\x01\0\0\0\0") + bytes(blocks // 8 + 1)
    run = "0" + "1" * 14
    bits = run * -(-blocks // 32767)
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    empty = jpeg_segment(0xDA, b"\x01\x01\0\x01\x3f\0") + packed
    return b"\xff\xd8" + quantisation + frame + tables + first + empty * scans + b"\xff\xd9"


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    data = saved(small_picture((64, 48)), "JPEG")
    return data[:2] + b"".join(jpeg_segment(*each) for each in segments) + data[2:]


# TIFF


def tiff(*pages: list[tuple[int, int, int, int]], chain: list[int] | None = None, after: bytes = b"") -> bytes:
    """Directories of (tag, type, count, value); chain: which directory follows each, by number, -1 for none."""
    starts, at = [], 8
    for page in pages:
        starts.append(at)
        at += 2 + 12 * len(page) + 4
    links = chain if chain is not None else [*range(1, len(pages)), -1]
    parts = [b"II*\0" + struct.pack("<I", 8)]
    for page, follows in zip(pages, links, strict=True):
        parts.append(struct.pack("<H", len(page)))
        parts += [struct.pack("<HHII", *entry) for entry in page]
        parts.append(struct.pack("<I", 0 if follows < 0 else starts[follows]))
    return b"".join(parts) + after


def tiff_page(width: int, height: int, **other: int) -> list[tuple[int, int, int, int]]:
    """Grey, 8 bits, one strip at the start of the file; other: tags by name."""
    values = {
        "width": width, "height": height, "bits": 8, "compression": 1, "photometric": 1, "offset": 8,
        "samples": 1, "rows": height, "length": width * height,
    } | other  # fmt: skip
    tags = {
        "width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262, "offset": 273,
        "samples": 277, "rows": 278, "length": 279, "tile_width": 322, "tile_height": 323, "tile_offset": 324,
        "tile_length": 325,
    }  # fmt: skip
    return sorted((tags[name], 4, 1, value & 0xFFFFFFFF) for name, value in values.items())


# Others


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + (b"\0" if len(data) & 1 else b"") for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_animation(canvas: tuple[int, int], frames: int) -> bytes:
    """Frames of 16 x 16 pixels, shown for no time, on a canvas."""
    still = saved(small_picture((16, 16)), "WEBP", quality=20)[12:]
    wide, high = (struct.pack("<I", side - 1)[:3] for side in canvas)
    frame = bytes(6) + b"\x0f\0\0\x0f\0\0" + bytes(3) + b"\0" + still
    return riff((b"VP8X", b"\x02\0\0\0" + wide + high), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * frames)


def icon(*nested: bytes, kind: int = 1) -> bytes:
    at, head, bodies = 6 + 16 * len(nested), b"", b""
    for data in nested:
        head += bytes((16, 16, 0, 0)) + struct.pack("<HHII", 1, 32, len(data), at + len(bodies))
        bodies += data
    return struct.pack("<HHH", 0, kind, len(nested)) + head + bodies


def icon_of_one(nested: bytes, count: int) -> bytes:
    """A directory whose entries are all the same picture."""
    entry = bytes((0, 0, 0, 0)) + struct.pack("<HHII", 1, 32, len(nested), 6 + 16 * count)
    return struct.pack("<HHH", 0, 1, count) + entry * count + nested


def bmp(width: int, height: int, compression: int, body: bytes) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + info + bytes(1024) + body


def jpeg2000(width: int, height: int, tile: int) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, tile, tile, 0, 0, 1) + b"\x07\x01\x01"
    style = b"\0\0\0\1\0\0\x04\x04\0\0"
    return (
        b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\x52" + struct.pack(">H", len(style) + 2)
        + style + b"\xff\x5c\0\x04\x40\x40" + b"\xff\x90\0\x0a\0\0\0\0\0\0\0\x01\xff\x93" + bytes(64) + b"\xff\xd9"
    )  # fmt: skip


def psd(width: int, height: int, channels: int, layers: int) -> bytes:
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", channels, height, width, 8, 3)
    layer = struct.pack(">iiiiH", 0, 0, 30000, 30000, 1) + struct.pack(">hI", 0, 2) + b"8BIMnorm" + bytes(8)
    body = struct.pack(">h", layers) + layer * min(layers, 3)
    return head + bytes(4) + bytes(4) + struct.pack(">II", len(body) + 4, len(body)) + body + b"\0\1" + bytes(99)


def avif_of(width: int, height: int) -> bytes:
    """A sound AVIF whose container says that it is of this size."""
    data = bytearray(saved(small_picture((64, 48)), "AVIF", quality=50))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def bombs() -> dict[str, Callable[[], bytes]]:
    """By what each is, with the suffix to give it after the last dot. Every one asks for more than it should."""
    million = 2**20
    text = b"Comment\0\0" + zeros(300 * million)
    inside = png_of_zeros(10000, 10000, 8, 6)
    made: dict[str, Callable[[], bytes]] = {
        "PNG: 900 million pixels by its header.png": lambda: png(30000, 30000, 8, 0, b""),
        "PNG: 2^31 x 2^31 pixels.png": lambda: png(2**31 - 1, 2**31 - 1, 16, 6, b""),
        "PNG: 119 million pixels in 14 KB, within the limit.png": lambda: png_of_zeros(10900, 10900, 1, 0),
        "PNG: 110 million pixels of 64 bits, within the limit.png": lambda: png_of_zeros(10488, 10488, 16, 6),
        "PNG: 20 x 20 pixels, rows for 300 million.png": lambda: png(20, 20, 8, 0, zeros(300 * million)),
        "PNG: a text that inflates to 300 MB.png": lambda: png_of_zeros(64, 48, 8, 0, (b"zTXt", text)),
        "PNG: a colour profile that inflates to 300 MB.png": lambda: png_of_zeros(64, 48, 8, 0, (b"iCCP", text)),
        "PNG: 500 texts of 1 MB.png": lambda: png_of_zeros(
            64, 48, 8, 0, *[(b"iTXt", b"Comment\0\1\0\0\0" + zeros(million))] * 500
        ),
        "PNG: 500,000 chunks.png": lambda: png_of_zeros(64, 48, 8, 0, *[(b"tEXt", b"a\0b")] * 500_000),
        "PNG: animated, 20,000 frames.png": lambda: apng(20_000),
        "PNG: animated, 9,999 frames of no time on 25 million pixels.png": lambda: apng(9_999, (5000, 5000)),
        "PNG: animated, claims 2^31 frames.png": lambda: apng(2, claimed=2**31),
        "GIF: a screen of 4,295 million pixels, a frame of one.gif": lambda: gif((65535, 65535), 1),
        "GIF: a frame larger than its screen.gif": lambda: gif((1, 1), 2, (65535, 65535)),
        "GIF: 300,000 frames of no time.gif": lambda: gif((16, 16), 300_000),
        "GIF: 9,999 frames of no time on 100 million pixels.gif": lambda: gif((10000, 10000), 9_999),
        "JPEG: 65,500 x 65,500 pixels.jpg": lambda: jpeg_of_scans(65500, 65500, 1),
        "JPEG: 4,000 scans of nothing over 100 million pixels.jpg": lambda: jpeg_of_scans(10000, 10000, 4_000),
        "JPEG: 60 MB of metadata.jpg": lambda: jpeg_with(
            *[(0xE1, b"Exif\0\0" + bytes(65000))] * 300,
            *[(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65000))] * 300,
            *[(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65000))] * 300,
        ),
        "JPEG: EXIF that points at itself.jpg": lambda: jpeg_with(
            (0xE1, b"Exif\0\0" + tiff([(34665, 4, 1, 8), (0x8825, 4, 1, 8), (0x112, 3, 2**32 - 1, 8)], chain=[0]))
        ),
        "WebP: 268 million pixels, frames of 256.webp": lambda: webp_animation((16384, 16384), 3),
        "WebP: 2,000 frames of no time on 100 million pixels.webp": lambda: webp_animation((10000, 10000), 2_000),
        "WebP: 40 MB of XMP and EXIF.webp": lambda: riff(
            (b"VP8X", b"\x0c\0\0\0\x3f\0\0\x2f\0\0"),
            *[(kind, data) for kind, data in [(b"VP8 ", saved(small_picture((64, 48)), "WEBP", quality=20)[20:])]],
            (b"EXIF", bytes(20 * million)),
            (b"XMP ", bytes(20 * million)),
        ),
        "TIFF: directories in a ring.tiff": lambda: tiff(*[tiff_page(16, 16)] * 3, chain=[1, 2, 0], after=bytes(256)),
        "TIFF: 30,000 directories.tiff": lambda: tiff(*[tiff_page(16, 16)] * 30_000),
        "TIFF: a tag of 2^32 values.tiff": lambda: tiff(
            [*tiff_page(64, 48), (700, 1, 2**32 - 1, 8)], after=bytes(4096)
        ),
        "TIFF: 65,535 samples a pixel.tiff": lambda: tiff(tiff_page(10000, 10000, samples=65535), after=bytes(4096)),
        "TIFF: a tile of 2^31 x 2^31.tiff": lambda: tiff(
            tiff_page(64, 48, tile_width=2**31, tile_height=2**31, tile_offset=8, tile_length=99), after=bytes(4096)
        ),
        "TIFF: deflated 100 million pixels in 100 KB.tiff": lambda: _deflated_tiff(10000, 10000),
        "icon: a PNG of 400 million pixels inside.ico": lambda: icon(png(20000, 20000, 8, 0, b"")),
        "icon: 1,000 times a PNG of 100 million pixels.ico": lambda: icon_of_one(inside, 1000),
        "icon: a bitmap of 2^31 rows inside.ico": lambda: icon(
            struct.pack("<IiiHHIIiiII", 40, 60000, -(2**31), 1, 32, 0, 0, 0, 0, 0, 0)
        ),
        "cursor: a PNG of 100 million pixels inside.cur": lambda: icon(inside, kind=2),
        "BMP: 100 million pixels of runs in 8 KB.bmp": lambda: bmp(10000, 10000, 1, b"\xff\x01" * 4000 + b"\0\1"),
        "BMP: 2^31 x 2^31 pixels.bmp": lambda: bmp(2**31 - 1, 2**31 - 1, 0, b""),
        "PPM: 100 million pixels in 20 bytes.ppm": lambda: b"P6 10000 10000 255 a",
        "PPM: a comment of 50 MB.ppm": lambda: b"P6 16 16\n#" + bytes(50 * million),
        "QOI: 8 million pixels in 130 KB.qoi": lambda: (
            b"qoif" + struct.pack(">IIBB", 2800, 2800, 4, 0) + b"\xfd" * 130_000 + bytes(7) + b"\1"
        ),
        "JPEG 2000: 100 million pixels in tiles of one.jp2": lambda: jpeg2000(10000, 10000, 1),
        "JPEG 2000: 2^31 x 2^31 pixels.jp2": lambda: jpeg2000(2**31 - 1, 2**31 - 1, 2**31 - 1),
        "JPEG 2000: one tile of 100 million pixels.jp2": lambda: jpeg2000(10000, 10000, 10000),
        "PSD: 900 million pixels, 56 channels.psd": lambda: psd(30000, 30000, 56, 3),
        "PSD: 30,000 layers that are not there.psd": lambda: psd(64, 48, 3, 30000),
    }
    Image.init()
    if "AVIF" in Image.SAVE:
        made["AVIF: 100 million pixels by its container.avif"] = lambda: avif_of(10000, 10000)
        made["AVIF: 2^31 x 2^31 pixels by its container.avif"] = lambda: avif_of(2**31 - 1, 2**31 - 1)
    return made


def _deflated_tiff(width: int, height: int) -> bytes:
    packed = zeros(width * height)
    at = 8 + 2 + 12 * 9 + 4
    return tiff(tiff_page(width, height, compression=8, offset=at, length=len(packed)), after=packed)


def no_pictures() -> dict[str, bytes]:
    """What is no bitmap and comes under a picture's name: nothing of it may ever be rendered, run or unpacked."""
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">%s]><svg xmlns="http://www.w3.org/2000/svg">&i;</svg>'
    )
    entities = b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8)
    )  # each ten times the one before
    script = (
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><image href="file:///etc/passwd"/></svg>'
    )
    return {
        "laughs.png": laughs % entities,
        "script.jpg": script,
        "page.gif": b"<!DOCTYPE html><script>alert(1)</script>",
        "shell.png": b"#!/bin/sh\ntouch /tmp/hashindex-was-here\n",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch /tmp/x) (w) file\nshowpage\n",
        "binary-postscript.tiff": b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIII", 32, 99, 0, 0, 0, 0) + bytes(99),
        "document.png": b"%PDF-1.7\n1 0 obj << /OpenAction << /S /JavaScript >> >>\n",
        "metafile.bmp": b"\xd7\xcd\xc6\x9a\0\0" + bytes(99),
        "enhanced.png": struct.pack("<II", 1, 88) + bytes(32) + b" EMF" + bytes(99),
        "flashpix.jpg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "archive.jpg": b"PK\x03\x04" + bytes(99),
        "packed.png": gzip.compress(bytes(10**6)),
        "apple.ico": b"icns" + struct.pack(">I", 99) + b"ic10" + struct.pack(">I", 91) + bytes(83),
        "fits.png": b"SIMPLE  =                    T" + bytes(99),
        "spider.tiff": struct.pack(">6f", 1, 9, 9, 9, 1, 9) + bytes(1024),
        "gimp.png": b"gimp xcf file\0" + bytes(99),
        "pickle.gif": b"\x80\x04cos\nsystem\n(S'touch /tmp/x'\ntR.",
        "video.gif": b"\0\0\0\x18ftypmp42" + bytes(99),
    }


def polyglots() -> dict[str, bytes]:
    """Sound pictures that are something else as well: they are pictures, and nothing but the picture is looked at."""
    image = small_picture((64, 48))
    script = b"*/=1;alert(1)//<script>alert(1)</script>"
    archive = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    picture = saved(image, "GIF")
    return {
        "script.gif": picture[:-1] + b"\x21\xfe" + bytes([len(script)]) + script + b"\0;",
        "archive.png": saved(image, "PNG") + archive,
        "archive.jpg": saved(image, "JPEG") + archive,
        "page.jpg": jpeg_with((0xFE, b"<html><script>alert(1)</script>")),
        "document.webp": saved(image, "WEBP") + b"%PDF-1.7\n",
        "two.png": saved(image, "PNG") + saved(image, "JPEG"),
        "postscript.bmp": saved(image, "BMP") + b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n",
    }
