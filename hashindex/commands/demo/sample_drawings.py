"""The drawings of the sample pictures: stills and animations that every hash tells apart."""

import math
import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageOps

DrawnFrames = list[Image.Image]
"""A drawing: one frame for a still, several for an animation; all have one size and mode (RGB or RGBA)."""

Points = list[tuple[float, float]]

OVERSAMPLING = 2
"""Shapes are drawn at this multiple of their size and shrunk, since ImageDraw does not smooth edges."""


def _gradient(size: tuple[int, int], top: str, bottom: str) -> Image.Image:
    return ImageOps.colorize(Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR), top, bottom)


def _noise(rng: random.Random, size: tuple[int, int], cells: int) -> Image.Image:
    """Smooth grey noise, `cells` bumps across. Image.effect_noise differs from run to run."""
    return Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells)).resize(size, Image.Resampling.BICUBIC)


def _clear(size: tuple[int, int]) -> Image.Image:
    """A transparent canvas. Its hidden colour is white, so that shrinking leaves no dark rim at edges."""
    return Image.new("RGBA", size, (255, 255, 255, 0))


def _ring(x: float, y: float, radii: Sequence[float], count: int, turn: float = 0.0) -> Points:
    """`count` points around (x, y), starting at `turn` radians, with the radii in turn: a polygon or a star."""
    angles = [turn + 2 * math.pi * k / count for k in range(count)]
    return [
        (x + radii[k % len(radii)] * math.cos(a), y + radii[k % len(radii)] * math.sin(a)) for k, a in enumerate(angles)
    ]


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: str) -> None:
    draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _harbour() -> DrawnFrames:
    picture = _gradient((960, 640), "#10163a", "#c2557a")
    draw = ImageDraw.Draw(picture)
    _disc(draw, 720, 150, 90, "#ffe9b0")
    picture.paste(_gradient((960, 240), "#3a3f7a", "#070b22"), (0, 400))
    for k in range(12):
        draw.line((720 - 90 + 6 * k, 410 + 18 * k, 720 + 90 - 6 * k, 410 + 18 * k), fill="#ffe9b0", width=5)
    draw.polygon([(120, 400), (430, 400), (380, 470), (180, 470)], fill="#e8e2d4")
    draw.polygon([(270, 120), (270, 390), (110, 390)], fill="#f7f7f2")
    draw.polygon([(285, 170), (285, 390), (410, 390)], fill="#d94f4f")
    return [picture.reduce(OVERSAMPLING)]


def _mountains() -> DrawnFrames:
    rng = random.Random(2)
    picture = _gradient((1120, 720), "#4aa3e0", "#fdf3d8")
    draw = ImageDraw.Draw(picture)
    _disc(draw, 190, 150, 70, "#fff6b3")
    for base, rise, colour in ((470, 330, "#7a86b8"), (570, 200, "#4f6d8f"), (650, 130, "#2f5d3a")):
        ridge: Points = [(80.0 * k, base - rng.random() * rise) for k in range(15)]
        draw.polygon([(0, 720), *ridge, (1120, 720)], fill=colour)
    return [picture.reduce(OVERSAMPLING)]


def _cat() -> DrawnFrames:
    picture = _clear((480, 480))
    draw = ImageDraw.Draw(picture)
    for side in (-1, 1):
        draw.polygon([(240 + side * 190, 20), (240 + side * 60, 150), (240 + side * 205, 260)], fill="#3b3b46")
        draw.polygon([(240 + side * 170, 70), (240 + side * 100, 150), (240 + side * 180, 220)], fill="#f2a0b4")
    draw.ellipse((25, 110, 455, 450), fill="#3b3b46")
    for side in (-1, 1):
        draw.ellipse((240 + side * 95 - 48, 210, 240 + side * 95 + 48, 300), fill="#d8f26b")
        draw.ellipse((240 + side * 95 - 14, 214, 240 + side * 95 + 14, 296), fill="#101014")
        for k in (-1, 0, 1):
            draw.line((240 + side * 60, 350, 240 + side * 230, 345 + 32 * k), fill="#f4f4f4", width=5)
    draw.polygon([(215, 325), (265, 325), (240, 352)], fill="#f2a0b4")
    draw.arc((190, 335, 240, 395), 10, 170, fill="#f4f4f4", width=7)
    draw.arc((240, 335, 290, 395), 10, 170, fill="#f4f4f4", width=7)
    return [picture.reduce(OVERSAMPLING)]


