"""Nearest points: against Clarabel and exact arithmetic, and by their angles."""

from __future__ import annotations

from fractions import Fraction

import clarabel
import numpy as np
import pytest
from scipy import sparse

from companion.reference import projections

SEEDS = range(8)


def nearest(v, A, b, cones):
    """Nearest point of {z : b - Az in the cones}, by Clarabel."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    n = len(v)
    data = sparse.csc_matrix(np.eye(n)), -v, sparse.csc_matrix(A), b
    found = clarabel.DefaultSolver(*data, cones, settings).solve()
    return np.array(found.x)


def draw(seed, n=5):
    rng = np.random.default_rng(seed)
    return rng, 2 * rng.standard_normal(n)


@pytest.mark.parametrize("seed", SEEDS)
def test_box_is_clarabels(seed):
    rng, v = draw(seed)
    low = rng.uniform(-2, 0, 5)
    high = low + rng.uniform(0.1, 2, 5)
    rows = np.vstack([np.eye(5), -np.eye(5)])
    want = nearest(v, rows, np.r_[high, -low], [clarabel.NonnegativeConeT(10)])
    np.testing.assert_allclose(projections.box(v, low, high), want, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_halfspace_is_clarabels(seed):
    rng, v = draw(seed)
    a = rng.standard_normal(5)
    for b in (a @ v - 1, a @ v + 1):  # outside, inside
        want = nearest(v, a[None], np.array([b]), [clarabel.NonnegativeConeT(1)])
        np.testing.assert_allclose(projections.halfspace(v, a, b), want, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_affine_is_clarabels_with_dependent_rows_too(seed):
    rng, v = draw(seed)
    A = rng.standard_normal((2, 5))
    b = rng.standard_normal(2)
    want = nearest(v, A, b, [clarabel.ZeroConeT(2)])
    twice = np.vstack([A, A[0] + A[1]]), np.r_[b, b[0] + b[1]]
    np.testing.assert_allclose(projections.affine(v, A, b), want, atol=1e-6)
    np.testing.assert_allclose(projections.affine(v, *twice), want, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_ball_is_clarabels(seed):
    rng, v = draw(seed)
    centre = rng.standard_normal(5)
    for radius in (0.5, 9.0):  # outside, inside
        rows = np.vstack([np.zeros(5), -np.eye(5)])
        right = np.r_[radius, -centre]
        want = nearest(v, rows, right, [clarabel.SecondOrderConeT(6)])
        found = projections.ball(v, centre, radius)
        np.testing.assert_allclose(found, want, atol=1e-6)


def test_ball_at_its_centre_stays():
    centre = np.array([1.0, 2.0])
    np.testing.assert_array_equal(projections.ball(centre, centre, 0.0), centre)


def test_rational_halfspace():
    found = projections.halfspace(np.array([3.0, 4.0]), np.array([3.0, 4.0]), 1.0)
    want = [float(Fraction(3) - Fraction(24 * 3, 25)), float(4 - Fraction(24 * 4, 25))]
    np.testing.assert_allclose(found, want, rtol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_projecting_twice_is_projecting_once(seed):
    rng, v = draw(seed)
    a, centre = rng.standard_normal((2, 5))
    for project in (
        lambda u: projections.box(u, -0.5, 0.5),
        lambda u: projections.halfspace(u, a, 0.3),
        lambda u: projections.ball(u, centre, 0.7),
    ):
        once = project(v)
        np.testing.assert_allclose(project(once), once, atol=1e-12)


def test_impossible_sets_are_refused():
    with pytest.raises(ValueError, match="other than zero"):
        projections.halfspace(np.ones(2), np.zeros(2), 1.0)
    with pytest.raises(ValueError, match="nonnegative"):
        projections.ball(np.ones(2), np.zeros(2), -1.0)
