"""WeChat's masked pictures (.dat, every byte combined with one key): seen, shown and copied as what they are."""

import gzip
import io
import os
import random
from pathlib import Path

import pytest
from pictures import draw, save, write
from PIL import Image
from trees import listing, tree

from hashindex import Action, HashIndex, UnreadablePicture, UsageError
from hashindex.core.options import Limits
from hashindex.pictures.formats import mask_of, unmask, unmasked
from hashindex.pictures.thumbnails import ThumbnailJob, ThumbnailSize, thumbnails

IMAGES = "xwechat_files/wxid_x_0a1b/msg/attach/" + "e" * 32 + "/2024-05/Img"
NAME = "a" * 32
AES = b"\x07\x08V2\x08\x07" + bytes(range(64))


def encoded(format: str, seed: int = 1) -> bytes:
    data = io.BytesIO()
    draw(seed).save(data, format)
    return data.getvalue()


def masked(data: bytes, key: int) -> bytes:
    return bytes(byte ^ key for byte in data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_every_key_of_every_format_is_found(format: str) -> None:
    data = encoded(format)
    wrong = [key for key in range(1, 256) if unmasked(masked(data, key)) != data]
    assert wrong == []
    assert unmasked(data) is data


def test_what_is_no_masked_picture_is_left_as_it_is() -> None:
    rng = random.Random(1)
    taken = sum(bool(mask_of(rng.randbytes(64))) for _ in range(20_000))
    others = (b"", b"\xff", b"short", AES, bytes(4096), b"FaFa" * 20, encoded("TIFF"))
    assert (taken, [mask_of(head) for head in others]) == (0, [0] * len(others))
    assert unmask(b"\x00\xff", 0x1F) == b"\x1f\xe0"


@pytest.fixture
def wechat(folder: Path) -> Path:
    """One masked JPEG, one encrypted picture, and a file that only has the suffix."""
    write(folder / IMAGES / f"{NAME}.dat", masked(encoded("JPEG"), 0x5A))
    write(folder / IMAGES / f"{'b' * 32}.dat", AES)
    write(folder / IMAGES / "settings.dat", b"key=value\n")
    return folder


def test_a_masked_picture_is_scanned_and_an_encrypted_one_has_a_reason(index: HashIndex, wechat: Path) -> None:
    summary = index.scan([wechat])
    assert (summary.decoded, summary.other, summary.problems) == (1, 1, 1)
    (problem,) = index.problems()
    assert "encrypted" in problem.reason and "AES" in problem.reason
    assert index.scan([wechat]).unchanged == 3


def test_a_picture_saved_from_the_chat_is_the_same_content(index: HashIndex, wechat: Path) -> None:
    write(wechat / "saved.jpg", encoded("JPEG"))
    index.scan([wechat])
    assert index.status().contents == 1
    (group,) = index.groups()
    assert (len(group.members), group.keeper.distance) == (2, 0)


def test_a_masked_picture_can_be_asked_about_and_is_found(index: HashIndex, wechat: Path) -> None:
    index.scan([wechat])
    asked = write(wechat.parent / "asked.dat", masked(encoded("JPEG"), 0x33))
    assert [hit.same_bytes for hit in index.query(asked).hits] == [True]
    assert [hit.same_bytes for hit in index.query(data=masked(encoded("JPEG"), 7)).hits] == [True]
    with pytest.raises(UnreadablePicture, match="encrypted by WeChat"):
        index.query(wechat / IMAGES / f"{'b' * 32}.dat")


def test_a_word_on_a_masked_picture_is_a_word_on_the_picture_inside(index: HashIndex, wechat: Path) -> None:
    saved = write(wechat / "saved.jpg", encoded("JPEG"))
    index.scan([wechat])
    with pytest.raises(UsageError, match="same bytes"):
        index.same(wechat / IMAGES / f"{NAME}.dat", saved)


def test_a_masked_picture_is_shown(index: HashIndex, wechat: Path) -> None:
    write(wechat / "saved.png", encoded("PNG"))
    index.scan([wechat])
    (group,) = index.groups(radius=60)
    wanted = [ThumbnailJob(member.file.content.digest, (member.file.path_bytes,)) for member in group.members]
    assert [shown.trouble for shown in thumbnails(wanted, ThumbnailSize(), Limits(), 1)] == [None, None]


def test_organize_copies_it_without_its_mask_and_takes_that_back(
    index: HashIndex, wechat: Path, tmp_path: Path
) -> None:
    index.scan([wechat])
    before = tree(wechat)
    dest = wechat / "out"
    assert index.organize(dest, rest=True).outcome.done == 1
    assert (dest / "00001.jpg").read_bytes() == encoded("JPEG")
    with Image.open(dest / "00001.jpg") as picture:
        assert picture.size == (160, 120)
    # What the catalogue says of the copy is what a scan of it finds.
    assert index.scan([wechat]).decoded == 0
    assert index.plan(dest, rest=True).steps == ()
    # A second catalogue reads the manifest, and knows the masked picture in it.
    other = HashIndex(tmp_path / "other.db")
    other.scan([wechat])
    assert other.plan(dest, rest=True).steps == ()
    index.undo()
    assert (tree(wechat), dest.exists()) == (before, False)


@pytest.mark.parametrize("action", [Action.MOVE, Action.HARDLINK, Action.SYMLINK])
def test_a_masked_picture_is_never_moved_or_linked(
    index: HashIndex, wechat: Path, tmp_path: Path, action: Action
) -> None:
    save(draw(2), wechat / "other.png")
    index.scan([wechat])
    before = tree(wechat / IMAGES)
    organized = index.organize(tmp_path / "out", action=action, rest=True, from_client_cache=True)
    assert (organized.outcome.done, organized.plan.masked) == (1, 1)
    assert (tree(wechat / IMAGES), listing(tmp_path / "out")) == (before, ["00001.png"])


def test_a_masked_picture_that_changed_meanwhile_is_not_placed(index: HashIndex, wechat: Path, tmp_path: Path) -> None:
    index.scan([wechat])
    path = wechat / IMAGES / f"{NAME}.dat"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    write(path, bytes(data))
    outcome = index.organize(tmp_path / "out", rest=True).outcome
    assert (outcome.done, [refusal.path_bytes for refusal in outcome.refused]) == (0, [os.fsencode(path)])


def test_a_masked_thumbnail_goes_with_its_picture(index: HashIndex, wechat: Path) -> None:
    small = io.BytesIO()
    draw(1).resize((80, 60)).save(small, "JPEG")
    write(wechat / IMAGES / f"{NAME}_t.dat", masked(small.getvalue(), 0x5A))
    index.scan([wechat])
    assert (index.groups(), index.status().present, index.status().superseded) == ([], 2, 1)


def test_masked_bytes_under_another_suffix_are_no_picture(index: HashIndex, folder: Path) -> None:
    write(folder / "backup.bin", masked(encoded("JPEG"), 0x5A))
    summary = index.scan([folder])
    assert (summary.other, summary.decoded, summary.problems) == (1, 0, 0)


def test_a_sticker_that_cannot_be_read_has_a_row_that_names_it_whatever_it_is_called(
    index: HashIndex, folder: Path
) -> None:
    lottie = gzip.compress(b'{"tgs":1,"v":"5.5.2","fr":60,"ip":0,"op":180,"layers":[]}')
    write(folder / "wxgf" / "a.pic", b"wxgf" + bytes(60))
    write(folder / "wxgf" / "masked.dat", masked(b"wxgf" + bytes(60), 0x31))
    write(folder / "lottie" / "sticker.tgs", lottie)
    write(folder / "lottie" / "sticker.png", lottie)
    write(folder / "videos" / "sticker.gif", b"\x1aE\xdf\xa3\xa3B\x82\x84webm")
    write(folder / "videos" / "film.webm", b"\x1aE\xdf\xa3\xa3B\x82\x84webm")
    write(folder / "archives" / "words.gz", gzip.compress(b"words"))
    write(folder / "archives" / "short.dat", b"")
    index.scan([folder])
    said = {
        os.fsdecode(os.path.relpath(problem.path_bytes, os.fsencode(folder))): problem.reason
        for problem in index.problems()
    }
    wxgf = "it is a WeChat picture (wxgf), which only WeChat can open; to have it in the index, save it from the chat"
    tgs = "it is a Lottie animation (.tgs), which cannot be compared yet; to have it in the index, make a GIF of it"
    video = "it has a picture's extension, but its content is a WebM video"
    assert said == {
        "wxgf/a.pic": wxgf,
        "wxgf/masked.dat": wxgf,
        "lottie/sticker.tgs": tgs,
        "lottie/sticker.png": tgs,
        "videos/sticker.gif": video,
    }
