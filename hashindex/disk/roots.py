"""Whether a folder can be scanned as a root. Looks at the disk, changes nothing."""

import os
from collections.abc import Collection

from hashindex.core.errors import UsageError
from hashindex.disk import files

ANSWERS_S = 20.0
"""So long a root may take to say that it is there: a sleeping disk needs 10 s, a hanging network drive never does."""


def new_root(root: str | bytes | os.PathLike[str]) -> bytes:
    """The real path of a folder that was never scanned. UsageError where it is not there or does not answer."""
    silence = silence_of(files.expanded(root))
    if silence is not None:
        raise UsageError(f"{os.fsdecode(root)} {silence}; does a network drive hang?")
    try:
        return files.real_folder(root)
    except OSError as error:
        raise UsageError(f"{os.fsdecode(root)}: {files.reason_of(error, 'folder')}.") from error


def root_named(root: str | bytes | os.PathLike[str], known: Collection[bytes]) -> bytes:
    """The root that is meant: one of the known, there or not, or a new one."""
    absolute = files.absolute(root)
    return absolute if absolute in known else new_root(root)


def silence_of(path: bytes) -> str | None:
    """What to say of a folder of which the system does not even say whether it is there; None where it does."""
    return None if files.answers(path, ANSWERS_S) else f"does not answer within {ANSWERS_S:g} s"
