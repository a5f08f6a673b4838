"""Removes metadata from the bytes of a picture's file: every block on which no pixel depends.

Comments, colour profiles, camera data and the like may be damaged, too short, too large or of an unknown kind. A
decoder that stops at one would lose a picture that every viewer shows. The orientation is kept if it can be read.
Safe for hostile bytes: it decodes nothing, never raises, and takes linear time.
Sources: PNG third edition, ITU T.81, the WebP container, GIF89a, TIFF 6.0, ISO 14496-12, ISO 15444-1, Adobe's PSD.
"""

import re
import struct
import zlib
from collections.abc import Callable
from typing import Final

from hashindex.pictures.structure import after_sub_blocks, boxes, is_valid_control, next_gif_block
from hashindex.pictures.tiff_tags import ORIENTATION, PIXEL_TAGS, Tags, orientation_of

TEXT_BYTES: Final = 2**20
"""Most bytes, after decompression, of a text that may contain an orientation."""
TEXTS_READ: Final = 8
PAGES_READ: Final = 256
ITEMS_READ: Final = 4096

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_BIG32 = struct.Struct(">I").unpack_from


def strip_metadata(data: bytes, format_name: str) -> bytes:
    """The file without metadata; the same object as data if there is none.

    format_name: as in formats.FORMATS. Blocks with pixels are not changed, even if they are damaged.
    """
    strip = _STRIPPERS.get(format_name)
    if strip is None:
        return data
    try:
        bare = strip(data)
    except (IndexError, ValueError, struct.error, zlib.error):
        return data
    return data if bare == data else bare


def _exif(turned: int) -> bytes:
    """EXIF that contains only the orientation."""
    return b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", ORIENTATION, 3, 1, turned, 0) + b"\0\0\0\0"


def _orientation(exif: bytes, xmp: bytes) -> int:
    """The orientation, 1 to 8, from EXIF or else from XMP."""
    match = _XMP_ORIENTATION.search(xmp)
    return orientation_of(exif) or (int(match[1]) if match else 1)


# PNG

_PNG_TURNING = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"exif\0")
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(data: bytes) -> bytes:
    """Removes ancillary chunks except transparency and animation, and also a damaged tRNS, which viewers ignore."""
    end, colour = len(data), data[25]
    kept, begun, position = [], 0, 8
    exif = xmp = b""
    texts = 0
    has_pixels = is_moving = False
    while position + 8 <= end:
        size, kind = _BIG32(data, position)[0], data[position + 4 : position + 8]
        body, following = position + 8, position + 12 + size
        if kind == b"IEND":
            kept += [data[begun:position], _PNG_END]
            begun = end
            break
        has_pixels = has_pixels or kind == b"IDAT"
        if kind == b"acTL" and not is_moving:
            is_moving = is_kept = not has_pixels and is_valid_control(data, position)
        elif kind in (b"fcTL", b"fdAT"):
            is_kept = is_moving
        else:
            is_kept = _is_png_pixels(data, kind, body, size, colour)
        if is_kept:
            position = following
            continue
        kept.append(data[begun:position])
        if following > end:
            # The chunk extends past the end of the file; the whole picture is before it.
            kept.append(_PNG_END if has_pixels else b"")
            begun = end
            break
        if kind in (b"eXIf", b"iTXt", b"zTXt", b"tEXt") and texts < TEXTS_READ and _is_intact(data, position, size):
            content = data[body : body + size]
            if kind == b"eXIf":
                exif = content
            elif content.startswith(_PNG_TURNING):
                texts += 1
                text = _png_text(kind, content)
                if content.startswith(_PNG_TURNING[0]):
                    xmp = text
                elif content.startswith(_PNG_TURNING[1]):
                    exif = exif or _of_raw_profile(text)
                else:
                    exif = exif or text
        begun = position = following
    kept.append(data[begun:])
    turned = _orientation(exif, xmp)
    if turned > 1:
        # After the signature and the header, 8 and 25 bytes.
        head, kept[0] = kept[0][:33], kept[0][33:]
        kept[:0] = [head, _png_chunk(b"eXIf", _exif(turned))]
    return b"".join(kept)


