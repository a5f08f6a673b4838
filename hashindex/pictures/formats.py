"""What a picture is, told by its first bytes. Never looks at a name to tell it, never decodes, imports no decoder.

Chat clients store GIFs as .jpg, animated PNGs as .png and anything without a suffix, so the suffix is only ever a
hint (has_picture_suffix) and the bytes decide (sniff). Formats whose first bytes can be mistaken for something else
get a second check of their header; formats without trustworthy first bytes (TGA, PCX), with a language or an
external program behind them (EPS, PDF, WMF) or decoded by slow Python loops (XPM, plain PPM, DDS) are left out.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

LOOK_BYTES = 4096
"""How many first bytes sniff and what_it_is want; more is not looked at."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of picture file and who decodes it."""

    name: str
    """Lower case, as stored in the catalogue: "jpeg", "gif", ..."""
    suffix: str
    """The true suffix, with its dot; ".png" for animated PNG too, since every program writes it so."""
    plugin: str
    """Module whose import registers the decoder with Pillow."""
    pillow: str
    """Pillow's own name of the format, for Image.open(formats=[...])."""
    extra: str | None = None
    """Which optional extra of hashindex brings the decoder; None where Pillow has it."""
    pixels: int | None = None
    """Largest width x height that decodes in a few seconds; None where the decoder is compiled code."""


def _table(*formats: Format) -> Mapping[str, Format]:
    return MappingProxyType({each.name: each for each in formats})


CAMERA_RAWS = (
    "dng", "nef", "cr2", "cr3", "crw", "arw", "orf", "rw2", "pef", "raf", "srw",
    "iiq", "3fr", "erf", "mef", "mos", "dcr", "x3f", "mrw", "raw",
)  # fmt: skip
"""What cameras write: the values of the sensor, of which a picture has yet to be made. "raw": of an unknown maker."""

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
"""Every format by name. sniff names all but "apng" (decode calls a PNG so that has several frames) and the camera raws
that begin as a TIFF does (camera_raw.told)."""

_SUFFIXES = frozenset(
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
# BITMAPCOREHEADER is 12 bytes, BITMAPV5HEADER 124; OS/2 writes 16 to 64. Text that begins with "BM" has letters here.
_BMP_HEADERS = range(12, 125)
_ICON_DEPTHS = frozenset((0, 1, 4, 8, 16, 24, 32))
# Each part is anchored on a byte the others cannot take, so a hostile head costs linear time.
# The largest sample too must stand in the head, or the file end there: Pillow reads comments byte by byte.
_SIZE = rb"[ \t\r\n](?:[ \t\r\n]|#[^\n]*\n)*[1-9]\d{0,9}[ \t\r\n]+[1-9]\d{0,9}[ \t\r\n]"
_PPM = re.compile(rb"P4" + _SIZE + rb"|P[56]" + _SIZE + rb"(?:[ \t\r\n]|#[^\n]*\n)*+(?:\d{1,5}[ \t\r\n]|\d{0,5}\Z)")


def sniff(head: bytes) -> Format | None:
    """The format whose decoder should be tried on a file that begins with `head`; None: no picture that we read.

    head: the first LOOK_BYTES of a file, or all of it. Knows a format even where the rest is cut off. About 0.3 us
    for the common formats. Signatures: the formats' own specifications.
    """
    for magic, name in _MAGICS:
        if head.startswith(magic):
            return FORMATS[name]
    if head.startswith(b"RIFF"):
        return FORMATS["webp"] if head[8:12] == b"WEBP" else None
    name = _second_look(head)
    return FORMATS[name] if name else None


def _second_look(head: bytes) -> str:
    """Formats whose first bytes alone prove too little; "" for none of them."""
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
    """ISO base media files by brand: MP4, MOV and camera raws share the box with AVIF and HEIC."""
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
    """ICO or CUR: the first entry of the directory must make sense, TGA and MPEG begin with the same zeros."""
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


MASKED_SUFFIX = b".dat"
"""Of WeChat's pictures: a masked one elsewhere is taken for no picture, since chance makes bytes that look like one."""

_MASKED = ("jpeg", "png", "gif", "webp", "bmp")
_FIRST_BYTES = (0xFF, 0x89, 0x47, 0x52, 0x42)
"""Of those formats, in that order."""
_JPEG_MARKERS = frozenset((*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))
_WECHAT_AES = (b"\x07\x08V1\x08\x07", b"\x07\x08V2\x08\x07")


def mask_of(head: bytes) -> int:
    """The byte that every byte of a WeChat picture was combined with (exclusive or), 1 to 255; 0: it is not masked so.

    head: the first LOOK_BYTES of the file. The first byte and each format's own give a key, which the rest of what is
    known of that format has to confirm. A picture as it should be is not masked. About 5 us.
    """
    if len(head) < 12 or sniff(head) is not None:
        return 0
    for name, first in zip(_MASKED, _FIRST_BYTES, strict=True):
        key = head[0] ^ first
        if not key:
            continue
        plain = head.translate(_mask(key))
        form = sniff(plain)
        if form is not None and form.name == name and (name != "jpeg" or plain[3] in _JPEG_MARKERS):
            return key
    return 0


def unmasked_wxgf(head: bytes) -> bytes:
    """The first bytes of a wxgf picture that is masked, without its mask; any others as they are."""
    plain = unmask(head, head[0] ^ ord("w")) if head else head
    return plain if plain.startswith(b"wxgf") else head


def unmasked(data: bytes) -> bytes:
    """A whole picture without WeChat's mask; data itself where there is none. 1 GB/s."""
    key = mask_of(data[:LOOK_BYTES])
    return unmask(data, key) if key else data


def unmask(data: bytes, key: int) -> bytes:
    """A part of a masked picture, as it was before."""
    return data.translate(_mask(key))


def is_wechat_encrypted(head: bytes) -> bool:
    """Whether a file is a picture that WeChat encrypted with AES, as since version 4; nobody else has the key."""
    return head.startswith(_WECHAT_AES)


def may_be_masked(name: bytes) -> bool:
    """Does this file name end like a masked picture's? A hint for where to look, as has_picture_suffix."""
    return name[-4:].lower() == MASKED_SUFFIX


@lru_cache(maxsize=16)
def _mask(key: int) -> bytes:
    return bytes(byte ^ key for byte in range(256))


def has_picture_suffix(name: bytes) -> bool:
    """Does this file name end like a picture's? A hint for what to report as unreadable, not what a file is."""
    dot = name.rfind(b".")
    return dot >= 0 and name[dot:].lower() in _SUFFIXES


_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"%!PS", "a PostScript drawing (not a bitmap)"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing (not a bitmap)"),
    (b"wxgf", "a WeChat picture (wxgf), which only WeChat can open"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"FLV\x01", "a Flash video"),
    (b"OggS", "an Ogg sound or video"),
    (b"ID3", "an MP3 sound"),
    (b"#!AMR", "an AMR sound"),
    (b"\x02#!SILK", "a SILK sound"),
    (b"\x7fELF", "a program"),
    (b"DDS ", "a DDS texture"),
    (b"icns", "an Apple icon"),
)
_MOVIE_BRANDS = {b"qt  ": "a QuickTime video", b"M4A ": "an MP4 sound"}


