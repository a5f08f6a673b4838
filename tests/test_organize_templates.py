"""organize with templates and with keepers only, on real files: what is placed where, later runs, undo, what is there.

The templates themselves: test_name_template.py. Killed and failing runs: test_organize_crash.py and test_faults.py.
"""

import errno
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, save
from PIL import Image
from trees import manifest, tree
from typer.testing import CliRunner

from hashindex import HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.core.organizing import PLACING, Action, Organized
from hashindex.core.safe_names import name_key
from hashindex.disk.files import FolderNames, folder_names
from hashindex.organize.free_names import FreeNames
from hashindex.pictures import date_taken

NOON_NS = 1_700_000_000 * 10**9  # 2023-11-14 22:13:20 in UTC
FOLDERS: dict[str, Any] = {"folder": "{date:%Y}/{kind}", "name": "{stem}{_copy}"}
posix_only = pytest.mark.skipif(os.name != "posix", reason="names that Windows refuses")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(time, "tzset"):
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "stickers"


def cat(size: tuple[int, int] = (160, 120)) -> Image.Image:
    return draw(1).resize(size)


def with_date(path: Path, seed: int, date: str) -> None:
    held = Image.Exif()
    held.get_ifd(0x8769)[0x9003] = date
    draw(seed).save(path, exif=held.tobytes())
    os.utime(path, ns=(NOON_NS, NOON_NS))


def animation(path: Path, *seeds: int) -> None:
    first, *others = (draw(seed) for seed in seeds)
    first.save(path, save_all=True, append_images=others, duration=100)
    os.utime(path, ns=(NOON_NS, NOON_NS))


@pytest.fixture
def chat(folder: Path) -> Path:
    """Two encodings of a cat, a dog with a date in its EXIF, an owl that moves."""
    save(cat(), folder / "cat.bmp", mtime_ns=NOON_NS)
    save(cat(), folder / "b" / "cat.png", mtime_ns=NOON_NS)
    with_date(folder / "dog.jpg", 2, "2019:03:04 05:06:07")
    animation(folder / "owl.gif", 3, 4)
    return folder


def organize(index: HashIndex, dest: Path, action: Action = Action.COPY, **how: Any) -> Organized:
    """Scans what was scanned before, and organizes with the rest; the largest file is the keeper."""
    index.scan()
    return index.organize(dest, **{"action": action, "rest": True, "keep": "largest", **how})


def below(dest: Path) -> list[str]:
    """Every file below dest but the manifest."""
    return sorted(name for name, what in tree(dest).items() if what and name != ".hashindex.jsonl")


FIRST = ["2019/still/dog.jpg", "2023/animated/owl.gif", "2023/still/cat.bmp", "2023/still/cat_1.png"]


# Places, and later runs


def test_templates_say_folder_and_name_of_each_picture(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest, **FOLDERS)
    assert (below(dest), sorted(manifest(dest))) == (FIRST, FIRST)


@pytest.mark.parametrize("action", PLACING)
def test_three_runs_in_a_row_add_only_what_is_new(index: HashIndex, chat: Path, dest: Path, action: Action) -> None:
    index.scan([chat])
    organize(index, dest, action, **FOLDERS)
    first = tree(dest)
    assert organize(index, dest, action, **FOLDERS).outcome.batch is None
    save(cat((80, 60)), chat / "cat.gif", mtime_ns=NOON_NS)
    save(draw(5), chat / "CAT.bmp", mtime_ns=NOON_NS)
    assert organize(index, dest, action, **FOLDERS).outcome.done == 2
    # The name of the other picture, which is no cat, is in use if case does not count.
    assert below(dest) == sorted([*FIRST, "2023/still/CAT_2.bmp", "2023/still/cat_2.gif"])
    assert {name: what for name, what in tree(dest).items() if name in first and name != ".hashindex.jsonl"} == {
        name: what for name, what in first.items() if name != ".hashindex.jsonl"
    }
    assert organize(index, dest, action, **FOLDERS).outcome.batch is None


