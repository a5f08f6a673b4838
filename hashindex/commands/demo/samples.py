"""Sample files like those in a chat client's folder, for the demo and for tests.

Writes only into a new or empty folder. Opens no picture.
"""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hashindex.commands.demo.sample_drawings import DRAWINGS, DrawnFrames
from hashindex.core.errors import UsageError
from hashindex.core.language import Message

FRAME_MS = 120

FIRST_TIME_NS = 1_566_259_200_000_000_000
"""2019-08-20 00:00 UTC, the file time of the first sample."""

STEP_NS = 43_200_000_000_000
"""Half a day between two samples, so that the times of the samples in 2019-09 are in that month."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One file of the sample folder."""

    path: str
    """Relative to the sample folder, with '/'; valid on Windows too."""
    drawing: str | None
    """Key in DRAWINGS; None for a file that is not a picture."""
    encoding: str
    """Key in ENCODERS if there is a drawing, else in OTHER."""


SAMPLES = (
    # Meaningless names with correct extensions.
    Sample("2019-08/{966D77350BD5F6FA1D56B5AC0CE70784}.jpg", "harbour", "jpeg"),
    Sample("2019-08/((4JJAAP+PLLUWN$[)PM]N0.jpg", "mountains", "jpeg"),
    Sample("2019-08/$2}`1KC_Y@47G_XQF9%]Z~A.png", "cat", "png"),
    Sample("2019-08/QQ图片20190830041839.jpg", "clouds", "jpeg"),
    Sample("2019-08/QQ图片20190831120455.png", "smiley", "png"),
    Sample("2019-08/IMG_20190821_193012.jpg", "city", "jpeg"),
    Sample("2019-08/mmexport1566379812345.jpg", "flower", "jpeg"),
    Sample("2019-08/Screenshot_2019-08-22-08-15-33.png", "chat", "png"),
    Sample("2019-08/78310A552C1F4E0D8B6A9C3D2E1F0A5B.webp", "quilt", "webp"),
    Sample("2019-08/sticker (1).webp", "heart", "webp"),
    Sample("2019-08/B0F$N~9Q[3LTK8Y3M@]2VWR.png", "fish", "png"),
    Sample("2019-08/[O3QHN(R4{%@V8$5YX)JP1K.jpg", "rainbow", "jpeg"),
    # Missing and wrong extensions.
    Sample("2019-08/QQ图片20190828172200", "harbour", "jpeg70"),
    Sample("2019-08/0F3C9A7712BE4D60.gif", "city", "jpeg70"),
    Sample("2019-08/64B1E7D0A93F", "cat", "webp"),
    Sample("2019-08/7D2F00C4E1.jpg", "smiley", "half webp"),
    Sample("2019-08/temp.null", "fish", "jpeg"),
    # Animations. The last one is the first, converted by another client.
    Sample("2019-08/9E4D5B2A.gif", "ball", "gif"),
    Sample("2019-08/6A1B0C9D8E7F.gif", "wink", "gif"),
    Sample("2019-08/C`K3)DI(~5$ZR{QE2W6~0PX.jpg", "star", "gif"),
    Sample("2019-08/4F8A77B0.webp", "ball", "webp"),
    # Files that are no whole pictures: an unfinished download, a text, an empty file.
    Sample("2019-08/{0C6E9F52A1B34D8795E0F3A2B7C4D618}.jpg", "mountains", "cut"),
    Sample("2019-08/说明.txt", None, "text"),
    Sample("2019-08/A77F3E90.png", None, "empty"),
    # The next month: sent to another chat with the same bytes, ...
    Sample("2019-09/{1B7A4E90C2D3F586A7B8C9D0E1F2A3B4}.jpg", "harbour", "jpeg"),
    Sample("2019-09/QQ图片20190903224107.png", "cat", "png"),
    Sample("2019-09/QQ图片20190904101010", "city", "jpeg"),
    Sample("2019-09/@6M[`7S%T~VJ4K}0YHL1Q2E.png", "smiley", "png"),
    Sample("2019-09/78310A552C1F4E0D8B6A9C3D2E1F0A5B(1).webp", "quilt", "webp"),
    Sample("2019-09/9E4D5B2A(1).gif", "ball", "gif"),
    # ... and sent after the client or the sender made it smaller.
    Sample("2019-09/mmexport1567512000999.jpg", "clouds", "jpeg70"),
    Sample("2019-09/mmexport1567512001000.jpg", "mountains", "half jpeg70"),
    Sample("2019-09/5C3D(QO9$AZ]R`8~BX1W4K7.jpg", "flower", "webp"),
    Sample("2019-09/FE01D2C3B4A5.png", "chat", "jpeg70"),
    Sample("2019-09/thumb_2b9e.jpg", "rainbow", "half jpeg"),
    Sample("2019-09/thumb_77aa", "quilt", "half jpeg70"),
    Sample("2019-09/sticker (2).png", "heart", "half png"),
    Sample("2019-09/fish.bmp", "fish", "half webp"),
    Sample("2019-09/wink.png", "wink", "png"),
    Sample("2019-09/E$1[7U)Z0~KQ5`XN3T8G@2V.gif", "clouds", "jpeg"),
)
"""All files, oldest first."""


