"""What is in a folder, as a value to compare whole; and a copy of a folder that nothing can tell from it."""

import hashlib
import json
import os
import shutil
from pathlib import Path

MANIFEST = ".hashindex.jsonl"

Tree = dict[str, tuple[str, int] | None]


def tree(folder: Path) -> Tree:
    """Every name below: SHA-256 (or where a link leads) and mtime in ns; folders, with a / at the end, None."""
    found: Tree = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            key = os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace")
            if path.is_symlink():
                found[key] = (f"-> {os.readlink(path)}", path.lstat().st_mtime_ns)
            elif path.is_dir():
                found[key + "/"] = None
            else:
                found[key] = (digest(path), path.stat().st_mtime_ns)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listing(folder: Path) -> list[str]:
    """Names in a folder but for the manifest."""
    return sorted(name for name in os.listdir(folder) if name != MANIFEST) if folder.is_dir() else []


def manifest(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 as the manifest says."""
    path = folder / MANIFEST
    entries = [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.exists() else []
    return {entry["name"]: entry["sha256"] for entry in entries}


def copy_tree(source: Path, target: Path) -> None:
    """Makes target a copy of source, whatever was there: times and hard links too."""
    shutil.rmtree(target, ignore_errors=True)
    twins: dict[int, str] = {}
    for parent, _, names in os.walk(source):
        below = target / Path(parent).relative_to(source)
        below.mkdir()
        for name in names:
            old, new = os.path.join(parent, name), os.path.join(below, name)
            inode = os.lstat(old).st_ino
            if inode in twins:
                os.link(twins[inode], new, follow_symlinks=False)
            else:
                shutil.copy2(old, new, follow_symlinks=False)
                twins[inode] = new
