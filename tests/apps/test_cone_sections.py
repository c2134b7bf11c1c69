"""The sections say of each point what the reference says of it."""

import numpy as np
import pytest

from companion.apps import cone_sections as app
from companion.problems import Cones
from companion.reference import cones

LINE = np.linspace(-2, 2.1, 8)
UP = LINE + 0.07  # off every diagonal, where a boundary would be


@pytest.mark.parametrize("name", app.PLANES)
def test_section_agrees_with_the_reference(name):
    plane = app.PLANES[name]
    codes, kept = app.pieces(plane, LINE, UP), app.traces(plane, LINE, UP)
    for i, b in enumerate(UP):
        for j, a in enumerate(LINE):
            v = plane.origin + a * plane.right + b * plane.up
            D = cones.derivative(v, plane.K)
            assert np.trace(D) == pytest.approx(kept[i, j], abs=1e-12)
            p = cones.project(v, plane.K)
            assert (codes[i, j] == app.POLAR) == (np.abs(p).max() < 1e-12)
            assert (codes[i, j] == app.INSIDE) == (np.abs(p - v).max() < 1e-12)


def test_arrows_end_at_the_projections():
    start, end = app.moves(app.PLANES["orthant"], LINE, -LINE)
    assert np.array_equal(end, np.maximum(start, 0))


def test_on_the_way_into_a_second_order_cone_a_direction_returns_at_each_boundary():
    start, end = np.array([-2.0, 1, 0, 0]), np.array([2.0, 1, 0, 0])
    s, kept = app.along(start, end, Cones(soc=(4,)), 401)
    assert kept[0] == 0
    assert kept[-1] == 4
    jumps = np.diff(kept)
    assert jumps[s[:-1] < 0.3].max() == pytest.approx(1, abs=0.03)
    assert jumps[s[:-1] > 0.7].max() == pytest.approx(1, abs=0.03)
