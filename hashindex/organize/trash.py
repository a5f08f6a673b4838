"""Where the trash of a file is, by the Trash specification of freedesktop.org. Reads folders; changes nothing.

macOS and Windows have a trash whose places only the system knows: there Send2Trash moves the files (see moves).
"""

import os
import re
import stat
import sys
import time
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hashindex.disk import files

SYSTEM_HAS_PLACES = sys.platform not in ("darwin", "win32")
"""Whether the trash is a folder as the specification describes it."""
SUFFIX = b".trashinfo"
_IN_TRASH = re.compile(rb"[/\\](?:\.Trash(?:es|-\d+)?|Trash[/\\](?:files|info)|\$Recycle\.Bin)[/\\]", re.IGNORECASE)


class Trash(NamedTuple):
    """One trash folder."""

    folder: bytes
    base: bytes | None
    """The folder to which the paths in its records are relative; None if they are absolute."""

    @property
    def files(self) -> bytes:
        return os.path.join(self.folder, b"files")

    @property
    def info(self) -> bytes:
        return os.path.join(self.folder, b"info")

    def record(self, source: bytes, when_s: float) -> bytes:
        """The record by which a file manager puts the file back."""
        path = source if self.base is None else os.path.relpath(source, self.base)
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when_s))
        return f"[Trash Info]\nPath={quote_from_bytes(path)}\nDeletionDate={date}\n".encode()


def is_record_of(record: bytes, source: bytes) -> bool:
    """Whether the text of a record, which a crash may have cut off, is of the file that was at source."""
    head, key, rest = record.partition(b"\nPath=")
    if not key:
        return b"[Trash Info]\nPath=".startswith(head)
    text, is_whole, _ = rest.partition(b"\n")
    path = unquote_to_bytes(text if is_whole else re.sub(rb"%.?$", b"", text))
    return source == path or source.endswith(b"/" + path) or (not is_whole and path in source)


def record_of(target: bytes) -> bytes:
    """The path of the record of a file in a trash."""
    folder, name = os.path.split(target)
    return os.path.join(os.path.dirname(folder), b"info", name + SUFFIX)


def is_in_trash(path: bytes) -> bool:
    """Whether a file lies in a trash, by its path alone. Such a file is about to be deleted."""
    return _IN_TRASH.search(path) is not None


def trash_of(path: bytes) -> Trash | None:
    """The trash on the drive of a file; None if there is none that can be written. OSError if the file is gone.

    That is the user's own trash if it is on the same drive, else a folder at the top of the drive, as the
    specification says.
    """
    device = os.lstat(path).st_dev
    home = _home_trash()
    if home is not None and _can_hold(home, device):
        return Trash(home, None)
    top = _top_of(os.path.dirname(path), device)
    user = str(os.getuid()).encode() if hasattr(os, "getuid") else b"0"
    shared = os.path.join(top, b".Trash")
    if _is_shared_trash(shared) and _can_hold(os.path.join(shared, user), device):
        return Trash(os.path.join(shared, user), top)
    own = os.path.join(top, b".Trash-" + user)
    return Trash(own, top) if _can_hold(own, device) else None


def _home_trash() -> bytes | None:
    data = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(data):
        data = os.path.expanduser("~/.local/share")
    return os.fsencode(os.path.realpath(os.path.join(data, "Trash"))) if os.path.isabs(data) else None


def _can_hold(folder: bytes, device: int) -> bool:
    """Whether the folder is on that device, and exists or can be made."""
    place = files.nearest_existing(folder)
    try:
        info = os.lstat(place)
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_dev == device and os.access(place, os.W_OK | os.X_OK)


def _is_shared_trash(folder: bytes) -> bool:
    """Whether an administrator made a trash for all users: a folder, no link, with the sticky bit."""
    try:
        mode = os.lstat(folder).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


def _top_of(folder: bytes, device: int) -> bytes:
    """The topmost folder above, and on the same device."""
    while True:
        above = os.path.dirname(folder)
        try:
            is_top = above == folder or os.stat(above).st_dev != device
        except OSError:
            is_top = True
        if is_top:
            return folder
        folder = above


def in_system_trash(name: bytes, size: int) -> list[bytes]:
    """Files in the user's trash on macOS that may be a file of this name and size. Empty if it cannot be listed."""
    if sys.platform != "darwin":
        return []
    folder = os.path.expanduser(b"~/.Trash")
    stem = os.path.splitext(name)[0]
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [os.path.join(folder, each) for each in names if each.startswith(stem)]
    return [path for path in found if files.size_of_regular(path) == size]
