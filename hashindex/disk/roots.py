"""Checks whether a folder can be scanned as a root."""

import os
from collections.abc import Collection

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.paths import PathLike
from hashindex.disk import files

RESPONSE_S = 20.0
"""Longest time to wait for the stat of a root. A sleeping disk takes 10 s; a hanging network drive never responds."""


def new_root(root: PathLike) -> bytes:
    """The real path of a folder that was never scanned. Raises UsageError if it does not exist or respond."""
    if not responds(files.expanded(root)):
        raise UsageError(
            Message(
                "{root} does not respond within {seconds:g} s; check whether a network drive hangs.",
                root=os.fsdecode(root),
                seconds=RESPONSE_S,
            )
        )
    return existing_folder(root)


def existing_folder(path: PathLike) -> bytes:
    """The real path of a folder. UsageError if it does not exist or cannot be reached."""
    try:
        return files.real_folder(path)
    except OSError as error:
        raise UsageError(
            Message("{path}: {reason}.", path=os.fsdecode(path), reason=files.reason_of(error, "folder"))
        ) from error


def root_named(root: PathLike, known: Collection[bytes]) -> bytes:
    """The path of a root: a known one, whether or not it exists now, or a new one (see new_root)."""
    absolute = files.absolute(root)
    return absolute if absolute in known else new_root(root)


def responds(path: bytes) -> bool:
    """Whether a folder responds within RESPONSE_S."""
    return files.responds(path, RESPONSE_S)
