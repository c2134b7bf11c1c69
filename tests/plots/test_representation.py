"""The figures of the chapter on representation show their data."""

import numpy as np
import pytest

from companion import plots
from companion.plots import representation as figures

LINE = np.linspace(-1, 1, 5)
GRID = np.stack(np.meshgrid(LINE, LINE), -1)
WALLS = np.vstack([np.eye(2), -np.eye(2)]), np.ones(4)


@pytest.mark.parametrize(
    "figure",
    [
        figures.creases(GRID, GRID[..., 0], (np.eye(2), np.zeros(2))),
        figures.zoom(np.array([0.1, 1]), {"net": np.array([1, 0.1])}, 1 / 6),
        figures.hinges(LINE, LINE, np.stack([LINE, LINE]).T, np.array([0.0, 0.5])),
        figures.family(LINE, {"a": LINE, "b": -LINE}),
        figures.rounded({"4 walls": WALLS}, [3, 4], [0.1, 0.05]),
        figures.roughness(LINE, {"a": LINE}, -LINE),
        figures.ridge_path(LINE, np.stack([LINE, LINE]).T, 1.0),
        figures.horizon({"x": LINE}, {"d": LINE}),
    ],
    ids=["creases", "zoom", "hinges", "family", "rounded", "roughness", "ridge", "lqr"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_every_hinge_is_a_curve_that_bears_its_name():
    below = figures.hinges(LINE, LINE, np.stack([LINE, 2 * LINE]).T, np.zeros(1)).axes[
        1
    ]
    assert [t.get_text().strip() for t in below.texts] == ["t₁", "t₂"]
    assert list(below.lines[-1].get_ydata()) == list(2 * LINE)


def test_a_crease_runs_where_its_unit_is_zero():
    lines = np.array([[3.0, 4.0]]), np.array([2.0])
    right = figures.creases(GRID, GRID[..., 0], lines).axes[1]
    ends = right.lines[-1].get_xydata()
    assert np.allclose(ends @ lines[0][0], 2.0)
