"""Explain and calibrate on pictures drawn here: verdicts, reasons, block maps, tables and pictures of them."""

import json
from pathlib import Path

import pytest
from pictures import captioned, draw, save
from PIL import Image
from typer.testing import CliRunner

from hashindex import HashIndex, Relation, UnreadablePicture, UsageError
from hashindex.commands.cli import app

SCENE = draw(1, (240, 180))


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout


def test_a_copy_a_variant_and_a_stranger_are_explained_without_a_catalogue(index: HashIndex, folder: Path) -> None:
    plain = save(captioned(SCENE, "HELLO"), folder / "a.png")
    copy = save(captioned(SCENE, "HELLO").resize((200, 183)), folder / "b.jpg", quality=70)
    variant = save(captioned(SCENE, "good night"), folder / "c.png")
    stranger = save(draw(2, (240, 180)), folder / "d.png")
    assert [index.explain(plain, other).relation for other in (copy, variant, stranger)] == [
        Relation.COPY,
        Relation.VARIANT,
        Relation.DIFFERENT,
    ]
    assert not index.path.exists()


def test_the_block_map_shows_where_the_words_differ(index: HashIndex, folder: Path) -> None:
    found = index.explain(
        save(captioned(SCENE, "HELLO"), folder / "a.png"), save(captioned(SCENE, "good night"), folder / "b.png")
    )
    assert found.blocks is not None
    rows = found.blocks.both_show
    marked = [number / len(rows) for number, row in enumerate(rows) for block in row if block]
    # The words stand below; what a window on an edge of the drawing says besides is little.
    assert sum(place > 0.7 for place in marked) > 0.9 * len(marked) > 0
    assert "bottom" in found.reason


def test_two_encodings_of_the_same_pixels_and_the_same_bytes_are_identical(index: HashIndex, folder: Path) -> None:
    png, bmp = save(draw(1), folder / "a.png"), save(draw(1), folder / "a.bmp")
    assert index.explain(png, bmp).relation == index.explain(png, png).relation == Relation.IDENTICAL
    assert (index.explain(png, png).same_bytes, index.explain(png, bmp).same_bytes) == (True, False)


def test_a_turned_picture_is_found_where_it_is_asked_for(index: HashIndex, folder: Path) -> None:
    picture = draw(4, (200, 150))
    plain = save(picture, folder / "a.png")
    mirrored = save(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "b.png")
    assert index.explain(plain, mirrored).relation is Relation.DIFFERENT
    found = index.explain(plain, mirrored, mirrored=True)
    assert (found.relation, found.turn) == (Relation.COPY, "mirrored")


def test_an_animation_played_backwards_is_a_variant_and_the_reason_says_why(index: HashIndex, folder: Path) -> None:
    frames = [draw(seed, (120, 90)) for seed in range(6)]
    forth = save(frames[0], folder / "forth.gif", save_all=True, append_images=frames[1:], duration=90)
    frames.reverse()
    back = save(frames[0], folder / "back.gif", save_all=True, append_images=frames[1:], duration=90)
    found = index.explain(forth, back)
    assert (found.relation, found.reason) == (
        Relation.VARIANT,
        "Their frames match, but in another order: reversed or shuffled.",
    )
    assert found.frames is not None and found.frames.disorder > 0.1
    assert (
        "\nFrames   100% of one match frames of the other, and 100% the other way round, in another order\n"
        in run("explain", forth, back)[1]
    )


def test_a_persons_word_is_said_beside_the_verdict(index: HashIndex, folder: Path) -> None:
    one, other = save(draw(1), folder / "a.png"), save(draw(2), folder / "b.png")
    index.scan([folder])
    index.same(one, other)
    found = index.explain(one, other)
    assert (found.relation, found.judged, found.decision) == (Relation.COPY, Relation.DIFFERENT, True)


def test_what_is_no_picture_is_refused(index: HashIndex, folder: Path) -> None:
    text = folder / "a.txt"
    text.write_text("words")
    with pytest.raises(UnreadablePicture, match=r"a\.txt"):
        index.explain(text, save(draw(1), folder / "b.png"))


def test_the_command_prints_text_or_json_and_draws_a_picture(folder: Path, tmp_path: Path) -> None:
    one, other = (
        save(captioned(SCENE, "HELLO"), folder / "a.png"),
        save(captioned(SCENE, "good night"), folder / "b.png"),
    )
    catalogue = tmp_path / "none.db"
    code, text = run("--catalogue", catalogue, "explain", one, other, "--picture", tmp_path / "map.png")
    assert (code, text.split(":")[0]) == (0, "variant")
    with Image.open(tmp_path / "map.png") as drawn:
        assert min(drawn.size) > 100
    code, text = run("--catalogue", catalogue, "explain", one, other, "--json")
    assert (json.loads(text)["relation"], json.loads(text)["blocks"]) == ("variant", None)
    code, text = run("--catalogue", catalogue, "explain", one, other, "--json", "--blocks")
    assert [len(row) for row in json.loads(text)["blocks"]["difference"]] == [48] * 48


