"""Copies, variants and strangers from the catalogue: scans, groups, queries and organizing of pictures drawn here."""

import hashlib
import itertools
import os
import random
import shutil
from pathlib import Path

import pytest
from pictures import LONG_AGO_NS, captioned, draw, fill, moving, save
from PIL import Image, ImageDraw

from hashindex import HashIndex, Level, Limits, UnreadablePicture, UsageError
from hashindex.core.explanation import Chances
from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.index import judge_new, query
from hashindex.index.explain import read
from hashindex.judge import classifier, pair_judge
from hashindex.judge.pair_judge import JudgeInput, PairJudge
from hashindex.pictures.isolated_worker import IsolatedWorker

Frames = list[Image.Image]


def names(index: HashIndex, **how: object) -> list[list[str]]:
    groups = index.groups(**how)  # type: ignore[arg-type]
    return sorted(
        sorted(os.path.basename(os.fsdecode(member.file.path_bytes)) for member in group.members) for group in groups
    )


def save_frames(frames: Frames, path: Path, ms: int = 100) -> Path:
    return save(frames[0], path, save_all=True, append_images=frames[1:], duration=ms, loop=0)


# What belongs together


def test_one_template_with_three_captions_is_three_pictures_and_one_family(index: HashIndex, folder: Path) -> None:
    for words in ("good night", "HELLO", "no way!"):
        save(captioned(draw(1, (240, 180)), words), folder / f"{words}.png")
    save(captioned(draw(1, (240, 180)), "HELLO"), folder / "HELLO again.jpg", quality=80)
    index.scan([folder])
    assert names(index) == [["HELLO again.jpg", "HELLO.png"]]
    assert names(index, level="similar") == [["HELLO again.jpg", "HELLO.png", "good night.png", "no way!.png"]]


def test_two_animations_that_share_their_first_frame_are_two_pictures(index: HashIndex, folder: Path) -> None:
    save_frames(moving(1, range(10)), folder / "one.gif")
    save_frames(moving(2, range(10)), folder / "two.gif")
    index.scan([folder])
    assert names(index) == []


def test_half_the_frames_another_speed_and_another_format_are_copies(index: HashIndex, folder: Path) -> None:
    save_frames(moving(1, range(12)), folder / "whole.gif")
    save_frames(moving(1, range(0, 12, 2)), folder / "half.gif")
    save_frames(moving(1, range(12)), folder / "slow.webp", ms=300)
    index.scan([folder])
    assert names(index) == [["half.gif", "slow.webp", "whole.gif"]]


def test_a_still_of_an_animation_is_similar_and_no_copy(index: HashIndex, folder: Path) -> None:
    save_frames(moving(1, range(1, 11)), folder / "moves.gif")
    save(moving(1, range(3, 4))[0], folder / "still.png")
    index.scan([folder])
    assert names(index) == []
    assert names(index, level="similar") == [["moves.gif", "still.png"]]


def test_white_drawings_on_transparency_are_told_apart(index: HashIndex, folder: Path) -> None:
    for name, box in (("ring", (30, 30, 170, 170)), ("bar", (20, 80, 180, 120))):
        picture = Image.new("RGBA", (200, 200))
        pen = ImageDraw.Draw(picture)
        (pen.ellipse if name == "ring" else pen.rectangle)(box, outline="white", width=14)
        pen.line((100, 10, 100 if name == "ring" else 30, 190), "white", 8)
        save(picture, folder / f"{name}.png")
        save(picture.resize((150, 150)), folder / f"{name} small.webp", lossless=True)
    index.scan([folder])
    assert names(index) == [["bar small.webp", "bar.png"], ["ring small.webp", "ring.png"]]


def test_a_blank_page_and_a_nearly_blank_one_are_no_copies(index: HashIndex, folder: Path) -> None:
    page = Image.new("RGB", (200, 200), "white")
    save(page, folder / "blank.png")
    save(page, folder / "blank.bmp")
    ImageDraw.Draw(page).ellipse((98, 98, 102, 102), "black")
    save(page, folder / "dot.png")
    index.scan([folder])
    assert names(index) == names(index, level="similar") == [["blank.bmp", "blank.png"]]


def test_tiny_pictures_are_grouped_by_their_pixels_alone(index: HashIndex, folder: Path) -> None:
    save(draw(1).resize((6, 6)), folder / "a.bmp")
    save(draw(1).resize((6, 6)), folder / "a.png")
    save(draw(2).resize((6, 6)), folder / "b.png")
    index.scan([folder])
    assert names(index) == [["a.bmp", "a.png"]]


