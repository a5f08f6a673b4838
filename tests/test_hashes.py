"""Golden tests of hashes: every bit must be ImageHash's, above all where a value ties with its median."""

import subprocess
import sys

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hashindex.core.errors import UsageError
from hashindex.hashing import recipes

y, x = np.mgrid[0:64, 0:64]
NOISE = np.random.default_rng(7)


def grey(array: object) -> bytes:
    """The prepared picture with these 64 x 64 levels; what lies outside 0 to 255 is cut off."""
    levels: np.ndarray = np.clip(np.broadcast_to(np.asarray(array), (64, 64)), 0, 255)
    return bytes(levels.astype(np.uint8).tobytes())


def imagehash_of(prepared: bytes) -> dict[str, str]:
    """The hexadecimal hashes that ImageHash gives."""
    image = Image.frombytes("L", (64, 64), prepared)
    return {
        "phash": str(imagehash.phash(image)),
        "dhash": str(imagehash.dhash(image)),
        "ahash": str(imagehash.average_hash(image)),
        "whash": str(imagehash.whash(image)),
        "phash256": str(imagehash.phash(image, hash_size=16)),
        "dhash256": str(imagehash.dhash(image, hash_size=16)),
    }


def computed(pictures: list[bytes]) -> list[dict[str, str]]:
    return [{name: value.hex() for name, value in values.items()} for values in recipes.compute(pictures)]


