"""Decisions of a review in the catalogue: keepers, reviewed groups, undo; and groups around some pictures."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pictures import captioned, draw, save

from hashindex import Group, HashIndex, Level, UsageError
from hashindex.core.deduping import DedupeOptions
from hashindex.core.reviewing import GroupDetail, ReviewChange, ReviewKind
from hashindex.index.reviews import kind_of
from hashindex.store.catalogue import Catalogue


def draw_cats(folder: Path) -> None:
    """A cat, its bytes again, a small and a lossy copy; a dog twice; an owl alone."""
    save(draw(5, (320, 240)), folder / "cat.png")
    shutil.copy2(folder / "cat.png", folder / "same.png")
    save(draw(5, (320, 240)).resize((160, 120)), folder / "small.png")
    save(draw(5, (320, 240)), folder / "cat.jpg", quality=70)
    save(draw(6, (320, 240)), folder / "dog.png")
    shutil.copy2(folder / "dog.png", folder / "dog again.png")
    save(draw(7), folder / "owl.png")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of cats, with the standings and verdicts that groups and dedupe ask for."""
    place = tmp_path_factory.mktemp("cats")
    draw_cats(place / "pictures")
    index = HashIndex(place / "catalogue.db")
    index.scan([place / "pictures"])
    index.plan_dedupe()
    return index.path


@pytest.fixture
def cats(scanned: Path, tmp_path: Path) -> HashIndex:
    """A catalogue of its own, of pictures that every test shares."""
    return HashIndex(shutil.copy(scanned, tmp_path / "catalogue.db"), wait_s=0.2)


@pytest.fixture
def own(folder: Path, index: HashIndex) -> HashIndex:
    """A catalogue of pictures that a test may change."""
    draw_cats(folder)
    index.scan([folder])
    return index


def named(group: Group) -> list[str]:
    """Names of its members, the keeper first."""
    return [os.path.basename(member.file.path) for member in group.members]


def by_name(groups: Iterable[Group]) -> dict[str, Group]:
    """Each group by the first letters of its pictures."""
    return {"dog" if "dog.png" in named(group) else "cat": group for group in groups}


def decide(index: HashIndex, group: Group, kind: ReviewKind, *names: str) -> ReviewChange:
    members = [member.file for member in group.members]
    chosen = [file for file in members if os.path.basename(file.path) in names]
    return index.review(group.level, members, kind, chosen or members)


def is_reviewed(index: HashIndex, group: Group) -> bool:
    return kind_of(group, index.reviewed(group.level)) is not None


def details(index: HashIndex, group: Group, level: Level = Level.COPIES) -> list[GroupDetail]:
    return index.group_details([group.keeper.file.content.digest], level=level)


# Keepers


def test_a_chosen_keeper_goes_before_the_rules_and_before_the_best(cats: HashIndex) -> None:
    group = by_name(cats.groups())["cat"]
    assert named(group)[0] in ("cat.png", "same.png")
    decide(cats, group, ReviewKind.KEPT, "small.png")
    for rule in ("best", "largest", "newest"):
        now = by_name(cats.groups(keep=rule))["cat"]
        assert (named(now)[0], now.why, now.doubt) == ("small.png", "kept: your decision", None)


def test_the_rest_is_removed_for_a_chosen_keeper_though_it_is_worse(cats: HashIndex) -> None:
    decide(cats, by_name(cats.groups())["cat"], ReviewKind.KEPT, "small.png")
    plan = cats.plan_dedupe()
    gone = {os.path.basename(one.source): (os.path.basename(one.kept.path), one.why) for one in plan.removals}
    assert gone["cat.png"] == ("small.png", "you decided to keep the other one")
    assert set(gone) == {"cat.png", "same.png", "cat.jpg", *({"dog.png", "dog again.png"} & set(gone))}


def test_a_better_copy_that_came_after_the_decision_stays(own: HashIndex, folder: Path) -> None:
    os.unlink(folder / "cat.png")
    os.unlink(folder / "same.png")
    own.scan()
    decide(own, by_name(own.groups())["cat"], ReviewKind.KEPT, "small.png")
    save(draw(5, (320, 240)), folder / "cat.png")
    own.scan()
    assert named(by_name(own.groups())["cat"])[0] == "small.png"
    plan = own.plan_dedupe()
    assert [os.path.basename(one.source_bytes) for one in plan.left] == [b"cat.png"]


