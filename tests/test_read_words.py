"""Which pictures are read, by whom, and what is kept of it, with readers that recognise nothing themselves."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
from pictures import captioned, draw, fill, moving, save
from PIL import Image
from typer.testing import CliRunner

from hashindex import HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.core.model import Problem
from hashindex.core.options import Limits
from hashindex.core.words import ReadPicture, ReadSummary, TextLine
from hashindex.index import read_words as reading
from hashindex.index.read_words import in_workers, read_words
from hashindex.pictures import read_text, text_engine
from hashindex.pictures.read_text import TextJob, TextResult
from hashindex.pictures.text_engine import TextModels
from hashindex.store.catalogue import Catalogue

MODELS = TextModels((), "drawn")
NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork: the tests change the engine")


class Told:
    """A reader that recognises the name of each file, and notes what it was told to read."""

    def __init__(self, stop_after: int | None = None, stop: Callable[[], object] = lambda: None) -> None:
        self.names: list[str] = []
        self._stop_after = stop_after
        self._stop = stop

    def __call__(self, jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        for job in jobs:
            if len(self.names) == self._stop_after:
                self._stop()
            name = os.path.basename(os.fsdecode(job.path))
            self.names.append(name)
            yield TextResult([TextLine(name, 0.9)])


def read(index: HashIndex, run: reading.Run, models: TextModels = MODELS, *folders: Path) -> ReadSummary:
    with Catalogue(index.path, write=True) as catalogue:
        return read_words(catalogue, models, run, folders=[os.fsencode(folder) for folder in folders])


def words(index: HashIndex) -> dict[str, list[str]]:
    """Name of each present file -> its recognised texts."""
    with Catalogue(index.path) as catalogue:
        files = list(catalogue.present_pictures())
        lines = catalogue.words.of([file.content.id for file in files])
    return {
        os.path.basename(os.fsdecode(file.path)): [line.text for line in lines.get(file.content.id, [])]
        for file in files
    }


def test_each_picture_is_read_once_and_equal_files_too(index: HashIndex, folder: Path) -> None:
    fill(folder, range(3))
    (folder / "again.png").write_bytes((folder / "1.png").read_bytes())
    index.scan([folder])
    told = Told()
    assert read(index, told) == ReadSummary(read=3, with_words=3, lines=3)
    assert sorted(told.names) == ["0.png", "1.png", "2.png"]
    assert words(index)["again.png"] == ["1.png"]
    assert read(index, told) == ReadSummary()
    save(draw(7), folder / "new.png")
    index.scan([folder])
    read(index, told)
    assert told.names[3:] == ["new.png"]


def test_another_reader_reads_all_again_and_replaces_the_words(index: HashIndex, folder: Path) -> None:
    fill(folder, range(3))
    index.scan([folder])
    read(index, Told())
    upgraded = Told()

    def run(jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        return (result._replace(lines=[TextLine("better", 1.0)]) for result in upgraded(jobs))

    assert read(index, run, TextModels((), "upgraded")).read == 3
    assert set(map(tuple, words(index).values())) == {("better",)}


def test_only_pictures_in_the_named_folders_are_read(index: HashIndex, folder: Path) -> None:
    fill(folder / "a", range(2))
    fill(folder / "b", range(2, 4))
    fill(folder / "ab", range(4, 6))
    index.scan([folder])
    told = Told()
    read(index, told, MODELS, folder / "a", folder / "b")
    assert sorted(told.names) == ["0.png", "1.png", "2.png", "3.png"]


def test_tiny_pictures_are_passed_over_once(index: HashIndex, folder: Path) -> None:
    save(draw(1, (30, 30)), folder / "tiny.png")
    index.scan([folder])
    told = Told()
    assert read(index, told) == ReadSummary(passed_over=1)
    assert (read(index, told), told.names) == (ReadSummary(), [])


@pytest.fixture
def copies(index: HashIndex, folder: Path) -> Path:
    """A picture with a caption and smaller copies of it, and the same picture with other captions."""
    large = captioned(draw(3, (480, 360)), "see you tomorrow")
    save(large, folder / "large.png")
    save(large.resize((large.width // 2, large.height // 2)), folder / "small.png")
    save(large, folder / "recompressed.jpg", quality=80)
    save(large.crop((0, 0, large.width, large.height - 40)), folder / "cropped.png")
    save(captioned(draw(3, (480, 360)), "never come back"), folder / "other.png")
    index.scan([folder])
    return folder


def test_a_copy_takes_the_words_of_a_copy_that_is_no_smaller(index: HashIndex, copies: Path) -> None:
    told = Told()
    summary = read(index, told)
    found = words(index)
    # Two files of one size: either may be the one that is read.
    large = {found["large.png"][0], found["recompressed.jpg"][0]}
    assert len(large) == 1 and large <= {"large.png", "recompressed.jpg"}
    assert found["small.png"] == found["large.png"]
    assert found["other.png"] == ["other.png"] and found["cropped.png"] == ["cropped.png"]
    assert (summary.read, summary.copied, summary.with_words) == (3, 2, 5)
    assert len(told.names) == 3


def test_a_smaller_copy_that_was_read_gives_no_words_to_a_larger_one(index: HashIndex, folder: Path) -> None:
    large = captioned(draw(3, (480, 360)), "see you tomorrow")
    save(large.resize((large.width // 2, large.height // 2)), folder / "small.png")
    index.scan([folder])
    told = Told()
    read(index, told)
    save(large, folder / "large.png")
    save(large.resize((large.width // 2 + 9, large.height // 2 + 9)), folder / "medium.png")
    index.scan([folder])
    assert read(index, told) == ReadSummary(read=1, copied=1, with_words=2, lines=2)
    assert told.names == ["small.png", "large.png"]


def test_a_copy_of_a_picture_that_cannot_be_read_is_read_itself(index: HashIndex, copies: Path) -> None:
    told = Told()

    def run(jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        for job, result in zip(jobs, told(jobs), strict=True):
            yield result if job.width < 400 else TextResult(None, "the decoder crashed")

    summary = read(index, run)
    assert words(index)["small.png"] == ["small.png"]
    assert summary.problems == len(told.names) - 1
    assert read(index, told).read == 0


@pytest.mark.parametrize("after", range(5))
def test_an_interrupted_run_is_continued_and_reads_nothing_twice(index: HashIndex, folder: Path, after: int) -> None:
    fill(folder, range(5))
    index.scan([folder])

    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    first, second = Told(after, interrupt), Told()
    with pytest.raises(KeyboardInterrupt):
        read(index, first)
    assert read(index, second).read == 5 - after
    assert sorted(first.names + second.names) == [f"{number}.png" for number in range(5)]
    assert words(index) == {f"{number}.png": [f"{number}.png"] for number in range(5)}


@NEEDS_FORK
@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_run_is_continued(index: HashIndex, folder: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, range(5))
    index.scan([folder])
    monkeypatch.setattr(reading, "COMMIT_S", 0.0)

    def killed() -> None:
        read(index, Told(after, lambda: os.kill(os.getpid(), signal.SIGKILL)))

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    rest = Told()
    assert read(index, rest).read == 5 - after
    assert words(index) == {f"{number}.png": [f"{number}.png"] for number in range(5)}


def test_a_file_that_changed_since_the_scan_is_read_after_the_next_one(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "a.png")
    index.scan([folder])
    save(draw(2), folder / "a.png")

    def run(jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        return (read_text.read_text(job, MODELS, Limits()) for job in jobs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_text, "_engine", lambda models: None)
        assert read(index, run) == ReadSummary(changed=1)
    told = Told()
    index.scan([folder])
    assert read(index, told).read == 1


class Engine:
    """Stands for TextEngine: recognises what `say` says about each frame."""

    def __init__(self, say: Callable[[Image.Image], list[TextLine]]) -> None:
        self.lines = say


def with_engine(monkeypatch: pytest.MonkeyPatch, say: Callable[[Image.Image], list[TextLine]]) -> None:
    monkeypatch.setattr(read_text, "_engine", lambda models: Engine(say))
    monkeypatch.setattr(text_engine, "installed_models", lambda: MODELS)


@NEEDS_FORK
@pytest.mark.parametrize("count", [4, 30])
def test_a_picture_that_crashes_its_worker_costs_only_its_own_words(
    index: HashIndex, folder: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 are read by a pool, 4 by one process."""
    fill(folder, range(count))
    save(draw(99, (99, 99)), folder / "bad.png")
    index.scan([folder])

    def say(picture: Image.Image) -> list[TextLine]:
        assert os.nice(0) >= 19, "workers have low priority"
        if picture.width == picture.height:
            os.kill(os.getpid(), signal.SIGKILL)
        return [TextLine("hello", 0.9)]

    with_engine(monkeypatch, say)
    problems: list[Problem] = []
    summary = index.read(workers=2, on_problem=problems.append)
    assert (summary.read, summary.problems) == (count, 1)
    assert [(os.path.basename(problem.path), "crashed" in problem.reason) for problem in problems] == [
        ("bad.png", True)
    ]
    assert index.read() == ReadSummary()


