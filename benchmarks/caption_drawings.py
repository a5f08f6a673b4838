"""Draws pictures with captions in Chinese, English and both, as people send them to each other. Measures nothing."""

import io
import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from case_drawings import WORDS, any_colour, faces, font_files, moving, same_glyph, scenery, shapes
from PIL import Image, ImageDraw, ImageFont

from hashindex.commands.demo.sample_drawings import DRAWINGS

LEAST_PX, MOST_PX = 16, 60
"""Sizes of the letters."""

WHO = re.findall(
    r"\S+",
    """猫猫 老板 小狗 打工人 我的钱包 隔壁老王 班主任 熊猫头 室友 甲方 奶奶 群主 快递员 程序员 周一 被窝
    奶茶 火锅 闹钟 空调 前男友 產品經理 老師 小仙女 大聪明 单身狗 吃货 夜猫子 学霸 锦鲤""",
)
WHAT = re.findall(
    r"\S+",
    """收到请回复 今天不想上班 已经睡着了 在线求抱抱 又要加班了 假装很努力 表示不服 正在赶来的路上
    笑得很大声 委屈巴巴 什么都不知道 请多多关照 突然沉默 吃饱了才有力气 带你去看海 拒绝内卷 说走就走
    听懂掌声 谢谢老板 早点休息 别催了在做了 原地爆炸 退出群聊 明天再说吧 我裂开了 真香警告 安排上了
    有被冒犯到 這就很尷尬 等你下班 一起摸鱼 瑟瑟发抖 不愧是你 好的没问题 你礼貌吗 太难了 冲鸭 多喝热水
    离谱到家""",
)
ENGLISH = [
    *WORDS,
    *re.findall(r"\S+", "deadline pizza meeting sleepy monster dragon kitten sunshine holiday weekend brilliant"),
]

KINDS = ("photo", "drawing", "sticker", "animation")
SCRIPTS = ("chinese", "english", "mixed")


class Captioned(NamedTuple):
    """A drawn picture and the words on it."""

    name: str
    kind: str
    script: str
    words: tuple[str, ...]
    size: int
    """Height of the letters in pixels."""
    data: bytes

    @property
    def caption(self) -> str:
        return " ".join(self.words)


