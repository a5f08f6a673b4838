"""Where a cluster's workers find the folders of this machine. Pure."""

import os
from collections.abc import Mapping

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.paths import PathLike
from hashindex.disk.files import innermost, real_path


class PathMap:
    """Replaces the beginning of a path. Of several folders that contain a path, the innermost one counts."""

    def __init__(self, maps: Mapping[PathLike, PathLike]) -> None:
        """maps: a folder here -> the same folder on the workers. UsageError if that is no absolute path."""
        self._maps = {real_path(local): os.fsencode(remote) for local, remote in maps.items()}
        for remote in self._maps.values():
            if not remote.startswith(b"/") and not os.path.isabs(remote):
                raise UsageError(
                    Message(
                        "{path} is no absolute path; name the folder as the workers see it.", path=os.fsdecode(remote)
                    )
                )

    def remote(self, path: bytes) -> bytes:
        """The path on the workers; the same path if no folder of the map contains it."""
        folder = innermost(path, self._maps)
        return path if folder is None else moved(path, folder, self._maps[folder])


def moved(path: bytes, folder: bytes, to: bytes) -> bytes:
    """The path that a file in folder has if the folder is at another place. path: folder, or below it."""
    below = path[len(folder) :].lstrip(os.fsencode(os.sep))
    return os.path.join(to, below) if below else to
