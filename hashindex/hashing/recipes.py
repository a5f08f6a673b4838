"""The six perceptual hashes and what their values mean. Opens no file.

This module imports nothing slow: the first compute imports the kernels and NumPy. So a scan can start its workers
first, and a command that only reads the catalogue never waits for NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

PREPARED_BYTES: Final = 64 * 64
"""A prepared picture: 64 x 64 grey levels of one byte each, from the top row down."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a stored hash means. Only hashes of the same name and version can be compared.

    A change of the computation or of the preparation of the picture makes a new version.
    """

    name: str
    bits: int
    version: int


RECIPES: Final = (
    Recipe("phash", bits=64, version=2),
    Recipe("dhash", bits=64, version=2),
    Recipe("ahash", bits=64, version=2),
    Recipe("whash", bits=64, version=2),
    Recipe("phash256", bits=256, version=2),
    Recipe("dhash256", bits=256, version=2),
)
"""The current recipes, one for each hash of compute."""


def compute(prepared: Sequence[bytes]) -> list[dict[str, bytes]]:
    """Every hash of every prepared picture, in the order given, keyed by recipe name in the order of RECIPES.

    prepared: PREPARED_BYTES each (model.Decoded.prepared). A value has recipe.bits / 8 bytes, the first bit highest:
    int.from_bytes(value, "big") == int(str(hash of ImageHash), 16). Raises ValueError if a picture has another length.
    A picture has the same hashes alone and in a batch. 0.1 ms a picture in batches of 16 or more, 0.5 ms alone
    (ImageHash: 2.3 ms), and 0.1 s once a process for NumPy.
    """
    for picture in prepared:
        if len(picture) != PREPARED_BYTES:
            raise ValueError(f"A prepared picture has {PREPARED_BYTES} bytes; this one has {len(picture)}.")
    from hashindex.hashing import kernels

    return kernels.compute(prepared)


def recipe_named(name: str) -> Recipe:
    """The current recipe of this name. Raises UsageError, which lists the names, if there is none."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    names = ", ".join(recipe.name for recipe in RECIPES)
    raise UsageError(Message('There is no hash called "{name}"; choose one of {names}.', name=name, names=names))
