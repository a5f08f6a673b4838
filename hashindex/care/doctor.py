"""Checks everything that hashindex needs of a machine; each problem comes with a way out. Changes nothing.

Each check is a function from facts about a system to findings, so that tests can invent any machine. diagnose()
collects the facts of this one.
"""

import errno
import importlib.metadata
import os
import shutil
import stat
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from hashindex.clients.layouts import CONTAINERS
from hashindex.core.dates import local_minute
from hashindex.core.errors import CatalogueMissing, HashIndexError
from hashindex.core.installation import EXTRAS, how_to_install
from hashindex.core.language import Message, Part, joined
from hashindex.core.model import Cache, Finding, Severity
from hashindex.core.organizing import BatchState
from hashindex.core.watch_events import DaemonStatus
from hashindex.disk import files
from hashindex.disk.lock import is_held
from hashindex.disk.mounts import is_remote, mounted, type_of_mount
from hashindex.judge.compiled import SWITCH, why_not
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import daemon_status
from hashindex.store.database import sqlite_version
from hashindex.store.folders import Root
from hashindex.store.journal import Journal
from hashindex.store.word_index import has_full_text_search

ANSWERS_S = 10.0
OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 37)
"""STRICT tables."""
SPARE_BYTES = 256 * 2**20
"""Less free space than this, beside the catalogue or in a destination, is a problem."""
SILENT_S = 3600
"""A daemon writes its state at least every five minutes, unless it organizes or hashes very many files."""
_OK, _NOTE, _PROBLEM = Severity.OK, Severity.NOTE, Severity.PROBLEM


def diagnose(catalogue: Path, wait_s: float, caches: Iterable[Cache] = ()) -> list[Finding]:
    """All findings about this machine and that catalogue. Reads the whole catalogue: a second or two a GB.

    caches: of the chat clients on this machine; those that are not scanned are noted. Raises no HashIndexError.
    """
    found = [
        *programs(sys.version_info[:2], sqlite_version(), _versions(), _codecs()),
        *word_search(has_full_text_search(), sqlite_version()),
        compiled_judge(why_not),
        *place(catalogue),
        *daemon(daemon_status(catalogue), time.time_ns()),
        *guarded((os.path.join(os.path.expanduser(b"~"), *parts) for parts in CONTAINERS), sys.platform),
    ]
    try:
        with Catalogue(catalogue, wait_s=wait_s) as opened:
            found += health(opened)
            roots = opened.roots()
            found += _roots(roots, opened.troubled_folders())
            found += watches(opened.count_folders(), _watch_limits())
            for dest in opened.destinations():
                found += destination(dest)
            found += unscanned(caches, [root.path for root in roots])
    except CatalogueMissing:
        found.append(
            Finding(
                "catalogue",
                _NOTE,
                Message("there is none at {catalogue} yet", catalogue=catalogue),
                "hashindex scan FOLDER",
            )
        )
        found += unscanned(caches, [])
    except HashIndexError as error:
        found.append(Finding("catalogue", _PROBLEM, Part(str(error), full_stop=False)))
    return found


# Programs


def programs(
    python: tuple[int, int], sqlite: str, versions: Mapping[str, str], codecs: Mapping[str, bool]
) -> Iterator[Finding]:
    """Checks the versions of Python and SQLite, and the codecs of Pillow. versions: of the installed packages."""
    shown = ".".join(map(str, python))
    if python < OLDEST_PYTHON:
        yield Finding(
            "python",
            _PROBLEM,
            Message("Python {version} is too old", version=shown),
            Message("install Python 3.11 or later"),
        )
    else:
        own = versions.get("hashindex", Message("not installed"))
        yield Finding(
            "python",
            _OK,
            Message("Python {version}, hashindex {own}", version=shown, own=own),
        )
    if tuple(int(part) for part in sqlite.split(".")[:2]) < OLDEST_SQLITE:
        yield Finding(
            "sqlite",
            _PROBLEM,
            Message("SQLite {version} is too old", version=sqlite),
            Message("install a Python with SQLite 3.37 or later"),
        )
    else:
        yield Finding("sqlite", _OK, f"SQLite {sqlite}")
    lacking = [name for name, there in codecs.items() if not there]
    pillow = f"Pillow {versions.get('pillow', '?')}"
    if lacking:
        way_out = "pip install --force-reinstall --only-binary :all: pillow"
        yield Finding(
            "pillow",
            _PROBLEM,
            Message("{pillow} was built without {codecs}", pillow=pillow, codecs=", ".join(lacking)),
            way_out,
        )
    else:
        yield Finding("pillow", _OK, Message("{pillow} reads {codecs}", pillow=pillow, codecs=", ".join(codecs)))
    yield Finding("numpy", _OK, f"NumPy {versions.get('numpy', '?')}")
    for extra, what in (
        ("dask", Message("a scan cannot use a Dask cluster")),
        ("fast", Message("comparing 100,000 pictures and more takes several times longer")),
        ("heif", Message("HEIC pictures are not read")),
        ("jxl", Message("JPEG XL pictures are not read")),
        ("raw", Message("camera raw pictures are not read")),
        ("text", Message("the words in pictures are not read")),
        ("thumbnails", Message("the terminal shows no pictures")),
    ):
        packages = EXTRAS[extra]
        lacking = [package for package in packages if package not in versions]
        if lacking:
            says = Message("{package} is not installed: {effect}", package=lacking[0], effect=what)
            yield Finding("extras", _NOTE, says, how_to_install(extra))
        else:
            yield Finding("extras", _OK, ", ".join(f"{package} {versions[package]}" for package in packages))


