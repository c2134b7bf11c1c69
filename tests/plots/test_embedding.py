"""The figures of the chapter on the embedding show their data and need no network."""

import numpy as np
import pytest

from companion import plots
from companion.plots import embedding as figures

NORMAL = np.array([0.8, 0.6])
STEPS = np.arange(1, 5)
FALLING = 10.0**-STEPS
SOLVED = np.array([True, True, False, False])


@pytest.mark.parametrize(
    "figure",
    [
        figures.separation(NORMAL, 1.5, (1.2, 1.5)),
        figures.outcomes(dict.fromkeys("abcd", (FALLING, STEPS))),
        figures.corner(np.linspace(-2, 2, 5), np.array([-1.0, 0, 1])),
        figures.residuals({"a": FALLING, "b": 2 * FALLING}),
        figures.reach(STEPS, 1 / FALLING, 1.0),
        figures.threshold(FALLING, STEPS, STEPS, SOLVED),
    ],
    ids=["separation", "outcomes", "corner", "residuals", "reach", "threshold"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_wall_touches_the_point_nearest_to_the_origin():
    axes = figures.separation(NORMAL, 1.5, (1.2, 1.5)).axes[0]
    ends = np.array(axes.lines[1].get_data()).T
    assert np.allclose(ends @ NORMAL, 1.5)


def test_corner_marks_are_pairs_with_product_zero():
    left = figures.corner(np.linspace(-2, 2, 5), np.array([-1.0, 0.5])).axes[0]
    for line in left.lines[:2]:
        (u,), (v,) = line.get_data()
        assert u * v == 0
        assert u >= 0
        assert v >= 0


def test_slider_shows_one_step_and_its_residual():
    path = np.arange(8.0).reshape(4, 2)
    figure = figures.iterates(NORMAL, 0.5, path, FALLING)
    for k, step in enumerate(figure.layout.sliders[0].steps):
        visible = np.flatnonzero(step.args[0]["visible"])
        assert list(visible) == [0, 1, 2, 3 + 2 * k, 4 + 2 * k]
        assert list(figure.data[3 + 2 * k].x) == list(path[: k + 1, 0])
        assert figure.data[4 + 2 * k].y == (FALLING[k],)


def test_slider_needs_no_network_and_does_not_start_by_itself():
    figure = figures.iterates(NORMAL, 0.5, np.zeros((3, 2)), FALLING[:3])
    markup = plots.html(figure, "iterates").markup
    assert "<script src=" not in markup
    assert not figure.layout.updatemenus
