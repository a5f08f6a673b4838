"""Tests of which file goes where under which number; nothing here touches a disk."""

import os

import pytest
from builders import content, file
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core.messages import Placed
from hashindex.core.model import File
from hashindex.core.name_template import DEFAULT_NAME, Naming
from hashindex.core.organizing import PLACING, Action, PlaceOptions, Plan, Step
from hashindex.disk.files import FolderNames
from hashindex.organize.free_names import key_of
from hashindex.organize.plan import Alike, make_plan
from hashindex.pictures.formats import FORMATS

DEST = os.path.join(b"/", b"out")
STAYS = [Action.COPY, Action.HARDLINK, Action.SYMLINK]
EVERY = list(PLACING)


def group(*files: File, before: tuple[int, ...] = ()) -> Alike:
    return Alike(files, before)


def alone(of: File) -> Alike:
    return Alike((of,), is_group=False)


def was(name: bytes, of: int) -> Placed:
    """An entry for content `of`, placed as that name says: 00012_1.jpg."""
    number, _, copy = name.split(b".")[0].partition(b"_")
    return Placed(int(number), int(copy or 0), name, content(of).digest)


def step(action: Action, source: bytes, name: bytes, of: int) -> Step:
    entry = was(name, of)
    like = file(source, of)
    return Step(
        action, source, os.path.join(DEST, name), entry.number, entry.copy, entry.digest, like.size, like.mtime_ns
    )


def plan_of(
    *sets: Alike,
    action: Action = Action.COPY,
    placed: list[Placed] | None = None,
    taken: list[bytes] | None = None,
    again: bool = False,
    rest: bool = True,
    keepers: bool = False,
    name: str = DEFAULT_NAME,
    folder: str = "",
    folders: list[bytes] | None = None,
) -> Plan:
    """taken: the names of what was placed, unless said; folders: those there."""
    placed = placed or []
    names = [entry.name for entry in placed] if taken is None else taken
    options = PlaceOptions(rest, keepers, again, Naming(name, folder))
    return make_plan(sets, DEST, action, options, placed=placed, taken=FolderNames(folders or [], names))


def went(plan: Plan) -> dict[bytes, bytes]:
    """Source -> name in DEST."""
    return {step.source_bytes: os.path.relpath(step.target_bytes, DEST) for step in plan.steps}


# Numbers


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ([], b"00001.jpg"),
        ([b"00001.jpg"], b"00002.jpg"),
        ([b"00012.gif", b"00003.jpg"], b"00013.jpg"),
        ([b"00012_3.jpg"], b"00013.jpg"),
        ([b"00099.txt"], b"00100.jpg"),
        ([b"00099"], b"00100.jpg"),
        ([b"00099."], b"00100.jpg"),
        ([b"00099_2"], b"00100.jpg"),
        ([b"00099.JPG"], b"00100.jpg"),
        ([b"00000.jpg"], b"00001.jpg"),
        ([b"99999.jpg"], b"100000.jpg"),
        ([b"100000.jpg", b"99999.jpg"], b"100001.jpg"),
        ([b"0000012.jpg"], b"00013.jpg"),
        ([b"9999999.jpg"], b"10000000.jpg"),
        # Names of others are no numbers, and no plan could give them.
        ([b"1567512000999.jpg"], b"00001.jpg"),
        ([b"10000000.jpg"], b"00001.jpg"),
        ([b"12.jpg"], b"00001.jpg"),
        ([b"0012.jpg"], b"00001.jpg"),
        ([b"12_00099.jpg"], b"00001.jpg"),
        ([b"a00099.jpg"], b"00001.jpg"),
        ([b" 00099.jpg"], b"00001.jpg"),
        ([b"00099a.jpg"], b"00001.jpg"),
        ([b"00099_.jpg"], b"00001.jpg"),
        ([b"00099 (1).jpg"], b"00001.jpg"),
        ([b"00099.jpg.part"], b"00001.jpg"),
        (["٠٠٠٩٩.jpg".encode()], b"00001.jpg"),
        ([b"\xff00099.jpg"], b"00001.jpg"),
        ([b".hashindex.jsonl"], b"00001.jpg"),
    ],
)
def test_numbers_go_on_after_the_highest_name_that_a_plan_could_give(taken: list[bytes], name: bytes) -> None:
    assert went(plan_of(alone(file(b"/a", 1)), taken=taken)) == {b"/a": name}


