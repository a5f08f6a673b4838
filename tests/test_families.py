"""One picture in several sizes: the best one stands for the others, and is never lost with them."""

import os
import shutil
from pathlib import Path

import pytest
from pictures import LONG_AGO_NS, draw, save, write
from trees import listing, tree
from typer.testing import CliRunner

from hashindex import Action, HashIndex, UsageError
from hashindex.clients.families import Form, Place, form_of, place_of
from hashindex.commands.cli import app
from hashindex.core.organizing import PLACING

CAT, DOG, BIRD = ("c" * 31 + "0", "d" * 31 + "1", "B" * 31 + "2")
MONTH = "nt_data/Pic/2024-05"


def p(path: str) -> bytes:
    return os.fsencode(path.replace("/", os.sep))


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("/a/nt_data/Pic/2024-05/Ori", Place(p("/a/nt_data/Pic/2024-05"), 0)),
        ("/a/nt_data/Pic/2024-05/OriTemp", Place(p("/a/nt_data/Pic/2024-05"), 1)),
        ("/a/nt_data/Emoji/emoji-recv/2024-05/Thumb", Place(p("/a/nt_data/Emoji/emoji-recv/2024-05"), 2)),
        ("/a/nt_data/Emoji/personal_emoji/Ori", Place(p("/a/nt_data/Emoji/personal_emoji"), 0)),
        ("/w/msg/attach/0f/2024-05/Img", Place(p("/w/msg/attach/0f/2024-05/Img"), -1)),
        ("/a/Pictures/Ori", None),
        ("/a/2024-05", None),
        ("/a/2024-05/thumb", None),
    ],
)
def test_a_family_lives_in_a_months_folder(folder: str, place: Place | None) -> None:
    assert place_of(p(folder)) == place


def test_names_rank_within_their_folder() -> None:
    thumbs = Place(b"", 2)
    names = [f"{CAT}.png", f"{CAT}_720.jpg", f"{CAT}_198", f"{CAT.upper()}_0.jpg"]
    forms = [form_of(thumbs, name.encode()) for name in names]
    assert None not in forms and forms == sorted(forms, key=lambda form: form.rank if form else (9, 9))
    assert {form.stem for form in forms if form} == {CAT.encode()}
    assert form_of(thumbs, b"cat.png") is None


def test_wechats_thumbnails_are_known_by_their_name() -> None:
    images = Place(b"", -1)
    assert form_of(images, f"{CAT}_h.dat".encode()) == Form(CAT.encode(), (0, 0))
    assert form_of(images, f"{CAT}.dat".encode()) == Form(CAT.encode(), (1, 0))
    assert form_of(images, f"{CAT}_t.dat".encode()) == Form(CAT.encode(), (2, 0))


def sizes(folder: Path, stem: str, seed: int, *kinds: str) -> None:
    """One picture as QQ NT keeps it: "Ori", "OriTemp", "Thumb_720", ..., each smaller than the one before."""
    for kind in kinds:
        below, _, size = kind.partition("_")
        picture = draw(seed, (320, 240))
        if below != "Ori":
            picture = picture.resize((160, 120) if size in ("720", "") else (80, 60))
        name = f"{stem}_{size}.jpg" if size else f"{stem}.png"
        save(picture, folder / below / name)


def asked_like(seed: int, folder: Path) -> Path:
    return save(draw(seed, (320, 240)).resize((200, 150)), folder / f"asked{seed}.png")


@pytest.fixture
def qq(folder: Path) -> Path:
    """Two pictures with thumbnails, one of which has only thumbnails; the first came again next month."""
    sizes(folder / MONTH, CAT, 1, "Ori", "OriTemp", "Thumb_720", "Thumb_0")
    sizes(folder / MONTH, DOG, 2, "Thumb_720", "Thumb_0")
    sizes(folder / "nt_data/Pic/2024-06", CAT, 1, "Ori", "Thumb_0")
    return folder


def paths(index: HashIndex) -> list[list[str]]:
    return [
        sorted("/".join(os.fsdecode(m.file.path_bytes).split(os.sep)[-3:]) for m in g.members) for g in index.groups()
    ]


