"""Judges pairs of contents from their signatures and, if these do not suffice, from the files themselves.

Reads files through examine.content_bytes only; worker processes run judge_pairs. Callers leave out pairs that were
judged before.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from PIL.Image import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.messages import Comparison, Verdict
from hashindex.core.model import Content, Relation
from hashindex.core.options import Limits
from hashindex.hashing.unionfind import UnionFind
from hashindex.judge import classifier
from hashindex.judge.classifier import Evidence, View
from hashindex.judge.fine_comparison import FINE_SIDE, FinePicture, compare_stills
from hashindex.judge.frame_comparison import FRAMES_SIDE, MOST_FRAMES, FineAnimation, compare_animations
from hashindex.judge.recently_used import RecentlyUsed
from hashindex.pictures import frames, pixel_digest
from hashindex.pictures.examine import content_bytes
from hashindex.pictures.isolated_worker import IsolatedWorker, Result, WorkerDied
from hashindex.pictures.signature import INVERSE, TURNS, SignatureHead, has_pages, head_of, turned, unpack

STILL_SIDE: Final = 256
FRAME_SIDE: Final = 128
"""Longest side at which stills, and frames of animations, are compared when files are opened."""
DECODED_FRAMES: Final = 24
DISTINCT_FRAMES: Final = 20
"""DECODED_FRAMES evenly spread frames of an opened animation are decoded, and at most DISTINCT_FRAMES of them kept."""


TURNED_YES: Final = 0.9
"""From this probability a turned picture is a copy. It is higher than for others because eight turns give eight chances
of an error."""


STAYS_LEAST: Final = 0.15
"""The copy probability from which a member stays with its keeper; as in levels.RULES."""
OBJECTED_MOST: Final = 0.05
"""The highest copy probability of a pair to which the fine comparison objects."""
OPENED_BYTES: Final = 3 << 24
FINE_BYTES: Final = 1 << 25
"""Most bytes of the opened views, and of the full-size pictures, that a judge keeps for further pairs of the same
pictures. Whatever the size of a task, a worker needs no more."""


FULL_SCALE: Final = 0.6
"""A pair was compared at full scale if what both show had at least this share of the pixels, along the longest side, of
the smaller picture: a copy may be cropped or have a border."""


def is_full_scale(side: int, a: Content, b: Content) -> bool:
    """Whether a side of Verdict.side is the scale of the smaller of two pictures, within FINE_SIDE or FRAMES_SIDE."""
    finest = FRAMES_SIDE if max(a.frames, b.frames) > 1 else FINE_SIDE
    return side >= FULL_SCALE * min(finest, *(max(one.width, one.height) for one in (a, b)))


CACHED_VIEWS: Final = 256
"""The number of views of signatures that a process keeps: 50 to 70 MB. With 64 of them a scan of 2,748 pictures unpacks
every signature twice."""


class JudgeInput(NamedTuple):
    """What the judge needs of one content."""

    signature: bytes
    path: bytes | None
    """A file that should contain the content; None if all such files are gone."""
    digest: bytes
    """The digest that the bytes of the file must still have."""


class Task(NamedTuple):
    """Pairs for one worker in the order of judge_new.lots_of, and the inputs of their contents."""

    pairs: Sequence[tuple[int, int]]
    known: Mapping[int, JudgeInput]
    limits: Limits
    turn: int = 0
    ruled_out: bool = False
    """Whether the prefilter has ruled out that these pairs are copies."""


def judge_pairs(task: Task, worker: IsolatedWorker | None = None) -> list[Verdict]:
    """The verdicts of the pairs, without pairs that other verdicts already join as copies.

    worker: opens the files; None only in a worker process.
    """
    judge = PairJudge(task.known, task.limits, worker)
    copies = UnionFind()
    verdicts: list[Verdict] = []
    for a, b in task.pairs:
        if copies.find(a) != copies.find(b):
            verdict = judge.verdict(a, b, task.turn, ruled_out=task.ruled_out)
            verdicts.append(verdict)
            if verdict.relation >= Relation.COPY:
                copies.join_all([(a, b)])
    return verdicts


@lru_cache(maxsize=CACHED_VIEWS)
def _view_of_signature(signature: bytes, turn: int) -> View:
    """The view of a signature. Cached beyond one task, as one large set of similar pictures becomes several tasks."""
    return View.of_signature(turned(unpack(signature), turn))


class PairJudge:
    """Judges pairs of the contents that it was given; opens a content again only if too many others came between.

    Cost: 2 to 4 ms a pair of stills by signatures, less if they have nothing in common; opening the files adds their
    decoding and the same time again. Memory: OPENED_BYTES, FINE_BYTES twice, and 70 MB.
    """

    def __init__(self, known: Mapping[int, JudgeInput], limits: Limits, worker: IsolatedWorker | None = None) -> None:
        """worker: opens the files; None only in a worker process, which a broken file may crash."""
        self._known = known
        self._limits = limits
        self._worker = worker
        self._opened = RecentlyUsed[View](OPENED_BYTES)
        self._fine_stills = RecentlyUsed[FinePicture](FINE_BYTES)
        self._fine_animations = RecentlyUsed[FineAnimation](FINE_BYTES)
        self._digests: dict[int, bytes | None] = {}

    def verdict(self, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        """The verdict on a, turned by number `turn` of signature.TURNS, and b. The order of a and b does not matter.

        ruled_out: the prefilter has ruled out that the two are copies. Then the signatures suffice.
        """
        if self._known[a].digest <= self._known[b].digest:
            return self._verdict(a, b, turn, ruled_out)
        # The comparison of two animations with equal numbers of frames depends slightly on the order. Ids depend on the
        # order of the scan, digests do not.
        return self._verdict(b, a, INVERSE.get(turn, turn), ruled_out)._replace(a=a, b=b, turn=turn)

    def _verdict(self, a: int, b: int, turn: int, ruled_out: bool) -> Verdict:
        model = classifier.trained_model()
        stored = classifier.evidence(self.stored(a, turn), self.stored(b), model["stored"])
        if ruled_out:
            found = classifier.judge_variant(stored, model)
            side = min(self.stored(a, turn).side, self.stored(b).side) if stored.rows else 0
            return Verdict(a, b, turn, found.relation, *found.chances, False, side)
        found = classifier.judge(stored, lambda: self._evidence_of_files(a, b, turn), model)
        view_of = self.opened if found.by_pixels else self.stored
        seen = [view_of(a, turn), view_of(b)]
        side = min((view.side for view in seen if view is not None), default=0) if stored.rows else 0
        verdict = Verdict(a, b, turn, found.relation, *found.chances, found.by_pixels, side)
        if verdict.relation is not Relation.COPY:
            # Other members may vouch for this pair, unless the fine comparison objects.
            return self._compared_again(verdict) if verdict.copy >= STAYS_LEAST and verdict.relation else verdict
        if turn and verdict.copy < TURNED_YES:
            return verdict._replace(relation=Relation.VARIANT)
        if not turn and self._are_equal(a, b):
            longest = max(self.head(a)[:2])
            return verdict._replace(relation=Relation.IDENTICAL, copy=1.0, similar=1.0, by_pixels=True, side=longest)
        if any(has_pages(self._known[id].signature) for id in (a, b)):
            # Pages may differ in one figure only, and not all pages were compared.
            return verdict._replace(relation=Relation.VARIANT)
        return self._compared_again(verdict)

    def _compared_again(self, verdict: Verdict) -> Verdict:
        """Compares a possible copy at the finest scale that both have; a difference there makes it a variant."""
        a, b, turn = verdict.a, verdict.b, verdict.turn
        compared = self._fine_comparison(a, b, turn)
        if compared is None:
            return verdict
        if compared.objection is None:
            return verdict._replace(by_pixels=True, side=compared.side)
        copy = min(verdict.copy, OBJECTED_MOST)
        return verdict._replace(
            relation=Relation.VARIANT, copy=copy, by_pixels=True, side=compared.side, objection=compared.objection
        )

    def _fine_comparison(self, a: int, b: int, turn: int) -> Comparison | None:
        """None if a file is gone or nothing can be compared."""
        if self.head(a).frames > 1:
            one, other = self._fine_animation(a, turn), self._fine_animation(b, 0)
            return None if one is None or other is None else compare_animations(one, other)
        seen_a, seen_b = self.opened(a, turn), self.opened(b)
        if seen_a is None or seen_b is None:
            return None
        fine_a, fine_b = self._fine_still(a, turn), self._fine_still(b, 0)
        if fine_a is None or fine_b is None:
            return None
        return compare_stills(seen_a.frames[0], seen_b.frames[0], fine_a, fine_b)

    def _fine_still(self, id: int, turn: int) -> FinePicture | None:
        def opened() -> FinePicture | None:
            shown = self._shown(id, turn, FINE_SIDE, 1)
            return None if shown is None else FinePicture.of(shown[0][0])

        return self._fine_stills.get((id, turn), opened)

    def _fine_animation(self, id: int, turn: int) -> FineAnimation | None:
        def opened() -> FineAnimation | None:
            shown = self._shown(id, turn, FRAMES_SIDE, MOST_FRAMES)
            return None if shown is None else FineAnimation.of(shown)

        return self._fine_animations.get((id, turn), opened)

    def head(self, id: int) -> SignatureHead:
        """Size and frames of the picture."""
        return head_of(self._known[id].signature)

    def stored(self, id: int, turn: int = 0) -> View:
        """The view of its signature."""
        return _view_of_signature(self._known[id].signature, turn)

    def opened(self, id: int, turn: int = 0) -> View | None:
        """The view of its file; None if the file is gone, cannot be read, or has changed."""
        return self._opened.get((id, turn), lambda: self._open_view(id, turn))

    def _evidence_of_files(self, a: int, b: int, turn: int) -> Evidence | None:
        one, other = self.opened(a, turn), self.opened(b)
        if one is None or other is None:
            return None
        return classifier.evidence(one, other, classifier.trained_model()["opened"])

    def _open_view(self, id: int, turn: int) -> View | None:
        head = self.head(id)
        animated, longest = head.frames > 1, max(head.width, head.height)
        side, most = (FRAME_SIDE, DECODED_FRAMES) if animated else (STILL_SIDE, 1)
        shown = self._shown(id, turn, side, most)
        if shown is None:
            return None
        if not animated and longest <= STILL_SIDE:
            # The fine comparison, which often follows, would decode the same pixels.
            self._fine_stills.put((id, turn), FinePicture.of(shown[0][0]))
        return View.of_frames(shown, longest, DISTINCT_FRAMES)

    def _shown(self, id: int, turn: int, side: int, most: int) -> list[tuple[Image, int]] | None:
        shown = self._run_on_file(_shown, id, side, most)
        how = TURNS[turn]
        if shown is None or how is None:
            return shown
        return [(image.transpose(how), ms) for image, ms in shown]

    def _are_equal(self, a: int, b: int) -> bool:
        """Whether both files have equal pixels in every frame."""
        head = self.head(a)
        if head != self.head(b):
            return False
        if head.frames == 1 and max(head.width, head.height) <= FINE_SIDE:
            # The fine comparison, which follows if any pixel differs, needs these pictures too.
            one, other = self._fine_still(a, 0), self._fine_still(b, 0)
            if one is not None and other is not None and not np.array_equal(one.grey, other.grey):
                return False
        digests = []
        for id in (a, b):
            if id not in self._digests:
                self._digests[id] = self._run_on_file(_pixel_digest, id)
            digest = self._digests[id]
            if digest is None:
                return False
            digests.append(digest)
        return digests[0] == digests[1]

    def _run_on_file(self, function: Callable[..., Result | None], id: int, *how: int) -> Result | None:
        known = self._known[id]
        if known.path is None:
            return None
        if self._worker is None:
            return function(known, self._limits, *how)
        try:
            return self._worker.run(function, known._replace(signature=b""), self._limits, *how)
        except WorkerDied:
            return None


def _shown(known: JudgeInput, limits: Limits, side: int, most: int) -> list[tuple[Image, int]] | None:
    data = _content(known, limits)
    if data is None:
        return None
    try:
        return frames.small_frames(data, limits, side, most, pages=most > 1)
    except UnreadablePicture:
        return None


def _pixel_digest(known: JudgeInput, limits: Limits) -> bytes | None:
    data = _content(known, limits)
    return None if data is None else pixel_digest.pixel_digest(data, limits)


def _content(known: JudgeInput, limits: Limits) -> bytes | None:
    assert known.path is not None
    return content_bytes(known.path, known.digest, limits)
