"""Copies the catalogue while other processes read and write it. Writes one file and never overwrites another."""

import contextlib
import os
import secrets
from pathlib import Path

from hashindex.core.errors import CatalogueUnwritable, UsageError
from hashindex.core.language import Message
from hashindex.disk import files
from hashindex.store.catalogue import Catalogue


def back_up(catalogue: Catalogue, file: Path) -> int:
    """Copies the catalogue as of one moment into a new file that only its owner may read. Returns its size in bytes.

    Writers do not wait for it. The file gets its name when the copy is complete and synced. Raises UsageError if the
    name is taken, CatalogueUnwritable if the disk or the folder refuses the file.
    """
    if os.path.lexists(file):
        raise UsageError(Message("{file} exists already and was left as it is; name another file.", file=file))
    part = file.with_name(f".{file.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            catalogue.copy_to(part)
            with part.open("rb+") as copy:
                os.fsync(copy.fileno())
            _claim(part, file)
            return file.stat().st_size
        finally:
            for end in ("", "-wal", "-shm", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{part}{end}")
    except FileExistsError as error:
        raise UsageError(
            Message("{file} was made by another program meanwhile and was left as it is; name another file.", file=file)
        ) from error
    except OSError as error:
        reason = files.system_reason(error)
        raise CatalogueUnwritable(
            Message("The backup {file} cannot be written: {reason}; name another place.", file=file, reason=reason)
        ) from error


def _claim(part: Path, file: Path) -> None:
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:
        # No hard links (FAT). On Windows rename never replaces a file.
        if os.path.lexists(file):
            raise FileExistsError(file) from None
        os.rename(part, file)
