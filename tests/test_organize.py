"""HashIndex.organize, undo, recover and history on real files, and what a person sees of them.

Which test holds which line of design.md's "Moving files": at the top of test_organize_crash.py.
"""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pictures import draw, fill, save, write
from trees import listing, manifest, tree
from typer.testing import CliRunner, Result

from hashindex import CatalogueLocked, HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.core.organizing import PLACING, Action, BatchState, Organized, Outcome, Step
from hashindex.disk import files
from hashindex.disk.lock import held
from hashindex.organize import moves
from hashindex.output.text.organize import refusal_text

EVERY = list(PLACING)
LATER_NS = 1_700_000_000_123_456_789


def cat(size: tuple[int, int] = (160, 120)) -> Any:
    return draw(1).resize(size)


@pytest.fixture
def chat(folder: Path) -> Path:
    """Three encodings of a cat in two folders, one of them twice, and a dog and an owl that are alone."""
    save(cat(), folder / "a" / "cat.bmp")
    save(cat(), folder / "b" / "cat.png", mtime_ns=LATER_NS)
    shutil.copy2(folder / "b" / "cat.png", folder / "b" / "cat again.png")
    save(cat((80, 60)), folder / "cat.gif")
    save(draw(2), folder / "dog.png")
    save(draw(3), folder / "owl.jpg")
    return folder


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """A destination that is not there yet, outside of what is scanned."""
    return tmp_path / "stickers"


def organize(index: HashIndex, dest: Path, action: Action = Action.COPY, **how: Any) -> Organized:
    """Scans what was scanned before, and organizes with the rest."""
    index.scan()
    return index.organize(dest, action=action, rest=True, **how)


def reasons(outcome: Outcome) -> dict[str, str]:
    return {os.fsdecode(os.path.basename(refusal.path_bytes)): refusal.reason for refusal in outcome.refused}


def act(owner: Any, name: str, at: int, instead: Callable[..., Any]) -> AbstractContextManager[None]:
    """Lets the at-th call of owner.name be another."""

    @contextmanager
    def patched() -> Any:
        original, calls = getattr(owner, name), iter(range(1, 10_000))

        def call(*given: Any, **named: Any) -> Any:
            return instead(original, *given, **named) if next(calls) == at else original(*given, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, call)
            yield

    return patched()


def fail(number: int) -> Callable[..., Any]:
    def raising(original: Any, *given: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return raising


@contextmanager
def links_fail(number: int, *, within_a_folder: bool = False) -> Any:
    """As on another device (EXDEV: only within a folder do links work) or where there are no hard links."""

    def link(source: Any, target: Any, **named: Any) -> None:
        if within_a_folder and os.path.dirname(source) == os.path.dirname(target):
            os.link(source, target, **named)
        else:
            raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "os", SimpleNamespace(**{**vars(os), "link": link}))
        yield


def replace_fails_once() -> AbstractContextManager[None]:
    return act(vars(moves)["os"], "replace", 1, fail(errno.EIO))


def across_devices() -> Any:
    return links_fail(errno.EXDEV, within_a_folder=True)


# There and back


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("action", EVERY)
def test_undo_puts_names_bytes_and_mtimes_back(index: HashIndex, chat: Path, action: Action, inside: bool) -> None:
    dest = chat / "sorted" if inside else chat.parent / "sorted"
    index.scan([chat])
    before = tree(chat)
    done = organize(index, dest, action).outcome.done
    assert done == (6 if action is Action.MOVE else 5)
    assert sorted(what for what in tree(dest).values() if what) != []
    assert index.undo().done == done
    assert (tree(chat), dest.exists()) == (before, False)


@pytest.mark.parametrize("action", EVERY)
def test_a_destination_that_was_there_is_there_after_undo(
    index: HashIndex, chat: Path, dest: Path, action: Action
) -> None:
    write(dest / "notes.txt", b"mine")
    save(draw(9), dest / "00041.png")
    index.scan([chat])
    before = tree(chat), tree(dest)
    organize(index, dest, action)
    assert {"notes.txt", "00041.png", "00042.bmp"} < set(listing(dest))
    index.undo()
    assert (tree(chat), tree(dest)) == before


