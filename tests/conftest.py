"""What several test modules use."""

from pathlib import Path

import pytest

from hashindex import HashIndex


@pytest.fixture
def index(tmp_path: Path) -> HashIndex:
    """An index whose catalogue does not exist yet."""
    return HashIndex(tmp_path / "catalogue.db", wait_s=0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to scan."""
    path = tmp_path / "pictures"
    path.mkdir()
    return path
