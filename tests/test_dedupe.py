"""HashIndex.dedupe and undo on real files: what goes, what stays and why, where it goes, and what comes back."""

import errno
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pictures import captioned, draw, moving, save, write
from trees import digest, tree
from typer.testing import CliRunner, Result

from hashindex import CatalogueLocked, HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.core.deduping import Deduped, DedupeOptions, Link, Removal
from hashindex.core.language import short_form
from hashindex.core.model import Relation
from hashindex.core.organizing import BatchState
from hashindex.disk import files
from hashindex.disk.lock import held
from hashindex.organize import dedupe as dedupe_module
from hashindex.organize import moves, step, trash

OTHER_DEVICE = Path("/dev/shm")


@pytest.fixture(autouse=True)
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's trash."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash"


@pytest.fixture
def chat(folder: Path) -> Path:
    """A cat at full size, with its bytes again, a smaller and a worse copy; a dog with another caption; an owl."""
    save(draw(5, (320, 240)), folder / "best" / "cat.png")
    (folder / "new").mkdir()
    shutil.copy2(folder / "best" / "cat.png", folder / "new" / "cat again.png")
    save(draw(5, (320, 240)).resize((160, 120)), folder / "new" / "small.png")
    save(draw(5, (320, 240)), folder / "new" / "cat.jpg", quality=70)
    save(captioned(draw(2, (320, 240)), "hello"), folder / "dog.png")
    save(captioned(draw(2, (320, 240)), "goodbye"), folder / "dog2.png")
    save(draw(3), folder / "owl.png")
    return folder


GOES = ["cat again.png", "cat.jpg", "small.png"]


@pytest.fixture
def scanned(index: HashIndex, chat: Path) -> HashIndex:
    index.scan([chat])
    return index


def names(removals: Any) -> list[str]:
    return sorted(os.path.basename(os.fsdecode(one.source)) for one in removals)


def reasons(index: HashIndex, *given: Any, **how: Any) -> dict[str, str]:
    """Name -> why it is left."""
    plan = index.plan_dedupe(DedupeOptions(*given, **how))
    return {os.path.basename(os.fsdecode(one.source_bytes)): one.why for one in plan.left}


def at(path: Path) -> bytes:
    return os.fsencode(path)


# What goes, and what comes back


def test_the_plan_names_what_goes_and_changes_nothing(scanned: HashIndex, chat: Path, bin: Path) -> None:
    before = tree(chat)
    plan = scanned.plan_dedupe()
    assert names(plan.removals) == GOES
    assert {one.kept.path_bytes for one in plan.removals} == {at(chat / "best" / "cat.png")}
    assert (plan.groups, plan.left, plan.to_bytes, plan.link) == (1, (), None, None)
    found = {os.path.basename(one.source_bytes): (one.relation, one.why) for one in plan.removals}
    assert found == {
        b"cat again.png": (Relation.IDENTICAL, "it has the same bytes"),
        b"small.png": (Relation.COPY, "it is resized"),
        b"cat.jpg": (Relation.COPY, "it is saved with more loss"),
    }
    assert plan.bytes == sum((chat / "new" / name).stat().st_size for name in GOES)
    assert tree(chat) == before and not bin.exists()


@pytest.mark.parametrize("link", [None, Link.HARD, Link.SYMBOLIC])
@pytest.mark.parametrize("place", ["trash", "folder", "folder on another device"])
def test_applied_and_undone_every_file_is_back(
    scanned: HashIndex, chat: Path, bin: Path, tmp_path: Path, place: str, link: Link | None
) -> None:
    before = tree(chat)
    to: Path | None = None
    if place != "trash":
        to = tmp_path / "copies"
    if place == "folder on another device":
        if not OTHER_DEVICE.is_dir() or OTHER_DEVICE.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no other device")
        to = OTHER_DEVICE / f"hashindex-{os.getpid()}-{link}"
    where = to or bin / "files"
    try:
        deduped = scanned.dedupe(DedupeOptions(to=None if to is None else at(to), link=link))
        assert names(deduped.removed) == GOES and not deduped.outcome.refused
        assert sorted(path.name for path in where.iterdir()) == GOES
        kept = chat / "best" / "cat.png"
        for name in GOES:
            path = chat / "new" / name
            if link is None:
                assert not os.path.lexists(path)
            else:
                assert path.samefile(kept) and path.is_symlink() == (link is Link.SYMBOLIC)
        assert scanned.scan().problems == 0
        assert scanned.plan_dedupe().removals == ()
        outcome = scanned.undo()
        assert (outcome.refused, outcome.stopped) == ((), None)
        assert tree(chat) == before
        assert not where.exists() or list(where.iterdir()) == []
        assert not to or not to.exists()
        assert names(scanned.plan_dedupe().removals) == GOES
    finally:
        if to is not None:
            shutil.rmtree(to, ignore_errors=True)


