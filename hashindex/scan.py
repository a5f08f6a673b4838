"""Brings the catalogue in step with the disk: walk, compare, read what changed in a pool of workers, commit in batches.

Reads the user's files through files.py only, and writes nothing but the catalogue.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from functools import partial
from itertools import islice

from hashindex import diff, files, formats, guard, hashes
from hashindex.attendant import Attendant
from hashindex.catalogue import Catalogue, Maker, Root
from hashindex.decode import PREPARATION_VERSION, decoder_stamp
from hashindex.errors import UsageError
from hashindex.examine import examine, examine_undecoded
from hashindex.model import (
    Arrival,
    Examined,
    Job,
    Limits,
    Look,
    Problem,
    Progress,
    ScanOptions,
    ScanSummary,
)
from hashindex.roots import silence_of
from hashindex.solo import Ended, Solo, sentence
from hashindex.workers import Pool, apart, available_processors, check_that_one_starts

_log = logging.getLogger(__name__)

CHUNK_JOBS = 16
CHUNK_BYTES = 4 * 2**20
"""Of one task for a worker: large enough that passing it on costs little, small enough to share the last ones out."""
BATCH = 256
BATCH_S = 1.0
"""A commit after so many files or so long: what a crash costs at most."""
LOOK_AHEAD = 50_000
"""How many changed files the walk may be ahead of the workers, about 10 MB: progress then knows what is left."""
ASK_FOLDERS = 64
ASK_FILES = 250
"""The catalogue is asked about so many folders at once, or fewer that hold so many files: with ten times as many, what
is compared is no longer in the processor's cache."""
DONE_AHEAD = 64
"""Chunks that may be done or under way at a time, some 5 MB of what workers gave back."""
LOOK_UP_S = 0.25
"""So long at most it waits for workers before progress is shown, and may end the run."""
SETTLED_AT_ONCE = 2_000
"""Files that are gone, in one transaction."""
OWN_SUFFIXES = (b"", b"-wal", b"-shm", b"-journal", b".lock", b".watch.lock", b".watch.json", b".watch.json.part")
"""Of the catalogue's name: files that are never taken for the user's."""
FEW = 8
"""So few changed files are read by one process (see solo.py): a pool takes longer to start than to read them."""
TOO_LONG_SHARE = 0.9
"""A decode that was under way for so much of limits.seconds when a pool was last seen whole is why it broke."""


def current_maker() -> Maker:
    """The decoder and the recipes of this program."""
    return Maker(f"{decoder_stamp()}; preparation {PREPARATION_VERSION}", hashes.RECIPES)


