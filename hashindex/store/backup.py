"""A copy of the catalogue while others read and write it. Writes that one file, and never over another."""

import contextlib
import os
import secrets
from pathlib import Path

from hashindex.core.errors import CatalogueUnwritable, UsageError
from hashindex.store.catalogue import Catalogue


def back_up(catalogue: Catalogue, file: Path) -> int:
    """Copies the catalogue as it is at one moment into a new file, its owner's alone. Returns its bytes.

    A writer does not wait for it. The name is taken when the copy is whole and synced. UsageError where something has
    that name, or its folder is not there; CatalogueUnwritable where the disk does not take it.
    """
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already and was left as it is; name another file.")
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
        raise UsageError(f"{file} is there by now and was left as it is; name another file.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CatalogueUnwritable(f"The backup {file} cannot be written: {reason}; name another place.") from error


def _claim(part: Path, file: Path) -> None:
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT); on Windows rename never replaces.
        if os.path.lexists(file):
            raise FileExistsError(file) from None
        os.rename(part, file)
