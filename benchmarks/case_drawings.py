"""Draws nearly equal pictures that are not copies, at random and by kind: pictures that people send to each other.

Each kind is a function of a random generator that returns a family: two to four pictures of one layout that differ in
what a person reads or sees. Layout, size, colour and font are new in every family, so that no layout can be learned.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]


class Picture(NamedTuple):
    """One drawn picture, still or animated."""

    frames: tuple[Image.Image, ...]
    mark: int
    """Height, in pixels, of the smallest part that distinguishes the picture from the others; copies must keep it."""
    kept: frozenset[int] = frozenset()
    """Numbers of the frames that distinguish the animation; copies must keep them."""


Family = list[Picture]
Draw = Callable[[random.Random], Family]

WORDS = re.findall(
    r"\S+",
    """yes no ok hello morning night thanks sorry love never always today tomorrow monday friday late early work home
    sleep eat cat dog fish happy sad wait go come back stop please why what boss money free busy done help great
    awful seven train letter window garden coffee paper river stone bridge market winter summer doctor ticket
    number answer question""",
)

CHINESE = "你好我们今天不是可以谢再见早上晚安吃饭没有为什么工作老板钱回家睡觉猫狗开心难过等一下快走来去爱恨真假多少大小"


# Fonts and glyphs


@cache
def font_files() -> tuple[str, ...]:
    """At most 24 Latin fonts of this computer; empty if the usual places have none."""
    places = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
    found = []
    for path in sorted(path for place in places for path in Path(place).rglob("*.[to]t[fc]")):
        try:
            font = ImageFont.truetype(str(path), 20)
            if "Math" not in path.name and font.getmask("a").getbbox() and not same_glyph(font, "a", "b"):
                found.append(str(path))
        except OSError:
            continue
    return tuple(found[:: max(1, len(found) // 24)])


def same_glyph(font: ImageFont.FreeTypeFont, a: str, b: str) -> bool:
    return bytes(font.getmask(a)) == bytes(font.getmask(b))


@cache
def chinese_font_file() -> str | None:
    """A font with Chinese characters; None if there is none, and then strokes are drawn instead."""
    for file in sorted(str(path) for place in ("/usr/share/fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
                       for path in Path(place).rglob("*.[to]t[fc]")):  # fmt: skip
        try:
            font = ImageFont.truetype(file, 20)
            if not same_glyph(font, "你", "好") and not same_glyph(font, "你", "\U0010fff0"):
                return file
        except OSError:
            continue
    return None


def font_of(rng: random.Random) -> Callable[[int], ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    files = font_files()
    if files and rng.random() < 0.85:
        file = rng.choice(files)
        return lambda size: ImageFont.truetype(file, size)
    return ImageFont.load_default


class Pen:
    """Writes words in one font and script; equal words are drawn equally."""

    def __init__(self, rng: random.Random, chinese: bool = False) -> None:
        self._font = font_of(rng)
        self.chinese = chinese
        self._file = chinese_font_file() if chinese else None

    def mask(self, text: str, size: int) -> Image.Image:
        """The words in white on black, cropped to their size; letters are about `size` pixels high."""
        if self.chinese and self._file is None:
            return self._strokes(text, size)
        font = ImageFont.truetype(self._file, size) if self._file else self._font(size)
        left, top, right, bottom = font.getbbox(text)
        image = Image.new("L", (max(1, math.ceil(right - left)), max(1, math.ceil(bottom - top))))
        ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255)
        return image

    def _strokes(self, text: str, size: int) -> Image.Image:
        """Invented characters of a few strokes in a square; the same character always has the same strokes."""
        image = Image.new("L", (4 * size * len(text), 4 * size))
        draw = ImageDraw.Draw(image)
        for number, character in enumerate(text):
            rng = random.Random(ord(character))
            x0, side = 4 * size * number + size // 4, 3.5 * size
            width = max(3, round(0.3 * size))
            for _ in range(rng.randint(4, 9)):
                a, b = rng.uniform(0, 0.4) * side, rng.uniform(0.6, 1) * side
                level = rng.randrange(8) / 7 * side
                lines = ((a, level, b, level), (level, a, level, b), (a, a, level, b), (b, a, level, b))
                p, q, r, s = lines[rng.choice((0, 0, 0, 1, 1, 2, 3))]
                draw.line((x0 + p, size // 4 + q, x0 + r, size // 4 + s), fill=255, width=width)
        return image.resize((max(1, size * len(text)), size), Image.Resampling.BOX)

    def write(
        self, image: Image.Image, place: tuple[float, float], text: str, size: int, ink: Colour,
        outline: Colour | None = None, anchor: str = "la",
    ) -> tuple[int, int, int, int]:  # fmt: skip
        """Writes into an image and returns the written box. anchor: as in Pillow, "mm" or "la"."""
        mask = self.mask(text, size)
        x, y = place
        if anchor[0] in "mr":
            x -= mask.width / (2 if anchor[0] == "m" else 1)
        if anchor[1] == "m":
            y -= mask.height / 2
        corner = round(x), round(y)
        if outline is not None:
            edge = max(1, size // 12)
            wide = Image.new("L", (mask.width + 2 * edge, mask.height + 2 * edge))
            wide.paste(mask, (edge, edge))
            around = wide.filter(ImageFilter.MaxFilter(2 * edge + 1))
            image.paste(outline, (corner[0] - edge, corner[1] - edge), around)
        image.paste(ink, corner, mask)
        return corner[0], corner[1], corner[0] + mask.width, corner[1] + mask.height

    def words(self, rng: random.Random, most: int = 4) -> str:
        count = rng.randint(1, most)
        if self.chinese:
            return "".join(rng.choice(CHINESE) for _ in range(count + 1))
        text = " ".join(rng.choice(WORDS) for _ in range(count))
        return rng.choice((text, text.upper(), text.capitalize()))

    def others(self, rng: random.Random, count: int, most: int = 4) -> list[str]:
        """The given number of different words of about the same length, as in an edited text."""
        first = self.words(rng, most)
        found = [first]
        for _ in range(400):
            text = self.words(rng, most)
            if len(found) < count and abs(len(text) - len(first)) <= 2 and clearly_other(text, found):
                found.append(text)
        while len(found) < count:
            text = self.words(rng, most)
            if clearly_other(text, found):
                found.append(text)
        return found


def clearly_other(text: str, others: Sequence[str]) -> bool:
    return all(sum(a != b for a, b in zip(text.lower(), one.lower(), strict=False)) + abs(len(text) - len(one)) >= 2
               for one in others)  # fmt: skip


def digits(rng: random.Random, length: int, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        text = "".join(rng.choice("0123456789") for _ in range(length))
        if all(sum(a != b for a, b in zip(text, one, strict=True)) >= min(2, length) for one in found):
            found.append(text)
    return found


# Grounds


def any_colour(rng: random.Random, least: int = 0, most: int = 255) -> Colour:
    return rng.randint(least, most), rng.randint(least, most), rng.randint(least, most)


def contrasting(rng: random.Random, ground: Colour) -> Colour:
    """A colour that is legible on the background."""
    light = 0.3 * ground[0] + 0.59 * ground[1] + 0.11 * ground[2]
    return any_colour(rng, 0, 70) if light > 127 else any_colour(rng, 190, 255)


def sized(rng: random.Random, least: int, most: int) -> tuple[int, int]:
    return round(math.exp(rng.uniform(math.log(least), math.log(most)))), round(
        math.exp(rng.uniform(math.log(least), math.log(most)))
    )


def scenery(rng: random.Random, size: tuple[int, int], texture: float | None = None) -> Image.Image:
    """A scene like a photograph: soft colours, objects with edges, and grain."""
    width, height = size
    cells = rng.randint(2, 5)
    image = Image.frombytes("RGB", (cells, cells), rng.randbytes(3 * cells * cells)).resize(
        size, Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(5, 26)):
        x, y = rng.randrange(width), rng.randrange(height)
        w, h = rng.randint(max(3, width // 40), width // 2), rng.randint(max(3, height // 40), height // 2)
        fill = any_colour(rng)
        kind = rng.randrange(4)
        if kind == 0:
            draw.rectangle((x, y, x + w, y + h), fill=fill)
        elif kind == 1:
            draw.ellipse((x, y, x + w, y + h), fill=fill)
        elif kind == 2:
            draw.polygon([(x + rng.randint(-w, w), y + rng.randint(-h, h)) for _ in range(3)], fill=fill)
        else:
            draw.line((x, y, x + w, y + h), fill=fill, width=max(1, min(size) // rng.randint(20, 90)))
    image = image.filter(ImageFilter.GaussianBlur(min(size) * rng.choice((0.0, 0.002, 0.005, 0.01))))
    strength = rng.choice((0.0, 0.0, 0.05, 0.12)) if texture is None else texture
    if strength:
        image = Image.blend(image, Image.effect_noise(size, 80).convert("RGB"), strength)
    return image


def plain(rng: random.Random, size: tuple[int, int]) -> tuple[Image.Image, Colour]:
    ground = rng.choice(((255, 255, 255), (0, 0, 0), (240, 240, 240), (24, 26, 30), any_colour(rng)))
    return Image.new("RGB", size, ground), ground


def stills(images: Sequence[Image.Image], mark: int) -> Family:
    """The pictures that differ from all earlier ones: two random choices may give the same picture."""
    family: Family = []
    for image in images:
        if all(ImageChops.difference(image, one.frames[0]).getbbox() for one in family):
            family.append(Picture((image,), mark))
    return family


# Screens and papers


def chats(rng: random.Random) -> Family:
    """A chat on a phone; the words in one of several bubbles differ."""
    width = rng.choice((360, 540, 720, 1080, 1170))
    height = round(width * rng.uniform(0.8, 2.2))
    text = round(width * rng.uniform(0.03, 0.045))
    pen = Pen(rng, chinese=rng.random() < 0.5)
    dark = rng.random() < 0.35
    ground = any_colour(rng, 0, 40) if dark else any_colour(rng, 225, 255)
    own, theirs = (
        any_colour(rng, 40, 110) if dark else any_colour(rng, 150, 235),
        any_colour(rng, 50, 70) if dark else (255, 255, 255),
    )
    ink = (235, 235, 235) if dark else (20, 20, 20)
    bubbles = []
    y = round(width * 0.18)
    while y < height - 3 * text:
        lines = rng.randint(1, 3)
        tall = round(text * (1.4 * lines + 1.0))
        if y + tall > height - text:
            break
        bubbles.append((y, tall, lines, rng.random() < 0.5, rng.uniform(0.35, 0.68)))
        y += tall + round(text * rng.uniform(0.6, 1.6))
    words_of = [[pen.words(rng, 3) for _ in range(lines)] for _, _, lines, _, _ in bubbles]
    name, radius, faces = pen.words(rng, 2), round(text * rng.uniform(0.2, 0.7)), rng.random() < 0.7
    colours = [any_colour(rng) for _ in bubbles]
    changed = rng.randrange(len(bubbles))
    line = rng.randrange(len(words_of[changed]))
    images = []
    for words in pen.others(rng, 4, 3):
        image = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, width, round(width * 0.13)), fill=theirs)
        pen.write(image, (width / 2, width * 0.065), name, text, ink, anchor="mm")
        for number, ((y, tall, _, mine, share), texts) in enumerate(zip(bubbles, words_of, strict=True)):
            left = round(width * (0.86 - share) if mine else width * 0.14)
            draw.rounded_rectangle(
                (left, y, left + round(width * share), y + tall), radius, fill=own if mine else theirs
            )
            if faces:
                x = round(width * (0.9 if mine else 0.02))
                draw.rounded_rectangle((x, y, x + 2 * text, y + 2 * text), radius, fill=colours[number])
            for n, spoken in enumerate(texts):
                shown = words if (number, n) == (changed, line) else spoken
                pen.write(image, (left + text * 0.6, y + text * (0.6 + 1.4 * n)), shown, text, ink)
        images.append(image)
    return stills(images, text)


def codes(rng: random.Random) -> Family:
    """A message with a code, or a notification; the digits differ."""
    width = rng.choice((320, 480, 720, 1080))
    height = round(width * rng.uniform(0.4, 2.2))
    text = round(width * rng.uniform(0.03, 0.06))
    pen = Pen(rng)
    ground = any_colour(rng, 230, 255) if rng.random() < 0.7 else any_colour(rng, 0, 40)
    card = any_colour(rng, 200, 245) if sum(ground) > 380 else any_colour(rng, 40, 70)
    ink = contrasting(rng, card)
    length = rng.choice((4, 6, 6, 8))
    top = round(height * rng.uniform(0.05, 0.4))
    lines = [pen.words(rng, 4), "{}" + rng.choice((" is your code", ", valid 5 min", "")), pen.words(rng, 4)]
    order = rng.sample(lines, rng.randint(1, 3))
    if lines[1] not in order:
        order.append(lines[1])
    time = f"{rng.randint(0, 23)}:{rng.randint(10, 59)}"
    images = []
    for code in digits(rng, length, 4):
        image = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(image)
        pen.write(image, (width * 0.04, text * 0.6), time, round(text * 0.8), contrasting(random.Random(1), ground))
        draw.rounded_rectangle((width * 0.05, top, width * 0.9, top + text * (1.6 * len(order) + 1)), text, fill=card)
        for n, line in enumerate(order):
            pen.write(image, (width * 0.09, top + text * (0.7 + 1.6 * n)), line.format(code), text, ink)
        images.append(image)
    return stills(images, text)


def receipts(rng: random.Random) -> Family:
    """A receipt; an amount or a line differs."""
    width = rng.choice((240, 384, 576, 800))
    text = max(10, round(width * rng.uniform(0.035, 0.06)))
    pen = Pen(rng)
    rows = rng.randint(5, 16)
    height = round(text * (rows * 1.5 + 6))
    ground, ink = any_colour(rng, 225, 255), any_colour(rng, 0, 80)
    items = [(pen.words(rng, 2), f"{rng.randint(1, 99)}.{rng.randint(10, 99)}") for _ in range(rows)]
    head = pen.words(rng, 2)
    changed = rng.randrange(rows)
    names, prices = pen.others(rng, 4, 2), digits(rng, 4, 4)
    both = rng.random() < 0.5
    grain = rng.choice((0.0, 0.0, 0.08))
    noise = Image.effect_noise((width, height), 80).convert("RGB")
    images = []
    for n in range(4):
        image = Image.new("RGB", (width, height), ground)
        pen.write(image, (width / 2, text * 2), head, round(text * 1.5), ink, anchor="mm")
        for row, (name, price) in enumerate(items):
            y = text * (4 + 1.5 * row)
            if row == changed:
                price = f"{prices[n][:2]}.{prices[n][2:]}"
                name = names[n] if both else name
            pen.write(image, (width * 0.06, y), name, text, ink)
            pen.write(image, (width * 0.94, y), price, text, ink, anchor="ra")
        images.append(Image.blend(image, noise, grain) if grain else image)
    return stills(images, text)


def price_tags(rng: random.Random) -> Family:
    """A tag or a poster with a large price; the digits differ."""
    size = sized(rng, 160, 900)
    image, ground = plain(rng, size)
    pen = Pen(rng)
    draw = ImageDraw.Draw(image)
    ink = contrasting(rng, ground)
    for _ in range(rng.randint(0, 4)):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        draw.rectangle(
            (x, y, x + size[0] // 3, y + size[1] // 8),
            fill=tuple((a + b) // 2 for a, b in zip(ground, any_colour(rng), strict=True)),
        )
    text = max(11, round(min(size) * rng.uniform(0.07, 0.3)))
    place = size[0] * rng.uniform(0.35, 0.65), size[1] * rng.uniform(0.3, 0.7)
    name, small = pen.words(rng, 2), max(9, text // 2)
    sign = rng.choice(("$", "", "EUR "))
    images = []
    for price in digits(rng, rng.choice((3, 4)), 4):
        tag = image.copy()
        pen.write(tag, (size[0] / 2, size[1] * 0.12), name, small, ink, anchor="mm")
        pen.write(tag, place, f"{sign}{price[:-2] or 0}.{price[-2:]}", text, ink, anchor="mm")
        images.append(tag)
    return stills(images, text)


def tables(rng: random.Random) -> Family:
    """A sheet of rows and columns, or a page of text; some cells differ."""
    size = sized(rng, 300, 1200)
    text = rng.randint(11, 22)
    pen = Pen(rng, chinese=rng.random() < 0.3)
    across, down = rng.randint(1, 5), max(3, int(size[1] / text / rng.uniform(1.5, 3)))
    image = Image.new("RGB", size, (255, 255, 255) if rng.random() < 0.7 else any_colour(rng, 200, 255))
    draw = ImageDraw.Draw(image)
    ink = any_colour(rng, 0, 90)
    wide, tall = size[0] / across, size[1] / down
    if rng.random() < 0.6:
        for n in range(down):
            draw.line((0, n * tall, size[0], n * tall), fill=(190, 190, 190))
        for n in range(across):
            draw.line((n * wide, 0, n * wide, size[1]), fill=(190, 190, 190))
    cells = {(x, y): pen.words(rng, 2) for x in range(across) for y in range(down)}
    changed = rng.sample(sorted(cells), 1 + len(cells) // 12)
    images = []
    others = [pen.others(rng, 4, 2) for _ in changed]
    for n in range(4):
        sheet = image.copy()
        for (x, y), words in cells.items():
            shown = others[changed.index((x, y))][n] if (x, y) in changed else words
            part = Image.new("RGB", (max(1, int(wide) - 4), max(1, int(tall) - 2)), image.getpixel((2, 2)))
            pen.write(part, (2, max(0, (tall - text) / 2 - 1)), shown, min(text, int(tall) - 2), ink)
            sheet.paste(part, (round(x * wide) + 3, round(y * tall) + 2))
        images.append(sheet)
    return stills(images, min(text, int(tall) - 2))


def charts(rng: random.Random) -> Family:
    """Bar charts, line charts and clocks; the values differ."""
    size = sized(rng, 180, 800)
    image, ground = plain(rng, size)
    ink = contrasting(rng, ground)
    count, kind, colour = rng.randint(3, 9), rng.randrange(3), any_colour(rng, 40, 200)
    values = [rng.uniform(0.1, 0.9) for _ in range(count)]
    images = []
    for _ in range(4):
        chart = image.copy()
        draw = ImageDraw.Draw(chart)
        changed = list(values)
        for place in rng.sample(range(count), 1 + count // 3):
            changed[place] = (values[place] + rng.uniform(0.25, 0.55)) % 0.8 + 0.1
        w, h = size
        draw.line((w * 0.05, h * 0.05, w * 0.05, h * 0.95, w * 0.95, h * 0.95), fill=ink, width=max(1, w // 150))
        if kind == 0:
            for n, value in enumerate(changed):
                x = w * (0.08 + 0.86 * n / count)
                draw.rectangle((x, h * (0.95 - 0.85 * value), x + w * 0.6 / count, h * 0.95), fill=colour, outline=ink)
        elif kind == 1:
            points = [(w * (0.08 + 0.86 * n / count), h * (0.95 - 0.85 * value)) for n, value in enumerate(changed)]
            draw.line(points, fill=ink, width=max(2, w // 90))
        else:
            radius = 0.42 * min(size)
            draw.ellipse(
                (w / 2 - radius, h / 2 - radius, w / 2 + radius, h / 2 + radius), outline=ink, width=max(2, w // 60)
            )
            for share, value in zip((0.9, 0.6), changed, strict=False):
                angle = 2 * math.pi * value
                draw.line(
                    (w / 2, h / 2, w / 2 + share * radius * math.sin(angle), h / 2 - share * radius * math.cos(angle)),
                    fill=ink,
                    width=max(2, w // 50),
                )
        images.append(chart)
    return stills(images, 24)


# Words on pictures


def captioned(rng: random.Random, chinese: bool) -> Family:
    size = sized(rng, 200, 1100)
    text = round(math.exp(rng.uniform(math.log(12 if chinese else 8), math.log(60))))
    text = min(text, size[1] // 4)
    pen = Pen(rng, chinese)
    base = scenery(rng, size)
    ink = rng.choice(((255, 255, 255), (0, 0, 0), any_colour(rng)))
    kind = rng.randrange(3)
    outline = None
    if kind == 0:  # outlined, anywhere
        outline = (0, 0, 0) if sum(ink) > 380 else (255, 255, 255)
    elif kind == 1:  # on a plate
        x, y = rng.uniform(0, 0.3) * size[0], rng.uniform(0.05, 0.9) * size[1]
        plate = (255, 255, 255) if sum(ink) < 380 else (0, 0, 0)
        ImageDraw.Draw(base).rectangle((x, y, x + size[0] * 0.7, y + text * 1.7), fill=plate)
    else:  # on a bar that the picture ends in
        plate = (255, 255, 255) if sum(ink) < 380 else (0, 0, 0)
        ImageDraw.Draw(base).rectangle((0, size[1] - text * 2, size[0], size[1]), fill=plate)
    most = max(1, min(4, int(size[0] * 0.9 / max(1, text) / (1.2 if chinese else 3.2))))
    images = []
    for words in pen.others(rng, 4, most):
        image = base.copy()
        if kind == 0:
            place, anchor = (size[0] / 2, size[1] * 0.86), "mm"
        elif kind == 1:
            place, anchor = (x + text * 0.3, y + text * 0.3), "la"
        else:
            place, anchor = (size[0] / 2, size[1] - text), "mm"
        pen.write(image, place, words, text, ink, outline, anchor)
        images.append(image)
    return stills(images, text)


def latin_captions(rng: random.Random) -> Family:
    """A picture with words of 8 to 60 pixels in it, on a plate or on a bar; the words differ."""
    return captioned(rng, False)


def chinese_captions(rng: random.Random) -> Family:
    """A picture with Chinese characters of 12 to 60 pixels; the characters differ."""
    return captioned(rng, True)


def comics(rng: random.Random) -> Family:
    """A comic page with speech bubbles; the words in one or all of them differ."""
    size = sized(rng, 400, 1200)
    across, down = rng.randint(1, 3), rng.randint(1, 3)
    pen = Pen(rng, chinese=rng.random() < 0.3)
    page = Image.new("RGB", size, (255, 255, 255))
    gap = max(3, min(size) // 60)
    wide, tall = size[0] // across, size[1] // down
    text = max(11, round(min(wide, tall) * rng.uniform(0.05, 0.09)))
    bubbles = []
    for x in range(across):
        for y in range(down):
            panel = scenery(rng, (wide - gap, tall - gap), 0.0)
            w, h = round(panel.width * rng.uniform(0.6, 0.9)), round(text * rng.uniform(2.2, 3))
            left, top = rng.randint(0, panel.width - w), rng.randint(2, max(3, panel.height // 3))
            draw = ImageDraw.Draw(panel)
            draw.ellipse(
                (left, top, left + w, top + h), fill=(255, 255, 255), outline=(0, 0, 0), width=max(1, text // 9)
            )
            page.paste(panel, (x * wide + gap // 2, y * tall + gap // 2))
            bubbles.append((x * wide + gap / 2 + left + w / 2, y * tall + gap / 2 + top + h / 2, w))
    words_of = [pen.words(rng, 2) for _ in bubbles]
    changed = set(range(len(bubbles))) if rng.random() < 0.4 else {rng.randrange(len(bubbles))}
    others = [pen.others(rng, 4, 2) for _ in bubbles]
    images = []
    for n in range(4):
        image = page.copy()
        for number, (middle, height, width) in enumerate(bubbles):
            words = others[number][n] if number in changed else words_of[number]
            size_of = text
            while size_of > 9 and pen.mask(words, size_of).width > 0.85 * width:
                size_of -= 1
            pen.write(image, (middle, height), words, size_of, (0, 0, 0), anchor="mm")
        images.append(image)
    return stills(images, max(9, text * 2 // 3))


# Little on much ground


def figure(draw: ImageDraw.ImageDraw, kind: str, box: tuple[float, float, float, float], fill: Colour) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    points = {
        "triangle": ((0.5, 0), (1, 1), (0, 1)), "down": ((0, 0), (1, 0), (0.5, 1)),
        "diamond": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
        "plus": ((0.35, 0), (0.65, 0), (0.65, 0.35), (1, 0.35), (1, 0.65), (0.65, 0.65), (0.65, 1), (0.35, 1),
                 (0.35, 0.65), (0, 0.65), (0, 0.35), (0.35, 0.35)),
        "right": ((0, 0.35), (0.6, 0.35), (0.6, 0.1), (1, 0.5), (0.6, 0.9), (0.6, 0.65), (0, 0.65)),
        "left": ((1, 0.35), (0.4, 0.35), (0.4, 0.1), (0, 0.5), (0.4, 0.9), (0.4, 0.65), (1, 0.65)),
        "up": ((0.35, 1), (0.35, 0.4), (0.1, 0.4), (0.5, 0), (0.9, 0.4), (0.65, 0.4), (0.65, 1)),
        "star": tuple((0.5 + r * math.sin(math.pi * n / 5), 0.5 - r * math.cos(math.pi * n / 5))
                      for n, r in enumerate((0.5, 0.2) * 5)),
        "hexagon": tuple((0.5 + 0.5 * math.sin(math.pi * n / 3), 0.5 - 0.5 * math.cos(math.pi * n / 3))
                         for n in range(6)),
    }  # fmt: skip
    if kind in points:
        draw.polygon([(x0 + w * x, y0 + h * y) for x, y in points[kind]], fill=fill)
    elif kind == "disc":
        draw.ellipse(box, fill=fill)
    elif kind == "ring":
        draw.ellipse(box, outline=fill, width=max(2, round(w / 5)))
    elif kind == "square":
        draw.rectangle(box, fill=fill)
    elif kind == "frame":
        draw.rectangle(box, outline=fill, width=max(2, round(w / 5)))
    elif kind == "cross":
        width = max(2, round(w / 5))
        draw.line((x0, y0, x1, y1), fill=fill, width=width)
        draw.line((x0, y1, x1, y0), fill=fill, width=width)
    elif kind == "moon":
        draw.pieslice(box, 90, 270, fill=fill)


def shapes(rng: random.Random) -> Family:
    """One shape on a large plain canvas; the shape differs: a disc, a square, a star."""
    return figures(rng, ["disc", "square", "triangle", "plus", "star", "ring", "cross"], rng.uniform(0.04, 0.5))


def arrows(rng: random.Random) -> Family:
    """Arrows and signs with another direction, half moons, frames: shapes that no other kind draws."""
    return figures(rng, ["right", "left", "up", "down", "diamond", "frame", "hexagon", "moon"], rng.uniform(0.06, 0.6))


def figures(rng: random.Random, kinds: Sequence[str], share: float) -> Family:
    size = sized(rng, 96, 1400)
    image, ground = plain(rng, size)
    ink = contrasting(rng, ground)
    side = max(12, round(min(size) * share))
    x, y = rng.randint(0, size[0] - side), rng.randint(0, size[1] - side)
    if rng.random() < 0.5:
        x, y = (size[0] - side) // 2, (size[1] - side) // 2
    images = []
    for kind in rng.sample(kinds, 4):
        other = image.resize((size[0] * 2, size[1] * 2))
        figure(ImageDraw.Draw(other), kind, (2 * x, 2 * y, 2 * (x + side), 2 * (y + side)), ink)
        images.append(other.resize(size, Image.Resampling.BOX))
    return stills(images, side)


def faces(rng: random.Random) -> Family:
    """A drawn face; the mouth, the eyes or the brows differ."""
    side = rng.choice((96, 128, 160, 240, 400, 640))
    big = 2 * side
    image, _ = plain(rng, (big, big))
    skin, ink = any_colour(rng, 120, 255), any_colour(rng, 0, 60)
    draw = ImageDraw.Draw(image)
    draw.ellipse((big * 0.08, big * 0.08, big * 0.92, big * 0.92), fill=skin, outline=ink, width=max(2, big // 60))
    width = max(3, big // rng.randint(24, 40))
    mouths = ["smile", "frown", "line", "open"]
    images = []
    varied, eyes = rng.choice(("mouth", "mouth", "eyes")), ["dots", "closed", "wide", "wink"]
    for n in range(4):
        face = image.copy()
        draw = ImageDraw.Draw(face)
        mouth, eye = (mouths[n], eyes[0]) if varied == "mouth" else (mouths[0], eyes[n])
        box = big * 0.3, big * 0.5, big * 0.7, big * 0.78
        if mouth == "smile":
            draw.arc(box, 20, 160, fill=ink, width=width)
        elif mouth == "frown":
            draw.arc((box[0], box[1] + big * 0.12, box[2], box[3] + big * 0.12), 200, 340, fill=ink, width=width)
        elif mouth == "line":
            draw.line((box[0], big * 0.7, box[2], big * 0.7), fill=ink, width=width)
        else:
            draw.ellipse((big * 0.42, big * 0.6, big * 0.58, big * 0.78), fill=ink)
        for number, x in enumerate((0.34, 0.66)):
            r = big * 0.05
            if eye == "closed" or (eye == "wink" and number):
                draw.line((big * x - 1.6 * r, big * 0.38, big * x + 1.6 * r, big * 0.38), fill=ink, width=width)
            elif eye == "wide":
                draw.ellipse(
                    (big * x - 2 * r, big * 0.38 - 2 * r, big * x + 2 * r, big * 0.38 + 2 * r), outline=ink, width=width
                )
            else:
                draw.ellipse((big * x - r, big * 0.38 - r, big * x + r, big * 0.38 + r), fill=ink)
        images.append(face.resize((side, side), Image.Resampling.BOX))
    return stills(images, max(8, side // 8))


def avatars(rng: random.Random) -> Family:
    """One or two letters on a plain disc or square, as programs draw them for users without a picture."""
    side = rng.choice((64, 96, 128, 200, 320, 512))
    ground, card = any_colour(rng, 200, 255), any_colour(rng)
    pen = Pen(rng)
    ink = contrasting(rng, card)
    round_one, size = rng.random() < 0.6, round(side * rng.uniform(0.3, 0.6))
    letters = rng.sample("ABDEGHKMNPRSTVWXZ", 4)
    second = rng.choice(("", rng.choice("ABEKLMRST")))
    images = []
    for letter in letters:
        image = Image.new("RGB", (side, side), ground)
        draw = ImageDraw.Draw(image)
        (draw.ellipse if round_one else draw.rectangle)((side * 0.04, side * 0.04, side * 0.96, side * 0.96), fill=card)
        pen.write(image, (side / 2, side / 2), letter + second, size, ink, anchor="mm")
        images.append(image)
    return stills(images, size * 2 // 3)


# Tone, bars


def dark_and_pale(rng: random.Random) -> Family:
    """Low-contrast pictures, nearly black or nearly white; the scenes differ."""
    size = sized(rng, 160, 700)
    span, pale = rng.uniform(0.1, 0.3), rng.random() < 0.5
    base = round(255 * (1 - span)) if pale else rng.randint(0, 6)
    return stills(
        [scenery(rng, size, 0.0).point([round(base + span * level) for level in range(256)] * 3) for _ in range(3)], 40
    )


def bars(rng: random.Random) -> Family:
    """Different pictures between equal bars with a clock or buttons, as in the gallery of a phone."""
    width = rng.choice((300, 420, 720))
    height = round(width * rng.uniform(1.6, 2.2))
    tall = round(width * rng.uniform(0.5, 1.0))
    top = (height - tall) // 2
    ground = rng.choice(((0, 0, 0), (255, 255, 255), (30, 30, 30)))
    pen = Pen(rng)
    text = max(10, width // 24)
    time = f"{rng.randint(0, 23)}:{rng.randint(10, 59)}"
    buttons = [(rng.uniform(0.1, 0.9), any_colour(rng, 120, 255)) for _ in range(rng.randint(0, 4))]
    images = []
    for _ in range(4):
        image = Image.new("RGB", (width, height), ground)
        image.paste(scenery(rng, (width, tall)), (0, top))
        pen.write(image, (text, text), time, text, contrasting(random.Random(1), ground))
        for x, colour in buttons:
            ImageDraw.Draw(image).ellipse(
                (x * width - text, height - 3 * text, x * width + text, height - text), outline=colour, width=3
            )
        images.append(image)
    return stills(images, 40)


# Animations


def moving(rng: random.Random, count: int, size: tuple[int, int]) -> list[Image.Image]:
    """A shape that moves on a background for this many frames."""
    ground = scenery(rng, size, 0.0) if rng.random() < 0.5 else plain(rng, size)[0]
    fill, side = any_colour(rng), round(min(size) * rng.uniform(0.2, 0.45))
    kind = rng.choice(("disc", "square", "star", "triangle", "ring"))
    ways = rng.choice((1, 1, 2)), rng.choice((0, 1, 1)), rng.uniform(0, 6.28)
    reach_x, reach_y = (size[0] - side) / 2, (size[1] - side) / 2.5
    eyes = rng.random() < 0.5
    frames = []
    for n in range(count):
        angle = 2 * math.pi * n / count
        x = size[0] / 2 + reach_x * math.sin(ways[0] * angle) - side / 2
        y = size[1] / 2 + reach_y * math.cos(ways[1] * angle + ways[2]) * 0.8 - side / 2
        frame = ground.copy()
        draw = ImageDraw.Draw(frame)
        figure(draw, kind, (x, y, x + side, y + side), fill)
        if eyes:
            for share in (0.35, 0.65):
                r = side * 0.06
                draw.ellipse(
                    (x + side * share - r, y + side * 0.4 - r, x + side * share + r, y + side * 0.4 + r), fill=(0, 0, 0)
                )
        frames.append(frame)
    return frames


def worded_frames(rng: random.Random) -> Family:
    """An animation with words in some of its frames, from one to all; the words differ or are absent."""
    size = sized(rng, 96, 300)
    count = rng.randint(6, 60)
    frames = moving(rng, count, size)
    text = max(12, round(min(size) * rng.uniform(0.09, 0.2)))
    pen = Pen(rng, chinese=rng.random() < 0.3)
    share = rng.choice((0.0, 0.05, 0.2, 0.5, 1.0))
    worded = max(1, round(share * count))
    begin = rng.randint(0, count - worded)
    plate = rng.random() < 0.5
    ink = rng.choice(((255, 255, 255), (0, 0, 0)))
    most = max(1, min(2, int(size[0] / text / 4)))
    place = size[0] / 2, size[1] * rng.choice((0.12, 0.5, 0.85))
    texts: list[str] = [*pen.others(rng, 3, most), ""]
    family = []
    for words in texts:
        drawn = [frame.copy() for frame in frames]
        for frame in drawn[begin : begin + worded] if words else []:
            if plate:
                tall = text * 0.8
                ground = (0, 0, 0) if ink[0] else (255, 255, 255)
                ImageDraw.Draw(frame).rectangle((0, place[1] - tall, size[0], place[1] + tall), fill=ground)
            pen.write(frame, place, words, text, ink, None if plate else (255 - ink[0],) * 3, "mm")
        family.append(Picture(tuple(drawn), text, frozenset(range(begin, begin + worded))))
    return family


def changed_frames(rng: random.Random) -> Family:
    """A moving shape that ends with a different sign, or passes a different object."""
    size = sized(rng, 96, 300)
    count = rng.randint(6, 40)
    frames = moving(rng, count, size)
    changed = rng.randint(max(1, count // 10), max(1, count // 2))
    begin = count - changed if rng.random() < 0.6 else rng.randint(0, count - changed)
    side = round(min(size) * rng.uniform(0.2, 0.35))
    x, y = rng.randint(0, size[0] - side), rng.randint(0, size[1] - side)
    fill = any_colour(rng)
    family = []
    for kind in rng.sample(("cross", "plus", "diamond", "up", "hexagon"), 3):
        drawn = [frame.copy() for frame in frames]
        for frame in drawn[begin : begin + changed]:
            draw = ImageDraw.Draw(frame)
            draw.rectangle((x, y, x + side, y + side), fill=(255, 255, 255), outline=(0, 0, 0))
            figure(
                draw,
                kind,
                (x + side * 0.15, y + side * 0.15, x + side * 0.85, y + side * 0.85),
                fill if sum(fill) < 500 else (0, 0, 0),
            )
        family.append(Picture(tuple(drawn), side // 2, frozenset(range(begin, begin + changed))))
    return family


SEEN: dict[str, Draw] = {
    "chats": chats, "codes": codes, "receipts": receipts, "latin captions": latin_captions, "shapes": shapes,
    "faces": faces, "dark and pale": dark_and_pale, "worded frames": worded_frames,
}  # fmt: skip
"""Kinds that may be used to set bounds and to train trees."""

UNSEEN: dict[str, Draw] = {
    "tables": tables, "price tags": price_tags, "chinese captions": chinese_captions, "comics": comics,
    "arrows": arrows, "avatars": avatars, "charts": charts, "bars": bars, "changed frames": changed_frames,
}  # fmt: skip
"""Kinds of the hold-out set: nothing is chosen by them."""
