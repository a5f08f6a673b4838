"""Formats of pictures, recognised by the first bytes of a file. Decodes nothing and imports no decoder.

Chat clients store GIFs as .jpg, animated PNGs as .png, and any picture without an extension. Therefore the bytes decide
(sniff), and the extension is only a hint (has_picture_extension). If the first bytes of a format are ambiguous, more of
the header is checked. Not supported are formats without reliable first bytes (TGA, PCX), formats that need a language
or an external program (EPS, PDF, WMF), and formats that slow Python loops decode (XPM, plain PPM, DDS).
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from hashindex.core.language import Message

HEAD_BYTES = 4096
"""Number of first bytes that sniff and describe_content use."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of picture files and its decoder."""

    name: str
    """Lower case, as stored in the catalogue: "jpeg", "gif", ..."""
    extension: str
    """The usual extension, with its dot; ".png" for animated PNG too, as all programs write it."""
    plugin: str
    """Module that registers the decoder with Pillow when it is imported."""
    pillow: str
    """Pillow's name of the format, for Image.open(formats=[...])."""
    extra: str | None = None
    """The extra of hashindex that installs the decoder; None if Pillow includes it."""
    pixels: int | None = None
    """Largest width x height that decodes in a few seconds; None if the decoder is compiled code."""


def _table(*formats: Format) -> Mapping[str, Format]:
    return MappingProxyType({each.name: each for each in formats})


CAMERA_RAWS = (
    "dng", "nef", "cr2", "cr3", "crw", "arw", "orf", "rw2", "pef", "raf", "srw",
    "iiq", "3fr", "erf", "mef", "mos", "dcr", "x3f", "mrw", "raw",
)  # fmt: skip
"""Sensor values as cameras write them, not yet developed into a picture. "raw": unknown make."""

FORMATS: Mapping[str, Format] = _table(
    Format("jpeg", ".jpg", "PIL.JpegImagePlugin", "JPEG"),
    Format("png", ".png", "PIL.PngImagePlugin", "PNG"),
    Format("apng", ".png", "PIL.PngImagePlugin", "PNG"),
    Format("gif", ".gif", "PIL.GifImagePlugin", "GIF"),
    Format("webp", ".webp", "PIL.WebPImagePlugin", "WEBP"),
    Format("bmp", ".bmp", "PIL.BmpImagePlugin", "BMP"),
    Format("tiff", ".tiff", "PIL.TiffImagePlugin", "TIFF"),
    Format("avif", ".avif", "PIL.AvifImagePlugin", "AVIF"),
    Format("ico", ".ico", "PIL.IcoImagePlugin", "ICO"),
    Format("cur", ".cur", "PIL.CurImagePlugin", "CUR"),
    Format("jp2", ".jp2", "PIL.Jpeg2KImagePlugin", "JPEG2000"),
    # Pillow's QOI decoder is a Python loop of about 1 us a pixel, and 62 pixels of it fit in one byte.
    Format("qoi", ".qoi", "PIL.QoiImagePlugin", "QOI", pixels=8_000_000),
    Format("psd", ".psd", "PIL.PsdImagePlugin", "PSD"),
    Format("ppm", ".ppm", "PIL.PpmImagePlugin", "PPM"),
    Format("heic", ".heic", "pillow_heif.HeifImagePlugin", "HEIF", extra="heif"),
    Format("jxl", ".jxl", "pillow_jxl", "JXL", extra="jxl"),
    *(Format(name, f".{name}", "hashindex.pictures.raw_opener", "CAMERA RAW", extra="raw") for name in CAMERA_RAWS),
)
"""Every format by name. sniff returns all except "apng" (decode gives that name to a PNG with several frames) and
camera raws that begin like TIFF (camera_raw.format_of)."""

_EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jif .jfif .jfi .png .apng .gif .webp .bmp .dib .tif .tiff .avif .avifs .ico .cur .jp2 .j2k .jpx "
    b".jpf .qoi .psd .ppm .pgm .pbm .pnm .heic .heif .hif .heics .jxl "
    b".dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .orf .rw2 .rwl .pef .raf .srw .iiq .3fr .fff .erf .mef .mos .dcr "
    b".kdc .x3f .mrw .raw".split()
)