def test_a_scan_after_it_finds_what_the_catalogue_says(scanned: HashIndex, tmp_path: Path) -> None:
    scanned.dedupe(DedupeOptions(to=at(tmp_path / "copies")))
    summary = scanned.scan()
    assert (summary.digested, summary.moved, summary.missing) == (0, 0, 0)
    assert scanned.status().destinations[0].pictures == 3


def test_a_folder_inside_a_scanned_one_is_in_no_group_later(scanned: HashIndex, chat: Path) -> None:
    scanned.dedupe(DedupeOptions(to=at(chat / "copies")))
    scanned.scan()
    assert scanned.groups() == [] and scanned.plan_dedupe().removals == ()


def test_a_folder_that_is_scanned_itself_is_refused(scanned: HashIndex, chat: Path) -> None:
    with pytest.raises(UsageError, match="is a folder that is scanned"):
        scanned.dedupe(DedupeOptions(to=at(chat)))


# The trash


@pytest.mark.skipif(not trash.SYSTEM_HAS_PLACES, reason="the trash has no known places here")
class TestTrash:
    def test_a_file_manager_can_put_it_back(self, scanned: HashIndex, chat: Path, bin: Path) -> None:
        scanned.dedupe()
        records = {path.name: path.read_text() for path in (bin / "info").iterdir()}
        assert sorted(records) == [f"{name}.trashinfo" for name in GOES]
        head, path, date = records["cat again.png.trashinfo"].splitlines()
        assert head == "[Trash Info]"
        assert path == f"Path={chat}/new/cat%20again.png"
        assert date.startswith("DeletionDate=20") and len(date) == len("DeletionDate=2026-01-01T00:00:00")
        assert stat.S_IMODE((bin / "files").stat().st_mode) == 0o700
        scanned.undo()
        assert list((bin / "info").iterdir()) == []

    def test_a_name_that_is_taken_gets_a_number(self, scanned: HashIndex, bin: Path) -> None:
        (bin / "files").mkdir(parents=True)
        (bin / "info").mkdir()
        (bin / "files" / "CAT.JPG").write_text("of somebody else")
        (bin / "info" / "small.png.trashinfo").write_text("[Trash Info]\nPath=/elsewhere/small.png\n")
        scanned.dedupe()
        assert {"cat 2.jpg", "small 2.png", "cat again.png"} < set(os.listdir(bin / "files"))
        scanned.undo()
        assert (os.listdir(bin / "files"), os.listdir(bin / "info")) == (["CAT.JPG"], ["small.png.trashinfo"])

    def test_without_a_trash_the_copies_are_left(
        self, scanned: HashIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(trash, "_can_hold", lambda folder, device: False)
        plan = scanned.plan_dedupe()
        assert plan.removals == () and len(plan.left) == 3
        assert {one.why for one in plan.left} == {
            "there is no trash on its drive that can be written; name a folder with --to FOLDER"
        }
        assert scanned.dedupe().outcome.batch is None
        assert names(scanned.dedupe(DedupeOptions(to=at(tmp_path / "copies"))).removed) == GOES

    def test_a_trash_that_cannot_be_made_is_said_and_nothing_goes(
        self, scanned: HashIndex, chat: Path, bin: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(target: bytes, record: bytes, text: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        before = tree(chat)
        monkeypatch.setattr(moves, "make_trash", full)
        deduped = scanned.dedupe()
        assert deduped.removed == () and len(deduped.outcome.refused) == 3
        assert deduped.outcome.refused[0].reason == "it cannot be put into the trash: no space left on device"
        assert tree(chat) == before

    def test_an_emptied_trash_is_said_by_undo(self, scanned: HashIndex, bin: Path) -> None:
        scanned.dedupe()
        shutil.rmtree(bin)
        outcome = scanned.undo()
        assert {one.reason for one in outcome.refused} == {"it is no longer in the trash"} and outcome.done == 0

    def test_what_lies_in_a_trash_is_neither_kept_nor_removed(self, index: HashIndex, folder: Path) -> None:
        save(draw(5, (320, 240)), folder / ".Trash-1000" / "files" / "best.png")
        save(draw(5, (320, 240)), folder / "cat.jpg", quality=70)
        from hashindex import ScanOptions, WalkRules

        index.scan([folder], ScanOptions(rules=WalkRules(hidden=True)))
        assert len(index.groups()) == 1
        assert reasons(index) == {"best.png": "it is in the trash"}
        assert index.plan_dedupe().removals == ()

    @pytest.mark.parametrize("is_shared", [True, False])
    def test_on_another_drive_the_trash_is_at_its_top(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_shared: bool
    ) -> None:
        top = tmp_path / "drive"
        source = save(draw(1), top / "a" / "b" / "cat.png")
        if is_shared:
            (top / ".Trash").mkdir()
            (top / ".Trash").chmod(0o1777)
        monkeypatch.setattr(trash, "_home_trash", lambda: None)
        monkeypatch.setattr(trash, "_top_of", lambda folder, device: at(top))
        found = trash.trash_of(at(source))
        assert found is not None
        user = str(os.getuid())
        assert found.folder == at(top / ".Trash" / user if is_shared else top / f".Trash-{user}")
        assert b"\nPath=a/b/cat.png\n" in found.record(at(source), 0.0)

    def test_a_shared_trash_that_is_a_link_or_not_sticky_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = save(draw(1), tmp_path / "cat.png")
        (tmp_path / ".Trash").mkdir(mode=0o777)
        monkeypatch.setattr(trash, "_home_trash", lambda: None)
        monkeypatch.setattr(trash, "_top_of", lambda folder, device: at(tmp_path))
        own = at(tmp_path / f".Trash-{os.getuid()}")
        found = trash.trash_of(at(source))
        assert found is not None and found.folder == own
        (tmp_path / ".Trash").rename(tmp_path / "real")
        (tmp_path / "real").chmod(0o1777)
        (tmp_path / ".Trash").symlink_to(tmp_path / "real")
        found = trash.trash_of(at(source))
        assert found is not None and found.folder == own

    def test_a_home_that_is_not_there_is_no_trash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", "relative")
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
        assert trash._home_trash() is None

    def test_long_names_keep_their_ends(self) -> None:
        longest = ("猫" * 84).encode() + b".png"
        first, second = (name for _, name in zip(range(2), dedupe_module._names_like(longest), strict=False))
        assert first.endswith(b".png") and second.endswith(b" 2.png")
        assert max(len(first), len(second)) <= 255 - len(trash.SUFFIX)
        assert first.decode() and second.decode()


class TestSystemTrash:
    """macOS and Windows, with a trash that only the system knows."""

    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        place = tmp_path / "system"
        place.mkdir()
        module = ModuleType("send2trash")
        module.send2trash = lambda path: shutil.move(path, place)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "send2trash", module)
        monkeypatch.setattr(dedupe_module, "SYSTEM_HAS_PLACES", False)
        return place

    def test_undo_says_what_must_be_done_by_hand(self, scanned: HashIndex, sent: Path, chat: Path) -> None:
        deduped = scanned.dedupe()
        assert names(deduped.removed) == GOES == sorted(os.listdir(sent))
        assert scanned.scan().missing == 0
        outcome = scanned.undo()
        assert {one.reason for one in outcome.refused} == {"put it back by hand, from the trash of your system"}
        assert names_of(outcome.refused) == GOES

    def test_undo_takes_it_back_where_the_system_lets_us(
        self, scanned: HashIndex, sent: Path, chat: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tree(chat)
        scanned.dedupe()
        monkeypatch.setattr(step, "in_system_trash", lambda name, size: [at(path) for path in sent.iterdir()])
        assert scanned.undo().refused == ()
        assert tree(chat) == before and os.listdir(sent) == []

    def test_a_refusal_of_the_system_is_said(
        self, scanned: HashIndex, sent: Path, chat: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: str) -> None:
            raise RuntimeError("the bin is locked")

        monkeypatch.setattr(sys.modules["send2trash"], "send2trash", refuse)
        before = tree(chat)
        deduped = scanned.dedupe()
        assert {one.reason for one in deduped.outcome.refused} == {"the trash failed: the bin is locked"}
        assert tree(chat) == before


def names_of(refused: Any) -> list[str]:
    return sorted(os.path.basename(os.fsdecode(one.path)) for one in refused)


# What stays, and why


def test_identical_takes_equal_bytes_only(scanned: HashIndex) -> None:
    assert names(scanned.plan_dedupe(DedupeOptions(identical=True)).removals) == ["cat again.png"]
    assert reasons(scanned, identical=True) == dict.fromkeys(
        ["cat.jpg", "small.png"], "no other file has its bytes (--identical)"
    )


def test_only_below_a_folder_is_removed_for_what_lies_elsewhere(scanned: HashIndex, chat: Path) -> None:
    assert names(scanned.plan_dedupe(DedupeOptions(only=(at(chat / "new"),))).removals) == GOES
    plan = scanned.plan_dedupe(DedupeOptions(only=(at(chat / "best"),)))
    # The best one goes for its bytes elsewhere.
    assert [(one.source_bytes, one.kept.path_bytes) for one in plan.removals] == [
        (at(chat / "best" / "cat.png"), at(chat / "new" / "cat again.png"))
    ]


def test_the_best_one_is_not_removed_for_worse_ones_elsewhere(index: HashIndex, chat: Path) -> None:
    (chat / "new" / "cat again.png").unlink()
    index.scan([chat])
    options = DedupeOptions(only=(at(chat / "best"),))
    plan = index.plan_dedupe(options)
    assert plan.removals == ()
    (left,) = plan.left
    assert left.source_bytes == at(chat / "best" / "cat.png") and "it is better than" in left.why


def test_protected_files_stay_and_make_others_superfluous(scanned: HashIndex, chat: Path) -> None:
    options = DedupeOptions(protect=(at(chat / "new"),))
    plan = scanned.plan_dedupe(options)
    assert [one.source_bytes for one in plan.removals] == [at(chat / "best" / "cat.png")]
    assert set(reasons(scanned, protect=(at(chat / "new"),))) == {"cat.jpg", "small.png"}
    assert f"it is below {chat / 'new'}, which is protected" in reasons(scanned, protect=(at(chat / "new"),)).values()


def test_small_files_are_passed_over(scanned: HashIndex, chat: Path) -> None:
    sizes = {name: (chat / "new" / name).stat().st_size for name in GOES}
    for size in sizes.values():
        found = names(scanned.plan_dedupe(DedupeOptions(min_bytes=size)).removals)
        assert found == [name for name in GOES if sizes[name] >= size]
    assert scanned.plan_dedupe(DedupeOptions(min_bytes=max(sizes.values()) + 1)).removals == ()


def test_only_pictures_below_the_named_folders_take_part(scanned: HashIndex, chat: Path) -> None:
    plan = scanned.plan_dedupe(DedupeOptions(folders=(at(chat / "new"),)))
    assert {one.kept.path_bytes for one in plan.removals} == {at(chat / "new" / "cat again.png")}
    assert names(plan.removals) == ["cat.jpg", "small.png"]


@pytest.mark.parametrize(
    "options",
    [DedupeOptions(folders=(b"/no such",)), DedupeOptions(only=(b"/no such",)), DedupeOptions(protect=(b"/no such",))],
)
def test_a_folder_that_is_not_there_is_refused(scanned: HashIndex, options: DedupeOptions) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        scanned.plan_dedupe(options)


def test_a_folder_that_was_never_scanned_is_refused(scanned: HashIndex, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"knows no picture below .*first run: hashindex scan"):
        scanned.plan_dedupe(DedupeOptions(only=(at(tmp_path / "other"),)))


def test_variants_are_never_removed(scanned: HashIndex) -> None:
    with pytest.raises(UsageError, match="dedupe removes copies only"):
        scanned.plan_dedupe(level="similar")
    assert {"dog.png", "dog2.png", "owl.png"}.isdisjoint(
        names(scanned.plan_dedupe(DedupeOptions(doubtful=True)).removals)
    )


def test_a_clients_own_folder_is_touched_on_request_only(index: HashIndex, tmp_path: Path) -> None:
    pictures = tmp_path / "nt_data" / "Pic" / "2024-01" / "Ori"
    save(draw(5, (320, 240)), pictures / "a.png")
    shutil.copy2(pictures / "a.png", pictures / "b.png")
    index.scan([tmp_path / "nt_data"])
    found = reasons(index)
    assert sorted(found) == ["a.png", "b.png"] and all("in a folder of QQ itself" in why for why in found.values())
    assert index.plan_dedupe().removals == ()
    assert len(index.plan_dedupe(DedupeOptions(from_client_cache=True)).removals) == 1


def test_nothing_goes_for_a_picture_in_a_clients_own_folder(index: HashIndex, tmp_path: Path) -> None:
    """A client may delete its files at any time."""
    cache = tmp_path / "nt_data" / "Pic" / "2024-01" / "Ori"
    save(draw(5, (320, 240)), cache / "best.png")
    save(draw(5, (320, 240)), tmp_path / "own" / "worse.jpg", quality=70)
    shutil.copy2(cache / "best.png", tmp_path / "own" / "z.png")
    index.scan([tmp_path / "nt_data", tmp_path / "own"])
    assert names(index.plan_dedupe().removals) == ["worse.jpg"]
    removals = index.plan_dedupe(DedupeOptions(from_client_cache=True)).removals
    assert names(removals) == ["best.png", "worse.jpg"]
    assert {one.kept.path_bytes for one in removals} == {at(tmp_path / "own" / "z.png")}


def test_nothing_goes_for_a_masked_picture(index: HashIndex, folder: Path) -> None:
    save(draw(5, (320, 240)), folder / "cat.png")
    data = (folder / "cat.png").read_bytes()
    write(folder / "a.dat", bytes(byte ^ 0x5A for byte in data))
    index.scan([folder])
    assert len(index.groups()) == 1 and index.plan_dedupe().removals == ()
    assert list(reasons(index)) == ["a.dat"]


def test_a_worse_keeper_by_another_rule_removes_nothing_better(scanned: HashIndex, chat: Path) -> None:
    os.utime(chat / "new" / "small.png", ns=(10**18, 10**18))
    scanned.scan()
    plan = scanned.plan_dedupe(keep="oldest")
    # The file of equal bytes needs no better one.
    assert names(plan.removals) == ["cat again.png"]
    small = f"{chat / 'new' / 'small.png'}, which would be kept, is resized"
    assert small in {one.why for one in plan.left}


def test_the_members_of_a_doubtful_group_are_left(index: HashIndex, folder: Path) -> None:
    # One is larger, and the other shows the whole picture.
    whole = draw(5, (800, 600))
    save(whole.resize((400, 300)), folder / "whole.png")
    save(whole.crop((30, 20, 770, 580)), folder / "large.png")
    index.scan([folder])
    (group,) = index.groups()
    assert group.doubt is not None
    (why,) = reasons(index).values()
    assert why == f"no copy is best in everything: {group.doubt} (--doubtful removes it)"
    assert short_form(why) == "no copy is best in everything"
    assert len(index.plan_dedupe(DedupeOptions(doubtful=True)).removals) == 1


def test_an_animation_played_backwards_is_left(index: HashIndex, folder: Path) -> None:
    frames = moving(1, range(8))
    how: dict[str, Any] = {"save_all": True, "duration": 80, "loop": 0}
    save(frames[0], folder / "forward.gif", append_images=frames[1:], **how)
    save(frames[-1], folder / "backward.gif", append_images=frames[-2::-1], **how)
    index.scan([folder])
    assert index.plan_dedupe().removals == ()


def test_a_hard_link_is_left_because_it_takes_no_space(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    os.link(folder / "cat.png", folder / "link.png")
    index.scan([folder])
    (why,) = reasons(index).values()
    assert why.endswith("so its removal would free nothing")


def test_one_file_by_two_mounts_is_left(scanned: HashIndex, chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = os.lstat(chat / "best" / "cat.png")
    real = files.lstat_of

    def lstat_of(path: bytes) -> os.stat_result | None:
        info = real(path)
        if info is None or not path.endswith(b"cat again.png"):
            return info
        fields = list(kept)
        fields[2] = kept.st_dev + 1
        return os.stat_result(fields, {"st_mtime_ns": kept.st_mtime_ns, "st_ctime_ns": kept.st_ctime_ns})

    monkeypatch.setattr(files, "lstat_of", lstat_of)
    assert "by another path" in reasons(scanned)["cat again.png"]


def test_decisions_count(scanned: HashIndex, chat: Path) -> None:
    scanned.separate(chat / "best" / "cat.png", chat / "new" / "small.png")
    kept = {os.path.basename(one.source_bytes): one.kept.path_bytes for one in scanned.plan_dedupe().removals}
    assert kept.get(b"small.png") != at(chat / "best" / "cat.png")


# Between the plan and the act, and just before the act


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"edited")


def same_size_and_time(path: Path) -> None:
    """Other bytes under the recorded size and times."""
    info = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [edit, same_size_and_time, Path.unlink, lambda path: path.rename(path.with_suffix(".away"))]
)
def test_nothing_goes_for_a_keeper_that_changed(
    scanned: HashIndex, chat: Path, change: Callable[[Path], object]
) -> None:
    (chat / "new" / "cat again.png").unlink()
    change(chat / "best" / "cat.png")
    before = tree(chat)
    deduped = scanned.dedupe()
    assert names(deduped.removed) == ["small.png"]
    assert {one.kept.path_bytes for one in deduped.removed} <= {at(chat / "new" / "cat.jpg")}
    scanned.undo() if deduped.removed else None
    assert tree(chat) == before


def test_where_the_best_one_is_gone_its_twin_is_kept(scanned: HashIndex, chat: Path) -> None:
    (chat / "best" / "cat.png").unlink()
    plan = scanned.plan_dedupe()
    assert names(plan.removals) == ["cat.jpg", "small.png"]
    assert {one.kept.path_bytes for one in plan.removals} == {at(chat / "new" / "cat again.png")}


@pytest.mark.parametrize("change", [edit, same_size_and_time, Path.unlink])
def test_a_keeper_that_changes_during_the_run_ends_its_removals(
    scanned: HashIndex, chat: Path, change: Callable[[Path], object]
) -> None:
    def meanwhile(removal: Removal) -> None:
        if (chat / "best" / "cat.png").exists():
            change(chat / "best" / "cat.png")

    deduped = scanned.dedupe(on_removed=meanwhile)
    assert len(deduped.removed) == 1 and len(deduped.outcome.refused) == 2


@pytest.mark.parametrize("change", [edit, same_size_and_time])
def test_a_copy_that_changed_stays(scanned: HashIndex, chat: Path, change: Callable[[Path], object]) -> None:
    path = chat / "new" / "small.png"
    change(path)
    changed = digest(path)
    deduped = scanned.dedupe()
    assert names(deduped.removed) == ["cat again.png", "cat.jpg"] and digest(path) == changed


def test_undo_leaves_a_new_file_under_the_old_name(scanned: HashIndex, chat: Path, bin: Path) -> None:
    scanned.dedupe()
    save(draw(9), chat / "new" / "small.png")
    mine = digest(chat / "new" / "small.png")
    outcome = scanned.undo()
    assert len(outcome.refused) == 1 and "is in use; it was left unchanged" in outcome.refused[0].reason
    assert digest(chat / "new" / "small.png") == mine and (bin / "files" / "small.png").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(scanned: HashIndex, chat: Path) -> None:
    (chat / "new").chmod(0o555)
    try:
        deduped = scanned.dedupe()
        assert deduped.removed == () and {one.reason for one in deduped.outcome.refused} == {
            "the move failed: permission denied"
        }
    finally:
        (chat / "new").chmod(0o755)


def test_a_link_that_cannot_be_made_costs_nothing(
    scanned: HashIndex, chat: Path, bin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(chat)
    monkeypatch.setattr(moves, "_reflink", lambda source, target: False)
    deduped = scanned.dedupe(DedupeOptions(link=Link.REFLINK))
    assert deduped.removed == () and len(deduped.outcome.refused) == 3
    assert deduped.outcome.refused[0].reason == (
        "the link to the kept file could not be made, and the copy was put back: the reflink failed: the file system "
        "cannot share the blocks of two files"
    )
    assert tree(chat) == before and list((bin / "files").iterdir()) == []
    assert names(scanned.plan_dedupe().removals) == GOES


def test_a_reflink_is_a_file_of_its_own(scanned: HashIndex, chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def share(source: int, target: int) -> bool:
        os.write(target, os.pread(source, 2**20, 0))
        return True

    before = tree(chat)
    monkeypatch.setattr(moves, "_reflink", share)
    scanned.dedupe(DedupeOptions(link=Link.REFLINK))
    kept = chat / "best" / "cat.png"
    assert digest(chat / "new" / "small.png") == digest(kept) and not (chat / "new" / "small.png").samefile(kept)
    scanned.undo()
    assert tree(chat) == before


def test_a_stop_ends_the_batch_after_the_file(scanned: HashIndex, chat: Path) -> None:
    before = tree(chat)
    done: list[Removal] = []
    deduped = scanned.dedupe(DedupeOptions(link=Link.HARD), on_removed=done.append, stop=lambda: bool(done))
    assert len(deduped.removed) == 1 and deduped.outcome.stopped is not None
    scanned.undo()
    assert tree(chat) == before


def test_a_stop_between_a_copy_and_its_link_puts_the_copy_back(scanned: HashIndex, chat: Path) -> None:
    before = tree(chat)
    calls = iter([False, True])
    deduped = scanned.dedupe(DedupeOptions(link=Link.HARD), stop=lambda: next(calls))
    assert deduped.removed == () and tree(chat) == before
    assert scanned.history()[-1].state is BatchState.APPLIED


def test_two_at_once_are_one_after_the_other(scanned: HashIndex) -> None:
    with held(scanned.path, 0.1), pytest.raises(CatalogueLocked):
        scanned.dedupe()
    assert len(scanned.dedupe().removed) == 3 and scanned.dedupe().removed == ()


def test_organize_and_dedupe_share_a_history(scanned: HashIndex, chat: Path, tmp_path: Path) -> None:
    before = tree(chat)
    scanned.organize(tmp_path / "stickers", keep="best")
    scanned.dedupe()
    assert [batch.command for batch in scanned.history()] == ["organize", "dedupe"]
    scanned.undo()
    assert tree(chat) == before
    scanned.undo()
    assert not (tmp_path / "stickers").exists()


# The command


@pytest.fixture
def run(scanned: HashIndex, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(scanned.path))
    return lambda *words: CliRunner().invoke(app, ["dedupe", *words])


def test_the_command_prints_a_plan(run: Callable[..., Result], chat: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert f"trash  {chat}/new/small.png  (kept: {chat}/best/cat.png; copy, it is resized)" in result.stdout
    assert "Would move 3 copies of 1 group" in result.stdout and "Nothing was changed" in result.stdout


def test_the_command_applies_and_says_how_to_undo(run: Callable[..., Result], chat: Path) -> None:
    result = run("--apply")
    assert result.exit_code == 0 and result.stdout.startswith("Moved 3 copies (")
    assert "to the trash (batch 1). Undo: hashindex undo" in result.stdout
    again = run("--apply")
    assert (again.exit_code, again.stdout) == (0, "No copy can be removed.\n")


def test_json_has_a_line_a_step_and_a_summary(run: Callable[..., Result], chat: Path, tmp_path: Path) -> None:
    lines = [
        json.loads(line) for line in run("--json", "--to", str(tmp_path / "copies"), "--apply").stdout.splitlines()
    ]
    steps, summary = lines[:-1], lines[-1]
    assert {(one["action"], one["kept"]) for one in steps} == {("move", str(chat / "best" / "cat.png"))}
    assert {"source", "relation", "why", "bytes", "target"} < steps[0].keys()
    assert summary == {
        "event": "summary",
        "groups": 1,
        "removed": 3,
        "bytes": sum(one["bytes"] for one in steps),
        "left": 0,
        "applied": True,
        "batch": 1,
        "refused": 0,
        "stopped": None,
    }


def test_what_is_left_is_listed_with_its_reason(run: Callable[..., Result], chat: Path) -> None:
    result = run("--identical", "--json")
    left = [json.loads(line) for line in result.stdout.splitlines() if '"left","source"' in line]
    assert [one["event"] for one in left] == ["left", "left"] and all(one["why"] for one in left)
    assert f"left  {chat}/new/small.png  because no other file has its bytes" in run("--identical").stdout


def test_similar_is_refused_in_a_sentence(run: Callable[..., Result]) -> None:
    result = run("--level", "similar")
    assert result.exit_code == 2 and "dedupe removes copies only" in result.stderr


def test_a_refusal_is_exit_code_3(run: Callable[..., Result], chat: Path) -> None:
    same_size_and_time(chat / "new" / "small.png")
    result = run("--apply")
    assert result.exit_code == 3 and "its bytes are not those that were scanned" in result.stderr


def test_deduped_counts_bytes_of_what_went(scanned: HashIndex, chat: Path) -> None:
    deduped: Deduped = scanned.dedupe()
    assert deduped.bytes == deduped.plan.bytes > 0
