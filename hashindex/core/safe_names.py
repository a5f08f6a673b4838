"""Names of files and folders that every system accepts, and keys that say which names may be one. Pure.

Sources: "Naming Files, Paths, and Namespaces" of Microsoft; Apple's TN1150 on names in HFS+; Unicode 3.13, D145
(canonical caseless matching).
"""

import re
import unicodedata
from typing import Final

MOST_BYTES: Final = 255
"""Longest name in UTF-8. It is the limit of ext4, Btrfs, XFS and APFS, and within that of NTFS, exFAT and HFS+."""

# Characters that Windows refuses, control characters, what is no character (also the bytes of a name that is not
# UTF-8), and marks that change the direction of the text, by which a name can look like another.
_UNSAFE: Final = re.compile(
    '[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]'
)
_RESERVED: Final = frozenset((
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"),
))  # fmt: skip
"""Devices of Windows. They are reserved with every extension, too."""
_IGNORED: Final = re.compile("[\u200c\u200d\u2060-\u206f\u00ad\ufe00-\ufe0f]")
"""Characters without width, which some file systems leave out when they compare names."""


def safe_name(text: str) -> str:
    """The text as the name of a file or folder on every system, of at most MOST_BYTES; "" if nothing is left.

    Unsafe characters become _. Dots and spaces at the end are removed, and a dot at the beginning, which would hide the
    file, becomes _. A reserved name gets a _ before it. A safe name is returned as it is.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip(" ").rstrip(". ")
    if name.startswith("."):
        name = "_" + name[1:]
    if name.partition(".")[0].rstrip(" ").casefold() in _RESERVED:
        name = "_" + name
    return shortened(name, MOST_BYTES)


def shortened(name: str, most: int) -> str:
    """A safe name, cut to at most that many bytes of UTF-8 between two characters, and safe again at its end."""
    data = name.encode()
    return name if len(data) <= most else data[:most].decode(errors="ignore").rstrip(". ")


def name_key(name: str) -> str:
    """Equal for names that are one name on some file system: case, normal form and marks without width do not count.

    Takes a path with / between its names as well.
    """
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", _IGNORED.sub("", name)).casefold()
    return unicodedata.normalize("NFC", folded)