@pytest.mark.parametrize("lost", ["catalogue", "manifest"])
def test_what_was_placed_in_folders_is_known_by_catalogue_or_manifest(
    index: HashIndex, chat: Path, dest: Path, lost: str
) -> None:
    index.scan([chat])
    organize(index, dest, **FOLDERS)
    if lost == "catalogue":
        for path in index.path.parent.glob(f"{index.path.name}*"):
            path.unlink()
        index.scan([chat])
    else:
        (dest / ".hashindex.jsonl").unlink()
    assert organize(index, dest, **FOLDERS).outcome.batch is None
    save(cat((80, 60)), chat / "cat.gif", mtime_ns=NOON_NS)
    organize(index, dest)
    assert (below(dest), sorted(manifest(dest))) == (["00001_2.gif", *FIRST],) * 2


def test_an_earlier_destination_goes_on_as_it_was(index: HashIndex, chat: Path, dest: Path) -> None:
    """Numbers, names and bytes of an earlier run stay; new pictures get the new template, and the number of theirs."""
    index.scan([chat])
    organize(index, dest)
    before = tree(dest)
    save(cat((80, 60)), chat / "cat.gif", mtime_ns=NOON_NS)
    save(draw(5), chat / "hen.png", mtime_ns=NOON_NS)
    plan = organize(index, dest, folder="{kind}", name="{stem}-{number}{_copy}").plan
    assert [(step.number, step.copy) for step in plan.steps] == [(1, 2), (4, 0)]
    default = ["00001.bmp", "00001_1.png", "00002.jpg", "00003.gif"]
    new = ["still/cat-00001_2.gif", "still/hen-00004.png"]
    assert below(dest) == [*default, *new]
    assert {name: what for name, what in tree(dest).items() if name in before and "jsonl" not in name} == {
        name: what for name, what in before.items() if "jsonl" not in name
    }
    # And the other way: the default template again, whose numbers go on.
    save(draw(6), chat / "pig.png", mtime_ns=NOON_NS)
    save(draw(5), chat / "hen.bmp", mtime_ns=NOON_NS)
    organize(index, dest)
    assert below(dest) == sorted([*default, *new, "00004_1.bmp", "00005.png"])


def test_names_and_folders_made_of_digits_are_no_numbers(index: HashIndex, folder: Path, dest: Path) -> None:
    save(draw(1), folder / "70001.png", mtime_ns=NOON_NS)
    save(draw(2), folder / "a.png", mtime_ns=NOON_NS)
    index.scan([folder])
    organize(index, dest, folder="{date:%Y%m}", name="{stem}")
    save(draw(3), folder / "b.png")
    organize(index, dest)
    assert below(dest) == ["00003.png", "202311/70001.png", "202311/a.png"]


def test_without_catalogue_and_manifest_numbers_go_on_after_those_in_folders(
    index: HashIndex, chat: Path, dest: Path
) -> None:
    index.scan([chat])
    organize(index, dest, folder="{kind}")
    for path in (dest / ".hashindex.jsonl", *index.path.parent.glob(f"{index.path.name}*")):
        path.unlink()
    save(draw(5), chat / "hen.png")
    index.scan([chat])
    plan = index.plan(dest, rest=True, folder="{kind}")
    assert min(step.number for step in plan.steps) == 4


def test_a_name_that_was_deleted_is_not_given_to_another_picture(index: HashIndex, folder: Path, dest: Path) -> None:
    save(draw(1), folder / "a" / "cat.png")
    index.scan([folder])
    organize(index, dest, name="{stem}")
    (dest / "cat.png").unlink()
    save(draw(2), folder / "b" / "cat.png")
    assert organize(index, dest, name="{stem}").plan.withheld == 1
    assert below(dest) == ["cat_2.png"]
    organize(index, dest, name="{stem}", again=True)
    assert (below(dest), sorted(manifest(dest))) == (["cat_2.png", "cat_3.png"], ["cat.png", "cat_2.png", "cat_3.png"])


# Undo


@pytest.mark.parametrize("action", PLACING)
@pytest.mark.parametrize("inside", [True, False], ids=["inside the root", "outside"])
def test_undo_restores_and_takes_empty_folders_of_its_own_away(
    index: HashIndex, chat: Path, tmp_path: Path, action: Action, inside: bool
) -> None:
    dest = (chat if inside else tmp_path) / "stickers"
    before = tree(chat)
    index.scan([chat])
    organize(index, dest, action, **FOLDERS)
    assert index.undo().done == 4
    assert (tree(chat), dest.exists()) == (before, False)


