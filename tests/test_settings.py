"""Tests of the settings file: what it may say, and the sentence for each thing it may not."""

from pathlib import Path

import platformdirs
import pytest

from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import Under
from hashindex.core.options import Keep
from hashindex.core.settings import Settings, default_catalogue_path, default_settings_path, read_settings
from hashindex.disk.files import absolute


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


@pytest.fixture
def default(toml: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file in a platform's folder for configuration that is the test's own."""
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: toml.parent)
    return toml


def refusal(toml: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_settings(toml)
    return str(caught.value)


# Places


def test_the_environment_says_where_the_catalogue_is() -> None:
    assert default_catalogue_path({"HASHINDEX_CATALOGUE": "elsewhere/c.db"}) == Path("elsewhere/c.db")


@pytest.mark.parametrize("environment", [{}, {"HASHINDEX_CATALOGUE": ""}, {"CATALOGUE": "elsewhere"}])
def test_without_a_word_from_the_environment_the_catalogue_is_in_the_data_folder(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name, appauthor: tmp_path / name / str(appauthor))
    assert default_catalogue_path(environment) == tmp_path / "hashindex" / "False" / "catalogue.db"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", "elsewhere/c.db")
    assert default_catalogue_path() == Path("elsewhere/c.db")


def test_the_settings_file_is_in_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name, appauthor: tmp_path / name / str(appauthor))
    assert default_settings_path() == tmp_path / "hashindex" / "False" / "settings.toml"


# What is read


def test_a_missing_default_file_gives_the_defaults(default: Path) -> None:
    assert (default.exists(), read_settings()) == (False, Settings())


def test_the_default_file_is_read_when_it_is_there(default: Path) -> None:
    default.write_text("wait = 1", encoding="utf-8")
    assert read_settings() == Settings(wait=1)


def test_a_named_file_is_read_instead_of_the_default_one(default: Path, tmp_path: Path) -> None:
    default.write_text("wait = 1\nradius = 4", encoding="utf-8")
    named = tmp_path / "named.toml"
    named.write_text("wait = 2", encoding="utf-8")
    assert read_settings(named) == Settings(wait=2)


def test_an_empty_file_gives_the_defaults(toml: Path) -> None:
    toml.write_text("# nothing yet\n", encoding="utf-8")
    assert read_settings(toml) == Settings()


def test_the_defaults_leave_to_the_command_what_the_command_knows_better() -> None:
    assert Settings() == Settings(
        catalogue=None,
        wait=30.0,
        workers=None,
        include=(),
        exclude=(),
        hidden=False,
        links=False,
        max_pixels=None,
        max_frames=None,
        max_bytes=None,
        max_seconds=None,
        max_memory=None,
        hash=None,
        radius=None,
        passes=(),
        keep=(Keep.BEST,),
    )


def test_every_key_is_read_and_lists_become_tuples(toml: Path) -> None:
    toml.write_text(
        """
        catalogue = "~/目录.db"
        wait = 2.5
        workers = 1
        include = ["*.gif", "表情/*"]
        exclude = []
        hidden = true
        links = true
        max_pixels = 1_000_000
        max_frames = 100
        max_bytes = 5_000_000
        max_seconds = 2.5
        max_memory = 1_000_000_000
        hash = "dhash"
        radius = 6
        passes = [8, 11, 14, 17]
        keep = "oldest"
        lang = "zh_CN"
        """,
        encoding="utf-8",
    )
    assert read_settings(toml) == Settings(
        catalogue="~/目录.db",
        wait=2.5,
        workers=1,
        include=("*.gif", "表情/*"),
        exclude=(),
        hidden=True,
        links=True,
        max_pixels=1_000_000,
        max_frames=100,
        max_bytes=5_000_000,
        max_seconds=2.5,
        max_memory=1_000_000_000,
        hash="dhash",
        radius=6,
        passes=(8, 11, 14, 17),
        keep=(Keep.OLDEST,),
        lang="zh_CN",
    )


@pytest.mark.parametrize("line", ["wait = 0", "radius = 0", "passes = [0]", "wait = 0.5"])
def test_nought_is_a_value_where_it_means_something(toml: Path, line: str) -> None:
    toml.write_text(line, encoding="utf-8")
    key, _, value = line.partition(" = ")
    wanted = {"0": 0, "[0]": (0,), "0.5": 0.5}[value]
    assert read_settings(toml) == Settings(**{key: wanted})  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", Keep)
def test_every_keep_rule_can_be_set(toml: Path, keep: Keep) -> None:
    toml.write_text(f'keep = "{keep}"', encoding="utf-8")
    assert read_settings(toml).keep == (keep,)


def test_keep_takes_several_rules_in_a_list_or_with_commas_between(toml: Path, tmp_path: Path) -> None:
    rules = (Under(absolute(tmp_path)), Keep.BEST)
    toml.write_text(f"keep = ['under:{tmp_path.as_posix()}', 'best']", encoding="utf-8")
    assert read_settings(toml).keep == rules
    toml.write_text(f"keep = 'under:{tmp_path.as_posix()},best'", encoding="utf-8")
    assert read_settings(toml).keep == rules


# What is refused


def test_a_named_file_that_is_missing_is_an_error(toml: Path) -> None:
    assert refusal(toml) == f"The settings file {toml} does not exist; create it, or leave out --config."


def test_an_error_of_the_settings_ends_the_command_with_code_2(toml: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(toml)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", [b"wait = ", b"wait 3", b"wait = 1\nwait = 2", b'hash = "\xff"', b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_an_error(toml: Path, text: bytes) -> None:
    toml.write_bytes(text)
    assert refusal(toml).startswith(f"The settings file {toml} cannot be read: ")


def test_a_default_file_that_is_not_toml_is_an_error_too(default: Path) -> None:
    default.write_text("wait = ", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings()


def test_a_folder_is_not_a_settings_file(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"The settings file {tmp_path} cannot be read: ")


def test_an_unknown_key_is_an_error_that_names_the_known_ones(toml: Path) -> None:
    toml.write_text("colour = 1", encoding="utf-8")
    assert refusal(toml) == (
        f"The settings file {toml} has an unknown key 'colour'; known are catalogue, wait, workers, include, exclude, "
        "hidden, links, max_pixels, max_frames, max_bytes, max_seconds, max_memory, level, hash, radius, passes, "
        "keep, engine, name, folder, tags, lang."
    )


def test_a_table_is_an_unknown_key(toml: Path) -> None:
    toml.write_text("[scan]\nworkers = 1", encoding="utf-8")
    assert refusal(toml).startswith(f"The settings file {toml} has an unknown key 'scan'; known are ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("catalogue = 1", "catalogue = 1; catalogue must be text"),
        ("catalogue = ['a']", "catalogue = ['a']; catalogue must be text"),
        ("hash = true", "hash = True; hash must be text"),
        ("keep = 1", "keep = 1; keep must be one of best, largest, pixels, oldest, newest, or under:FOLDER"),
        ("wait = '5'", "wait = '5'; wait must be a number of 0 or more"),
        ("wait = true", "wait = True; wait must be a number of 0 or more"),
        ("workers = '1'", "workers = '1'; workers must be a whole number"),
        ("workers = 1.0", "workers = 1.0; workers must be a whole number"),
        ("workers = true", "workers = True; workers must be a whole number"),
        ("max_pixels = false", "max_pixels = False; max_pixels must be a whole number"),
        ("max_frames = 1.5", "max_frames = 1.5; max_frames must be a whole number"),
        ("max_bytes = '1 GB'", "max_bytes = '1 GB'; max_bytes must be a whole number"),
        ("radius = true", "radius = True; radius must be a whole number"),
        ("radius = 8.0", "radius = 8.0; radius must be a whole number"),
        ("hidden = 1", "hidden = 1; hidden must be true or false"),
        ("links = 'yes'", "links = 'yes'; links must be true or false"),
        ("include = '*.gif'", "include = '*.gif'; include must be a list"),
        ("exclude = true", "exclude = True; exclude must be a list"),
        ("passes = 8", "passes = 8; passes must be a list"),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_that_names_file_key_and_kind(toml: Path, line: str, says: str) -> None:
    toml.write_text(line, encoding="utf-8")
    sentence = refusal(toml)
    assert sentence.startswith(f"The settings file {toml} has {says}"), sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("line", "key", "items"),
    [
        ("include = ['*.gif', 1]", "include", "text"),
        ("exclude = [['*.gif']]", "exclude", "text"),
        ("passes = ['8']", "passes", "whole numbers"),
        ("passes = [8, 11.0]", "passes", "whole numbers"),
        ("passes = [8, true]", "passes", "whole numbers"),
    ],
)
def test_a_list_with_a_wrong_item_is_an_error_that_says_of_what_the_list_must_be(
    toml: Path, line: str, key: str, items: str
) -> None:
    toml.write_text(line, encoding="utf-8")
    sentence = refusal(toml)
    assert sentence.startswith(f"The settings file {toml} has {key} = "), sentence
    assert sentence.endswith(f"{key} must be a list of {items}."), sentence


@pytest.mark.parametrize(
    "line",
    [
        "workers = 0",
        "workers = -1",
        "wait = -1",
        "wait = nan",
        "max_pixels = 0",
        "max_frames = -1",
        "max_bytes = -1",
        "max_seconds = 0",
        "max_seconds = nan",
        "max_memory = 0.5",
        "radius = -1",
        "passes = [8, -1]",
        'keep = "prettiest"',
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_that_names_file_and_key(toml: Path, line: str) -> None:
    toml.write_text(line, encoding="utf-8")
    key, _, _ = line.partition(" = ")
    assert refusal(toml).startswith(f"The settings file {toml} has {key} = ")
