"""Draws the comparison of two frames as small pictures. Does no I/O."""

import numpy as np
from PIL import Image

from hashindex.core.explanation import Panels
from hashindex.judge.features import BAD, Alignment, two_sided, windows_of
from hashindex.judge.overlap import STRIDE, WINDOW
from hashindex.judge.planes import Frame, Grey

RED, ORANGE = (214, 40, 40), (240, 150, 20)


def panels_of(a: Frame, b: Frame, alignment: Alignment | None) -> Panels:
    """Both frames and, if an alignment exists, the two overlaid and the differences marked."""
    if alignment is None:
        return Panels(_coloured(a), _coloured(b), None, None)
    first, second = alignment.shared.a, alignment.shared.b
    if alignment.a is not a:
        first, second = second, first
    return Panels(_coloured(a), _coloured(b), _overlaid(first, second), _differences(second, alignment))


def _coloured(frame: Frame) -> Image.Image:
    plane = frame.plane_on_white
    bands = [plane.grey, plane.chroma[0] + 128, plane.chroma[1] + 128]
    return Image.merge("YCbCr", [_image(band) for band in bands]).convert("RGB")


def _overlaid(first: Grey, second: Grey) -> Image.Image:
    """Red where only the first is dark, cyan where only the second is dark."""
    one, other = _image(first), _image(second)
    return Image.merge("RGB", [other, one, one])


def _differences(second: Grey, alignment: Alignment) -> Image.Image:
    view = windows_of(alignment)
    height, width = second.shape
    pale = np.repeat((second * 0.35 + 160)[:, :, None], 3, axis=2)
    both = _spread(two_sided(view).astype(np.float32), height, width)
    one = _spread(np.where(view.difference > BAD, 1, 0).astype(np.float32), height, width)
    for strength, colour in ((np.clip(one - both, 0, 1), ORANGE), (both, RED)):
        share = (0.75 * strength)[:, :, None]
        pale = pale * (1 - share) + np.array(colour, np.float32) * share
    return Image.fromarray(np.clip(pale, 0, 255).astype(np.uint8), "RGB")


def _spread(windows: Grey, height: int, width: int) -> Grey:
    """Spreads the value of each window over the pixels around its centre."""
    found = []
    for length, count in ((height, windows.shape[0]), (width, windows.shape[1])):
        middle = (np.arange(length) - (min(WINDOW, length) - STRIDE) / 2) / STRIDE
        found.append(np.clip(middle.astype(int), 0, count - 1))
    return windows[np.ix_(*found)]


def _image(grey: Grey) -> Image.Image:
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8), "L")
