"""What a worker process does to read the words of a picture: opens it, chooses frames, and cleans what was recognised.

text_engine.py recognises. Writes nothing.
"""

import math
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from typing import Final, NamedTuple

from PIL import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message, Part
from hashindex.core.options import Limits
from hashindex.core.words import TextLine
from hashindex.pictures.examine import content_bytes
from hashindex.pictures.frames import FRAME, small_frames
from hashindex.pictures.signature import SAMPLED_FRAMES, distinct
from hashindex.pictures.text_engine import TextEngine, TextModels
from hashindex.pictures.worker_limits import deadline, note_current

READING_VERSION: Final = 1
"""Version of this module. Raise it when it recognises other words with the same models: all pictures are read again."""

LEAST_PIXELS: Final = 1600
"""Pictures with fewer pixels are passed over: 40 x 40 pixels hold one sign at most."""
LEAST_SIDE: Final = 320
"""Longest side, in pixels, to which smaller pictures are enlarged: at 512 no more captions are read, in nearly twice
the time, and at 200 fewer (benchmarks/words.py --least-side)."""
MOST_SHORT_SIDE: Final = 1440
MOST_PIXELS: Final = 24_000_000
"""Larger pictures are reduced to these limits: text of a photo is no smaller than that of a screenshot."""
PIECE_RATIO: Final = 1.6
"""Height of a piece to its width. A taller picture is cut, or its letters would be too small to detect. A wide one is
not, since lines run across it."""
PIECE_OVERLAP: Final = 0.08
"""Share of the width that two pieces share, so that no line is cut in both."""
MOST_PIECES: Final = 24
MOST_FRAMES: Final = 5
"""Most frames of an animation that are read."""
MOST_LINES: Final = 500
"""Most lines of one picture."""
MOST_CHARACTERS: Final = 500
"""Most characters of one line."""
BLANK_RANGE: Final = 24
"""A picture whose grey levels are all this near to each other holds no legible text."""
LEAST_CONFIDENCE: Final = 0.3
"""Of 582 lines below it, in 2,117 pictures as found, none was right. Lines above it are kept, right or not."""
SHORT_CONFIDENCE: Final = 0.8
"""The same for lines of one or two signs: corners of a drawing look like them."""
SHAPE_CONFIDENCE: Final = 0.95
SHAPE_HEIGHT: Final = 0.6
"""One or two signs that fill at least this share of the height need that confidence: a face looks like 0, a cross like
X."""
PATIENCE: Final = 10
"""A piece may take this many times the seconds of a decode, which are by the clock: at low priority, on a machine with
other work, reading takes many times its processor time."""
SAME_LINE: Final = 0.6
"""Similarity from which two readings of one place are the same line."""


class TextJob(NamedTuple):
    """A content to read, a file that had it when it was scanned, and its size in pixels."""

    path: bytes
    digest: bytes
    width: int
    height: int


class TextResult(NamedTuple):
    """What was read. lines: None if the file no longer has this content, or if there is a problem."""

    lines: list[TextLine] | None
    problem: str | None = None


def reader_of(models: TextModels) -> str:
    """Name of the reader in the catalogue: pictures that another one has read are read again."""
    return f"{READING_VERSION} {models.version}"


def read_text(job: TextJob, models: TextModels, limits: Limits) -> TextResult:
    """Reads one picture in a worker process. The first call loads the engine.

    UsageError if the engine cannot be loaded; never raises because of a file.
    """
    engine = _engine(models)
    note_current(job.path)
    try:
        data = content_bytes(job.path, job.digest, limits)
        if data is None:
            return TextResult(None)
        return TextResult(_read(engine, data, _side(job), limits))
    except UnreadablePicture as error:
        return TextResult(None, str(error))
    except MemoryError:
        return TextResult(None, Message("there is not enough memory to read it"))
    except Exception as error:  # noqa: BLE001 - the engine may raise any exception
        reason = Part(f"{type(error).__name__}: {error}".strip().splitlines()[-1].strip())
        return TextResult(None, Message("the text engine failed ({error})", error=reason))
    finally:
        note_current(None)


@cache
def _engine(models: TextModels) -> TextEngine:
    """The engine of this process."""
    return TextEngine(models)


def is_tiny(width: int, height: int) -> bool:
    """Whether a picture is passed over, by its size in pixels."""
    return width * height < LEAST_PIXELS


def _side(job: TextJob) -> int:
    """Longest side, in pixels, at which a picture is read."""
    short, long = sorted((max(1, job.width), max(1, job.height)))
    return max(1, round(long * min(1.0, MOST_SHORT_SIDE / short, math.sqrt(MOST_PIXELS / (short * long)))))


