"""Brings the catalogue up to date with the disk: walk, compare, read changed files, commit in batches.

reading.py runs the worker processes and jobs.py forms the chunks. Only the catalogue is written.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from hashindex.core.bounds import bounded
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.messages import Arrival, Examined, Job
from hashindex.core.model import Problem, Progress, ScanSummary
from hashindex.core.options import ScanOptions
from hashindex.disk import diff, files, roots
from hashindex.disk.walk import Listing, Walk
from hashindex.hashing import recipes
from hashindex.index.content_keys import keys_by_digest
from hashindex.index.executor import ScanExecutor
from hashindex.index.jobs import JobQueue
from hashindex.index.listener import ScanListener
from hashindex.index.reading import Reader
from hashindex.pictures import formats
from hashindex.pictures.decode import PREPARATION_VERSION, decoder_stamp
from hashindex.store.catalogue import Catalogue
from hashindex.store.contents import Pipeline, Recorded
from hashindex.store.database import is_of_one_file
from hashindex.store.folders import Root

_log = logging.getLogger(__name__)

BATCH = 256
BATCH_S = 1.0
"""Commit after this many files or seconds. A crash loses at most this much work."""
ASK_FOLDERS = 64
ASK_FILES = 250
"""Folders per catalogue query; fewer if they hold ASK_FILES files. With ten times as many, the compared data no longer
fits into the processor's cache."""
SETTLED_AT_ONCE = 2_000
"""Missing files handled in one transaction."""
NO_ROOTS = Message("No folder was ever scanned into this catalogue; name one: hashindex scan FOLDER")
OWN_SUFFIXES = (b"", b"-wal", b"-shm", b"-journal", b".lock", b".watch.lock", b".watch.json", b".watch.json.part")
"""The catalogue's name with one of these suffixes is the catalogue's own file. The walk skips these files."""


def current_pipeline() -> Pipeline:
    """The decoder version and the hash recipes of this program."""
    return Pipeline(f"{decoder_stamp()}; preparation {PREPARATION_VERSION}", recipes.RECIPES)


