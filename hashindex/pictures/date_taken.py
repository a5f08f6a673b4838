"""Reads when a picture was taken, from its EXIF. Runs in a worker process; decodes a picture only where it must."""

import re
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from hashindex.core.options import Limits
from hashindex.pictures.examine import content_bytes
from hashindex.pictures.frames import format_within
from hashindex.pictures.opener import check_size, load, open_picture
from hashindex.pictures.tiff_tags import dates_of
from hashindex.pictures.worker_limits import deadline

_DATE: Final = re.compile(rb"(\d{4})[:/.-](\d\d)[:/.-](\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?")
"""As in 2026:11:29 14:05:06; some programs write other separators, or no time."""


def dates_taken(files: Sequence[tuple[bytes, bytes]], limits: Limits) -> list[datetime | None]:
    """When the pictures were taken, in the local time of the camera; None if a file does not say. For a worker process.

    files: path and digest of each. A file that is gone, has other bytes or cannot be read has no date. Reads each file
    whole, to compare its digest.
    """
    taken: list[datetime | None] = []
    for path, digest in files:
        data = content_bytes(path, digest, limits)
        taken.append(None if data is None else date_taken(data, limits))
    return taken


def date_taken(data: bytes, limits: Limits) -> datetime | None:
    """The first valid date of dates_of in the EXIF of a picture; None if there is none. data: all bytes of its file."""
    try:
        with deadline(limits.seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dates = [_date_in(text) for text in dates_of(_exif_of(data, limits))]
    except Exception:  # noqa: BLE001
        # Damaged bytes may raise any exception in a decoder. Such a picture has no date.
        return None
    return next(filter(None, dates), None)


def _exif_of(data: bytes, limits: Limits) -> bytes:
    form = format_within(data, limits)
    if form.name == "tiff" or form.extra == "raw":
        return data
    with open_picture(data, form) as image:
        if "exif" not in image.info and form.name == "png" and b"eXIf" in data:
            # The chunk may follow the pixels; Pillow finds it only after it has decoded them.
            check_size(image.size, form, limits)
            load(image, form)
        exif = image.info.get("exif")
    return exif if isinstance(exif, bytes) else b""


def _date_in(text: bytes) -> datetime | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        return datetime(*map(int, match.groups(b"0")))  # type: ignore[arg-type]  # noqa: DTZ001 - of the camera
    except ValueError:
        return None  # cameras without a date write 0000:00:00
