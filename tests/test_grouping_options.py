"""How pictures are grouped: what goes together, what is refused, and when the settings count."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hashindex import Grouping, HashIndex, Keep, Level, Limits, UsageError
from hashindex.commands.options import grouping_of
from hashindex.commands.session import Session
from hashindex.core.options import Engine
from hashindex.core.settings import Settings


def session(settings: Settings, **given: Any) -> Session:
    index: Any = SimpleNamespace()
    return Session(index, settings, json=False, quiet=False, given=given)


def by(settings: Settings, **how: Any) -> tuple[Any, ...]:
    found = grouping_of(session(settings), **how)
    return found.level, found.hash, found.radii


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"level": "twins"}, "no level"),
        ({"keep": "prettiest"}, "no rule 'prettiest' for the keeper"),
        ({"engine": "faiss", "hash": "phash"}, "no engine"),
        ({"hash": "shash"}, "hash"),
        ({"level": "copies", "radius": 0}, "found by the judge"),
        ({"level": "similar", "hash": "phash"}, "found by the judge"),
        ({"level": "copies", "passes": (8, 9)}, "found by the judge"),
        ({"engine": "packed"}, "found by the judge"),
        ({"radius": 8, "passes": (8, 9)}, "exclude each other"),
        ({"radius": 65, "hash": "phash"}, "0 to 64"),
        ({"radius": -1}, "out of range"),
        ({"passes": (8, 300)}, "0 to 256"),
        ({"radius": "a"}, "radius takes int | None, not 'a'"),
        ({"radius": True}, "radius takes int | None, not True"),
        ({"hash": "phash", "mirrored": True}, "leave out hash"),
        ({"workers": 0}, "workers"),
    ],
)
def test_nothing_that_was_asked_for_is_ignored(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        Grouping(**how)


def test_text_becomes_what_it_names() -> None:
    found = Grouping(level="radius", keep="oldest", engine="packed", passes=[8, 11])  # type: ignore[arg-type]
    assert (found.level, found.engine, found.passes) == (Level.RADIUS, Engine.PACKED, (8, 11))
    assert found.keep_rules == (Keep.OLDEST,)
    assert (Grouping().level, Grouping(radius=3).level) == (Level.COPIES, Level.RADIUS)
    assert (Grouping(hash="dhash").radii, Grouping(level=Level.SIMILAR).radii) == ((2,), ())


def test_a_grouping_and_its_fields_are_not_given_both(index: HashIndex) -> None:
    with pytest.raises(UsageError, match="not both"):
        index.groups(Grouping(), level="similar")


@pytest.mark.parametrize(
    ("settings", "how", "expected"),
    [
        # A radius in the settings does not switch the judge off.
        (Settings(radius=16), {}, (Level.COPIES, "phash256", ())),
        (Settings(hash="dhash", radius=5), {}, (Level.COPIES, "phash256", ())),
        (Settings(hash="dhash", radius=5, level=Level.RADIUS), {}, (Level.RADIUS, "dhash", (5,))),
        (Settings(level=Level.SIMILAR, radius=5), {}, (Level.SIMILAR, "phash256", ())),
        (Settings(hash="dhash", radius=5), {"level": Level.RADIUS}, (Level.RADIUS, "dhash", (5,))),
        # It is meant for the hash of the settings, and for no other.
        (Settings(radius=100), {"hash": "phash"}, (Level.RADIUS, "phash", (4,))),
        (Settings(radius=100), {"hash": "phash256"}, (Level.RADIUS, "phash256", (100,))),
        (Settings(hash="phash", passes=(8, 9)), {"hash": "phash"}, (Level.RADIUS, "phash", (8, 9))),
        (Settings(hash="phash", radius=9), {"radius": 3}, (Level.RADIUS, "phash", (3,))),
        (Settings(hash="phash", radius=9), {"passes": "1,2"}, (Level.RADIUS, "phash", (1, 2))),
        (Settings(level=Level.RADIUS, radius=9), {"level": Level.COPIES}, (Level.COPIES, "phash256", ())),
        (Settings(level=Level.RADIUS, radius=9), {"mirrored": True}, (Level.COPIES, "phash256", ())),
    ],
)
def test_the_settings_count_where_they_are_meant(
    settings: Settings, how: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert by(settings, **how) == expected


def test_a_radius_of_the_settings_that_is_out_of_range_is_said() -> None:
    with pytest.raises(UsageError, match="The radius 100 is out of range: phash has 64 bits"):
        by(Settings(hash="phash", radius=100, level=Level.RADIUS))


def test_a_radius_of_nought_beside_a_level_is_refused(index: HashIndex) -> None:
    with pytest.raises(UsageError, match="found by the judge"):
        by(Settings(), level=Level.COPIES, radius=0)
    with pytest.raises(UsageError, match="found by the judge"):
        by(Settings(), level=Level.SIMILAR, engine=Engine.PACKED)


def test_the_engine_of_the_settings_counts_only_by_distance() -> None:
    settings = Settings(engine="packed")
    assert grouping_of(session(settings)).engine is Engine.AUTO
    assert grouping_of(session(settings), radius=3).engine is Engine.PACKED


def test_limits_and_workers_come_from_the_command_or_else_the_settings() -> None:
    settings = Settings(workers=3, max_pixels=9)
    usual = grouping_of(session(settings))
    assert (usual.workers, usual.limits) == (3, Limits(pixels=9))
    asked = grouping_of(session(settings, max_pixels=5), workers=2)
    assert (asked.workers, asked.limits.pixels) == (2, 5)


def test_the_example_of_the_guide_leaves_the_judge_on(tmp_path: Path) -> None:
    from hashindex.core.settings import read_settings

    for name in ("guide.md", "guide.zh-CN.md"):
        text = (Path(__file__).parent.parent / "docs" / name).read_text(encoding="utf-8")
        example = next(part.split("```")[0] for part in text.split("```toml\n")[1:] if "workers" in part)
        file = tmp_path / name
        file.write_text(example, encoding="utf-8")
        assert grouping_of(session(read_settings(file))).by_verdicts
