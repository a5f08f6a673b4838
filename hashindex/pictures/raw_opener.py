"""Pillow plugin for camera raw pictures, which decodes them with LibRaw (rawpy, an extra). Imported when needed."""

from typing import Any

import rawpy
from PIL import Image, ImageFile

NAME = "CAMERA RAW"


class RawImageFile(ImageFile.ImageFile):
    """size is that of the full picture. load halves it: one pixel for 2 x 2 of the sensor."""

    format = NAME
    format_description = "camera raw"

    def _open(self) -> None:
        self._raw: Any = rawpy.imread(self.fp)
        sizes = self._raw.sizes
        self._size = (sizes.iheight, sizes.iwidth) if sizes.flip in (5, 6) else (sizes.iwidth, sizes.iheight)
        self._mode = "RGB"

    def load(self) -> Any:
        """Decodes upright, with the white balance of the camera."""
        if self._raw is not None:
            pixels = self._raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
            self._raw.close()
            self._raw = None
            height, width = pixels.shape[:2]
            self.im = Image.frombytes("RGB", (width, height), pixels.tobytes()).im
            self._size = width, height
        return Image.Image.load(self)


Image.register_open(NAME, RawImageFile)
