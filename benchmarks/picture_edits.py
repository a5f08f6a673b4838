"""Random edits of pictures as chats make them: copies, and variants that are not copies. For training and tests."""

import io
import random
import re
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Edit = Callable[[random.Random, Image.Image], Image.Image]

WORDS = re.findall(
    r"\S+",
    """yes no ok hello good morning night evening thanks sorry love hate you me we they wow lol haha never always today
    tomorrow monday friday late early work home sleep eat drink cat dog fish happy sad angry 1st 2nd 100% 10% wait go
    come back stop please why what who when boss money free busy done help nice great awful""",
)


def colour(rng: random.Random) -> tuple[int, int, int]:
    """Often black, white or a grey; else anything."""
    kind = rng.random()
    if kind < 0.5:
        level = rng.choice((0, 255, 255, 0, rng.randrange(256)))
        return level, level, level
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def flat(image: Image.Image, ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    below = Image.new("RGB", image.size, ground)
    below.paste(image, mask=image.getchannel("A"))
    return below


def saved(rng: random.Random, image: Image.Image) -> Image.Image:
    """Through a file of a common format and back."""
    target = io.BytesIO()
    kind = rng.choice(("jpeg", "jpeg", "webp", "png", "gif"))
    if kind == "jpeg":
        ground = (255, 255, 255) if rng.random() < 0.85 else (0, 0, 0)
        flat(image, ground).save(target, "JPEG", quality=rng.choice((30, 45, 60, 75, 90)))
    elif kind == "webp":
        image.save(target, "WEBP", quality=rng.choice((40, 60, 80)), method=0)
    elif kind == "gif":
        return flat(image).quantize(rng.choice((32, 64, 256))).convert("RGB")
    else:
        return image
    with Image.open(target) as again:
        again.load()
        return again.convert("RGBA" if "A" in again.mode else "RGB")


def resized(rng: random.Random, image: Image.Image) -> Image.Image:
    scale = rng.choice((0.4, 0.5, 0.6, 0.75, 0.9, 1.3))
    stretch = rng.uniform(0.94, 1.06) if rng.random() < 0.15 else 1.0
    size = max(40, round(image.width * scale * stretch)), max(40, round(image.height * scale))
    return image.resize(size, rng.choice((Image.Resampling.LANCZOS, Image.Resampling.BILINEAR)))


def toned(rng: random.Random, image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    rgb = image.convert("RGB")
    kind = rng.randrange(6)
    if kind == 0:
        rgb = rgb.convert("L").convert("RGB")
    elif kind == 1:
        gamma = rng.choice((0.6, 0.75, 1.3, 1.6))
        rgb = rgb.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)
    elif kind == 2:
        rgb = ImageEnhance.Brightness(rgb).enhance(rng.uniform(0.75, 1.25))
    elif kind == 3:
        rgb = ImageEnhance.Contrast(rgb).enhance(rng.uniform(0.7, 1.35))
    elif kind == 4:
        rgb = ImageEnhance.Color(rgb).enhance(rng.uniform(0.5, 1.5))
    else:
        gains = [rng.uniform(0.92, 1.08) for _ in range(3)]
        rgb = rgb.point([min(255, round(level * gain)) for gain in gains for level in range(256)])
    if alpha is not None:
        rgb.putalpha(alpha)
    return rgb


def filtered(rng: random.Random, image: Image.Image) -> Image.Image:
    if rng.random() < 0.5:
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 0.006 * max(image.size) + 0.5)))
    return image.filter(ImageFilter.UnsharpMask(rng.uniform(1, 2.5), rng.choice((60, 120)), 2))


def cropped(rng: random.Random, image: Image.Image) -> Image.Image:
    """Up to a tenth off each side."""
    most = rng.choice((0.03, 0.05, 0.1, 0.1))
    cuts = [rng.uniform(0.3, 1) * most for _ in range(4)]
    if rng.random() < 0.4:
        cuts = [most] * 4
    elif rng.random() < 0.4:
        cuts = [cut if rng.random() < 0.4 else 0 for cut in cuts]
    width, height = image.size
    box = cuts[0] * width, cuts[1] * height, (1 - cuts[2]) * width, (1 - cuts[3]) * height
    return image.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]