def make_samples(folder: Path) -> int:
    """Writes SAMPLES into a folder, which is made if absent. Returns the number of files.

    With one version of Pillow, bytes and file times are the same on every run. UsageError if the folder is not empty.
    About 0.3 s, 0.5 MB.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            Message("{folder} is not an empty folder; name a new folder for the sample pictures.", folder=folder)
        )
    drawn = {name: draw() for name, draw in DRAWINGS.items()}
    encoded: dict[tuple[str, str], bytes] = {}
    for number, sample in enumerate(SAMPLES):
        if sample.drawing is None:
            data = OTHER[sample.encoding]
        else:
            key = (sample.drawing, sample.encoding)
            if key not in encoded:
                encoded[key] = ENCODERS[sample.encoding](drawn[sample.drawing])
            data = encoded[key]
        target = folder / sample.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        time_ns = FIRST_TIME_NS + number * STEP_NS
        os.utime(target, ns=(time_ns, time_ns))
    return len(SAMPLES)


# Encoders


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    background = Image.new("RGBA", picture.size, "#ffffff")
    return Image.alpha_composite(background, picture).convert("RGB")


def _half(frames: DrawnFrames) -> DrawnFrames:
    return [f.resize((f.width // 2, f.height // 2), Image.Resampling.LANCZOS) for f in frames]


def _jpeg(frames: DrawnFrames, quality: int = 90) -> bytes:
    out = io.BytesIO()
    _on_white(frames[0]).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _png(frames: DrawnFrames) -> bytes:
    """PNG, animated if there are several frames."""
    return _animated(frames, "PNG")


def _webp(frames: DrawnFrames) -> bytes:
    """WebP, animated if there are several frames."""
    return _animated(frames, "WEBP", quality=90)


def _animated(frames: DrawnFrames, format_name: str, **options: int) -> bytes:
    out = io.BytesIO()
    if len(frames) > 1:
        frames[0].save(out, format_name, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0, **options)
    else:
        frames[0].save(out, format_name, **options)
    return out.getvalue()


def _gif(frames: DrawnFrames) -> bytes:
    return _animated(frames, "GIF")


def _cut(frames: DrawnFrames) -> bytes:
    """The first half of a JPEG, as after an interrupted download."""
    data = _jpeg(frames)
    return data[: len(data) // 2]


ENCODERS: dict[str, Callable[[DrawnFrames], bytes]] = {
    "jpeg": _jpeg,
    "jpeg70": lambda frames: _jpeg(frames, 70),
    "half jpeg": lambda frames: _jpeg(_half(frames)),
    "half jpeg70": lambda frames: _jpeg(_half(frames), 70),
    "png": _png,
    "half png": lambda frames: _png(_half(frames)),
    "webp": _webp,
    "half webp": lambda frames: _webp(_half(frames)),
    "gif": _gif,
    "cut": _cut,
}

OTHER: dict[str, bytes] = {
    "text": "这里存放的是聊天图片。\nPictures from the chat are kept here.\n".encode(),
    "empty": b"",
}