def test_groups_show_originals_and_never_their_thumbnails(index: HashIndex, qq: Path) -> None:
    index.scan([qq])
    assert paths(index) == [[f"2024-05/Ori/{CAT}.png", f"2024-06/Ori/{CAT}.png"]]
    status = index.status()
    assert (status.present, status.superseded) == (8, 5)


def test_a_query_hits_originals_unless_the_family_is_asked_for(index: HashIndex, qq: Path) -> None:
    index.scan([qq])
    asked = asked_like(1, qq.parent)
    assert len(index.query(asked).hits) == 2
    assert len(index.query(asked, family=True).hits) == 6
    dog = asked_like(2, qq.parent)
    (hit,) = index.query(dog).hits
    assert os.path.basename(os.fsdecode(hit.file.path_bytes)) == f"{DOG}_720.jpg"


@pytest.mark.parametrize("action", PLACING)
def test_one_file_a_picture_is_organized(index: HashIndex, qq: Path, tmp_path: Path, action: Action) -> None:
    shutil.rmtree(qq / "nt_data/Pic/2024-06")
    index.scan([qq])
    index.organize(tmp_path / "out", action=action, rest=True, from_client_cache=True)
    assert listing(tmp_path / "out") == ["00001.png", "00002.jpg"]
    # Nor does a later run, when the original may have been moved away, take a thumbnail for a new picture.
    index.scan()
    assert index.organize(tmp_path / "out", action=action, rest=True, from_client_cache=True).plan.steps == ()


def test_after_the_client_deleted_an_original_its_best_thumbnail_is_shown(index: HashIndex, folder: Path) -> None:
    sizes(folder / MONTH, CAT, 1, "Ori", "Thumb_720", "Thumb_0")
    index.scan([folder])
    (folder / MONTH / "Ori" / f"{CAT}.png").unlink()
    index.scan()
    asked = asked_like(1, folder.parent)
    shown = [(os.path.basename(hit.file.path_bytes), hit.file.state) for hit in index.query(asked).hits]
    assert sorted(shown) == [(f"{CAT}.png".encode(), "missing"), (f"{CAT}_720.jpg".encode(), "present")]
    save(draw(1, (320, 240)), folder / MONTH / "Ori" / f"{CAT}.png")
    index.scan()
    assert [os.path.basename(hit.file.path_bytes) for hit in index.query(asked).hits] == [f"{CAT}.png".encode()]


def test_a_thumbnail_that_is_left_is_compared_as_any_picture(index: HashIndex, folder: Path) -> None:
    sizes(folder / MONTH, CAT, 1, "Ori", "Thumb_720")
    save(draw(1, (320, 240)), folder / "a/b/saved.bmp")
    index.scan([folder])
    assert paths(index) == [sorted([f"2024-05/Ori/{CAT}.png", "a/b/saved.bmp"])]
    (folder / MONTH / "Ori" / f"{CAT}.png").unlink()
    index.scan()
    assert paths(index) == [sorted([f"2024-05/Thumb/{CAT}_720.jpg", "a/b/saved.bmp"])]


