"""Whether a catalogue is sound and says what the disk says; each trouble with the way out. Changes nothing.

SQLite vouches for its pages; here the rest is found out again: packed hashes by the rows that they belong to and by
decoding pictures anew, neighbours by another search, digests by reading files.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from hashindex.core.messages import Examined, Job, KeySnapshot, KeyState
from hashindex.core.model import Finding, Severity
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing import recipes
from hashindex.index.neighbours import KEPT_RADIUS, find_neighbours
from hashindex.index.reading import examine_without_decoding
from hashindex.index.scan import current_pipeline
from hashindex.pictures.examine import examine
from hashindex.pictures.worker_pool import map_isolated
from hashindex.store.catalogue import Catalogue, CheckedFile
from hashindex.store.hashes import SEGMENT, Version
from hashindex.store.journal import Journal

SAMPLE_FILES = 100
SAMPLE_KEYS = 500
"""Of a quick check: a second or two each."""
REBUILD = "hashindex scan: it sets this catalogue aside, builds a new one and keeps what you said and placed"
_OK, _NOTE, _PROBLEM = Severity.OK, Severity.NOTE, Severity.PROBLEM
_MAY_DECODE = "another version of Pillow, or larger limits (--max-seconds, --max-memory), may decode it"
_NAMED = 5
"""Files named for one trouble; the rest are counted."""


def check(
    catalogue: Catalogue,
    *,
    full: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    workers: int | None = None,
    rng: random.Random | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Finding]:
    """All findings, one for each thing that was looked at. catalogue: a reader. See HashIndex.check.

    limits, workers: of the processes that decode. dice: draws what a quick check looks at. What only a new catalogue
    mends is left word of for the next who writes.
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
    # One moment's view of all rows: others may be writing. It ends before files are read, which may take hours:
    # SQLite's log grows as long as a view is open.
    with catalogue.as_of_now():
        faults = catalogue.faults()
        if faults:
            yield Finding("pages", _PROBLEM, f"{catalogue.path} is damaged: {'; '.join(faults)}", REBUILD)
            return
        yield Finding("pages", _OK, f"{catalogue.path} is sound, and every row that it refers to is there")
        yield from keys(catalogue)
        yield from neighbours(catalogue, None if full else SAMPLE_KEYS, rng)
        yield from journal(catalogue)
        known = list(catalogue.files_to_check())
    chosen = known if full else rng.sample(known, min(SAMPLE_FILES, len(known)))
    yield from pictures(catalogue, chosen, len(known), limits, workers, on_progress)


def keys(catalogue: Catalogue) -> Iterator[Finding]:
    """Packed hashes against the rows of contents: each belongs to one, and is in the state that it must have."""
    plain = catalogue.has_low_detail()
    trouble: Counter[str] = Counter()
    count = 0
    for version in catalogue.keys.versions():
        width = version.bits // 8
        for start, states, packed in catalogue.keys.segments(version):
            if len(states) != SEGMENT or len(packed) != SEGMENT * width:
                trouble[f"rows of {version.name} have a wrong length"] += 1
                continue
            for slot, state in enumerate(states):
                if state == KeyState.ABSENT:
                    continue
                count += 1
                content = start + slot
                if state > KeyState.LOW_DETAIL:
                    trouble["are in no state that there is"] += 1
                elif content not in plain:
                    trouble["belong to no content"] += 1
                elif (state == KeyState.LOW_DETAIL) != bool(plain[content]):
                    trouble["say otherwise than their content whether there is detail enough"] += 1
    if trouble:
        says = "; ".join(f"{number:,} {what}" for what, number in trouble.items())
        yield Finding("hashes", _PROBLEM, f"of {count:,} packed hashes {says}", REBUILD)
    else:
        yield Finding("hashes", _OK, f"{count:,} packed hashes belong to {len(plain):,} contents")


def neighbours(catalogue: Catalogue, most: int | None, rng: random.Random) -> Iterator[Finding]:
    """Kept neighbours against a search of their own; most: of so many keys, drawn by lot; None: of all."""
    for name, radius in KEPT_RADIUS.items():
        for version in catalogue.keys.versions(name):
            image = catalogue.keys.image(version)
            yield _neighbours_of(catalogue, version, image, radius, most, rng)


def _neighbours_of(
    catalogue: Catalogue, version: Version, image: KeySnapshot, radius: int, most: int | None, rng: random.Random
) -> Finding:
    width = version.bits // 8
    leaders = [id for id, state in enumerate(image.states) if state == KeyState.LEADER]
    twins = catalogue.keys.twins(version)

    def key(id: int) -> bytes:
        return bytes(image.keys[id * width : (id + 1) * width])

    wrong = sum(
        id >= len(image.states)
        or leader >= len(image.states)
        or image.states[id] != KeyState.TWIN
        or image.states[leader] != KeyState.LEADER
        or key(id) != key(leader)
        for id, leader in twins
    )
    wrong += abs(image.states.count(KeyState.TWIN) - len(twins))
    asked = set(leaders if most is None else rng.sample(leaders, min(most, len(leaders))))
    again = KeySnapshot(image.bits, bytearray(len(image.states)), image.keys)
    for id in leaders:
        again.states[id] = KeyState.FRESH if id in asked else KeyState.LEADER
    # Two leaders with one key would come out as twins.
    found = find_neighbours(again, radius) if asked else None
    kept = {pair for pair in catalogue.keys.pairs(version) if pair[0] in asked or pair[1] in asked}
    if found is not None:
        wrong += len(found.twins) + len(kept.symmetric_difference(found.pairs))
    about = f"neighbours of {len(asked):,} of {len(leaders):,} hashes ({version.name}), and {len(twins):,} twins"
    if wrong:
        return Finding("neighbours", _PROBLEM, f"{wrong:,} of the {about} are not what a search finds", REBUILD)
    return Finding("neighbours", _OK, f"{about} are what a search finds")