def _is_png_pixels(data: bytes, kind: bytes, body: int, size: int, colour: int) -> bool:
    if kind == b"PLTE":
        # For other colour types it is only a suggestion.
        return colour == 3
    if kind == b"tRNS":
        least = {0: 2, 2: 6, 3: 1}.get(colour)
        return least is not None and size >= least and _is_intact(data, body - 8, size)
    return not kind[:1].islower() or not kind.isalpha()


def _is_intact(data: bytes, position: int, size: int) -> bool:
    """Whether the checksum of a chunk is correct."""
    end = position + 8 + size
    return end + 4 <= len(data) and zlib.crc32(data[position + 4 : end]) == _BIG32(data, end)[0]


def _png_text(kind: bytes, content: bytes) -> bytes:
    """The text of a chunk, decompressed; b"" if that fails or it is larger than TEXT_BYTES."""
    text = content.split(b"\0", 1)[1]
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = text[:1] == b"\1"
        text = text[2:].split(b"\0", 2)[-1]
    elif packed:
        text = text[1:]
    if not packed:
        return text if len(text) <= TEXT_BYTES else b""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(text, TEXT_BYTES)
    except zlib.error:
        return b""
    return b"" if unpacking.unconsumed_tail else text


def _of_raw_profile(text: bytes) -> bytes:
    """EXIF from the form of ImageMagick: a line with its name, one with its length, then hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


# JPEG


def _jpeg(data: bytes) -> bytes:
    """Removes application segments and comments, except those that define colours, if they are long enough."""
    end, position = len(data), 2
    kept = [data[:2]]
    exif = xmp = b""
    while position + 4 <= end:
        if data[position] != 0xFF:
            position = data.find(b"\xff", position)
            if position < 0:
                return data
            continue
        marker = data[position + 1]
        if marker == 0xDA:
            kept.append(data[position:])
            break
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD9:
            position += 1 if marker == 0xFF else 2
            continue
        following = position + 2 + max(2, data[position + 2] << 8 | data[position + 3])
        content = data[position + 4 : following]
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            is_jfif = marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14
            is_adobe = marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12
            if is_jfif or is_adobe:
                kept.append(data[position:following])
            elif marker == 0xE1 and content.startswith(b"Exif\0\0"):
                exif = exif or content
            elif marker == 0xE1 and content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                xmp = xmp or content
        else:
            kept.append(data[position:following])
        position = following
    else:
        return data
    turned = _orientation(exif, xmp)
    if turned > 1:
        content = b"Exif\0\0" + _exif(turned)
        kept.insert(1, b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content)
    return b"".join(kept)


# WebP


def _webp(data: bytes) -> bytes:
    """Keeps only the chunks of the picture and corrects the sizes."""
    end, position = len(data), 12
    kept = []
    exif = xmp = b""
    header = b""
    while position + 8 <= end:
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        following = position + 8 + size + (size & 1)
        content = data[position + 8 : position + 8 + size]
        if kind == b"VP8X" and not header and len(content) == size >= 10:
            header = data[position:following]
        elif kind in (b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"):
            kept.append(data[position:following])
        elif kind == b"EXIF" and len(content) == size:
            exif = exif or content
        elif kind == b"XMP " and len(content) == size:
            xmp = xmp or content
        position = following
    missing = max(0, position - end)
    if not kept or (missing and kind not in (b"ANMF", b"ALPH", b"VP8 ", b"VP8L")):
        missing = 0
    if header:
        turned = _orientation(exif, xmp)
        if turned > 1:
            content = _exif(turned)
            kept.append(b"EXIF" + struct.pack("<I", len(content)) + content)
        # Keep only the flags for transparency, animation and EXIF.
        kept.insert(0, header[:8] + bytes([header[8] & 0x12 | (8 if turned > 1 else 0)]) + header[9:])
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", min(2**32 - 2, 4 + len(body) + missing)) + b"WEBP" + body


# GIF


def _gif(data: bytes) -> bytes:
    """Removes extensions, except graphic controls of the correct length."""
    end = len(data)
    position = 13 + (6 << (data[10] & 7) if data[10] & 128 else 0)
    kept = [data[:position]]
    while 0 <= position < end:
        kind = data[position]
        if kind == 0x21:
            if data[position + 1 : position + 3] == b"\xf9\x04" and position + 8 <= end:
                kept.append(data[position : position + 7] + b"\0")
            position = after_sub_blocks(data, position + 2)
        elif kind == 0x2C:
            begun = position
            if position + 11 >= end:
                kept.append(data[begun:])
                break
            position += 11 + (6 << (data[position + 9] & 7) if data[position + 9] & 128 else 0)
            position = after_sub_blocks(data, position)
            kept.append(data[begun:position] if position >= 0 else data[begun:])
        elif kind == 0x3B:
            kept.append(b";")
            break
        else:
            position = next_gif_block(data, position)
    return b"".join(kept)


# TIFF


def _tiff(data: bytes) -> bytes:
    """Removes other tags from the directory of every page. Their values stay, unused."""
    tags = Tags(data)
    bare = bytearray(data)
    for at in tags.chain(PAGES_READ):
        directory = tags.directory(at)
        if not directory.is_whole or len(directory.entries) != tags.number(at, tags.count_size):
            continue
        first = at + tags.count_size
        kept = []
        for number, entry in enumerate(directory.entries):
            if entry.tag in PIXEL_TAGS and (entry.tag != ORIENTATION or len(tags.values(entry)) == 1):
                place = first + number * tags.entry_size
                kept.append(data[place : place + tags.entry_size])
        end = tags.end_of(at)
        following = data[end : end + tags.offset_size]
        new = tags.bytes_of(len(kept), tags.count_size) + b"".join(kept) + following
        bare[at : at + len(new)] = new
    return bytes(bare)


# AVIF, HEIC and JPEG 2000: blocks are renamed in place, because others are found by their offsets


def _heif(data: bytes) -> bytes:
    """Gives EXIF and XMP items a type that readers ignore. The orientation is stored elsewhere."""
    bare = bytearray(data)
    for meta, stop in boxes(data, b"meta"):
        for items, items_end in boxes(data, b"iinf", start=meta + 4, stop=stop):
            entries = items + (6 if data[items] == 0 else 8)
            for at, end in boxes(data, b"infe", start=entries, stop=items_end, most=ITEMS_READ):
                kind = at + (8 if data[at] == 2 else 10)
                if data[at] in (2, 3) and kind + 4 <= end and data[kind : kind + 4] in (b"Exif", b"mime", b"uri "):
                    bare[kind : kind + 4] = b"skip"
    return bytes(bare)


def _jp2(data: bytes) -> bytes:
    """Removes the resolution and colour profiles; the decoder needs only the colour space."""
    bare = bytearray(data)
    for header, stop in boxes(data, b"jp2h"):
        for kind in (b"res ", b"colr"):
            for at, _ in boxes(data, kind, start=header, stop=stop):
                if kind == b"res " or data[at] != 1:
                    bare[at - 4 : at] = b"free"
    return bytes(bare)


# Photoshop


def _psd(data: bytes) -> bytes:
    """Removes image resources and layers: the merged picture follows them."""
    colours = 30 + _BIG32(data, 26)[0]
    resources = colours + 4 + _BIG32(data, colours)[0]
    layers = resources + 4 + _BIG32(data, resources)[0]
    if layers >= len(data):
        return data
    return data[:colours] + bytes(8) + data[layers:]


_STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "png": _png,
    "apng": _png,
    "jpeg": _jpeg,
    "webp": _webp,
    "gif": _gif,
    "tiff": _tiff,
    "avif": _heif,
    "heic": _heif,
    "jp2": _jp2,
    "psd": _psd,
}