def scan(
    catalogue: Catalogue,
    roots: Iterable[bytes],
    options: ScanOptions,
    *,
    executor: Executor | None = None,
    register: bool = True,
    pool: Pool | None = None,
    attendant: Attendant | None = None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> ScanSummary:
    """Scans these roots, or all known ones if there are none given. catalogue is a writer.

    roots: real absolute folders. A root that the catalogue does not know must be there: UsageError. executor: where
    to examine files; None makes processes of our own, or uses those of pool, which stay. register: the folders become
    roots. Interrupted, also by on_progress raising, it keeps what was read so far.
    """
    return Scan(
        catalogue,
        options,
        executor=executor,
        register=register,
        pool=pool,
        attendant=attendant,
        on_problem=on_problem,
        on_progress=on_progress,
    ).run(list(roots))


class Scan:
    """One run over folders; look.py has another."""

    def __init__(
        self,
        catalogue: Catalogue,
        options: ScanOptions,
        *,
        executor: Executor | None = None,
        register: bool = True,
        pool: Pool | None = None,
        attendant: Attendant | None = None,
        on_problem: Callable[[Problem], None] = lambda problem: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._catalogue = catalogue
        self._options = options
        self._executor = executor
        self._register = register
        self._pool = pool
        self._attendant = attendant
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._maker = current_maker()
        # Every row that this run adds carries this number as first_seen_ns: a move is found by it.
        self._run_ns = time.time_ns()
        self._stale = catalogue.stale_contents(self._maker)
        self._counts = dict.fromkeys(
            ("files", "unchanged", "digested", "decoded", "moved", "missing", "other", "problems"), 0
        )
        self._buffer: list[Examined] = []
        self._uncommitted: dict[int, set[bytes]] = {}
        self._committed_at = time.monotonic()
        self._gone: list[tuple[bytes, bytes, int]] = []
        self._kept_folders: set[bytes] = set()
        self._scanned_roots: list[bytes] = []
        self._replaced: set[int] = set()
        self._read = self._total = 0
        self._sound_s = 0.0
        """When the pool was last seen whole, by time.monotonic."""
        self._walking = True

    def run(self, roots: list[bytes]) -> ScanSummary:
        known = {root.path: root for root in self._catalogue.roots()}
        roots = roots or list(known)
        if not roots:
            raise UsageError("No folder was ever scanned into this catalogue; name one: hashindex scan FOLDER")
        walk = self._walk(roots)
        summary = self._carry_out(job for root in roots for job in self._changed(walk, root, known.get(root)))
        if self._attendant is not None:
            self._attendant.walked(walk.visited)
        return summary

    def _walk(self, roots: list[bytes]) -> files.Walk:
        own = os.fsencode(os.path.realpath(self._catalogue.path))
        return files.Walk(roots, self._options.rules, frozenset(own + suffix for suffix in OWN_SUFFIXES))

    def _carry_out(self, jobs: Iterator[Job]) -> ScanSummary:
        """Reads and writes what the jobs say, then settles what was found gone on the way."""
        try:
            self._read_all(_Feed(jobs))
        finally:
            # Also when interrupted: what workers gave back is kept.
            self._commit()
        self._before_settling()
        if self._attendant is not None:
            self._gone = self._attendant.leave(self._gone)
        # In parts: another writer waits for one of them at most.
        for start in range(0, len(self._gone), SETTLED_AT_ONCE):
            with self._catalogue.atomic():
                settled = self._catalogue.settle_gone(self._gone[start : start + SETTLED_AT_ONCE], self._run_ns)
            self._counts["moved"] += len(settled.moved)
            self._counts["missing"] += len(settled.missing)
            if self._attendant is not None:
                self._attendant.settled(settled)
            self._show_progress()
        if self._replaced or self._scanned_roots:
            with self._catalogue.atomic():
                self._catalogue.drop_orphans(self._replaced)
                for path in self._scanned_roots:
                    self._catalogue.note_scanned(path, self._run_ns)
        return ScanSummary(**self._counts, outdated=self._catalogue.outdated(self._maker))

    def _before_settling(self) -> None:
        """All is read and written; self._gone is what is known to be gone."""

    def _note_arrived(self, arrivals: Sequence[Arrival]) -> None:
        if self._attendant is not None:
            self._attendant.arrived(arrivals)

    def _show_progress(self) -> None:
        self._on_progress(Progress(self._counts["files"], self._read, self._total, self._walking))

    # Walking

    def _changed(self, walk: files.Walk, path: bytes, known: Root | None) -> Iterator[Job]:
        """The jobs below one root; collects what is gone unless the root looks as if it were not really there."""
        silence = silence_of(path)
        if silence is not None:
            self._root_problem(path, f"the folder {silence} (does a network drive hang?)")
            return
        try:
            device = files.device_of(path)
        except OSError as error:
            if known is None:
                raise UsageError(f"{os.fsdecode(path)}: {files.reason_of(error, 'folder')}.") from error
            self._root_problem(path, f"the folder cannot be reached ({files.reason_of(error, 'folder')})")
            return
        if path in walk.visited:
            self._scanned_roots.append(path)
            return
        if known is None and self._register:
            with self._catalogue.atomic():
                self._catalogue.put_root(path, device)
        moved_to = device if known is not None and known.device != device else None
        seen_ns = (known and known.scanned_ns) or 0
        gone: list[tuple[bytes, bytes, int]] = []
        entries = remounted = 0
        troubled = self._catalogue.troubled_folders()
        for listing, difference in self._compared(walk, path, moved_to):
            remounted += difference.remounted
            entries += len(listing.files) + len(listing.left_alone) + len(listing.not_entered)
            if listing.problem is not None or listing.path in troubled:
                self._note_folder(listing)
            if listing.problem is None:
                gone.extend((listing.path, name, seen_ns) for name in difference.gone)
            yield from self._jobs(listing, difference)
        if moved_to is not None:
            if remounted:
                # Known files are where they were: the same volume under another number, as after a remount.
                with self._catalogue.atomic():
                    self._catalogue.put_root(path, device)
            self._root_problem(path, "the folder is on another device than before")
        elif not entries and self._catalogue.has_present_below(path):
            self._root_problem(path, "the folder is empty and was not (is a drive unplugged?)")
        else:
            gone.extend(self._gone_with_their_folder(walk, path, seen_ns))
            self._gone.extend(gone)
            self._scanned_roots.append(path)

    def _compared(
        self, walk: files.Walk, path: bytes, moved_to: int | None, root: bytes | None = None
    ) -> Iterator[tuple[files.Listing, diff.FolderDiff]]:
        """Every folder at or below path, with what its listing means; see Walk.below."""
        for listings in _batches(walk.below(path, root)):
            known_folders = self._catalogue.known_files([listing.path for listing in listings], moved_to)
            for listing in listings:
                known = known_folders.get(listing.path, diff.NOTHING_KNOWN)
                yield listing, self._compare(listing, known, moved_to)
            self._show_progress()

    def _jobs(self, listing: files.Listing, difference: diff.FolderDiff) -> Iterator[Job]:
        attendant = self._attendant
        if attendant is None or not difference.to_read:
            for name, size, decode in sorted(difference.to_read):
                yield self._job(os.path.join(listing.path, name), size, decode)
            return
        mtimes = {name: mtime_ns for name, _, mtime_ns, _ in listing.files}
        for name, size, decode in sorted(difference.to_read):
            job = self._job(os.path.join(listing.path, name), size, decode)
            if not attendant.not_yet(job.path, mtimes[name]):
                yield job

    def _job(self, path: bytes, size: int, decode: bool) -> Job:
        return Job(path, size, decode, self._options.rules.links)

    def _compare(self, listing: files.Listing, known: diff.KnownFolder, moved_to: int | None) -> diff.FolderDiff:
        left_alone = listing.left_alone | {name for name, _ in listing.special}
        difference = diff.compare(known, listing.files, left_alone, self._stale, moved_to)
        self._kept_folders |= listing.not_entered
        if listing.problem is not None:
            self._kept_folders.add(listing.path)
        if listing.has_manifest and listing.path not in self._catalogue.destinations():
            # Organized with another catalogue, or with this one before it was lost.
            with self._catalogue.atomic():
                self._catalogue.put_destination(listing.path)
        if difference.back:
            with self._catalogue.atomic():
                self._catalogue.mark_back(listing.path, difference.back)
            if self._attendant is not None:
                self._attendant.back(listing.path, difference.back)
        for name, what in listing.special:
            self._note_special(os.path.join(listing.path, name), name, what)
        self._counts["files"] += len(listing.files)
        self._counts["unchanged"] += difference.unchanged + difference.unchanged_other
        self._counts["other"] += difference.unchanged_other
        self._total += len(difference.to_read)
        return difference

    def _gone_with_their_folder(
        self, walk: files.Walk, root: bytes, seen_ns: int
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Files of known folders that the walk did not meet, unless one above is there but was not entered."""
        for folder in self._catalogue.folders_below(root):
            above = folder
            while above not in walk.visited and above not in self._kept_folders:
                above = os.path.dirname(above)
            if above in self._kept_folders or above == folder:
                continue
            for name in self._catalogue.present_files(folder):
                yield folder, name, seen_ns

    def _note_folder(self, listing: files.Listing) -> None:
        with self._catalogue.atomic():
            self._catalogue.note_folder_problem(listing.path, listing.problem)
        if listing.problem is not None:
            self._report(listing.path, listing.problem)

    def _note_special(self, path: bytes, name: bytes, what: str) -> None:
        if not formats.has_picture_suffix(name):
            return
        problem = f"it has a picture's name, but it is {what}; it was not opened"
        with self._catalogue.atomic():
            news = self._catalogue.put_special(path, problem, time.time_ns(), self._run_ns)
        if news:
            self._report(path, problem)

    def _root_problem(self, path: bytes, what: str) -> None:
        problem = (
            f"{what}; nothing below it was marked missing. If it is gone for good: hashindex forget {os.fsdecode(path)}"
        )
        with self._catalogue.atomic():
            self._catalogue.note_root_problem(path, problem)
        self._report(path, problem)

    def _report(self, path: bytes, reason: str) -> None:
        self._counts["problems"] += 1
        self._on_problem(Problem(path, reason))

    # Reading

    def _read_all(self, feed: "_Feed") -> None:
        feed.look_ahead(FEW + 1)
        if self._executor is not None:
            if not self._drain(feed, self._executor):
                raise BrokenExecutor("The executor that examines files broke down.")
            return
        if not feed or (self._pool is None and len(feed) <= FEW):
            self._read_few(feed)
            return
        pool = self._pool or Pool(self._options.limits, self._options.workers)
        try:
            while not self._drain(feed, pool.executor()):
                # A decoder took its process down with it. Find the file, then go on with fresh processes.
                self._examine_suspects(feed, pool.give_up())
        finally:
            if pool is not self._pool:
                pool.let_go()

    def _read_few(self, feed: "_Feed") -> None:
        with Solo(self._options.limits) as alone:
            while chunk := feed.take():
                known = self._known(chunk)
                results: list[Examined] = []
                for job in chunk:
                    met = {examined.digest for examined in results if examined.digest is not None}
                    try:
                        results += alone.run(examine, [job], known | met, self._options.limits)
                    except Ended as ended:
                        results.append(_left_out(job, sentence(ended.too_long, self._options.limits), alone))
                self._take(feed, chunk, results)
                feed.look_ahead(FEW)
                if not feed:
                    feed.again(self._commit())
                self._show_progress()
        self._walking = False

    def _drain(self, feed: "_Feed", pool: Executor) -> bool:
        """Examines until feed is empty. False where the pool broke; feed then holds what was under way."""
        pending: deque[tuple[Future[list[Examined]], list[Job]]] = deque()
        most = 3 * (getattr(pool, "_max_workers", None) or available_processors())
        while True:
            # What is done behind a slow chunk waits for it, to be written in order; workers get more meanwhile.
            under_way = [future for future, _ in pending if not future.done()]
            while len(under_way) < most and len(pending) < DONE_AHEAD and (chunk := feed.take()):
                under_way.append(pool.submit(examine, chunk, self._known(chunk), self._options.limits))
                pending.append((under_way[-1], chunk))
            self._walking = feed.look_ahead(LOOK_AHEAD, at_most=1000)
            looked_s = time.monotonic()
            if pending:
                if not pending[0][0].done():
                    wait(under_way, timeout=0 if self._walking else LOOK_UP_S, return_when=FIRST_COMPLETED)
                    looked_s = time.monotonic()
                while pending and pending[0][0].done():
                    future, chunk = pending.popleft()
                    try:
                        examined = future.result()
                    except BrokenExecutor:
                        self._keep_what_is_done(feed, [(future, chunk), *pending])
                        return False
                    self._take(feed, chunk, examined)
            elif not feed:
                feed.again(self._commit())
                if not feed:
                    return True
            self._sound_s = looked_s
            self._show_progress()

    def _keep_what_is_done(self, feed: "_Feed", pending: list[tuple[Future[list[Examined]], list[Job]]]) -> None:
        """Of a pool that broke; what was not done goes back to feed."""
        for future, chunk in pending:
            if future.done() and future.exception() is None:
                self._take(feed, chunk, future.result())
            else:
                feed.put_back(chunk)

    def _examine_suspects(self, feed: "_Feed", in_hand: dict[float, float]) -> None:
        """Examines what the workers had in hand when their pool broke, one by one: who breaks that too gets a row.

        in_hand: what Pool.give_up says. One that was timed for long enough is not tried again.
        """
        limits = self._options.limits
        chunks = feed.take_back()
        jobs = [job for chunk in chunks for job in chunk]
        for chunk in chunks:
            feed.done(chunk)
        since = {job: in_hand[mark] for job in jobs if (mark := guard.mark_of(job.path)) in in_hand}
        if not since:
            # It broke before a worker had anything in hand: none can be started, or it was something else altogether.
            check_that_one_starts(limits)
        long_ago = self._sound_s - TOO_LONG_SHARE * limits.seconds
        slow = [job for job, timed in since.items() if guard.NOTHING < timed <= long_ago]
        found = len(slow)
        for job in slow:
            self._take(feed, [job], [_crashed(job, sentence(True, limits), limits)])
        found += self._examine_apart(feed, [job for job in since if job not in slow])
        rest = [job for job in jobs if job not in since]
        if found:
            feed.again(rest)
        else:
            # None of them did it; so that no run goes round in circles, all that was under way is looked at apart.
            self._examine_apart(feed, rest)

    def _examine_apart(self, feed: "_Feed", jobs: list[Job]) -> int:
        """One by one; returns how many took their process down."""
        if not jobs:
            return 0
        limits = self._options.limits
        ended: list[Job] = []

        def left_out(job: Job, why: str) -> Examined:
            ended.append(job)
            return _crashed(job, why, limits)

        # Asked before the first of them: here, after a crash, copies among them cost a decode each.
        work = partial(_alone, examine, known=self._known(jobs), limits=limits)
        for job, examined in zip(jobs, apart(limits, work, jobs, left_out), strict=True):
            self._take(feed, [job], [examined])
        return len(ended)

    def _known(self, chunk: list[Job]) -> frozenset[bytes]:
        sizes = {job.size for job in chunk}
        known = self._catalogue.known_digests(sizes, self._stale)
        return frozenset(known.union(*(self._uncommitted.get(size, ()) for size in sizes)))

    def _take(self, feed: "_Feed", chunk: list[Job], results: list[Examined]) -> None:
        feed.done(chunk)
        chatty = _log.isEnabledFor(logging.DEBUG)
        for job, examined in zip(chunk, results, strict=True):
            self._read += 1
            if self._attendant is not None and self._attendant.put_off(examined):
                continue
            self._buffer.append(examined)
            if examined.digest is not None and examined.seen is not None:
                self._counts["digested"] += 1
                self._uncommitted.setdefault(examined.seen.size, set()).add(examined.digest)
            if examined.decoded is not None:
                self._counts["decoded"] += 1
            elif examined.digest is None and examined.problem is None and not examined.vanished:
                self._counts["other"] += 1
            if chatty:
                _log.debug("read %s", os.fsdecode(job.path))
        if len(self._buffer) >= BATCH or time.monotonic() - self._committed_at >= BATCH_S:
            feed.again(self._commit())

    def _commit(self) -> list[Job]:
        """Writes the buffer in one transaction. Returns jobs whose known content was forgotten meanwhile."""
        batch = self._buffer
        self._committed_at = time.monotonic()
        hashed = {
            examined.digest: examined.decoded.prepared
            for examined in batch
            if examined.digest is not None and examined.decoded is not None and examined.decoded.prepared is not None
        }
        values = dict(zip(hashed, hashes.compute(list(hashed.values())), strict=True))
        looks = _looks(batch)
        if batch:
            with self._catalogue.atomic():
                recorded = self._catalogue.record(batch, values, looks, self._maker, self._run_ns)
            # Not before: interrupted until here, the last commit of a run writes it.
            self._buffer = []
            self._replaced |= recorded.replaced
            self._report_problems(batch, recorded.lost)
            self._uncommitted.clear()
            self._note_arrived(recorded.arrived)
            return [
                self._job(examined.path, examined.seen.size if examined.seen else 0, True) for examined in recorded.lost
            ]
        return []

    def _report_problems(self, batch: list[Examined], lost: list[Examined]) -> None:
        for examined in batch:
            problem = examined.problem
            if examined.decoded is not None:
                problem = examined.decoded.problem
            elif examined.digest is not None and examined not in lost:
                problem = self._catalogue.content_problem(examined.digest)
            if problem is not None:
                self._report(examined.path, problem)


def _batches(listings: Iterable[files.Listing]) -> Iterator[list[files.Listing]]:
    """ASK_FOLDERS at a time, or fewer that hold ASK_FILES."""
    batch: list[files.Listing] = []
    held = 0
    for listing in listings:
        batch.append(listing)
        held += len(listing.files)
        if len(batch) == ASK_FOLDERS or held >= ASK_FILES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _looks(batch: Iterable[Examined]) -> dict[bytes, Look]:
    """By digest, of what was decoded well enough to be compared."""
    seen = {
        examined.digest: examined.decoded
        for examined in batch
        if examined.digest is not None and examined.decoded is not None and examined.decoded.signature is not None
    }
    if not seen:
        return {}
    # Here, because it brings NumPy, which a scan that finds nothing new should not wait for.
    from hashindex.candidates import keys_of, packed_keys

    keys = iter(keys_of([view for decoded in seen.values() for view in decoded.views]))
    return {
        digest: Look(decoded.signature or b"", packed_keys(list(islice(keys, len(decoded.views)))))
        for digest, decoded in seen.items()
    }


class _Feed:
    """Hands out jobs in chunks such that two files that may have equal bytes are never under way at once.

    Equal bytes have equal sizes. A file whose size is under way waits until that one is back; by then its digest is
    known, and a copy is not decoded. So a duplicate costs no decode without workers talking to each other.
    """

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._ready: deque[Job] = deque()
        self._waiting: dict[int, deque[Job]] = {}
        self._waiting_jobs = 0
        self._under_way: set[int] = set()
        self._broken: list[list[Job]] = []
        self._exhausted = False

    def __len__(self) -> int:
        return len(self._ready) + self._waiting_jobs

    def look_ahead(self, most: int, at_most: int | None = None) -> bool:
        """Fetches jobs until `most` are at hand, at_most of them now. Returns whether there may be more."""
        fetched = 0
        while not self._exhausted and len(self) < most and (at_most is None or fetched < at_most):
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
            else:
                self._ready.append(job)
                fetched += 1
        return not self._exhausted and len(self) < most

    def take(self) -> list[Job]:
        """The next chunk; empty if nothing can be handed out now."""
        chunk: list[Job] = []
        sizes: set[int] = set()
        volume = 0
        if not self._ready:
            self.look_ahead(len(self) + CHUNK_JOBS)
        while self._ready and len(chunk) < CHUNK_JOBS and volume < CHUNK_BYTES:
            job = self._ready.popleft()
            if job.size in self._under_way:
                self._waiting.setdefault(job.size, deque()).append(job)
                self._waiting_jobs += 1
            else:
                chunk.append(job)
                sizes.add(job.size)
                volume += job.size
        self._under_way |= sizes
        return chunk

    def done(self, chunk: list[Job]) -> None:
        for size in {job.size for job in chunk}:
            self._under_way.discard(size)
            waiting = self._waiting.get(size, ())
            # One chunk's worth: the rest would only be sent back to wait for these.
            for _ in range(min(CHUNK_JOBS, len(waiting))):
                self._ready.appendleft(self._waiting[size].popleft())
                self._waiting_jobs -= 1
            if not self._waiting.get(size):
                self._waiting.pop(size, None)

    def again(self, jobs: list[Job]) -> None:
        self._ready.extend(jobs)

    def put_back(self, chunk: list[Job]) -> None:
        self._broken.append(chunk)

    def take_back(self) -> list[list[Job]]:
        broken, self._broken = self._broken, []
        return broken


def _alone(work: Callable[..., list[Examined]], job: Job, known: frozenset[bytes], limits: Limits) -> Examined:
    return work([job], known, limits)[0]


def _crashed(job: Job, why: str, limits: Limits) -> Examined:
    with Solo(limits) as alone:
        return _left_out(job, why, alone)


def _left_out(job: Job, why: str, alone: Solo) -> Examined:
    """The row of a file whose decode took its process down."""
    try:
        return alone.run(examine_undecoded, job, why, alone.limits)
    except Ended:
        # Not even reading it went well.
        return Examined(job.path, files.seen_at(job.path), time.time_ns(), problem=why)