def test_members_say_what_they_are_to_the_keeper(index: HashIndex, folder: Path) -> None:
    save(draw(1, (240, 180)), folder / "a.bmp")
    save(draw(1, (240, 180)), folder / "b.png")
    save(draw(1, (240, 180)), folder / "c.jpg", quality=60)
    save(captioned(draw(1, (240, 180)), "HELLO"), folder / "d.jpg", quality=60)
    index.scan([folder])
    (group,) = index.groups(level=Level.SIMILAR)
    relations = {os.fsdecode(os.path.basename(member.file.path_bytes)): member.relation for member in group.members}
    assert relations == {
        "a.bmp": Relation.IDENTICAL,
        "b.png": Relation.IDENTICAL,
        "c.jpg": Relation.COPY,
        "d.jpg": Relation.VARIANT,
    }


def test_mirrored_and_turned_pictures_are_found_on_request(index: HashIndex, folder: Path) -> None:
    picture = draw(4, (200, 150))
    save(picture, folder / "plain.png")
    save(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "mirrored.png")
    save(picture.transpose(Image.Transpose.ROTATE_90), folder / "quarter.png")
    save(picture.transpose(Image.Transpose.TRANSPOSE), folder / "both.png")
    index.scan([folder])
    assert names(index) == []
    assert ["mirrored.png", "plain.png"] in names(index, mirrored=True)
    assert ["plain.png", "quarter.png"] in names(index, rotated=True)
    everything = ["both.png", "mirrored.png", "plain.png", "quarter.png"]
    assert names(index, mirrored=True, rotated=True) == [everything]
    hits = index.query(folder / "plain.png", mirrored=True, rotated=True).hits
    told = {os.fsdecode(os.path.basename(hit.file.path_bytes)): (hit.relation, hit.turn) for hit in hits}
    assert told == {
        "mirrored.png": (Relation.COPY, "mirrored"),
        "quarter.png": (Relation.COPY, "turned 90"),
        "both.png": (Relation.COPY, "transposed"),
    }


