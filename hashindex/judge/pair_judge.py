"""Verdicts on pairs of contents: from their signatures, and where these leave it open, from the files themselves.

Opens files through files.py only; worker processes run judge_pairs. What is known already is not asked here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from PIL.Image import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing.unionfind import UnionFind
from hashindex.judge import classifier
from hashindex.judge.classifier import Evidence, View
from hashindex.pictures import frames, pixel_digest
from hashindex.pictures.examine import digest_of
from hashindex.pictures.formats import unmasked
from hashindex.pictures.isolated_worker import IsolatedWorker, Result, WorkerDied
from hashindex.pictures.signature import INVERSE, TURNS, Signature, has_pages, turned, unpack

STILL_SIDE: Final = 256
FRAME_SIDE: Final = 128
"""Longest side at which stills, and frames of animations, are looked at when files are opened."""
DECODED_FRAMES: Final = 24
LOOKED_FRAMES: Final = 20
"""Of an animation that is opened: frames evenly spread, and how many distinct ones of them are kept."""


TURNED_YES: Final = 0.9
"""From this chance on a turned picture is a copy: who tries eight ways meets eight times as many chances to err."""


class JudgeInput(NamedTuple):
    """What is at hand of one content."""

    signature: bytes
    path: bytes | None
    """Of a file that should hold it; None where all are gone."""
    digest: bytes
    """Of the bytes that the file must still have."""


class Task(NamedTuple):
    """Pairs for one worker, the nearest first, and all that it needs to know of their contents."""

    pairs: Sequence[tuple[int, int]]
    known: Mapping[int, JudgeInput]
    limits: Limits
    turn: int = 0


def judge_pairs(task: Task, worker: IsolatedWorker | None = None) -> list[Verdict]:
    """Verdicts on these pairs; one of contents that are copies of each other already, by others, is left out.

    alone: opens the files, where this is no worker process.
    """
    judge = PairJudge(task.known, task.limits, worker)
    copies = UnionFind()
    verdicts: list[Verdict] = []
    for a, b in task.pairs:
        if copies.find(a) != copies.find(b):
            verdict = judge.verdict(a, b, task.turn)
            verdicts.append(verdict)
            if verdict.relation >= Relation.COPY:
                copies.join_all([(a, b)])
    return verdicts


@lru_cache(maxsize=64)
def _sight(signature: bytes, turn: int) -> View:
    """Kept beyond one task: pairs of one large set of lookalikes are cut into several. 64 are 20 to 60 MB."""
    return View.of_signature(turned(unpack(signature), turn))


class PairJudge:
    """Judges contents of which it is told once; each is unpacked, and opened, at most once for every turn.

    Cost: 2 to 4 ms a pair of stills by signatures, less where they have nothing in common; opening the files adds
    their decode and as much again. Keeps what it has seen: 0.3 MB a content, 1 MB where it was opened.
    """

    def __init__(self, known: Mapping[int, JudgeInput], limits: Limits, worker: IsolatedWorker | None = None) -> None:
        """alone: opens the files; None only in a worker process, which may be taken down by one."""
        self._known = known
        self._limits = limits
        self._worker = worker
        self._signatures: dict[int, Signature] = {}
        self._stored: dict[tuple[int, int], View] = {}
        self._opened: dict[tuple[int, int], View | None] = {}

    def verdict(self, a: int, b: int, turn: int = 0) -> Verdict:
        """What they are to each other, a turned by that number of signature.TURNS. The same whichever comes first."""
        model = classifier.trained_model()
        one, other, way = a, b, turn
        if self._known[a].digest > self._known[b].digest:
            # Two animations of as many frames are not compared quite alike both ways, and ids depend on who came first.
            one, other, way = b, a, INVERSE.get(turn, turn)
        stored = classifier.evidence(self.stored(one, way), self.stored(other), model["stored"])
        found = classifier.judge(stored, lambda: self._evidence_of_files(one, other, way), model)
        verdict = Verdict(a, b, turn, found.relation, *found.chances, found.by_pixels)
        if turn and verdict.relation is Relation.COPY and verdict.copy < TURNED_YES:
            return verdict._replace(relation=Relation.VARIANT)
        if verdict.relation is Relation.COPY and not turn and self._are_equal(a, b):
            return verdict._replace(relation=Relation.IDENTICAL, copy=1.0, similar=1.0, by_pixels=True)
        if verdict.relation is Relation.COPY and any(has_pages(self._known[id].signature) for id in (a, b)):
            # A page may differ by one figure, and some are not among the few that were looked at.
            return verdict._replace(relation=Relation.VARIANT)
        return verdict

    def signature(self, id: int) -> Signature:
        if id not in self._signatures:
            self._signatures[id] = unpack(self._known[id].signature)
        return self._signatures[id]

    def stored(self, id: int, turn: int = 0) -> View:
        """What its signature shows."""
        if (id, turn) not in self._stored:
            self._stored[id, turn] = _sight(self._known[id].signature, turn)
        return self._stored[id, turn]

    def opened(self, id: int, turn: int = 0) -> View | None:
        """What its file shows; None where it is gone, cannot be read, or holds something else by now."""
        if (id, turn) not in self._opened:
            self._opened[id, turn] = self._opened_now(id, turn)
        return self._opened[id, turn]

    def _evidence_of_files(self, a: int, b: int, turn: int) -> Evidence | None:
        one, other = self.opened(a, turn), self.opened(b)
        if one is None or other is None:
            return None
        return classifier.evidence(one, other, classifier.trained_model()["opened"])

    def _opened_now(self, id: int, turn: int) -> View | None:
        signature = self.signature(id)
        animated = signature.frames > 1
        side, most = (FRAME_SIDE, DECODED_FRAMES) if animated else (STILL_SIDE, 1)
        shown = self._of_file(_shown, id, side, most)
        if shown is None:
            return None
        how = TURNS[turn]
        if how is not None:
            shown = [(image.transpose(how), ms) for image, ms in shown]
        return View.of_frames(shown, max(signature.width, signature.height), LOOKED_FRAMES)

    def _are_equal(self, a: int, b: int) -> bool:
        """Whether both files have the same pixels in every frame."""
        one, other = self.signature(a), self.signature(b)
        if one[:3] != other[:3]:
            return False
        digests = []
        for id in (a, b):
            digest = self._of_file(_pixel_digest, id)
            if digest is None:
                return False
            digests.append(digest)
        return digests[0] == digests[1]

    def _of_file(self, ask: Callable[..., Result | None], id: int, *how: int) -> Result | None:
        known = self._known[id]
        if known.path is None:
            return None
        if self._worker is None:
            return ask(known, self._limits, *how)
        try:
            return self._worker.run(ask, known._replace(signature=b""), self._limits, *how)
        except WorkerDied:
            return None


def _shown(known: JudgeInput, limits: Limits, side: int, most: int) -> list[tuple[Image, int]] | None:
    data = _bytes(known, limits)
    if data is None:
        return None
    try:
        return frames.small_frames(data, limits, side, most, pages=most > 1)
    except UnreadablePicture:
        return None


def _pixel_digest(known: JudgeInput, limits: Limits) -> bytes | None:
    data = _bytes(known, limits)
    return None if data is None else pixel_digest.pixel_digest(data, limits)


def _bytes(known: JudgeInput, limits: Limits) -> bytes | None:
    """What the file of a content still holds, if it does."""
    assert known.path is not None
    try:
        with files.opened(known.path) as source:
            if source.stat.size > limits.bytes:
                return None
            data = unmasked(source.read_rest())
    except OSError:
        return None
    return data if digest_of(data) == known.digest else None