def test_a_plan_goes_on_from_what_dest_holds() -> None:
    plan = plan_of(
        group(file(b"/a", 1), file(b"/b", 2)), alone(file(b"/c", 3)), taken=[b"00041_1.png", b"notes.txt", b"7.jpg"]
    )
    assert went(plan) == {b"/a": b"00042.jpg", b"/b": b"00042_1.jpg", b"/c": b"00043.jpg"}


def test_more_than_99999_numbers_get_more_digits() -> None:
    plan = plan_of(*(alone(file(b"/%d" % id, id)) for id in (1, 2, 3)), taken=[b"99998.jpg"])
    assert went(plan) == {b"/1": b"99999.jpg", b"/2": b"100000.jpg", b"/3": b"100001.jpg"}


@pytest.mark.parametrize("taken", [[], [b"holiday.jpg"], [b"00003.jpg"]])
def test_numbers_of_deleted_and_renamed_pictures_are_never_used_again(taken: list[bytes]) -> None:
    plan = plan_of(alone(file(b"/new", 9)), placed=[was(b"00003.jpg", 1), was(b"00007.jpg", 2)], taken=taken)
    assert went(plan) == {b"/new": b"00008.jpg"}


def test_groups_are_numbered_before_the_rest_each_in_the_order_given() -> None:
    plan = plan_of(
        alone(file(b"/a", 1)),
        group(file(b"/b", 2), file(b"/c", 3)),
        alone(file(b"/d", 4)),
        group(file(b"/e", 5), file(b"/f", 6)),
    )
    assert list(went(plan).items()) == [
        (b"/b", b"00001.jpg"),
        (b"/c", b"00001_1.jpg"),
        (b"/e", b"00002.jpg"),
        (b"/f", b"00002_1.jpg"),
        (b"/a", b"00003.jpg"),
        (b"/d", b"00004.jpg"),
    ]


_NAMES = st.from_regex(rb"[0-9]{4,6}(_[0-9]{1,2})?(\.[a-zA-Z]{0,4})?", fullmatch=True)


@given(
    taken=st.sets(_NAMES, max_size=8),
    placed=st.dictionaries(st.tuples(st.integers(1, 12), st.integers(0, 3)), st.integers(50, 60), max_size=8),
    sizes=st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(1, 12), max_size=2)), max_size=5),
    action=st.sampled_from(EVERY),
    again=st.booleans(),
)
def test_no_number_and_copy_is_given_twice_or_was_ever_used(
    taken: set[bytes],
    placed: dict[tuple[int, int], int],
    sizes: list[tuple[int, set[int]]],
    action: Action,
    again: bool,
) -> None:
    ids = iter(range(40, 100))
    entries = [
        Placed(number, copy, b"%05d%s.jpg" % (number, b"_%d" % copy if copy else b""), content(of).digest)
        for (number, copy), of in placed.items()
    ]
    sets = [
        group(*(file(b"/%d" % id, id) for _, id in zip(range(size), ids, strict=False)), before=tuple(sorted(before)))
        for size, before in sizes
    ]
    plan = plan_of(*sets, action=action, placed=entries, taken=sorted(taken), again=again)
    given = [(step.number, step.copy) for step in plan.steps]
    there = {os.path.splitext(name)[0] for name in taken}
    stems = {os.path.splitext(os.path.basename(step.target_bytes))[0] for step in plan.steps}
    assert (len(set(given)), set(given) & placed.keys(), stems & there) == (len(given), set(), set())


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
    misnamed = Alike((file(b"/misnamed.bmp", content(1, format=format)),), (number,))
    placed = [Placed(number, before, b"%d" % before, content(9).digest) for before in range(copy)]
    assert went(plan_of(misnamed, placed=placed)) == {b"/misnamed.bmp": name}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_a_name_that_the_next_plan_counts(format: str) -> None:
    suffix = FORMATS[format].extension.encode()
    plans = [plan_of(alone(file(b"/b", 2)), taken=[name + suffix]) for name in (b"00007", b"00007_3")]
    assert [went(plan) for plan in plans] == [{b"/b": b"00008.jpg"}] * 2