def test_of_equal_files_the_chosen_one_is_kept(cats: HashIndex) -> None:
    group = by_name(cats.groups())["dog"]
    other = named(group)[1]
    decide(cats, group, ReviewKind.KEPT, other)
    now = by_name(cats.groups())["dog"]
    assert (named(now)[0], now.why) == (other, "kept: your decision; all have the same bytes")
    removals = cats.plan_dedupe(DedupeOptions(identical=True)).removals
    assert {os.path.basename(one.kept.path_bytes) for one in removals if b"dog" in one.source_bytes} == {other.encode()}


def test_a_chosen_keeper_is_not_removed_for_a_protected_copy(own: HashIndex, folder: Path) -> None:
    decide(own, by_name(own.groups())["cat"], ReviewKind.KEPT, "small.png")
    (folder / "main").mkdir()
    shutil.copy2(folder / "cat.png", folder / "main" / "cat.png")
    own.scan()
    plan = own.plan_dedupe(DedupeOptions(protect=(os.fsencode(folder / "main"),)))
    assert b"small.png" not in {os.path.basename(one.source_bytes) for one in plan.removals}


def test_the_later_of_two_chosen_keepers_wins(cats: HashIndex) -> None:
    for name in ("small.png", "cat.jpg"):
        decide(cats, by_name(cats.groups())["cat"], ReviewKind.KEPT, name)
    assert named(by_name(cats.groups())["cat"])[0] == "cat.jpg"
    with Catalogue(cats.path) as catalogue:
        assert len(catalogue.reviews.keepers()) == 1


def test_a_keeper_is_one_picture(cats: HashIndex) -> None:
    group = by_name(cats.groups())["cat"]
    with pytest.raises(UsageError, match="one picture"):
        decide(cats, group, ReviewKind.KEPT)
    assert not is_reviewed(cats, group)


# Reviewed groups


def test_a_reviewed_group_comes_back_when_a_picture_or_a_file_joins(own: HashIndex, folder: Path) -> None:
    for group in own.groups():
        decide(own, group, ReviewKind.SKIPPED)
    assert all(is_reviewed(own, group) for group in own.groups())
    shutil.copy2(folder / "dog.png", folder / "third dog.png")
    save(draw(5, (320, 240)).resize((200, 150)), folder / "middle.png")
    own.scan()
    assert [is_reviewed(own, group) for group in own.groups()] == [False, False]


def test_a_reviewed_group_stays_reviewed_when_a_member_leaves_or_is_renamed(own: HashIndex, folder: Path) -> None:
    for group in own.groups():
        decide(own, group, ReviewKind.SKIPPED)
    os.unlink(folder / "small.png")
    os.rename(folder / "dog.png", folder / "dog renamed.png")
    own.scan()
    assert [is_reviewed(own, group) for group in own.groups()] == [True, True]


def test_a_level_is_reviewed_apart_from_the_other(cats: HashIndex) -> None:
    decide(cats, by_name(cats.groups())["cat"], ReviewKind.SKIPPED)
    assert not any(is_reviewed(cats, group) for group in cats.groups(level="similar"))


def test_what_was_taken_out_of_a_reviewed_group_is_reviewed_too(cats: HashIndex) -> None:
    decide(cats, by_name(cats.groups())["cat"], ReviewKind.SEPARATE, "small.png")
    now = by_name(cats.groups())["cat"]
    assert sorted(named(now)) == ["cat.jpg", "cat.png", "same.png"] and is_reviewed(cats, now)


# Same, separate and undo


def test_one_picture_taken_out_leaves_the_others_together(cats: HashIndex) -> None:
    group = by_name(cats.groups())["cat"]
    decide(cats, group, ReviewKind.SAME)
    decide(cats, group, ReviewKind.SEPARATE, "cat.jpg")
    assert sorted(named(by_name(cats.groups())["cat"])) == ["cat.png", "same.png", "small.png"]
    # The others stay the same by the user's word, not only by the judge's.
    assert sum(one.same for one in cats.decisions()) == 1


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (ReviewKind.SAME, ()),
        (ReviewKind.SEPARATE, ()),
        (ReviewKind.SEPARATE, ("small.png",)),
        (ReviewKind.KEPT, ("small.png",)),
        (ReviewKind.SKIPPED, ()),
    ],
)
def test_each_decision_is_undone_to_what_was_before(cats: HashIndex, kind: ReviewKind, names: tuple[str, ...]) -> None:
    group = by_name(cats.groups())["cat"]
    decide(cats, group, ReviewKind.KEPT, "cat.jpg")
    decide(cats, by_name(cats.groups())["cat"], ReviewKind.SAME, "cat.jpg", "small.png")
    before = _rows(cats)
    change = decide(cats, by_name(cats.groups())["cat"], kind, *names)
    assert _rows(cats) != before
    cats.undo_review(change)
    assert _rows(cats) == before


