"""Cone programs of the benchmarks have the solutions and gradients that they claim."""

import numpy as np
import pytest
import torch

from companion.problems import Cones
from tests.benchmarks import cone_peers, cone_problems, cone_reference
from tests.benchmarks.cone_peers import upper_order
from tests.benchmarks.family import OURS, errors, seed_like

FAMILIES = {
    "socp": cone_problems.socp(2, 20, 40),
    "sparse": cone_problems.socp(1, 20, 40, 0.2),
    "sdp": cone_problems.sdp(2, 4),
    "logistic": cone_problems.logistic(2, 12, 3),
}
every = pytest.mark.parametrize("data", FAMILIES.values(), ids=FAMILIES)


@every
def test_solutions_are_feasible_complementary_and_stationary(data) -> None:
    A, q, b = (v.numpy() for v in (data.A, data.q, data.b))
    assert np.abs(q + np.einsum("bij,bi->bj", A, data.y)).max() < 1e-12
    assert np.abs(np.einsum("bij,bj->bi", A, data.x) + data.s - b).max() < 1e-12
    assert np.abs((data.s * data.y).sum(1)).max() < 1e-12


@every
def test_derivative_of_the_projection_fixes_its_rays(data) -> None:
    for s, y in zip(data.s, data.y, strict=True):
        D = cone_reference.projection_derivative(s, y, data.K)
        np.testing.assert_allclose(D @ (s - y), s, atol=1e-12)  # of degree one
        np.testing.assert_allclose(D, D.T, atol=1e-12)
        values = np.linalg.eigvalsh(D)
        assert -1e-12 < values[0] <= values[-1] < 1 + 1e-12


def solved_again(data, k: int, A, q, b):
    """Newton's method on the residual from the known solution, data moved a little."""
    x, z = data.x[k].copy(), data.s[k] - data.y[k]
    n, m = len(x), len(z)
    s, y = data.s[k], data.y[k]
    for _ in range(30):
        D = cone_reference.projection_derivative(s, y, data.K)
        J = np.block([[np.zeros((n, n)), A.T @ (D - np.eye(m))], [A, D]])
        r = np.concatenate([q + A.T @ y, A @ x + s - b])
        step = np.linalg.solve(J, -r)
        x, z = x + step[:n], z + step[n:]
        s = cone_problems.project(z, data.K)
        y = s - z
    assert np.abs(r).max() < 1e-12
    return x


@pytest.mark.parametrize("field", range(3), ids=["q", "A", "b"])
def test_reference_agrees_with_differences(field: int) -> None:
    data, rng = FAMILIES["socp"], np.random.default_rng(1)
    seed = rng.normal(size=data.x.shape)
    found = cone_reference.reference(data, torch.from_numpy(seed)).gradients[field]
    base = [v[0].numpy() for v in (data.q, data.A, data.b)]
    shift = rng.normal(size=base[field].shape)
    slope = (found[0].numpy() * shift.reshape(-1)).sum()
    errors = []
    for step in (1e-4, 5e-5):
        q, A, b = (v + 0 for v in base)
        ends = []
        for sign in (1, -1):
            moved = [q, A, b]
            moved[field] = base[field] + sign * step * shift
            ends.append(seed[0] @ solved_again(data, 0, moved[1], moved[0], moved[2]))
        errors.append(abs((ends[0] - ends[1]) / (2 * step) - slope))
    assert errors[0] < 1e-4 * max(1.0, abs(slope))
    assert errors[1] < errors[0] / 3 or errors[1] < 1e-7 * abs(slope)


def test_an_exponential_projection_moves_along_its_two_rays() -> None:
    r, sigma, mu = 0.4, 1.3, 0.7
    s = sigma * np.array([r, 1, np.exp(r)])
    y = mu * np.array([-np.exp(r), -np.exp(r) * (1 - r), 1])
    D = cone_reference.exp(s, y)
    for along in (s, -y):  # moving z on either ray moves s by its part in K
        kept = s if along is s else np.zeros(3)
        np.testing.assert_allclose(D @ along, kept, atol=1e-12)


def test_upper_triangles_are_a_permutation_that_agrees_up_to_side_three() -> None:
    assert upper_order(Cones(psd=(2,))).tolist() == [0, 1, 2]
    assert upper_order(Cones(psd=(3,))).tolist() == [0, 1, 3, 2, 4, 5]
    M = np.arange(16.0).reshape(4, 4)
    M = M + M.T
    lower = cone_problems.svec(M)
    rows, columns = np.tril_indices(4)  # of the upper triangle, column by column
    upper = M[rows, columns] * np.where(rows == columns, 1, np.sqrt(2))
    np.testing.assert_allclose(lower[upper_order(Cones(psd=(4,)))], upper)


def test_svec_keeps_inner_products_and_comes_back() -> None:
    rng = np.random.default_rng(0)
    X, Y = (v + v.T for v in rng.normal(size=(2, 4, 4)))
    x, y = cone_problems.svec(X), cone_problems.svec(Y)
    assert x @ y == pytest.approx((X * Y).sum())
    np.testing.assert_allclose(cone_problems.smat(x, 4), X)


@every
def test_clarabel_alone_has_the_solution_and_no_gradient(data) -> None:
    task = cone_peers.clarabel(data)
    leaves = [v.clone().requires_grad_() for v in task.leaves]
    x = task.forward(*leaves)
    np.testing.assert_allclose(x.detach(), data.x, atol=1e-3)
    grads = torch.autograd.grad(x.sum(), leaves, allow_unused=True)
    assert grads == (None, None, None)


@every
def test_a_backward_pass_alone_has_the_gradients_of_the_whole(data) -> None:
    task = cone_peers.ADJOINTS[OURS].prepare(data)
    leaves = [v.clone().requires_grad_() for v in task.leaves]
    x = task.forward(*leaves)
    seed = seed_like(x.detach())
    found = task.gradients(torch.autograd.grad(x, leaves, seed))
    median, _ = errors(found, cone_reference.reference(data, seed))
    assert median < 1e-9
