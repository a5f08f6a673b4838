"""The engine that recognises text: RapidOCR with the models of its wheel. An extra, imported only where it is used.

Nothing is ever downloaded: RapidOCR gets the paths of its models, which were checked against the list of the wheel.
"""

import hashlib
import math
import os
from base64 import urlsafe_b64encode
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PIL import Image

from hashindex.core.errors import UsageError
from hashindex.core.installation import EXTRAS, how_to_install
from hashindex.core.language import Message, Part
from hashindex.core.words import TextLine

if TYPE_CHECKING:
    from importlib.metadata import Distribution

DETECTOR_PIXELS: Final = 640_000
"""Pixels at which text is detected; recognition uses those of the whole picture. Larger pictures are reduced for it,
smaller ones are not enlarged (benchmarks/words.py --detector-pixels)."""
_ROLES: Final = ("det", "rec", "cls")
"""Parts of the names of the models: they detect text, recognise it, and tell whether a line is upside down."""


class TextModels(NamedTuple):
    """The models of the installed engine, as installed_models finds them."""

    paths: tuple[str, ...]
    """In the order of _ROLES."""
    version: str
    """Names the models: other models recognise other words."""


def installed_models() -> TextModels:
    """Finds and checks the models, without importing the engine. About 60 ms.

    Raises UsageError if a package of the extra is not installed, or a model is missing or damaged.
    """
    import importlib.metadata
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in EXTRAS["text"]):
        raise _not_installed()
    try:
        return _models_of(importlib.metadata.distribution("rapidocr"))
    except importlib.metadata.PackageNotFoundError as error:
        raise _not_installed() from error


def _not_installed() -> UsageError:
    return UsageError(Message("Reading words needs an extra: {command}", command=how_to_install("text")))


def _models_of(distribution: "Distribution") -> TextModels:
    listed = dict.fromkeys(_ROLES) | {
        role: file
        for file in distribution.files or ()
        for role in _ROLES
        if file.suffix == ".onnx" and role in PurePath(file).stem.split("_")
    }
    paths, digests = [], []
    for role, file in listed.items():
        path = role if file is None else os.fspath(file.locate())
        digest = b"" if file is None else _digest_of_file(path)
        expected = None if file is None or file.hash is None else file.hash.value
        if not digest or (expected is not None and urlsafe_b64encode(digest).decode().rstrip("=") != expected):
            raise UsageError(
                Message(
                    "The model {path} of rapidocr is missing or damaged; install rapidocr again: {command}",
                    path=path,
                    command=how_to_install("text", again=True),
                )
            )
        paths.append(path)
        digests.append(digest)
    return TextModels(tuple(paths), hashlib.sha256(b"".join(digests)).hexdigest()[:12])


def _digest_of_file(path: str) -> bytes:
    """SHA-256 of a file; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


class TextEngine:
    """The loaded engine. For worker processes: it has bugs of C code, and takes 300 to 450 MB."""

    def __init__(self, models: TextModels) -> None:
        """Loads the models, which takes 1.6 s of processor time. UsageError if they cannot be loaded."""
        try:
            import cv2
            from rapidocr import RapidOCR

            # One thread: each worker uses one processor, and there are as many workers as processors.
            cv2.setNumThreads(1)
            detector, recogniser, classifier = models.paths
            self._engine: Any = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.model_root_dir": os.path.dirname(detector),
                    # What is uncertain is kept with its confidence.
                    "Global.text_score": 0.0,
                    # The pictures have the right size already.
                    "Global.use_preprocess_img": False,
                    "Det.model_path": detector,
                    "Det.limit_type": "max",
                    "Rec.model_path": recogniser,
                    "Cls.model_path": classifier,
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
            # It would load each model with the first picture that needs it.
            for load in (self._engine._load_det_model, self._engine._load_rec_model, self._engine._load_cls_model):
                load()
        except Exception as error:
            raise UsageError(
                Message(
                    "The text engine cannot be loaded ({error}); install it again: {command}",
                    error=Part(f"{type(error).__name__}: {error}".strip().splitlines()[-1]),
                    command=how_to_install("text", again=True),
                )
            ) from error

    def lines(self, picture: Image.Image) -> list[TextLine]:
        """The lines of a picture in mode RGB, from top to bottom. 0.1 to 0.3 s, and 20 ms more for each line."""
        import numpy as np

        # The longest side: an area would be a better limit for wide and tall pictures, but the engine has none.
        ratio = max(picture.size) / min(picture.size)
        self._engine.text_det.limit_side_len = round(math.sqrt(DETECTOR_PIXELS * ratio))
        # The engine reads blue, green, red.
        found = self._engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))
        if found.txts is None or found.boxes is None:
            return []
        lines = []
        for text, confidence, corners in zip(found.txts, found.scores, found.boxes, strict=True):
            x, y = corners[:, 0] / picture.width, corners[:, 1] / picture.height
            left, top = float(x.min()), float(y.min())
            lines.append(TextLine(text, float(confidence), left, top, float(x.max()) - left, float(y.max()) - top))
        return lines
