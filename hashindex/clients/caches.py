"""Finds the chat clients' caches on this machine by layouts.py, and counts their files.

Read-only. Opens only settings of clients and the first bytes of a few pictures.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from hashindex.clients import layouts
from hashindex.clients.layouts import Machine
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, joined
from hashindex.core.model import Cache, Client
from hashindex.disk import files
from hashindex.pictures import formats

COUNTED_FILES = 50_000
COUNTED_FOLDERS = 5_000
"""Counting stops at either: old QQ makes one folder for each picture. About half a second on a local disk."""
SAMPLES = 64
"""WeChat files that are tested for encryption, at most SAMPLES_A_FOLDER of them in one folder."""
SAMPLES_A_FOLDER = 4
_MOST_TEXT = 2**16
"""Bytes of a settings file that are read."""


class Disk:
    """layouts.Folders on the disk of this machine."""

    def names(self, folder: bytes) -> list[bytes]:
        try:
            with os.scandir(folder) as found:
                return sorted(entry.name for entry in found if entry.is_dir())
        except OSError:
            return []

    def has(self, folder: bytes) -> bool:
        return os.path.isdir(folder)

    def files(self, folder: bytes, extension: bytes) -> list[bytes]:
        try:
            return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(extension))
        except OSError:
            return []

    def text(self, file: bytes) -> bytes:
        try:
            with files.opened(file) as source:
                return source.read(_MOST_TEXT)
        except OSError:
            return b""


def this_machine() -> Machine:
    """This machine, for the current user."""
    import platformdirs

    return Machine(
        sys.platform,
        os.fsencode(os.path.expanduser("~")),
        os.fsencode(platformdirs.user_documents_dir()),
        os.fsencode(platformdirs.user_downloads_dir()),
        os.environ,
    )


def caches(machine: Machine | None = None, *, count: bool = True) -> list[Cache]:
    """Every cache on the machine, client by client. count: with rough file counts, and tests WeChat for encryption."""
    found = layouts.find(machine or this_machine(), Disk())
    return [_counted(cache) for cache in found] if count else found


def roots_of(wanted: Iterable[str], machine: Machine | None = None) -> list[bytes]:
    """The picture folders of these clients. UsageError for an unknown client, or one without a folder here."""
    found = caches(machine, count=False)
    roots: list[bytes] = []
    for name in wanted:
        try:
            client = Client(name.lower())
        except ValueError:
            raise UsageError(
                Message(
                    'There is no client called "{name}"; choose one of {clients}.', name=name, clients=", ".join(Client)
                )
            ) from None
        own = [cache for cache in found if client in cache.clients]
        pictures = [path for cache in own for path in cache.picture_folders_bytes]
        if not pictures:
            reasons = [reason for cache in own for reason in cache.unreadable]
            what = (
                Message("its files cannot be read: {reasons}", reasons=joined(Message("; "), reasons))
                if reasons
                else Message("none of its folders is where it usually is")
            )
            raise UsageError(
                Message(
                    "No pictures of {client} were found: {what}. Name a folder instead, or see docs/clients.md.",
                    client=client,
                    what=what,
                )
            )
        roots += [path for path in pictures if path not in roots]
    return roots


def _counted(cache: Cache) -> Cache:
    samples: list[bytes] = []
    count, more = _count(
        cache.picture_folders_bytes, samples.append if Client.WECHAT in cache.clients else lambda path: None
    )
    return cache._replace(files=count, more=more, unreadable=(*cache.unreadable, *_encrypted(samples)))


def _count(folders: Sequence[bytes], sample: Callable[[bytes], None]) -> tuple[int, bool]:
    """The number of files below folders, and whether there are more. Calls sample for the first few of each folder."""
    pending = list(folders)
    count = listed = 0
    while pending:
        if count >= COUNTED_FILES or listed >= COUNTED_FOLDERS:
            return count, True
        listed += 1
        sampled = 0
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    count += 1
                    if sampled < SAMPLES_A_FOLDER and formats.may_be_masked(entry.name):
                        sampled += 1
                        sample(entry.path)
        except OSError:
            continue
    return count, False


def _encrypted(paths: Sequence[bytes]) -> list[str]:
    """A sentence if some of WeChat's pictures are encrypted, by a sample spread over all of them."""
    sample = paths[:: max(1, len(paths) // SAMPLES)][:SAMPLES]
    encrypted = sum(formats.is_wechat_encrypted(_head(path)) for path in sample)
    if not encrypted:
        return []
    return [
        Message(
            "{encrypted} of {count} tested pictures are encrypted with AES, as by WeChat 4, and only WeChat "
            "has the key",
            encrypted=encrypted,
            count=len(sample),
        )
    ]


def _head(path: bytes) -> bytes:
    try:
        with files.opened(path) as source:
            return source.read(16)
    except OSError:
        return b""
