"""The figures of the chapter on interior points show their data."""

import numpy as np
import pytest

from companion import plots
from companion.plots import interior_point as figures
from companion.problems import QP

LINE = np.geomspace(1, 1e-4, 5)
TURN = np.stack([np.linspace(-1, 1, 5), np.linspace(1, 0, 5)], 1)
BOX = QP(np.eye(2), np.zeros(2), G=np.vstack([np.eye(2), -np.eye(2)]), h=np.ones(4))
INSIDE = np.array([[0, 1, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    "figure",
    [
        figures.path(BOX, TURN, TURN, 1),
        figures.decrease({"a": LINE, "b": 2 * LINE}, 3),
        figures.products({"a": np.outer(LINE, [1, 2]), "b": np.outer(LINE, [1, 3])}),
        figures.systems({"K": (np.eye(4), [2, 2]), "S": (2 * np.eye(2), [2])}),
        figures.accuracy({"a": (LINE, LINE)}),
        figures.rows_inside(INSIDE, [0], LINE[:3]),
        figures.cost(np.array([10, 20]), {"a": LINE[:2]}, {"a": LINE[:2]}),
    ],
    ids=["path", "decrease", "products", "systems", "accuracy", "rows", "cost"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_kept_iterate_is_the_one_that_is_named():
    axes = figures.path(BOX, TURN, TURN, 1).axes[0]
    (kept,) = [line for line in axes.lines if line.get_marker() == "s"]
    assert np.array_equal(kept.get_xydata(), TURN[1:2])


def test_a_row_is_marked_while_it_is_inside():
    above = figures.rows_inside(INSIDE, [0], LINE[:3]).axes[0]
    marked = {v.get_marker(): np.asarray(v.get_xdata()).tolist() for v in above.lines}
    assert marked == {"s": [1, 2], "o": [1]}


def test_mean_of_the_products_is_drawn():
    axes = figures.products({"a": np.outer(LINE, [1, 3])}).axes[0]
    assert np.allclose(axes.lines[-1].get_xydata()[:, 1], 2 * LINE)
