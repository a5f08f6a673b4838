"""Types of mounted file systems. On network file systems, changes by other machines raise no events here."""

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
    """(mount point, type) of every mounted file system; empty if the system does not report them."""
    try:
        if sys.platform == "linux":
            return read_mounts(Path("/proc/mounts").read_bytes())
        if sys.platform == "darwin":
            output = subprocess.run(["/sbin/mount"], capture_output=True, check=False, timeout=10).stdout
            return read_mount_command(output)
    except (OSError, subprocess.SubprocessError):
        pass
    return []


def read_mounts(text: bytes) -> list[tuple[bytes, str]]:
    """Parses /proc/mounts, where a space in a path is written \\040."""
    found = []
    for words in (line.split(b" ") for line in text.splitlines()):
        if len(words) >= 3:
            point = words[1]
            for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                point = point.replace(code, byte)
            found.append((point, words[2].decode("ascii", "replace")))
    return found


def read_mount_command(text: bytes) -> list[tuple[bytes, str]]:
    """Parses the output of mount on macOS: DEVICE on MOUNT_POINT (TYPE, ...)."""
    found = []
    for line in text.splitlines():
        head, _, options = line.rpartition(b" (")
        _, _, point = head.partition(b" on ")
        if point:
            found.append((point, options.split(b",")[0].rstrip(b")").decode("ascii", "replace")))
    return found


def type_of_mount(path: bytes, mounts: Iterable[tuple[bytes, str]]) -> str | None:
    """Type of the file system that contains a path; None if unknown."""
    if sys.platform == "win32":
        return _type_on_windows(path)
    best: tuple[int, str] | None = None
    for point, kind in mounts:
        # If two have one mount point, the later one hides the first.
        if is_within(path, point) and (best is None or len(point) >= best[0]):
            best = len(point), kind
    return best[1] if best else None


def is_remote(kind: str | None) -> bool:
    """Whether files on a file system of that type may change without an event on this machine."""
    return kind is not None and (kind in REMOTE_TYPES or kind.startswith("fuse."))


def _type_on_windows(path: bytes) -> str | None:
    import ctypes

    drive = os.path.splitdrive(os.fsdecode(path))[0]
    remote = 4  # DRIVE_REMOTE
    if drive.startswith("\\\\"):
        return "smbfs"
    windows = ctypes.windll  # type: ignore[attr-defined]
    return "smbfs" if windows.kernel32.GetDriveTypeW(drive + "\\") == remote else None