@NEEDS_FORK
def test_a_picture_that_takes_too_long_is_left_out(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(2))
    index.scan([folder])
    monkeypatch.setattr(read_text, "PATIENCE", 2)

    def say(picture: Image.Image) -> list[TextLine]:
        return [TextLine(str(sum(range(10**15))), 0.9)]

    with_engine(monkeypatch, say)
    problems: list[Problem] = []
    assert index.read(limits=Limits(seconds=0.1), on_problem=problems.append).problems == 2
    assert all("longer than 0.1 seconds" in problem.reason for problem in problems)


@NEEDS_FORK
def test_an_engine_that_raises_for_a_picture_costs_only_its_words(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(2))
    save(draw(99, (99, 99)), folder / "bad.png")
    index.scan([folder])

    def say(picture: Image.Image) -> list[TextLine]:
        if picture.width == picture.height:
            raise RuntimeError("Traceback:\n  shapes do not fit")
        return []

    with_engine(monkeypatch, say)
    problems: list[Problem] = []
    assert index.read(on_problem=problems.append) == ReadSummary(read=2, problems=1)
    assert [(problem.path_bytes, problem.reason) for problem in problems] == [
        (os.fsencode(folder / "bad.png"), "the text engine failed (shapes do not fit)")
    ]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (("我不听", 0.99), ("我不听我不听", 0.9), ["我不听我不听"]),
        (("我不听我不听", 0.9), ("我不听", 0.99), ["我不听我不听"]),
        (("good rnorning", 0.7), ("good morning", 0.9), ["good morning"]),
        (("GOOD  night", 0.7), ("good night", 0.9), ["good night"]),
        (("早上好", 0.9), ("晚安", 0.9), ["早上好", "晚安"]),
    ],
)
def test_of_two_readings_of_one_line_one_is_kept(
    first: tuple[str, float], second: tuple[str, float], kept: list[str]
) -> None:
    found: list[TextLine] = []
    for words, confidence in (first, second):
        read_text._add(found, TextLine(words, confidence, 0.1, 0.8, 0.8, 0.1))
    assert [line.text for line in found] == kept


