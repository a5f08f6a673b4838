"""Groups the pictures of a folder with the judge, and says what it cost: candidates, judge, union-find, guard.

    python benchmarks/judgement.py FOLDER --copies FILE --similar FILE [--judge FILE] [--keep FILE]

The groups are written as JSON lines, {"members": [{"path": ...}, ...]}, paths relative to FOLDER.
"""

import argparse
import json
import os
import pickle
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hashlib

from common import folder

from hashindex import candidates, decode, formats, relation, signature
from hashindex.errors import UnreadablePicture
from hashindex.groups import UnionFind
from hashindex.model import Limits
from hashindex.relation import Evidence, Judgement, Sight

OPENED_SIDE, OPENED_FRAME_SIDE, OPENED_FRAMES = 256, 128, 20


class Known(NamedTuple):
    path: str
    digest: bytes
    pixels: bytes | None
    size: int
    area: int
    signature: bytes
    views: list[bytes]


def known_of(job: tuple[str, str]) -> tuple[Known | None, float]:
    root, path = job
    data = Path(root, path).read_bytes()
    if formats.sniff(data[: formats.LOOK_BYTES]) is None:
        return None, 0.0
    found = decode.decode(data, Limits())
    if found.prepared is None:
        return None, 0.0
    animated = found.frames > 1 and found.format != "tiff"
    try:
        shown = decode.shown(data, Limits(), 64 if animated else 128, 16 if animated else 1)
    except UnreadablePicture:
        return None, 0.0
    start = time.perf_counter()
    kept = signature.frames_of(shown)
    signed = signature.sign(kept, found.width, found.height, found.frames if animated else 1, found.duration_ms)
    views = signature.views(kept)
    seconds = time.perf_counter() - start
    digest = hashlib.sha256(data).digest()
    return Known(path, digest, found.pixels, len(data), found.width * found.height, signed, views), seconds


Evidences = dict[tuple[int, int, str], Evidence]
"""By pair and scale."""


class Judge:
    """Verdicts on pairs of a component; every picture is unpacked and opened once."""

    def __init__(self, root: str, pictures: dict[int, Known], model: relation.Model, known: Evidences) -> None:
        self.root, self.pictures, self.model, self.known = root, pictures, model, known
        self._stored: dict[int, Sight] = {}
        self._opened: dict[int, Sight] = {}
        self.verdicts: dict[tuple[int, int], Judgement] = {}
        self.seconds = 0.0
        self.opening = 0.0

    def stored(self, id: int) -> Sight:
        if id not in self._stored:
            self._stored[id] = Sight.of_signature(signature.unpack(self.pictures[id].signature))
        return self._stored[id]

    def opened(self, id: int) -> Sight:
        if id not in self._opened:
            start = time.process_time()
            known = self.pictures[id]
            data = Path(self.root, known.path).read_bytes()
            animated = self.stored(id).is_animated
            side, most = (OPENED_FRAME_SIDE, 24) if animated else (OPENED_SIDE, 1)
            width, height = signature.unpack(known.signature)[:2]
            shown = decode.shown(data, Limits(), side, most)
            self._opened[id] = Sight.of_frames(shown, width, height, OPENED_FRAMES)
            self.opening += time.process_time() - start
        return self._opened[id]

    def evidence(self, pair: tuple[int, int], look: Callable[[int], Sight]) -> Evidence:
        key = (*pair, look.__name__)
        if key not in self.known:
            self.known[key] = relation.evidence(look(pair[0]), look(pair[1]))
        return self.known[key]

    def __call__(self, a: int, b: int) -> Judgement:
        pair = min(a, b), max(a, b)
        if pair not in self.verdicts:
            start = time.process_time()
            self.verdicts[pair] = relation.judge(
                self.evidence(pair, self.stored), lambda: self.evidence(pair, self.opened), self.model
            )
            self.seconds += time.process_time() - start
        return self.verdicts[pair]


class Done(NamedTuple):
    copies: list[list[int]]
    similar: list[list[int]]
    verdicts: dict[tuple[int, int], Judgement]
    known: Evidences
    seconds: float
    opening: float
    left_copies: int
    left_similar: int


class Job(NamedTuple):
    root: str
    pictures: dict[int, Known]
    pairs: list[tuple[int, int, int]]
    model: str
    known: Evidences


