"""Finds files that look like a picture: decodes it as a scan does and searches the catalogue. Changes nothing."""

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message
from hashindex.core.messages import KeyState, Verdict
from hashindex.core.model import Answer, Decoded, Hit, Relation, State
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing import recipes
from hashindex.hashing.packed import KeySearcher, near_in_segments
from hashindex.index.decisions import decisions_of
from hashindex.index.judge_new import known_of
from hashindex.pictures import formats, pixels
from hashindex.pictures.decode import decode, undecoded
from hashindex.pictures.examine import digest_of
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied, reason_of_death
from hashindex.pictures.signature import TURNS
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import HashTable, Version

if TYPE_CHECKING:
    from hashindex.judge.pair_judge import JudgeInput, PairJudge

QUERY_RADIUS = {"phash": 10, "dhash": 8, "ahash": 4, "whash": 4, "phash256": 60, "dhash256": 40}
"""Bits by hash. Wider than for groups, because the user sees the hits sorted by distance."""

VIEW_SEARCH_CONTENTS = 100_000
"""Up to this many contents, view keys are searched too, which find crops and borders: 0.1 s."""

QUERY_ID = -1
"""The id of the query picture among ids of contents."""


class Searcher:
    """Finds near keys in a catalogue. From the second query on, unchanged keys are held in memory.

    Its owner closes it.
    """

    def __init__(self) -> None:
        self._searchers: dict[str, tuple[Version, KeySearcher | None]] = {}
        self._worker: IsolatedWorker | None = None

    def worker(self, limits: Limits) -> IsolatedWorker:
        """The process that opens pictures; the next query uses it again."""
        if self._worker is None or self._worker.limits != limits:
            self.close()
            self._worker = IsolatedWorker(limits)
        return self._worker

    def close(self) -> None:
        """Ends the worker; the next query starts another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def near(self, keys: HashTable, recipe: recipes.Recipe, key: int, radius: int) -> tuple[list[int], int]:
        """Contents near a key of the recipe, and the number of contents hashed with another version only."""
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
        before, key_searcher = self._searchers.get(version.name, (None, None))
        if before != version:
            # The first query, or the generation shows that keys have changed since the last one.
            self._searchers[version.name] = version, None
            return near_in_segments(keys.segments(version), version.bits, key, radius)
        if key_searcher is None:
            key_searcher = KeySearcher(keys.snapshot(version))
            self._searchers[version.name] = version, key_searcher
        return key_searcher.near(key, radius)


class QuerySpec(NamedTuple):
    """The parameters of one query."""

    data: bytes
    name: str
    """The name of the picture in messages."""
    itself: bytes | None
    """Path of the query file, which is not a hit; None without a file."""
    recipe: recipes.Recipe
    radius: int
    limit: int | None
    turns: tuple[int, ...] = (0,)
    """Numbers of signature.TURNS in which the picture is compared."""
    family: bool = False
    """Whether superseded renditions are hits too; see families.py."""


def ask(catalogue: Catalogue, searcher: Searcher, spec: QuerySpec, limits: Limits) -> Answer:
    """Files that look like the picture, the most alike first.

    Raises UnreadablePicture if the picture cannot be decoded and no file has its bytes. Cost: the search, and one
    judgement (PairJudge) for each hit without a stored verdict.
    """
    data = formats.unmasked(spec.data)
    worker = searcher.worker(limits)
    decoded = decoded_alone(data, worker)
    digest = digest_of(data)
    same = catalogue.content_with(digest)
    if decoded.prepared is None and same is None:
        raise UnreadablePicture(
            Message("{name} cannot be compared: {problem}.", name=spec.name, problem=decoded.problem)
        )
    values = recipes.compute([decoded.prepared])[0] if decoded.prepared is not None else {}
    query_hashes = {
        (recipe.name, recipe.version): int.from_bytes(values[recipe.name], "big")
        for recipe in recipes.RECIPES
        if values
    }
    near, unreachable = _near(catalogue, searcher, decoded, spec)
    viewed = _near_by_views(catalogue, decoded, spec.turns) if decoded.pixels is None else {}
    judged = _QueryVerdicts(catalogue, decoded, same, digest, spec.itself, worker)
    contents = {*near, *viewed, *([] if same is None else [same])}
    files_of = catalogue.files_of(contents, all=True, family=spec.family)
    distances: dict[int, dict[str, int]] = {}
    for content in files_of:
        distances[content] = {
            name: (query_hashes[name, version] ^ value).bit_count()
            for (name, version), value in catalogue.hashes_of(content).items()
            if (name, version) in query_hashes
        }

    def nearness(content: int) -> tuple[object, ...]:
        # By the requested hash; the other hashes break ties.
        bits = distances[content]
        return content != same, bits.get(spec.recipe.name, 0), sum(bits.values()), content

    # By the hash, and as many by view keys: crops and bordered copies are far away by the hash of the whole picture.
    by_hash = sorted((content for content in files_of if content in near or content == same), key=nearness)
    by_views = sorted((content for content in files_of if content in viewed), key=lambda content: viewed[content])
    wanted = dict.fromkeys([*by_hash[: spec.limit], *by_views[: spec.limit]])
    hits = []
    for content in wanted:
        # A content found by its hash is judged in the turn of that hash, not in the turn that its views suggest.
        turn_of = near[content] if content in near else viewed.get(content, (0, 0))[1]
        verdict = judged.verdict_on(content, turn_of)
        if verdict is None:
            alike, relation, turn = (-1, 0.0), None, None
        else:
            # Sort variants by probability in tenths: doubtful variants are often nearer by hash.
            alike = int(verdict.relation), round(verdict.similar, 1) if verdict.relation is Relation.VARIANT else 0.0
            relation, turn = verdict.relation, TURNED[verdict.turn]
            if content not in near and verdict.relation is Relation.DIFFERENT:
                continue
        for file in files_of[content]:
            if file.path_bytes != spec.itself:
                hit = Hit(file, distances[content], content == same, relation, turn)
                hits.append(((-alike[0], -alike[1], *nearness(content), file.path_bytes), hit))
    hits.sort(key=lambda one: one[0])
    shown = tuple(_as_of_now(hit) for _, hit in hits[: spec.limit])
    return Answer(shown, decoded, decoded.pixels is not None, unreachable)


TURNED = (
    None,
    Message("mirrored"),
    Message("turned 90"),
    Message("turned 180"),
    Message("turned 270"),
    Message("upside down"),
    Message("transposed"),
    Message("transversed"),
)
"""The names of signature.TURNS; angles are counterclockwise."""


def _near(catalogue: Catalogue, searcher: Searcher, decoded: Decoded, spec: QuerySpec) -> tuple[dict[int, int], int]:
    """Near contents, each with the turn of the query picture, and the number of contents that cannot be compared."""
    if decoded.pixels is not None:
        return dict.fromkeys(catalogue.contents_with_pixels(decoded.pixels), 0), 0
    found: dict[int, int] = {}
    unreachable = 0
    if decoded.prepared is not None:
        for turn in spec.turns:
            value = recipes.compute([_turned(decoded.prepared, turn)])[0][spec.recipe.name]
            key = int.from_bytes(value, "big")
            contents, unreachable = searcher.near(catalogue.keys, spec.recipe, key, spec.radius)
            for content in contents:
                found.setdefault(content, turn)
    return found, unreachable


def _turned(prepared: bytes, turn: int) -> bytes:
    if not turn:
        return prepared
    how = TURNS[turn]
    assert how is not None
    return pixels.turned(prepared, how)


def _near_by_views(catalogue: Catalogue, decoded: Decoded, turns: Collection[int]) -> dict[int, tuple[int, int]]:
    """Contents with a view near a view of the query picture -> the distance in bits and the turn."""
    if not decoded.views or catalogue.verdicts.count_compared() > VIEW_SEARCH_CONTENTS:
        return {}
    from hashindex.judge.candidates import keys_of, near

    stored = list(catalogue.verdicts.views())
    found: dict[int, tuple[int, int]] = {}
    for turn in turns if stored else ():
        for content, bits in near(stored, keys_of([_turned(view, turn) for view in decoded.views])).items():
            found[content] = min(found.get(content, (64, 0)), (bits, turn))
    return found


class _QueryVerdicts:
    """Verdicts on the query picture and contents, stored or judged now."""

    def __init__(
        self,
        catalogue: Catalogue,
        decoded: Decoded,
        same: int | None,
        digest: bytes,
        path: bytes | None,
        worker: IsolatedWorker,
    ) -> None:
        self._catalogue = catalogue
        self._decoded = decoded
        self._same = same
        self._digest = digest
        self._path = path
        self._worker = worker
        self._known: dict[int, JudgeInput] = {}
        self._decisions = None if same is None else decisions_of(catalogue)

    def verdict_on(self, content: int, turn: int) -> Verdict | None:
        """The verdict; None if the pair cannot be judged, because one of them has low detail or no signature."""
        if content == self._same:
            return Verdict(content, content, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        if self._same is not None and self._decisions is not None:
            if self._decisions.are_separate(self._same, content):
                return Verdict(QUERY_ID, content, 0, Relation.DIFFERENT, 0.0, 0.0, False)
            if self._decisions.are_same(self._same, content):
                return Verdict(QUERY_ID, content, 0, Relation.COPY, 1.0, 1.0, False)
        if self._decoded.pixels is not None:
            return Verdict(QUERY_ID, content, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        ruled_out = False
        if self._same is not None and not turn:
            kept = self._catalogue.verdicts.among([self._same, content])
            if kept:
                return kept[0]
            ruled_out = self._catalogue.verdicts.is_ruled_out(*sorted((self._same, content)))
        if self._decoded.signature is None:
            return None
        self._known.update(known_of(self._catalogue, [content]))
        if content not in self._known:
            return None
        return self._judge.verdict(QUERY_ID, content, turn, ruled_out=ruled_out)

    @cached_property
    def _judge(self) -> "PairJudge":
        # Imported late: for a picture in the catalogue the verdicts are stored.
        from hashindex.judge.pair_judge import JudgeInput, PairJudge

        self._known[QUERY_ID] = JudgeInput(self._decoded.signature or b"", self._path, self._digest)
        return PairJudge(self._known, self._worker.limits, self._worker)


def decoded_alone(data: bytes, worker: IsolatedWorker) -> Decoded:
    """Decodes in a worker, because this picture may kill the process."""
    try:
        return worker.run(decode, data, worker.limits)
    except WorkerDied as died:
        return undecoded(data, reason_of_death(died.too_long, worker.limits))


def _as_of_now(hit: Hit) -> Hit:
    """Marks a hit as missing if its file was deleted since the last scan. Costs a stat per hit; hits are few."""
    if hit.file.state is State.MISSING or files.is_regular_file(hit.file.path_bytes):
        return hit
    return hit._replace(file=hit.file._replace(state=State.MISSING))