_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF89a", "gif"),
    (b"GIF87a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0\x08\0\0\0", "tiff"),
    (b"MM\0+\0\x08\0\0", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51\0", "jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"8BPS\0\x01", "psd"),
    (b"IIRO\x08\0\0\0", "orf"),
    (b"IIRS\x08\0\0\0", "orf"),
    (b"MMOR\0\0\0\x08", "orf"),
    (b"IIU\0", "rw2"),
    (b"FUJIFILMCCD-RAW", "raf"),
    (b"II\x1a\0\0\0HEAPCCDR", "crw"),
    (b"\0MRM\0", "mrw"),
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_NEUTRAL_BRANDS = frozenset((b"mif1", b"msf1", b"mif2", b"miaf"))
# BITMAPCOREHEADER has 12 bytes, BITMAPV5HEADER 124, OS/2 headers 16 to 64. Text with "BM" has larger numbers.
_BMP_HEADERS = range(12, 125)
_ICON_DEPTHS = frozenset((0, 1, 4, 8, 16, 24, 32))
# Each part ends at a byte that the next cannot match, so hostile bytes take linear time.
# The maximum sample value must be in the head, or the file must end there: Pillow reads comments byte by byte.
_SIZE = rb"[ \t\r\n](?:[ \t\r\n]|#[^\n]*\n)*[1-9]\d{0,9}[ \t\r\n]+[1-9]\d{0,9}[ \t\r\n]"
_PPM = re.compile(rb"P4" + _SIZE + rb"|P[56]" + _SIZE + rb"(?:[ \t\r\n]|#[^\n]*\n)*+(?:\d{1,5}[ \t\r\n]|\d{0,5}\Z)")


def sniff(head: bytes) -> Format | None:
    """The format of a file that begins with `head`; None if it is no supported picture.

    head: the first HEAD_BYTES of a file, or all of it. Recognises truncated files too. About 0.3 us for the common
    formats. First bytes are from the specifications of the formats.
    """
    for magic, name in _MAGICS:
        if head.startswith(magic):
            return FORMATS[name]
    if head.startswith(b"RIFF"):
        return FORMATS["webp"] if head[8:12] == b"WEBP" else None
    name = _sniff_header(head)
    return FORMATS[name] if name else None


def _sniff_header(head: bytes) -> str:
    """Name of a format whose first bytes are ambiguous, by more of the header; "" for none."""
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head.startswith(b"BM"):
        offset = int.from_bytes(head[10:14], "little")
        header = int.from_bytes(head[14:18], "little")
        return "bmp" if len(head) >= 18 and header in _BMP_HEADERS and offset >= 26 else ""
    if head.startswith((b"\0\0\x01\0", b"\0\0\x02\0")):
        return _icon(head)
    if head.startswith(b"qoif"):
        return "qoi" if len(head) >= 14 and head[12] in (3, 4) and head[13] in (0, 1) else ""
    if head.startswith(b"\xff\x0a"):
        return "jxl" if len(head) >= 8 and not _is_text(head[2:]) else ""
    if head.startswith(b"FOVb"):
        return "x3f" if len(head) >= 8 and not _is_text(head) else ""
    if head.startswith(b"P") and _PPM.match(head):
        return "ppm"
    return ""


