"""Renames, copies, links and removes files. This is the only module that changes the user's folders.

No function replaces a file, or removes a file unless its bytes are known to exist elsewhere. batch.py decides what is
done and in which order, and keeps the record.
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
from hashindex.core.language import Message
from hashindex.core.messages import Placed
from hashindex.core.organizing import Action, Step
from hashindex.disk import files
from hashindex.disk.files import MANIFEST, nearest_existing
from hashindex.organize.trash import is_record_of
from hashindex.pictures.formats import HEAD_BYTES, mask_of, may_be_masked, unmask

_CHUNK = 2**20
# Errors after which a copy may still work: another device, no hard links on this file system, too many links.
_LINK_UNSUPPORTED = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
# If a symlink has replaced the source, link the symlink itself, not its target.
_NO_FOLLOW: dict[str, bool] = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
_FICLONE = 0x40049409  # linux/fs.h


class SourceChanged(Exception):
    """The bytes of the file differ from those in the catalogue."""


def place(step: Step, part: bytes) -> None:
    """Creates step.target from step.source and keeps the mtime.

    part: the path of the unfinished copy, in the folder of target. Raises FileExistsError if the target exists,
    SourceChanged, and other OSErrors. After an error, files may be left as after a crash, but no bytes are lost: the
    caller checks the disk.
    """
    source, target = step.source_bytes, step.target_bytes
    if step.action is Action.MOVE:
        move_noreplace(source, target, part, step.digest, step.size, step.mtime_ns)
    elif step.action is Action.COPY:
        copy_noreplace(source, target, part, step.digest, compare=False)
    elif step.action is Action.REFLINK:
        copy_noreplace(source, target, part, step.digest, compare=False, must_share=True)
    elif step.action is Action.TRASH:
        _send_to_trash(source)
    elif step.action is Action.HARDLINK:
        _link_if_unchanged(source, target, step.size, step.mtime_ns)
    else:
        os.symlink(source, target)


def move_noreplace(source: bytes, target: bytes, part: bytes, digest: bytes, size: int, mtime_ns: int) -> None:
    """Moves a file of this size and mtime, also to another device. Never replaces a file at target.

    A hard link is created and then the old name is removed: after a crash in between, the file has both names. Across
    devices, and without hard links, the file is copied, synced, read back and compared before the source is removed. If
    another file has replaced the source meanwhile, that file stays.
    """
    if sys.platform == "win32":
        try:
            os.rename(source, target)  # never replaces a file on Windows
            return
        except OSError as error:
            if error.errno != errno.EXDEV and error.winerror != 17:  # ERROR_NOT_SAME_DEVICE
                raise
    else:
        try:
            _link_if_unchanged(source, target, size, mtime_ns)
        except OSError as error:
            if error.errno not in _LINK_UNSUPPORTED:
                raise
        else:
            _remove_old_name(source, target, os.lstat(target))
            return
    copied = copy_noreplace(source, target, part, digest, compare=True)
    sync_folder(os.path.dirname(target))
    _remove_old_name(source, target, copied)


def _link_if_unchanged(source: bytes, target: bytes, size: int, mtime_ns: int) -> None:
    """Creates a hard link. Raises SourceChanged, without a link, if size or mtime differ from those given."""
    try:
        os.link(source, target, **_NO_FOLLOW)
    except FileExistsError:
        # A network file system may repeat a request whose answer was lost; then the link exists already.
        if not files.is_same_file(target, source):
            raise
    info = os.lstat(target)
    if (bounded(info.st_size), bounded(info.st_mtime_ns)) != (size, mtime_ns):
        # Both names are one file, so removing the second name loses nothing.
        if files.is_same_file(target, source):
            os.unlink(target)
        raise SourceChanged


def _remove_old_name(source: bytes, target: bytes, moved: os.stat_result) -> None:
    """Removes the old name of a moved file. If that fails, removes the new name instead."""
    try:
        if not files.is_same_stat(moved, os.lstat(source)):
            return  # another file has the old name now: leave it
        os.unlink(source)
    except FileNotFoundError:
        return  # another program removed it: target is the last copy
    except OSError:
        if files.lstat_of(source) is not None:
            os.unlink(target)
        raise


def copy_noreplace(
    source: bytes, target: bytes, part: bytes, digest: bytes, *, compare: bool, must_share: bool = False
) -> os.stat_result:
    """Copies a file, by reflink if the file system supports it. Never replaces a file at target.

    The copy is written to part and synced, and only then gets its name. compare: also read the copy back from the
    device. must_share: OSError (EOPNOTSUPP) if the file system does not support reflinks. A masked WeChat picture is
    copied without its mask; digest is that of the unmasked picture, as in the catalogue. Returns the stat result of the
    source when it was opened. part may be left if the last operation failed.
    """
    try:
        with open(source, "rb") as reader, open(part, "xb") as writer:
            info = os.fstat(reader.fileno())
            key = mask_of(reader.read(HEAD_BYTES)) if may_be_masked(source) else 0
            reader.seek(0)
            shared = not key and _reflink(reader.fileno(), writer.fileno())
            if must_share and not shared:
                raise OSError(errno.EOPNOTSUPP, Message("the file system cannot share the blocks of two files"))
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
    _rename_noreplace(part, target)
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
    """Shares the blocks of source (Btrfs, XFS, ...): no bytes are copied until one of the files is changed."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _rename_noreplace(part: bytes, target: bytes) -> None:
    """Renames part to target, never replacing a file. After an error part stays, to identify an unfinished target."""
    if sys.platform == "win32":
        os.rename(part, target)
        return
    try:
        os.link(part, target, **_NO_FOLLOW)
    except OSError as error:
        if error.errno in _LINK_UNSUPPORTED:
            # No hard links (FAT): claim the name with an empty file, then replace that file.
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.replace(part, target)
            return
        if not isinstance(error, FileExistsError) or not files.is_same_file(part, target):
            raise
    os.unlink(part)


