"""Which files are renditions of one picture, as chat clients keep it in several sizes, and how they rank.

A family is told by folder and name alone (QQ writes the MD5 of the original into the name of every size), and reaches
no further than the folder of one month. Pure rules: no files, no SQL; store/families.py applies them.
"""

import os
import re
from functools import lru_cache
from typing import NamedTuple

QQ_KINDS = {b"Ori": 0, b"OriTemp": 1, b"Thumb": 2, b"ThumbTemp": 3}
"""Folder -> rank. QQ NT: {Pic,Emoji/emoji-recv}/2024-05/KIND/MD5[_SIZE].gif, and personal_emoji without months."""
_QQ_NAME = re.compile(rb"([0-9a-fA-F]{32})(?:_(\d{1,9}))?\.?\w*")
# WeChat 4: msg/attach/MD5 of the chat/2024-05/Img/NAME.dat, NAME_t.dat (thumbnail), NAME_h.dat (high definition).
_WECHAT_KINDS = {b"_h": 0, b"": 1, b"_t": 2}
_WECHAT_NAME = re.compile(rb"([0-9a-fA-F]{32})(_[ht]|)\.dat", re.IGNORECASE)
_MONTH = re.compile(rb"\d{4}-\d{2}")
_UNNUMBERED = 10**9


class Place(NamedTuple):
    """A folder that holds renditions. base: the path that all folders of one family have in common."""

    base: bytes
    kind: int
    """Rank of the folder in QQ's layout, 0 the best; -1 in WeChat's, where the name tells."""


class Form(NamedTuple):
    """What the name of a rendition says. rank: the lower, the better the rendition."""

    stem: bytes
    """What all names of the family begin with, in lower case."""
    rank: tuple[int, int]


@lru_cache(maxsize=4096)
def place_of(folder: bytes) -> Place | None:
    """The place, if a client keeps pictures in several sizes in a folder of this path. Cached."""
    above, last = os.path.split(folder)
    upper = os.path.basename(above)
    if last in QQ_KINDS and (upper == b"personal_emoji" or _MONTH.fullmatch(upper)):
        return Place(above, QQ_KINDS[last])
    return Place(folder, -1) if last == b"Img" and _MONTH.fullmatch(upper) else None


def form_of(place: Place, name: bytes) -> Form | None:
    """The form of a file of this name. Ori ranks before OriTemp before Thumb; in each, no number before _720 before _0.

    None if the name is not that of a rendition.
    """
    if place.kind < 0:
        match = _WECHAT_NAME.fullmatch(name)
        return match and Form(match[1].lower(), (_WECHAT_KINDS[match[2].lower()], 0))
    match = _QQ_NAME.fullmatch(name)
    if match is None:
        return None
    size = _UNNUMBERED if match[2] is None else int(match[2])
    return Form(match[1].lower(), (place.kind, -size))