def word_search(is_available: bool, sqlite: str) -> Iterator[Finding]:
    """Whether SQLite can search words. sqlite: its version."""
    if not is_available:
        says = Message(
            "SQLite {version} has no full-text search (FTS5): hashindex find and rules for tags by words do not work",
            version=sqlite,
        )
        way_out = Message("use another Python; those of python.org and of Linux distributions have it")
        yield Finding("sqlite", _NOTE, says, way_out)


def compiled_judge(why_not: str) -> Finding:
    """Whether the judge uses compiled functions. why_not: the reason why it does not, or ""."""
    if not why_not:
        return Finding("judge", _OK, Message("pictures are compared by compiled functions"))
    says = Message(
        "pictures are compared by NumPy, which takes two to three times as long: {reason}", reason=Part(why_not)
    )
    way_out = Message("install hashindex from a wheel, or again where a C compiler is")
    return Finding("judge", _NOTE, says, f"unset {SWITCH}" if SWITCH in why_not else way_out)


def _versions() -> dict[str, str]:
    found = {}
    for package in ("hashindex", "pillow", "numpy", *chain.from_iterable(EXTRAS.values())):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _codecs() -> dict[str, bool]:
    from PIL import features

    names = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "avif": "AVIF", "jpg_2000": "JPEG 2000", "libtiff": "TIFF"}
    return {words: bool(features.check(name)) for name, words in names.items()}


# The catalogue


def place(catalogue: Path) -> Iterator[Finding]:
    """Checks the folder of the catalogue: is it writable, private and local, is there space for a backup."""
    size = sum(os.path.getsize(name) for name in (catalogue, f"{catalogue}-wal") if os.path.exists(name))
    folder = os.fsdecode(files.nearest_existing(os.fsencode(catalogue.absolute().parent)))
    if not os.access(folder, os.W_OK | os.X_OK):
        way_out = Message("change its permissions, or name another place with --catalogue")
        yield Finding("catalogue", _PROBLEM, Message("nothing can be written in {folder}", folder=folder), way_out)
    if catalogue.exists() and os.name == "posix" and stat.S_IMODE(catalogue.stat().st_mode) & 0o077:
        yield Finding(
            "catalogue",
            _NOTE,
            Message("others may read {catalogue}, which lists your pictures", catalogue=catalogue),
            f"chmod 600 '{catalogue}'",
        )
    kind = type_of_mount(os.fsencode(folder), mounted())
    if is_remote(kind):
        yield Finding(
            "catalogue",
            _PROBLEM,
            Message("it lies on a network file system ({kind}), where SQLite's locks cannot be relied on", kind=kind),
            Message("name a place on a disk of this computer with --catalogue"),
        )
    yield room("catalogue", os.fsencode(folder), size + SPARE_BYTES, shutil.disk_usage(folder).free)


def room(check: str, folder: bytes, needed: int, free: int) -> Finding:
    """Checks the free space of a folder."""
    place = os.fsdecode(folder)
    if free >= needed:
        return Finding(check, _OK, Message("{free:,.1f} GB free at {folder}", free=free / 2**30, folder=place))
    return Finding(
        check,
        _PROBLEM,
        Message(
            "only {free:,.1f} GB free at {folder}; {needed:,.1f} GB may be needed",
            free=free / 2**30,
            folder=place,
            needed=needed / 2**30,
        ),
        Message("make room there"),
    )


