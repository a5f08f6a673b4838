"""Which copy is kept: each edit against the picture that it was made of, in pairs and in groups; and the rules.

"Real" pictures here are drawn large and reduced, so that they have the detail of their size and no more.
"""

import io
import os
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from builders import SECOND, content, file
from pictures import draw, save
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from hashindex import HashIndex, Keep, UsageError
from hashindex.core.keep_rules import Under, keep_rules
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.index.keep_order import deciding_rule, order
from hashindex.judge.faults import Choice, Fault, sentence
from hashindex.judge.keeper import choose
from hashindex.pictures.quality import MOMENTS, portrait

SIZE = (180, 132)


def encoded(*frames: Image.Image, format: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    if len(frames) > 1:
        options = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0, **options}
    frames[0].save(target, format, **options)
    return target.getvalue()


def real(seed: int = 5, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with fine texture and clean edges, as a camera's or a drawing's."""
    picture = draw(seed, (size[0] * 3, size[1] * 3)).resize(size, Image.Resampling.LANCZOS)
    rng = random.Random(seed)
    grain = Image.frombytes("L", size, bytes(rng.randrange(108, 149) for _ in range(size[0] * size[1])))
    textured = Image.blend(picture, Image.merge("RGB", [grain] * 3), 0.12)
    ImageDraw.Draw(textured).line([(0, 7), (size[0], 23), (30, size[1])], fill="black", width=2)
    return textured


def sticker(seed: int = 5) -> Image.Image:
    picture = real(seed).convert("RGBA")
    mask = Image.new("L", (SIZE[0] * 4, SIZE[1] * 4))
    ImageDraw.Draw(mask).ellipse((40, 30, SIZE[0] * 4 - 40, SIZE[1] * 4 - 30), fill=255)
    picture.putalpha(mask.resize(SIZE, Image.Resampling.LANCZOS))
    return picture


def film(count: int = 12) -> list[Image.Image]:
    frames = []
    for number in range(count):
        frame = real().copy()
        ImageDraw.Draw(frame).ellipse((10 * number, 40, 10 * number + 40, 80), fill="yellow", outline="black")
        frames.append(frame)
    return frames


def chosen(*pictures: bytes) -> Choice:
    return choose([portrait(data, Limits()) for data in pictures])


def watermarked(picture: Image.Image) -> Image.Image:
    marked = picture.copy()
    ImageDraw.Draw(marked).text((100, 100), "@some.body", fill="white", stroke_width=1, stroke_fill="black")
    return marked


def cropped(picture: Image.Image) -> Image.Image:
    return picture.crop((12, 9, SIZE[0] - 12, SIZE[1] - 9))


def letterboxed(picture: Image.Image) -> Image.Image:
    boxed = Image.new("RGB", (SIZE[0], SIZE[1] + 48))
    boxed.paste(picture, (0, 24))
    return boxed


def captioned(picture: Image.Image) -> Image.Image:
    boxed = Image.new("RGB", (SIZE[0], SIZE[1] + 30), "white")
    boxed.paste(picture, (0, 0))
    ImageDraw.Draw(boxed).text((20, SIZE[1] + 8), "when you see it", fill="black")
    return boxed


def enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((SIZE[0] * 3 // 2, SIZE[1] * 3 // 2), Image.Resampling.BICUBIC)


def reduced(picture: Image.Image) -> Image.Image:
    return picture.resize((SIZE[0] // 2, SIZE[1] // 2), Image.Resampling.LANCZOS)


def turned(picture: Image.Image) -> Image.Image:
    return picture.rotate(2, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


EDITS: dict[str, tuple[Callable[[Image.Image], Image.Image], Fault]] = {
    "turned": (turned, Fault.TURNED),
    "blurred": (lambda picture: picture.filter(ImageFilter.GaussianBlur(1)), Fault.SOFTER),
    "watermarked": (watermarked, Fault.ADDED),
    "cropped": (cropped, Fault.CROPPED),
    "bordered": (lambda picture: ImageOps.expand(picture, 15, "black"), Fault.BORDERED),
    "letterboxed": (letterboxed, Fault.BORDERED),
    "captioned": (captioned, Fault.BORDERED),
    "enlarged": (enlarged, Fault.ENLARGED),
    "reduced": (reduced, Fault.REDUCED),
    "grey": (lambda picture: picture.convert("L"), Fault.GREY),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("seed", [5, 8])
def test_the_original_of_two_is_kept_and_the_other_has_its_fault(edit: str, seed: int) -> None:
    make, fault = EDITS[edit]
    original, edited = encoded(real(seed)), encoded(make(real(seed)))
    first, second = chosen(original, edited).members
    assert (first.rank, first.faults, second.faults[0]) == (0, (), fault)
    second, first = chosen(edited, original).members
    assert (first.rank, first.faults, second.faults[0]) == (0, (), fault)


def test_in_a_group_of_all_edits_the_original_is_kept() -> None:
    pictures = [encoded(make(real())) for make, _ in EDITS.values()]
    choice = chosen(*pictures, encoded(real()), encoded(real(), format="JPEG", quality=60))
    assert min(range(len(choice.members)), key=lambda number: choice.members[number].rank) == len(pictures)
    assert choice.doubt is None


def test_a_jpeg_of_higher_quality_ranks_before_one_of_lower_quality() -> None:
    low, high = (encoded(real(), format="JPEG", quality=quality) for quality in (60, 92))
    assert [member.rank for member in chosen(low, high).members] == [1, 0]


@pytest.mark.parametrize("quality", [30, 50, 75, 92, 100])
def test_the_quality_of_a_jpeg_is_computed_from_its_tables(quality: int) -> None:
    data = encoded(real(), format="JPEG", quality=quality)
    assert portrait(data, Limits()).jpeg_quality == pytest.approx(quality, abs=1.5)


def test_a_jpeg_ranks_before_the_gif_made_from_it() -> None:
    jpeg = encoded(real(), format="JPEG", quality=85)
    with Image.open(io.BytesIO(jpeg)) as image:
        gif = encoded(image.convert("RGB"), format="GIF")
    assert [member.rank for member in chosen(gif, jpeg).members] == [1, 0]


def test_a_gif_with_fewer_colours_ranks_after_one_with_more() -> None:
    many, few = (encoded(real().quantize(colours), format="GIF") for colours in (256, 24))
    first, second = chosen(many, few).members
    assert (first.rank, second.rank) == (0, 1)
    assert second.faults


def test_a_transparent_picture_ranks_before_a_flattened_one() -> None:
    original = encoded(sticker())
    for ground in ("white", "black"):
        flat = Image.new("RGB", SIZE, ground)
        flat.paste(sticker(), mask=sticker().getchannel("A"))
        first, second = chosen(original, encoded(flat)).members
        assert (first.rank, second.rank, second.faults) == (0, 1, (Fault.FLATTENED,)), ground


def test_an_animation_ranks_before_its_first_frame_and_before_one_with_fewer_frames() -> None:
    whole, half, still = encoded(*film(), format="GIF"), encoded(*film()[::2], format="GIF"), encoded(film()[0])
    choice = chosen(half, still, whole)
    assert [member.rank for member in choice.members] == [1, 2, 0]
    assert [member.faults[:1] for member in choice.members] == [(Fault.FEWER_FRAMES,), (Fault.STILL,), ()]


def test_an_animation_at_another_pace_than_all_others_ranks_last() -> None:
    usual = [encoded(*film(), format="GIF", comment=f"{number}".encode()) for number in range(3)]
    choice = chosen(*usual, encoded(*film(), format="GIF", duration=300))
    assert choice.members[3].faults == (Fault.OTHER_PACE,)
    assert [member.rank for member in choice.members] == [0, 0, 0, 1]


def test_an_animation_that_begins_blank_ranks_after_one_that_does_not() -> None:
    blank = Image.new("RGB", SIZE, "white")
    first, second = chosen(encoded(*film(), format="GIF"), encoded(blank, *film(), format="GIF")).members
    assert (first.rank, second.faults) == (0, (Fault.BLANK_FRAMES,))


def test_a_truncated_picture_ranks_after_a_whole_one() -> None:
    whole = encoded(real())
    first, second = chosen(whole[: len(whole) * 19 // 20], whole).members
    assert (first.faults[0], second.rank) == (Fault.BROKEN, 0)


def test_an_unreadable_file_ranks_last() -> None:
    choice = choose([None, portrait(encoded(real()), Limits())])
    assert [(member.rank, member.faults) for member in choice.members] == [(1, (Fault.BROKEN,)), (0, ())]
    assert choose([None, None]).doubt == "none of the files can be read"


def test_equal_pixels_tie_whatever_the_format() -> None:
    choice = chosen(encoded(real()), encoded(real(), format="BMP"), encoded(real(), format="TIFF"))
    assert [(member.rank, member.faults) for member in choice.members] == [(0, ())] * 3
    assert choice.doubt is None


def test_a_larger_copy_and_one_that_shows_more_leave_a_doubt() -> None:
    whole_but_small, large_but_cropped = encoded(reduced(real())), encoded(cropped(real()))
    choice = chosen(whole_but_small, large_but_cropped)
    assert choice.doubt == "one is larger, another shows the picture without marks, margins or cuts"
    assert [member.rank for member in choice.members] == [1, 0]


def test_two_animations_in_reverse_order_leave_a_doubt() -> None:
    forth, back = encoded(*film(), format="GIF"), encoded(*film()[::-1], format="GIF")
    assert chosen(forth, back).doubt == "they play in another order"


def test_two_drawings_in_different_colours_leave_a_doubt() -> None:
    red, green, blue = real().split()
    assert chosen(encoded(real()), encoded(Image.merge("RGB", (blue, red, green)))).doubt is not None


def test_a_mirror_image_leaves_a_doubt() -> None:
    assert chosen(encoded(real()), encoded(ImageOps.mirror(real()))).doubt is not None


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 7), (8, 8)])
def test_the_tiniest_pictures_are_chosen_by_their_pixels(size: tuple[int, int]) -> None:
    tiny, larger = (encoded(draw(3).resize(each)) for each in (size, (size[0] * 2, size[1] * 2)))
    assert chosen(tiny, larger).members[1].rank == 0


def test_blank_pictures_are_compared_without_a_problem() -> None:
    blank = [encoded(Image.new("RGB", SIZE, colour)) for colour in ("white", "white", "black")]
    assert min(member.rank for member in chosen(*blank).members) == 0


def test_the_portrait_of_a_large_photo_has_a_patch_at_full_size() -> None:
    found = portrait(encoded(draw(4, (2600, 1400)), format="JPEG"), Limits())
    assert (found.size, found.part, found.patch.size) == ((2600, 1400), 0.25, (650, 350))
    assert max(found.moments[0].size) == 640


def test_the_portrait_of_an_animation_has_its_moments_and_its_distinct_frames() -> None:
    found = portrait(encoded(*film(6), film(6)[5], format="WEBP", lossless=True), Limits())
    assert (found.frames, found.distinct, len(found.moments)) == (found.frames, 6, MOMENTS)


# The sentence


def test_the_sentence_counts_what_the_others_are() -> None:
    others = [(Fault.REDUCED, Fault.SOFTER), (Fault.CROPPED,), (Fault.REDUCED,), ()]
    assert sentence((), others) == (
        "kept: the full picture at its real size; the others are resized (2), cropped (1), as good (1)"
    )
    assert sentence((), [(Fault.ADDED,)]) == (
        "kept: the full picture at its real size; the other is watermarked or written on"
    )
    assert (
        sentence((Fault.CROPPED,), [(Fault.REDUCED,)])
        == "kept: the best there is, though cropped; the other is resized"
    )


# Rules


def test_rules_are_read_from_one_text_and_from_a_sequence(tmp_path: Path) -> None:
    rules = (Under(files.absolute(tmp_path)), Keep.BEST)
    assert keep_rules(f"under:{tmp_path}, best") == rules
    assert keep_rules([f"under:{tmp_path}", "best"]) == rules
    assert keep_rules(rules) == rules
    assert keep_rules(Keep.OLDEST) == (Keep.OLDEST,)
    assert keep_rules("under:~/x") == (Under(files.absolute(Path.home() / "x")),)


@pytest.mark.parametrize("wrong", ["", "prettiest", "best,,oldest", "under:", []])
def test_a_wrong_rule_is_an_error_that_names_the_rules(wrong: str | Sequence[str]) -> None:
    with pytest.raises(UsageError, match="best, largest, pixels, oldest, newest, or under:FOLDER"):
        keep_rules(wrong)


def test_the_first_rule_that_distinguishes_two_files_decides() -> None:
    best, other = file(b"/in/b", content(1), mtime_ns=SECOND), file(b"/best/a", content(2), mtime_ns=2 * SECOND)
    ranks = {1: 0, 2: 1}
    under = Under(b"/best")
    assert order([other, best], (Keep.BEST,), ranks) == [best, other]
    assert order([other, best], (under, Keep.BEST), ranks) == [other, best]
    assert deciding_rule([other, best], (under, Keep.BEST), ranks) == under
    assert order([other, best], (Keep.PIXELS, Keep.BEST), ranks) == [best, other]
    assert deciding_rule([best, other], (Keep.PIXELS, Keep.BEST), ranks) == Keep.BEST
    assert deciding_rule([best, other], (Keep.PIXELS,)) is None


def test_ties_for_the_best_are_broken_by_age_and_then_by_path() -> None:
    held = [file(b"/c", content(1), size=9), file(b"/b", content(2), mtime_ns=0), file(b"/a", content(3))]
    assert [each.path_bytes for each in order(held, Keep.BEST, {1: 0, 2: 0, 3: 0})] == [b"/b", b"/a", b"/c"]


# Groups


@pytest.fixture
def edits(index: HashIndex, folder: Path) -> Path:
    """A picture and what was made of it; the original is neither the largest file, nor the oldest, nor the first."""
    save(real(), folder / "original.png", mtime_ns=1_700_000_000 * SECOND)
    save(real(), folder / "bitmap.bmp", mtime_ns=1_700_000_001 * SECOND)
    save(real().convert("L").convert("RGB"), folder / "grey.bmp")
    save(reduced(real()), folder / "best" / "small.png")
    index.scan([folder])
    return folder


def named(paths: Sequence[bytes]) -> list[str]:
    return [os.fsdecode(os.path.basename(path)) for path in paths]


def test_groups_keep_the_best_and_give_the_reason(index: HashIndex, edits: Path) -> None:
    (group,) = index.groups()
    assert named([member.file.path_bytes for member in group.members])[:2] == ["original.png", "bitmap.bmp"]
    assert group.why == "kept: the full picture at its real size; the others are grey (1), resized (1), as good (1)"
    assert (group.agreed, group.doubt) == (True, None)
    assert [member.faults for member in group.members] == [(), (), ("resized",), ("grey",)]


def test_groups_take_several_rules(index: HashIndex, edits: Path) -> None:
    (group,) = index.groups(keep=f"under:{edits / 'best'},best")
    assert named([member.file.path_bytes for member in group.members])[:2] == ["small.png", "original.png"]
    assert group.why == f"kept: the file below {files.absolute(edits / 'best').decode()}"
    (group,) = index.groups(keep=["largest"])
    assert group.why == "kept: the largest file"
    assert group.agreed


def test_the_plan_of_organize_has_the_same_order(index: HashIndex, edits: Path, tmp_path: Path) -> None:
    (group,) = index.groups()
    steps = index.plan(tmp_path / "numbered").steps
    assert [step.source_bytes for step in steps] == [member.file.path_bytes for member in group.members]


def test_a_choice_is_stored_until_another_content_is_added(
    index: HashIndex, edits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = index.groups()
    run = "hashindex.index.keeping._choose_in_workers"
    monkeypatch.setattr(run, lambda groups, *_: iter(pytest.fail() for _ in groups))
    assert index.groups() == [before]
    monkeypatch.undo()
    save(cropped(real()), edits / "cropped.png")
    index.scan([edits])
    (after,) = index.groups()
    assert named([after.keeper.file.path_bytes]) == ["original.png"]
    assert len(after.members) == len(before.members) + 1


def test_a_choice_is_made_even_if_the_catalogue_is_read_only(
    index: HashIndex, edits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashindex.core.errors import CatalogueUnwritable
    from hashindex.store.access import Access

    def refuse(self: Access, **_: object) -> None:
        raise CatalogueUnwritable("The disk is full.")

    monkeypatch.setattr(Access, "writing", refuse)
    assert [named([group.keeper.file.path_bytes]) for group in index.groups()] == [["original.png"]]


def test_a_file_that_changed_since_the_scan_is_not_kept_and_is_measured_again(index: HashIndex, edits: Path) -> None:
    whole = (edits / "original.png").read_bytes()
    (edits / "original.png").write_bytes(b"something else")
    (group,) = index.groups()
    assert named([group.keeper.file.path_bytes]) == ["bitmap.bmp"]
    (edits / "original.png").write_bytes(whole)
    os.utime(edits / "original.png", ns=(1_700_000_000 * SECOND,) * 2)
    (group,) = index.groups()
    assert named([group.keeper.file.path_bytes]) == ["original.png"]


def test_groups_by_distance_alone_keep_the_largest_and_open_no_file(index: HashIndex, edits: Path) -> None:
    for path in edits.rglob("*.*"):
        path.write_bytes(b"")
    groups = index.groups(hash="phash", radius=12)
    assert all(group.why == "kept: the largest file" for group in groups)


def test_equal_bytes_keep_the_oldest(index: HashIndex, folder: Path) -> None:
    save(real(), folder / "a.png", mtime_ns=1_700_000_000 * SECOND)
    save(real(), folder / "b.png")
    index.scan([folder])
    (group,) = index.groups()
    assert named([group.keeper.file.path_bytes]) == ["b.png"]
    assert group.why == "kept: the oldest file; all have the same bytes"


def test_metadata_that_a_decoder_stops_at_is_no_fault_of_a_copy() -> None:
    data = encoded(real())
    broken = struct.pack(">I", 4) + b"iCCPabcd" + bytes(4)
    assert portrait(data[:33] + broken + data[33:], Limits()).size == SIZE
