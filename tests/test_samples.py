"""The sample pictures: properties that the demo and other tests rely on."""

import itertools
from collections.abc import Callable
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from hashindex.commands.demo.sample_drawings import DRAWINGS
from hashindex.commands.demo.samples import ENCODERS, OTHER, SAMPLES, Sample, make_samples
from hashindex.core.errors import UsageError

FORBIDDEN_ON_WINDOWS = set('<>:"\\|?*') | {chr(code) for code in range(32)}

SHOWN = tuple(sample for sample in SAMPLES if sample.drawing is not None and sample.encoding != "cut")


def phash(picture: Image.Image) -> int:
    picture = picture.convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return int(str(imagehash.phash(on_white)), 16)


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("samples")
    make_samples(made)
    return made


@pytest.fixture(scope="module")
def drawn() -> dict[str, int]:
    return {name: phash(draw()[0]) for name, draw in DRAWINGS.items()}


def test_make_samples_writes_every_sample_and_nothing_else(tmp_path: Path) -> None:
    count = make_samples(tmp_path / "new" / "folder")
    assert (count, set(contents(tmp_path / "new" / "folder"))) == (40, {sample.path for sample in SAMPLES})


def test_make_samples_gives_the_same_bytes_and_times_again(folder: Path, tmp_path: Path) -> None:
    make_samples(tmp_path)
    assert contents(tmp_path) == contents(folder)


def a_folder_with_a_file(path: Path) -> None:
    path.mkdir()
    (path / "mine.txt").write_bytes(b"mine")


def a_file(path: Path) -> None:
    path.write_bytes(b"mine")


@pytest.mark.parametrize("occupy", [a_folder_with_a_file, a_file])
def test_make_samples_refuses_a_folder_that_is_not_empty(tmp_path: Path, occupy: Callable[[Path], None]) -> None:
    occupy(tmp_path / "taken")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="is not an empty folder"):
        make_samples(tmp_path / "taken")
    assert contents(tmp_path) == before


def test_sample_names_are_legal_on_windows_and_differ_without_case() -> None:
    names = [sample.path.partition("/")[2] for sample in SAMPLES]
    assert [name for name in names if FORBIDDEN_ON_WINDOWS & set(name) or name.endswith((".", " "))] == []
    assert len({sample.path.lower() for sample in SAMPLES}) == len(SAMPLES)


def test_every_drawing_and_every_encoder_is_used() -> None:
    assert {sample.drawing for sample in SAMPLES} == {*DRAWINGS, None}
    assert {sample.encoding for sample in SAMPLES} == {*ENCODERS, *OTHER}


def test_drawings_are_more_than_16_bits_apart(drawn: dict[str, int]) -> None:
    near = {(a, b): distance(drawn[a], drawn[b]) for a, b in itertools.combinations(drawn, 2)}
    assert {pair: bits for pair, bits in near.items() if bits <= 16} == {}


@pytest.mark.parametrize("sample", SHOWN, ids=lambda sample: f"{sample.drawing}, {sample.encoding}")
def test_a_sample_is_within_4_bits_of_its_drawing(folder: Path, drawn: dict[str, int], sample: Sample) -> None:
    with Image.open(folder / sample.path) as picture:
        assert distance(phash(picture), drawn[str(sample.drawing)]) <= 4


def test_animations_keep_their_frames(folder: Path) -> None:
    frames = {}
    for sample in SHOWN:
        with Image.open(folder / sample.path) as picture:
            count = getattr(picture, "n_frames", 1)
            if count > 1:
                frames[sample.drawing, sample.encoding] = count
    assert frames == {
        ("ball", "gif"): 6,
        ("ball", "webp"): 6,
        ("wink", "gif"): 4,
        ("wink", "png"): 4,
        ("star", "gif"): 3,
    }


def test_the_second_month_repeats_seven_files_of_the_first_byte_for_byte(folder: Path) -> None:
    saved = contents(folder)
    first = {data for path, (data, _) in saved.items() if path.startswith("2019-08/")}
    again = [path for path, (data, _) in saved.items() if path.startswith("2019-09/") and data in first]
    assert len(again) == 7


def test_the_cut_sample_cannot_be_decoded(folder: Path) -> None:
    (cut,) = [sample for sample in SAMPLES if sample.encoding == "cut"]
    with Image.open(folder / cut.path) as picture, pytest.raises(OSError, match="truncated"):
        picture.load()
