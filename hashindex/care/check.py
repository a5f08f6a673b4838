"""Checks whether a catalogue is sound and agrees with the disk; each problem comes with a way out. Changes nothing.

SQLite checks the pages. This module checks the rest: packed hashes against the rows of contents and against pictures
decoded again, digests against files read again, and the journal.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from hashindex.core.language import Message, joined
from hashindex.core.messages import Examined, Job, KeyState
from hashindex.core.model import Finding, Severity
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing import recipes
from hashindex.index.scan import current_pipeline
from hashindex.pictures.examine import examine
from hashindex.pictures.isolated_reading import examine_without_decoding
from hashindex.pictures.worker_pool import map_isolated
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import SEGMENT
from hashindex.store.journal import Journal
from hashindex.store.questions import CheckedFile

SAMPLE_FILES = 100
"""Of a quick check: a second or two."""
REBUILD = Message(
    "hashindex scan: it sets this catalogue aside, builds a new one and keeps your decisions and what was placed"
)
_OK, _NOTE, _PROBLEM = Severity.OK, Severity.NOTE, Severity.PROBLEM
_MAY_DECODE = Message("another version of Pillow, or larger limits (--max-seconds, --max-memory), may decode it")
_NAMED = 5
"""Files named in one finding; the others are counted."""


def check(
    catalogue: Catalogue,
    *,
    full: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    workers: int | None = None,
    rng: random.Random | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Finding]:
    """All findings, one for each thing that is checked. catalogue: a reader. See HashIndex.check.

    limits, workers: of the processes that decode. rng: draws the sample of a quick check. If only a new catalogue
    helps, leaves a note for the next writer, which makes one.
    """
    for finding in _findings(catalogue, full, limits, workers, rng or random.Random(), on_progress):
        if finding.way_out == REBUILD:
            catalogue.mark_corrupt(finding.says)
        yield finding


def _findings(
    catalogue: Catalogue,
    full: bool,
    limits: Limits,
    workers: int | None,
    rng: random.Random,
    on_progress: Callable[[int, int], None],
) -> Iterator[Finding]:
    # As of one moment, because other processes may write. It ends before files are read, which may take hours: SQLite's
    # log grows as long as a read transaction is open.
    with catalogue.as_of_now():
        faults = catalogue.faults()
        if faults:
            yield Finding(
                "pages",
                _PROBLEM,
                Message("{path} is damaged: {faults}", path=catalogue.path, faults=joined(Message("; "), faults)),
                REBUILD,
            )
            return
        yield Finding("pages", _OK, Message("{path} is sound, and no reference is broken", path=catalogue.path))
        yield from keys(catalogue)
        yield from journal(catalogue)
        known = list(catalogue.files_to_check())
    chosen = known if full else rng.sample(known, min(SAMPLE_FILES, len(known)))
    yield from pictures(catalogue, chosen, len(known), limits, workers, on_progress)


def keys(catalogue: Catalogue) -> Iterator[Finding]:
    """Checks that each packed hash belongs to a content and has the right state."""
    low_detail = catalogue.has_low_detail()
    wrong_length: Counter[str] = Counter()
    count = unknown = orphans = disagreeing = 0
    for version in catalogue.keys.versions():
        width = version.bits // 8
        for start, states, packed in catalogue.keys.segments(version):
            if len(states) != SEGMENT or len(packed) != SEGMENT * width:
                wrong_length[version.name] += 1
                continue
            for slot, state in enumerate(states):
                if state == KeyState.ABSENT:
                    continue
                count += 1
                content = start + slot
                if state > KeyState.LOW_DETAIL:
                    unknown += 1
                elif content not in low_detail:
                    orphans += 1
                elif (state == KeyState.LOW_DETAIL) != bool(low_detail[content]):
                    disagreeing += 1
    faults = [
        Message("{count:,} rows of {name} have a wrong length", count=rows, name=name)
        for name, rows in wrong_length.items()
    ]
    if unknown:
        faults.append(Message("{count:,} have an unknown state", count=unknown))
    if orphans:
        faults.append(Message("{count:,} belong to no content", count=orphans))
    if disagreeing:
        faults.append(Message("{count:,} disagree with their content about low detail", count=disagreeing))
    if faults:
        says = Message("of {count:,} packed hashes {faults}", count=count, faults=joined(Message("; "), faults))
        yield Finding("hashes", _PROBLEM, says, REBUILD)
    else:
        says = Message("{count:,} packed hashes belong to {contents:,} contents", count=count, contents=len(low_detail))
        yield Finding("hashes", _OK, says)


def journal(catalogue: Catalogue) -> Iterator[Finding]:
    """Finds interrupted batches, and compares placed pictures with the manifests of reachable destinations."""
    record = Journal(catalogue)
    cut_off = [str(batch.id) for batch in record.batches() if batch.is_open]
    if cut_off:
        yield Finding(
            "journal",
            _NOTE,
            Message("batch {batches} is open: running, or cut off", batches=", ".join(cut_off)),
            "hashindex recover",
        )
    for dest in catalogue.destinations():
        placed = set(record.placed(dest))
        try:
            written = set(files.read_manifest(dest)) if os.path.isdir(dest) else placed
        except OSError as error:
            why = files.reason_of(error)
            yield Finding("journal", _NOTE, Message("the list in {dest}: {reason}", dest=os.fsdecode(dest), reason=why))
            continue
        lacking = len(placed - written)
        if lacking:
            says = Message(
                "{lacking:,} pictures placed in {dest} are not in its list {manifest}",
                lacking=lacking,
                dest=os.fsdecode(dest),
                manifest=files.MANIFEST.decode(),
            )
            yield Finding(
                "journal", _NOTE, says, Message("the next hashindex organize that places something writes it again")
            )
    if not cut_off:
        yield Finding("journal", _OK, Message("no batch is open"))


def pictures(
    catalogue: Catalogue,
    chosen: list[CheckedFile],
    known: int,
    limits: Limits,
    workers: int | None,
    on_progress: Callable[[int, int], None],
) -> Iterator[Finding]:
    """Compares the digests and hashes of the chosen files with the files. known: the number of all files.

    A picture that ends its decoder gets a finding of its own, and the others are checked all the same.
    """
    here = [file for file in chosen if files.has_size_and_mtime(file.path, file.size, file.mtime_ns)]
    rotten: list[bytes] = []
    otherwise: list[bytes] = []
    not_decoded: dict[bytes, str] = {}
    unread = 0
    for number, (file, examined) in enumerate(_examined(here, limits, workers, not_decoded), 1):
        on_progress(number, len(here))
        if examined.digest is None:
            unread += 1
        elif examined.digest != file.digest:
            # A program may have saved it since it was listed.
            if files.has_size_and_mtime(file.path, file.size, file.mtime_ns):
                rotten.append(file.path)
        elif not _has_its_hashes(catalogue, file.content, examined):
            otherwise.append(file.path)
    about = Message("{count:,} of {known:,} files", count=len(here), known=known)
    if rotten:
        yield Finding(
            "pictures",
            _PROBLEM,
            Message(
                "{count:,} of {about} hold other bytes than when they were scanned, with the same size and "
                "mtime: {paths}",
                count=len(rotten),
                about=about,
                paths=_some(rotten),
            ),
            Message(
                "the disk may be failing: look at them, restore them from a copy; hashindex forget FILE and scan "
                "accept them as they are"
            ),
        )
    if otherwise:
        says = Message(
            "{count:,} of {about} have other hashes: {paths}", count=len(otherwise), about=about, paths=_some(otherwise)
        )
        yield Finding("pictures", _PROBLEM, says, REBUILD)
    for path, why in islice(not_decoded.items(), _NAMED):
        says = Message("{path}: its hashes could not be checked: {reason}", path=os.fsdecode(path), reason=why)
        yield Finding("pictures", _NOTE, says, _MAY_DECODE)
    if len(not_decoded) > _NAMED:
        says = Message(
            "the hashes of {count:,} more files could not be checked for the same reasons",
            count=len(not_decoded) - _NAMED,
        )
        yield Finding("pictures", _NOTE, says, _MAY_DECODE)
    if not rotten and not otherwise:
        yield Finding(
            "pictures", _OK, Message("{about} have the bytes and hashes that the catalogue holds", about=about)
        )
    away = len(chosen) - len(here)
    if away or unread:
        says = Message(
            "{away:,} files are gone or were changed since the last scan, {unread:,} cannot be read now",
            away=away,
            unread=unread,
        )
        yield Finding("pictures", _NOTE, says, "hashindex scan")


def _examined(
    chosen: list[CheckedFile], limits: Limits, workers: int | None, not_decoded: dict[bytes, str]
) -> Iterator[tuple[CheckedFile, Examined]]:
    """Each file, read and decoded by another process. not_decoded: gets the files that ended their process, and why."""

    def left_out(file: CheckedFile, why: str) -> Examined:
        not_decoded[file.path] = why
        return examine_without_decoding(Job(file.path, file.size, True), why, limits)

    yield from zip(chosen, map_isolated(limits, partial(_examine, limits), chosen, left_out, workers), strict=True)


def _examine(limits: Limits, file: CheckedFile) -> Examined:
    # A file that no scan could decode has no hashes to compare: only its bytes are read.
    known = frozenset[bytes]() if file.has_hashes else frozenset([file.digest])
    return examine([Job(file.path, file.size, file.has_hashes)], known, limits)[0]


def _has_its_hashes(catalogue: Catalogue, content: int, examined: Examined) -> bool:
    """Whether the hashes in the catalogue are those of the picture just decoded; True if another version made them."""
    if examined.decoded is None or examined.decoded.prepared is None:
        return True
    pipeline = current_pipeline()
    # As of one moment: another process may have replaced the content meanwhile.
    with catalogue.as_of_now():
        if examined.digest is None or not catalogue.was_decoded_by(pipeline, content, examined.digest):
            return True
        kept = {version.name: value for version, value in catalogue.keys.of(content).items()}
    (now,) = recipes.compute([examined.decoded.prepared])
    return kept == now


def _some(paths: list[bytes]) -> str:
    shown = ", ".join(os.fsdecode(path) for path in paths[:_NAMED])
    more = len(paths) - _NAMED
    return Message("{paths}, and {count:,} more", paths=shown, count=more) if more > 0 else shown
