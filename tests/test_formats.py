"""What a picture is, by its first bytes."""

import gzip

import pytest

from hashindex.pictures.formats import FORMATS, describe_content, has_picture_extension, sniff

BMP = b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
ICO = b"\0\0\1\0\1\0" + bytes([16, 16, 0, 0, 1, 0, 32, 0]) + (99).to_bytes(4, "little") + (22).to_bytes(4, "little")


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (4 + len(body)).to_bytes(4, "big") + body + bytes(16)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"),
        (b"GIF89a\1\0", "gif"),
        (b"GIF87a\1\0", "gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (BMP, "bmp"),
        (b"II*\0\x08\0\0\0", "tiff"),
        (b"MM\0*\0\0\0\x08", "tiff"),
        (ICO, "ico"),
        (ICO[:2] + b"\2" + ICO[3:], "cur"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
        (b"\xff\x4f\xff\x51\0\x2f", "jp2"),
        (b"qoif\0\0\0\1\0\0\0\1\3\0", "qoi"),
        (b"8BPS\0\1", "psd"),
        (b"P6\n# a comment\n12 14\n255\n", "ppm"),
        (b"P4 8 8\n", "ppm"),
        (b"P5 8 8\n", "ppm"),
        (b"P5 8 8\n# a comment\n255 ", "ppm"),
        (ftyp(b"avif", b"mif1"), "avif"),
        (ftyp(b"mif1", b"miaf", b"avif"), "avif"),
        (ftyp(b"heic", b"mif1"), "heic"),
        (ftyp(b"mif1", b"heic"), "heic"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
        (b"\xff\x0a\xfa\x7f\x01\x90\x08\x06", "jxl"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(head: bytes, name: str) -> None:
    assert sniff(head) is FORMATS[name]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (bytes(100), "nothing but zero bytes"),
        (b"\x89", "cut off after its first bytes"),
        (b"RIFF", "cut off after its first bytes"),
        (b"BM the letters that begin this text", "text"),
        ("BM 图片不存在，请稍后再试".encode(), "text"),
        (b"P6 is a car made by Rover", "text"),
        (b"P3\n1 1\n255\n0 0 0\n", "text"),
        (b"\xff\xfeP\0a\0", "text"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\n <html lang='zh'>", "an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing (not a bitmap)"),
        (b"<?xml version='1.0'?><!-- --><svg/>", "an SVG drawing (not a bitmap)"),
        (b'{"code": 404}', "JSON text"),
        (b'{"v":"5.5.7","fr":60,"ip":0,"op":180,"w":512,"h":512,"layers":[', "a Lottie animation (.json)"),
        (b'\n{ "fr": 30, "ip": 0, "op": 90, "assets": [], "v": "4.8.0", "layers": [', "a Lottie animation (.json)"),
        (b'{"v": 1, "ip": "127.0.0.1"}', "JSON text"),
        (b'{"tgs":1,"v":"5.5.2","fr":60,"ip":0,"op":180}', "a Lottie animation (.json)"),
        (
            gzip.compress(b'{"tgs":1,"v":"5.5.2","fr":60,"ip":0,"op":180,' + bytes(range(256)) * 99, mtime=0),
            "a Lottie animation (.tgs)",
        ),
        (gzip.compress(b"<?xml version='1.0'?><svg xmlns='x'/>", mtime=0), "a packed SVG drawing (not a bitmap)"),
        (gzip.compress(b"anything else", mtime=0), "a gzip archive"),
        (b"\x1f\x8b\x08 damaged", "a gzip archive"),
        (b"PK\3\4" + bytes(22) + b"\x0d\0\0\0manifest.json{}PK\3\4animations/a.json", "a Lottie animation (.lottie)"),
        (b"wxgf\1\0\0\0", "a WeChat picture (wxgf), which only WeChat can open"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm", "a WebM video"),
        (b"\x1aE\xdf\xa3\xa3B\x82\x88matroska", "a Matroska video"),
        (ftyp(b"isom", b"mp42", b"avc1"), "an MP4 video"),
        (ftyp(b"mp42", b"avif"), "an MP4 video"),
        (ftyp(b"qt  "), "a QuickTime video"),
        (b"PK\3\4" + bytes(20), "a ZIP archive"),
        (b"RIFF\x10\0\0\0AVI LIST", "an AVI video"),
        (b"\0\0\2\0" + bytes(20) + b"\1", "unknown bytes"),
        (b"\xff\x0a plain words after a strange start", "unknown bytes"),
        (bytes(range(1, 200)), "unknown bytes"),
    ],
)
def test_the_content_of_other_files_is_described(head: bytes, words: str) -> None:
    assert (sniff(head), describe_content(head)) == (None, words)


def test_text_whose_last_character_is_cut_in_two_is_still_text() -> None:
    assert describe_content("图".encode() * 2000) == "text"


def test_no_head_of_a_known_format_makes_any_shorter_head_fail() -> None:
    for head in (BMP, ICO, ftyp(b"mif1", b"avif"), b"qoif\0\0\0\1\0\0\0\1\3\0", b"P6 1 1 255\n", b"RIFFxxxxWEBPVP8X"):
        for length in range(len(head) + 1):
            sniff(head[:length])
            assert describe_content(head[:length])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (b"a.jpg", True),
        (b"A.JPEG", True),
        (b"x.jif", True),
        (b"x.JFIF", True),
        (b"x.jpe", True),
        (b"x.tif", True),
        (b"x.dib", True),
        (b"x.apng", True),
        (b"x.hif", True),
        (b"two.dots.gif", True),
        (b"\xff\xfe.png", True),
        (b"x.null", False),
        (b"x.jpg.part", False),
        (b"jpg", False),
        (b"", False),
    ],
)
def test_a_suffix_is_a_hint(name: bytes, answer: bool) -> None:
    assert has_picture_extension(name) is answer


def test_every_format_names_its_decoder_and_its_true_suffix() -> None:
    assert {
        name: (each.name, each.extension[0], has_picture_extension(b"x" + each.extension.encode()))
        for name, each in FORMATS.items()
    } == {name: (name, ".", True) for name in FORMATS}
    assert {each.extra for each in FORMATS.values() if not each.plugin.startswith("PIL.")} == {"heif", "jxl", "raw"}