def test_undo_leaves_folders_that_were_there_or_hold_something(index: HashIndex, chat: Path, dest: Path) -> None:
    (dest / "2019" / "still").mkdir(parents=True)
    (dest / "2023").mkdir()
    index.scan([chat])
    before = tree(dest)
    organize(index, dest, **FOLDERS)
    save(draw(7), dest / "2023" / "animated" / "mine.png")
    index.undo()
    assert below(dest) == ["2023/animated/mine.png"]
    assert {name for name, what in tree(dest).items() if what is None} == {*before, "2023/animated/"}


def test_a_folder_goes_with_the_last_batch_that_has_pictures_in_it(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest, folder="{kind}")
    save(draw(5), chat / "hen.png")
    organize(index, dest, folder="{kind}")
    index.undo(1)
    assert [name for name, what in tree(dest).items() if what is None] == ["still/"]
    index.undo(2)
    assert not dest.exists()


def test_a_folder_whose_pictures_were_all_refused_is_taken_away(index: HashIndex, folder: Path, dest: Path) -> None:
    save(draw(1), folder / "a.png")
    animation(folder / "b.gif", 3, 4)
    index.scan([folder])

    def change_the_second() -> bool:
        if (dest / "still").exists():
            (folder / "b.gif").write_bytes(b"changed")
        return False

    organized = index.organize(dest, rest=True, folder="{kind}/{stem}", stop=change_the_second)
    assert (organized.outcome.done, len(organized.outcome.refused)) == (1, 1)
    assert [name for name, what in tree(dest).items() if what is None] == ["still/", "still/a/"]


# What is in the way


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_link_or_a_file_with_the_name_of_a_folder_gets_no_picture(
    index: HashIndex, folder: Path, dest: Path, tmp_path: Path, what: str
) -> None:
    save(draw(1), folder / "a.png")
    index.scan([folder])
    outside = tmp_path / "outside"
    outside.mkdir()
    dest.mkdir()

    def put() -> bool:
        if what == "link":
            (dest / "still").symlink_to(outside, target_is_directory=True)
        else:
            (dest / "still").write_text("mine")
        return False

    organized = index.organize(dest, rest=True, folder="{kind}", stop=put)
    (refusal,) = organized.outcome.refused
    assert refusal.reason == (
        f"the folder {dest / 'still'} cannot be made: a file or a link has the name. Rename it, and run again"
    )
    assert (list(outside.iterdir()), organized.outcome.done) == ([], 0)
    # A plan that sees it takes another name.
    index.organize(dest, rest=True, folder="{kind}")
    assert (list(outside.iterdir()), (dest / "still_2" / "00001.png").exists()) == ([], True)
    index.undo()
    assert os.listdir(dest) == ["still"]


def test_what_appeared_under_a_name_in_a_folder_is_never_replaced(index: HashIndex, folder: Path, dest: Path) -> None:
    save(draw(1), folder / "a.png")
    index.scan([folder])

    def put() -> bool:
        save(draw(9), dest / "still" / "a.png")
        return False

    before = draw(9).tobytes()
    organized = index.organize(dest, rest=True, folder="{kind}", name="{stem}", stop=put)
    assert organized.outcome.done == 0 and "is in use now" in organized.outcome.refused[0].reason
    with Image.open(dest / "still" / "a.png") as there:
        assert there.convert("RGB").tobytes() == before or there.tobytes() == before


