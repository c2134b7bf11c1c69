"""Figures of argmin-differentiation.md draw the data that they are given."""

import numpy as np

from companion.plots import argmin as figures


def test_wrong_sign_shades_the_steps_of_the_other_sign():
    steps = np.arange(1, 9)
    slopes = np.array([1.0, 2, 2, 1, -1, -2, -3, -3])
    (axes,) = figures.wrong_sign(steps, slopes, -3.0, 2).axes
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (1, 4)


def test_tangent_of_the_valley_has_the_slope_given():
    theta, x = np.linspace(-2, 2, 9), np.linspace(-1, 1, 7)
    gap = np.square(x[:, None] - np.sin(theta))
    (axes,) = figures.valley(theta, x, gap, np.sin(theta), (0.5, 0.2, 0.7)).axes
    across, up = axes.lines[1].get_data()
    assert np.isclose(np.diff(up) / np.diff(across), 0.7).all()


def test_bars_are_sorted_and_red_where_spoiled():
    gradient, spoiled = np.array([0.3, -0.1, 0.2]), np.array([True, False, False])
    (axes,) = figures.influence(gradient, spoiled).axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [-0.1, 0.2, 0.3]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[2] != colours[0] == colours[1]


def test_projected_arrow_is_joined_to_the_free_one():
    line = np.linspace(-1, 1, 5)
    arrows = {"right": np.array([0.1, -0.1]), "projected": np.array([0.3, -0.3]),
              "free": np.array([0.5, -0.1])}  # fmt: skip
    path = np.array([[0.4, 0.6], [0.5, 0.5], [0.6, 0.4]])
    levels = np.square(line) + np.square(line)[:, None]
    (axes,) = figures.constrained(line, levels, ([1.0, 1.0], 1.0), path, arrows).axes
    np.testing.assert_allclose(axes.lines[2].get_xydata(), [[0.8, 0.2], [1.0, 0.4]])


def test_guide_of_the_accuracy_has_slope_one():
    distance = 0.5 ** np.arange(6)
    errors = {"unrolled": 3 * distance, "implicit": distance}
    _, right = figures.accuracy(errors, distance).axes
    guide = np.log(right.lines[-1].get_xydata())
    np.testing.assert_allclose(np.diff(guide[:, 1]), np.diff(guide[:, 0]))


def test_remaining_figures_draw_one_line_a_curve():
    theta = np.linspace(-1, 1, 11)
    two = figures.two_failures(theta, ("a", "b"), ([theta], [theta, -theta]))
    assert [len(axes.lines) for axes in two.axes] == [2, 3]
    (roof,) = figures.envelope(theta, np.ones((4, 11)), theta, (0.0, 0.0, theta)).axes
    assert len(roof.lines) == 4 + 3
    curves = {"t = 1": theta, "limit": abs(theta)}
    ramp = figures.smoothed_ramp(theta, curves, curves)
    assert [len(axes.lines) for axes in ramp.axes] == [2, 3]
    marks = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, -1.0, 2.0, 3.0], [0.0, 0, 0, 0]])
    branches = {"a": theta, "maximum": -theta, "b": 2 * theta}
    left, right = figures.quartic(theta, theta**2, theta, branches, marks).axes
    assert len(left.lines) == 1 + 3
    assert len(right.lines) == 3 * 3