def _read(engine: TextEngine, data: bytes, side: int, limits: Limits) -> list[TextLine]:
    frames = small_frames(data, limits, side, SAMPLED_FRAMES, pages=True)
    if len(frames) > 1:
        frames = distinct(frames, MOST_FRAMES)
    found: list[TextLine] = []
    for frame, _ in frames:
        picture = _on_ground(frame)
        if not _is_blank(picture):
            number = int(frame.info.get(FRAME, 0))
            for line in _lines_of(engine, picture, limits):
                if not _is_noise(line):
                    _add(found, line._replace(frame=number))
    return found[:MOST_LINES]


def _lines_of(engine: TextEngine, picture: Image.Image, limits: Limits) -> Iterator[TextLine]:
    """The lines of one frame, cleaned, with places in the whole frame. A line of two pieces is yielded twice."""
    for box in _pieces(*picture.size):
        piece = _enlarged(picture.crop(box))
        with deadline(PATIENCE * limits.seconds):
            lines = engine.lines(piece)
        for line in lines:
            yield _in_whole(line._replace(text=clean(line.text)), box, picture.size)


def _on_ground(frame: Image.Image) -> Image.Image:
    """An RGBA frame in RGB, on white, or on grey if what it shows is light: white words on white would be lost."""
    alpha = frame.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return frame.convert("RGB")
    levels = frame.convert("L").histogram(alpha.point(_OPAQUE))
    shown = max(1, sum(levels))
    is_light = sum(level * count for level, count in enumerate(levels)) / shown > 200
    ground = Image.new("RGB", frame.size, "#505050" if is_light else "white")
    ground.paste(frame, mask=alpha)
    return ground


_OPAQUE = [0] * 128 + [255] * 128


def _is_blank(picture: Image.Image) -> bool:
    low, high = picture.convert("L").getextrema()
    assert isinstance(low, int) and isinstance(high, int)
    return high - low < BLANK_RANGE


def _pieces(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes that cover a picture: one, or overlapping ones from top to bottom."""
    overlap = width * PIECE_OVERLAP
    count = min(MOST_PIECES, max(1, math.ceil((height - overlap) / max(1.0, width * PIECE_RATIO - overlap))))
    tall = min(height, math.ceil((height - overlap) / count + overlap))
    tops = [round(number * (height - tall) / max(1, count - 1)) for number in range(count)]
    return [(0, top, width, top + tall) for top in tops]


def _enlarged(piece: Image.Image) -> Image.Image:
    scale = LEAST_SIDE / max(piece.size)
    if scale <= 1:
        return piece
    size = max(1, round(piece.width * scale)), max(1, round(piece.height * scale))
    return piece.resize(size, Image.Resampling.BICUBIC)


def _in_whole(line: TextLine, box: tuple[int, int, int, int], size: tuple[int, int]) -> TextLine:
    """A line with its place in the whole picture instead of in a piece."""
    across, down = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    return line._replace(
        x=box[0] / size[0] + line.x * across,
        y=box[1] / size[1] + line.y * down,
        width=line.width * across,
        height=line.height * down,
    )


def clean(text: str) -> str:
    """Recognised text in NFC, without control characters, marks of direction and line breaks."""
    text = unicodedata.normalize("NFC", text)
    shown = (" " if unicodedata.category(sign) in ("Zl", "Zp") or sign in "\t\n\r\v\f" else sign for sign in text)
    kept = "".join(sign for sign in shown if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    return " ".join(kept[:MOST_CHARACTERS].split())


def _is_noise(line: TextLine) -> bool:
    """Whether a cleaned line is none: it has no text, or something else looks like it."""
    if len(line.text) > 2:
        return line.confidence < LEAST_CONFIDENCE
    least = SHAPE_CONFIDENCE if line.height >= SHAPE_HEIGHT else SHORT_CONFIDENCE
    return line.confidence < least or not any(sign.isalnum() for sign in line.text)


def _add(found: list[TextLine], line: TextLine) -> None:
    """Adds a line unless it is known: the same text, or another reading of it at the same place.

    Of two readings the one that contains the other stays, since words may appear one by one, else the more certain one.
    """
    key = _key(line.text)
    for number, known in enumerate(found):
        other = _key(known.text)
        if key == other or (_overlap(line, known) > 0.5 and _are_similar(key, other)):
            is_longer = other in key and key != other
            is_shorter = key in other and key != other
            if is_longer or (line.confidence > known.confidence and not is_shorter):
                found[number] = line._replace(frame=known.frame)
            return
    found.append(line)


def _key(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _are_similar(a: str, b: str) -> bool:
    return SequenceMatcher(None, a, b, autojunk=False).ratio() >= SAME_LINE


def _overlap(a: TextLine, b: TextLine) -> float:
    """Area that two lines share, as a fraction of the area of both."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (a.width * a.height + b.width * b.height - shared)