@NEEDS_FORK
def test_each_line_of_an_animation_is_kept_once_with_its_first_frame(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = moving(5, range(8))
    save(frames[0], folder / "a.gif", save_all=True, append_images=frames[1:], duration=90)
    index.scan([folder])

    def say(picture: Image.Image) -> list[TextLine]:
        say.calls += 1  # type: ignore[attr-defined]
        misread = "wait for nne" if say.calls % 2 else "wait for me"  # type: ignore[attr-defined]
        return [TextLine(misread, 0.5 + 0.1 * (say.calls % 2 == 0), 0.1, 0.8, 0.8, 0.1), TextLine("Cat", 0.9)]  # type: ignore[attr-defined]

    say.calls = 0  # type: ignore[attr-defined]
    with_engine(monkeypatch, say)
    read_pictures: list[ReadPicture] = []
    index.read(on_read=read_pictures.append)
    assert [(line.text, line.frame) for line in read_pictures[0].lines] == [("wait for me", 0), ("Cat", 0)]


def test_text_is_cleaned_and_else_kept_as_recognised() -> None:
    assert read_text.clean(" e\u0301a\tb\x1b[31m\u202ec\r\n\u2028d ") == "éa b[31mc d"
    assert read_text.clean("收到，請回覆！ ＯＫ") == "收到，請回覆！ ＯＫ"
    assert read_text.clean("👍🏽 שלום") == "👍🏽 שלום"
    assert read_text.clean("\x00\x07\u200b\ud800") == ""
    assert len(read_text.clean("x" * 10_000)) == read_text.MOST_CHARACTERS


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        (TextLine("收到请回复", 0.31, height=0.9), True),
        (TextLine("收到请回复", 0.29), False),
        (TextLine("福", 0.97, height=0.9), True),
        (TextLine("福", 0.9, height=0.9), False),
        (TextLine("福", 0.9, height=0.3), True),
        (TextLine("福", 0.7, height=0.3), False),
        (TextLine("香香", 0.9, height=1.0), False),
        (TextLine("???", 0.9, height=1.0), True),
        (TextLine("■", 1.0), False),
        (TextLine("", 1.0), False),
    ],
)
def test_what_looks_like_a_sign_or_two_is_no_line(line: TextLine, is_kept: bool) -> None:
    assert read_text._is_noise(line) is not is_kept