def bordered(rng: random.Random, image: Image.Image) -> Image.Image:
    share = rng.uniform(0.02, 0.13)
    sides = [round(share * min(image.size))] * 4
    if rng.random() < 0.3:
        sides = [round(rng.uniform(0, 0.12) * min(image.size)) for _ in range(4)]
    wide = Image.new("RGB", (image.width + sides[0] + sides[2], image.height + sides[1] + sides[3]), colour(rng))
    wide.paste(image, (sides[0], sides[1]), image if image.mode == "RGBA" else None)
    return wide


def letterboxed(rng: random.Random, image: Image.Image) -> Image.Image:
    shape = rng.choice((1.0, 4 / 3, 16 / 9, 3 / 4, 9 / 16))
    width = max(image.width, round(image.height * shape))
    height = max(image.height, round(width / shape))
    if max(width / image.width, height / image.height) > 1.9:
        return bordered(rng, image)
    wide = Image.new("RGB", (width, height), colour(rng))
    place = (width - image.width) // 2, (height - image.height) // 2
    wide.paste(image, place, image if image.mode == "RGBA" else None)
    return wide


def turned(rng: random.Random, image: Image.Image) -> Image.Image:
    angle = rng.uniform(0.7, 4.5) * rng.choice((-1, 1))
    if image.mode == "RGBA" and rng.random() < 0.5:
        return image.rotate(angle, Image.Resampling.BICUBIC)
    return flat(image).rotate(angle, Image.Resampling.BICUBIC, expand=rng.random() < 0.3, fillcolor=colour(rng))


def words(rng: random.Random, most: int = 3) -> str:
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))
    return rng.choice((text, text.upper(), text.title()))


def watermarked(rng: random.Random, image: Image.Image) -> Image.Image:
    """Faint words, small, anywhere along the edges or in the middle."""
    base = image.convert("RGBA")
    over = Image.new("RGBA", base.size, (0, 0, 0, 0))
    size = max(8, round(base.height * rng.uniform(0.03, 0.06)))
    font = ImageFont.load_default(size)
    text = rng.choice(("@", "", "(c) ")) + words(rng, 2).replace(" ", rng.choice((" ", "", "_")))
    x, y, anchor = rng.choice(
        ((0.97, 0.97, "rd"), (0.03, 0.97, "ld"), (0.97, 0.04, "ra"), (0.03, 0.04, "la"), (0.5, 0.5, "mm"))
    )
    level = rng.choice((255, 255, 0, 128))
    opacity = rng.randint(60, 130) if anchor != "mm" else rng.randint(40, 90)
    place = x * base.width, y * base.height
    ImageDraw.Draw(over).text(place, text, font=font, anchor=anchor, fill=(level, level, level, opacity))
    if image.mode != "RGBA":
        return Image.alpha_composite(base, over).convert("RGB")
    return Image.alpha_composite(base, over)


COPYING: tuple[Edit, ...] = (
    saved, saved, resized, resized, toned, filtered, cropped, cropped, bordered, letterboxed, turned, watermarked,
)  # fmt: skip


def copy_of(rng: random.Random, image: Image.Image, most: int = 3) -> Image.Image:
    """The same picture to a person: one edit, rarely up to `most`, then a file of some format."""
    for edit in rng.sample(COPYING, min(most, rng.choice((1, 1, 1, 2, 2, 3)))):
        image = edit(rng, image)
    return saved(rng, image)