# The first run


def test_a_group_gets_one_number_and_its_keeper_the_bare_one() -> None:
    keeper = file(b"/chat/keeper", content(4, format="gif"))
    others = [file(b"/chat/\xff.gif", content(2, format="png")), file(b"/chat/third.jpg", 9)]
    rest = file(b"/chat/alone.jpg", content(5, format="webp"))
    assert plan_of(group(keeper, *others), alone(rest)) == Plan(
        dest_bytes=DEST,
        action=Action.COPY,
        steps=(
            step(Action.COPY, b"/chat/keeper", b"00001.gif", 4),
            step(Action.COPY, b"/chat/\xff.gif", b"00001_1.png", 2),
            step(Action.COPY, b"/chat/third.jpg", b"00001_2.jpg", 9),
            step(Action.COPY, b"/chat/alone.jpg", b"00002.webp", 5),
        ),
        pictures=4,
        groups=1,
        grouped=3,
        remaining=1,
    )


def test_the_rest_is_counted_but_not_placed_unless_asked_for() -> None:
    sets = [group(file(b"/a", 1), file(b"/b", 2)), alone(file(b"/c", 3)), alone(file(b"/d", 4))]
    assert plan_of(*sets, rest=False) == Plan(
        dest_bytes=DEST,
        action=Action.COPY,
        steps=(step(Action.COPY, b"/a", b"00001.jpg", 1), step(Action.COPY, b"/b", b"00001_1.jpg", 2)),
        pictures=4,
        groups=1,
        grouped=2,
        remaining=2,
    )


@pytest.mark.parametrize("action", EVERY)
def test_nothing_to_place_is_an_empty_plan(action: Action) -> None:
    assert plan_of(action=action, taken=[b"00001.jpg"]) == Plan(DEST, action, (), 0, 0, 0, 0)


@pytest.mark.parametrize("action", STAYS)
def test_actions_that_leave_the_source_place_one_file_of_each_content(action: Action) -> None:
    alike = group(file(b"/a", 1), file(b"/a again", 1), file(b"/b", 2), file(b"/b again", 2), file(b"/c", 3))
    assert plan_of(alike, action=action) == Plan(
        dest_bytes=DEST,
        action=action,
        steps=(
            step(action, b"/a", b"00001.jpg", 1),
            step(action, b"/b", b"00001_1.jpg", 2),
            step(action, b"/c", b"00001_2.jpg", 3),
        ),
        pictures=5,
        groups=1,
        grouped=5,
        remaining=0,
    )


def test_move_takes_every_file() -> None:
    alike = group(file(b"/a", 1), file(b"/a again", 1), file(b"/b", 2))
    assert plan_of(alike, action=Action.MOVE) == Plan(
        dest_bytes=DEST,
        action=Action.MOVE,
        steps=(
            step(Action.MOVE, b"/a", b"00001.jpg", 1),
            step(Action.MOVE, b"/a again", b"00001_1.jpg", 1),
            step(Action.MOVE, b"/b", b"00001_2.jpg", 2),
        ),
        pictures=3,
        groups=1,
        grouped=3,
        remaining=0,
    )


