"""Keeps made thumbnails in a folder beside the catalogue, up to a number of bytes. The oldest go first."""

import contextlib
import os
import secrets
import threading
from pathlib import Path

MOST_BYTES = 256 * 2**20
ROOM = 0.8
"""When the folder is full, files are deleted down to this share of MOST_BYTES."""


class ThumbnailCache:
    """Files by key. Thread-safe. Raises nothing: without a folder that can be written, nothing is kept."""

    def __init__(self, catalogue: Path, most_bytes: int = MOST_BYTES) -> None:
        """The folder is catalogue's path with .thumbnails; only its owner can read it."""
        self.folder = catalogue.with_name(f"{catalogue.name}.thumbnails")
        self._most_bytes = most_bytes
        self._bytes: int | None = None
        """Size of all files; None before they are counted."""
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """What was kept. key: hexadecimal digits."""
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keeps data, readable by its owner only, and deletes the oldest files if there is too much."""
        path = self._path(key)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                os.replace(part, path)
            except OSError:
                os.unlink(part)
                raise
            with self._lock:
                self._bytes = self._counted() if self._bytes is None else self._bytes + len(data)
                if self._bytes > self._most_bytes:
                    self._make_room()

    def _path(self, key: str) -> Path:
        assert key.isalnum()
        return self.folder / key[:2] / key

    def _files(self) -> list[tuple[int, int, str]]:
        """(mtime, size, path) of each file."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    info = os.stat(path)
                    found.append((info.st_mtime_ns, info.st_size, path))
        return found

    def _counted(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> None:
        files = sorted(self._files())
        self._bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._bytes <= ROOM * self._most_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            self._bytes -= size