@pytest.mark.parametrize(
    "size", [(100, 100), (1080, 1700), (1080, 2400), (2400, 1080), (300, 30_000), (40, 9), (1, 1), (9000, 1)]
)
def test_pieces_cover_a_picture_and_overlap(size: tuple[int, int]) -> None:
    width, height = size
    boxes = read_text._pieces(*size)
    assert boxes[0][:2] == (0, 0) and boxes[-1][2:] == size and len(boxes) <= read_text.MOST_PIECES
    for before, after in pairwise(boxes):
        assert before[1] < after[1] < before[3]
    if len(boxes) < read_text.MOST_PIECES:
        assert max(box[3] - box[1] for box in boxes) <= read_text.PIECE_RATIO * width + 1
    if width >= height:
        assert boxes == [(0, 0, *size)]


def test_white_words_on_a_transparent_ground_are_read_on_grey() -> None:
    clear = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    light, dark = clear.copy(), clear.copy()
    light.paste((255, 255, 255, 255), (20, 20, 180, 80))
    dark.paste((10, 10, 10, 255), (20, 20, 180, 80))
    assert read_text._on_ground(light).getpixel((0, 0)) != (255, 255, 255)
    assert read_text._on_ground(dark).getpixel((0, 0)) == (255, 255, 255)
    assert not read_text._is_blank(read_text._on_ground(light))
    assert read_text._is_blank(Image.new("RGB", (50, 50), "#335577"))


def test_the_command_shows_words_and_counts(index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    fill(folder, range(2))
    with_engine(monkeypatch, lambda picture: [TextLine("收到", 0.93)])
    run = CliRunner()
    done = run.invoke(app, ["--catalogue", str(index.path), "scan", str(folder), "--read"])
    assert (done.exit_code, "2 with words" in done.stdout) == (0, True)
    done = run.invoke(app, ["--catalogue", str(index.path), "read", "--json"])
    assert done.stdout == (
        '{"event":"read_summary","read":0,"copied":0,"passed_over":0,"with_words":0,"lines":0,"problems":0,"changed":0}\n'
    )
    save(draw(5), folder / "5.png")
    run.invoke(app, ["--catalogue", str(index.path), "scan"])
    done = run.invoke(app, ["--catalogue", str(index.path), "read", "-v"])
    assert "5.png  收到\n" in done.stderr


@pytest.mark.parametrize("command", [["read"], ["scan", "--read"]])
def test_without_the_extra_the_command_says_how_to_install_it(
    index: HashIndex, folder: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata

    def none(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    index.scan([folder])
    monkeypatch.setattr(importlib.metadata, "distribution", none)
    done = CliRunner().invoke(app, ["--catalogue", str(index.path), *command])
    assert done.exit_code == 2
    assert "needs an extra" in done.stderr and "onnxruntime rapidocr" in " ".join(done.stderr.split())


def test_a_folder_that_does_not_exist_is_an_error(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([folder])
    monkeypatch.setattr(text_engine, "installed_models", lambda: MODELS)
    with pytest.raises(UsageError, match="gone"):
        index.read([folder / "gone"])


def test_a_scanned_folder_that_is_gone_is_no_error(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.scan([folder])
    folder.rmdir()
    monkeypatch.setattr(text_engine, "installed_models", lambda: MODELS)
    assert index.read([folder]) == ReadSummary()


@NEEDS_FORK
def test_an_engine_that_cannot_be_loaded_ends_the_run_with_a_sentence(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(2))
    index.scan([folder])

    def broken(models: TextModels) -> NoReturn:
        raise UsageError("The text engine cannot be loaded.")

    monkeypatch.setattr(read_text, "_engine", broken)
    with pytest.raises(UsageError, match="cannot be loaded"):
        read(index, in_workers(MODELS, Limits(), 1))
    assert words(index) == {"0.png": [], "1.png": []}
    assert read(index, Told()).read == 2
