"""The fine comparison: pictures that differ only at more than 256 pixels, and copies that must not be refused."""

import io
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pictures import draw, save
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from hashindex import HashIndex
from hashindex.core.messages import Objection, Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.index.explain import Picture, read
from hashindex.judge.frame_comparison import aligned
from hashindex.judge.pair_judge import PairJudge
from hashindex.pictures.isolated_worker import IsolatedWorker

LIMITS = Limits()


def verdict(tmp_path: Path, a: Image.Image | Sequence[Image.Image], b: Image.Image | Sequence[Image.Image]) -> Verdict:
    """The judge's verdict on two pictures or two animations."""
    sides: list[Picture] = []
    with IsolatedWorker(LIMITS) as alone:
        for number, picture in enumerate((a, b)):
            path = tmp_path / f"{number}.{'png' if isinstance(picture, Image.Image) else 'gif'}"
            if isinstance(picture, Image.Image):
                picture.save(path)
            else:
                picture[0].save(path, save_all=True, append_images=picture[1:], duration=80, loop=0)
            sides.append(read(None, bytes(path), alone))
        known = {number: side.known for number, side in enumerate(sides) if side.known is not None}
        return PairJudge(known, LIMITS, alone).verdict(0, 1)


def written(image: Image.Image, place: tuple[float, float], words: str, size: int, ink: str = "black") -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text(place, words, ink, ImageFont.load_default(size))
    return image


def screen(words: Sequence[str], size: tuple[int, int] = (640, 820)) -> Image.Image:
    """A phone's screen with bubbles."""
    image = Image.new("RGB", size, (238, 240, 243))
    pen = ImageDraw.Draw(image)
    for number, text in enumerate(words):
        top = 80 + 110 * number
        pen.rounded_rectangle((40 + 160 * (number % 2), top, 500 + 160 * (number % 2), top + 80), 20, "white")
        pen.text((60 + 160 * (number % 2), top + 22), text, "black", ImageFont.load_default(26))
    return image


CHAT = ["are you at home", "not yet", "when will you be", "at seven I think", "see you then", "bring some milk"]


def other_bubble() -> tuple[Image.Image, Image.Image]:
    return screen(CHAT), screen([*CHAT[:3], "at eight I hope", *CHAT[4:]])


def other_code() -> tuple[Image.Image, Image.Image]:
    a, b = (screen([f"Your code is {code}, valid 5 min."]) for code in ("482913", "771204"))
    return a, b


def other_price() -> tuple[Image.Image, Image.Image]:
    a, b = (screen(["Bread 2.40", "Milk 1.15", f"Coffee {price}", "Sum"], (480, 620)) for price in ("7.35", "4.98"))
    return a, b


