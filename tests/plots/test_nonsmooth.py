"""The figures of the chapter on kinks show their data and need no network."""

import numpy as np
import pytest

from companion import plots
from companion.plots import nonsmooth as figures

Q = np.linspace(-1, 1, 5)
ANGLES = np.linspace(0, 2 * np.pi, 9)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
SQUARE = np.array([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])


def slider():
    mus = np.array([1e-2, 1e-1, 1.0])
    rows = np.arange(20.0).reshape(4, 5)
    return figures.smoothing_slider(Q, mus, rows, -rows)


@pytest.mark.parametrize(
    "figure",
    [
        figures.kink(Q, np.maximum(0, -Q), {"a": [-1, 0], "this book": [-1]}),
        figures.fan(ANGLES, np.maximum(CIRCLE, 0), CIRCLE),
        figures.losses({"a": Q, "b": Q}),
        figures.vertex_map(SQUARE, ANGLES, {"γ = 0": CIRCLE, "γ = 1": CIRCLE}),
        figures.smoothers(Q, {"step": Q, "ramp": Q}),
    ],
    ids=["kink", "fan", "losses", "vertex_map", "smoothers"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_layers_stand_at_the_slopes_that_they_returned():
    right = figures.kink(Q, np.maximum(0, -Q), {"a": [-1, 0], "b": [-0.5]}).axes[1]
    points = [line.get_xdata() for line in right.lines[2:]]
    assert [list(p) for p in points] == [[-1, 0], [-0.5]]


def test_slider_shows_one_mu_and_the_kink():
    figure = slider()
    for mu, step in enumerate(figure.layout.sliders[0].steps):
        visible = step.args[0]["visible"]
        assert list(np.flatnonzero(visible)) == [0, 1, 2 + 2 * mu, 3 + 2 * mu]
    assert list(figure.data[0].y) == [15, 16, 17, 18, 19]


def test_slider_needs_no_network():
    markup = plots.html(slider(), "smoothing").markup
    assert 'id="smoothing"' in markup
    assert "<script src=" not in markup
