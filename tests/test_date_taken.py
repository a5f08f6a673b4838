"""Tests of the date in the EXIF of a picture: where it lies, which one counts, and what is no date."""

import io
import struct
import zlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw
from PIL import Image

from hashindex.core.options import Limits
from hashindex.pictures.date_taken import date_taken

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
LIMITS = Limits()


def exif(dates: dict[int, str]) -> bytes:
    held = Image.Exif()
    for tag, text in dates.items():
        if tag == CHANGED:
            held[tag] = text
        else:
            held.get_ifd(0x8769)[tag] = text
    return held.tobytes()


def picture(form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    draw(1, (40, 30)).save(target, form, **options)
    return target.getvalue()


def taken(data: bytes) -> str | None:
    found = date_taken(data, LIMITS)
    return None if found is None else found.isoformat(" ")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_date_is_read_from_each_format_that_has_exif(form: str) -> None:
    assert taken(picture(form, exif=exif({ORIGINAL: "2019:03:04 05:06:07"}))) == "2019-03-04 05:06:07"


def test_the_date_of_a_tiff_is_among_its_own_tags() -> None:
    assert taken(picture("TIFF", tiffinfo={CHANGED: "2019:03:04 05:06:07"})) == "2019-03-04 05:06:07"


def test_a_png_may_have_its_exif_after_its_pixels() -> None:
    data = picture("PNG")
    body = exif({ORIGINAL: "2019:03:04 05:06:07"}).removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    assert taken(data[:-12] + chunk + data[-12:]) == "2019-03-04 05:06:07"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_picture_without_exif_has_no_date(form: str) -> None:
    assert taken(picture(form)) is None


@pytest.mark.parametrize(
    ("dates", "date"),
    [
        ({ORIGINAL: "2001:01:01 00:00:00", DIGITIZED: "2002:01:01 00:00:00", CHANGED: "2003:01:01 00:00:00"}, "2001"),
        ({DIGITIZED: "2002:01:01 00:00:00", CHANGED: "2003:01:01 00:00:00"}, "2002"),
        ({CHANGED: "2003:01:01 00:00:00"}, "2003"),
        ({ORIGINAL: "0000:00:00 00:00:00", CHANGED: "2003:01:01 00:00:00"}, "2003"),
        ({ORIGINAL: "    :  :     :  :  ", DIGITIZED: "2002:01:01 00:00:00"}, "2002"),
    ],
)
def test_when_it_was_taken_counts_before_when_it_was_digitised_or_changed(dates: dict[int, str], date: str) -> None:
    assert taken(picture("JPEG", exif=exif(dates))) == f"{date}-01-01 00:00:00"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2019-03-04T05:06:07+02:00", "2019-03-04 05:06:07"),
        ("2019/03/04 05:06", "2019-03-04 05:06:00"),
        ("2019:03:04", "2019-03-04 00:00:00"),
        ("2019:02:30 05:06:07", None),
        ("2019:03:04 25:06:07", None),
        ("0000:01:01 00:00:00", None),
        ("yesterday", None),
        ("", None),
        ("2019:03", None),
    ],
)
def test_other_programs_write_other_forms_and_what_is_no_date_is_none(text: str, date: str | None) -> None:
    assert taken(picture("JPEG", exif=exif({ORIGINAL: text}))) == date


WHOLE = picture("JPEG", exif=exif({ORIGINAL: "2019:03:04 05:06:07", CHANGED: "2020:01:01 00:00:00"}))


@given(st.data())
def test_damaged_exif_never_raises(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[: data.draw(st.integers(0, len(WHOLE)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if damaged:
            damaged[data.draw(st.integers(0, min(len(damaged), 200) - 1))] = data.draw(st.integers(0, 255))
    found = date_taken(bytes(damaged), LIMITS)
    assert found is None or isinstance(found, datetime)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_what_is_no_picture_has_no_date(data: bytes) -> None:
    assert taken(data) is None
