"""Opens the folder of a picture in the file manager of the desktop. Runs no shell."""

import os
import subprocess
import sys

from hashindex.core.errors import UsageError
from hashindex.core.language import Message


def open_folder(path: bytes) -> None:
    """Shows the folder of a file, with the file selected where the system can do that. Returns at once.

    UsageError if the folder is gone or the desktop has no file manager.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise UsageError(Message("{folder} does not exist now.", folder=os.fsdecode(folder)))
    try:
        # The path is absolute, so it is never an option.
        subprocess.Popen(
            _command(path, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            Message("{folder} cannot be opened here: there is no file manager.", folder=os.fsdecode(folder))
        ) from error


def _command(path: bytes, folder: bytes) -> list[str]:
    if sys.platform == "win32":
        return ["explorer", f"/select,{os.fsdecode(path)}"]
    if sys.platform == "darwin":
        return ["open", "-R", os.fsdecode(path)]
    return ["xdg-open", os.fsdecode(folder)]
