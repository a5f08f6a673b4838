"""What the engine of the extra recognises, and what happens where its models are damaged."""

import importlib.metadata
import os
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest
from pictures import captioned, draw, moving, save
from PIL import Image, ImageDraw, ImageFont

from hashindex import UsageError
from hashindex.core.options import Limits
from hashindex.core.words import TextLine
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.read_text import TextJob, TextResult, read_text
from hashindex.pictures.text_engine import TextEngine, TextModels, _models_of, installed_models

PACKAGE = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime")), reason="needs the extra 'text'"
)


@pytest.fixture(scope="module")
def worker() -> Iterator[IsolatedWorker]:
    with IsolatedWorker(Limits()) as one:
        yield one


@pytest.fixture(scope="module")
def models() -> TextModels:
    return installed_models()


def offline(job: TextJob, models: TextModels) -> TextResult:
    """Reads without a network. Run in a worker."""

    def no(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was used")

    for name in ("socket", "create_connection", "getaddrinfo"):
        setattr(socket, name, no)
    return read_text(job, models, Limits())


def lines_of(worker: IsolatedWorker, models: TextModels, path: Path) -> list[TextLine]:
    with Image.open(path) as picture:
        size = picture.size
    job = TextJob(os.fsencode(path), sha256(path.read_bytes()).digest(), *size)
    result = worker.run(offline, job, models)
    assert result.problem is None and result.lines is not None
    return result.lines


def text(lines: list[TextLine]) -> str:
    return " ".join(line.text for line in lines)


def written(words: str, size: tuple[int, int] = (420, 60), height: int = 30) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    middle = size[0] / 2, size[1] / 2
    ImageDraw.Draw(picture).text(middle, words, "black", ImageFont.load_default(height), "mm")
    return picture


@PACKAGE
def test_a_caption_is_read_with_its_place_without_a_network(
    worker: IsolatedWorker, models: TextModels, tmp_path: Path
) -> None:
    picture = save(captioned(draw(4, (320, 240)), "see you tomorrow"), tmp_path / "a.jpg")
    (line,) = [line for line in lines_of(worker, models, picture) if len(line.text) > 2]
    assert line.text.replace(" ", "") == "seeyoutomorrow"
    assert line.confidence > 0.9 and line.frame == 0
    assert line.y > 0.8 and 0.2 < line.width < 0.9 and line.height < 0.2


@PACKAGE
def test_a_caption_that_an_animation_shows_late_is_read_once_with_its_frame(
    worker: IsolatedWorker, models: TextModels, tmp_path: Path
) -> None:
    frames = [captioned(frame, "good night" if number > 3 else "") for number, frame in enumerate(moving(5, range(8)))]
    save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=90)
    found = [line for line in lines_of(worker, models, tmp_path / "a.gif") if "night" in line.text]
    assert [line.text for line in found] == ["good night"]
    assert found[0].frame > 3


@PACKAGE
def test_turned_words_are_read_or_missed_but_nothing_fails(
    worker: IsolatedWorker, models: TextModels, tmp_path: Path
) -> None:
    page = written("the quick brown fox")
    for degrees in (90, 180, 270, 20):
        save(page.rotate(degrees, expand=True, fillcolor="white"), tmp_path / f"{degrees}.png")
    assert text(lines_of(worker, models, tmp_path / "180.png")) == "the quick brown fox"
    for name in ("90.png", "270.png", "20.png"):
        lines_of(worker, models, tmp_path / name)


@PACKAGE
def test_every_line_of_a_long_screenshot_is_read(
    worker: IsolatedWorker, models: TextModels, tmp_path: Path, thorough: bool
) -> None:
    if not thorough:
        pytest.skip("only with --thorough")
    page = Image.new("RGB", (400, 3000), "white")
    font = ImageFont.load_default(20)
    for number in range(100):
        ImageDraw.Draw(page).text((10, 8 + 30 * number), f"line {number + 100}", "black", font)
    found = lines_of(worker, models, save(page, tmp_path / "long.png"))
    numbers = {line.text.split()[-1] for line in found}
    assert len(numbers & {str(number + 100) for number in range(100)}) >= 97
    assert len(found) <= 104
    assert [line.y for line in found] == sorted(line.y for line in found)


@PACKAGE
def test_other_scripts_and_signs_do_no_harm(worker: IsolatedWorker, models: TextModels, tmp_path: Path) -> None:
    """Whatever font there is: it may draw boxes instead."""
    signs = ("שלום עולם", "مرحبا بالعالم", "👍🏽🎉", "ひらがな", "ru: привет", '"OR" AND * (x)', "\t\x07")
    for number, sign in enumerate(signs):
        lines_of(worker, models, save(written(sign), tmp_path / f"{number}.png"))