def test_a_group_of_copies_alone_still_has_a_number() -> None:
    plan = plan_of(group(file(b"/a", 1), file(b"/a again", 1)), group(file(b"/b", 2), file(b"/c", 3)))
    assert went(plan) == {b"/a": b"00001.jpg", b"/b": b"00002.jpg", b"/c": b"00002_1.jpg"}


# Later runs


@pytest.mark.parametrize(
    ("placed", "taken", "name"),
    [
        # As it was left.
        ([(b"00012.jpg", 1), (b"00012_1.jpg", 2)], [b"00012.jpg", b"00012_1.jpg"], b"00012_2.jpg"),
        # The person deleted 00012_1, or all of it.
        ([(b"00012.jpg", 1), (b"00012_1.jpg", 2)], [b"00012.jpg"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1), (b"00012_1.jpg", 2)], [], b"00012_2.jpg"),
        # The person renamed it, away from the numbers or to another one.
        ([(b"00012.jpg", 1), (b"00012_1.jpg", 2)], [b"00012.jpg", b"holiday.jpg"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1), (b"00012_1.jpg", 2)], [b"00012.jpg", b"00012_5.jpg"], b"00012_6.jpg"),
        # Somebody else's file has the number and the copy that would be next, whatever its suffix and case.
        ([(b"00012.jpg", 1)], [b"00012.jpg", b"00012_1.jpg"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1)], [b"00012.jpg", b"00012_1.PNG"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1)], [b"00012.jpg", b"00012_1.JPG"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1)], [b"00012.jpg", b"00012_01.txt"], b"00012_2.jpg"),
        ([(b"00012.jpg", 1)], [b"00012.jpg", b"0000012_4"], b"00012_5.jpg"),
        # Known from the manifest alone, with more copies than are there.
        ([(b"00012_7.jpg", 1)], [], b"00012_8.jpg"),
    ],
)
def test_a_newcomer_to_a_placed_number_gets_its_next_copy(
    placed: list[tuple[bytes, int]], taken: list[bytes], name: bytes
) -> None:
    plan = plan_of(
        group(file(b"/new", 9), before=(12,)), placed=[was(*entry) for entry in placed], taken=taken, rest=False
    )
    assert went(plan) == {b"/new": name}


def test_several_newcomers_get_the_next_copies_and_other_groups_the_next_number() -> None:
    plan = plan_of(
        group(file(b"/a", 1), file(b"/b", 2), before=(3,)),
        group(file(b"/c", 4), file(b"/d", 5)),
        placed=[was(b"00003.jpg", 8), was(b"00005.jpg", 9)],
    )
    assert went(plan) == {b"/a": b"00003_1.jpg", b"/b": b"00003_2.jpg", b"/c": b"00006.jpg", b"/d": b"00006_1.jpg"}


def test_a_newcomer_to_two_groups_goes_to_the_lowest_and_the_plan_says_so() -> None:
    placed = [was(b"00012.jpg", 1), was(b"00030.jpg", 2), was(b"00030_1.jpg", 3)]
    assert plan_of(group(file(b"/new", 9), before=(12, 30)), placed=placed) == Plan(
        dest_bytes=DEST,
        action=Action.COPY,
        steps=(step(Action.COPY, b"/new", b"00012_1.jpg", 9),),
        pictures=1,
        groups=1,
        grouped=1,
        remaining=0,
        joined=((12, 30),),
    )


def test_groups_that_were_joined_are_not_told_of_again() -> None:
    placed = [was(b"00012.jpg", 1), was(b"00030.jpg", 2), was(b"00012_1.jpg", 9)]
    assert plan_of(group(file(b"/new", 9), before=(12, 30)), placed=placed) == Plan(
        DEST, Action.COPY, (), pictures=1, groups=1, grouped=1, remaining=0
    )


@pytest.mark.parametrize("rest", [False, True])
def test_a_copy_of_a_picture_of_the_rest_makes_it_a_group(rest: bool) -> None:
    plan = plan_of(group(file(b"/old", 1), file(b"/new", 2), before=(50,)), placed=[was(b"00050.jpg", 1)], rest=rest)
    assert went(plan) == {b"/new": b"00050_1.jpg"}


