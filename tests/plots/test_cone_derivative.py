"""The figures of the chapter on the derivative of a cone program show their data."""

import numpy as np
import pytest

from companion import plots
from companion.plots import cone_derivative as figures

STEPS = np.arange(1, 6)
FALLING = 10.0**-STEPS


@pytest.mark.parametrize(
    "figure",
    [
        figures.accuracy(FALLING, {"a": FALLING, "b": 0 * FALLING + 1}, 1 / FALLING),
        figures.spectrum({"a": FALLING, "b": np.zeros(3)}),
        figures.least(FALLING, FALLING, FALLING, FALLING**2),
        figures.edge(FALLING, 1 / FALLING, 1 / FALLING),
        figures.iterations(STEPS, FALLING, 3, 1e-14),
        figures.refinement({"a": FALLING, "b": np.zeros(2)}),
        figures.temperatures(FALLING, {"a": FALLING, "b": FALLING**2}),
    ],
    ids=["accuracy", "spectrum", "least", "edge", "iterations", "refinement", "tau"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_a_singular_value_of_zero_is_drawn_at_the_floor():
    axes = figures.spectrum({"M": np.array([1.0, 0.0])}).axes[0]
    assert list(axes.lines[0].get_ydata()) == [1.0, figures.FLOOR]


def test_the_stop_is_marked_on_the_curve():
    axes = figures.iterations(STEPS, FALLING, 3, 1e-14).axes[0]
    ((x,), (y,)) = axes.lines[2].get_data()
    assert (x, y) == (3, FALLING[2])


def test_the_solution_gets_more_accurate_to_the_right():
    left, right = figures.accuracy(FALLING, {"a": FALLING}, FALLING).axes
    for axes in (left, right):
        assert np.diff(axes.get_xlim()) < 0
