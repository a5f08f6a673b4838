"""On what kind of file system a folder lies: changes on a network's are not always heard of here. Changes nothing."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from hashindex.disk.files import is_within

REMOTE_TYPES = {
    *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "lustre", "ncpfs", "nfs"),
    *("nfs4", "orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav"),
}
"""Network file systems, folders shared with a host, and WSL's view of Windows drives (drvfs, 9p)."""


def mounted() -> list[tuple[bytes, str]]:
    """(mount point, type of file system) of all that is mounted; empty where the system does not say."""
    try:
        if sys.platform == "linux":
            return read_mounts(Path("/proc/mounts").read_bytes())
        if sys.platform == "darwin":
            said = subprocess.run(["/sbin/mount"], capture_output=True, check=False, timeout=10).stdout
            return read_mount_command(said)
    except (OSError, subprocess.SubprocessError):
        pass
    return []


def read_mounts(text: bytes) -> list[tuple[bytes, str]]:
    """The lines of /proc/mounts; a space in a path is \\040 there."""
    found = []
    for words in (line.split(b" ") for line in text.splitlines()):
        if len(words) >= 3:
            place = words[1]
            for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                place = place.replace(code, byte)
            found.append((place, words[2].decode("ascii", "replace")))
    return found


def read_mount_command(text: bytes) -> list[tuple[bytes, str]]:
    """The lines of macOS's mount: WHAT on PLACE (TYPE, ...)."""
    found = []
    for line in text.splitlines():
        head, _, options = line.rpartition(b" (")
        _, _, place = head.partition(b" on ")
        if place:
            found.append((place, options.split(b",")[0].rstrip(b")").decode("ascii", "replace")))
    return found


def type_of_mount(path: bytes, mounts: Iterable[tuple[bytes, str]]) -> str | None:
    """The type of the file system that a path lies on; None where nobody says."""
    if sys.platform == "win32":
        return _type_on_windows(path)
    best: tuple[int, str] | None = None
    for place, kind in mounts:
        # Of two on one place the later one hides the first.
        if is_within(path, place) and (best is None or len(place) >= best[0]):
            best = len(place), kind
    return best[1] if best else None


def is_remote(kind: str | None) -> bool:
    """Whether changes on a file system of that type may be made without this system hearing of it."""
    return kind is not None and (kind in REMOTE_TYPES or kind.startswith("fuse."))


def _type_on_windows(path: bytes) -> str | None:
    import ctypes

    drive = os.path.splitdrive(os.fsdecode(path))[0]
    remote = 4  # DRIVE_REMOTE
    if drive.startswith("\\\\"):
        return "smbfs"
    windows = ctypes.windll  # type: ignore[attr-defined]
    return "smbfs" if windows.kernel32.GetDriveTypeW(drive + "\\") == remote else None
