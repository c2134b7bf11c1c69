"""The figures of the first chapter draw what they are given."""

import numpy as np

from companion import plots
from companion.plots import hard_constraints as figures
from companion.problems import QP
from companion.reference import penalty

PLANE = QP(np.eye(2), -np.ones(2), np.array([[1.0, 1.5]]), np.array([1.0]))
WEIGHTS = np.array([0.5, 5.0])
PATH = np.stack([penalty.squared(PLANE, rho) for rho in WEIGHTS])


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def test_spring_names_every_weight():
    figure = figures.spring(PLANE, np.array([0.3, 0.5]), WEIGHTS, PATH)
    assert {"ρ = 0.5", "ρ = 5", "Ax = b"} <= set(texts(figure))


def test_slider_has_one_step_a_weight_and_needs_no_network():
    figure = figures.spring_slider(PLANE, WEIGHTS, PATH)
    assert len(figure.layout.sliders[0].steps) == len(WEIGHTS)
    assert "<script src=" not in plots.html(figure, "slider").markup


def test_soft_and_hard_names_its_curves():
    three = {name: np.ones(2) for name in ("low", "mid", "high")}
    errors = {"penalty": np.ones(2), "projected": np.ones(2)}
    figure = figures.soft_and_hard(WEIGHTS, three, errors, (1e-14, 0.5))
    assert {"penalty", "projected", "layer", "band: low to high"} <= set(texts(figure))


def test_triangle_counts_the_positive_entries():
    points = np.array([[2.0, -1, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    images = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    figure = figures.triangle({"a": (points, images), "b": (points, images)})
    assert "1 of 3 entries positive" in texts(figure)


def test_remaining_figures_draw_each_curve():
    x = np.linspace(0, 1, 5)
    family = dict.fromkeys("abc", x)
    panels = {"left": (x, family), "right": (x, family)}
    drawn = [
        figures.kinks(x, {"left": family, "right": family}, 0.5),
        figures.argmins(panels),
        figures.stiffness(1 + x, {"up": 1 + x, "down": 2 - x}),
        figures.valleys(PLANE, WEIGHTS, [PATH, PATH]),
        figures.imbalances(family, 2.0),
    ]
    assert all(axes.lines or axes.patches for f in drawn for axes in f.axes)
