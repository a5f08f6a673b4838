"""Checks whether a folder can be scanned as a root."""

import os
from collections.abc import Collection

from hashindex.core.errors import UsageError
from hashindex.disk import files

RESPONSE_S = 20.0
"""Longest time to wait for the stat of a root. A sleeping disk takes 10 s; a hanging network drive never responds."""


def new_root(root: str | bytes | os.PathLike[str]) -> bytes:
    """The real path of a folder that was never scanned. Raises UsageError if it does not exist or respond."""
    clause = no_response(files.expanded(root))
    if clause is not None:
        raise UsageError(f"{os.fsdecode(root)} {clause}; check whether a network drive hangs.")
    try:
        return files.real_folder(root)
    except OSError as error:
        raise UsageError(f"{os.fsdecode(root)}: {files.reason_of(error, 'folder')}.") from error


def root_named(root: str | bytes | os.PathLike[str], known: Collection[bytes]) -> bytes:
    """The path of a root: a known one, whether or not it exists now, or a new one (see new_root)."""
    absolute = files.absolute(root)
    return absolute if absolute in known else new_root(root)


def no_response(path: bytes) -> str | None:
    """The clause for a folder that does not respond within RESPONSE_S; None if it responds."""
    return None if files.responds(path, RESPONSE_S) else f"does not respond within {RESPONSE_S:g} s"