def draw_captions(count: int, seed: int = 1) -> list[Captioned]:
    """That many pictures, as many of each kind and script. Raises SystemExit if there is no Chinese font."""
    if not chinese_fonts():
        raise SystemExit("This benchmark needs a font with Chinese characters, such as the package fonts-noto-cjk.")
    rng = random.Random(seed)
    drawn: list[Captioned] = []
    captions: set[tuple[str, ...]] = set()
    while len(drawn) < count:
        kind = KINDS[len(drawn) % len(KINDS)]
        script = SCRIPTS[len(drawn) // len(KINDS) % len(SCRIPTS)]
        words = _words(rng, script)
        if words not in captions:
            captions.add(words)
            drawn.append(_draw(rng, len(drawn), kind, script, words))
    return drawn


@cache
def chinese_fonts() -> tuple[tuple[str, int], ...]:
    """(file, index in the file) of at most 8 fonts with simplified and traditional characters."""
    found = []
    for place in ("/usr/share/fonts", "/System/Library/Fonts", "C:/Windows/Fonts"):
        for file in sorted(str(path) for path in Path(place).rglob("*.[to]t[fc]")):
            try:
                font = ImageFont.truetype(file, 20)
            except OSError:
                continue
            if not any(same_glyph(font, sign, "\U0010fff0") for sign in "你經请"):
                found.append((file, 0))
    return tuple(found[:: max(1, len(found) // 8)])


def _words(rng: random.Random, script: str) -> tuple[str, ...]:
    chinese = (rng.choice(WHO), rng.choice(WHAT))
    if script == "chinese":
        return chinese
    if script == "english":
        return tuple(rng.sample(ENGLISH, rng.randint(2, 4)))
    return (rng.choice(ENGLISH), rng.choice(chinese)) if rng.random() < 0.5 else (*chinese, rng.choice(ENGLISH))


def _draw(rng: random.Random, number: int, kind: str, script: str, words: tuple[str, ...]) -> Captioned:
    frames = _ground(rng, kind)
    size = round(LEAST_PX * (MOST_PX / LEAST_PX) ** rng.random())
    if kind in ("sticker", "animation"):
        size = min(size, max(LEAST_PX, frames[0].width // 6))
    font = _font(rng, script, size)
    shown = [word.upper() if rng.random() < 0.3 else word for word in words]
    lines = _lines(font, shown, frames[0].width - size)
    light = rng.random() < 0.6
    ink = (255, 255, 255) if light else any_colour(rng, 0, 90)
    edge = (0, 0, 0) if light else (255, 255, 255)
    at_top = rng.random() < 0.3
    # The caption of an animation may appear late.
    first = rng.randrange(len(frames)) if kind == "animation" else 0
    for frame in frames[first:]:
        _write(frame, font, lines, size, ink, edge, at_top=at_top)
    name, data = _encoded(rng, number, kind, frames)
    return Captioned(name, kind, script, words, size, data)


def _ground(rng: random.Random, kind: str) -> list[Image.Image]:
    if kind == "photo":
        return [scenery(rng, (rng.randint(400, 1600), rng.randint(300, 1200)))]
    if kind == "drawing":
        picture = rng.choice((faces, shapes))(rng)[0].frames[0].convert("RGB")
        scale = rng.randint(280, 700) / min(picture.size)
        return [picture.resize((round(picture.width * scale), round(picture.height * scale)))]
    stills = [draw for draw in DRAWINGS.values() if (len(draw()) == 1) == (kind == "sticker")]
    frames = rng.choice(stills)()
    if kind == "animation" and rng.random() < 0.4:
        frames = moving(rng, rng.randint(4, 12), (240, 240))
    side = rng.randint(160, 300)
    return [frame.convert("RGBA").resize((side, side)) for frame in frames]


def _font(rng: random.Random, script: str, size: int) -> ImageFont.FreeTypeFont:
    latin = font_files()
    if script == "english" and latin:
        return ImageFont.truetype(rng.choice(latin), size)
    file, index = rng.choice(chinese_fonts())
    return ImageFont.truetype(file, size, index=index)


def _lines(font: ImageFont.FreeTypeFont, words: Sequence[str], width: int) -> list[str]:
    """Words are kept whole, so that each can be searched. The font is made smaller until the widest word fits."""
    lines: list[str] = []
    for word in words:
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _write(
    image: Image.Image,
    font: ImageFont.FreeTypeFont,
    lines: Sequence[str],
    size: int,
    ink: tuple[int, int, int],
    edge: tuple[int, int, int],
    *,
    at_top: bool,
) -> None:
    draw = ImageDraw.Draw(image)
    step = round(1.3 * size)
    top = size // 4 if at_top else image.height - step * len(lines) - size // 4
    for number, line in enumerate(lines):
        fitting = font
        while fitting.getlength(line) > image.width - size // 2 and fitting.size > 10:
            fitting = fitting.font_variant(size=fitting.size - 1)
        place = image.width / 2, top + step * (number + 0.5)
        draw.text(place, line, ink, fitting, anchor="mm", stroke_width=max(1, round(size / 14)), stroke_fill=edge)


def _encoded(rng: random.Random, number: int, kind: str, frames: list[Image.Image]) -> tuple[str, bytes]:
    target = io.BytesIO()
    first = frames[0]
    if kind == "photo":
        first.save(target, "JPEG", quality=rng.randint(60, 92))
        return f"{number:03}.jpg", target.getvalue()
    if kind == "animation":
        first.save(target, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=0)
        return f"{number:03}.gif", target.getvalue()
    if rng.random() < 0.5:
        first.save(target, "PNG")
        return f"{number:03}.png", target.getvalue()
    first.save(target, "WEBP", quality=80)
    return f"{number:03}.webp", target.getvalue()