def captioned(rng: random.Random, image: Image.Image) -> list[Image.Image]:
    """One picture with two captions, or with one and without, inside it or on a bar."""
    base = flat(image)
    ratio = rng.choice((0.05, 0.06, 0.07, 0.08, 0.1, 0.13, 0.16))
    first, second = words(rng), words(rng)
    while second.lower() == first.lower():
        second = words(rng)
    size = max(9, round(base.height * ratio))
    longest = max(ImageFont.load_default(size).getlength(text) for text in (first, second))
    if longest > 0.95 * base.width:
        size = max(8, round(size * 0.95 * base.width / longest))
    font = ImageFont.load_default(size)
    on_bar, above = rng.random() < 0.4, rng.random() < 0.3
    ground, ink = rng.choice((((255,) * 3, (0,) * 3), ((0,) * 3, (255,) * 3), (colour(rng), colour(rng))))
    place = rng.uniform(0.35, 0.65) * base.width, rng.choice((0.1, 0.5, 0.88, 0.9)) * base.height
    outlined = rng.random() < 0.6
    bar = round(size * rng.uniform(1.3, 2))
    made = []
    for text in (first, second):
        if on_bar:
            image = Image.new("RGB", (base.width, base.height + bar), ground)
            image.paste(base, (0, bar if above else 0))
            middle = bar / 2 if above else base.height + bar / 2
            if sum(abs(a - b) for a, b in zip(ground, ink, strict=True)) < 200:
                ink = (0, 0, 0) if sum(ground) > 380 else (255, 255, 255)
            ImageDraw.Draw(image).text((base.width / 2, middle), text, font=font, anchor="mm", fill=ink)
        else:
            image = base.copy()
            stroke = max(1, size // 12) if outlined else 0
            ImageDraw.Draw(image).text(
                place, text, font=font, anchor="mm", fill=(255, 255, 255) if outlined else ink,
                stroke_width=stroke, stroke_fill=(0, 0, 0),
            )  # fmt: skip
        made.append(image)
    if ratio >= 0.1 and rng.random() < 0.4:
        made[rng.randrange(2)] = base
    return made


def drawn_in(rng: random.Random, image: Image.Image, other: Image.Image) -> list[Image.Image]:
    """The picture, and the same with a part of another one, or a shape, put in: 20 to 40 % of a side."""
    base = flat(image)
    size = max(8, round(min(base.size) * rng.uniform(0.2, 0.4)))
    x, y = rng.randint(0, max(0, base.width - size)), rng.randint(0, max(0, base.height - size))
    changed = base.copy()
    if rng.random() < 0.6:
        patch = other.convert("RGBA").resize((size, size))
        changed.paste(patch.convert("RGB"), (x, y), patch.getchannel("A"))
    else:
        box = (x, y, x + size, y + round(size * rng.uniform(0.5, 1)))
        pen = ImageDraw.Draw(changed)
        shape = rng.choice((pen.ellipse, pen.rectangle))
        if rng.random() < 0.5:
            shape(box, fill=colour(rng))
        else:
            shape(box, outline=colour(rng), width=max(2, size // 8))
    seen = ImageChops.difference(base, changed).convert("L").point([0] * 48 + [1] * 208)
    if sum(seen.histogram()[1:]) < 0.015 * base.width * base.height:
        return []
    return [base, changed]


def recoloured(rng: random.Random, image: Image.Image) -> list[Image.Image]:
    """The same drawing in another colour; nothing for a picture that is nearly grey."""
    hue, saturation, value = image.convert("RGB").convert("HSV").split()
    if sum(saturation.histogram()[90:]) < 0.15 * image.width * image.height:
        return []
    by = rng.randint(30, 225)
    hue = hue.point([(level + by) % 256 for level in range(256)])
    other = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    if image.mode == "RGBA":
        other.putalpha(image.getchannel("A"))
    return [image, other]


def larger_crop(rng: random.Random, image: Image.Image) -> list[Image.Image]:
    """The picture and a half of it or less."""
    share = rng.uniform(0.5, 0.68)
    width, height = round(image.width * share), round(image.height * share)
    x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return [image, image.crop((x, y, x + width, y + height))]
