"""Tags: kept by content, through moves, dedupe, exports, rules and a catalogue that is built anew."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, fill, save
from typer.testing import CliRunner, Result

from hashindex import DedupeOptions, HashIndex, UnreadablePicture, UsageError, WatchOptions
from hashindex.commands.cli import app
from hashindex.core.settings import read_settings
from hashindex.core.tags import LONGEST, TagCount, Tagging, parted, tag_named, tag_rule, tags_named, to_lines
from hashindex.core.words import TextLine
from hashindex.store.catalogue import Catalogue


def found(index: HashIndex, words: str) -> set[str]:
    """The names of the pictures that words find."""
    return {os.path.basename(picture.file.path) for picture in index.find(words)}


@pytest.fixture
def three(index: HashIndex, folder: Path) -> list[Path]:
    paths = [save(draw(seed), folder / f"{seed}.png") for seed in (1, 2, 3)]
    index.scan([folder])
    return paths


def test_tags_are_given_and_taken(index: HashIndex, three: list[Path]) -> None:
    a, b, c = three
    assert index.tag(["cat", "funny"], [a, b]) == 4
    assert index.tag(["cat"], [b, c, c]) == 1
    assert index.tags() == [TagCount("cat", 3), TagCount("funny", 2)]
    assert index.tags_of([c, a]) == [["cat"], ["cat", "funny"]]
    assert index.untag(["funny", "nothing"], [a, c]) == 1
    assert index.tags_of(three) == [["cat"], ["cat", "funny"], ["cat"]]
    b.unlink()
    index.scan()
    assert index.tags() == [TagCount("cat", 2), TagCount("funny", 0)]


@pytest.mark.parametrize("text", ["", "  ", "#", "a,b", "a\0b", "\x1b[2J", "a\u202eb", "\ud800", "x" * (LONGEST + 1)])
def test_what_is_no_tag_is_refused(index: HashIndex, three: list[Path], text: str) -> None:
    with pytest.raises(UsageError, match="is not a tag"):
        index.tag(["cat", text], three)
    assert index.tags() == []


def test_a_tag_is_one_line_in_nfc() -> None:
    assert tag_named("  #big \n cat ") == "big cat"
    assert tag_named("cafe\u0301") == "café"
    assert tags_named("猫，狗, #cat,cat") == ["猫", "狗", "cat"]


def test_a_file_that_is_no_picture_is_not_tagged(index: HashIndex, three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UnreadablePicture):
        index.tag(["cat"], [three[0], tmp_path / "gone.png"])
    assert index.tags() == []


def test_tags_survive_moves_organize_and_undo(index: HashIndex, three: list[Path], tmp_path: Path) -> None:
    index.tag(["cat"], three[:1])
    renamed = three[0].rename(three[0].with_name("renamed.png"))
    index.scan()
    assert found(index, "cat") == {"renamed.png"}
    index.organize(tmp_path / "sorted", action="move", rest=True)  # type: ignore[arg-type]
    (placed,) = found(index, "cat")
    assert index.tags_of([tmp_path / "sorted" / placed]) == [["cat"]]
    index.undo()
    assert found(index, "cat") == {"renamed.png"}
    assert renamed.exists()


def test_the_picture_that_dedupe_keeps_inherits_tags_and_words(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    save(draw(1, (320, 240)), folder / "large.png")
    save(draw(1, (320, 240)).resize((160, 120)), folder / "small.png")
    index.scan([folder])
    removed = index.plan_dedupe().removals[0]
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        catalogue.words.put(removed.digest, "test 1", [TextLine("meow", 0.9)])
    index.tag(["cat", "wrong"], [removed.source])
    index.tag(["wrong"], [removed.kept.path])
    index.untag(["wrong"], [removed.kept.path])
    index.dedupe(DedupeOptions(to=tmp_path / "removed"))
    index.forget(tmp_path / "removed")
    (picture,) = index.find("meow")
    assert (picture.file.path, picture.tags, picture.lines) == (removed.kept.path, ("cat",), ("meow",))


# Exports


def test_an_export_brings_tags_and_decisions_to_another_catalogue(
    index: HashIndex, three: list[Path], tmp_path: Path
) -> None:
    index.tag(["猫"], three[:2])
    index.untag(["猫"], three[1:2])
    index.same(*three[:2])
    lines = index.export_decisions()
    other = HashIndex(tmp_path / "other.db")
    other.scan([three[0].parent])
    other.tag(["猫"], three[1:])
    assert other.import_decisions(lines) == 3
    # Given later than it was taken away in the first catalogue.
    assert other.tags_of(three) == [["猫"], ["猫"], ["猫"]]
    assert len(other.decisions()) == 1
    assert index.import_decisions(other.export_decisions()) == 4
    assert index.tags_of(three) == [["猫"], ["猫"], ["猫"]]


def test_a_malformed_line_is_named_and_nothing_is_added(index: HashIndex, three: list[Path]) -> None:
    index.tag(["cat"], three)
    lines = index.export_decisions()
    index.untag(["cat"], three)
    with pytest.raises(UsageError, match=r"tags.jsonl, line 3 is not a decision"):
        index.import_decisions([*lines[:2], lines[2].replace("cat", "c,at")], name="tags.jsonl")
    assert index.tags_of(three) == [[], [], []]


taggings = st.builds(
    Tagging,
    st.binary(min_size=32, max_size=32),
    st.text(min_size=1, max_size=9).filter(lambda text: text.isprintable() and "," not in text).map(
        lambda text: "t" + tag_named("t" + text)
    ),
    st.booleans(),
    st.integers(0, 2**63 - 1),
)  # fmt: skip


@given(st.lists(taggings))
def test_what_is_exported_is_read_again(given_tags: list[Tagging]) -> None:
    assert parted(to_lines(given_tags)) == (given_tags, [""] * len(given_tags))


FIELDS = {"sha256": "00" * 32, "tag": "cat", "given": True, "decided_ns": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "00"},
        {"sha256": None},
        {"tag": ""},
        {"tag": " cat"},
        {"tag": 5},
        {"given": 1},
        {"decided_ns": -1},
        {"decided_ns": 2**63},
        {"decided_ns": True},
    ],
)
def test_other_lines_are_no_tags(change: dict[str, object]) -> None:
    line = json.dumps(FIELDS | change)
    assert parted([line, "", "[" * 100_000]) == ([], [line, "", "[" * 100_000])


# Rules


def test_rules_tag_by_folder_and_by_words(index: HashIndex, folder: Path) -> None:
    for name in ("work/1.png", "work/2.png", "other/3.png"):
        save(draw(int(Path(name).stem)), folder / name)
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        file = catalogue.file_at(bytes(folder / "other" / "3.png"))
        assert file is not None
        catalogue.words.put(file.content.digest, "test 1", [TextLine("收到請回復", 0.9)])
    rules = [tag_rule(f"work=under:{folder / 'work'}"), tag_rule("reply=word:收到请")]
    assert index.tag_by_rules(rules) == 3
    assert index.tag_by_rules(rules) == 0
    assert found(index, "work") == {"1.png", "2.png"}
    assert found(index, "reply") == {"3.png"}
    # What the user took away no rule gives again, and what the user gave stays.
    index.untag(["work"], [folder / "work" / "1.png"])
    assert index.tag_by_rules(rules) == 0
    assert index.tags_of([folder / "work" / "1.png"]) == [[]]


@pytest.mark.parametrize(
    "rule", ["", "cat", "cat=", "cat=under:", "cat=word: ", "=word:a", "a,b=word:c", "cat=folder:x"]
)
def test_what_is_no_rule_is_refused(rule: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        tag_rule(rule)
    (tmp_path / "settings.toml").write_text(f"tags = [{json.dumps(rule)}]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"TAG=under:FOLDER or TAG=word:WORDS"):
        read_settings(tmp_path / "settings.toml")


# The commands


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def _own_catalogue(index: HashIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))


@pytest.mark.usefixtures("_own_catalogue")
def test_the_commands_say_what_they_did(three: list[Path]) -> None:
    a, b, _ = three
    assert run("tags").stderr == "No tags yet; see hashindex tag.\n"
    assert run("tag", "cat,funny", a, b).stdout == "Tagged 2 pictures: #cat, #funny.\n"
    assert run("tag", "cat", a).stdout == "It has #cat already.\n"
    assert run("tags").stdout == "       2  #cat\n       2  #funny\n"
    assert run("tags", a).stdout == f"{a}  #cat  #funny\n"
    assert run("untag", "funny", a).stdout == "Took from 1 picture: #funny.\n"
    result = run("untag", "funny", a)
    assert (result.exit_code, result.stdout) == (1, "It does not have #funny.\n")
    assert json.loads(run("tags", a, "--json").stdout) == {
        "event": "picture",
        "path": str(a),
        "tags": ["cat"],
    }
    assert json.loads(run("tags", "--json").stdout.splitlines()[0]) == {
        "event": "tag",
        "tag": "cat",
        "pictures": 2,
    }
    assert json.loads(run("tag", "cat", a, "--json").stdout) == {"event": "summary", "tags": ["cat"], "changed": 0}
    assert run("tag", "a\x1b", a).exit_code == 2


@pytest.mark.usefixtures("_own_catalogue")
def test_a_scan_tags_by_the_rules_of_the_settings(folder: Path, tmp_path: Path) -> None:
    fill(folder, [1, 2])
    (tmp_path / "settings.toml").write_text(f"tags = [{json.dumps(f'new=under:{folder}')}]", encoding="utf-8")
    result = run("scan", folder, "-v", "--config", tmp_path / "settings.toml")
    assert "Rules gave 2 new tags." in result.stderr
    assert run("tags").stdout == "       2  #new\n"


@pytest.mark.usefixtures("_own_catalogue")
def test_watch_takes_the_rules_of_the_settings(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[WatchOptions] = []

    def run_watch(session: object, options: WatchOptions, **given: object) -> bool:
        taken.append(options)
        return False

    monkeypatch.setattr("hashindex.commands.watch._run_watch", run_watch)
    (tmp_path / "settings.toml").write_text(f"tags = [{json.dumps(f'new=under:{folder}')}]", encoding="utf-8")
    assert run("watch", folder, "--config", tmp_path / "settings.toml").exit_code == 0
    assert taken[0].tags == (tag_rule(f"new=under:{folder}"),)
