"""Reads the words of pictures that the reader has not read yet, and writes them to the catalogue in batches.

Each content is read once for each version of the reader. Copies take the words of a larger copy. Worker processes open
the pictures; see pictures/read_text.py.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from hashindex.core.messages import Verdict
from hashindex.core.model import Content, File, Problem, Relation
from hashindex.core.options import Limits
from hashindex.core.words import ReadPicture, ReadSummary, TextLine
from hashindex.judge.pair_judge import is_full_scale
from hashindex.pictures.read_text import TextJob, TextResult, is_tiny, read_text, reader_of
from hashindex.pictures.text_engine import TextModels
from hashindex.pictures.worker_pool import map_isolated
from hashindex.store.catalogue import Catalogue

COMMIT_S = 1.0
"""An interruption loses at most the results of this time, and of the pictures under way."""
SAME_SHAPE = 0.02
"""Most difference of the ratios of two sides of copies: a cropped copy may lack the caption."""

Run = Callable[[Sequence[TextJob]], Iterator[TextResult]]
"""Reads pictures, in order."""


def in_workers(models: TextModels, limits: Limits, workers: int | None) -> Run:
    """Reads in worker processes of low priority. A picture that ends its process has a problem."""
    work = partial(read_text, models=models, limits=limits)

    def run(jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        # One picture a task: sending a task takes a thousandth of the time, and Ctrl-C waits for few pictures.
        return map_isolated(limits, work, jobs, crashed, workers, chunk=1, low_priority=True)

    return run


def crashed(job: TextJob, reason: str) -> TextResult:
    """The result of a picture that ended its process."""
    return TextResult(None, reason)


def read_words(
    catalogue: Catalogue,
    models: TextModels,
    run: Run,
    *,
    folders: Collection[bytes] = (),
    on_read: Callable[[ReadPicture], None] = lambda picture: None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReadSummary:
    """Reads the pictures in or below these folders, or all, that this reader has not read. catalogue: a writer.

    on_progress: pictures done, and all; it may raise to end the run. Everything that was recognised at most COMMIT_S
    before is kept. A picture with a problem is tried again by another version of the reader.
    """
    reader = reader_of(models)
    unread = _unread(catalogue, reader, folders)
    tiny = [file for file in unread if is_tiny(file.content.width, file.content.height)]
    pictures = [file for file in unread if not is_tiny(file.content.width, file.content.height)]
    donors = _donors(catalogue, reader, [file.content for file in pictures])
    record = _Record(catalogue, reader, len(pictures), on_read, on_problem, on_progress)
    try:
        record.pass_over(tiny)
        record.take(run, [file for file in pictures if file.content.id not in donors])
        record.commit()
        read_well = catalogue.words.read_by(set(donors.values()), reader)
        copies = {file: donors[file.content.id] for file in pictures if file.content.id in donors}
        record.copy({file: donor for file, donor in copies.items() if donor in read_well})
        record.take(run, [file for file, donor in copies.items() if donor not in read_well])
    finally:
        record.commit()
    return record.summary


def _unread(catalogue: Catalogue, reader: str, folders: Collection[bytes]) -> list[File]:
    if not folders:
        return catalogue.unread_pictures(reader)
    found = {file.content.id: file for folder in folders for file in catalogue.unread_pictures(reader, folder)}
    return list(found.values())


def _donors(catalogue: Catalogue, reader: str, contents: Collection[Content]) -> dict[int, int]:
    """Contents that take the words of another one -> that one, which is read already or among the rest of contents."""
    unread = {content.id for content in contents}
    alike = [pair for pair in catalogue.verdicts.alike(Relation.COPY) if pair.a in unread or pair.b in unread]
    verdicts = catalogue.verdicts.among({id for pair in alike for id in (pair.a, pair.b)})
    neighbours: dict[int, dict[int, Verdict]] = {}
    for verdict in verdicts:
        if verdict.relation >= Relation.COPY and not verdict.turn:
            neighbours.setdefault(verdict.a, {})[verdict.b] = verdict
            neighbours.setdefault(verdict.b, {})[verdict.a] = verdict
    known = {id: files[0].content for id, files in catalogue.files_of(neighbours, all=True, family=True).items()}
    read = catalogue.words.read_by(neighbours, reader)
    donors: dict[int, int] = {}
    own: set[int] = set()
    # The largest first: then the donor of a content has been looked at before it.
    for content in sorted(contents, key=lambda one: (-one.width * one.height, one.digest)):
        for id, verdict in neighbours.get(content.id, {}).items():
            if (id in own or id in read) and id in known and _has_all_of(known[id], content, verdict):
                donors[content.id] = id
                break
        else:
            own.add(content.id)
    return donors


def _has_all_of(donor: Content, content: Content, verdict: Verdict) -> bool:
    """Whether the donor shows what the content shows, at the same scale or a larger one."""
    ratio, other = (one.width / max(1, one.height) for one in (donor, content))
    return (
        donor.width * donor.height >= content.width * content.height
        and abs(ratio - other) <= SAME_SHAPE * ratio
        and donor.frames == content.frames
        and is_full_scale(verdict.side, donor, content)
    )


class _Record:
    """Writes results in batches and counts them."""

    def __init__(
        self,
        catalogue: Catalogue,
        reader: str,
        total: int,
        on_read: Callable[[ReadPicture], None],
        on_problem: Callable[[Problem], None],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.summary = ReadSummary()
        self._catalogue = catalogue
        self._reader = reader
        self._total = total
        self._on_read = on_read
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._buffer: list[tuple[bytes, TextResult]] = []
        self._done = 0
        self._committed_at = time.monotonic()
        on_progress(0, total)

    def pass_over(self, files: Sequence[File]) -> None:
        """Notes that these pictures have no words."""
        self._buffer += [(file.content.digest, TextResult([])) for file in files]
        self._count(passed_over=len(files))

    def take(self, run: Run, files: Sequence[File]) -> None:
        """Reads these pictures."""
        jobs = [
            TextJob(file.path_bytes, file.content.digest, file.content.width, file.content.height) for file in files
        ]
        for file, result in zip(files, run(jobs), strict=True):
            if result.problem is not None:
                self._count(problems=1)
                self._on_problem(Problem(file.path_bytes, result.problem))
                self._put(file, result)
            elif result.lines is None:
                self._count(changed=1)
            else:
                self._count(read=1)
                self._put_lines(file, result.lines, of_copy=False)
            self._advance()

    def copy(self, donors: Mapping[File, int]) -> None:
        """Gives pictures the words of other contents."""
        lines = self._catalogue.words.of(set(donors.values()))
        for file, donor in donors.items():
            self._count(copied=1)
            self._put_lines(file, lines.get(donor, []), of_copy=True)
            self._advance()

    def commit(self) -> None:
        """Writes the buffer."""
        buffer, self._buffer = self._buffer, []
        self._committed_at = time.monotonic()
        if buffer:
            with self._catalogue.atomic():
                for digest, result in buffer:
                    self._catalogue.words.put(digest, self._reader, result.lines or [], result.problem)

    def _put_lines(self, file: File, lines: list[TextLine], *, of_copy: bool) -> None:
        self._count(with_words=int(bool(lines)), lines=len(lines))
        self._put(file, TextResult(lines))
        self._on_read(ReadPicture(file.path_bytes, tuple(lines), of_copy))

    def _put(self, file: File, result: TextResult) -> None:
        self._buffer.append((file.content.digest, result))

    def _advance(self) -> None:
        self._done += 1
        if time.monotonic() - self._committed_at >= COMMIT_S:
            self.commit()
        self._on_progress(self._done, self._total)

    def _count(self, **more: int) -> None:
        self.summary = self.summary._replace(
            **{name: getattr(self.summary, name) + count for name, count in more.items()}
        )