def _clouds() -> DrawnFrames:
    """Noise at four scales over a gradient. It compresses and hashes like a photograph."""
    rng = random.Random(4)
    size = (640, 480)
    grey = _noise(rng, size, 4)
    for cells, weight in ((9, 0.35), (27, 0.2), (120, 0.1)):
        grey = Image.blend(grey, _noise(rng, size, cells), weight)
    picture = ImageOps.colorize(ImageOps.autocontrast(grey), "#1d2f52", "#fff4e2", mid="#7d8fb0")
    return [Image.blend(picture, _gradient(size, "#355f9c", "#d89a63"), 0.25)]


def _smiley() -> DrawnFrames:
    picture = _clear((400, 400))
    draw = ImageDraw.Draw(picture)
    _disc(draw, 200, 200, 190, "#b8860b")
    _disc(draw, 200, 200, 180, "#ffd83d")
    for x in (130, 270):
        draw.ellipse((x - 26, 95, x + 26, 185), fill="#3a2a10")
        _disc(draw, x + 8, 120, 10, "#ffffff")
    draw.chord((85, 150, 315, 345), 0, 180, fill="#7a1f1f")
    draw.chord((140, 270, 260, 400), 180, 360, fill="#ff7f8a")
    return [picture.reduce(OVERSAMPLING)]


def _city() -> DrawnFrames:
    rng = random.Random(6)
    picture = _gradient((800, 960), "#f3a46b", "#5b3f8c")
    draw = ImageDraw.Draw(picture)
    for column, height in enumerate((620, 300, 780, 450, 880, 240, 540)):
        left = 14 + column * 112
        draw.rectangle((left, 960 - height, left + 96, 960), fill="#221c33")
        for y in range(980 - height, 940, 44):
            for x in range(left + 12, left + 84, 28):
                draw.rectangle((x, y, x + 14, y + 22), fill="#ffd97a" if rng.random() < 0.55 else "#3a3350")
    return [picture.reduce(OVERSAMPLING)]


def _flower() -> DrawnFrames:
    picture = _gradient((800, 800), "#dff5c8", "#3f8f4c")
    draw = ImageDraw.Draw(picture)
    draw.line([(300, 330), (350, 560), (330, 800)], fill="#1f5a2a", width=26, joint="curve")
    draw.ellipse((350, 560, 620, 660), fill="#2c7a38")
    for x, y in _ring(300, 300, (165,), 7, 0.3):
        _disc(draw, x, y, 92, "#d63384")
        _disc(draw, x, y, 62, "#f27db8")
    _disc(draw, 300, 300, 96, "#f7c531")
    return [picture.reduce(OVERSAMPLING)]


def _chat() -> DrawnFrames:
    """A screenshot of a chat: bubbles with bars in place of text."""
    rng = random.Random(8)
    picture = Image.new("RGB", (720, 1200), "#ededed")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 720, 110), fill="#2e3238")
    draw.rounded_rectangle((260, 40, 460, 70), 8, fill="#d9d9d9")
    top = 150
    for mine, lines in ((False, 2), (True, 1), (True, 4), (False, 5), (True, 2)):
        left, right = (230, 600) if mine else (120, 490)
        draw.rounded_rectangle((620, top, 690, top + 70) if mine else (30, top, 100, top + 70), 10, fill="#4f7bd9")
        draw.rounded_rectangle(
            (left, top, right, top + 30 + 42 * lines), 18, fill="#8fe66b" if mine else "#ffffff", outline="#c8c8c8"
        )
        for k in range(lines):
            y = top + 24 + 42 * k
            draw.rectangle((left + 24, y, left + 160 + rng.randrange(170), y + 20), fill="#30343a")
        top += 80 + 42 * lines
    return [picture.reduce(OVERSAMPLING)]


def _quilt() -> DrawnFrames:
    rng = random.Random(9)
    picture = Image.new("RGB", (720, 720))
    draw = ImageDraw.Draw(picture)
    colours = ("#0b3954", "#bfd7ea", "#ff6663", "#e0ff4f", "#fefffe", "#5b2a86")
    for y in range(0, 720, 120):
        for x in range(0, 720, 120):
            one, other = rng.sample(colours, 2)
            draw.rectangle((x, y, x + 120, y + 120), fill=one)
            corner = rng.choice(((0, 0), (120, 0), (0, 120), (120, 120)))
            draw.polygon([(x, y + 120 - corner[1]), (x + 120, y + corner[1]), (x + corner[0], y + 120)], fill=other)
    return [picture.reduce(OVERSAMPLING)]


def _heart() -> DrawnFrames:
    picture = _clear((480, 440))
    draw = ImageDraw.Draw(picture)
    outline: Points = [
        (
            240 + 13.5 * 16 * math.sin(t) ** 3,
            190 - 13 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)),
        )
        for t in (2 * math.pi * k / 90 for k in range(90))
    ]
    draw.polygon(outline, fill="#e0244f")
    draw.ellipse((70, 60, 190, 160), fill="#ff8fa6")
    draw.line((20, 420, 460, 60), fill="#5a4632", width=16)
    draw.polygon([(20, 420), (34, 340), (96, 414)], fill="#5a4632")
    return [picture.reduce(OVERSAMPLING)]


