"""The one room that changes the user's folders: gives files new names, copies and links them, and takes that back.

Nothing here ever replaces a file, and nothing removes one whose bytes are not known to be elsewhere. What to do, in
which order, and what is written down before, is batch.py's business.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterable
from typing import BinaryIO

from hashindex.core.bounds import bounded
from hashindex.core.messages import Placed
from hashindex.core.organizing import Action, Step
from hashindex.disk import files
from hashindex.disk.files import MANIFEST, nearest_existing
from hashindex.pictures.formats import HEAD_BYTES, mask_of, may_be_masked, unmask

_CHUNK = 2**20
# link() cannot do it here, another way can: another device, a file system without hard links, too many links.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
# Should a link have taken the source's name, it is named itself, not what it leads to.
_THE_LINK_ITSELF: dict[str, bool] = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
_FICLONE = 0x40049409  # linux/fs.h


class SourceChanged(Exception):
    """The bytes read are not those that the catalogue knows."""


def place(step: Step, part: bytes) -> None:
    """Makes step.target out of step.source, keeping its mtime.

    part: a name for an unfinished copy, in target's folder. Raises FileExistsError where target has that name
    already, SourceChanged, and other OSErrors. What was half done then is left as by a killed process, with nothing
    lost: the caller asks the disk.
    """
    source, target = step.source, step.target
    if step.action is Action.MOVE:
        move_noreplace(source, target, part, step.digest, step.size, step.mtime_ns)
    elif step.action is Action.COPY:
        copy_noreplace(source, target, part, step.digest, compare=False)
    elif step.action is Action.HARDLINK:
        _link_as_known(source, target, step.size, step.mtime_ns)
    else:
        os.symlink(source, target)


def move_noreplace(source: bytes, target: bytes, part: bytes, digest: bytes, size: int, mtime_ns: int) -> None:
    """Gives a file of that size and mtime another name, on this device or another, unless something has that name.

    A second name is made and the first one taken away: killed in between, the file has both. Across devices, and
    where there are no hard links, it is copied, synced, read back and compared before the source goes. A source that
    was replaced meanwhile stays: what was there before has its new name.
    """
    if sys.platform == "win32":
        try:
            os.rename(source, target)  # there it never replaces
            return
        except OSError as error:
            if error.errno != errno.EXDEV and error.winerror != 17:  # ERROR_NOT_SAME_DEVICE
                raise
    else:
        try:
            _link_as_known(source, target, size, mtime_ns)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
        else:
            _take_away(source, target, os.lstat(target))
            return
    copied = copy_noreplace(source, target, part, digest, compare=True)
    sync_folder(os.path.dirname(target))
    _take_away(source, target, copied)


def _link_as_known(source: bytes, target: bytes, size: int, mtime_ns: int) -> None:
    """Makes a second name, of nothing but what is known. Raises SourceChanged."""
    try:
        os.link(source, target, **_THE_LINK_ITSELF)
    except FileExistsError:
        # A server's answer that got lost: it was asked again, and had done it already.
        if not files.is_same_file(target, source):
            raise
    info = os.lstat(target)
    if (bounded(info.st_size), bounded(info.st_mtime_ns)) != (size, mtime_ns):
        # Both are one file still: taking the second name away loses nothing.
        if files.is_same_file(target, source):
            os.unlink(target)
        raise SourceChanged


def _take_away(source: bytes, target: bytes, moved: os.stat_result) -> None:
    """Removes the old name of what was moved; where that may not be done, the new one goes again."""
    try:
        if not files.is_same_stat(moved, os.lstat(source)):
            return  # something else has the old name by now: it is not ours to remove
        os.unlink(source)
    except FileNotFoundError:
        return  # somebody else took it away: target is the last copy
    except OSError:
        if files.lstat_of(source) is not None:
            os.unlink(target)
        raise


def copy_noreplace(source: bytes, target: bytes, part: bytes, digest: bytes, *, compare: bool) -> os.stat_result:
    """Copies a file, by reflink where the file system has it, unless something has target's name.

    The copy is made under part, synced, and only then gets its name. compare: read it back from the device too. A
    picture that WeChat masked is copied without its mask: digest is that of the picture, here as in the catalogue.
    Returns what the source was when it was opened. part may be left where the last act failed.
    """
    try:
        with open(source, "rb") as reader, open(part, "xb") as writer:
            info = os.fstat(reader.fileno())
            key = mask_of(reader.read(HEAD_BYTES)) if may_be_masked(source) else 0
            reader.seek(0)
            shared = not key and _reflink(reader.fileno(), writer.fileno())
            read = hashlib.file_digest(reader, "sha256").digest() if shared else _copy_bytes(reader, writer, key)
            if read != digest:
                raise SourceChanged
            writer.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(writer.fileno(), stat.S_IMODE(info.st_mode) & 0o777 | stat.S_IWUSR)
            os.fsync(writer.fileno())
        os.utime(part, ns=(info.st_atime_ns, info.st_mtime_ns))
        if compare and digest_of(part) != digest:
            raise SourceChanged
    except BaseException:
        remove_part(part)
        raise
    _claim(part, target)
    return info


def _copy_bytes(reader: BinaryIO, writer: BinaryIO, key: int) -> bytes:
    digest = hashlib.sha256()
    while chunk := reader.read(_CHUNK):
        if key:
            chunk = unmask(chunk, key)
        digest.update(chunk)
        writer.write(chunk)
    return digest.digest()


def _reflink(source: int, target: int) -> bool:
    """Shares the blocks of source (Btrfs, XFS, ...): no bytes are copied until one of the two is changed."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _claim(part: bytes, target: bytes) -> None:
    """Gives a finished copy its name unless something has it. Failing, part stays: it says whose a half name is."""
    if sys.platform == "win32":
        os.rename(part, target)
        return
    try:
        os.link(part, target, **_THE_LINK_ITSELF)
    except OSError as error:
        if error.errno in _NO_LINK:
            # No hard links here (FAT): claim the name with an empty file of ours and replace that.
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.replace(part, target)
            return
        if not isinstance(error, FileExistsError) or not files.is_same_file(part, target):
            raise
    os.unlink(part)