def scan(
    catalogue: Catalogue,
    roots: Iterable[bytes],
    options: ScanOptions,
    *,
    executor: ScanExecutor | None = None,
    register: bool = True,
    listener: ScanListener | None = None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> ScanSummary:
    """Scans the given roots, or all known roots if none are given.

    catalogue: a writer. roots: real absolute folders; UsageError if a new root does not exist. executor: where files
    are examined; None starts processes of this machine, which end with the scan. register: add the folders as roots. If
    the scan is interrupted, also by an exception of on_progress, the results so far are kept.
    """
    return Scan(
        catalogue,
        options,
        executor=executor,
        register=register,
        listener=listener,
        on_problem=on_problem,
        on_progress=on_progress,
    ).run(list(roots))


class Scan:
    """One run over whole folders. PartialScan in watch/ derives from it."""

    def __init__(
        self,
        catalogue: Catalogue,
        options: ScanOptions,
        *,
        executor: ScanExecutor | None = None,
        register: bool = True,
        listener: ScanListener | None = None,
        on_problem: Callable[[Problem], None] = lambda problem: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._catalogue = catalogue
        self._options = options
        self._executor = executor
        self._register = register
        self._listener = listener
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._pipeline = current_pipeline()
        # first_seen_ns of every row that this run adds; moves are detected by it.
        self._run_ns = time.time_ns()
        self._stale = catalogue.stale_contents(self._pipeline)
        self._counts = dict.fromkeys(
            ("files", "unchanged", "digested", "decoded", "moved", "missing", "other", "problems"), 0
        )
        self._buffer: list[Examined] = []
        self._uncommitted: dict[int, set[bytes]] = {}
        self._committed_at = time.monotonic()
        self._gone: list[tuple[bytes, bytes, int]] = []
        self._kept_folders: set[bytes] = set()
        self._scanned_roots: dict[bytes, int] = {}
        """Path -> device."""
        self._replaced: set[int] = set()
        self._read = self._total = 0
        self._walking = True

    def run(self, roots: list[bytes]) -> ScanSummary:
        known = {root.path: root for root in self._catalogue.roots()}
        roots = roots or list(known)
        if not roots:
            raise UsageError(NO_ROOTS)
        if self._executor is not None:
            self._executor.prepare(roots)
        walk = self._walk(roots, known)
        summary = self._carry_out(job for root in roots for job in self._changed(walk, root, known.get(root)))
        if self._listener is not None:
            self._listener.walked(walk.visited)
        return summary._replace(hidden=walk.hidden, unmatched=tuple(walk.unmatched()))

    def _walk(self, roots: list[bytes], known: Iterable[bytes]) -> Walk:
        own = os.fsencode(os.path.realpath(self._catalogue.path))
        return Walk(roots, self._options.rules, frozenset(own + suffix for suffix in OWN_SUFFIXES), known)

    def _carry_out(self, jobs: Iterator[Job]) -> ScanSummary:
        """Examines the files of all jobs and records the results, then settles files that are gone."""
        try:
            self._reader(JobQueue(jobs)).read()
            self._walking = False
        finally:
            # Also after an interruption: keep the results that workers have returned.
            self._commit()
        self._before_settling()
        if self._listener is not None:
            self._gone = self._listener.leave(self._gone)
        # In parts, so that another writer waits for at most one part.
        for start in range(0, len(self._gone), SETTLED_AT_ONCE):
            with self._catalogue.atomic():
                settled = self._catalogue.settle_gone(self._gone[start : start + SETTLED_AT_ONCE], self._run_ns)
            self._counts["moved"] += len(settled.moved)
            self._counts["missing"] += len(settled.missing)
            if self._listener is not None:
                self._listener.settled(settled)
            self._show_progress()
        if self._replaced or self._scanned_roots:
            with self._catalogue.atomic():
                self._catalogue.drop_orphans(self._replaced)
                for path, device in self._scanned_roots.items():
                    known = self._catalogue.note_scanned(path, self._run_ns)
                    if not known and self._register and self._catalogue.has_present_below(path):
                        # Another process has forgotten this root, but files recorded since then need one.
                        # The next scan goes on.
                        self._catalogue.put_root(path, device)
        return ScanSummary(**self._counts, outdated=self._catalogue.outdated(self._pipeline.recipes), unmatched=())

    def _before_settling(self) -> None:
        """Hook for subclasses: all results are recorded, and self._gone lists the files that are gone."""

    def _note_arrived(self, arrivals: Sequence[Arrival]) -> None:
        if self._listener is not None:
            self._listener.arrived(arrivals)

    def _reader(self, queue: JobQueue) -> Reader:
        return Reader(
            queue,
            self._options.limits,
            workers=self._options.workers,
            executor=self._executor,
            known=self._known,
            take=self._take,
            commit=self._commit,
            on_look=self._on_look,
        )

    def _on_look(self, walking: bool) -> None:
        self._walking = walking
        self._show_progress()

    def _show_progress(self) -> None:
        self._on_progress(Progress(self._counts["files"], self._read, self._total, self._walking))

    # Walking

    def _changed(self, walk: Walk, path: bytes, known: Root | None) -> Iterator[Job]:
        """Yields the jobs below one root. Collects files that are gone, unless the root itself seems unavailable."""
        if not roots.responds(path):
            silent = Message(
                "the folder does not respond within {seconds:g} s (does a network drive hang?)",
                seconds=roots.RESPONSE_S,
            )
            self._root_problem(path, silent)
            return
        try:
            device = files.device_of(path)
        except OSError as error:
            if known is None:
                raise UsageError(
                    Message("{path}: {reason}.", path=os.fsdecode(path), reason=files.reason_of(error, "folder"))
                ) from error
            self._root_problem(
                path, Message("the folder cannot be reached ({reason})", reason=files.reason_of(error, "folder"))
            )
            return
        if path in walk.visited:
            self._scanned_roots[path] = device
            return
        if known is None and self._register:
            with self._catalogue.atomic():
                self._catalogue.put_root(path, device)
        new_device = device if known is not None and known.device != device else None
        seen_ns = (known and known.scanned_ns) or 0
        gone: list[tuple[bytes, bytes, int]] = []
        entries = remounted = folders = files_here = to_read = 0
        problem_folders = self._catalogue.troubled_folders()
        for listing, difference in self._compared(walk, path, new_device):
            folders += 1
            files_here += len(listing.files)
            to_read += len(difference.to_read)
            remounted += difference.remounted
            entries += len(listing.files) + len(listing.ignored) + len(listing.not_walked)
            if listing.problem is not None or listing.path in problem_folders:
                self._note_folder(listing)
            if listing.problem is None:
                gone.extend((listing.path, name, seen_ns) for name in difference.gone)
            yield from self._jobs(listing, difference)
        _log.info("%s: %d files in %d folders, %d to read", os.fsdecode(path), files_here, folders, to_read)
        if new_device is not None:
            if remounted:
                # Known files are in place: it is the same volume with another device number, as after a remount.
                with self._catalogue.atomic():
                    self._catalogue.put_root(path, device)
            self._root_problem(path, Message("the folder is on another device than before"))
        elif not entries and self._catalogue.has_present_below(path):
            self._root_problem(path, Message("the folder is empty and was not (is a drive unplugged?)"))
        else:
            gone.extend(self._gone_with_their_folder(walk, path, seen_ns))
            self._gone.extend(gone)
            self._scanned_roots[path] = device

    def _compared(
        self, walk: Walk, path: bytes, new_device: int | None, root: bytes | None = None
    ) -> Iterator[tuple[Listing, diff.FolderDiff]]:
        """Yields each folder at or below path with its difference from the catalogue; see Walk.below."""
        for listings in _batches(walk.below(path, root)):
            known_folders = self._catalogue.known_files([listing.path for listing in listings], new_device)
            for listing in listings:
                known = known_folders.get(listing.path, diff.NOTHING_KNOWN)
                yield listing, self._compare(listing, known, new_device)
            self._show_progress()

    def _jobs(self, listing: Listing, difference: diff.FolderDiff) -> Iterator[Job]:
        listener = self._listener
        if listener is None or not difference.to_read:
            for name, size, decode in sorted(difference.to_read):
                yield self._job(os.path.join(listing.path, name), size, decode)
            return
        mtimes = {name: mtime_ns for name, _, mtime_ns, _, _ in listing.files}
        for name, size, decode in sorted(difference.to_read):
            job = self._job(os.path.join(listing.path, name), size, decode)
            if not listener.not_yet(job.path, mtimes[name]):
                yield job

    def _job(self, path: bytes, size: int, decode: bool) -> Job:
        return Job(path, bounded(size), decode, self._options.rules.links)

    def _compare(self, listing: Listing, known: diff.KnownFolder, new_device: int | None) -> diff.FolderDiff:
        left_alone = listing.ignored | {name for name, _ in listing.special}
        difference = diff.compare(known, listing.files, left_alone, self._stale, new_device)
        self._kept_folders |= listing.not_walked
        if listing.problem is not None:
            self._kept_folders.add(listing.path)
        if listing.has_manifest and listing.path not in self._catalogue.destinations():
            # Files were organized into it with another catalogue, or with a catalogue that was lost.
            with self._catalogue.atomic():
                self._catalogue.put_destination(listing.path)
        if difference.returned:
            with self._catalogue.atomic():
                self._catalogue.mark_back(listing.path, difference.returned)
            if self._listener is not None:
                self._listener.back(listing.path, difference.returned)
        for name, what in listing.special:
            self._note_special(os.path.join(listing.path, name), name, what)
        self._counts["files"] += len(listing.files)
        self._counts["unchanged"] += difference.unchanged + difference.unchanged_other
        self._counts["other"] += difference.unchanged_other
        self._total += len(difference.to_read)
        return difference

    def _gone_with_their_folder(self, walk: Walk, root: bytes, seen_ns: int) -> Iterator[tuple[bytes, bytes, int]]:
        """Files of known folders that the walk did not visit, unless a parent folder exists but was not entered."""
        for folder in self._catalogue.folders_below(root):
            above = folder
            while above not in walk.visited and above not in self._kept_folders:
                above = os.path.dirname(above)
            if above in self._kept_folders or above == folder:
                continue
            for name in self._catalogue.present_files(folder):
                yield folder, name, seen_ns

    def _note_folder(self, listing: Listing) -> None:
        with self._catalogue.atomic():
            self._catalogue.note_folder_problem(listing.path, listing.problem)
        if listing.problem is not None:
            self._report(listing.path, listing.problem)

    def _note_special(self, path: bytes, name: bytes, what: str) -> None:
        if not formats.has_picture_extension(name):
            return
        problem = Message("it has a picture's name, but it is {what}; it was not opened", what=what)
        with self._catalogue.atomic():
            is_new = self._catalogue.put_special(path, problem, time.time_ns(), self._run_ns)
        if is_new:
            self._report(path, problem)

    def _root_problem(self, path: bytes, what: str) -> None:
        problem = Message(
            "{what}; nothing below it was marked missing. If it is gone for good: hashindex forget {path}",
            what=what,
            path=os.fsdecode(path),
        )
        with self._catalogue.atomic():
            self._catalogue.note_root_problem(path, problem)
        self._report(path, problem)

    def _report(self, path: bytes, reason: str) -> None:
        self._counts["problems"] += 1
        self._on_problem(Problem(path, reason))

    # Writing

    def _known(self, chunk: list[Job]) -> frozenset[bytes]:
        sizes = {job.size for job in chunk}
        known = self._catalogue.known_digests(sizes, self._stale)
        return frozenset(known.union(*(self._uncommitted.get(size, ()) for size in sizes)))

    def _take(self, chunk: list[Job], results: list[Examined]) -> list[Job]:
        """Buffers results for the next commit. Returns jobs that must be done again; see _commit."""
        debug = _log.isEnabledFor(logging.DEBUG)
        for job, examined in zip(chunk, results, strict=True):
            self._read += 1
            if self._listener is not None and self._listener.put_off(examined):
                continue
            self._buffer.append(examined)
            if examined.digest is not None and examined.stat is not None:
                self._counts["digested"] += 1
                self._uncommitted.setdefault(examined.stat.size, set()).add(examined.digest)
            if examined.decoded is not None:
                self._counts["decoded"] += 1
            elif examined.digest is None and examined.problem is None and not examined.vanished:
                self._counts["other"] += 1
            if debug:
                _log.debug("read %s", os.fsdecode(job.path))
        if len(self._buffer) >= BATCH or time.monotonic() - self._committed_at >= BATCH_S:
            return self._commit()
        return []

    def _commit(self) -> list[Job]:
        """Writes the buffer in one transaction. Returns jobs whose known content has left the catalogue meanwhile."""
        batch = self._buffer
        self._committed_at = time.monotonic()
        if not batch:
            return []
        try:
            recorded = self._record(batch)
        except _FileFault as error:
            if self._catalogue.is_damaged():
                raise error.reason from None
            batch, recorded = self._record_one_by_one(batch)
        # Not earlier: after an interruption before this line, the last commit of the run writes the buffer.
        self._buffer = []
        self._replaced |= recorded.replaced
        self._report_problems(batch, recorded.lost)
        self._uncommitted.clear()
        self._note_arrived(recorded.arrived)
        return [
            self._job(examined.path, examined.stat.size if examined.stat else 0, True) for examined in recorded.lost
        ]

    def _record(self, batch: list[Examined]) -> Recorded:
        """Records results in one transaction. Raises _FileFault if an error may be due to one file."""
        with self._catalogue.atomic():
            try:
                return self._catalogue.record(batch, *keys_by_digest(batch), self._pipeline, self._run_ns)
            except Exception as error:
                if is_of_one_file(error):
                    raise _FileFault(error) from error
                raise

    def _record_one_by_one(self, batch: list[Examined]) -> tuple[list[Examined], Recorded]:
        """Records each result in its own transaction. A file that cannot be recorded gets a row with the reason."""
        written: list[Examined] = []
        together = Recorded([], set(), [])
        for examined in batch:
            try:
                recorded = self._record([examined])
            except _FileFault as error:
                _log.debug("not written: %s", os.fsdecode(examined.path), exc_info=error.reason)
                examined = _row_of_failed(examined, error.reason)
                try:
                    recorded = self._record([examined])
                except _FileFault:
                    # This row fails too, so the file is not the cause.
                    raise error.reason from None
            written.append(examined)
            together.lost.extend(recorded.lost)
            together.replaced.update(recorded.replaced)
            together.arrived.extend(recorded.arrived)
        return written, together

    def _report_problems(self, batch: list[Examined], lost: list[Examined]) -> None:
        for examined in batch:
            problem = examined.problem
            if examined.decoded is not None:
                problem = examined.decoded.problem
            elif examined.digest is not None and examined not in lost:
                problem = self._catalogue.content_problem(examined.digest)
            if problem is not None:
                self._report(examined.path, problem)


class _FileFault(Exception):
    """A transaction was rolled back; one of its files may be the cause."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _row_of_failed(examined: Examined, reason: Exception) -> Examined:
    """The row of a file that could not be recorded. Every scan tries the file again."""
    problem = Message(
        "it could not be written to the catalogue ({name}: {reason}), which is a bug in hashindex: "
        "please report it; all other files were recorded",
        name=type(reason).__name__,
        reason=str(reason),
    )
    return Examined(examined.path, None, examined.looked_ns, problem=problem, retry=True)


def _batches(listings: Iterable[Listing]) -> Iterator[list[Listing]]:
    """Splits listings into batches of ASK_FOLDERS, or fewer if they hold ASK_FILES files."""
    batch: list[Listing] = []
    files_held = 0
    for listing in listings:
        batch.append(listing)
        files_held += len(listing.files)
        if len(batch) == ASK_FOLDERS or files_held >= ASK_FILES:
            yield batch
            batch, files_held = [], 0
    if batch:
        yield batch