def journal(catalogue: Catalogue) -> Iterator[Finding]:
    """Batches that were cut off; what is placed against the manifests of the destinations that are there."""
    record = Journal(catalogue)
    cut_off = [str(batch.id) for batch in record.batches() if batch.is_open]
    if cut_off:
        yield Finding("journal", _NOTE, f"batch {', '.join(cut_off)} is open: running, or cut off", "hashindex recover")
    for dest in catalogue.destinations():
        placed = set(record.placed(dest))
        try:
            written = set(files.read_manifest(dest)) if os.path.isdir(dest) else placed
        except OSError as error:
            why = files.reason_of(error)
            yield Finding("journal", _NOTE, f"the list in {os.fsdecode(dest)}: {why}")
            continue
        lacking = len(placed - written)
        if lacking:
            says = f"{lacking:,} pictures placed in {os.fsdecode(dest)} are not in its list {files.MANIFEST.decode()}"
            yield Finding("journal", _NOTE, says, "the next hashindex organize that places something writes it anew")
    if not cut_off:
        yield Finding("journal", _OK, "no batch is open")


def pictures(
    catalogue: Catalogue,
    chosen: list[CheckedFile],
    known: int,
    limits: Limits,
    workers: int | None,
    on_progress: Callable[[int, int], None],
) -> Iterator[Finding]:
    """Digests and hashes of the chosen files against the files themselves; known: how many files there are in all.

    A picture that takes its decoder down has a finding of its own, and the others are looked at all the same.
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
            # Since it was listed somebody may have saved it.
            if files.has_size_and_mtime(file.path, file.size, file.mtime_ns):
                rotten.append(file.path)
        elif not _has_its_hashes(catalogue, file.content, examined):
            otherwise.append(file.path)
    about = f"{len(here):,} of {known:,} files"
    if rotten:
        yield Finding(
            "pictures",
            _PROBLEM,
            f"{len(rotten):,} of {about} hold other bytes than when they were scanned, "
            f"with the size and mtime of then: {_some(rotten)}",
            "the disk may be failing: look at them, restore them from a copy; hashindex forget FILE and scan take "
            "them as they are",
        )
    if otherwise:
        says = f"{len(otherwise):,} of {about} have other hashes: {_some(otherwise)}"
        yield Finding("pictures", _PROBLEM, says, REBUILD)
    for path, why in islice(not_decoded.items(), _NAMED):
        says = f"{os.fsdecode(path)}: its hashes could not be checked: {why}"
        yield Finding("pictures", _NOTE, says, _MAY_DECODE)
    if len(not_decoded) > _NAMED:
        says = f"the hashes of {len(not_decoded) - _NAMED:,} more files could not be checked for the same reasons"
        yield Finding("pictures", _NOTE, says, _MAY_DECODE)
    if not rotten and not otherwise:
        yield Finding("pictures", _OK, f"{about} hold the bytes and have the hashes that the catalogue says")
    away = len(chosen) - len(here)
    if away or unread:
        says = f"{away:,} files are gone or were changed since the last scan, {unread:,} cannot be read now"
        yield Finding("pictures", _NOTE, says, "hashindex scan")


def _examined(
    chosen: list[CheckedFile], limits: Limits, workers: int | None, not_decoded: dict[bytes, str]
) -> Iterator[tuple[CheckedFile, Examined]]:
    """Each file, read and decoded by another process; not_decoded hears of those that took their process down."""

    def left_out(file: CheckedFile, why: str) -> Examined:
        not_decoded[file.path] = why
        return examine_without_decoding(Job(file.path, file.size, True), why, limits)

    yield from zip(chosen, map_isolated(limits, partial(_examine, limits), chosen, left_out, workers), strict=True)


def _examine(limits: Limits, file: CheckedFile) -> Examined:
    # What no scan could decode has no hashes that could be compared: its bytes are read, and it has no second try.
    known = frozenset[bytes]() if file.has_hashes else frozenset([file.digest])
    return examine([Job(file.path, file.size, file.has_hashes)], known, limits)[0]


def _has_its_hashes(catalogue: Catalogue, content: int, examined: Examined) -> bool:
    """Whether the catalogue's hashes are those of the picture as it was decoded just now, where they are of today."""
    if examined.decoded is None or examined.decoded.prepared is None:
        return True
    maker = current_pipeline()
    # Of one moment: it may be another content's number by now.
    with catalogue.as_of_now():
        if examined.digest is None or not catalogue.was_made_by(maker, content, examined.digest):
            return True
        kept = {version.name: value for version, value in catalogue.keys.of(content).items()}
    (now,) = recipes.compute([examined.decoded.prepared])
    return kept == now


def _some(paths: list[bytes]) -> str:
    shown = ", ".join(os.fsdecode(path) for path in paths[:_NAMED])
    return shown if len(paths) <= _NAMED else f"{shown}, and {len(paths) - _NAMED:,} more"