def digest_of(path: bytes) -> bytes:
    """SHA-256 of a file, read from the device if the system can drop its cached pages."""
    with open(path, "rb") as reader:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(reader.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(reader, "sha256").digest()


def remove(path: bytes) -> None:
    """Removes a file. The caller has made sure that its bytes exist elsewhere, or that it is a link of hashindex."""
    os.unlink(path)


def remove_part(part: bytes) -> None:
    """Removes an unfinished copy, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)


def make_folder(path: bytes) -> None:
    """Creates a folder and its missing parents."""
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)


def _send_to_trash(path: bytes) -> None:
    """Moves a file to the trash of macOS or Windows. Raises OSError."""
    from send2trash import send2trash

    try:
        send2trash(os.fsdecode(path))
    except OSError:
        raise
    except Exception as error:
        # Send2Trash has errors of its own, and those of the system's interface.
        raise OSError(errno.EIO, str(error)) from error


def make_trash(target: bytes, record: bytes, text: bytes) -> None:
    """Makes the folders of a trash, and the record of a file that is going to be moved to target.

    Raises FileExistsError if there is a record of that name.
    """
    for path in (target, record):
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700, exist_ok=True)
    with open(record, "xb") as writer:
        try:
            writer.write(text)
        except BaseException:
            remove_part(record)
            raise


def remove_trash_record(target: bytes, record: bytes, source: bytes) -> None:
    """Removes a record that make_trash wrote for source, unless there is a file at target."""
    if files.lstat_of(target) is not None or files.size_of_regular(record) is None:
        return
    with open(record, "rb") as reader:
        text = reader.read()
    # Another program may have a record of that name.
    if is_record_of(text, source):
        remove_part(record)


def make_folders_below(dest: bytes, folder: bytes) -> None:
    """Creates the missing folders on the way from dest, which exists, to folder.

    Raises FileExistsError if a file or a link has the name of one of them: nothing is placed through a link.
    """
    path = dest
    for name in filter(None, folder.removeprefix(dest).split(os.sep.encode())):
        above, path = path, os.path.join(path, name)
        if files.folder_identity(path) is None:
            os.mkdir(path)
            # Before a source is removed, its new folder must survive a power cut.
            sync_folder(above)


def remove_folder_if_empty(path: bytes) -> None:
    """Removes a folder if it exists and is empty."""
    with contextlib.suppress(OSError):
        os.rmdir(path)


def sync_folder(path: bytes) -> None:
    """Syncs a folder, so that its names survive a power cut, if the system supports that."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync folders; the files themselves are synced.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def free_room(folder: bytes) -> int:
    """Free bytes for files below a folder, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(folder)).free


# The manifest


def append_to_manifest(dest: bytes, placed: Placed) -> None:
    """Appends a line. After a crash, readers skip a partial line."""
    path = os.path.join(dest, MANIFEST)
    new = files.lstat_of(path) is None
    with open(path, "a", encoding="utf-8", newline="\n", opener=_open_nofollow) as manifest:
        if new:
            manifest.write(_HEADER)
        manifest.write(placed.to_line())


def _open_nofollow(path: str, flags: int) -> int:
    """Opens a file without following a symlink, whose target must not be written."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_manifest(dest: bytes, entries: Iterable[Placed]) -> None:
    """Replaces the manifest by these entries. Removes the manifest if there are none."""
    path = os.path.join(dest, MANIFEST)
    lines = "".join(entry.to_line() for entry in entries)
    if not lines:
        remove_part(path)
        return
    part = path + b".part"
    remove_part(part)
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as manifest:
            manifest.write(_HEADER + lines)
            manifest.flush()
            os.fsync(manifest.fileno())
        os.replace(part, path)
    except BaseException:
        remove_part(part)
        raise


_HEADER = '{"hashindex": "what hashindex organize placed here; it adds to this folder by it", "version": 1}\n'
