"""The figures of duality.md draw what they are given."""

from __future__ import annotations

import numpy as np

from companion.plots import duality as figures

T = np.linspace(-1, 1, 5)


def test_every_lagrangian_has_its_minimum_marked_in_both_panels() -> None:
    x, prices = np.linspace(0, 2, 201), np.linspace(0, 2, 11)
    curves = {p: x**2 / 2 + p * (1 - x) for p in (0.5, 1.0)}
    figure = figures.bounds(x, x**2 / 2, curves, (prices, prices - prices**2 / 2), 1.0)
    left, right = figure.axes
    marks = [line for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([m.get_xdata()[0] for m in marks], [0.5, 1])
    np.testing.assert_allclose([m.get_ydata()[0] for m in marks], [0.375, 0.5])
    assert sum(line.get_marker() == "o" for line in right.lines) == 2


def test_a_line_of_a_price_meets_the_axis_at_its_dual_value() -> None:
    panel = figures.Panel("a", T, T**2, (-1.0, 1.0), [(-0.5, -0.06)], (-0.06, 0.0))
    (axes,) = figures.value_functions([panel]).axes
    (mark,) = (line for line in axes.lines if line.get_marker() == "o")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0, -0.06)
    assert "gap" in [text.get_text() for text in axes.texts]


def test_weighted_normals_close_a_loop() -> None:
    rows = np.array([[-1.0, 0], [0, -1], [1, 1]])
    walls = [
        figures.Wall(f"row {i}", row, side, 1.0, (1.0, 1.0), (0.0, 0.0))
        for i, (row, side) in enumerate(zip(rows, (-6.0, -6.0, 11.0), strict=True))
    ]
    _, right = figures.contradiction(walls).axes
    ends = [np.array(a.xy) for a in right.texts if hasattr(a, "arrow_patch")]
    np.testing.assert_allclose(ends[-1], [0, 0])


def test_slider_shows_one_line_at_a_time_and_needs_no_network() -> None:
    prices = np.array([0.0, 1, 2])
    figure = figures.price_slider(T, T**2, prices, -(prices**2) / 4)
    shown = [step["args"][0]["visible"] for step in figure.layout.sliders[0].steps]
    assert list(shown[1]) == [True, False, True, False]
    assert [trace.y[1] for trace in figure.data[1:]] == [0, -0.25, -1]


def test_regions_and_saddle_are_drawn() -> None:
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    region = figures.Region(
        corners, corners, corners[1], corners, ("a", "b"), {"c": (0.0, 0.0)}
    )
    assert len(figures.regions(region, region, (1.0, 1.0)).axes) == 2
    grid = np.add.outer(T, T)
    axes = figures.saddle(T, T, grid, np.stack([T, T]), np.zeros(2)).axes[0]
    assert "saddle point" in [text.get_text() for text in axes.texts]