def test_a_larger_newcomer_does_not_get_the_bare_number() -> None:
    # First in the order of the keep rule, so it would have been the keeper.
    larger = file(b"/larger", content(9, size=10_000))
    plan = plan_of(
        group(larger, file(b"/a", 1), file(b"/b", 2), before=(12,)),
        placed=[was(b"00012.jpg", 1), was(b"00012_1.jpg", 2)],
    )
    assert went(plan) == {b"/larger": b"00012_2.jpg"}


@pytest.mark.parametrize("action", STAYS)
def test_what_is_placed_and_there_is_not_placed_again(action: Action) -> None:
    sets = [group(file(b"/a", 1), file(b"/b", 2), before=(1,)), Alike((file(b"/c", 3),), (2,), is_group=False)]
    placed = [was(b"00001.jpg", 1), was(b"00001_1.jpg", 2), was(b"00002.jpg", 3)]
    nothing = Plan(DEST, action, (), pictures=3, groups=1, grouped=2, remaining=1)
    assert [plan_of(*sets, action=action, placed=placed, again=again) for again in (False, True)] == [nothing] * 2


@pytest.mark.parametrize("action", EVERY)
@pytest.mark.parametrize("taken", [[], [b"00001_9.jpg"], [b"mine.jpg", b"00001.png"]])
def test_what_was_deleted_or_renamed_is_withheld_and_counted(action: Action, taken: list[bytes]) -> None:
    plan = plan_of(group(file(b"/a", 1), before=(1,)), action=action, placed=[was(b"00001.jpg", 1)], taken=taken)
    assert plan == Plan(DEST, action, (), pictures=1, groups=1, grouped=1, remaining=0, withheld=1)


@pytest.mark.parametrize("action", EVERY)
def test_again_places_it_as_the_next_copy(action: Action) -> None:
    alike = group(file(b"/a", 1), file(b"/b", 2), before=(1,))
    placed = [was(b"00001.jpg", 1), was(b"00001_1.jpg", 2)]
    plan = plan_of(alike, action=action, placed=placed, taken=[b"00001_1.jpg"], again=True)
    move_too = {b"/b": b"00001_3.jpg"} if action is Action.MOVE else {}
    assert (went(plan), plan.withheld) == ({b"/a": b"00001_2.jpg"} | move_too, 0)


def test_what_was_placed_again_is_there_for_good() -> None:
    """Placed twice, under two numbers: one of the two is enough."""
    placed = [was(b"00001.jpg", 1), was(b"00001_1.jpg", 1)]
    plans = [
        plan_of(group(file(b"/a", 1), before=(1,)), placed=placed, taken=[b"00001_1.jpg"], again=again)
        for again in (False, True)
    ]
    assert [(went(plan), plan.withheld) for plan in plans] == [({}, 0)] * 2


def test_move_takes_a_file_whose_content_is_placed_and_there() -> None:
    plan = plan_of(group(file(b"/a came back", 1), before=(1,)), action=Action.MOVE, placed=[was(b"00001.jpg", 1)])
    assert plan == Plan(
        DEST,
        Action.MOVE,
        (step(Action.MOVE, b"/a came back", b"00001_1.jpg", 1),),
        pictures=1,
        groups=1,
        grouped=1,
        remaining=0,
        twice=1,
    )


def test_files_of_equal_bytes_that_are_withheld_are_each_counted_by_move_and_once_by_copy() -> None:
    alike = group(file(b"/a", 1), file(b"/a again", 1), before=(1,))
    plans = [
        plan_of(alike, action=action, placed=[was(b"00001.jpg", 1)], taken=[]) for action in (Action.MOVE, Action.COPY)
    ]
    assert [(plan.steps, plan.withheld) for plan in plans] == [((), 2), ((), 1)]