def test_a_folder_that_cannot_be_made_is_a_sentence_and_the_rest_goes_on(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def denied(path: bytes, *mode: int) -> None:
        if b"animated" in os.fsencode(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        make(path, *mode)

    index.scan([chat])
    monkeypatch.setattr(os, "mkdir", denied)
    outcome = organize(index, dest, folder="{kind}").outcome
    assert (outcome.done, [refusal.reason for refusal in outcome.refused]) == (
        3,
        [f"the folder {dest / 'animated'} cannot be made: permission denied"],
    )


def test_a_full_disk_ends_the_batch_at_a_folder_too(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: bytes, *mode: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    index.scan([chat])
    dest.mkdir()
    monkeypatch.setattr(os, "mkdir", full)
    outcome = organize(index, dest, folder="{kind}").outcome
    assert (outcome.done, outcome.stopped) == (0, "the disk is full; free some space and run it again")


# Names that are long, empty, equal or hostile


@posix_only
def test_every_name_of_a_source_becomes_a_name_for_every_system(index: HashIndex, folder: Path, dest: Path) -> None:
    if sys.platform == "darwin":
        pytest.skip("names that are not UTF-8 are refused")
    names = {
        b"x" * 251 + b".png": b"x" * 251 + b".png",
        b"y" * 255: b"y" * 251 + b".png",
        "\u732b".encode() * 84 + b".gi": "\u732b".encode() * 83 + b".png",
        b"CON.png": b"_CON.png",
        b" .png": b"00005.png",
        b"a\\b:c?.png": b"a_b_c_.png",
        b"tail. .png": b"tail.png",
        b"\xff\xfe\n.png": b"___.png",
        "de\u0301ja\u0300.png".encode(): "d\u00e9j\u00e0.png".encode(),
    }
    for seed, name in enumerate(names, 1):
        save(draw(seed), folder / "picture.png")
        os.rename(os.fsencode(folder / "picture.png"), os.path.join(os.fsencode(folder), name))
    index.scan([folder])
    plan = index.plan(dest, rest=True, name="{stem}", hash="phash256", radius=0)
    numbers = {os.path.basename(step.source_bytes): step.number for step in plan.steps}
    names[b" .png"] = b"%05d.png" % numbers[b" .png"]
    index.organize(dest, rest=True, name="{stem}", hash="phash256", radius=0)
    assert {os.path.basename(step.source_bytes): os.path.basename(step.target_bytes) for step in plan.steps} == names
    assert sorted(os.listdir(os.fsencode(dest))) == sorted([*names.values(), b".hashindex.jsonl"])
    index.undo()
    assert not dest.exists()


def test_equal_names_are_told_apart_and_the_extension_is_kept(index: HashIndex, folder: Path, dest: Path) -> None:
    long = "x" * 251
    for seed in (1, 2, 3):
        save(draw(seed), folder / str(seed) / f"{long}.png")
    index.scan([folder])
    organize(index, dest, name="{stem}")
    assert below(dest) == sorted([f"{long}.png", f"{'x' * 249}_2.png", f"{'x' * 249}_3.png"])


def test_a_picture_in_no_group_has_an_empty_group(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest, folder="{group}", name="{group}{_copy}")
    assert below(dest) == ["00001/00001.bmp", "00001/00001_1.png", "00002.jpg", "00003.gif"]


@pytest.mark.parametrize(
    ("there", "wanted", "given"),
    [
        (([], ["cat.gif"]), ((), "cat", ".gif"), "cat_2.gif"),
        (([], ["CAT.GIF"]), ((), "cat", ".gif"), "cat_2.gif"),
        (([], ["cat.gif", "Cat_2.gif"]), ((), "cat", ".gif"), "cat_3.gif"),
        (([], ["cat.png"]), ((), "cat", ".gif"), "cat.gif"),
        (([], ["de\u0301ja\u0300.gif"]), ((), "D\u00c9J\u00c0", ".gif"), "D\u00c9J\u00c0_2.gif"),
        ((["Still"], []), (("still",), "a", ".gif"), "Still/a.gif"),
        ((["Still"], ["Still/A.gif"]), (("still",), "a", ".gif"), "Still/a_2.gif"),
        (([], ["STILL"]), (("still", "x"), "a", ".gif"), "still_2/x/a.gif"),
        ((["cat.gif"], []), ((), "cat", ".gif"), "cat_2.gif"),
        ((["A", "A/B"], []), (("a", "b", "c"), "d", ".png"), "A/B/c/d.png"),
        (([], []), (("f" * 255,), "d", ".png"), f"{'f' * 255}/d.png"),
        (([], ["f" * 255]), (("f" * 255,), "d", ".png"), f"{'f' * 253}_2/d.png"),
    ],
)  # fmt: skip
def test_a_name_is_free_whatever_its_case_and_form(
    there: tuple[list[str], list[str]], wanted: tuple[tuple[str, ...], str, str], given: str
) -> None:
    folders, others = ([os.fsencode(name) for name in names] for names in there)
    names = FreeNames(FolderNames(folders, others), [])
    assert names.take(*wanted).decode() == given
    assert name_key(names.take(*wanted).decode()) != name_key(given)


def test_a_thousand_equal_names_take_a_thousand_tries() -> None:
    names = FreeNames(FolderNames([], []), [b"cat_7.gif"])
    given = [names.take((), "cat", ".gif") for _ in range(1000)]
    assert (given[0], given[5], given[6], given[-1], len(set(given))) == (
        *(b"cat.gif", b"cat_6.gif", b"cat_8.gif", b"cat_1001.gif"),
        1000,
    )


# The names in a destination


def test_names_below_leave_out_links_and_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.png").write_bytes(b"")
    (tmp_path / "locked").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a", target_is_directory=True)
    scan = os.scandir

    def denied(path: bytes) -> Any:
        if path.endswith((b"locked", b"locked/")):
            raise PermissionError(errno.EACCES, "denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    found = folder_names(os.fsencode(tmp_path), below=True)
    assert (sorted(found.folders), sorted(found.others)) == ([b"a", b"a/b", b"locked"], [b"a/b/c.png", b"link"])
    found = folder_names(os.fsencode(tmp_path), below=False)
    assert (sorted(found.folders), sorted(found.others)) == ([b"a", b"locked"], [b"link"])
    assert folder_names(os.fsencode(tmp_path / "none"), below=True) == FolderNames([], [])
    with pytest.raises(PermissionError):
        folder_names(os.fsencode(tmp_path / "locked"), below=True)


# Dates


def test_the_date_is_that_of_the_exif_or_else_of_the_file(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest, name="{date:%Y-%m-%d %H.%M} {modified:%Y} {number}")
    assert [name for name in below(dest) if name.endswith(("jpg", "gif"))] == [
        "2019-03-04 05.06 2023 00002.jpg",
        "2023-11-14 22.13 2023 00003.gif",
    ]


def test_pictures_are_read_only_for_a_template_with_a_date(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("hashindex.organize.planning._dates_taken", never)
    index.scan([chat])
    organize(index, dest, folder="{modified:%Y}/{kind}", name="{stem}{_copy}")
    with pytest.raises(AssertionError):
        index.plan(dest, rest=True, folder="{date:%Y}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the worker must inherit the patch")
def test_a_picture_that_ends_its_reader_has_the_date_of_its_file(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_date(chat / "fox.jpg", 6, "2018:01:01 00:00:00")
    index.scan([chat])
    hostile, read, here = (chat / "dog.jpg").read_bytes(), date_taken.date_taken, os.getpid()

    def crash(data: bytes, limits: Any) -> Any:
        assert os.getpid() != here, "it was read in the process of the command"
        if data == hostile:
            os._exit(1)
        return read(data, limits)

    monkeypatch.setattr(date_taken, "date_taken", crash)
    organize(index, dest, folder="{date:%Y}", name="{stem}{_copy}")
    assert [name for name in below(dest) if name.endswith("jpg")] == ["2018/fox.jpg", "2023/dog.jpg"]


# Keepers only


def test_keepers_places_the_keeper_of_each_group_alone(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    plan = index.plan(dest, keepers=True, keep="largest")
    assert [(os.path.basename(step.source_bytes), step.number, step.copy) for step in plan.steps] == [
        (b"cat.bmp", 1, 0)
    ]
    organize(index, dest, keepers=True)
    assert below(dest) == ["00001.bmp", "00002.jpg", "00003.gif"]


@pytest.mark.parametrize("action", PLACING)
def test_keepers_adds_nothing_to_a_group_that_has_a_picture(
    index: HashIndex, chat: Path, dest: Path, action: Action
) -> None:
    index.scan([chat])
    organize(index, dest, action, keepers=True)
    assert organize(index, dest, action, keepers=True).outcome.batch is None
    save(cat((320, 240)), chat / "larger cat.bmp")
    save(draw(5), chat / "hen.png")
    save(draw(5), chat / "hen.bmp")
    organize(index, dest, action, keepers=True)
    third = ["00001.bmp", "00002.jpg", "00003.gif", "00004.bmp"]
    assert (below(dest), organize(index, dest, action, keepers=True).outcome.batch) == (third, None)
    # Without it the others are added under the same numbers.
    organize(index, dest, action)
    assert below(dest) == sorted([*third, "00001_1.bmp", "00001_2.png", "00004_1.png"])


def test_keepers_again_places_the_keeper_of_a_group_that_lost_its_picture(
    index: HashIndex, chat: Path, dest: Path
) -> None:
    index.scan([chat])
    organize(index, dest, keepers=True)
    (dest / "00001.bmp").unlink()
    organized = organize(index, dest, keepers=True)
    assert (organized.outcome.batch, organized.plan.withheld) == (None, 1)
    organize(index, dest, keepers=True, again=True)
    assert below(dest) == ["00001_1.bmp", "00002.jpg", "00003.gif"]
    assert organize(index, dest, keepers=True, again=True).outcome.batch is None


def test_undo_of_moved_keepers_restores(index: HashIndex, chat: Path, dest: Path) -> None:
    before = tree(chat)
    index.scan([chat])
    organize(index, dest, Action.MOVE, keepers=True, folder="{kind}")
    assert (chat / "b" / "cat.png").exists() and not (chat / "cat.bmp").exists()
    index.undo()
    assert tree(chat) == before


# Commands and settings


@pytest.fixture
def settings(index: HashIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    return tmp_path / "settings.toml"


def run(settings: Path, *arguments: object) -> Any:
    """Runs a command with that settings file."""
    settings.touch()
    return CliRunner().invoke(app, ["--config", str(settings), *map(str, arguments)])


@pytest.mark.parametrize("options", [("--name", "{nr}"), ("--folder", "../{kind}"), ("--name", "a/b")])
def test_a_wrong_template_is_a_usage_error_before_anything_happens(
    settings: Path, index: HashIndex, chat: Path, dest: Path, options: tuple[str, str]
) -> None:
    index.scan([chat])
    for more in ((), ("--apply",)):
        result = run(settings, "organize", dest, *more, *options)
        assert (result.exit_code, result.stdout, dest.exists()) == (2, "", False)
        assert "The template" in result.stderr
    watching = run(settings, "watch", chat, "--organize", dest, *options)
    assert (watching.exit_code, dest.exists()) == (2, False) and "The template" in watching.stderr
    installing = run(settings, "service", "install", "--print", "--organize", dest, *options)
    assert installing.exit_code == 2 and "The template" in installing.stderr


def test_the_command_takes_templates_and_options_override_the_settings(
    settings: Path, index: HashIndex, chat: Path, dest: Path
) -> None:
    index.scan([chat])
    settings.write_text('folder = "{kind}"\nname = "{stem}"\nkeep = "largest"\n')

    def targets(*options: str) -> list[str]:
        lines = run(settings, "organize", dest, "--rest", "--json", *options).stdout.splitlines()
        steps = [json.loads(line) for line in lines[:-1]]
        return [Path(step["target"]).relative_to(dest.resolve()).as_posix() for step in steps]

    assert targets("--keepers") == ["still/cat.bmp", "still/dog.jpg", "animated/owl.gif"]
    assert targets("--keepers", "--folder", "") == ["cat.bmp", "dog.jpg", "owl.gif"]
    assert targets("--keepers", "--folder", "{date:%Y}", "--name", "{number:02}") == [
        *("2023/01.bmp", "2019/02.jpg", "2023/03.gif"),
    ]


@pytest.mark.parametrize(("key", "value"), [("name", '"a/b"'), ("name", "7"), ("folder", '"{x}"'), ("folder", '".."')])
def test_a_wrong_template_in_the_settings_is_a_sentence(settings: Path, dest: Path, key: str, value: str) -> None:
    settings.write_text(f"{key} = {value}\n")
    result = run(settings, "organize", dest)
    assert result.exit_code == 2 and f"{key} must be a template of text and the fields {{number}}," in result.stderr


def test_the_library_refuses_a_wrong_template(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    for act in (index.plan, index.organize):
        with pytest.raises(UsageError, match="unknown field"):
            act(dest, name="{nr}")


def test_a_second_catalogue_goes_on_in_the_folders_of_the_first(
    index: HashIndex, chat: Path, dest: Path, tmp_path: Path
) -> None:
    index.scan([chat])
    organize(index, dest, **FOLDERS)
    other = HashIndex(tmp_path / "other.db")
    copies = tmp_path / "copies"
    shutil.copytree(chat, copies)
    save(draw(5), copies / "cat.png", mtime_ns=NOON_NS)
    other.scan([copies])
    organize(other, dest, **FOLDERS)
    assert below(dest) == sorted([*FIRST, "2023/still/cat.png"])
