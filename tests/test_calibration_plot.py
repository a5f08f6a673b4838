"""The calibration plot shows the part in which the best scores lie."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hashindex.core.explanation import Calibration, CalibrationTarget, Score
from hashindex.output import calibration_plot, drawing
from hashindex.output.calibration_plot import EDGE, LEAST, MOST_TICKS, PLOT, _plot, _ticks, view_of


def target(*pairs: tuple[int, int], wanted: int = 100) -> CalibrationTarget:
    """The first pair (right, wrong) is that of the level, each other one is the only score of a hash."""
    level, *hashes = [Score("rule", 5, right, wrong, wanted) for right, wrong in pairs]
    return CalibrationTarget("copies", wanted, 50, level, tuple((score,) for score in hashes))


@pytest.mark.parametrize(
    ("found", "start"),
    [
        (target((100, 0), (98, 1)), (0.95, 0.95)),
        (target((96, 0), (80, 20)), (0.7, 0.7)),
        (target((90, 1), (20, 80)), (0.0, 0.0)),
        (target((0, 0), (0, 0)), (0.0, 0.0)),
    ],
)
def test_the_axes_begin_below_the_worst_of_the_best_scores(
    found: CalibrationTarget, start: tuple[float, float]
) -> None:
    assert view_of(found) == pytest.approx(start)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=7))
def test_every_best_score_is_shown_and_ticks_are_few(pairs: list[tuple[int, int]]) -> None:
    found = target(*pairs)
    view = view_of(found)
    for score in (*found.best, found.level):
        point = view.point(score)
        if point is not None and view.recall <= score.recall:
            assert all(EDGE - 0.01 <= part <= EDGE + PLOT + 0.01 for part in point)
    for start in view:
        ticks = _ticks(start)
        assert 1 - start >= LEAST - 1e-9 and 2 < len(ticks) <= MOST_TICKS + 1
        assert (ticks[0], ticks[-1]) == pytest.approx((start, 1.0))


@pytest.mark.parametrize("pairs", [((100, 0), (98, 1)), ((0, 0), (0, 0)), ((5, 90), (50, 50), (99, 3))])
def test_no_text_lies_on_another(pairs: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    boxes: list[tuple[float, float, float, float]] = []
    works = drawing.write

    def write(pen: object, at: tuple[float, float], text: str, size: int, colour: str) -> None:
        works(pen, at, text, size, colour)  # type: ignore[arg-type]
        boxes.append((*at, at[0] + drawing.font_of(size).getlength(text), at[1] + size))

    monkeypatch.setattr(calibration_plot, "write", write)
    _plot(Image.new("RGB", (700, 700)), (80, 80), target(*pairs))
    # The name of the upright axis is drawn apart and pasted.
    boxes = [box for box in boxes if box[0] > 10]
    assert len(boxes) > 10
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            assert apart, (one, other)


def test_a_plot_has_a_picture_for_each_level(tmp_path: Path) -> None:
    found = Calibration({"same": 3}, 0, (target((3, 0), (2, 1), wanted=3), target((3, 1), (3, 2), wanted=3)), ())
    file = tmp_path / "plot.png"
    calibration_plot.write_plot(found, file)
    with Image.open(file) as picture:
        assert picture.width > 2 * PLOT
