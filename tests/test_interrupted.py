"""Where a scan was interrupted, what was asked meanwhile, and in which order files came: the groups are the same."""

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save
from PIL import Image, ImageDraw, ImageFont

from hashindex import Group, HashIndex, Progress
from hashindex.core.messages import Objection, Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.index import judge_new
from hashindex.judge import candidates, prefilter
from hashindex.judge.pair_judge import PairJudge
from hashindex.judge.prefilter import KeyedPicture
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue

LEVELS = ("copies", "similar")

Told = list[tuple[object, ...]]


class Here(Executor):
    """Does at once, in this process, what it is given."""

    _max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*given, **named))
        return future


def scan(index: HashIndex, folder: Path, on_progress: Callable[[Progress], None] = lambda progress: None) -> None:
    index.scan([folder], executor=Here(), on_progress=on_progress)


@pytest.fixture(autouse=True)
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test can stop between any two of many; what groups ask for is judged in this process too."""
    monkeypatch.setattr(judge_new, "ONE_WORKER_PAIRS", 100_000)
    monkeypatch.setattr(judge_new, "TASK_PAIRS", 6)
    monkeypatch.setattr("hashindex.index.scan.BATCH", 4)


def told(groups: Iterable[Group]) -> Told:
    """All that groups say, but for the numbers of contents."""
    return [
        (
            [(os.path.basename(member.file.path_bytes), member.relation, member.distance) for member in group.members],
            [
                (os.path.basename(link.path_bytes), os.path.basename(link.other_bytes), link.chance)
                for link in group.weak_links
            ],
        )
        for group in groups
    ]


def asked(index: HashIndex) -> list[Told]:
    return [told(index.groups(level=level)) for level in LEVELS]


def scanned_whole(folder: Path, catalogue: Path) -> list[Told]:
    index = HashIndex(catalogue)
    scan(index, folder)
    return asked(index)


def captioned(picture: Image.Image, words: str) -> Image.Image:
    tall = Image.new("RGB", (picture.width, picture.height + 40), "white")
    tall.paste(picture, (0, 0))
    ImageDraw.Draw(tall).text((20, picture.height + 4), words, "black", ImageFont.load_default(26))
    return tall


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Copies by way of copies, two captions of one template, two strangers."""
    for seed in (1, 2):
        picture = draw(seed, (240, 180))
        save(picture, folder / f"{seed}.png")
        for quality in (30, 60, 90):
            save(picture, folder / f"{seed} at {quality}.jpg", quality=quality)
        save(picture.crop((6, 5, 234, 176)), folder / f"{seed} cropped.png")
        for words in ("good night", "HELLO"):
            for quality in (85, 50):
                save(captioned(picture, words), folder / f"{seed} {words} at {quality}.jpg", quality=quality)
    fill(folder, [7, 8])
    return folder


# Real judgements


def walking(progress: Progress) -> bool:
    return progress.walking


def reading(number: int) -> Callable[[Progress], bool]:
    return lambda progress: progress.read >= number


def finding_candidates(progress: Progress) -> bool:
    return progress.comparing


def judging(share: float) -> Callable[[Progress], bool]:
    return lambda progress: progress.to_judge > 0 and progress.judged >= share * progress.to_judge


