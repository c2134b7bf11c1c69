"""Figures of the KKT chapter draw what they are given."""

import numpy as np

from companion.plots import kkt as figures
from companion.problems import QP
from companion.reference.kkt import complementarity

WINDOW = (-1.0, 2.0, -1.0, 2.0)


def corner():
    return QP(np.eye(2), -np.ones(2), G=np.eye(2), h=np.array([0.5, 0.5]))


def test_every_force_is_an_arrow_and_a_zero_force_is_none():
    at, zero = np.full(2, 0.5), np.zeros(2)
    pushes = (np.array([-0.5, 0]), np.array([0, -0.5]))
    forces = figures.Forces(at, np.full(2, 0.5), pushes, zero)
    figure = figures.balance(corner(), {"held": forces}, WINDOW)
    texts = [t.get_text() for t in figure.axes[0].texts if t.get_text()]
    assert texts == ["−∇f", "−λ₁G₁ᵀ", "−λ₂G₂ᵀ"]


def test_path_ends_where_it_is_told():
    path = np.linspace([0, 0], [0.5, 0.5], 5)
    figure = figures.central_path(corner(), [path], {"x": path[-1]}, WINDOW)
    (line, mark) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), path)
    np.testing.assert_array_equal(mark.get_xydata(), path[-1:])


def test_each_function_has_its_panel():
    functions = {"product": complementarity.product, "min": complementarity.minimum}
    figure = figures.zero_sets(functions, (0.5,))
    assert [axes.get_title() for axes in figure.axes] == list(functions)


def test_each_run_is_a_series():
    runs = {"one": (np.array([1e-3, 1e-6]), np.array([1e-2, 1e-5]))}
    figure = figures.residual_and_error(runs, ("residual", "error"))
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1e-2, 1e-5])