@pytest.mark.parametrize("failure", [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
@pytest.mark.parametrize("action", [Action.COPY, Action.MOVE])
def test_there_and_back_across_devices_and_without_hard_links(
    index: HashIndex, chat: Path, dest: Path, action: Action, failure: int
) -> None:
    index.scan([chat])
    before = tree(chat)
    with links_fail(failure, within_a_folder=failure == errno.EXDEV):
        organize(index, dest, action)
        placed = sorted(what for name, what in tree(dest).items() if what and name[0] != ".")
        wanted = sorted(what for what in before.values() if what)
        assert placed == (wanted if action is Action.MOVE else sorted(set(wanted)))
        index.undo()
    assert (tree(chat), dest.exists()) == (before, False)


def test_move_leaves_no_picture_behind_and_renames_no_byte(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = sorted(what for what in tree(chat).values() if what)
    organize(index, dest, Action.MOVE)
    assert [name for name, what in tree(chat).items() if what] == []
    assert sorted(what for name, what in tree(dest).items() if what and name[0] != ".") == before


def test_links_lead_to_the_originals(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest / "hard", Action.HARDLINK)
    organize(index, dest / "soft", Action.SYMLINK)
    assert os.path.samefile(dest / "hard" / "00001.bmp", chat / "a" / "cat.bmp")
    assert os.readlink(dest / "soft" / "00001.bmp") == str((chat / "a" / "cat.bmp").resolve())


def test_a_plan_changes_nothing(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = tree(chat.parent)
    assert len(index.plan(dest, rest=True).steps) == 5
    assert {name: what for name, what in tree(chat.parent).items() if not name.startswith("catalogue")} == {
        name: what for name, what in before.items() if not name.startswith("catalogue")
    }


def test_a_run_with_nothing_new_makes_no_batch_and_touches_nothing(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest)
    before = tree(dest)
    organized = organize(index, dest)
    assert (organized.outcome, tree(dest), len(index.history())) == (Outcome(None, 0, ()), before, 1)


def test_nothing_at_all_makes_no_destination(index: HashIndex, folder: Path, dest: Path) -> None:
    index.scan([folder])
    assert (organize(index, dest).outcome, dest.exists()) == (Outcome(None, 0, ()), False)


# Run again: it only adds


@pytest.mark.parametrize("action", [Action.COPY, Action.MOVE])
def test_later_runs_only_add(index: HashIndex, folder: Path, dest: Path, action: Action) -> None:
    """The three runs of "Must show" 2, and the catalogue lost after them."""
    save(cat(), folder / "1 cat.bmp")
    save(cat(), folder / "1 cat.png")
    save(draw(2), folder / "2 dog.bmp")
    save(draw(2), folder / "2 dog.png")
    save(draw(3), folder / "3 owl.png")
    save(draw(4), folder / "4 fox.png")
    index.scan([folder])
    organize(index, dest, action)
    assert listing(dest) == ["00001.bmp", "00001_1.png", "00002.bmp", "00002_1.png", "00003.png", "00004.png"]

    # By hand: one deleted, one renamed. New: a copy of a group, a larger one, a copy of one of the rest, and a new one.
    (dest / "00002_1.png").unlink()
    (dest / "00004.png").rename(dest / "fox.png")
    save(cat((80, 60)), folder / "cat small.gif")
    save(draw(2).resize((320, 240)), folder / "dog large.bmp")
    save(draw(3), folder / "owl too.bmp")
    save(draw(5), folder / "5 hen.png")
    organize(index, dest, action)
    second = [
        *("00001.bmp", "00001_1.png", "00001_2.gif"),
        *("00002.bmp", "00002_2.bmp"),
        *("00003.png", "00003_1.bmp"),
        *("00005.png", "fox.png"),
    ]
    assert listing(dest) == second

    # A copy of what was renamed there, bytes that were deleted there, and bytes that are there.
    save(draw(4), folder / "fox too.bmp")
    save(draw(2), folder / "2 dog.png")
    shutil.copy2(dest / "00005.png", folder / "hen again.png")
    organized = organize(index, dest, action)
    move_takes_it = ["00005_1.png"] if action is Action.MOVE else []
    third = sorted([*second, "00004_1.bmp", *move_takes_it])
    assert (listing(dest), organized.plan.withheld) == (third, 1 if action is Action.MOVE else 2)

    index.path.unlink()
    index.scan([folder])
    organized = organize(index, dest, action)
    assert (listing(dest), organized.outcome.batch) == (third, None)
    save(cat((200, 150)), folder / "cat of another day.bmp")
    save(draw(6), folder / "6 pig.png")
    organize(index, dest, action)
    assert listing(dest) == sorted([*third, "00001_3.bmp", "00006.png"])


def test_a_newcomer_that_joins_two_groups_goes_to_the_lower_and_is_told(
    index: HashIndex, folder: Path, dest: Path
) -> None:
    save(cat(), folder / "1.bmp")
    save(cat(), folder / "1.png")
    save(draw(2), folder / "2.bmp")
    save(draw(2), folder / "2.png")
    index.scan([folder])
    organize(index, dest)
    # Within all 256 bits everything is alike.
    save(draw(3), folder / "both.png")
    organized = organize(index, dest, radius=256)
    assert listing(dest) == ["00001.bmp", "00001_1.png", "00001_2.png", "00002.bmp", "00002_1.png"]
    assert organized.plan.joined == ((1, 2),)
    again = organize(index, dest, radius=256)
    assert (again.outcome.batch, again.plan.joined) == (None, ())


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("action", EVERY)
def test_a_lost_catalogue_costs_nothing(index: HashIndex, chat: Path, action: Action, inside: bool) -> None:
    dest = chat / "sorted" if inside else chat.parent / "sorted"
    index.scan([chat])
    organize(index, dest, action)
    placed = tree(dest)
    index.path.unlink()
    index.scan([chat])
    assert organize(index, dest, action).outcome == Outcome(None, 0, ())
    assert tree(dest) == placed
    save(draw(9), chat / "new.png")
    save(cat((200, 150)), chat / "cat of another day.bmp")
    organize(index, dest, action)
    cats = sum(name.startswith("00001") for name in listing(dest)) - 1
    assert set(listing(dest)) - set(placed) == {f"00001_{cats}.bmp", "00004.png"}


def test_again_places_what_was_deleted_as_a_next_copy(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest)
    assert listing(dest) == ["00001.bmp", "00001_1.png", "00001_2.gif", "00002.png", "00003.jpg"]
    (dest / "00001_1.png").unlink()
    assert organize(index, dest).plan.withheld == 1
    organize(index, dest, again=True)
    assert listing(dest) == ["00001.bmp", "00001_2.gif", "00001_3.png", "00002.png", "00003.jpg"]
    assert organize(index, dest, again=True).outcome.batch is None


def test_a_second_catalogue_goes_on_where_the_first_left_off(
    index: HashIndex, chat: Path, dest: Path, tmp_path: Path
) -> None:
    index.scan([chat])
    organize(index, dest)
    placed = tree(dest)
    second = HashIndex(tmp_path / "second.db")
    second.scan([chat])
    assert organize(second, dest).outcome.batch is None
    assert tree(dest) == placed


def test_undo_leaves_what_another_catalogue_placed_in_the_manifest(
    index: HashIndex, folder: Path, dest: Path, tmp_path: Path
) -> None:
    fill(folder / "mine", [1])
    fill(folder / "theirs", [2])
    index.scan([folder / "mine"])
    organize(index, dest)
    second = HashIndex(tmp_path / "second.db")
    second.scan([folder / "theirs"])
    organize(second, dest)
    index.undo()
    assert (listing(dest), sorted(manifest(dest))) == (["00002.png"], ["00002.png"])
    assert organize(second, dest).outcome.batch is None


# What lies in a destination


def test_files_in_a_destination_are_found_and_are_in_no_group(index: HashIndex, chat: Path) -> None:
    dest = chat / "sorted"
    index.scan([chat])
    groups = index.groups()
    organize(index, dest)
    index.scan([chat])
    assert index.groups() == groups
    asked = chat.parent / "asked.png"
    shutil.copy(chat / "dog.png", asked)
    found = sorted(os.fsdecode(hit.file.path_bytes) for hit in index.query(asked).hits)
    assert found == [str(chat / "dog.png"), str(dest / "00002.png")]


def test_a_picture_that_was_moved_is_found_where_it_is(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest, Action.MOVE)
    asked = save(draw(2), chat.parent / "asked.bmp")
    before_scan = [(os.fsdecode(hit.file.path_bytes), hit.file.state.value) for hit in index.query(asked).hits]
    index.scan([chat])
    after_scan = [(os.fsdecode(hit.file.path_bytes), hit.file.state.value) for hit in index.query(asked).hits]
    assert before_scan == after_scan == [(str(dest / "00002.png"), "present")]


@pytest.mark.parametrize("action", EVERY)
def test_a_scan_takes_nothing_in_a_destination_for_new(index: HashIndex, chat: Path, action: Action) -> None:
    index.scan([chat])
    organize(index, chat / "sorted", action)
    plan = index.plan(chat.parent / "elsewhere", rest=True)
    index.scan([chat])
    assert index.plan(chat.parent / "elsewhere", rest=True) == plan
    assert plan.pictures == (0 if action is Action.MOVE else 6)


def test_what_is_in_one_destination_is_not_organized_into_another(index: HashIndex, chat: Path) -> None:
    save(draw(9), chat / "sorted" / "theirs.png")
    index.scan([chat])
    organize(index, chat / "sorted", Action.MOVE)
    index.scan([chat])
    organize(index, chat / "sorted too", Action.MOVE)
    assert ("theirs.png" in listing(chat / "sorted"), listing(chat / "sorted too")) == (True, [])


def test_names_that_are_not_ours_are_left_alone(index: HashIndex, chat: Path, dest: Path) -> None:
    for name in ("00012.txt", "00013_4.JPG", "holiday.jpg", ".hidden", "1567512000999.jpg"):
        write(dest / name, b"theirs")
    index.scan([chat])
    theirs = tree(dest)
    organize(index, dest)
    now = tree(dest)
    assert {name: now[name] for name in theirs} == theirs
    assert sorted(now.keys() - theirs) == [
        *(".hashindex.jsonl", "00014.bmp", "00014_1.png", "00014_2.gif", "00015.png", "00016.jpg")
    ]


# Where a destination may be


def test_a_destination_that_is_a_root_or_holds_one_is_refused(index: HashIndex, chat: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    for place, sentence in ((chat, "is a folder that is scanned"), (chat.parent, "contains a folder that is scanned")):
        for ask in (index.plan, index.organize):
            with pytest.raises(UsageError, match=sentence):
                ask(place)
    assert tree(chat) == before


def test_a_destination_that_is_a_file_or_lies_below_one_is_refused(index: HashIndex, chat: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    for place in (chat / "dog.png", chat / "dog.png" / "below"):
        with pytest.raises(UsageError, match="file"):
            index.organize(place)
    assert (tree(chat), index.history()) == (before, [])


def test_a_destination_that_cannot_be_made_is_a_sentence(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([chat])
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    before = tree(chat)
    with act(os, "makedirs", 1, fail(errno.EACCES)):
        result = run("organize", dest, "--apply")
    assert (result.exit_code, "stickers" in result.stderr, tree(chat)) == (2, True, before)


def test_a_link_as_destination_means_the_folder_that_it_leads_to(index: HashIndex, chat: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    index.scan([chat])
    organize(index, tmp_path / "link")
    assert (len(listing(tmp_path / "real")), (tmp_path / "link").is_symlink()) == (5, True)
    assert organize(index, tmp_path / "real").outcome.batch is None
    (tmp_path / "to a root").symlink_to(chat)
    with pytest.raises(UsageError, match="is a folder that is scanned"):
        index.organize(tmp_path / "to a root")


# Undo


def test_undo_refuses_what_has_changed_and_goes_on_with_the_rest(index: HashIndex, folder: Path, dest: Path) -> None:
    fill(folder, range(1, 6))
    index.scan([folder])
    before = tree(folder)
    organize(index, dest, Action.MOVE)
    (dest / "00001.png").write_bytes(b"edited")
    (dest / "00002.png").rename(dest / "renamed.png")
    write(folder / "3.png", b"a new one took the name")
    outcome = index.undo()
    assert (outcome.done, reasons(outcome)) == (
        2,
        {
            "00001.png": "it has changed since; it was left unchanged",
            "00002.png": "it is gone",
            "00003.png": f"its old name {folder / '3.png'} is in use; it was left unchanged",
        },
    )
    assert listing(dest) == ["00001.png", "00003.png", "renamed.png"]
    assert (folder / "3.png").read_bytes() == b"a new one took the name"
    (batch,) = index.history()
    assert (batch.done, batch.undone, batch.kept) == (0, 2, 3)

    # Put right by the person, a second undo takes the others back too.
    (dest / "renamed.png").rename(dest / "00002.png")
    (folder / "3.png").unlink()
    outcome = index.undo()
    assert (outcome.done, list(reasons(outcome))) == (2, ["00001.png"])
    kept = {name: what for name, what in before.items() if name != "1.png"}
    assert (tree(folder), listing(dest)) == (kept, ["00001.png"])


@pytest.mark.parametrize("action", [Action.COPY, Action.HARDLINK])
def test_undo_keeps_what_may_be_the_last_copy(index: HashIndex, folder: Path, dest: Path, action: Action) -> None:
    fill(folder, [1, 2, 3])
    index.scan([folder])
    organize(index, dest, action)
    (folder / "1.png").unlink()
    (folder / "2.png").unlink()
    save(draw(9), folder / "2.png")
    outcome = index.undo()
    reason = "its original is gone or has changed, so this may be the last copy; it was left unchanged"
    assert (outcome.done, reasons(outcome)) == (1, {"00001.png": reason, "00002.png": reason})
    assert listing(dest) == ["00001.png", "00002.png"]


def test_undo_refuses_a_link_that_leads_elsewhere_by_now(index: HashIndex, folder: Path, dest: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    organize(index, dest, Action.SYMLINK)
    (dest / "00001.png").unlink()
    save(draw(7), dest / "00001.png")
    outcome = index.undo()
    assert reasons(outcome) == {"00001.png": "it is no longer the link that was made"}
    assert (listing(dest), (dest / "00001.png").is_symlink()) == (["00001.png"], False)


def test_undo_never_overwrites_what_took_the_old_name(index: HashIndex, folder: Path, dest: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    for failure in (None, errno.EXDEV, errno.EPERM):
        organize(index, dest, Action.MOVE)
        write(folder / "1.png", b"theirs")
        if failure is None:
            outcome = index.undo()
        else:
            with links_fail(failure, within_a_folder=failure == errno.EXDEV):
                outcome = index.undo()
        assert (len(outcome.refused), (folder / "1.png").read_bytes()) == (1, b"theirs")
        (folder / "1.png").unlink()
        index.undo()
        assert (sorted(os.listdir(folder)), listing(dest)) == (["1.png", "2.png"], [])


def test_undo_takes_a_named_batch_back_and_leaves_the_others(index: HashIndex, folder: Path, dest: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    first = organize(index, dest).outcome.batch
    fill(folder, [3])
    organize(index, dest)
    assert index.undo(first).done == 2
    assert (listing(dest), sorted(manifest(dest))) == (["00003.png"], ["00003.png"])
    with pytest.raises(UsageError, match="nothing to undo"):
        index.undo(first)
    index.undo()
    assert not dest.exists()


def test_undo_makes_a_folder_that_is_gone(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    organize(index, dest, Action.MOVE)
    shutil.rmtree(chat / "b")
    index.undo()
    assert tree(chat) == before


def test_undo_through_a_link_that_a_destination_left_behind_is_in_the_manifest(
    index: HashIndex, chat: Path, dest: Path, tmp_path: Path
) -> None:
    """The person moved DEST to another drive and left a link in its place."""
    index.scan([chat])
    organize(index, dest)
    dest.rename(tmp_path / "larger drive")
    dest.symlink_to(tmp_path / "larger drive")
    assert index.undo().done == 5
    assert (listing(tmp_path / "larger drive"), manifest(tmp_path / "larger drive")) == ([], {})
    organize(index, dest)
    assert len(listing(tmp_path / "larger drive")) == 5


def test_without_batches_there_is_nothing_to_undo(index: HashIndex, chat: Path) -> None:
    index.scan([chat])
    with pytest.raises(UsageError, match="nothing to undo"):
        index.undo()
    with pytest.raises(UsageError, match="no batch 7"):
        index.undo(7)
    assert (index.history(), index.recover()) == ([], [])


def test_history_tells_of_every_batch(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest)
    index.undo()
    organize(index, dest, Action.MOVE)
    first, second = index.history()
    place = os.fsencode(dest)
    assert (first.dest_bytes, first.action, first.state, first.done, first.undone) == (
        place,
        Action.COPY,
        BatchState.UNDONE,
        0,
        5,
    )
    assert (second.dest_bytes, second.action, second.state, second.done, second.undone) == (
        place,
        Action.MOVE,
        BatchState.APPLIED,
        6,
        0,
    )
    assert first.finished_ns is not None
    assert first.started_ns < first.finished_ns < second.started_ns


def test_after_undo_the_same_is_organized_again(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    organize(index, dest)
    placed = tree(dest)
    index.undo()
    organize(index, dest)
    assert {**tree(dest), ".hashindex.jsonl": None} == {**placed, ".hashindex.jsonl": None}


# Between plan and act


def test_a_source_that_changed_since_the_scan_is_refused(index: HashIndex, folder: Path, dest: Path) -> None:
    fill(folder, [1, 2, 3, 4])
    index.scan([folder])
    (folder / "1.png").write_bytes(b"shorter")
    (folder / "2.png").unlink()
    # As large as before and of the same age, but other bytes: only reading shows it.
    data = (folder / "3.png").read_bytes()
    write(folder / "3.png", data[:-1] + b"?")
    outcome = index.organize(dest, rest=True).outcome
    gone = "it is gone or has changed since the plan was made; scan and run again"
    assert (outcome.done, reasons(outcome)) == (
        1,
        {"1.png": gone, "2.png": gone, "3.png": "its bytes are not those that were scanned; scan and run again"},
    )
    assert (listing(dest), list(manifest(dest))) == (["00004.png"], ["00004.png"])


@pytest.mark.parametrize("failure", [None, errno.EXDEV, errno.EPERM])
@pytest.mark.parametrize("action", EVERY)
def test_what_appeared_under_a_target_is_never_overwritten(
    index: HashIndex, folder: Path, dest: Path, action: Action, failure: int | None
) -> None:
    fill(folder, [1, 2, 3])
    index.scan([folder])
    before = tree(folder)

    def appear(step: Step) -> None:
        if step.number == 1:
            write(dest / "00002.png", b"theirs")

    if failure is None:
        outcome = organize(index, dest, action, on_step=appear).outcome
    elif action is Action.HARDLINK:
        pytest.skip("hard links need hard links")
    else:
        with links_fail(failure, within_a_folder=failure == errno.EXDEV):
            outcome = organize(index, dest, action, on_step=appear).outcome
    reason = f"the name {dest / '00002.png'} is in use now; that file was left unchanged. Run again"
    assert (outcome.done, reasons(outcome)) == (2, {"2.png": reason})
    assert ((dest / "00002.png").read_bytes(), tree(folder).get("2.png")) == (b"theirs", before["2.png"])
    organize(index, dest, action)
    assert listing(dest) == ["00001.png", "00002.png", "00003.png", "00004.png"]
    assert (dest / "00002.png").read_bytes() == b"theirs"


def test_a_destination_that_becomes_a_link_ends_the_batch(
    index: HashIndex, folder: Path, dest: Path, tmp_path: Path
) -> None:
    fill(folder, [1, 2, 3])
    write(tmp_path / "elsewhere" / ".hashindex.jsonl", b"of another destination\n")
    index.scan([folder])
    elsewhere = tree(tmp_path / "elsewhere")

    def swap(step: Step) -> None:
        dest.rename(tmp_path / "put aside")
        dest.symlink_to(tmp_path / "elsewhere")

    outcome = organize(index, dest, Action.MOVE, on_step=swap).outcome
    assert (outcome.done, outcome.stopped) == (1, f"{dest} was replaced by another folder meanwhile")
    assert tree(tmp_path / "elsewhere") == elsewhere
    assert sorted(os.listdir(folder)) == ["2.png", "3.png"]
    assert listing(tmp_path / "put aside") == ["00001.png"]
    # Put right by the person, it is taken back.
    dest.unlink()
    (tmp_path / "put aside").rename(dest)
    index.undo()
    assert sorted(os.listdir(folder)) == ["1.png", "2.png", "3.png"]


@pytest.mark.parametrize("action", EVERY)
def test_stopped_after_some_files_it_is_in_order_and_goes_on_later(
    index: HashIndex, chat: Path, dest: Path, action: Action
) -> None:
    index.scan([chat])
    before = tree(chat)
    organize(index, dest, action)
    whole = listing(dest)
    index.undo()
    for placed in range(len(whole)):
        asked = iter([*[False] * placed, True])
        outcome = organize(index, dest, action, stop=lambda asked=asked: next(asked)).outcome
        assert (outcome.done, outcome.stopped) == (placed, "it was interrupted")
        assert len(manifest(dest)) == len(listing(dest)) == placed
        organize(index, dest, action)
        assert listing(dest) == whole
        if placed:
            index.undo()
        index.undo()
        assert (tree(chat), dest.exists()) == (before, False)


# Room


def test_without_room_enough_nothing_is_placed(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([chat])
    before = tree(chat)
    monkeypatch.setattr(moves, "free_room", lambda folder: 1000)
    with pytest.raises(UsageError, match="has 1,000 bytes free, and this needs"):
        index.organize(dest)
    assert (tree(chat), dest.exists(), index.history()) == (before, False, [])
    for action in (Action.HARDLINK, Action.SYMLINK, Action.MOVE):
        organize(index, dest, action)
        index.undo()
    assert (tree(chat), dest.exists()) == (before, False)


def test_a_move_to_another_device_needs_room_too(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([chat])
    before = tree(chat)
    monkeypatch.setattr(moves, "free_room", lambda folder: 1000)
    monkeypatch.setattr(files, "device_of", lambda folder: -1)
    with pytest.raises(UsageError, match="has 1,000 bytes free, and this needs"):
        index.organize(dest, action=Action.MOVE)
    assert (tree(chat), dest.exists(), index.history()) == (before, False, [])


def test_a_disk_that_fills_up_ends_the_batch_in_order(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    with act(moves, "_copy_bytes", 3, fail(errno.ENOSPC)), act(moves, "_reflink", 3, lambda *given: False):
        outcome = organize(index, dest).outcome
    reason = "the disk is full; free some space and run it again"
    assert (outcome.done, outcome.stopped, reasons(outcome)) == (2, reason, {"cat.gif": reason})
    assert listing(dest) == sorted(manifest(dest)) == ["00001.bmp", "00001_1.png"]
    assert (tree(chat), index.history()[-1].done) == (before, 2)
    organize(index, dest)
    assert listing(dest) == ["00001.bmp", "00001_1.png", "00001_2.gif", "00002.png", "00003.jpg"]


@pytest.mark.parametrize(
    ("writer", "at"), [("append_to_manifest", 1), ("append_to_manifest", 6), ("write_manifest", 1)]
)
def test_a_manifest_that_cannot_be_written_costs_no_picture_and_no_traceback(
    index: HashIndex, chat: Path, dest: Path, monkeypatch: pytest.MonkeyPatch, writer: str, at: int
) -> None:
    index.scan([chat])
    before = tree(chat)
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    with act(moves, writer, at, fail(errno.ENOSPC)):
        result = run("organize", dest, "--mode", "move", "--rest", "--apply")
    assert (result.exit_code, "room" in result.stderr or "space" in result.stderr) in ((0, False), (2, True))
    index.recover()
    assert listing(dest) == sorted(manifest(dest))
    organize(index, dest, Action.MOVE)
    assert len(listing(dest)) == 6
    while dest.exists():
        index.undo()
    assert tree(chat) == before


# Across devices


def test_a_copy_that_reads_back_otherwise_costs_no_source(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    with across_devices(), act(moves, "digest_of", 1, lambda original, path: b"?" * 32):
        outcome = organize(index, dest, Action.MOVE).outcome
    assert (outcome.done, list(reasons(outcome))) == (5, ["cat.bmp"])
    assert (chat / "a" / "cat.bmp").exists()
    assert [name for name in os.listdir(dest) if name.endswith(".part")] == []
    index.undo()
    assert (tree(chat), dest.exists()) == (before, False)


def test_hard_links_across_devices_are_refused_with_the_way_out(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    before = tree(chat)
    with across_devices():
        outcome = organize(index, dest, Action.HARDLINK).outcome
    assert (outcome.done, set(reasons(outcome).values())) == (
        0,
        {"a hard link cannot reach another drive; use --mode copy"},
    )
    assert (tree(chat), dest.exists()) == (before, False)


@pytest.mark.parametrize("action", [Action.COPY, Action.MOVE])
def test_a_copy_that_fails_where_there_are_no_links_leaves_no_empty_name(
    index: HashIndex, folder: Path, dest: Path, action: Action
) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    before = tree(folder)
    with links_fail(errno.EPERM), replace_fails_once():
        outcome = organize(index, dest, action).outcome
    assert (outcome.done, list(reasons(outcome))) == (1, ["1.png"])
    assert (listing(dest), tree(folder)["1.png"]) == (["00002.png"], before["1.png"])


@pytest.mark.parametrize("failure", [None, errno.EXDEV, errno.EPERM])
def test_a_source_that_cannot_be_taken_away_is_not_doubled(
    index: HashIndex, folder: Path, dest: Path, failure: int | None
) -> None:
    """A folder, or a whole drive, that may be read but not changed."""
    fill(folder, [1, 2])
    index.scan([folder])
    before = tree(folder)

    def unlink(path: Any) -> None:
        if os.fsencode(path).startswith(os.fsencode(folder)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        os.unlink(path)

    places = links_fail(failure, within_a_folder=failure == errno.EXDEV) if failure else nullcontext()
    with places, pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "os", SimpleNamespace(**{**vars(vars(moves)["os"]), "unlink": unlink}))
        for _ in range(2):
            outcome = organize(index, dest, Action.MOVE).outcome
            assert (outcome.done, list(reasons(outcome))) == (0, ["1.png", "2.png"])
            assert (tree(folder), listing(dest)) == (before, [])


# What a person sees


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def shell(index: HashIndex, chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HashIndex:
    """The chat folder scanned, and a command line that means its catalogue."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    index.scan([chat])
    return index


def test_a_refusal_ends_with_3_and_a_sentence(shell: HashIndex, chat: Path, dest: Path) -> None:
    (chat / "dog.png").write_bytes(b"other")
    result = run("organize", dest, "--rest", "--apply")
    assert (result.exit_code, f"{chat / 'dog.png'}: it is gone or has changed" in result.stderr) == (3, True)
    (dest / "00001.bmp").write_bytes(b"edited")
    result = run("undo")
    assert (result.exit_code, f"{dest / '00001.bmp'}: it has changed since" in result.stderr) == (3, True)
    assert result.stdout.startswith("Undid 3 files of batch 1. 1 file left")


def test_organize_and_undo_say_how_far_they_are(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    for act in (lambda on: index.organize(dest, rest=True, on_placed=on), lambda on: index.undo(on_progress=on)):
        told: list[tuple[int, int]] = []
        act(lambda done, total, told=told: told.append((done, total)))
        assert told == [(number, 5) for number in range(6)]


def test_the_last_line_of_organize_sums_up(shell: HashIndex, dest: Path) -> None:
    first = run("organize", dest, "--rest", "--apply")
    again = run("organize", dest, "--rest", "--apply")
    quiet = run("organize", dest, "--rest", "--apply", "--quiet")
    assert (first.stdout.splitlines()[-1], again.stdout, quiet.stdout) == (
        f"Copied 5 files to {dest} (batch 1). 1 group holds 4 of 6 pictures. Undo: hashindex undo",
        "Nothing new to place. 1 group holds 4 of 6 pictures.\n",
        "",
    )


def test_a_batch_that_lives_keeps_others_waiting(shell: HashIndex, dest: Path) -> None:
    with held(shell.path, 0):
        for act in (lambda: shell.organize(dest), shell.undo, shell.recover):
            with pytest.raises(CatalogueLocked, match="has been organizing"):
                act()
        codes = [run(*words, "--wait", "0").exit_code for words in (("organize", dest, "--apply"), ("undo",))]
    assert (codes, dest.exists()) == ([5, 5], False)


_SLOW = """
import sys
from hashindex.organize import moves
from hashindex.__main__ import main
place = moves.place
def slow(*given):
    place(*given)
    print("placed", flush=True)
    sys.stdin.readline()  # until the signal was sent
moves.place = slow
sys.argv[0] = "hashindex"
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_after_the_current_file(shell: HashIndex, dest: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, "organize", dest, "--mode", "move", "--rest", "--apply"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "placed\n"
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, stderr) == (
        130,
        "hashindex: stopped early, after 1 file: it was interrupted. Work done so far is kept.\n",
    )
    (batch,) = shell.history()
    assert (batch.state, batch.done, listing(dest), shell.recover()) == (BatchState.APPLIED, 1, ["00001.bmp"], [])


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 need a POSIX file system")
def test_a_refusal_that_names_a_path_that_is_not_utf_8_is_written_down(
    index: HashIndex, folder: Path, dest: Path
) -> None:
    hostile = os.path.join(os.fsencode(folder), b"\xff.png")
    os.rename(save(draw(1), folder / "a.png"), hostile)
    index.scan([folder])
    organize(index, dest, Action.MOVE)
    write(Path(os.fsdecode(hostile)), b"theirs")
    outcome = index.undo()
    assert (outcome.done, len(outcome.refused), index.history()[-1].kept) == (0, 1, 1)
    assert r"\xff.png" in refusal_text(outcome.refused[0])


@pytest.mark.parametrize("action", [Action.COPY, Action.MOVE])
@pytest.mark.parametrize("has_ctime", [True, False])
def test_what_organize_says_of_bytes_that_were_exchanged_helps_when_it_is_followed(
    index: HashIndex, folder: Path, dest: Path, action: Action, has_ctime: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where names are given by hard links, a file system whose links fail has organize look at the bytes.
    first, second = save(draw(1), folder / "1.bmp"), save(draw(2), folder / "2.bmp")
    index.scan([folder])
    if not has_ctime:
        connection = sqlite3.connect(index.path)
        connection.execute("UPDATE file SET ctime_ns = NULL")
        connection.commit()
        connection.close()
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    with links_fail(errno.EPERM):
        refused = index.organize(dest, action=action, rest=True).outcome
        assert (refused.done, len(refused.refused)) == (0, 2)
        assert set(reasons(refused).values()) == {"its bytes are not those that were scanned; scan and run again"}
        assert index.scan([folder]).digested == 2
        assert index.organize(dest, action=action, rest=True).outcome.done == 2
    assert index.scan([folder]).digested == 0


def test_a_source_that_changed_is_read_again_by_the_next_scan(index: HashIndex, chat: Path, dest: Path) -> None:
    index.scan([chat])
    with act(files, "has_size_and_mtime", 1, lambda original, *given: False):
        refused = index.organize(dest, rest=True, keep="largest").outcome.refused
    assert [refusal.reason for refusal in refused] == [
        "it is gone or has changed since the plan was made; scan and run again"
    ]
    assert index.scan([chat]).digested == 1


def test_the_history_names_an_interrupted_run_and_aligns_its_columns(shell: HashIndex, dest: Path) -> None:
    asked = iter([False, False, True]).__next__
    shell.organize(dest, rest=True, stop=asked)
    shell.organize(dest, action=Action.HARDLINK, rest=True)
    first, second = run("history").stdout.splitlines()
    assert first.endswith("2 placed, 3 skipped (interrupted)") and second.endswith("3 placed (applied)")
    assert first.index(str(dest)) == second.index(str(dest))
    assert [batch.unreached for batch in shell.history()] == [3, 0]
    shell.undo(1)
    assert run("history").stdout.splitlines()[0].endswith("(undone)")


def test_ctrl_c_ends_organize_while_it_still_compares(
    shell: HashIndex, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted() -> Iterator[Callable[[], bool]]:
        yield lambda: True

    monkeypatch.setattr("hashindex.commands.batch.deferred_interrupt", interrupted)
    result = run("organize", dest, "--apply")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "interrupted; work done so far is kept" in result.stderr
    assert not dest.exists() and shell.history() == []