def test_a_thumbnail_of_what_was_copied_before_it_went_is_no_newcomer(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    sizes(folder / MONTH, CAT, 1, "Ori", "Thumb_720", "Thumb_0")
    sizes(folder / MONTH, DOG, 2, "Ori")
    index.scan([folder])
    index.organize(tmp_path / "out", rest=True)
    (folder / MONTH / "Ori" / f"{CAT}.png").unlink()
    index.scan()
    assert index.plan(tmp_path / "out", rest=True).steps == ()
    # With the copy gone too, the thumbnail is the best there is.
    (tmp_path / "out" / "00001.png").unlink()
    index.scan([folder, tmp_path / "out"])
    sources = {os.path.basename(step.source_bytes) for step in index.plan(tmp_path / "other", rest=True).steps}
    assert sources == {f"{CAT}_720.jpg".encode(), f"{DOG}.png".encode()}


def test_a_download_that_broke_off_stands_for_nothing_that_is_whole(index: HashIndex, folder: Path) -> None:
    sizes(folder / MONTH, CAT, 1, "OriTemp", "Thumb_0")
    whole = folder / MONTH / "OriTemp" / f"{CAT}.png"
    write(whole, whole.read_bytes()[:-600])
    index.scan([folder])
    (step,) = index.plan(folder.parent / "out", rest=True).steps
    assert step.source_bytes.endswith(b"_0.jpg")
    assert index.problems() == []


def test_upper_and_lower_case_are_one_family(index: HashIndex, folder: Path) -> None:
    sizes(folder / MONTH, BIRD.upper(), 1, "Ori")
    sizes(folder / MONTH, BIRD.lower(), 1, "Thumb_0")
    index.scan([folder])
    assert index.status().superseded == 1


def test_a_thumbnail_with_the_originals_own_bytes_goes_with_it(index: HashIndex, folder: Path) -> None:
    data = save(draw(1), folder / MONTH / "Ori" / f"{CAT}.png").read_bytes()
    write(folder / MONTH / "Thumb" / f"{CAT}_0.png", data)
    index.scan([folder])
    assert (index.groups(), index.status().superseded) == ([], 1)
    (folder / MONTH / "Ori" / f"{CAT}.png").unlink()
    index.scan()
    assert (index.status().present, index.status().superseded) == (1, 0)


def test_forgetting_the_originals_brings_the_best_thumbnails_back(index: HashIndex, folder: Path) -> None:
    sizes(folder / MONTH, CAT, 1, "Ori", "Thumb_720", "Thumb_0")
    index.scan([folder])
    index.forget(folder / MONTH / "Ori")
    (step,) = index.plan(folder.parent / "out", rest=True).steps
    assert os.path.basename(step.source_bytes) == f"{CAT}_720.jpg".encode()


def test_moving_out_of_a_clients_folders_needs_an_option_and_the_error_says_what_the_client_does(
    index: HashIndex, qq: Path, tmp_path: Path
) -> None:
    index.scan([qq])
    before = tree(qq)
    with pytest.raises(UsageError, match=r"3 of QQ.*another month.*30 days.*--from-client-cache"):
        index.organize(tmp_path / "out", action=Action.MOVE, rest=True)
    assert tree(qq) == before
    assert not (tmp_path / "out").exists()
    assert index.plan(tmp_path / "out", action=Action.MOVE, rest=True).from_clients == (("QQ", 3),)
    assert index.plan(tmp_path / "out", rest=True).from_clients == ()
    assert index.organize(tmp_path / "out", action=Action.MOVE, rest=True, from_client_cache=True).outcome.done == 3
    index.undo()
    assert tree(qq) == before


def test_undoing_a_move_gives_each_family_its_original_back(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    sizes(folder / MONTH, CAT, 1, "Ori", "Thumb_720")
    index.scan([folder])
    index.organize(tmp_path / "out", action=Action.MOVE, rest=True, from_client_cache=True)
    index.undo()
    index.scan()
    (step,) = index.plan(tmp_path / "other", rest=True).steps
    assert (step.source_bytes.endswith(b".png"), step.mtime_ns) == (True, LONG_AGO_NS)


def test_the_command_line_warns_of_the_plan_refuses_to_move_and_shows_families(
    index: HashIndex, qq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))

    def run(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        return result.exit_code, result.stdout, result.stderr

    index.scan([qq])
    move = ("organize", tmp_path / "out", "--mode", "move", "--rest")
    code, _, said = run(*move)
    assert (code, "3 files are in the folders of QQ" in said, "30 days" in said) == (0, True, True)
    code, _, said = run(*move, "--apply")
    assert (code, "--from-client-cache" in said) == (2, True)
    assert "Families   5 thumbnails" in run("status")[1]
    asked = asked_like(2, qq.parent)
    shown = [len(run("query", asked, *words)[1].splitlines()) for words in ((), ("--family",))]
    assert shown == [1, 2]
    assert run(*move, "--apply", "--from-client-cache")[0] == 0
    assert len(listing(tmp_path / "out")) == 3
