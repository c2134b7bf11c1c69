"""The parts of the layer: the map of the rows, the eigenbasis, the factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from companion.layers import cone_program, cones
from companion.layers.cone_program import engine, linearised, sparse_factor
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.spectrum import Spectrum
from companion.problems import Cones
from tests.layers.cone_program.cases import EVERY, REGULAR, chain, sample


def scattered(seed: int, count: int = 20) -> np.ndarray:
    """Points in every piece of every projection."""
    return np.random.default_rng(seed).normal(size=(count, EVERY.rows))


def test_eigenbasis_is_orthogonal_and_gives_the_projection_and_its_derivative():
    v = scattered(0)
    spectrum = Spectrum(v, layout(EVERY))
    U = spectrum.restore(np.broadcast_to(np.eye(EVERY.rows), (20, *2 * (EVERY.rows,))))
    np.testing.assert_allclose(
        U.swapaxes(-1, -2) @ U, 0 * U + np.eye(EVERY.rows), atol=1e-13
    )
    np.testing.assert_allclose(
        spectrum.rotate(U), 0 * U + np.eye(EVERY.rows), atol=1e-13
    )
    D = (U * spectrum.lam[:, None]) @ U.swapaxes(-1, -2)
    t = torch.from_numpy(v)
    np.testing.assert_allclose(D, cones.derivative_dual(t, EVERY), atol=1e-12)
    np.testing.assert_allclose(spectrum.point, cones.project_dual(t, EVERY), atol=1e-12)


@pytest.mark.parametrize("noise", [1e-9, 1e-3, 1.0])
def test_guess_of_the_projection_changes_no_more_than_rounding(noise):
    v = scattered(1)
    plain = Spectrum(v, layout(EVERY))
    near = plain.point + noise * scattered(2)
    guessed = Spectrum(v, layout(EVERY), near)
    np.testing.assert_allclose(guessed.point, plain.point, atol=1e-13)
    w = scattered(3)
    np.testing.assert_allclose(guessed.times(w), plain.times(w), atol=1e-11)


def test_derivative_at_a_kink_is_that_of_the_projections():
    """On the boundaries of second-order, PSD and half-line blocks."""
    K = Cones(nonneg=1, soc=(3, 3, 3), psd=(2,))
    v = np.array([[0.0, 1, 1, 0, -1, 0, 1, 0, 0, 0, 0, 0, -1.0]])
    ours = Spectrum(v, layout(K)).times(np.ones_like(v))
    theirs = cones.jvp_dual(torch.from_numpy(v), torch.ones(1, K.rows).double(), K)
    np.testing.assert_allclose(ours, theirs, atol=1e-15)


def test_rows_go_to_the_engine_and_back():
    """Products sᵀy survive the map of the rows, and dual cones become primal ones."""
    rows = engine.rows_for(EVERY)
    s, y = scattered(4), scattered(5)
    moved = rows.there(s.copy())
    back_y, back_s = rows.back(y.copy(), moved.copy())
    np.testing.assert_allclose(back_s, s, atol=1e-14)
    np.testing.assert_allclose((back_y * s).sum(-1), (y * moved).sum(-1), atol=1e-12)
    primal = Cones(exp=1, power=(0.3,))
    dual = Cones(exp_dual=1, power=(-0.3,))
    points = cones.project(torch.from_numpy(scattered(6)[:, :6]), dual)
    there = torch.from_numpy(engine.rows_for(dual).there(points.numpy().copy()))
    assert (there - cones.project(there, primal)).abs().max() < 1e-12


@pytest.mark.parametrize("regime", REGULAR)
def test_sparse_and_dense_factors_agree(regime):
    problem, known = sample(0, EVERY, regime)
    P, _, A, _ = (v.numpy() for v in problem.fields)
    spectrum = Spectrum((known.y - known.s)[None], layout(EVERY))
    dense = Linearised(P[None], A[None], spectrum, np.ones(1, bool))
    thin = Linearised(P[None], A[None], spectrum, np.ones(1, bool))
    thin.factors = {0: sparse_factor.Sparse(P, sparse.csr_matrix(A), spectrum, 0)}
    rng = np.random.default_rng(0)
    r = rng.normal(size=(1, problem.n)), rng.normal(size=(1, EVERY.rows))
    for name in ("solve", "adjoint"):
        pairs = zip(dense.step(*r, name), thin.step(*r, name), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_sparse_programs_use_sparse_factors_and_have_the_same_gradients(monkeypatch):
    problem = chain(60)
    grads, kinds = [], []
    for filled in (linearised.FILLED, -1.0):
        monkeypatch.setattr(linearised, "FILLED", filled)
        leaves = problem.map(lambda v: v.clone().requires_grad_())
        sol = cone_program.solve(leaves)
        kinds.append(type(sol.x.grad_fn).__name__)
        point = cone_program.derivative(problem, sol)[0].point
        kinds.append(type(point.system.factors[0]).__name__)
        grads.append(torch.autograd.grad(sol.x.sin().sum(), leaves.fields))
    assert kinds[1::2] == ["Sparse", "Dense"]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_singular_systems_are_answered_by_least_squares_and_say_so():
    problem, known = sample(0, EVERY, "repeated_row")
    P, _, A, _ = (v.numpy() for v in problem.fields)
    spectrum = Spectrum((known.y - known.s)[None], layout(EVERY))
    system = Linearised(P[None], A[None], spectrum, np.ones(1, bool))
    thin = sparse_factor.Sparse(P, sparse.csr_matrix(A), spectrum, 0)
    assert not system.factors[0].regular
    assert not thin.regular
    f1 = np.random.default_rng(0).normal(size=(1, problem.n))
    for factors in ({0: system.factors[0]}, {0: thin}):
        system.factors = factors
        system.adjoint(f1, np.zeros((1, EVERY.rows)))  # x is unique: consistent
        assert system.residual[0] < 1e-9
        system.adjoint(f1, np.eye(1, EVERY.rows))  # one of two equal rows is not
        assert system.residual[0] > 1e-3
