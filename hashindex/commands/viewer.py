"""Opens a picture with the program that the system uses for it."""

import os
import subprocess
import sys

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.disk.files import system_reason
from hashindex.pictures.formats import has_picture_extension


def open_picture(path: bytes) -> None:
    """Starts the viewer and does not wait for it. path: absolute. UsageError if the system cannot open the picture."""
    name = os.fsdecode(path)
    if not has_picture_extension(path):
        # The system goes by the extension: it would run a picture that is called setup.exe.
        raise UsageError(
            Message("{path} does not have the extension of a picture, so that it is not opened.", path=name)
        )
    try:
        if sys.platform == "win32":
            os.startfile(name)
        else:
            command = "open" if sys.platform == "darwin" else "xdg-open"
            # No shell: the name of a file is no command. In a session of its own, the viewer outlives the terminal.
            subprocess.Popen(
                [command, path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    except OSError as error:
        raise UsageError(
            Message("{path} cannot be opened: {reason}.", path=name, reason=system_reason(error))
        ) from error
