"""Small programs that are functions; a Riccati recursion that is its own adjoint."""

import numpy as np
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.reference import qp, representation

CLOSE = 1e-8


def test_hinge_program_returns_the_sum_and_its_hinges():
    affine, weights, knots = (
        np.array([0.5, -1]),
        np.array([2.0, -3]),
        np.array([-1, 0.5]),
    )
    for x in (-2.0, 0.0, 1.0):
        sol = qp.solve(representation.hinge_program(x, affine, weights, knots))
        want = representation.hinge_sum(x, affine, weights, knots)
        assert abs(sol.x[0] - want) < CLOSE
        assert np.abs(sol.x[1:] - np.maximum(x - knots, 0)).max() < CLOSE
        assert np.abs(sol.lam - np.maximum(x - knots, 0)).max() < 1e-6


def test_largest_program_is_right_where_the_printed_one_is_not():
    forms = np.array([-3.0, -2, -1])
    w = qp.solve(representation.largest_program(forms)).x[0]
    assert abs(forms[0] + w + 1) < CLOSE
    assert abs(qp.solve(representation.printed_program(forms)).x[0]) < 1e-6


def control(seed):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((4, 3, 3))
    C = roots @ roots.swapaxes(1, 2) + np.eye(3)
    F, f = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2))
    return C, rng.standard_normal((4, 3)), F, f, rng.standard_normal(2)


def stacked(C, c, F, f, start):
    """The same problem as a QP with equalities only."""
    A, b = np.zeros((8, 12)), -np.concatenate([start, *f[:-1]])
    for t in range(4):
        A[2 * t : 2 * t + 2, 3 * t : 3 * t + 2] = -np.eye(2)
        if t:
            A[2 * t : 2 * t + 2, 3 * t - 3 : 3 * t] = F[t - 1]
    P = np.zeros((12, 12))
    for t in range(4):
        P[3 * t : 3 * t + 3, 3 * t : 3 * t + 3] = C[t]
    return QP(P, c.ravel(), A, b)


def test_riccati_recursion_solves_the_stacked_program():
    for seed in range(3):
        data = control(seed)
        tau, lam = representation.lqr(*data)
        sol = layers.solve(stacked(*data).map(torch.tensor))
        assert np.abs(tau.ravel() - sol.x.numpy()).max() < CLOSE
        assert np.abs(lam.ravel() - sol.nu.numpy()).max() < CLOSE


def test_box_adjoint_of_a_projection_passes_the_gradient_to_the_bound():
    problem = QP(np.eye(2), np.zeros(2))
    g = np.array([2.0, 3.0])
    dx, dnu, bounds = representation.box_adjoint(problem, np.array([True, False]), g)
    assert np.allclose(dx, [0, -3])
    assert dnu.size == 0
    assert np.allclose(bounds, [2, 0])
