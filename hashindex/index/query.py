"""What looks like a picture: reads it, looks at it as a scan would, and asks the catalogue. Changes nothing."""

from collections.abc import Collection
from typing import NamedTuple

from hashindex.core.errors import UnreadablePicture
from hashindex.core.messages import KeyState, Verdict
from hashindex.core.model import Answer, Decoded, Hit, Relation, State
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing import recipes
from hashindex.hashing.packed import KeySearcher, near_in_segments
from hashindex.index.decisions import decisions_of
from hashindex.index.judge_new import known_of
from hashindex.judge.pair_judge import JudgeInput, PairJudge
from hashindex.pictures import formats, pixels
from hashindex.pictures.decode import decode, undecoded
from hashindex.pictures.examine import digest_of
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied, reason_of_death
from hashindex.pictures.signature import TURNS
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import HashTable, Version

QUERY_RADIUS = {"phash": 10, "dhash": 8, "ahash": 4, "whash": 4, "phash256": 60, "dhash256": 40}
"""Wider than for groups: a person looks at the answer, nearest first."""

VIEWED = 100_000
"""Up to so many contents the keys of their views are looked through too, which find crops and borders: 0.1 s."""

ASKED = -1
"""Stands for the asked picture among ids of contents."""


class Searcher:
    """Finds near keys in a catalogue: for one question as they are read, for more in memory, as long as they stand.

    Its owner closes it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Version, KeySearcher | None]] = {}
        self._worker: IsolatedWorker | None = None

    def worker(self, limits: Limits) -> IsolatedWorker:
        """The process that opens pictures for the questions; kept for the next one."""
        if self._worker is None or self._worker.limits != limits:
            self.close()
            self._worker = IsolatedWorker(limits)
        return self._worker

    def close(self) -> None:
        """Ends that process; the next question starts another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def near(self, keys: HashTable, recipe: recipes.Recipe, key: int, radius: int) -> tuple[list[int], int]:
        """Contents near a key of that recipe, and how many have that hash only in another version."""
        found: list[int] = []
        others = 0
        for version in keys.versions(recipe.name):
            if version.version == recipe.version:
                found = self._near(keys, version, key, radius)
            else:
                states = keys.states(version)
                others += len(states) - states.count(KeyState.ABSENT)
        return found, others

    def _near(self, keys: HashTable, version: Version, key: int, radius: int) -> list[int]:
        before, searcher = self._kept.get(version.name, (None, None))
        if before != version:
            # Its generation tells that keys have changed since, if any were asked for before.
            self._kept[version.name] = version, None
            return near_in_segments(keys.segments(version), version.bits, key, radius)
        if searcher is None:
            searcher = KeySearcher(keys.snapshot(version))
            self._kept[version.name] = version, searcher
        return searcher.near(key, radius)


class QuerySpec(NamedTuple):
    """What is asked of a catalogue."""

    data: bytes
    name: str
    """What to call the picture in a sentence."""
    itself: bytes | None
    """Path of its file, which is no hit."""
    recipe: recipes.Recipe
    radius: int
    limit: int | None
    turns: tuple[int, ...] = (0,)
    """Numbers of signature.TURNS in which it is compared."""
    family: bool = False
    """Lesser files are hits too, see families.py."""


def ask(catalogue: Catalogue, searcher: Searcher, question: QuerySpec, limits: Limits) -> Answer:
    """Files that look like the picture, the most alike first.

    Raises UnreadablePicture where it cannot be decoded and no file has its bytes. Cost: the search, and a judgement
    (judging.Judge) for each content that is shown and was not compared with it before.
    """
    data = formats.unmasked(question.data)
    worker = searcher.worker(limits)
    asked = decoded_alone(data, worker)
    digest = digest_of(data)
    same = catalogue.content_with(digest)
    if asked.prepared is None and same is None:
        raise UnreadablePicture(f"{question.name} cannot be compared: {asked.problem}.")
    values = recipes.compute([asked.prepared])[0] if asked.prepared is not None else {}
    own = {
        (recipe.name, recipe.version): int.from_bytes(values[recipe.name], "big")
        for recipe in recipes.RECIPES
        if values
    }
    near, unreachable = _near(catalogue, searcher, asked, question)
    viewed = _near_by_views(catalogue, asked, question.turns) if asked.pixels is None else {}
    judged = _AskedVerdicts(catalogue, asked, same, digest, question.itself, worker)
    contents = {*near, *viewed, *([] if same is None else [same])}
    files_of = catalogue.files_of(contents, all=True, family=question.family)
    distances: dict[int, dict[str, int]] = {}
    for content in files_of:
        distances[content] = {
            name: (own[name, version] ^ value).bit_count()
            for (name, version), value in catalogue.hashes_of(content).items()
            if (name, version) in own
        }

    def nearness(content: int) -> tuple[object, ...]:
        # Nearest by the hash that was asked for; the other hashes decide between equals.
        apart = distances[content]
        return content != same, apart.get(question.recipe.name, 0), sum(apart.values()), content

    # By the hash, and as many by views: crops and borders are far away by the hash of the whole.
    by_hash = sorted((content for content in files_of if content in near or content == same), key=nearness)
    by_views = sorted((content for content in files_of if content in viewed), key=lambda content: viewed[content])
    wanted = dict.fromkeys([*by_hash[: question.limit], *by_views[: question.limit]])
    hits = []
    for content in wanted:
        # Turn 0 is as it is: found so by its hash, it is not judged in the turn that its views suggest.
        turn_of = near[content] if content in near else viewed.get(content, (0, 0))[1]
        verdict = judged.with_(content, turn_of)
        if verdict is None:
            alike, relation, turn = (-1, 0.0), None, None
        else:
            # Of variants the surer ones first, in tenths: many a doubtful one is nearer by its hash.
            alike = int(verdict.relation), round(verdict.similar, 1) if verdict.relation is Relation.VARIANT else 0.0
            relation, turn = verdict.relation, TURNED[verdict.turn]
            if content not in near and verdict.relation is Relation.DIFFERENT:
                continue
        for file in files_of[content]:
            if file.path != question.itself:
                hit = Hit(file, distances[content], content == same, relation, turn)
                hits.append(((-alike[0], -alike[1], *nearness(content), file.path), hit))
    hits.sort(key=lambda one: one[0])
    shown = tuple(_as_of_now(hit) for _, hit in hits[: question.limit])
    return Answer(shown, asked, asked.pixels is not None, unreachable)


