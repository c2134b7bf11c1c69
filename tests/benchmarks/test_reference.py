"""What the benchmarks hold gradients against, and what they make of an error."""

import numpy as np
import pytest
import torch

from companion.layers import qp
from companion.problems import QP
from tests.benchmarks import problems, reference, sparse, sparse_peers
from tests.benchmarks.contest import Row
from tests.benchmarks.family import OURS, Reference, errors
from tests.benchmarks.qp import simplex_reference, sorting


def difference(fields: list, seed: np.ndarray, k: int, step: float) -> tuple:
    """Central difference of seed·x in a random direction of field k, solved anew."""
    shift = np.random.default_rng(k).normal(size=fields[k].shape)
    shift = shift + shift.T if k == 0 else shift
    values = []
    for sign in (1, -1):
        moved = [v + sign * step * shift if i == k else v for i, v in enumerate(fields)]
        point = reference.optimum(moved, np.zeros(len(fields[5]), bool))
        values.append(seed @ point.x)
    return (values[0] - values[1]) / (2 * step), shift


@pytest.mark.parametrize("k", range(6), ids=list("PqAbGh"))
def test_reference_agrees_with_differences_of_its_own_optimum(k: int) -> None:
    fields = [v[0].numpy() for v in problems.optnet(1, 8, 6, 2)]
    seed = np.random.default_rng(9).normal(size=8)
    point = reference.optimum(fields, np.zeros(6, bool))
    grad = reference.parts(point, seed, fields)[k]
    slopes = []
    for step in (1e-4, 5e-5):
        slope, shift = difference(fields, seed, k, step)
        slopes.append(abs(slope - (grad * shift).sum()))
    assert slopes[0] < 1e-3 * np.abs(grad).max() + 1e-9
    assert slopes[1] < slopes[0] / 3 or slopes[1] < 1e-8  # of order two


def test_a_wrong_guess_of_active_rows_is_repaired_or_refused() -> None:
    fields = [v[0].numpy() for v in problems.optnet(1, 8, 6, 2)]
    right = reference.optimum(fields, np.zeros(6, bool))
    wrong = np.ones(6, bool)
    wrong[right.rows] = False
    np.testing.assert_allclose(reference.optimum(fields, wrong).x, right.x, atol=1e-12)
    P, q, A, b, G, h = fields
    G, h = np.vstack([G, -G[:1]]), np.concatenate([h, -h[:1] - 1])  # no point has both
    with pytest.raises(ValueError, match="active"):
        reference.optimum([P, q, A, b, G, h], np.zeros(7, bool))


def test_shared_fields_get_the_sum_of_gradients() -> None:
    P, q, A, b, G, h = problems.sudoku(3)
    seed = torch.randn(q.shape, dtype=torch.float64)
    sol = qp.solve(QP(P, q, A, b, G, h))
    hint = (sol.lam > sol.slack).numpy()
    found = reference.dense((P, q, A, b, G, h), seed, hint).gradients
    one = [
        reference.dense((P, q[i : i + 1], A, b, G, h), seed[i : i + 1], hint[i : i + 1])
        for i in range(3)
    ]
    total = sum(r.gradients[2] for r in one)
    torch.testing.assert_close(found[2], total, atol=1e-12, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_sparse_reference_is_the_dense_one_on_the_pattern() -> None:
    data = sparse_peers.tensors(sparse.banded(4))
    whole = tuple(v.to_dense()[None] for v in data)
    seed = torch.randn(whole[1].shape, dtype=torch.float64)
    hint = np.zeros((1, len(data[5])), bool)
    wanted = reference.dense(whole, seed, hint).gradients
    found = reference.on_pattern(data, seed[0], hint[0]).gradients
    for v, a, b in zip(data, found, wanted, strict=True):
        if v.layout == torch.sparse_csr:
            i, j = reference.places(reference.scipy_of(v))
            b = b[:, i, j]
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_values_are_averaged_with_those_of_the_transpose() -> None:
    P = torch.tensor(
        [[2.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 5.0]]
    ).to_sparse_csr()
    values = torch.tensor([1.0, 2.0, 4.0, 0.0, -2.0, 7.0])
    found = sparse_peers.symmetric(P, values)
    assert found.tolist() == [1.0, 3.0, 3.0, -1.0, -1.0, 7.0]


def test_closed_form_of_the_simplex_is_that_of_the_linear_system() -> None:
    fields = problems.simplex(3, 6)
    seed = torch.randn(fields[1].shape, dtype=torch.float64)
    hint = (sorting(*fields) <= 0).numpy()
    general = reference.dense(fields, seed, hint).gradients[1]
    closed = simplex_reference(fields, seed).gradients[1]
    torch.testing.assert_close(closed, general, atol=1e-12, rtol=1e-9)


def test_errors_see_one_wrong_instance_and_pass_over_irregular_ones() -> None:
    right = torch.ones(3, 2, dtype=torch.float64)
    found = right.clone()
    found[1] *= 1.5
    median, worst = errors([found], Reference([right]))
    assert median == 0
    assert worst == pytest.approx(0.5)
    assert errors([found], Reference([right], (1,))) == (0, 0)


def vertex(scale: float) -> tuple[list, list]:
    """A gradient that vanishes in the first field, and one that errs there."""
    zero = torch.full((1, 4), 1e-32, dtype=torch.float64)
    other = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    return [zero + scale / 2, other.clone()], [zero, other]


def test_a_gradient_that_vanishes_is_measured_beside_the_largest() -> None:
    found, right = vertex(1e-13)
    assert errors(found, Reference(right))[0] < 1e-13
    found, right = vertex(0.05)  # a number where zero is due
    assert errors(found, Reference(right)) == pytest.approx((0.01, 0.01))
    found, right = vertex(0.0)
    found[1] *= 2  # the other field is measured as ever
    assert errors(found, Reference(right)) == pytest.approx((1.0, 1.0))


def test_a_small_gradient_that_is_no_rounding_is_measured_by_itself() -> None:
    small = torch.full((1, 4), 1e-9, dtype=torch.float64)
    other = torch.ones(1, 2, dtype=torch.float64)
    found = [2 * small, other]
    assert errors(found, Reference([small, other]))[0] == pytest.approx(1)


def test_one_instance_that_vanishes_leaves_the_others_their_yardstick() -> None:
    right = torch.ones(3, 2, dtype=torch.float64)
    right[0] = 0
    other = 100 * torch.ones(3, 2, dtype=torch.float64)
    found = right.clone()
    found[2] *= 1.25
    median, worst = errors([found, other], Reference([right, other]))
    assert (median, worst) == (0, pytest.approx(0.25))
    found[0] = 50
    assert errors([found, other], Reference([right, other]))[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "ratio", "median", "worst", "met"),
    [
        ("qpth", 9.0, 1e-7, 1e-4, False),
        ("qpth", 11.0, 1e-7, 1e-4, True),
        ("qpth", 11.0, 1e-2, 1e-1, None),
        ("qpth", None, None, None, None),
        (OURS, 1.0, 1e-10, 1e-8, True),
        (OURS, 1.0, 1e-10, 1e-5, False),
        (OURS, 1.0, 1e-8, 1e-8, False),
        (OURS, None, None, None, False),
    ],
)
def test_a_floor_is_met_by_right_gradients_only(
    name, ratio, median, worst, met
) -> None:
    row = Row(
        "qp", "case", "dense", name, 10.0, ratio=ratio, median=median, worst=worst
    )
    assert row.met is met
