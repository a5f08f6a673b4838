"""Which groups are shown, in which order and how many: the selection against a plain definition, and the commands."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from builders import file
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, save
from typer.testing import CliRunner, Result

from hashindex import Group, Grouping, HashIndex, Level, Member, Selection, Sort, State, UsageError
from hashindex.commands.cli import app
from hashindex.index.selection import in_no_group, matching, selected
from hashindex.output.text.groups import in_no_group_text, none_matching_text, totals_json, totals_text

posix = pytest.mark.skipif(os.name != "posix", reason="it is about paths of POSIX")

# Names of which one is the beginning of another, and bytes that are not UTF-8.
FOLDERS = [b"/", b"/a", b"/a/b", b"/ab", b"/a b", b"/a/\xff"]


def group(id: int, *sized: tuple[bytes, int], level: Level = Level.COPIES) -> Group:
    members = tuple(Member(file(path, 1, size=size), 0) for path, size in sized)
    return Group(id, level, "phash256", 0, 0, members)


def ids(groups: Sequence[Group]) -> list[int]:
    return [each.id for each in groups]


@st.composite
def lots_of_groups(draw: st.DrawFn) -> list[Group]:
    """Groups of distinct paths with numbers by their lowest path, in any order."""
    names = st.sampled_from([b"1", b"2", b"b", b"\xff"])
    path: st.SearchStrategy[bytes] = st.builds(os.path.join, st.sampled_from(FOLDERS), names)
    paths = draw(st.lists(path, unique=True, max_size=24))
    sizes = draw(st.lists(st.integers(0, 4), min_size=len(paths), max_size=len(paths)))
    held = list(zip(paths, sizes, strict=True))
    cuts = draw(st.lists(st.integers(2, 4), max_size=8))
    found = []
    for count in cuts:
        taken, held = held[:count], held[count:]
        if len(taken) > 1:
            found.append(taken)
    by_path = sorted(found, key=min)
    return draw(st.permutations([group(number, *each) for number, each in enumerate(by_path, 1)]))


@posix
@given(
    lots_of_groups(),
    st.none() | st.sampled_from(FOLDERS),
    st.none() | st.tuples(st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)),
    st.integers(0, 10),
    st.lists(st.sampled_from([b"/a/1", b"/ab/1", b"/1", b"/a/b/1"]), max_size=2),
    st.sampled_from(Sort),
    st.none() | st.integers(1, 5),
)
def test_a_selection_is_what_its_conditions_say(
    groups: list[Group],
    under: bytes | None,
    between: tuple[bytes, bytes] | None,
    min_bytes: int,
    pictures: list[bytes],
    sort: Sort,
    limit: int | None,
) -> None:
    def is_below(path: bytes, folder: bytes) -> bool:
        return path.split(b"/")[: len(folder.rstrip(b"/").split(b"/"))] == folder.rstrip(b"/").split(b"/")

    def is_wanted(one: Group) -> bool:
        paths = [member.file.path_bytes for member in one.members]
        sizes = [member.file.size for member in one.members]
        return (
            (under is None or any(is_below(path, under) for path in paths))
            and (
                between is None
                or any(is_below(a, between[0]) and is_below(b, between[1]) for a, b in permutations(paths, 2))
            )
            and sum(sizes) - sizes[0] >= min_bytes
            and (not pictures or any(path in pictures for path in paths))
        )

    def rank(one: Group) -> tuple[object, ...]:
        sizes = [member.file.size for member in one.members]
        first = {Sort.SPACE: sum(sizes[1:]), Sort.MEMBERS: len(sizes), Sort.PATH: 0}[sort]
        return -first, min(member.file.path_bytes for member in one.members)

    expected = sorted(filter(is_wanted, groups), key=rank)
    selection = Selection(under, between, min_bytes, pictures, sort, limit)
    assert matching(groups, selection) == expected
    assert selected(groups, selection) == expected[: len(expected) if limit is None else limit]


@posix
def test_one_picture_in_the_inner_of_two_folders_is_not_between_them() -> None:
    inner, both = group(1, (b"/a/b/1", 1), (b"/c/1", 1)), group(2, (b"/a/b/2", 1), (b"/a/2", 1))
    assert ids(matching([inner, both], Selection(between=("/a", "/a/b")))) == [2]
    assert ids(matching([inner, both], Selection(between=("/a", "/a")))) == [2]


@posix
def test_a_folder_may_end_in_a_separator_or_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real = os.fsencode(os.path.realpath(tmp_path / "real"))
    groups = [group(1, (real + b"/1", 1), (b"/elsewhere", 1))]
    assert matching(groups, Selection(under=f"{tmp_path / 'link'}{os.sep}")) == groups
    assert matching(groups, Selection(under=tmp_path / "lin")) == []
    assert matching(groups, Selection(pictures=[tmp_path / "link" / "1"])) == groups


@posix
def test_a_picture_is_found_as_a_link_and_as_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    real, link = (os.fsencode(os.path.join(os.path.realpath(tmp_path), name)) for name in ("real.png", "link.png"))
    asked = tmp_path / "link.png"
    groups = [
        group(1, (real, 1), (b"/other", 1)),
        group(2, (link, 1), (b"/third", 1)),
        group(3, (b"/x", 1), (b"/y", 1)),
    ]
    assert ids(matching(groups, Selection(pictures=[asked]))) == [1, 2]
    assert in_no_group([asked, "/x", "/z"], groups) == ["/z"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"sort": "size"}, 'no sort called "size"; choose one of space, members, path'),
        ({"min_bytes": -1}, "min_bytes is 0 or more, not -1"),
        ({"min_bytes": "10MB"}, "min_bytes takes int, not '10MB'"),
        ({"min_bytes": True}, "min_bytes takes int, not True"),
        ({"limit": 0}, "limit is 1 or more, not 0"),
        ({"limit": 1.5}, "limit takes int | None, not 1.5"),
        ({"between": ("/a",)}, "between takes two folders"),
        ({"between": "ab"}, "between takes tuple | None, not 'ab'"),
        ({"pictures": 5}, "pictures takes str | bytes | PathLike | Iterable, not 5"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        Selection(**how)


# Totals and sentences


def test_totals_count_what_is_shown_and_say_of_how_many() -> None:
    shown = [group(1, (b"/1", 9), (b"/2", 1024)), group(2, (b"/3", 9), (b"/4", 512), (b"/5", 512))]
    assert totals_text(shown, 2) == "2 groups: 3 extra copies, 2.0 KB that could be freed."
    assert totals_text(shown[:1], 1200) == "The first 1 of 1,200 groups: 1 extra copy, 1.0 KB that could be freed."
    assert json.loads(totals_json(shown, 1200)) == {
        "event": "summary",
        "groups": 2,
        "matching": 1200,
        "extra": 3,
        "extra_bytes": 2048,
        "members": [],
    }


@pytest.mark.parametrize("level", [Level.SIMILAR, Level.RADIUS])
def test_what_may_be_a_variant_is_not_called_a_copy(level: Level) -> None:
    assert totals_text([group(1, (b"/1", 9), (b"/2", 1), level=level)], 1) == (
        "1 group: 1 extra picture, 1 byte that could be freed."
    )


@posix
def test_why_no_group_is_shown() -> None:
    everything = Selection(under="/a", between=("/b", "/c\n"), min_bytes=2048, pictures=["/d"])
    assert none_matching_text(12, everything) == (
        "Of 12 groups none has one of these pictures and a picture below /a and a picture below /b and another below "
        "/c\\n and 2.0 KB or more beside the keeper."
    )


def test_why_a_picture_is_in_no_group() -> None:
    there, gone = file(b"/x", 1), file(b"/x", 1, state=State.MISSING)
    texts = [
        in_no_group_text("x\x1b", None, Level.COPIES, is_organized=False),
        in_no_group_text("x", gone, Level.COPIES, is_organized=False),
        in_no_group_text("x", there, Level.COPIES, is_organized=True),
        in_no_group_text("x", there, Level.COPIES, is_organized=False),
        in_no_group_text("x", there, Level.SIMILAR, is_organized=False),
    ]
    assert texts == [
        "x\\x1b is not in the catalogue; check its name, scan its folder, or search by it: hashindex query",
        "x is gone, and groups hold only files that are there.",
        "x is organized already and in no group.",
        "x is in no group. Variants: --level similar",
        "x is in no group.",
    ]


# In a catalogue


@pytest.fixture
def collection(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three groups in new/ and main/, with more bytes beside the keeper from one to the next, and a single picture."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    (folder / "new").mkdir()
    (folder / "main").mkdir()
    save(draw(1), folder / "new" / "cat.png")
    save(draw(1), folder / "new" / "cat.gif")
    for number, size in enumerate([(320, 240), (640, 480)], 2):
        one = save(draw(number, size), folder / "main" / f"{number}.png")
        shutil.copy2(one, folder / "new" / f"{number}.png")
    save(draw(4), folder / "single.png")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def shown(*words: object) -> list[list[str]]:
    """The names in each group that a command shows, in the order of the output."""
    *groups, _ = map(json.loads, run("groups", "--json", *words).stdout.splitlines())
    return [sorted(os.path.basename(member["path"]) for member in each["members"]) for each in groups]


CAT, TWO, THREE = ["cat.gif", "cat.png"], ["2.png", "2.png"], ["3.png", "3.png"]


def test_groups_are_numbered_as_organize_numbers_them(collection: Path, index: HashIndex, tmp_path: Path) -> None:
    index.scan([collection])
    everything = index.groups()
    assert ids(everything) == [1, 2, 3]
    placed = {(step.source_bytes, step.number) for step in index.plan(tmp_path / "dest", rest=True).steps}
    assert {(each.keeper.file.path_bytes, each.id) for each in everything} <= placed
    # A selection changes the order and not the numbers.
    by_space = index.groups(selection=Selection(limit=2))
    assert by_space == sorted(everything, key=lambda each: -each.extra_bytes)[:2]


def test_groups_of_variants_have_the_numbers_one_to_n_too(index: HashIndex, folder: Path) -> None:
    for number in range(3):
        save(draw(number), folder / f"{number}.png")
        save(draw(number), folder / f"{number}.gif")
    index.scan([folder])
    for grouping in (Grouping(level=Level.SIMILAR), Grouping(hash="phash"), Grouping(passes=(0, 24))):
        found = index.groups(grouping)
        assert (ids(found), found) == (
            [1, 2, 3],
            sorted(found, key=lambda each: min(m.file.path_bytes for m in each.members)),
        )


def test_the_options_of_groups(collection: Path) -> None:
    run("scan", collection)
    new, main = collection / "new", collection / "main"
    assert shown() == [THREE, TWO, CAT]
    assert shown("--sort", "path") == [TWO, THREE, CAT]
    assert shown("--limit", 2) == [THREE, TWO]
    assert shown("--under", main) == [THREE, TWO]
    assert shown("--under", new, "--limit", 1) == [THREE]
    assert shown("--between", new, main) == shown("--between", main, new) == [THREE, TWO]
    assert shown("--between", new, new) == [CAT]
    assert shown("--min-bytes", (main / "3.png").stat().st_size) == [THREE]
    save(draw(1), main / "cat again.bmp")
    run("scan", collection)
    assert shown("--sort", "members", "--limit", 1) == [["cat again.bmp", *CAT]]


def test_the_groups_of_some_pictures(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("scan", collection)
    monkeypatch.chdir(collection)
    assert shown("new/2.png") == shown(collection / "main" / "2.png") == [TWO]
    assert shown("new/cat.gif", "new/cat.png", "main/3.png") == [THREE, CAT]
    some = run("groups", "new/2.png", "single.png", "nothing.png")
    assert (some.exit_code, some.stdout.count("Group ")) == (0, 1)
    assert some.stderr == (
        "single.png is in no group. Variants: --level similar\n"
        "nothing.png is not in the catalogue; check its name, scan its folder, or search by it: hashindex query\n"
    )


@posix
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{here}/single.png"], "{here}/single.png is in no group. Variants: --level similar\n"),
        (["{here}/new/cat.gif", "--under", "{here}/main"], "Of 3 groups none has one of these pictures and a picture"),
        (["--under", "{here}/nowhere"], "Of 3 groups none has a picture below {here}/nowhere.\n"),
        (["--min-bytes", "999999999"], "Of 3 groups none has 953.7 MB or more beside the keeper.\n"),
    ],
)
def test_nothing_to_show_is_1_and_says_why(collection: Path, words: list[str], sentence: str) -> None:
    run("scan", collection)
    here = os.path.realpath(collection)
    asked = [word.format(here=here) for word in words]
    result, quiet, as_json = (run("groups", *asked, *more) for more in ([], ["-q"], ["--json"]))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(sentence.format(here=here))
    assert (quiet.exit_code, quiet.output) == (1, "")
    assert (as_json.exit_code, json.loads(as_json.stdout)["groups"]) == (1, 0)


def test_a_picture_that_is_gone_or_organized_is_said_to_be_so(collection: Path, tmp_path: Path) -> None:
    run("scan", collection)
    dest = tmp_path / "dest"
    run("organize", dest, "--apply")
    (collection / "single.png").unlink()
    run("scan", collection, dest)
    result = run("groups", collection / "single.png", dest / "00001.png")
    assert (result.exit_code, result.stderr) == (
        1,
        f"{collection / 'single.png'} is gone, and groups hold only files that are there.\n"
        f"{dest / '00001.png'} is organized already and in no group.\n",
    )


def test_a_folder_instead_of_a_picture_is_an_error_that_names_the_option(collection: Path) -> None:
    run("scan", collection)
    result = run("groups", collection)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"is a folder; for the groups with a picture below it: --under {collection}" in result.stderr


def test_the_last_line_has_the_totals(collection: Path) -> None:
    run("scan", collection)
    size = sum((collection / "main" / name).stat().st_size for name in ("2.png", "3.png"))
    *_, last = run("groups", "--limit", "2").stdout.splitlines()
    assert last.startswith("The first 2 of 3 groups: 2 extra copies, ")
    assert "could be freed" not in run("groups", "-q").stdout
    *groups, summary = map(json.loads, run("groups", "--limit", "2", "--json", "-q").stdout.splitlines())
    assert {each["event"] for each in groups} == {"group"}
    assert (summary["event"], summary["groups"], summary["matching"], summary["extra"]) == ("summary", 2, 3, 2)
    assert summary["extra_bytes"] == sum(each["extra_bytes"] for each in groups) == size


def test_a_report_takes_the_same_options(collection: Path, tmp_path: Path) -> None:
    run("scan", collection)
    page = tmp_path / "report.html"

    def written(*words: object) -> tuple[str, list[int]]:
        assert run("report", page, *words).exit_code == 0
        text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"))
        assert text is not None
        data = json.loads(text[1])
        return data["sort"], [each["id"] for each in data["groups"]]

    assert written() == ("space", [2, 1, 3])
    assert written("--under", collection / "main", "--sort", "path") == ("path", [1, 2])
    assert written("--between", collection / "new", collection / "new") == ("space", [3])
    assert written("--limit", 1) == ("space", [2])


def test_the_catalogue_tells_of_a_file(collection: Path, index: HashIndex) -> None:
    index.scan([collection])
    (collection / "single.png").rename(collection.parent / "away.png")
    index.scan([collection])
    files = [index.file(collection / name) for name in ("new/cat.gif", "single.png", "nothing.png")]
    assert [None if each is None else (each.state, each.content.format) for each in files] == [
        (State.PRESENT, "gif"),
        (State.MISSING, "png"),
        None,
    ]