def test_a_group_in_which_nothing_is_new_uses_up_no_number() -> None:
    sets = [group(file(b"/a", 1), before=(1,)), group(file(b"/b", 2), file(b"/c", 3))]
    assert went(plan_of(*sets, placed=[was(b"00001.jpg", 1)])) == {b"/b": b"00002.jpg", b"/c": b"00002_1.jpg"}


# Keepers and templates


def test_keepers_places_the_first_of_each_set_that_has_nothing_placed() -> None:
    sets = [
        group(file(b"/a", 1), file(b"/b", 2)),
        group(file(b"/c", 3), file(b"/d", 4), before=(7,)),
        alone(file(b"/e", 5)),
    ]
    placed = [was(b"00007.jpg", 9)]
    for action in EVERY:
        assert went(plan_of(*sets, action=action, placed=placed, keepers=True)) == {
            b"/a": b"00008.jpg",
            b"/e": b"00009.jpg",
        }
        assert went(plan_of(*sets, action=action, placed=placed, keepers=True, rest=False)) == {b"/a": b"00008.jpg"}


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.SYMLINK, Action.MOVE])
def test_keepers_takes_the_best_that_can_be_placed_if_the_keeper_is_masked(action: Action) -> None:
    alike = group(file(b"/FileStorage/Image/2026-01/" + b"a" * 32 + b".dat", 1), file(b"/b.jpg", 2), file(b"/c.jpg", 3))
    plan = plan_of(alike, action=action, keepers=True)
    assert (list(went(plan)), plan.masked) == ([b"/b.jpg"], 1)


def test_kind_and_size_are_those_of_the_content() -> None:
    moving = content(1, format="gif", frames=9, duration_ms=900, width=30, height=20)
    pages = content(2, format="tiff", frames=9)
    plan = plan_of(alone(file(b"/a", moving)), alone(file(b"/b", pages)), folder="{kind}", name="{width}x{height}")
    assert went(plan) == {b"/a": b"animated/30x20.gif", b"/b": b"still/10x10.tiff"}


def test_a_placed_name_in_a_folder_counts_whatever_its_case() -> None:
    """On a file system that ignores case or normalises, the name may be listed in another form."""
    placed = [Placed(3, 0, b"Still/D\xc3\xa9.jpg", content(1).digest)]
    again = group(file(b"/a", 1), before=(3,))
    for name, count in ((b"still/de\xcc\x81.JPG", 0), (b"still/d.jpg", 1)):
        plan = plan_of(again, placed=placed, taken=[name], again=True)
        assert len(plan.steps) == count


def test_numbers_in_folders_count_but_not_the_names_of_placed_pictures_and_their_folders() -> None:
    placed = [Placed(1, 0, b"202611/70001.jpg", content(9).digest)]
    taken = [b"202611/70001.jpg", b"202611/00041_1.png"]
    plan = plan_of(alone(file(b"/a", 1)), placed=placed, taken=taken, folders=[b"202611", b"00050", b"202611/00060"])
    assert went(plan) == {b"/a": b"00051.jpg"}


@given(
    stems=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=9), max_size=9),
    taken=st.lists(st.sampled_from([b"a.jpg", b"A_2.jpg", b"still/00001.jpg", b"CON.jpg"]), unique=True),
    folder=st.sampled_from(["", "{kind}", "{stem}", "{group}/{stem}"]),
    name=st.sampled_from(["{stem}", "{kind}", DEFAULT_NAME]),
)
def test_no_two_pictures_get_one_name_whatever_they_are_called(
    stems: list[str], taken: list[bytes], folder: str, name: str
) -> None:
    files = [file(f"/{id}/{stem}.jpg".encode(), id) for id, stem in enumerate(stems, 1)]
    plan = plan_of(*map(alone, files), taken=taken, folders=[b"still"], name=name, folder=folder)
    keys = [key_of(name) for name in (*taken, *went(plan).values())]
    assert (len(set(keys)), len(plan.steps)) == (len(taken) + len(stems), len(stems))