def component(job: Job) -> Done:
    root, pictures, pairs, model_path, known = job
    model = json.loads(Path(model_path).read_text())
    judge = Judge(root, pictures, model, known)
    copies, similar = UnionFind(), UnionFind()
    for id in pictures:
        copies.find(id)
        similar.find(id)
    for a, b, _ in pairs:
        if copies.find(a) == copies.find(b):
            continue
        verdict = judge(a, b)
        if verdict.relation == "copy":
            copies.join(a, b)
        if verdict.relation != "different":
            similar.join(a, b)
    groups: list[list[list[int]]] = []
    left = []
    for sets, level in ((copies, COPIES), (similar, SIMILAR)):
        inside: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for pair in pairs:
            if sets.find(pair[0]) == sets.find(pair[1]):
                inside[sets.find(pair[0])].append(pair)
        groups.append([])
        left.append(0)
        for members in sets.sets():
            kept, out = guarded(list(members), inside[members[0]], judge, level)
            groups[-1] += kept
            left[-1] += out
    # What the guard of variants splits may still be copies of each other.
    both = UnionFind()
    for ids in (*groups[0], *groups[1]):
        for id in ids:
            both.join(ids[0], id)
    return Done(
        groups[0],
        [list(ids) for ids in both.sets()],
        judge.verdicts,
        judge.known,
        judge.seconds,
        judge.opening,
        left[0],
        left[1],
    )


class Level(NamedTuple):
    """What joins two pictures, and what keeps a member with its keeper."""

    is_joined: Callable[[Judgement], bool]
    chance: Callable[[Judgement], float]
    least: float
    """A member whose chance with its keeper is below this leaves."""
    sure: float
    """Unless its chance with one whose chance with the keeper is as large is at least this."""


COPIES = Level(lambda found: found.relation == "copy", lambda found: found.chances.copy, 0.15, 0.95)
SIMILAR = Level(lambda found: found.relation != "different", lambda found: found.chances.similar, 0.3, 2.0)


def guarded(
    members: list[int], pairs: list[tuple[int, int, int]], judge: Judge, level: Level
) -> tuple[list[list[int]], int]:
    """Split where members are not like their keeper; who leaves is grouped again, and goes where it fits best."""
    if len(members) < 3:
        return [members], 0
    groups, todo, left = [], [members], 0
    while todo:
        ids = todo.pop()
        if len(ids) == 1:
            groups.append(ids)
            continue
        within = set(ids)
        degree: Counter[int] = Counter()
        for a, b, _ in pairs:
            if a in within and b in within and (a, b) in judge.verdicts and level.is_joined(judge.verdicts[a, b]):
                degree[a] += 1
                degree[b] += 1
        keeper = max(ids, key=lambda id: (degree[id], judge.pictures[id].area, -id))
        stay, leave = [keeper], list[int]()
        for id in ids:
            if id != keeper:
                verdict = judge(keeper, id)
                (stay if level.is_joined(verdict) or level.chance(verdict) >= level.least else leave).append(id)
        # Flattened on white and on black a drawing is not like itself: the transparent one between them vouches.
        near = {id for id in stay if id == keeper or level.chance(judge(keeper, id)) >= level.sure}
        vouched = {
            b if a in near else a
            for a, b, _ in pairs
            if (a in near) != (b in near)
            and (verdict_of := judge.verdicts.get((a, b)))
            and level.chance(verdict_of) >= level.sure
        }
        stay += [id for id in leave if id in vouched]
        leave = [id for id in leave if id not in vouched]
        groups.append(stay)
        left += len(leave)
        if leave:
            again = UnionFind()
            gone = set(leave)
            for id in leave:
                again.find(id)
            for a, b, _ in pairs:
                if a in gone and b in gone and again.find(a) != again.find(b) and level.is_joined(judge(a, b)):
                    again.join(a, b)
            todo += [list(ids) for ids in again.sets()]
    if len(groups) > 1:
        keepers = [group[0] for group in groups]
        settled = {keeper: [keeper] for keeper in keepers}
        for group in groups:
            for id in group[1:]:
                best = max(keepers, key=lambda keeper: level.chance(judge(keeper, id)))
                moves = level.chance(judge(best, id)) > max(level.least, level.chance(judge(group[0], id)))
                settled[best if moves else group[0]].append(id)
        groups = list(settled.values())
    return groups, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER")
    parser.add_argument("--copies", type=Path, required=True)
    parser.add_argument("--similar", type=Path, required=True)
    parser.add_argument("--judge", type=Path, default=Path(relation.__file__).with_name("judge.json"))
    parser.add_argument("--keep", type=Path, help="a file to keep signatures in, and to take them from")
    parser.add_argument("--verdicts", type=Path, help="a file for every verdict, as tab-separated values")
    arguments = parser.parse_args()
    pictures = read(arguments.folder, arguments.keep)
    by_content: dict[bytes, list[int]] = defaultdict(list)
    for id, known in enumerate(pictures):
        by_content[known.pixels or known.digest].append(id)
    first = {ids[0]: ids for ids in by_content.values()}
    start = time.perf_counter()
    flat = [(id, view) for id in first for view in pictures[id].views]
    keys = list(zip([id for id, _ in flat], candidates.keys_of([view for _, view in flat]), strict=True))
    keyed = time.perf_counter()
    pairs = candidates.pairs(keys)
    paired = time.perf_counter()
    print(
        f"{len(pictures)} files, {len(first)} contents, {len(flat)} views; "
        f"keys {1e3 * (keyed - start) / len(first):.2f} ms a content; {len(pairs)} candidates "
        f"({1000 * len(pairs) / len(first):.0f} a thousand) in {paired - keyed:.2f} s"
    )
    jobs = components(arguments, pictures, first, pairs)
    with ProcessPoolExecutor(2) as pool:
        done = list(pool.map(component, jobs, chunksize=1))
    if arguments.keep:
        with Path(f"{arguments.keep}.evidence").open("wb") as target:
            pickle.dump({key: found for one in done for key, found in one.known.items()}, target)
    print(f"judged and grouped in {time.perf_counter() - paired:.1f} s")
    summary(done)
    write(arguments.copies, pictures, first, (ids for one in done for ids in one.copies))
    write(arguments.similar, pictures, first, (ids for one in done for ids in one.similar))
    if arguments.verdicts:
        with arguments.verdicts.open("w", encoding="utf-8", errors="surrogateescape") as target:
            for one in done:
                for (a, b), v in one.verdicts.items():
                    cells = pictures[a].path, pictures[b].path, v.relation, *map("{:.4f}".format, v.chances)
                    print(*cells, int(v.by_pixels), sep="\t", file=target)


