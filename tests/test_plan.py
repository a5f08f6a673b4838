"""Tests of which file goes where under which number; nothing here touches a disk."""

import os

import pytest
from builders import content, file
from hypothesis import given
from hypothesis import strategies as st

from hashindex.formats import FORMATS
from hashindex.model import File, Group, Member, Plan, Step
from hashindex.plan import ACTIONS, make_plan, name_of, next_number

DEST = os.path.join(b"/", b"out")


def group(*files: File) -> Group:
    return Group(
        id=min(each.content.id for each in files),
        level="radius",
        hash="phash",
        radius=8,
        widest=0,
        members=tuple(Member(each, 0) for each in files),
    )


def step(action: str, source: bytes, name: bytes, number: int, copy: int, of: int) -> Step:
    return Step(action, source, os.path.join(DEST, name), number, copy, of)


def names(plan: Plan) -> list[bytes]:
    return [os.path.basename(step.target) for step in plan.steps]


def placed(
    groups: list[Group], rest: list[File], *taken: bytes, action: str = "copy", number_rest: bool = True
) -> list[bytes]:
    return names(make_plan(groups, rest, DEST, taken, action, number_rest=number_rest))


# Numbers


@pytest.mark.parametrize(
    ("taken", "number"),
    [
        ([], 1),
        ([b"00001.jpg"], 2),
        ([b"00012.gif", b"00003.jpg"], 13),
        ([b"00012_3.jpg"], 13),
        ([b"00099.txt"], 100),
        ([b"00099"], 100),
        ([b"00099."], 100),
        ([b"00099_2"], 100),
        ([b"00099.JPG"], 100),
        ([b"00000.jpg"], 1),
        ([b"99999.jpg"], 100_000),
        ([b"100000.jpg", b"99999.jpg"], 100_001),
        ([b"0000012.jpg"], 13),
        ([b"12.jpg"], 1),
        ([b"0012.jpg"], 1),
        ([b"12_00099.jpg"], 1),
        ([b"a00099.jpg"], 1),
        ([b" 00099.jpg"], 1),
        ([b"00099a.jpg"], 1),
        ([b"00099_.jpg"], 1),
        ([b"00099 (1).jpg"], 1),
        ([b"00099.jpg.part"], 1),
        (["٠٠٠٩٩.jpg".encode()], 1),
        ([b"\xff00099.jpg"], 1),
    ],
)
def test_numbers_go_on_after_the_highest_name_that_a_plan_could_give(taken: list[bytes], number: int) -> None:
    assert next_number(taken) == number


def test_a_plan_goes_on_from_what_dest_holds() -> None:
    assert placed(
        [group(file(b"/a", 1), file(b"/b", 2))], [file(b"/c", 3)], b"00041_1.png", b"notes.txt", b"7.jpg"
    ) == [
        b"00042.jpg",
        b"00042_1.jpg",
        b"00043.jpg",
    ]


@given(
    taken=st.sets(st.from_regex(rb"[0-9]{4,6}(_[0-9]{1,2})?(\.[a-z]{0,4})?", fullmatch=True), max_size=8),
    sizes=st.lists(st.integers(1, 4), max_size=5),
    action=st.sampled_from(ACTIONS),
)
def test_no_target_is_taken_and_none_is_given_twice(taken: set[bytes], sizes: list[int], action: str) -> None:
    ids = iter(range(1, 100))
    groups = [group(*(file(b"/%d" % id, id) for _, id in zip(range(size), ids, strict=False))) for size in sizes]
    given = placed(groups, [file(b"/rest", 100)], *taken, action=action)
    assert (len(set(given)), set(given) & taken) == (sum(sizes) + 1, set())


def test_more_than_99999_numbers_get_more_digits() -> None:
    rest = [file(b"/%d" % id, id) for id in (1, 2, 3)]
    assert placed([], rest, b"99998.jpg") == [b"99999.jpg", b"100000.jpg", b"100001.jpg"]


# Names


