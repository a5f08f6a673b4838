"""Questions about paths that need no scan."""

import ntpath
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hashindex.disk import files


@pytest.mark.parametrize(
    "path", [b"Z:\\pictures\\chat", b"Z:\\", b"Z:pictures", b"\\\\server\\share\\pictures", b"pictures"]
)
def test_nearest_there_ends_where_not_even_the_drive_is_there(monkeypatch: pytest.MonkeyPatch, path: bytes) -> None:
    """As on Windows, where nothing is above a drive."""
    monkeypatch.setattr(files, "os", SimpleNamespace(path=ntpath))
    found = files.nearest_existing(path)
    assert found == ntpath.dirname(found)


def test_nearest_there_is_the_closest_folder_above(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path)
    assert files.nearest_existing(os.path.join(place, b"a", b"b")) == place
    assert files.nearest_existing(place) == place


def test_innermost_is_the_longest_folder_whatever_their_order() -> None:
    home, qq = os.path.join(b"home"), os.path.join(b"home", b"QQ")
    for folders in ([home, qq], [qq, home]):
        assert files.innermost(os.path.join(qq, b"a.png"), folders) == qq
        assert files.innermost(qq, folders) == qq
        assert files.innermost(os.path.join(b"home", b"QQ2"), folders) == home
    assert files.innermost(b"elsewhere", [home, qq]) is None