def test_a_copy_as_it_is_is_not_judged_mirrored_whatever_its_views_suggest(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(draw(4, (200, 150)), folder / "plain.png")
    index.scan([folder])
    # Its hash is near as it is; of its views one that is mirrored is the nearest.
    monkeypatch.setattr(query, "_near_by_views", lambda *_: {1: (0, 1)})
    asked = save(draw(4, (200, 150)), tmp_path / "asked.jpg", quality=60)
    (hit,) = index.query(asked, mirrored=True).hits
    assert (hit.relation, hit.turn) == (Relation.COPY, None)


def test_hits_come_by_what_they_are_before_how_near_their_hash_is(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    picture = draw(1, (240, 180))
    # A crop is a copy that is far away by its hash; a drawing with something drawn in is near, and no copy.
    save(picture.crop((0, 0, 216, 180)), folder / "copy.png")
    changed = picture.copy()
    ImageDraw.Draw(changed).ellipse((100, 60, 150, 110), "magenta", "black", 4)
    save(changed, folder / "another.png")
    index.scan([folder])
    asked = save(picture, tmp_path / "asked.png")
    found = [
        (os.path.basename(hit.file.path_bytes), hit.relation, hit.distances["phash256"])
        for hit in index.query(asked).hits
    ]
    assert [(name, relation) for name, relation, _ in found] == [
        (b"copy.png", Relation.COPY),
        (b"another.png", Relation.VARIANT),
    ]
    assert found[0][2] > found[1][2]


@pytest.mark.parametrize(("chance", "relation"), [(0.89, Relation.VARIANT), (0.91, Relation.COPY)])
def test_a_turned_picture_is_a_copy_only_where_the_judge_is_surer_than_usual(
    monkeypatch: pytest.MonkeyPatch, chance: float, relation: Relation
) -> None:
    found = classifier.Judgement(Relation.COPY, Chances(chance, 0.99), False)
    monkeypatch.setattr(classifier, "evidence", lambda *_: classifier.Evidence(()))
    monkeypatch.setattr(classifier, "judge", lambda *_: found)
    monkeypatch.setattr(PairJudge, "stored", lambda *_: None)
    monkeypatch.setattr(PairJudge, "_are_equal", lambda *_: False)
    monkeypatch.setattr(PairJudge, "_compared_again", lambda _, verdict: verdict)
    monkeypatch.setattr("hashindex.judge.pair_judge.has_pages", lambda _: False)
    known = JudgeInput(b"", None, b"")
    judge = PairJudge({1: known, 2: known}, Limits())
    assert (judge.verdict(1, 2).relation, judge.verdict(1, 2, turn=1).relation) == (Relation.COPY, relation)


def test_what_does_not_go_together_is_refused(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    for how in ({"level": "copies", "radius": 4}, {"hash": "phash", "mirrored": True}, {"level": "twins"}):
        with pytest.raises(UsageError):
            index.groups(**how)


# Never paid twice


def test_a_pair_is_judged_once(index: HashIndex, folder: Path, judged: list[tuple[int, int]]) -> None:
    save(draw(1), folder / "a.png")
    save(draw(1), folder / "b.jpg", quality=40)
    save(captioned(draw(1), "HELLO"), folder / "c.png")
    index.scan([folder])
    assert judged
    judged.clear()
    for level in ("copies", "similar", "copies"):
        index.groups(level=level)
    os.rename(folder / "a.png", folder / "renamed.png")
    index.scan()
    index.groups()
    assert judged == []
    save(draw(1), folder / "new.jpg", quality=70)
    index.scan()
    assert {pair[1] for pair in judged} == {4}


@pytest.mark.parametrize("seed", range(6))
def test_groups_asked_for_again_are_the_same(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever the judge says of the pairs that groups ask about themselves: it counts at once, not the next time."""

    def verdict(self: PairJudge, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        copy, similar = sorted(random.Random(seed * 1000 + a * 50 + b).choices((0.0, 0.2, 0.5, 0.8, 0.99), k=2))
        relation = Relation.COPY if copy >= 0.7 else Relation.VARIANT if similar >= 0.7 else Relation.DIFFERENT
        return Verdict(a, b, turn, relation, copy, similar, False)

    monkeypatch.setattr(PairJudge, "verdict", verdict)
    monkeypatch.setattr(judge_new, "ONE_WORKER_PAIRS", 1000)
    for quality in range(30, 90, 5):
        save(draw(1), folder / f"{quality}.jpg", quality=quality)
    index.scan([folder])
    for level in Level:
        assert names(index, level=level) == names(index, level=level)


def test_pairs_of_the_same_pictures_follow_each_other_in_their_order() -> None:
    """Otherwise a bounded cache would open pictures again and again."""
    sets = [[(base, base + n) for n in range(1, 5)] for base in range(0, 2000, 10)]
    pairs = [pair for column in zip(*sets, strict=True) for pair in column]
    large = [(5000, 5000 + n) for n in range(1, 900)]
    lots = list(judge_new.lots_of(pairs + large))
    assert sorted(pair for lot in lots for pair in lot) == sorted(pairs + large)
    assert max(map(len, lots)) < 2 * judge_new.TASK_PAIRS
    in_order = [pair for lot in lots for pair in lot if pair[0] < 5000]
    assert sorted(in_order[start : start + 4] for start in range(0, len(in_order), 4)) == sets


def test_verdicts_do_not_depend_on_how_many_pictures_a_judge_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stills = [draw(1), draw(1).crop((6, 4, 150, 150)), captioned(draw(1), "HELLO"), draw(2)]
    paths = [save(image, tmp_path / f"{number}.png") for number, image in enumerate(stills)]
    paths += [save_frames(moving(1, range(8)), tmp_path / f"{ms}.gif", ms) for ms in (80, 90)]
    pairs = [*itertools.combinations(range(len(paths)), 2)]
    with IsolatedWorker(Limits()) as worker:
        known = {number: read(None, os.fsencode(path), worker).known for number, path in enumerate(paths)}

        def verdicts() -> list[Verdict]:
            judge = PairJudge({number: one for number, one in known.items() if one}, Limits(), worker)
            return [judge.verdict(*pair) for pair in pairs]

        found = verdicts()
        for bound in ("OPENED_BYTES", "FINE_BYTES"):
            monkeypatch.setattr(pair_judge, bound, 1)
        assert verdicts() == found
    assert sum(verdict.by_pixels for verdict in found) == 2


def test_a_picture_that_is_gone_is_judged_by_its_signature(index: HashIndex, folder: Path) -> None:
    first = save(draw(1, (240, 180)), folder / "gone.png")
    index.scan([folder])
    first.unlink()
    fill(folder, [7])
    save(draw(1, (240, 180)).resize((200, 150)), folder / "copy.jpg", quality=70)
    index.scan()
    (hit, *_) = index.query(folder / "copy.jpg").hits
    assert (os.path.basename(hit.file.path_bytes), hit.file.state, hit.relation) == (
        b"gone.png",
        "missing",
        Relation.COPY,
    )
    assert names(index) == []


def test_a_scan_that_was_cut_short_is_made_up_for(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(draw(1), folder / "a.png")
    save(draw(1), folder / "b.jpg", quality=40)

    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hashindex.index.judge_new.keep_relations", interrupted)
        with pytest.raises(KeyboardInterrupt):
            index.scan([folder])
    assert names(index) == [["a.png", "b.jpg"]]


def test_status_counts_the_verdicts(index: HashIndex, folder: Path) -> None:
    save(draw(1, (240, 180)), folder / "a.png")
    save(draw(1, (240, 180)), folder / "b.jpg", quality=60)
    save(captioned(draw(2, (240, 180)), "one"), folder / "c.png")
    save(captioned(draw(2, (240, 180)), "another"), folder / "d.png")
    index.scan([folder])
    status = index.status()
    assert (status.copies, status.variants, status.waiting) == (1, 1, 0)


def test_two_that_were_copies_by_way_of_a_third_are_judged_when_it_is_forgotten(index: HashIndex, folder: Path) -> None:
    save(draw(1, (240, 180)), folder / "a.png")
    save(draw(1, (240, 180)), folder / "b.jpg", quality=90)
    save(draw(1, (240, 180)), folder / "c.jpg", quality=60)
    index.scan([folder])
    for name in ("a.png", "b.jpg", "c.jpg"):
        aside = folder.parent / name
        shutil.move(folder / name, aside)
        index.forget(folder / name)
        index.scan()
        assert len(names(index)[0]) == 2
        shutil.move(aside, folder / name)
        index.scan()
        assert names(index) == [["a.png", "b.jpg", "c.jpg"]]


def test_two_that_were_copies_by_way_of_a_third_stay_so_when_it_is_gone(index: HashIndex, folder: Path) -> None:
    for name in ("a.png", "b.jpg", "c.jpg"):
        save(draw(1, (240, 180)), folder / name, **({"quality": 60 + ord(name[0]) % 7} if name[-1] == "g" else {}))
    index.scan([folder])
    for name in ("a.png", "b.jpg", "c.jpg"):
        aside = folder.parent / name
        shutil.move(folder / name, aside)
        index.scan()
        assert len(names(index)[0]) == 2
        shutil.move(aside, folder / name)
        index.scan()


def test_a_replaced_picture_takes_its_verdicts_with_it(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "a.png")
    save(draw(1), folder / "b.jpg", quality=50)
    index.scan([folder])
    assert names(index) == [["a.png", "b.jpg"]]
    save(draw(2), folder / "b.jpg", LONG_AGO_NS + 10**9, quality=50)
    index.scan()
    assert names(index) == []


# A person's word


@pytest.fixture
def cats(index: HashIndex, folder: Path) -> Path:
    save(draw(1, (240, 180)), folder / "a.png")
    save(draw(1, (240, 180)), folder / "b.jpg", quality=60)
    save(draw(2, (240, 180)), folder / "c.png")
    index.scan([folder])
    return folder


def test_what_a_person_said_goes_before_every_verdict(index: HashIndex, cats: Path) -> None:
    index.separate(cats / "a.png", cats / "b.jpg")
    assert names(index) == names(index, level="similar") == []
    index.same(cats / "b.jpg", cats / "c.png")
    assert names(index) == [["b.jpg", "c.png"]]
    (hit, *_) = index.query(cats / "a.png").hits
    assert (os.path.basename(hit.file.path_bytes), hit.relation) == (b"b.jpg", Relation.DIFFERENT)
    assert index.withdraw(cats / "a.png", cats / "b.jpg", same=False) == 1
    assert names(index) == [["a.png", "b.jpg", "c.png"]]


def test_a_word_holds_for_renamed_files_and_for_a_new_catalogue(index: HashIndex, cats: Path, tmp_path: Path) -> None:
    words = index.separate(cats / "a.png", cats / "b.jpg").decisions
    os.rename(cats / "a.png", cats / "z.png")
    index.scan()
    assert names(index) == []
    other = HashIndex(tmp_path / "other.db")
    other.scan([cats])
    assert names(other) == [["b.jpg", "z.png"]]
    other.add_decisions(words)
    assert names(other) == []


def test_the_later_of_two_words_stays(index: HashIndex, cats: Path) -> None:
    (earlier,) = index.separate(cats / "a.png", cats / "b.jpg").decisions
    (later,) = index.same(cats / "a.png", cats / "b.jpg").decisions
    assert index.decisions() == [later]
    index.add_decisions([earlier])
    assert index.decisions() == [later]


def test_nothing_is_said_of_files_of_the_same_bytes_or_of_none(index: HashIndex, cats: Path) -> None:
    shutil.copy2(cats / "a.png", cats / "again.png")
    with pytest.raises(UsageError, match="same bytes"):
        index.same(cats / "a.png", cats / "again.png")
    with pytest.raises(UnreadablePicture, match=r"nothing\.png"):
        index.same(cats / "a.png", cats / "nothing.png")
    assert index.decisions() == []


def test_of_many_that_are_the_same_each_is_a_copy_of_each(index: HashIndex, folder: Path) -> None:
    paths = [save(draw(seed, (60, 40)), folder / f"{seed}.png") for seed in range(12)]
    index.scan([folder])
    assert names(index) == []
    said = index.same(*paths)
    everything = sorted(path.name for path in paths)
    assert (len(said.decisions), names(index), names(index, level="similar")) == (11, [everything], [everything])
    (group,) = index.groups(keep="oldest")
    assert {member.relation for member in group.members} == {Relation.IDENTICAL, Relation.COPY}
    # By way of one that is gone, or forgotten, the others are still the same.
    center = min(paths, key=lambda path: hashlib.sha256(path.read_bytes()).digest())
    center.unlink()
    index.scan()
    assert names(index) == [[name for name in everything if name != center.name]]
    index.forget(center)
    assert names(index) == [[name for name in everything if name != center.name]]
    left = [path for path in paths if path != center]
    hits = index.query(left[0], radius=256, limit=None).hits
    assert sum(hit.relation is Relation.COPY for hit in hits) == 10
    assert index.explain(*left[:2]).decision is True
    assert index.withdraw(*left, same=True) == 11
    assert names(index) == []


def test_separate_pictures_of_a_large_set_that_is_the_same_are_parted(index: HashIndex, folder: Path) -> None:
    paths = [save(draw(seed, (60, 40)), folder / f"{seed}.png") for seed in range(5)]
    index.scan([folder])
    index.same(*paths)
    assert index.separate(paths[0], paths[1]).instead
    groups = names(index)
    assert sorted(len(group) for group in groups) == [4]
    assert not {"0.png", "1.png"} <= set(groups[0])
    assert index.explain(paths[0], paths[1]).relation is Relation.DIFFERENT


# Organize


def test_variants_get_numbers_next_to_each_other_and_copies_go_under_theirs(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    picture = draw(1, (240, 180))
    save(captioned(picture, "good night"), folder / "a.png")
    save(draw(5), folder / "b.png")
    save(draw(5), folder / "b small.jpg", quality=50)
    save(captioned(picture, "HELLO"), folder / "c.png")
    save(captioned(picture, "HELLO"), folder / "d.jpg", quality=60)
    index.scan([folder])
    plan = index.plan(tmp_path / "out", level="similar")
    placed = [(os.fsdecode(os.path.basename(step.source_bytes)), step.number, step.copy) for step in plan.steps]
    assert placed == [("a.png", 1, 0), ("c.png", 2, 0), ("d.jpg", 2, 1), ("b.png", 3, 0), ("b small.jpg", 3, 1)]
    assert [step.number for step in index.plan(tmp_path / "out").steps] == [1, 1, 2, 2]


def test_a_later_variant_takes_the_next_number_and_its_neighbours_are_named(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    picture = draw(1, (240, 180))
    save(captioned(picture, "good night"), folder / "a.png")
    save(captioned(picture, "HELLO"), folder / "b.png")
    index.scan([folder])
    index.organize(tmp_path / "out", level="similar")
    save(captioned(picture, "no way!"), folder / "c.png")
    save(captioned(picture, "HELLO"), folder / "d.jpg", quality=60)
    index.scan()
    plan = index.organize(tmp_path / "out", level="similar").plan
    assert [(os.path.basename(step.target_bytes), os.path.basename(step.source_bytes)) for step in plan.steps] == [
        (b"00002_1.jpg", b"d.jpg"), (b"00003.png", b"c.png")
    ]  # fmt: skip
    assert plan.neighbours == ((3, (1, 2)),)