@pytest.mark.parametrize(
    ("number", "copy", "format", "name"),
    [
        (1, 0, "jpeg", b"00001.jpg"),
        (12, 0, "gif", b"00012.gif"),
        (12, 1, "png", b"00012_1.png"),
        (12, 10, "apng", b"00012_10.png"),
        (100_000, 2, "webp", b"100000_2.webp"),
    ],
)
def test_a_name_has_five_digits_the_copy_and_the_true_suffix(number: int, copy: int, format: str, name: bytes) -> None:
    assert name_of(number, copy, file(b"/misnamed.bmp", content(1, format=format))) == name


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_a_name_that_the_next_plan_counts(format: str) -> None:
    held = file(b"/a", content(1, format=format))
    assert (next_number([name_of(7, 0, held)]), next_number([name_of(7, 3, held)])) == (8, 8)


# Steps


def test_a_group_gets_one_number_and_its_keeper_the_bare_one() -> None:
    keeper = file(b"/chat/keeper", content(4, format="gif"))
    others = [file(b"/chat/\xff.gif", content(2, format="png")), file(b"/chat/third.jpg", content(9))]
    rest = [file(b"/chat/alone.jpg", content(5, format="webp"))]
    assert make_plan([group(keeper, *others)], rest, DEST, [], "copy", number_rest=True) == Plan(
        dest=DEST,
        steps=(
            step("copy", b"/chat/keeper", b"00001.gif", 1, 0, 4),
            step("copy", b"/chat/\xff.gif", b"00001_1.png", 1, 1, 2),
            step("copy", b"/chat/third.jpg", b"00001_2.jpg", 1, 2, 9),
            step("copy", b"/chat/alone.jpg", b"00002.webp", 2, 0, 5),
        ),
        pictures=4,
        groups=1,
        grouped=3,
        remaining=1,
    )


def test_the_rest_is_counted_but_not_placed_unless_asked_for() -> None:
    pair, rest = group(file(b"/a", 1), file(b"/b", 2)), [file(b"/c", 3), file(b"/d", 4)]
    assert make_plan([pair], rest, DEST, [], "copy", number_rest=False) == Plan(
        dest=DEST,
        steps=(step("copy", b"/a", b"00001.jpg", 1, 0, 1), step("copy", b"/b", b"00001_1.jpg", 1, 1, 2)),
        pictures=4,
        groups=1,
        grouped=2,
        remaining=2,
    )


def test_the_rest_may_come_as_an_iterator() -> None:
    plan = make_plan([], iter([file(b"/a", 1), file(b"/b", 2)]), DEST, [], "copy", number_rest=True)
    assert (names(plan), plan.pictures, plan.remaining) == ([b"00001.jpg", b"00002.jpg"], 2, 2)


def test_nothing_to_place_is_an_empty_plan() -> None:
    assert make_plan([], [], DEST, [b"00001.jpg"], "move", number_rest=True) == Plan(DEST, (), 0, 0, 0, 0)


@pytest.mark.parametrize("action", ["copy", "hardlink", "symlink"])
def test_actions_that_leave_the_source_place_one_file_of_each_content(action: str) -> None:
    alike = group(file(b"/a", 1), file(b"/a again", 1), file(b"/b", 2), file(b"/b again", 2), file(b"/c", 3))
    assert make_plan([alike], [], DEST, [], action, number_rest=False) == Plan(
        dest=DEST,
        steps=(
            step(action, b"/a", b"00001.jpg", 1, 0, 1),
            step(action, b"/b", b"00001_1.jpg", 1, 1, 2),
            step(action, b"/c", b"00001_2.jpg", 1, 2, 3),
        ),
        pictures=5,
        groups=1,
        grouped=5,
        remaining=0,
    )


def test_move_takes_every_file() -> None:
    alike = group(file(b"/a", 1), file(b"/a again", 1), file(b"/b", 2))
    assert make_plan([alike], [], DEST, [], "move", number_rest=False) == Plan(
        dest=DEST,
        steps=(
            step("move", b"/a", b"00001.jpg", 1, 0, 1),
            step("move", b"/a again", b"00001_1.jpg", 1, 1, 1),
            step("move", b"/b", b"00001_2.jpg", 1, 2, 2),
        ),
        pictures=3,
        groups=1,
        grouped=3,
        remaining=0,
    )


def test_a_group_of_copies_alone_still_has_a_number() -> None:
    assert placed([group(file(b"/a", 1), file(b"/a again", 1)), group(file(b"/b", 2), file(b"/c", 3))], []) == [
        b"00001.jpg",
        b"00002.jpg",
        b"00002_1.jpg",
    ]


def test_every_action_is_one_that_a_plan_can_have() -> None:
    assert ACTIONS == ("copy", "hardlink", "symlink", "move")
