"""Thumbnails in the terminal: each protocol, terminals without one, and output that goes elsewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import draw, save
from PIL import Image

from hashindex import HashIndex
from hashindex.core.errors import UsageError
from hashindex.output import terminal_pictures
from hashindex.output.text.terminal import Thumbnails

if os.name == "nt":
    pytest.skip("needs the terminals of POSIX", allow_module_level=True)
pytest.importorskip("textual_image", reason="needs the extra thumbnails")

from make_captures import on_terminal

ROOT = Path(__file__).resolve().parent.parent

SIXEL, KITTY, BLOCK = b"\x1bP0;0;0q", b"\x1b_Gi=", "▀".encode()
ASKS_ATTRIBUTES, ASKS_KITTY = b"\x1b[c", b"a=q"

Answer = Callable[[bytes], bytes]


def sixel_terminal(output: bytes) -> bytes:
    return b"\x1b[?62;4c" if ASKS_ATTRIBUTES in output else b""


def kitty_terminal(output: bytes) -> bytes:
    answer = b"\x1b[?62c" if ASKS_ATTRIBUTES in output else b""
    return answer + (b"\x1b_Gi=1;OK\x1b\\" if ASKS_KITTY in output else b"")


def plain_terminal(output: bytes) -> bytes:
    return b"\x1b[?62c" if ASKS_ATTRIBUTES in output else b""


def silent_terminal(output: bytes) -> bytes:
    return b""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder with a group of three: a picture, a copy, and a copy that was deleted after the scan."""
    home = tmp_path_factory.mktemp("home")
    for name in ("cat.png", "again.jpg", "gone.jpg"):
        save(draw(1), home / "Pictures" / name)
    HashIndex(home / "catalogue.db").scan([home / "Pictures"])
    (home / "Pictures" / "gone.jpg").unlink()
    yield home


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), kept.get("PYTHONPATH", "")])
    own = {"HOME": str(home), "HASHINDEX_CATALOGUE": str(home / "catalogue.db"), "LC_ALL": "C.UTF-8"}
    return kept | own | {"TERM": "xterm-256color"}


def shown(home: Path, answer: Answer, *arguments: str) -> bytes:
    return on_terminal([sys.executable, "-m", "hashindex", *arguments], 80, environment(home), home, answer)


@pytest.mark.parametrize(("answer", "start"), [(sixel_terminal, SIXEL), (kitty_terminal, KITTY)])
@pytest.mark.parametrize(
    "arguments",
    [("groups",), ("query", "Pictures/cat.png"), ("explain", "Pictures/cat.png", "Pictures/again.jpg")],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_terminal_shows_pictures_by_its_protocol(
    home: Path, answer: Answer, start: bytes, arguments: tuple[str, ...]
) -> None:
    output = shown(home, answer, *arguments)
    assert start in output.replace(ASKS_ATTRIBUTES, b"").partition(b"again.jpg")[2]
    assert (KITTY if start == SIXEL else SIXEL) not in output


def test_a_picture_is_sent_to_kitty_as_png_with_its_place(home: Path) -> None:
    output = shown(home, kitty_terminal, "groups")
    sent = re.search(rb"\x1b_Gi=(\d+),m=\d,f=100,q=2;(iVBORw0KGgo[^\x1b]*)\x1b", output)
    assert sent is not None
    assert re.search(rb"\x1b_Ga=p,i=%s,c=\d+,r=6,U=1,q=2\x1b" % sent[1], output)


@pytest.mark.parametrize("answer", [plain_terminal, silent_terminal])
def test_a_terminal_without_a_protocol_shows_blocks_only_on_request(home: Path, answer: Answer) -> None:
    auto = shown(home, answer, "groups")
    blocks = shown(home, answer, "groups", "--thumbnails", "blocks")
    assert [start in auto for start in (SIXEL, BLOCK)] == [False, False]
    assert (SIXEL in blocks, blocks.count(b"\n") - auto.count(b"\n")) == (False, terminal_pictures.LINES)
    assert BLOCK in blocks


def test_never_asks_the_terminal_nothing(home: Path) -> None:
    output = shown(home, sixel_terminal, "groups", "--thumbnails", "never")
    assert b"again.jpg" in output
    assert not re.search(rb"\x1b(?!\[[0-9;]*m)", output), "only colours"


@pytest.mark.parametrize("choice", Thumbnails)
def test_output_elsewhere_stays_as_it_is(home: Path, choice: str) -> None:
    def piped(*more: str) -> bytes:
        command = [sys.executable, "-m", "hashindex", "groups", *more]
        return subprocess.run(command, env=environment(home), capture_output=True, check=True).stdout

    output = piped("--thumbnails", choice)
    assert b"\x1b" not in output
    assert output == piped()


def test_blocks_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert terminal_pictures.terminal_pictures(Thumbnails.AUTO, 80) is None
    with pytest.raises(UsageError, match=r"Pictures in the terminal need an extra: .*textual-image"):
        terminal_pictures.terminal_pictures(Thumbnails.BLOCKS, 80)


def test_pictures_stand_side_by_side_and_a_lost_one_is_a_crossed_box() -> None:
    clear = Image.new("RGBA", (20, 40), (255, 0, 0, 0))
    row = terminal_pictures._side_by_side([Image.new("RGB", (30, 10), "blue"), None, clear])
    gap = terminal_pictures.GAP
    assert row.size == (30 + gap + 40 + gap + 20, 40)
    assert row.getpixel((15, 20)) == (0, 0, 255, 255)
    assert row.getpixel((15, 5)) == row.getpixel((30 + gap // 2, 20)) == (0, 0, 0, 0)
    assert row.getpixel((30 + gap + 20, 20)) == (128, 128, 128, 255)
    assert row.getpixel((90 + gap, 20)) == (255, 255, 255, 255)