@PACKAGE
def test_odd_pictures_have_no_words(worker: IsolatedWorker, models: TextModels, tmp_path: Path) -> None:
    odd = {
        "blank.png": Image.new("RGB", (300, 200), "#225577"),
        "clear.png": Image.new("RGBA", (300, 200), (0, 0, 0, 0)),
        "thin.png": Image.new("L", (4000, 1), 128),
        "palette.gif": Image.new("P", (90, 90), 3),
        "deep.png": Image.new("I;16", (90, 90), 700),
    }
    for name, picture in odd.items():
        assert lines_of(worker, models, save(picture, tmp_path / name)) == []


@PACKAGE
def test_a_damaged_picture_is_a_problem_and_the_worker_goes_on(
    worker: IsolatedWorker, models: TextModels, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    job = TextJob(os.fsencode(bad), sha256(bad.read_bytes()).digest(), 100, 100)
    result = worker.run(read_text, job, models, Limits())
    assert (result.lines, bool(result.problem)) == (None, True)
    assert worker.run(read_text, job._replace(digest=b"?" * 32), models, Limits()) == TextResult(None)


def test_models_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    paths = []
    for role in ("det", "rec", "cls"):
        path = tmp_path / f"{role}.onnx"
        path.write_bytes(b"no model")
        paths.append(str(path))
    with pytest.raises(UsageError, match=r"cannot be loaded.*install"), IsolatedWorker(Limits()) as one:
        one.run(TextEngine, TextModels(tuple(paths), "garbage"))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """An installed wheel with three models."""
    models, metadata = tmp_path / "rapidocr" / "models", tmp_path / "rapidocr-9.dist-info"
    models.mkdir(parents=True)
    metadata.mkdir()
    record = ["rapidocr/__init__.py,,", "rapidocr-9.dist-info/METADATA,,"]
    for name in ("X_det_small.onnx", "X_rec_small.onnx", "x_cls_mobile.onnx"):
        (models / name).write_bytes(name.encode() * 100)
        digest = urlsafe_b64encode(sha256((models / name).read_bytes()).digest()).decode().rstrip("=")
        record.append(f"rapidocr/models/{name},sha256={digest},1600")
    (metadata / "METADATA").write_text("Name: rapidocr\nVersion: 9\n")
    (metadata / "RECORD").write_text("\n".join(record) + "\n")
    return tmp_path


def models_in(place: Path) -> TextModels:
    return _models_of(importlib.metadata.Distribution.at(place / "rapidocr-9.dist-info"))


def test_the_models_of_the_wheel_are_used_and_no_others(wheel: Path) -> None:
    """Another program may have downloaded more models into the same folder."""
    (wheel / "rapidocr" / "models" / "Y_rec_server.onnx").write_bytes(b"downloaded")
    found = models_in(wheel)
    assert [os.path.basename(path) for path in found.paths] == [
        "X_det_small.onnx",
        "X_rec_small.onnx",
        "x_cls_mobile.onnx",
    ]
    assert models_in(wheel) == found


@pytest.mark.parametrize("name", ["X_det_small.onnx", "X_rec_small.onnx", "x_cls_mobile.onnx"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone", "unlisted"])
def test_a_model_that_is_damaged_or_missing_is_named_with_the_way_out(wheel: Path, name: str, how: str) -> None:
    path, record = wheel / "rapidocr" / "models" / name, wheel / "rapidocr-9.dist-info" / "RECORD"
    data = path.read_bytes()
    if how == "flipped":
        path.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
    elif how == "cut":
        path.write_bytes(data[:500])
    elif how == "gone":
        path.unlink()
    else:
        record.write_text("".join(line for line in record.read_text().splitlines(True) if name not in line))
    with pytest.raises(UsageError, match=r"missing or damaged; install rapidocr again: .*install.* rapidocr"):
        models_in(wheel)


def test_other_models_are_another_reader(wheel: Path) -> None:
    before = models_in(wheel)
    path, record = wheel / "rapidocr" / "models" / "X_rec_small.onnx", wheel / "rapidocr-9.dist-info" / "RECORD"
    path.write_bytes(b"better")
    digest = urlsafe_b64encode(sha256(b"better").digest()).decode().rstrip("=")
    lines = [line if "X_rec" not in line else f"{line.split(',')[0]},sha256={digest},6" for line in
             record.read_text().splitlines()]  # fmt: skip
    record.write_text("\n".join(lines) + "\n")
    assert models_in(wheel).version != before.version