def read(root: Path, keep: Path | None) -> list[Known]:
    if keep and keep.exists():
        with keep.open("rb") as source:
            kept: list[Known] = pickle.load(source)
            return kept
    paths = sorted(
        os.path.relpath(os.path.join(parent, name), root) for parent, _, names in os.walk(root) for name in names
    )
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(known_of, [(str(root), path) for path in paths], chunksize=16))
    pictures = [known for known, _ in found if known is not None]
    seconds = sum(seconds for _, seconds in found)
    bytes_a_signature = sum(len(known.signature) for known in pictures) / len(pictures)
    print(f"signatures {1e3 * seconds / len(pictures):.2f} ms and {bytes_a_signature:.0f} bytes a picture")
    if keep:
        with keep.open("wb") as target:
            pickle.dump(pictures, target)
    return pictures


def components(
    arguments: argparse.Namespace, pictures: list[Known], first: Iterable[int], pairs: list[tuple[int, int, int]]
) -> list[Job]:
    sets = UnionFind()
    for id in first:
        sets.find(id)
    for a, b, _ in pairs:
        sets.join(a, b)
    of: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for pair in pairs:
        of[sets.find(pair[0])].append(pair)
    known: dict[int, Evidences] = defaultdict(dict)
    path = Path(f"{arguments.keep}.evidence")
    if arguments.keep and path.exists():
        with path.open("rb") as source:
            for key, found in pickle.load(source).items():
                known[sets.find(key[0])][key] = found
    jobs = [
        Job(str(arguments.folder), {id: pictures[id] for id in ids}, of[ids[0]], str(arguments.judge), known[ids[0]])
        for ids in sets.sets()
    ]
    return sorted(jobs, key=lambda job: -len(job.pairs))


def summary(done: list[Done]) -> None:
    verdicts = [verdict for one in done for verdict in one.verdicts.values()]
    if not verdicts:
        return
    seconds, opening = sum(one.seconds for one in done), sum(one.opening for one in done)
    opened = sum(verdict.by_pixels for verdict in verdicts)
    print(
        f"{len(verdicts)} judged, {1e3 * seconds / len(verdicts):.2f} ms each, "
        f"{1e3 * opening / len(verdicts):.2f} of it opening files; "
        f"{1 - opened / len(verdicts):.3f} by signatures alone; "
        f"{dict(Counter(verdict.relation for verdict in verdicts))}; {sum(one.left_copies for one in done)} and "
        f"{sum(one.left_similar for one in done)} left by the guards"
    )


def write(target: Path, pictures: list[Known], first: dict[int, list[int]], groups: Iterable[list[int]]) -> None:
    with target.open("w", encoding="utf-8", errors="surrogateescape") as lines:
        for ids in groups:
            members = [pictures[file].path for id in ids for file in first[id]]
            if len(members) > 1:
                print(json.dumps({"members": [{"path": path} for path in members]}), file=lines)


if __name__ == "__main__":
    main()
