"""HashIndex: groups, query, plan, status, forget on pictures drawn here."""

import os
import shutil
from pathlib import Path

import pytest
from pictures import draw, fill, save, write
from PIL import Image

from hashindex import Action, Forgotten, HashIndex, Keep, State, Totals, UnreadablePicture, UsageError


def names(paths: list[bytes]) -> list[str]:
    return [os.fsdecode(os.path.basename(path)) for path in paths]


def grouped(index: HashIndex, **how: object) -> list[list[str]]:
    return [names([member.file.path_bytes for member in group.members]) for group in index.groups(**how)]  # type: ignore[arg-type]


def found(index: HashIndex, image: Path, **how: object) -> list[str]:
    return names([hit.file.path_bytes for hit in index.query(image, **how).hits])  # type: ignore[arg-type]


@pytest.fixture
def stickers(index: HashIndex, folder: Path) -> Path:
    """Three pictures in several encodings, one of them twice, and two blank pages."""
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.jpg", quality=90)
    save(draw(1).resize((80, 60)), folder / "small cat.gif")
    save(draw(2), folder / "dog.webp", lossless=True)
    shutil.copy2(folder / "dog.webp", folder / "dog again.webp")
    save(draw(3), folder / "owl.bmp")
    save(Image.new("RGB", (50, 50), "white"), folder / "blank.png")
    save(Image.new("RGB", (50, 50), "white"), folder / "blank.bmp")
    save(Image.new("RGB", (51, 50), "white"), folder / "other blank.png")
    index.scan([folder])
    return folder


def test_groups_hold_reencodings_equal_bytes_and_equal_blanks(index: HashIndex, stickers: Path) -> None:
    assert sorted(map(sorted, grouped(index))) == [
        ["blank.bmp", "blank.png"],
        ["cat.jpg", "cat.png", "small cat.gif"],
        ["dog again.webp", "dog.webp"],
    ]


def test_the_keeper_is_the_largest_file_or_as_asked(index: HashIndex, stickers: Path) -> None:
    os.utime(stickers / "small cat.gif", ns=(1, 1))
    os.utime(stickers / "cat.jpg", ns=(2_000_000_000_000_000_000, 2_000_000_000_000_000_000))
    index.scan([stickers])
    largest = max((stickers / name for name in ("cat.png", "cat.jpg", "small cat.gif")), key=os.path.getsize).name

    def keeper(keep: Keep) -> str:
        return next(group[0] for group in grouped(index, keep=keep) if "cat.png" in group)

    assert keeper(Keep.LARGEST) == largest
    assert keeper(Keep.OLDEST) == "small cat.gif"
    assert keeper(Keep.NEWEST) == "cat.jpg"
    assert keeper(Keep.PIXELS) in {"cat.png", "cat.jpg"}


@pytest.mark.parametrize("hash", ["phash", "dhash", "ahash", "whash", "phash256", "dhash256"])
def test_every_hash_finds_the_reencoded_cat(index: HashIndex, stickers: Path, hash: str) -> None:
    groups = index.groups(hash=hash, radius=3)
    cat = next(group for group in groups if any(b"cat.png" in member.file.path_bytes for member in group.members))
    assert (cat.hash, cat.radius, cat.level) == (hash, 3, "radius")
    assert len(cat.members) >= 2


def test_files_of_equal_bytes_group_even_if_they_cannot_be_decoded(index: HashIndex, folder: Path) -> None:
    data = save(draw(1), folder / "whole.png").read_bytes()
    for name in ("a.png", "b.png"):
        write(folder / name, data[:200])
    index.scan([folder])
    assert grouped(index) == [["a.png", "b.png"]]


def test_missing_files_are_in_no_group(index: HashIndex, stickers: Path) -> None:
    (stickers / "dog.webp").unlink()
    (stickers / "blank.png").unlink()
    index.scan([stickers])
    assert sorted(map(sorted, grouped(index))) == [["cat.jpg", "cat.png", "small cat.gif"]]


