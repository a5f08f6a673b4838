"""The six perceptual hashes and what their values mean; opens no file and knows no catalogue.

Importing this room costs nothing: NumPy is imported, with the kernels, by the first compute. So a scan starts its
workers before, and what only asks the catalogue never waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hashindex.core.errors import UsageError

PREPARED_BYTES: Final = 64 * 64
"""A prepared picture is 64 x 64 grey levels of one byte each, rows from the top."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a stored hash value means: equal names and versions can be compared, others cannot.

    A changed computation or a changed preparation of the picture is a new version.
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
"""The recipes of today, one for each hash that compute gives."""


def compute(prepared: Sequence[bytes]) -> list[dict[str, bytes]]:
    """Every hash of every prepared picture, in the order given, keyed by recipe name in the order of RECIPES.

    prepared: PREPARED_BYTES each (model.Decoded.prepared). A value has recipe.bits / 8 bytes, the first bit highest:
    int.from_bytes(value, "big") == int(str(hash of ImageHash), 16). ValueError if a picture has another length.
    The same alone as in a batch. 0.1 ms a picture in batches of 16 and more, 0.5 ms alone (ImageHash: 2.3 ms), and
    once a process 0.1 s for NumPy.
    """
    for picture in prepared:
        if len(picture) != PREPARED_BYTES:
            raise ValueError(f"A prepared picture has {PREPARED_BYTES} bytes; this one has {len(picture)}.")
    from hashindex.hashing import kernels

    return kernels.compute(prepared)


def recipe_named(name: str) -> Recipe:
    """The current recipe of that name; UsageError, which lists the names, if there is none."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    names = ", ".join(recipe.name for recipe in RECIPES)
    raise UsageError(f'There is no hash called "{name}"; choose one of {names}.')