@pytest.mark.parametrize(
    "stage",
    [
        walking,
        reading(1),
        reading(9),
        reading(20),
        finding_candidates,
        judging(0),
        judging(0.1),
        judging(0.5),
        judging(1),
    ],
    ids=["walking", "first file", "half the files", "all files", "candidates", "no pair", "first", "middle", "last"],
)
def test_a_scan_that_was_interrupted_ends_in_the_same_groups(
    pictures: Path, tmp_path: Path, stage: Callable[[Progress], bool]
) -> None:
    def interrupt(progress: Progress) -> None:
        if stage(progress):
            raise KeyboardInterrupt

    whole = scanned_whole(pictures, tmp_path / "whole.db")
    assert [len(groups) for groups in whole] == [6, 2]
    for is_asked in (False, True):
        index = HashIndex(tmp_path / f"{is_asked}.db")
        with pytest.raises(KeyboardInterrupt):
            scan(index, pictures, interrupt)
        if is_asked:
            if index.status().present == 20:
                assert asked(index) == whole
            else:
                asked(index)
        scan(index, pictures)
        assert asked(index) == whole
        assert index.status().waiting == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_pictures_come_makes_no_difference(pictures: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    index = HashIndex(tmp_path / "one by one.db")
    place = tmp_path / "place" / "pictures"
    place.mkdir(parents=True)
    files = sorted(pictures.iterdir())
    rng.shuffle(files)
    for file in files:
        shutil.copy2(file, place / file.name)
        scan(index, place)
        if rng.random() < 0.3:
            index.groups(level=rng.choice(LEVELS))
    assert asked(index) == scanned_whole(place, tmp_path / "whole.db")


def test_what_watch_found_out_about_an_arrival_makes_groups_as_a_scan_does(pictures: Path, tmp_path: Path) -> None:
    """A verdict that was there before two became candidates."""
    whole = scanned_whole(pictures, tmp_path / "whole.db")
    index = HashIndex(tmp_path / "watched.db")

    def interrupt(progress: Progress) -> None:
        if progress.comparing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(index, pictures, interrupt)
    with Catalogue(index.path, write=True) as catalogue:
        ids = sorted(content for content, _ in catalogue.verdicts.views())
        with IsolatedWorker(Limits()) as alone:
            answers = judge_new.Answers(catalogue, alone)
            for a, b in itertools.pairwise(ids):
                answers.between(a, b)
        judge_new.keep_verdicts(catalogue, answers.new, catalogue.digests_of(ids))
    scan(index, pictures)
    assert asked(index) == whole


def animation(path: Path, seeds: Sequence[int], quality: int) -> Path:
    """A disc that goes over one scene, and over others where seeds say so."""
    frames = []
    for number, seed in enumerate(seeds):
        picture = draw(seed, (128, 128))
        ImageDraw.Draw(picture).ellipse((10 + 8 * number, 30, 66 + 8 * number, 86), "yellow", "black", 3)
        frames.append(picture)
    return save(frames[0], path, save_all=True, append_images=frames[1:], duration=100, loop=0, quality=quality)


def test_a_judge_says_the_same_whichever_comes_first(pictures: Path, tmp_path: Path) -> None:
    """Also of two animations with as many frames, which are compared from one side."""
    animation(pictures / "x.webp", [1, 1, 1, 1, 1, 1, 2, 3], 80)
    animation(pictures / "y.webp", [1, 1, 4, 1, 1, 1, 1, 1], 20)
    animation(pictures / "z.webp", [5, 1, 1, 1, 1, 6, 1, 1], 50)
    index = HashIndex(tmp_path / "c.db")
    scan(index, pictures)
    with Catalogue(index.path) as catalogue:
        ids = sorted(content for content, _ in catalogue.verdicts.views())
        known = judge_new.known_of(catalogue, ids)
    judge = PairJudge(known, Limits())
    moving = [id for id in ids if judge.head(id).frames > 1]
    assert len(moving) == 3
    for a, b in [*itertools.combinations(moving, 2), *itertools.pairwise(ids)]:
        for turn, back in ((0, 0), (1, 1), (2, 4)):
            assert judge.verdict(a, b, turn)[3:] == judge.verdict(b, a, back)[3:]


# A judge that says anything


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What two pictures are to each other is drawn by lot, once for all: no chain is too odd.

    It is also drawn by lot which candidates the prefilter rules out as copies.
    """

    def verdict(self: PairJudge, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        one, other = sorted((self._known[a].digest, self._known[b].digest))
        rng = random.Random(one + other)
        copy, similar = sorted(rng.choices((0.0, 0.2, 0.5, 0.8, 0.99), (4, 2, 1, 2, 1), k=2))
        if ruled_out:
            copy = min(copy, 0.1)
        elif similar >= 0.8 and rng.random() < 0.3:
            return Verdict(a, b, turn, Relation.VARIANT, 0.05, similar, True, 64, rng.choice(list(Objection)))
        relation = Relation.COPY if copy >= 0.7 else Relation.VARIANT if similar >= 0.7 else Relation.DIFFERENT
        return Verdict(a, b, turn, relation, copy, similar, False)

    def ruled_out(pairs: Sequence[tuple[int, int]], pictures: Mapping[int, KeyedPicture]) -> list[tuple[int, int]]:
        return [
            (a, b)
            for a, b in pairs
            if random.Random(b"".join(sorted((pictures[a].keys, pictures[b].keys)))).random() < 0.3
        ]

    monkeypatch.setattr(PairJudge, "verdict", verdict)
    monkeypatch.setattr(prefilter, "ruled_out", ruled_out)


def lookalikes(folder: Path, seed: int, count: int = 14) -> list[Path]:
    picture = draw(seed, (96, 80))
    return [save(picture, folder / f"{quality}.jpg", quality=quality) for quality in range(96 - 4 * count, 96, 4)]


@pytest.mark.usefixtures("moody")
@pytest.mark.parametrize("seed", range(4))
def test_chains_of_any_kind_are_the_same_groups_after_any_interruption(folder: Path, tmp_path: Path, seed: int) -> None:
    lookalikes(folder, seed)
    whole = scanned_whole(folder, tmp_path / "whole.db")
    assert whole[0]
    for number in range(4):
        rng = random.Random(seed * 100 + number)
        index = HashIndex(tmp_path / f"{number}.db")
        for _ in range(3):
            left = rng.randrange(1, 40)

            def interrupt(progress: Progress) -> None:
                nonlocal left
                left -= 1
                if not left:
                    raise KeyboardInterrupt

            try:
                scan(index, folder, interrupt)
            except KeyboardInterrupt:
                for level in rng.sample(LEVELS, rng.randrange(3)):
                    index.groups(level=level)
        scan(index, folder)
        assert asked(index) == whole


@pytest.mark.usefixtures("moody")
@pytest.mark.parametrize("seed", range(5))
def test_chains_of_any_kind_are_the_same_groups_in_any_order_of_arrival(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Also where a picture has more lookalikes than it may have candidates."""
    monkeypatch.setattr(candidates, "MOST", 3)
    monkeypatch.setattr(candidates, "SPREAD", 2)
    rng = random.Random(seed)
    files = lookalikes(folder, seed)
    rng.shuffle(files)
    place = tmp_path / "place" / "pictures"
    place.mkdir(parents=True)
    index = HashIndex(tmp_path / "by and by.db")
    while files:
        for file in [files.pop() for _ in range(min(len(files), rng.randrange(1, 5)))]:
            shutil.copy2(file, place / file.name)
        scan(index, place)
        for level in rng.sample(LEVELS, rng.randrange(3)):
            index.groups(level=level)
    assert asked(index) == scanned_whole(place, tmp_path / "whole.db")


@pytest.mark.parametrize("seed", range(6))
def test_objections_that_no_scan_finds_separate_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A scan leaves out most pairs of a set of copies; another question may have judged them."""

    def verdict(self: PairJudge, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        one, other = sorted((self._known[a].digest, self._known[b].digest))
        if random.Random(one + other).random() < 0.8:
            return Verdict(a, b, turn, Relation.COPY, 0.99, 0.99, True)
        return Verdict(a, b, turn, Relation.VARIANT, 0.05, 0.9, True, 64, Objection.FRAMES)

    monkeypatch.setattr(PairJudge, "verdict", verdict)
    lookalikes(folder, seed)
    index = HashIndex(tmp_path / "c.db")
    scan(index, folder)
    before = asked(index)
    with Catalogue(index.path, write=True) as catalogue, IsolatedWorker(Limits()) as alone:
        ids = sorted(content for content, _ in catalogue.verdicts.views())
        answers = judge_new.Answers(catalogue, alone)
        answers.read(ids)
        for a, b in itertools.combinations(ids, 2):
            answers.between(a, b)
        judge_new.keep_verdicts(catalogue, answers.new, catalogue.digests_of(ids))
    assert asked(index) == before


@pytest.mark.usefixtures("moody")
def test_what_groups_asked_about_makes_no_groups_of_its_own(folder: Path, tmp_path: Path) -> None:
    """Asked about variants first, the guard learns of pairs that no scan judges."""
    lookalikes(folder, 3, 18)
    before, after = HashIndex(tmp_path / "a.db"), HashIndex(tmp_path / "b.db")
    for index in (before, after):
        scan(index, folder)
    expected = told(before.groups())
    for _ in range(2):
        after.groups(level="similar")
    assert told(after.groups()) == expected


# The bounds


def packed(rng: random.Random, count: int) -> list[bytes]:
    """Keys of pictures that are near one another, many of them equal."""
    base = rng.getrandbits(64)
    made = []
    for _ in range(count):
        key = base
        for bit in rng.sample(range(64), rng.choice((0, 0, 1, 2, 3))):
            key ^= 1 << bit
        made.append(key.to_bytes(8, "little") * 20)
    return made


@pytest.mark.parametrize("seed", range(20))
def test_candidates_found_by_and_by_less_the_surplus_are_those_of_all_at_once(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(candidates, "MOST", 4)
    monkeypatch.setattr(candidates, "SPREAD", 3)
    rng = random.Random(seed)
    keys = dict(enumerate(packed(rng, 40)))
    found: dict[tuple[int, int], int] = {}
    order = rng.sample(range(40), 40)
    start = 0
    while start < 40:
        stop = start + rng.randrange(1, 15)
        there = sorted(order[:stop])
        fresh = set(order[start:stop])
        found |= {(a, b): bits for a, b, bits in candidates.pairs_of_all([(id, keys[id]) for id in there], fresh)}
        found = without_surplus(found, keys)
        assert found == {(a, b): bits for a, b, bits in candidates.pairs_of_all([(id, keys[id]) for id in there])}
        start = stop


def without_surplus(found: dict[tuple[int, int], int], keys: dict[int, bytes]) -> dict[tuple[int, int], int]:
    others: dict[int, dict[int, int]] = {}
    for (a, b), bits in found.items():
        others.setdefault(a, {})[b] = bits
        others.setdefault(b, {})[a] = bits
    bounds = {id: candidates.bounds_of(id, theirs, keys) for id, theirs in others.items()}
    too_many: Sequence[tuple[int, int]] = candidates.surplus(found, bounds)
    return {pair: bits for pair, bits in found.items() if pair not in set(too_many)}
