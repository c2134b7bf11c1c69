"""The activations against torch, against a conic solver, and at their extremes."""

import clarabel
import numpy as np
import pytest
import torch
from scipy import sparse

from companion.reference import activations

POINTS = [np.random.default_rng(seed).standard_normal(7) * 3 for seed in range(4)]
WITH_TORCH = {
    activations.relu: torch.relu,
    activations.sigmoid: torch.sigmoid,
    activations.softmax: lambda t: torch.softmax(t, -1),
}
JACOBIANS = {
    activations.relu: activations.relu_jacobian,
    activations.sigmoid: activations.sigmoid_jacobian,
    activations.softmax: activations.softmax_jacobian,
}


def nearest_by_clarabel(x: np.ndarray) -> np.ndarray:
    n = len(x)
    rows = sparse.csc_matrix(np.vstack([np.ones((1, n)), -np.eye(n)]))
    bounds = np.concatenate([[1.0], np.zeros(n)])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(n)]
    P = sparse.eye(n, format="csc")
    solver = clarabel.DefaultSolver(P, -x, rows, bounds, cones, settings)
    return np.array(solver.solve().x)


@pytest.mark.parametrize("ours", WITH_TORCH, ids=lambda f: f.__name__)
@pytest.mark.parametrize("x", POINTS, ids=range(4))
def test_agrees_with_torch_in_value_and_jacobian(ours, x):
    theirs, t = WITH_TORCH[ours], torch.tensor(x)
    np.testing.assert_allclose(ours(x), theirs(t).numpy(), rtol=1e-13, atol=1e-15)
    jacobian = torch.autograd.functional.jacobian(theirs, t).numpy()
    np.testing.assert_allclose(JACOBIANS[ours](x), jacobian, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("x", POINTS, ids=range(4))
def test_sparsemax_is_what_a_solver_finds(x):
    np.testing.assert_allclose(
        activations.sparsemax(x), nearest_by_clarabel(x), atol=1e-8
    )


def test_sparsemax_jacobian_is_a_projector_of_the_support():
    J = activations.sparsemax_jacobian(np.array([0.5, 0.3, 0.1, -4.0]))
    np.testing.assert_allclose(J @ J, J, atol=1e-15)
    np.testing.assert_allclose(J.sum(0), 0, atol=1e-15)
    assert np.trace(J) == pytest.approx(2)


def test_large_inputs_do_not_overflow():
    x = np.array([-1e4, 0, 1e4])
    for f in (activations.sigmoid, activations.softmax, activations.sparsemax):
        assert np.isfinite(f(x)).all()


def test_softmax_tends_to_the_largest_entry_and_to_the_uniform_vector():
    x = np.array([1.0, 2, 0])
    np.testing.assert_allclose(activations.softmax(x, 1e-3), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(
        activations.softmax(x, 1e6), np.full(3, 1 / 3), rtol=1e-5
    )
