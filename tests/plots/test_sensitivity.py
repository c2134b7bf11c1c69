"""The figures on sensitivity draw what they are given."""

import numpy as np
import pytest

from companion.plots import sensitivity as figures
from companion.problems import QP

WALLS = np.linspace(0.0, 2.0, 21)


def plane(face):
    problem = QP(np.eye(2), -np.array([2.0, 0]), G=np.ones((2, 2)), h=np.ones(2))
    ends = np.array([[0.0, 2.0], [2.0, 0.0]])
    at = np.array([face, face], float)
    return figures.Plane("t", problem, ends.mean(0), ends.min(0), ends.max(0), at)


def test_a_multiplier_that_is_not_determined_is_a_bar():
    forces, ranges = figures.planes([plane([0.5, 0.5])]).axes[::2]
    bars = [line for line in ranges.lines if np.ptp(line.get_xdata()) > 0]
    assert len(bars) == 4  # a bar and its two ends, for either row
    assert forces.get_title() == "t"


def test_inactive_rows_have_hollow_dots():
    ranges = figures.planes([plane([0.0, 0.5])]).axes[2]
    assert {line.get_fillstyle() for line in ranges.lines[1:4:2]} == {"none"}


@pytest.mark.parametrize("kinks", [(), (1.0,), (0.5, 1.5)])
def test_every_kink_is_marked_in_every_panel(kinks):
    problem = QP(np.eye(2), -np.ones(2), G=np.eye(2), h=np.ones(2))
    ramp = np.stack([np.minimum(WALLS, 1), np.ones(21)], 1)
    found = {"x": ramp, "lam": ramp, "slope": (ramp < 1).astype(float)}
    axes = figures.wall_path(problem, WALLS, found, kinks).axes
    for panel in axes[1:]:
        dotted = [line for line in panel.lines if line.get_linestyle() == ":"]
        assert len(dotted) == len(kinks)


def test_a_jump_of_the_derivative_is_not_joined():
    problem = QP(np.eye(2), -np.ones(2), G=np.eye(2), h=np.ones(2))
    step = np.stack([WALLS < 1, WALLS < 3], 1).astype(float)
    figure = figures.wall_path(
        problem, WALLS, {"x": step, "lam": step, "slope": step}, ()
    )
    broken, whole = figure.axes[3].lines[:2]
    assert np.isnan(broken.get_ydata()).sum() == 1
    assert not np.isnan(whole.get_ydata()).any()