def health(catalogue: Catalogue) -> Iterator[Finding]:
    """Checks whether the catalogue is sound, and finds what killed runs left behind."""
    faults = catalogue.faults()
    if faults:
        yield Finding(
            "catalogue",
            _PROBLEM,
            Message("{path} is damaged: {faults}", path=catalogue.path, faults=joined(Message("; "), faults)),
            Message(
                "hashindex scan: it sets the file aside, builds a new one and keeps your decisions and what was placed"
            ),
        )
    else:
        yield Finding("catalogue", _OK, Message("{path} is sound", path=catalogue.path))
    held = is_held(catalogue.path)
    if held:
        yield Finding("lock", _NOTE, Message("another hashindex organizes or undoes at this moment"))
    unfinished = [
        batch.id
        for batch in Journal(catalogue).batches()
        if batch.state in (BatchState.APPLYING, BatchState.UNDOING) and not held
    ]
    if unfinished:
        shown = ", ".join(map(str, unfinished))
        yield Finding(
            "journal",
            _PROBLEM,
            Message("batch {batches} was interrupted by a crash", batches=shown),
            "hashindex recover",
        )


# Folders


def _roots(roots: Iterable[Root], troubled: Collection[bytes]) -> Iterator[Finding]:
    mounts = mounted()
    for one in roots:
        yield root(one.path, _error_of(one.path), type_of_mount(one.path, mounts), sys.platform)
        below = sum(files.is_within(path, one.path) and path != one.path for path in troubled)
        if below:
            yield Finding(
                "root",
                _PROBLEM,
                Message("{below:,} folders in {path} could not be listed", below=below, path=os.fsdecode(one.path)),
                "hashindex problems",
            )


def root(path: bytes, error: OSError | None, kind: str | None, system: str) -> Finding:
    """Checks one root: can it be listed, and does its file system report changes."""
    shown = os.fsdecode(path)
    if isinstance(error, PermissionError) and system == "darwin":
        return Finding(
            "root",
            _PROBLEM,
            Message("macOS does not let this program read {folder}", folder=shown),
            Message(
                "System Settings > Privacy & Security > Full Disk Access: add your terminal and {executable}, "
                "then start them again",
                executable=sys.executable,
            ),
        )
    if isinstance(error, PermissionError):
        return Finding(
            "root",
            _PROBLEM,
            Message("{folder} may not be read", folder=shown),
            Message("chmod u+rx '{folder}', or run as its owner", folder=shown),
        )
    if error is not None:
        why = files.system_reason(error)
        way_out = Message("connect its drive; if it is gone for good: hashindex forget '{folder}'", folder=shown)
        return Finding(
            "root", _PROBLEM, Message("{folder} cannot be reached ({reason})", folder=shown, reason=why), way_out
        )
    if is_remote(kind):
        return Finding(
            "root",
            _NOTE,
            Message(
                "{folder} is on a network file system ({kind}), which does not report every change",
                folder=shown,
                kind=kind,
            ),
            Message("hashindex watch looks through it every few minutes; for scans use --workers 1"),
        )
    if kind:
        return Finding("root", _OK, Message("{folder} can be read ({kind})", folder=shown, kind=kind))
    return Finding("root", _OK, Message("{folder} can be read", folder=shown))


def _error_of(folder: bytes) -> OSError | None:
    if not files.responds(folder, ANSWERS_S):
        return OSError(errno.ETIMEDOUT, Message("it does not answer within {seconds:g} s", seconds=ANSWERS_S))
    try:
        with os.scandir(folder) as found:
            next(found, None)
    except OSError as error:
        return error
    return None


def guarded(folders: Iterable[bytes], system: str) -> Iterator[Finding]:
    """macOS: finds folders of chat clients that this program may not list; without permission they look empty."""
    for folder in folders if system == "darwin" else ():
        error = _error_of(folder)
        if isinstance(error, PermissionError):
            yield root(folder, error, None, system)


def destination(dest: bytes) -> Iterator[Finding]:
    """Checks a destination of organize: does it exist, is it writable, is there space."""
    shown = os.fsdecode(dest)
    if not os.path.isdir(dest):
        yield Finding(
            "destination",
            _NOTE,
            Message("{folder} is not there", folder=shown),
            Message("connect its drive before the next organize"),
        )
    elif not os.access(dest, os.W_OK | os.X_OK):
        yield Finding(
            "destination",
            _PROBLEM,
            Message("nothing can be written in {folder}", folder=shown),
            f"chmod u+rwx '{shown}'",
        )
    else:
        yield room("destination", dest, SPARE_BYTES, shutil.disk_usage(dest).free)