def _brand(head: bytes) -> str:
    """Name of a format that uses ISO base media boxes, by its brand. MP4 and MOV use them too."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    if major == b"crx ":
        return "cr3"
    if major in _AVIF_BRANDS:
        return "avif"
    if major in _HEIC_BRANDS:
        return "heic"
    if major not in _NEUTRAL_BRANDS:
        return ""
    compatible = {head[at : at + 4] for at in range(16, size - 3, 4)}
    if compatible & _AVIF_BRANDS:
        return "avif"
    return "heic" if compatible & _HEIC_BRANDS else ""


def _icon(head: bytes) -> str:
    """ "ico" or "cur" if the first directory entry is plausible, because TGA and MPEG may begin with the same bytes."""
    count = int.from_bytes(head[4:6], "little")
    size = int.from_bytes(head[14:18], "little")
    offset = int.from_bytes(head[18:22], "little")
    if len(head) < 22 or not 0 < count <= 1024 or head[9] not in (0, 255) or not size or offset < 6 + 16 * count:
        return ""
    if head[2] == 2:
        return "cur"
    planes = int.from_bytes(head[10:12], "little")
    depth = int.from_bytes(head[12:14], "little")
    return "ico" if planes <= 1 and depth in _ICON_DEPTHS else ""


MASKED_EXTENSION = b".dat"
"""Extension of WeChat's masked pictures. Other files are not unmasked, because random bytes may look like a picture."""

_MASKED = {"jpeg": 0xFF, "png": 0x89, "gif": 0x47, "webp": 0x52, "bmp": 0x42}
"""First byte of each format that WeChat masks."""
_JPEG_MARKERS = frozenset((*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))
_WECHAT_AES = (b"\x07\x08V1\x08\x07", b"\x07\x08V2\x08\x07")


def mask_of(head: bytes) -> int:
    """The key with which WeChat masked a picture (exclusive or with every byte), 1 to 255; 0 if it is not masked.

    head: the first HEAD_BYTES of the file. The first byte gives one key per format; the key must make the head one of
    that format. About 5 us.
    """
    if len(head) < 12 or sniff(head) is not None:
        return 0
    for name, first in _MASKED.items():
        key = head[0] ^ first
        if not key:
            continue
        unmasked_head = head.translate(_mask(key))
        form = sniff(unmasked_head)
        if form is not None and form.name == name and (name != "jpeg" or unmasked_head[3] in _JPEG_MARKERS):
            return key
    return 0


def unmasked_wxgf(head: bytes) -> bytes:
    """The first bytes of a file, unmasked if it is a masked wxgf picture."""
    candidate = unmask(head, head[0] ^ ord("w")) if head else head
    return candidate if candidate.startswith(b"wxgf") else head


def unmasked(data: bytes) -> bytes:
    """The bytes of a file, unmasked if WeChat masked it. 1 GB/s."""
    key = mask_of(data[:HEAD_BYTES])
    return unmask(data, key) if key else data


def unmask(data: bytes, key: int) -> bytes:
    """Unmasks a part of a picture."""
    return data.translate(_mask(key))


def is_wechat_encrypted(head: bytes) -> bool:
    """Whether WeChat encrypted the file with AES, as since version 4. Only WeChat has the key."""
    return head.startswith(_WECHAT_AES)


def may_be_masked(name: bytes) -> bool:
    """Whether the name of a file has the extension of WeChat's masked pictures."""
    return name[-4:].lower() == MASKED_EXTENSION


@lru_cache(maxsize=16)
def _mask(key: int) -> bytes:
    return bytes(byte ^ key for byte in range(256))


def has_picture_extension(name: bytes) -> bool:
    """Whether a name has the extension of a picture. If its bytes are no picture, the file is reported as a problem."""
    dot = name.rfind(b".")
    return dot >= 0 and name[dot:].lower() in _EXTENSIONS


_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", Message("a PDF document")),
    (b"%!PS", Message("a PostScript drawing (not a bitmap)")),
    (b"\xc5\xd0\xd3\xc6", Message("a PostScript drawing (not a bitmap)")),
    (b"wxgf", Message("a WeChat picture (wxgf), which only WeChat can open")),
    (b"7z\xbc\xaf\x27\x1c", Message("a 7z archive")),
    (b"Rar!\x1a\x07", Message("a RAR archive")),
    (b"SQLite format 3\0", Message("an SQLite database")),
    (b"FLV\x01", Message("a Flash video")),
    (b"OggS", Message("an Ogg sound or video")),
    (b"ID3", Message("an MP3 sound")),
    (b"#!AMR", Message("an AMR sound")),
    (b"\x02#!SILK", Message("a SILK sound")),
    (b"\x7fELF", Message("a program")),
    (b"DDS ", Message("a DDS texture")),
    (b"icns", Message("an Apple icon")),
)
_MOVIE_BRANDS = {b"qt  ": Message("a QuickTime video"), b"M4A ": Message("an MP4 sound")}


