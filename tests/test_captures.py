"""Captures of a terminal for the documentation: what stays on it, and a picture that needs no network."""

import os
import re

import pytest

if os.name == "nt":
    pytest.skip("needs the terminals of POSIX", allow_module_level=True)

from make_captures import settled, svg


@pytest.mark.parametrize(
    ("printed", "stays"),
    [
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("reading 1/2\r\x1b[2Kreading 2/2\r\x1b[2KRead 2.\r\n", "Read 2.\n"),
        ("\x1b[?25lreading\r\n\x1b[?25h\r\x1b[1A\x1b[2KRead 2.\r\n", "Read 2.\n"),
        ("\x1b[1mkeep\x1b[0m  BK\r\ntree\r\n", "\x1b[1mkeep\x1b[0m  BK\ntree\n"),
        ("\x1b[31m\r\n", "\x1b[31m\n"),
    ],
)
def test_progress_is_erased_and_the_rest_stays(printed: str, stays: str) -> None:
    assert settled(printed) == stays


def test_a_capture_names_no_address_but_those_of_its_format() -> None:
    picture = svg("$ hashindex groups\n\x1b[1;32mkeep\x1b[0m  cat.gif  图片\n", 40, "hashindex")
    assert "cat.gif" in picture
    assert re.search(r'textLength="183"[^>]*>&#160;&#160;cat.gif&#160;&#160;图片<', picture), "15 columns"
    assert picture.count("http") == picture.count('xmlns="http://www.w3.org/2000/svg"') + picture.count(
        "<!-- Generated with Rich https://www.textualize.io -->"
    )
    assert "url(http" not in picture and "@font-face" not in picture