def other_words_in_a_comic() -> tuple[Image.Image, Image.Image]:
    pages = []
    for words in ("Where is it?", "Who has it?"):
        page = Image.new("RGB", (900, 640), "white")
        for number in range(4):
            page.paste(draw(number, (430, 300)), (10 + 450 * (number % 2), 10 + 320 * (number // 2)))
        ImageDraw.Draw(page).ellipse((480, 350, 720, 420), "white", "black", 2)
        pages.append(written(page, (525, 370), words, 22))
    return pages[0], pages[1]


def small_caption() -> tuple[Image.Image, Image.Image]:
    a, b = (written(draw(7, (900, 700)), (40, 650), words, 24, "white") for words in ("we are late", "no hurry now"))
    return a, b


def other_figure(ground: str = "black") -> tuple[Image.Image, Image.Image]:
    disc, square = Image.new("RGB", (1280, 720), ground), Image.new("RGB", (1280, 720), ground)
    ImageDraw.Draw(disc).ellipse((600, 200, 660, 260), "white")
    ImageDraw.Draw(square).rectangle((600, 200, 660, 260), "white")
    return disc, square


@pytest.mark.parametrize(
    "drawn", [other_bubble, other_code, other_price, other_words_in_a_comic, small_caption, other_figure]
)
def test_a_visible_difference_prevents_a_copy_though_it_is_a_dot_at_256_pixels(
    drawn: Callable[[], tuple[Image.Image, Image.Image]], tmp_path: Path
) -> None:
    assert verdict(tmp_path, *drawn()).relation < Relation.COPY


def test_a_verdict_has_its_scale_and_its_objection(tmp_path: Path) -> None:
    found = verdict(tmp_path, *other_code())
    assert (found.objection, found.by_pixels, found.copy < 0.1) == (Objection.DETAIL, True, True)
    assert found.side > 700


def through_jpeg(image: Image.Image) -> Image.Image:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=50)
    return Image.open(target).convert("RGB")


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg": through_jpeg,
    "smaller": lambda image: image.resize((image.width * 3 // 5, image.height * 3 // 5)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "cropped": lambda image: image.crop((8, 12, image.width - 14, image.height - 9)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(0.8)),
    "few colours": lambda image: image.quantize(64).convert("RGB"),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("drawn", [other_bubble, small_caption])
def test_a_copy_of_a_picture_with_small_writing_is_a_copy(
    name: str, drawn: Callable[[], tuple[Image.Image, Image.Image]], tmp_path: Path
) -> None:
    picture = drawn()[0]
    assert verdict(tmp_path, picture, EDITS[name](picture)).objection is None


# Animations


def moving(count: int, words: dict[int, str] | None = None) -> list[Image.Image]:
    """A face that goes around, with words in some frames."""
    frames = []
    for number in range(count):
        frame = draw(3, (160, 160))
        x, y = 40 + 40 * np.sin(2 * np.pi * number / count), 30 + 30 * np.cos(2 * np.pi * number / count)
        pen = ImageDraw.Draw(frame)
        pen.ellipse((x, y, x + 50, y + 50), "yellow", "black", 3)
        pen.ellipse((x + 12, y + 14, x + 18, y + 22), "black")
        pen.ellipse((x + 32, y + 14, x + 38, y + 22), "black")
        if words and number in words:
            pen.rectangle((20, 122, 140, 156), "white")
            pen.text((80, 139), words[number], "black", ImageFont.load_default(26), "mm")
        frames.append(frame)
    return frames


def test_different_words_in_one_frame_of_sixty_make_a_variant(tmp_path: Path) -> None:
    found = verdict(tmp_path, moving(60, {30: "YES!"}), moving(60, {30: "NO!"}))
    assert (found.relation, found.objection) == (Relation.VARIANT, Objection.FRAMES)


@pytest.mark.parametrize("words", [None, "NO!"])
def test_an_animation_that_ends_in_different_words_or_none_is_a_variant(words: str | None, tmp_path: Path) -> None:
    other = None if words is None else dict.fromkeys(range(14, 20), words)
    a, b = moving(20, dict.fromkeys(range(14, 20), "YES!")), moving(20, other)
    for pair in ((a, b), (b, a)):
        assert verdict(tmp_path, *pair).relation < Relation.COPY


@pytest.mark.parametrize("kept", [range(0, 20, 2), range(0, 17), range(3, 20), range(0, 20)])
def test_dropped_and_trimmed_frames_are_no_objection(kept: range, tmp_path: Path) -> None:
    frames = moving(20)
    smaller = [frames[number].resize((128, 128)).quantize(64).convert("RGB") for number in kept]
    assert verdict(tmp_path, frames, smaller).objection is None


def test_rows_and_columns_are_aligned_in_order_with_gaps() -> None:
    badness = np.full((4, 3), 99.0)
    badness[0, 0] = badness[1, 1] = badness[3, 2] = 0.0
    assert [pair for pair in aligned(badness) if badness[pair] < 1] == [(0, 0), (1, 1), (3, 2)]


# Bars, dark pictures, groups


def between_bars(picture: Image.Image, clock: str) -> Image.Image:
    tall = Image.new("RGB", (picture.width, picture.width * 13 // 6), "black")
    tall.paste(picture, (0, (tall.height - picture.height) // 2))
    return written(tall, (12, 10), clock, 14, "white")


@pytest.fixture
def index(tmp_path: Path) -> HashIndex:
    return HashIndex(tmp_path / "catalogue.db")


def names(index: HashIndex, level: str) -> list[list[str]]:
    groups = index.groups(level=level)
    return sorted(
        sorted(member.file.path_bytes.rsplit(b"/", 1)[1].decode() for member in group.members) for group in groups
    )


def test_a_screenshot_with_a_clock_on_its_bar_is_similar_to_its_picture_and_two_strangers_in_bars_are_not(
    index: HashIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    save(draw(1, (300, 200)), folder / "picture.png")
    save(between_bars(draw(1, (300, 200)), "10:31"), folder / "shot.png")
    save(between_bars(draw(2, (300, 200)), "10:31"), folder / "other.png")
    index.scan([folder])
    assert names(index, "similar") == [["picture.png", "shot.png"]]


def test_two_dark_pictures_are_compared_by_what_they_show(index: HashIndex, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for seed in (1, 2):
        soft = draw(seed, (300, 200)).filter(ImageFilter.GaussianBlur(6))
        dark = soft.point([level * 34 // 255 for level in range(256)] * 3)
        save(dark, folder / f"{seed}.png")
        save(dark.resize((240, 160)), folder / f"{seed} smaller.png")
    index.scan([folder])
    assert names(index, "copies") == [["1 smaller.png", "1.png"], ["2 smaller.png", "2.png"]]


def test_codes_and_their_copies_are_two_groups_of_one_family(index: HashIndex, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for name, picture in zip("ab", other_code(), strict=True):
        save(picture, folder / f"{name}.png")
        save(picture.resize((480, 615)), folder / f"{name} smaller.png")
    index.scan([folder])
    assert names(index, "copies") == [["a smaller.png", "a.png"], ["b smaller.png", "b.png"]]
    assert len(names(index, "similar")) == 1


def test_a_strip_of_few_rows_is_compared_without_a_warning(tmp_path: Path) -> None:
    strip = draw(5, (1600, 90))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert verdict(tmp_path, strip, strip.resize((1200, 68))).objection is None


def test_a_short_animation_does_not_join_those_that_end_in_other_words(index: HashIndex, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, words in (("none", None), ("yes", "YES"), ("no", "NO")):
        frames = moving(20, None if words is None else dict.fromkeys(range(14, 20), words))
        save(frames[0], folder / f"{name}.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)
    small = [frame.resize((64, 64)) for frame in moving(20)[:12:3]]
    save(small[0], folder / "short.gif", save_all=True, append_images=small[1:], duration=80, loop=0)
    index.scan([folder])
    apart = {"none.gif", "yes.gif", "no.gif"}
    assert [group for group in names(index, "copies") if len(apart.intersection(group)) > 1] == []


def test_a_thumbnail_in_which_words_cannot_be_read_joins_no_two_screens(index: HashIndex, folder: Path) -> None:
    for number, code in enumerate(("49418992", "38863789", "53680290")):
        whole = screen(["your code", code])
        sizes = {"whole": whole.size, "again": (576, 738), "small": (128, 164)}
        for name, size in sizes.items():
            save(whole.resize(size), folder / f"{number} {name}.png")
    index.scan([folder])
    groups = [{os.path.basename(member.file.path) for member in group.members} for group in index.groups()]
    # The thumbnails are alike, so each may be with any of the screens.
    larger = sorted(sorted(name for name in group if "small" not in name) for group in groups)
    assert larger == [[f"{number} again.png", f"{number} whole.png"] for number in range(3)]