def unscanned(caches: Iterable[Cache], roots: Collection[bytes]) -> Iterator[Finding]:
    """Finds caches of chat clients that lie in no root."""
    for cache in caches:
        if cache.picture_folders_bytes and not any(
            files.is_within(cache.picture_folders_bytes[0], root) for root in roots
        ):
            way_out = f"hashindex scan --client {cache.clients[0]}"
            where = os.fsdecode(cache.folder_bytes)
            yield Finding(
                "clients",
                _NOTE,
                Message("the pictures of {name} are not scanned ({folder})", name=cache.name, folder=where),
                way_out,
            )


# What hashindex watch needs


def daemon(status: DaemonStatus | None, now_ns: int) -> Iterator[Finding]:
    """Checks the daemon by its lock and its state file. A lock file that no process holds means nothing."""
    if status is None:
        return
    last = local_minute(status.written_ns)
    who = Message("hashindex watch, process {pid} on {host},", pid=status.pid, host=status.host)
    if not status.alive and status.doing == "killed":
        way_out = Message(
            "hashindex watch, or hashindex service start; nothing is lost, and there is nothing to clean up"
        )
        yield Finding("watch", _NOTE, Message("{who} was killed, last active {last}", who=who, last=last), way_out)
    elif status.failed is not None:
        way_out = Message("hashindex watch, or hashindex service start; if it fails again, report it. Nothing is lost")
        yield Finding(
            "watch",
            _PROBLEM,
            Message("{who} failed {last}: {error}", who=who, last=last, error=Part(status.failed, full_stop=False)),
            way_out,
        )
    elif not status.alive:
        yield Finding("watch", _OK, Message("hashindex watch is not running; it was stopped {last}", last=last))
    elif now_ns - status.written_ns > SILENT_S * 10**9:
        way_out = Message("hashindex service stop, or end that process; then start it again")
        yield Finding(
            "watch", _PROBLEM, Message("{who} holds the lock, but was last active {last}", who=who, last=last), way_out
        )
    elif status.last_error is not None:
        yield Finding(
            "watch",
            _NOTE,
            Message("{who} runs; its last problem: {error}", who=who, error=Part(status.last_error, full_stop=False)),
        )
    else:
        yield Finding("watch", _OK, Message("{who} runs", who=who))


def watches(folders: int, limits: Mapping[str, int]) -> Iterator[Finding]:
    """Linux: checks whether every known folder can be watched. limits: of fs.inotify, by name; empty elsewhere."""
    most = limits.get("max_user_watches")
    if most is None:
        return
    # Other programs of the same user (editors, file managers) share this limit.
    wanted = 2 * folders + 8192
    if folders > most:
        yield Finding(
            "inotify",
            _PROBLEM,
            Message(
                "{folders:,} folders are known, and all of your programs together may watch {most:,} "
                "(fs.inotify.max_user_watches); hashindex watch looks through the others every few minutes only",
                folders=folders,
                most=most,
            ),
            _sysctl("max_user_watches", wanted),
        )
    elif wanted > most:
        yield Finding(
            "inotify",
            _NOTE,
            Message(
                "{folders:,} folders are known, and all of your programs together may watch {most:,} "
                "(fs.inotify.max_user_watches), which may become too few",
                folders=folders,
                most=most,
            ),
            _sysctl("max_user_watches", wanted),
        )
    else:
        yield Finding(
            "inotify",
            _OK,
            Message("{folders:,} folders are known, {most:,} may be watched", folders=folders, most=most),
        )
    instances = limits.get("max_user_instances", 128)
    if instances < 128:
        yield Finding(
            "inotify",
            _NOTE,
            Message(
                "all of your programs together may have {instances:,} watchers (fs.inotify.max_user_instances)",
                instances=instances,
            ),
            _sysctl("max_user_instances", 512),
        )


def _sysctl(name: str, value: int) -> str:
    return f"echo fs.inotify.{name}={value} | sudo tee -a /etc/sysctl.d/60-hashindex.conf && sudo sysctl --system"


def _watch_limits() -> dict[str, int]:
    found = {}
    for name in ("max_user_watches", "max_user_instances"):
        try:
            found[name] = int(Path(f"/proc/sys/fs/inotify/{name}").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return found