def _rows(index: HashIndex) -> object:
    with Catalogue(index.path) as catalogue:
        reviews = catalogue.reviews
        return catalogue.verdicts.decisions(), reviews.keepers(), [reviews.reviewed(level) for level in Level]


def test_a_decision_is_not_undone_after_a_later_one_on_its_group(cats: HashIndex) -> None:
    group = by_name(cats.groups())["cat"]
    first = decide(cats, group, ReviewKind.KEPT, "small.png")
    decide(cats, group, ReviewKind.SKIPPED)
    before = _rows(cats)
    with pytest.raises(UsageError, match="later decision"):
        cats.undo_review(first)
    assert _rows(cats) == before


def test_a_damaged_catalogue_keeps_keepers_and_reviewed_groups(cats: HashIndex) -> None:
    group = by_name(cats.groups())["cat"]
    decide(cats, group, ReviewKind.KEPT, "small.png")
    with Catalogue(cats.path) as catalogue:
        catalogue.mark_corrupt("for a test")
    cats.scan()
    now = by_name(cats.groups())["cat"]
    assert named(now)[0] == "small.png" and is_reviewed(cats, now)


# Groups around some pictures


@pytest.mark.parametrize("level", [Level.COPIES, Level.SIMILAR])
def test_groups_around_pictures_are_those_among_all(
    own: HashIndex, folder: Path, level: Level, alike: Callable[[Path], None]
) -> None:
    alike(folder)
    own.scan()
    groups = own.groups(level=level)
    decide(own, next(group for group in groups if "cat.jpg" in named(group)), ReviewKind.SEPARATE, "cat.jpg")
    lone = next(group for group in groups if "dog.png" in named(group)).keeper.file
    owl = own.file(folder / "owl.png")
    assert owl is not None
    own.review(level, [lone, owl], ReviewKind.SAME, [lone, owl])
    groups = own.groups(level=level)
    assert any(len(group.members) > 2 for group in groups)
    for group in groups:
        around = [each.group for each in details(own, group, level)]
        same = next(each for each in around if each.key == group.key)
        assert same._replace(id=group.id) == group
        assert {each.key for each in around} <= {each.key for each in groups}


@pytest.fixture
def alike() -> Callable[[Path], None]:
    """Adds pictures of low detail with equal pixels, and a caption in two versions."""

    def add(folder: Path) -> None:
        for name in ("white.png", "white.bmp"):
            save(draw(1).resize((1, 1)).resize((64, 64)), folder / name)
        for words in ("hello", "goodbye"):
            save(captioned(draw(2, (320, 240)), words), folder / f"{words}.png")

    return add


def test_details_tell_what_dedupe_does_with_the_group(cats: HashIndex) -> None:
    plan = cats.plan_dedupe()
    found = [detail for group in cats.groups() for detail in details(cats, group)]
    assert {one.source for detail in found for one in detail.removals} == {one.source for one in plan.removals}
    for detail in found:
        assert len(detail.chances) == len(detail.group.members)
        assert all(chance is not None and 0.5 <= chance <= 1 for chance in detail.chances)


def test_dedupe_of_named_groups_leaves_the_others_and_those_that_have_changed(own: HashIndex, folder: Path) -> None:
    groups = by_name(own.groups())
    plan = own.plan_dedupe(DedupeOptions(groups=[groups["dog"]]))
    assert {one.source_bytes for one in plan.removals} < groups["dog"].paths_bytes and plan.groups == 1
    assert own.plan_dedupe(DedupeOptions(groups=[])).removals == ()
    shutil.copy2(folder / "cat.png", folder / "third.png")
    own.scan()
    assert own.plan_dedupe(DedupeOptions(groups=[groups["cat"]])).removals == ()