_LOTTIE_KEYS = (b'"ip"', b'"op"', b'"fr"')
"""First frame, last frame and frame rate, which are near the start of every Lottie animation."""
_UNPACKED_BYTES = 4096


def is_wxgf(head: bytes) -> bool:
    """Whether a file is in WeChat's own format, which only WeChat can read."""
    return head.startswith(b"wxgf")


def is_packed_lottie(head: bytes) -> bool:
    """Whether a file is an animated sticker of Telegram: a Lottie animation compressed with gzip."""
    return head.startswith(b"\x1f\x8b") and _is_lottie(_unpacked(head))


def _unpacked(head: bytes) -> bytes:
    """The first bytes of the content of a gzip file; b"" if it is damaged."""
    try:
        return zlib.decompressobj(31).decompress(head, _UNPACKED_BYTES)
    except zlib.error:
        return b""


def _is_lottie(text: bytes) -> bool:
    if not text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    return b'"tgs"' in text or (b'"v"' in text and sum(key in text for key in _LOTTIE_KEYS) >= 2)


def _describe_archive(head: bytes) -> str:
    """Describes a gzip or ZIP file, by its content if that is known."""
    if head.startswith(b"PK"):
        # A dotLottie is a ZIP file that begins with its manifest.
        return (
            Message("a Lottie animation (.lottie)")
            if head[30:43] == b"manifest.json" and b"animations/" in head
            else Message("a ZIP archive")
        )
    text = _unpacked(head)
    if _is_lottie(text):
        return Message("a Lottie animation (.tgs)")
    return Message("a packed SVG drawing (not a bitmap)") if b"<svg" in text.lower() else Message("a gzip archive")


def describe_content(head: bytes) -> str:
    """Describes bytes that are no supported picture, to be used after "it is": "empty", "text", "a ZIP archive".

    head: the first HEAD_BYTES of the file. Never raises; "unknown bytes" if nothing matches.
    """
    head = head[:HEAD_BYTES]
    if not head:
        return Message("empty")
    if not head.strip(b"\0"):
        return Message("nothing but zero bytes")
    if len(head) < 12 and any(magic.startswith(head) for magic, _ in (*_MAGICS, (b"RIFF", ""), (b"BM", ""))):
        return Message("cut off after its first bytes")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")):
        return _describe_archive(head)
    for magic, description in _OTHERS:
        if head.startswith(magic):
            return description
    if head.startswith(b"\x1aE\xdf\xa3"):
        return Message("a WebM video") if b"webm" in head[:64] else Message("a Matroska video")
    if head[4:8] == b"ftyp":
        return _MOVIE_BRANDS.get(head[8:12], Message("an MP4 video"))
    if head.startswith(b"RIFF"):
        return {b"AVI ": Message("an AVI video"), b"WAVE": Message("a WAV sound")}.get(
            head[8:12], Message("an unknown RIFF file")
        )
    if head.startswith((b"BM", b"qoif")) and len(head) < 18:
        return Message("cut off after its first bytes")
    return _describe_text(head) if _is_text(head) else Message("unknown bytes")


def _is_text(head: bytes) -> bool:
    """Whether the bytes are UTF-8, UTF-16 with a byte order mark, or another encoding without control bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if head.translate(None, b"\t\n\x0b\x0c\r\x1b" + bytes(range(32, 256))):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end within a character.
        return error.start >= len(head) - 3
    return True


def _describe_text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Message("an HTML page")
    if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        if b"<svg" in start:
            return Message("an SVG drawing (not a bitmap)")
        return Message("an HTML page") if b"<html" in start else Message("an XML document")
    if _is_lottie(head):
        return Message("a Lottie animation (.json)")
    return Message("JSON text") if start.startswith((b'{"', b"[{", b'["')) else Message("text")