def _fish() -> DrawnFrames:
    rng = random.Random(11)
    picture = _clear((560, 400))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(390, 200), (545, 60), (510, 200), (545, 340)], fill="#f06a1d")
    draw.ellipse((30, 70, 430, 330), fill="#ff9a3c")
    for left in (130, 250):
        draw.chord((left, 70, left + 90, 330), 0, 360, fill="#fdfdfd")
    _disc(draw, 105, 165, 26, "#ffffff")
    _disc(draw, 98, 165, 14, "#14202e")
    for _ in range(9):
        _disc(draw, rng.randrange(20, 380), rng.randrange(12, 60), rng.randrange(6, 18), "#49b6e8")
    return [picture.reduce(OVERSAMPLING)]


def _rainbow() -> DrawnFrames:
    picture = _gradient((960, 600), "#bfe6ff", "#ffffff")
    draw = ImageDraw.Draw(picture)
    for k, colour in enumerate(("#e23b3b", "#f08c2e", "#f6df3c", "#3fae49", "#2f6fd0", "#6a3fb0")):
        inset = 55 * k
        draw.pieslice((60 + inset, 40 + inset, 1100 - inset, 1080 - inset), 180, 360, fill=colour)
    draw.pieslice((390, 370, 770, 750), 180, 360, fill="#dff2ff")
    for x, y, r in ((110, 540, 90), (220, 560, 70), (30, 570, 80), (880, 560, 80), (800, 580, 60)):
        _disc(draw, x, y, r, "#ffffff")
    return [picture.reduce(OVERSAMPLING)]


def _ball() -> DrawnFrames:
    """A ball that bounces once across a floor, in six frames."""
    frames = []
    for k in range(6):
        picture = Image.new("RGB", (320, 240), "#fbe8c9")
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 200, 320, 240), fill="#8a5a33")
        draw.rectangle((200, 20, 300, 110), fill="#6fb7d6")
        x, y = 50 + 44 * k, 164 - 110 * abs(math.sin(math.pi * k / 5))
        _disc(draw, x, y, 36, "#1f4e9c")
        draw.pieslice((x - 36, y - 36, x + 36, y + 36), 60 * k, 60 * k + 90, fill="#f4f4f4")
        frames.append(picture.reduce(OVERSAMPLING))
    return frames


def _wink() -> DrawnFrames:
    """A frog that closes one eye, in four frames. Without the reed, half of its pHash would be noise."""
    frames = []
    for open_eye in (50, 26, 4, 26):
        picture = Image.new("RGB", (320, 320), "#f6c6d8")
        draw = ImageDraw.Draw(picture)
        draw.polygon([(0, 320), (0, 150), (110, 320)], fill="#2b6e8e")
        draw.ellipse((20, 110, 300, 300), fill="#4f9d45")
        for x in (90, 230):
            _disc(draw, x, 90, 62, "#4f9d45")
        for x, half in ((90, 50), (230, open_eye)):
            draw.ellipse((x - 46, 90 - half, x + 46, 90 + half), fill="#ffffff")
            draw.ellipse((x - 18, 90 - half // 2, x + 18, 90 + half // 2), fill="#12240f")
        draw.arc((70, 120, 250, 260), 20, 160, fill="#1d3d19", width=10)
        frames.append(picture.reduce(OVERSAMPLING))
    return frames


def _star() -> DrawnFrames:
    """A star that rotates, in three frames."""
    frames = []
    for k in range(3):
        picture = Image.new("RGB", (300, 300), "#1b1240")
        draw = ImageDraw.Draw(picture)
        draw.polygon(_ring(150, 150, (130, 52), 10, 0.35 + 0.2 * k), fill="#ffcf33")
        _disc(draw, 150, 150, 34, "#c1440e")
        frames.append(picture.reduce(OVERSAMPLING))
    return frames


DRAWINGS: dict[str, Callable[[], DrawnFrames]] = {
    "harbour": _harbour,
    "mountains": _mountains,
    "cat": _cat,
    "clouds": _clouds,
    "smiley": _smiley,
    "city": _city,
    "flower": _flower,
    "chat": _chat,
    "quilt": _quilt,
    "heart": _heart,
    "fish": _fish,
    "rainbow": _rainbow,
    "ball": _ball,
    "wink": _wink,
    "star": _star,
}
"""No two are within 16 bits of each other in a 64-bit pHash of their first frame."""