TURNED = (
    None, "mirrored", "turned 90", "turned 180", "turned 270", "upside down", "transposed", "transversed",
)  # fmt: skip
"""What each of signature.TURNS is called; turned ones count against the clock."""


def _near(catalogue: Catalogue, searcher: Searcher, asked: Decoded, question: QuerySpec) -> tuple[dict[int, int], int]:
    """Contents that may be like it, each with the turn of the asked picture; and how many could not be compared."""
    if asked.pixels is not None:
        return dict.fromkeys(catalogue.contents_with_pixels(asked.pixels), 0), 0
    found: dict[int, int] = {}
    unreachable = 0
    if asked.prepared is not None:
        for turn in question.turns:
            value = recipes.compute([_turned(asked.prepared, turn)])[0][question.recipe.name]
            key = int.from_bytes(value, "big")
            contents, unreachable = searcher.near(catalogue.keys, question.recipe, key, question.radius)
            for content in contents:
                found.setdefault(content, turn)
    return found, unreachable


def _turned(prepared: bytes, turn: int) -> bytes:
    if not turn:
        return prepared
    how = TURNS[turn]
    assert how is not None
    return pixels.turned(prepared, how)


def _near_by_views(catalogue: Catalogue, asked: Decoded, turns: Collection[int]) -> dict[int, tuple[int, int]]:
    """Contents with a view near one of the asked picture's: the bits between, and its turn."""
    if not asked.views or catalogue.verdicts.count_compared() > VIEWED:
        return {}
    from hashindex.judge.candidates import keys_of, near, unpacked_keys

    stored = [(content, key) for content, views in catalogue.verdicts.views() for key in unpacked_keys(views)]
    found: dict[int, tuple[int, int]] = {}
    for turn in turns if stored else ():
        for content, bits in near(stored, keys_of([_turned(view, turn) for view in asked.views])).items():
            found[content] = min(found.get(content, (64, 0)), (bits, turn))
    return found


class _AskedVerdicts:
    """What the asked picture is to contents: as it is kept, or found out now."""

    def __init__(
        self,
        catalogue: Catalogue,
        asked: Decoded,
        same: int | None,
        digest: bytes,
        path: bytes | None,
        worker: IsolatedWorker,
    ) -> None:
        self._catalogue = catalogue
        self._asked = asked
        self._same = same
        self._known: dict[int, JudgeInput] = {}
        if asked.signature is not None:
            self._known[ASKED] = JudgeInput(asked.signature, path, digest)
        self._judge = PairJudge(self._known, worker.limits, worker)
        self._decisions = None if same is None else decisions_of(catalogue)

    def with_(self, content: int, turn: int) -> Verdict | None:
        """None where neither can be judged, for want of detail or of a signature."""
        if content == self._same:
            return Verdict(content, content, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        if self._same is not None and self._decisions is not None:
            if self._decisions.are_separate(self._same, content):
                return Verdict(ASKED, content, 0, Relation.DIFFERENT, 0.0, 0.0, False)
            if self._decisions.are_same(self._same, content):
                return Verdict(ASKED, content, 0, Relation.COPY, 1.0, 1.0, False)
        if self._asked.pixels is not None:
            return Verdict(ASKED, content, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        if self._same is not None and not turn:
            kept = self._catalogue.verdicts.among([self._same, content])
            if kept:
                return kept[0]
        self._known.update(known_of(self._catalogue, [content]))
        if content not in self._known or ASKED not in self._known:
            return None
        return self._judge.verdict(ASKED, content, turn)


def decoded_alone(data: bytes, worker: IsolatedWorker) -> Decoded:
    """decode of a picture that a person named, which may be the one that takes a process down."""
    try:
        return worker.run(decode, data, worker.limits)
    except WorkerDied as ended:
        return undecoded(data, reason_of_death(ended.too_long, worker.limits))


def _as_of_now(hit: Hit) -> Hit:
    """A hit whose file went since the last scan is shown as gone; few are shown, so each may cost a stat."""
    if hit.file.state is State.MISSING or files.is_regular_file(hit.file.path):
        return hit
    return hit._replace(file=hit.file._replace(state=State.MISSING))