def noise(levels: int = 256) -> np.ndarray:
    return NOISE.integers(0, levels, (64, 64)) * (255 // (levels - 1))


def mirrored(half: np.ndarray) -> np.ndarray:
    return np.hstack([half[:, :32], half[:, 31::-1]])


PICTURES = {
    "noise": [grey(noise()) for _ in range(40)],
    "smooth noise": [grey(np.kron(NOISE.integers(0, 256, (8, 8)), np.ones((8, 8)))) for _ in range(40)],
    "black and white noise, which rings beyond 0 and 255": [grey(noise(2)) for _ in range(20)],
    "few levels": [grey(noise(levels)) for levels in (2, 3, 4, 6) for _ in range(10)],
    "faint noise on a flat ground": [grey(level + noise() // 128) for level in (0, 1, 127, 128, 253)],
    "gradients": [grey(a * y + b * x + c) for a, b, c in [(1, 1, 0), (4, 0, 0), (0, 4, 0), (2, -2, 128)]],
    "curved gradients": [grey(128 + 127 * np.sin(y / a) * np.cos(x / b)) for a in (3, 9, 20) for b in (4, 15)],
    "flat": [grey(level) for level in range(256)],
    "half flat": [grey(np.where(x < edge, 0, 255)) for edge in (1, 16, 31, 32, 33, 63)]
    + [grey(np.where(y < edge, 200, 10)) for edge in (1, 16, 31, 32, 33, 63)]
    + [grey(np.where(y < 32, 255, noise())) for _ in range(10)],
    "striped along rows": [grey(NOISE.integers(0, 256, (64, 1))) for _ in range(20)],
    "striped along columns": [grey(NOISE.integers(0, 256, (1, 64))) for _ in range(20)],
    "left and right alike": [grey(mirrored(noise(levels))) for levels in (2, 4, 256) for _ in range(8)],
    "top and bottom alike": [grey(mirrored(noise(levels)).T) for levels in (2, 4, 256) for _ in range(8)],
    "alike across the diagonal": [grey((a := noise()) // 2 + a.T // 2) for _ in range(10)],
    "rings": [grey(255 * (np.hypot(y - 31.5, x - 31.5) < radius)) for radius in range(1, 46, 5)],
    "checkers": [grey(((y // size + x // size) % 2) * 255) for size in (1, 2, 3, 4, 8, 16, 32)],
    "one dot": [
        grey(np.where((y == row) & (x == column), dot, ground))
        for row, column in [(0, 0), (31, 32), (63, 63), (5, 40)]
        for ground, dot in [(0, 1), (0, 255), (255, 0), (128, 129)]
    ],
    "a letter on white": [grey(np.where((abs(y - 32) < 12) & (abs(x - 30) < 3), 0, 255))],
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_bit_is_as_in_imagehash(kind: str) -> None:
    assert computed(PICTURES[kind]) == [imagehash_of(picture) for picture in PICTURES[kind]]


@settings(max_examples=50, deadline=None)
@given(
    tiles=st.binary(min_size=1, max_size=256),
    side=st.sampled_from([1, 2, 4, 8, 16, 32]),
    greys=st.sampled_from([(0, 255), (0, 1), (254, 255, 0), (7, 99), (0, 64, 128, 192)]),
)
def test_every_bit_is_as_in_imagehash_for_tiles_of_few_greys(tiles: bytes, side: int, greys: tuple[int, ...]) -> None:
    levels = np.resize([greys[tile % len(greys)] for tile in tiles], (64 // side, 64 // side))
    picture = grey(np.kron(levels, np.ones((side, side))))

    assert computed([picture]) == [imagehash_of(picture)]


def test_hash_values_have_not_changed() -> None:
    # Literal values, so that a new ImageHash, Pillow or NumPy that gives other bits is noticed: stored hashes
    # would no longer compare, and the recipe needs a new version.
    wave = 128 + 60 * np.sin(y / 7) + 60 * np.cos((x + y / 2) / 5)
    plate = np.where((y > 10) & (y < 30) & (x > 5) & (x < 50), y * 3, 255)

    assert computed([grey(wave), grey(plate), grey(200), grey(0)]) == [
        {
            "phash": "ed87ad780758165a",
            "dhash": "3367e6cccc981933",
            "ahash": "99bb332000ccdddd",
            "whash": "9bbf330000ccdddd",
            "phash256": "ac5187f7ad55780253ff782212fe7828172f7aaa77137a8806ea7aa213ef5820",
            "dhash256": "0f0f1e1f1e1e3c3c3c3c7878f878f0f0f0f0e1e1c1e1c3c383c387870f870f0f",
        },
        {
            "phash": "af2fd0d0d02f2fc0",
            "dhash": "0027372700020000",
            "ahash": "ff830183ffffffff",
            "whash": "ff01010100000000",
            "phash256": "af682f68d097d017d0172f682f682f682f682f682f682f68d097d017d017d017",
            "dhash256": "000c0000200d202d202d202d202d202d0000000c000000000000000000000000",
        },
        {
            "phash": "8000000000000000",
            "dhash": "0000000000000000",
            "ahash": "0000000000000000",
            "whash": "0000000000000000",
            "phash256": "8000000000000000000000000000000000000000000000000000000000000000",
            "dhash256": "0000000000000000000000000000000000000000000000000000000000000000",
        },
        {
            "phash": "0000000000000000",
            "dhash": "0000000000000000",
            "ahash": "0000000000000000",
            "whash": "0000000000000000",
            "phash256": "0000000000000000000000000000000000000000000000000000000000000000",
            "dhash256": "0000000000000000000000000000000000000000000000000000000000000000",
        },
    ]


def test_a_value_is_big_endian_in_the_order_of_imagehash() -> None:
    picture = PICTURES["noise"][0]
    image = Image.frombytes("L", (64, 64), picture)

    value = recipes.compute([picture])[0]["dhash256"]

    assert int.from_bytes(value, "big") == int(str(imagehash.dhash(image, hash_size=16)), 16)
    assert [byte >> 7 - bit & 1 for byte in value for bit in range(8)] == [
        *imagehash.dhash(image, hash_size=16).hash.astype(int).ravel()
    ]


def test_values_are_keyed_and_sized_as_the_recipes_say() -> None:
    values = recipes.compute(PICTURES["flat"][:1])[0]

    assert [(name, len(value) * 8) for name, value in values.items()] == [
        (recipe.name, recipe.bits) for recipe in recipes.RECIPES
    ]


def test_a_picture_hashes_alike_alone_and_in_any_company() -> None:
    mixed = [pictures[-1] for pictures in PICTURES.values()] * 8  # more than one inner batch

    assert recipes.compute(mixed) == [recipes.compute([picture])[0] for picture in mixed]


def test_no_pictures_have_no_hashes() -> None:
    assert recipes.compute([]) == []


@pytest.mark.parametrize("length", [0, 4095, 4097, 8192])
def test_a_picture_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"^A prepared picture has 4096 bytes; this one has {length}.$"):
        recipes.compute([grey(0), bytes(length)])


def test_recipes_are_found_by_name() -> None:
    assert [recipes.recipe_named(name) for name in ("phash", "dhash", "ahash", "whash", "phash256", "dhash256")] == [
        recipes.Recipe("phash", bits=64, version=2),
        recipes.Recipe("dhash", bits=64, version=2),
        recipes.Recipe("ahash", bits=64, version=2),
        recipes.Recipe("whash", bits=64, version=2),
        recipes.Recipe("phash256", bits=256, version=2),
        recipes.Recipe("dhash256", bits=256, version=2),
    ]


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UsageError) as refusal:
        recipes.recipe_named("PHASH")

    assert str(refusal.value) == (
        'There is no hash called "PHASH"; choose one of phash, dhash, ahash, whash, phash256, dhash256.'
    )


def test_a_symmetric_picture_is_asked_of_imagehash_and_no_private_module_is_loaded() -> None:
    # In a process of its own: what is imported there is seen.
    levels = "bytes((min(x, 63 - x) * 7 + min(y, 63 - y) * 7) % 251 for y in range(64) for x in range(64))"
    program = (
        "import sys; from hashindex.hashing import recipes\n"
        f"picture = {levels}\n"
        "value = recipes.compute([picture])[0]['phash'].hex()\n"
        "print('imagehash' in sys.modules, any(name.startswith('pypocketfft') for name in sys.modules), value)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    picture = bytes((min(x, 63 - x) * 7 + min(y, 63 - y) * 7) % 251 for y in range(64) for x in range(64))
    expected = str(imagehash.phash(Image.frombytes("L", (64, 64), picture)))

    assert ran.stdout == f"True False {expected}\n"


def test_a_fault_of_imagehash_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AttributeError("a changed SciPy")

    monkeypatch.setattr(imagehash, "phash", broken)
    with pytest.raises(AttributeError, match="a changed SciPy"):
        recipes.compute([grey(mirrored(noise(4)).T)])


def test_a_picture_whose_bits_are_certain_imports_neither_imagehash_nor_scipy() -> None:
    # That would cost every run half a second.
    program = (
        "import random, sys; from hashindex.hashing import recipes\n"
        "curve = bytes(i * i // 16 for i in range(64))\n"
        "recipes.compute([bytes([7]) * 4096, bytes(4096), curve * 64, random.Random(1).randbytes(4096)])\n"
        "print(sorted({'imagehash', 'scipy', 'pywt', 'PIL'} & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"