def digest_of(path: bytes) -> bytes:
    """SHA-256 of a file, from the device where the system can be asked to forget what it has in memory."""
    with open(path, "rb") as reader:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(reader.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(reader, "sha256").digest()


def remove(path: bytes) -> None:
    """Removes a name. The caller has made sure that its bytes are elsewhere, or that it is a link of ours."""
    os.unlink(path)


def remove_part(part: bytes) -> None:
    """Removes an unfinished copy if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)


def make_folder(path: bytes) -> None:
    """Makes a folder and those above it that are not there."""
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)


def remove_folder_if_empty(path: bytes) -> None:
    """Removes a folder unless something is in it, or it is gone."""
    with contextlib.suppress(OSError):
        os.rmdir(path)


def sync_folder(path: bytes) -> None:
    """Makes the names in a folder survive a power cut, where the system lets a folder be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot; the files themselves were synced.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def free_room(folder: bytes) -> int:
    """Bytes that may still be written below a folder, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(folder)).free


# The manifest


def append_to_manifest(dest: bytes, placed: Placed) -> None:
    """Adds a line. A crash leaves at most half of it, which readers pass over."""
    path = os.path.join(dest, MANIFEST)
    new = files.lstat_of(path) is None
    with open(path, "a", encoding="utf-8", newline="\n", opener=_no_link) as manifest:
        if new:
            manifest.write(_HEAD)
        manifest.write(placed.to_line())


def _no_link(path: str, flags: int) -> int:
    """What lies behind a link under the manifest's name is not ours to write to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_manifest(dest: bytes, entries: Iterable[Placed]) -> None:
    """Replaces the manifest by these entries, or removes it if there are none."""
    path = os.path.join(dest, MANIFEST)
    lines = "".join(entry.to_line() for entry in entries)
    if not lines:
        remove_part(path)
        return
    part = path + b".part"
    remove_part(part)
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as manifest:
            manifest.write(_HEAD + lines)
            manifest.flush()
            os.fsync(manifest.fileno())
        os.replace(part, path)
    except BaseException:
        remove_part(part)
        raise


_HEAD = '{"hashindex": "what hashindex organize placed here; it adds to this folder by it", "version": 1}\n'