def test_explain_takes_at_most_eight_lines_and_verbose_and_blocks_add(folder: Path, index: HashIndex) -> None:
    frames = [draw(seed, (120, 90)) for seed in range(6)]
    moving = [
        save(frames[0], folder / f"{ms}.gif", save_all=True, append_images=frames[1:], duration=ms) for ms in (90, 120)
    ]
    still, other = save(draw(1), folder / "a.png"), save(draw(2), folder / "b.png")
    index.scan([folder])
    index.same(still, other)
    index.separate(*moving)
    catalogue = ("--catalogue", index.path)
    for pair in (moving, [still, other], [still, still]):
        text = run(*catalogue, "explain", *pair)[1]
        assert len(text.splitlines()) <= 8, text
        assert "Features:" not in text and "@ both show" not in text
    text = run(*catalogue, "explain", *moving, "--blocks")[1]
    assert "@ both show" in text and "Features:" not in text
    text = run(*catalogue, "explain", *moving, "-v")[1]
    assert "@ both show" in text and "Features:" in text and "Keys " in text


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_the_exit_code_of_explain_tells_whether_two_pictures_are_the_same(quiet: tuple[str, ...], folder: Path) -> None:
    scene, copy, caption, stranger = (
        save(SCENE, folder / "a.png"),
        save(SCENE, folder / "b.jpg", quality=70),
        save(captioned(SCENE, "HELLO"), folder / "c.png"),
        save(draw(2), folder / "d.png"),
    )
    ends = [run(*quiet, "explain", "--exit-code", scene, other) for other in (scene, copy, caption, stranger)]
    assert [code for code, _ in ends] == [0, 0, 1, 1]
    assert [bool(text) for _, text in ends] == [not quiet] * 4
    assert run("explain", scene, stranger)[0] == 0


# Calibrate


@pytest.fixture
def labels(folder: Path) -> Path:
    save(captioned(SCENE, "HELLO"), folder / "a.png")
    save(captioned(SCENE, "HELLO"), folder / "b.jpg", quality=60)
    save(captioned(SCENE, "good night"), folder / "c.png")
    save(draw(2, (240, 180)), folder / "d.png")
    rows = ["path_a\tpath_b\tlabel", "a.png\tb.jpg\tsame", "a.png\tc.png\tvariant", "a.png\td.png\tdifferent"]
    path = folder / "labels.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_levels_and_radii_are_scored_on_labelled_pairs(index: HashIndex, labels: Path) -> None:
    questions = {question.name: question for question in index.calibrate(labels).targets}
    levels = {name: (found.level.right, found.level.wrong, found.level.wanted) for name, found in questions.items()}
    assert levels == {"copies": (1, 0, 1), "similar": (2, 0, 2)}
    for scores in questions["copies"].hashes:
        taken = [score.right + score.wrong for score in scores]
        assert taken == sorted(taken)
        assert scores[-1].recall == 1.0


def test_a_persons_words_are_labels_too(index: HashIndex, labels: Path) -> None:
    index.scan([labels.parent])
    with pytest.raises(UsageError):
        index.calibrate()
    index.separate(labels.parent / "a.png", labels.parent / "c.png")
    index.same(labels.parent / "a.png", labels.parent / "b.jpg")
    (copies, *_) = index.calibrate().targets
    assert (copies.wanted, copies.unwanted, copies.level.right, copies.level.wrong) == (1, 1, 1, 0)


def test_the_command_prints_a_table_and_draws_the_curves(labels: Path, tmp_path: Path) -> None:
    catalogue = tmp_path / "none.db"
    code, text = run("--catalogue", catalogue, "calibrate", labels, "--plot", tmp_path / "curves.png")
    assert code == 0
    assert "level copies" in text
    with Image.open(tmp_path / "curves.png") as drawn:
        assert min(drawn.size) > 100


def test_a_list_of_edits_whose_last_line_is_cut_off_is_refused(index: HashIndex, folder: Path) -> None:
    path = folder / "edits.tsv"
    path.write_bytes(b"p\x9b_a\tfile\toriginal_id\tedit\texpect\n\ta.png\t1\torig\t\nb.png\t1\tcrop\tmust\nc.")
    with pytest.raises(UsageError, match=r"edits\.tsv, line 3: there must be edit, expect, file, original_id"):
        index.calibrate(path)


def test_a_file_that_is_no_list_of_pairs_is_refused(index: HashIndex, folder: Path) -> None:
    path = folder / "labels.tsv"
    path.write_text("one\ttwo\n1\t2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"labels\.tsv"):
        index.calibrate(path)