def test_passes_group_what_the_last_pass_left(index: HashIndex, stickers: Path) -> None:
    by_passes = index.groups(hash="phash", passes=(4, 64))
    radius_of = {
        name: group.radius for group in by_passes for name in names([m.file.path_bytes for m in group.members])
    }
    # Within all 64 bits everything is alike: what the first pass left is one group.
    assert (radius_of["cat.png"], radius_of["dog.webp"], radius_of["owl.bmp"]) == (4, 64, 64)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"hash": "md5"}, "phash, dhash"),
        ({"radius": -1}, "0 to 256"),
        ({"hash": "phash", "radius": 65}, "0 to 64"),
        ({"passes": (8, 300)}, "0 to 256"),
        ({"passes": (8,), "radius": 8}, "exclude each other"),
    ],
)
def test_a_wrong_hash_or_radius_is_a_sentence(
    index: HashIndex, stickers: Path, how: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        index.groups(**how)  # type: ignore[arg-type]


def test_query_shows_the_nearest_first_and_not_the_asked_file(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    asked = save(draw(1).resize((200, 150)), tmp_path / "asked.png")
    assert found(index, asked)[0] in {"cat.png", "cat.jpg", "small cat.gif"}
    assert set(found(index, asked)) == {"cat.png", "cat.jpg", "small cat.gif"}
    assert found(index, asked, limit=1) == found(index, asked)[:1]
    assert set(found(index, stickers / "cat.png")) == {"cat.jpg", "small cat.gif"}
    assert found(index, stickers / "owl.bmp") == []


def test_query_puts_equal_bytes_first_and_measures_every_hash(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    shutil.copy(stickers / "cat.jpg", tmp_path / "asked")
    hits = index.query(tmp_path / "asked").hits
    assert [(os.path.basename(hit.file.path_bytes), hit.same_bytes) for hit in hits[:1]] == [(b"cat.jpg", True)]
    assert list(hits[0].distances.items()) == [
        (name, 0) for name in ("phash", "dhash", "ahash", "whash", "phash256", "dhash256")
    ]


def test_query_takes_bytes(index: HashIndex, stickers: Path) -> None:
    hits = index.query(data=(stickers / "owl.bmp").read_bytes()).hits
    assert names([hit.file.path_bytes for hit in hits]) == ["owl.bmp"]


def test_query_finds_files_that_are_gone(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    (stickers / "owl.bmp").rename(tmp_path / "owl elsewhere.bmp")
    index.scan([stickers])
    (hit,) = index.query(tmp_path / "owl elsewhere.bmp").hits
    assert (os.path.basename(hit.file.path_bytes), hit.file.state) == (b"owl.bmp", State.MISSING)


def test_query_says_of_a_file_that_went_since_the_scan_that_it_is_gone(
    index: HashIndex, stickers: Path, tmp_path: Path
) -> None:
    (stickers / "owl.bmp").rename(tmp_path / "owl elsewhere.bmp")
    (hit,) = index.query(tmp_path / "owl elsewhere.bmp").hits
    assert hit.file.state is State.MISSING


def test_a_blank_picture_is_answered_by_equal_pixels_only(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    asked = save(Image.new("RGB", (50, 50), "white"), tmp_path / "asked.gif")
    answer = index.query(asked)
    assert answer.blank
    assert sorted(names([hit.file.path_bytes for hit in answer.hits])) == ["blank.bmp", "blank.png"]
    assert found(index, save(Image.new("RGB", (9, 9), "white"), tmp_path / "nine.png")) == []


def test_a_picture_that_cannot_be_read_is_a_sentence(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    cases = {
        "nowhere.png": None,
        "text.png": b"plain text",
        "empty.png": b"",
        "cut.png": (stickers / "cat.png").read_bytes()[:60],
    }
    for name, data in cases.items():
        if data is not None:
            write(tmp_path / name, data)
        with pytest.raises(UnreadablePicture, match=name):
            index.query(tmp_path / name)
    with pytest.raises(UnreadablePicture, match="pictures"):
        index.query(stickers)
    with pytest.raises(UnreadablePicture, match="The picture"):
        index.query(data=b"nothing")


def test_the_plan_is_numbered_and_changes_nothing(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    write(dest / "00011.gif", b"theirs")
    before = sorted(path for place in (dest, stickers) for path in place.rglob("*"))
    plan = index.plan(dest)
    assert (plan.pictures, plan.groups, plan.grouped, plan.remaining) == (9, 3, 7, 2)
    # Of dog's two files with equal bytes a copy needs one.
    assert sorted((step.number, step.copy) for step in plan.steps) == [
        (12, 0), (12, 1), (13, 0), (13, 1), (13, 2), (14, 0)
    ]  # fmt: skip
    with_rest = index.plan(dest, rest=True, action=Action.MOVE)
    assert len(with_rest.steps) == 9
    assert len({step.target_bytes for step in with_rest.steps}) == 9
    assert sorted(path for place in (dest, stickers) for path in place.rglob("*")) == before


def test_status_counts_by_state_and_format(index: HashIndex, stickers: Path) -> None:
    write(stickers / "notes.txt", b"hello")
    write(stickers / "page.gif", b"<html>")
    (stickers / "owl.bmp").unlink()
    index.scan([stickers])
    status = index.status()
    assert (status.present, status.missing, status.other, status.problems) == (8, 1, 1, 1)
    assert (status.contents, status.blank, status.outdated) == (8, 3, 0)
    assert status.formats == {"png": 3, "webp": 2, "bmp": 1, "gif": 1, "jpeg": 1}
    assert [(os.fsdecode(root.path_bytes), root.files) for root in status.roots] == [(str(stickers.resolve()), 8)]


def test_forget_drops_rows_and_touches_no_file(index: HashIndex, folder: Path) -> None:
    fill(folder / "a%b", [1, 2])
    fill(folder / "a_b", [3])
    fill(folder, [4])
    index.scan([folder])
    assert index.forget(folder / "a%b") == Forgotten(2, 0, 0)
    assert index.forget(folder / "4.png") == Forgotten(1, 0, 0)
    assert index.status().present == 1
    with pytest.raises(UsageError, match="knows nothing"):
        index.forget(folder / "a%b")
    assert sorted(path.name for path in folder.rglob("*.png")) == ["1.png", "2.png", "3.png", "4.png"]
    assert index.forget(folder) == Forgotten(1, 0, 1)
    assert (index.status().contents, index.status().roots) == (0, ())


def test_forget_lets_go_of_a_root_that_is_gone(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    shutil.rmtree(folder)
    assert index.scan([folder]).problems == 1
    index.forget(folder)
    assert index.problems() == []


def test_every_engine_makes_the_same_groups(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    expected = index.groups(hash="phash", radius=12)
    assert len(expected) >= 3
    for engine in ("bktree", "packed"):
        assert index.groups(hash="phash", radius=12, engine=engine) == expected
    with pytest.raises(UsageError, match="auto, bktree, packed"):
        index.groups(hash="phash", engine="faiss")


def test_auto_takes_packed_keys_when_there_are_many(
    index: HashIndex, stickers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = index.groups(hash="phash")
    monkeypatch.setattr("hashindex.index.clusters.BKTREE_KEYS", -1)
    monkeypatch.setattr("hashindex.hashing.search.BKTreeIndex", None)
    assert index.groups(hash="phash") == expected


def test_a_question_asked_again_sees_what_changed_meanwhile(index: HashIndex, folder: Path) -> None:
    fill(folder, range(40))
    asked = save(draw(3), folder.parent / "asked.jpg", quality=95)
    other = HashIndex(index.path)
    index.scan([folder])

    def found() -> list[str]:
        answers = [
            [Path(os.fsdecode(hit.file.path_bytes)).name for hit in one.query(asked).hits] for one in (index, other)
        ]
        assert answers[0] == answers[1]
        return answers[0]

    # The first question reads the keys on the way, the second keeps them, the third asks what was kept.
    assert [found() for _ in range(3)] == [["3.png"]] * 3
    save(draw(3), folder / "new.gif")
    index.scan([folder])
    assert [sorted(found()) for _ in range(3)] == [["3.png", "new.gif"]] * 3
    other.forget(folder / "3.png")
    assert [found() for _ in range(3)] == [["new.gif"]] * 3


def test_a_report_and_its_contact_sheet_hold_the_groups_that_were_asked_for(
    index: HashIndex, stickers: Path, tmp_path: Path
) -> None:
    page, sheet = index.report(tmp_path / "r.html", contact_sheet=tmp_path / "s.png", hash="dhash", radius=0)
    groups = grouped(index, hash="dhash", radius=0)
    assert [(each.file.name, each.groups) for each in (page, sheet)] == [
        ("r.html", len(groups)),
        ("s.png", len(groups)),
    ]
    assert page.bytes == page.file.stat().st_size


def test_exported_decisions_are_imported_by_another_catalogue(index: HashIndex, stickers: Path, tmp_path: Path) -> None:
    index.separate(stickers / "cat.png", stickers / "cat.jpg")
    index.same(stickers / "cat.png", stickers / "owl.bmp")
    other = HashIndex(tmp_path / "other.db")
    other.scan([stickers])
    assert other.import_decisions(index.export_decisions()) == 2
    assert other.decisions() == index.decisions()
    with pytest.raises(UsageError, match="a list, line 2"):
        other.import_decisions([*index.export_decisions()[:1], "{}"], name="a list")


def test_totals_are_those_of_the_groups(index: HashIndex, folder: Path) -> None:
    for number in range(3):
        for suffix in ("png", "gif", "webp")[: number + 1]:
            save(draw(number), folder / f"{number}.{suffix}")
    shutil.copy(folder / "0.png", folder / "again.png")
    index.scan([folder])
    totals = index.totals()
    sizes = [[member.file.size for member in group.members] for group in index.groups()]
    assert totals == Totals(3, 4, sum(sum(each) - max(each) for each in sizes))