_LOTTIE_KEYS = (b'"ip"', b'"op"', b'"fr"')
"""First and last frame and frames a second, which every Lottie animation says before what moves, or soon after."""
_UNPACKED_BYTES = 4096


def is_wxgf(head: bytes) -> bool:
    """Whether a file is a picture in WeChat's own format, which nobody else reads."""
    return head.startswith(b"wxgf")


def is_packed_lottie(head: bytes) -> bool:
    """Whether a file is a moving sticker as Telegram sends it: drawn by numbers, in a gzip archive."""
    return head.startswith(b"\x1f\x8b") and _is_lottie(_unpacked(head))


def _unpacked(head: bytes) -> bytes:
    """The first bytes of what a gzip archive holds; b"" where it is damaged."""
    try:
        return zlib.decompressobj(31).decompress(head, _UNPACKED_BYTES)
    except zlib.error:
        return b""


def _is_lottie(text: bytes) -> bool:
    if not text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    return b'"tgs"' in text or (b'"v"' in text and sum(key in text for key in _LOTTIE_KEYS) >= 2)


def _words_for_archive(head: bytes) -> str:
    """Of gzip and ZIP: what is in it counts, where it is known."""
    if head.startswith(b"PK"):
        # A dotLottie says what it is in its first entry.
        return (
            "a Lottie animation (.lottie)"
            if head[30:43] == b"manifest.json" and b"animations/" in head
            else ("a ZIP archive")
        )
    text = _unpacked(head)
    if _is_lottie(text):
        return "a Lottie animation (.tgs)"
    return "a packed SVG drawing (not a bitmap)" if b"<svg" in text.lower() else "a gzip archive"


def what_it_is(head: bytes) -> str:
    """Short words for bytes that are no picture we read, to be put after "it is": "empty", "text", "a ZIP archive".

    head: the first LOOK_BYTES of the file. Never raises; "unknown bytes" where nothing fits.
    """
    head = head[:LOOK_BYTES]
    if not head:
        return "empty"
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    if len(head) < 12 and any(magic.startswith(head) for magic, _ in (*_MAGICS, (b"RIFF", ""), (b"BM", ""))):
        return "cut off after its first bytes"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")):
        return _words_for_archive(head)
    for magic, words in _OTHERS:
        if head.startswith(magic):
            return words
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "a WebM video" if b"webm" in head[:64] else "a Matroska video"
    if head[4:8] == b"ftyp":
        return _MOVIE_BRANDS.get(head[8:12], "an MP4 video")
    if head.startswith(b"RIFF"):
        return {b"AVI ": "an AVI video", b"WAVE": "a WAV sound"}.get(head[8:12], "an unknown RIFF file")
    if head.startswith((b"BM", b"qoif")) and len(head) < 18:
        return "cut off after its first bytes"
    return _words_for_text(head) if _is_text(head) else "unknown bytes"


def _is_text(head: bytes) -> bool:
    """UTF-8, UTF-16 with its mark, or another encoding without control bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if head.translate(None, b"\t\n\x0b\x0c\r\x1b" + bytes(range(32, 256))):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A look of LOOK_BYTES may end inside a character.
        return error.start >= len(head) - 3
    return True


def _words_for_text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        if b"<svg" in start:
            return "an SVG drawing (not a bitmap)"
        return "an HTML page" if b"<html" in start else "an XML document"
    if _is_lottie(head):
        return "a Lottie animation (.json)"
    return "JSON text" if start.startswith((b'{"', b"[{", b'["')) else "text"
