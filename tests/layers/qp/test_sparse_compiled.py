"""The compiled sparse active set: its factors, its ends, and the way around it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from companion import sampling
from companion.layers import qp
from companion.layers.qp.sparse import compiled, engine, libraries
from companion.layers.qp.sparse.data import error, from_dense
from companion.layers.qp.sparse.factor import System
from tests.benchmarks.sparse import banded, gradients, scattered
from tests.layers.qp.cases import sample
from tests.real import as_sparse

pytest.importorskip("numba")
from companion.layers.qp.kernel import compressed, ldl
from companion.layers.qp.kernel import sparse as kernel

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
    pytest.mark.skipif(not libraries.installed(), reason="needs clarabel or piqp"),
]


def data_of(fields, bound: float | None = None):
    data = from_dense(*(v.to_dense().numpy() for v in as_sparse(*fields).fields))
    return data if bound is None else data._replace(h=0 * data.h + bound)


def system_of(data, where=None):
    problem = tuple(compiled.rows(M) for M in (data.P, data.A, data.G))
    sizes = np.concatenate([compressed.lengths(M) for M in problem[1:]])
    where = np.arange(len(data.q)) if where is None else where
    return kernel.prepared(problem, (1.0, sizes), where), (1.0, sizes)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("make", [lambda: banded(6, 0), lambda: scattered(30, 0)])
def test_factors_solve_the_kkt_system(make, turned):
    data = data_of(make())
    n, k = len(data.q), len(data.b) + len(data.h)
    rng = np.random.default_rng(0)
    system, scales = system_of(data, np.arange(n)[::-1].copy() if turned else None)
    rows = np.arange(len(data.h))
    active = (rows % 5 == 0) & (rows >= 10)  # scattered rows before are those of A
    kernel.factored(system, active, np.int64(0))
    r1, r2 = rng.normal(size=n), rng.normal(size=k)
    u, y = kernel.solved(system, scales, r1, r2, 8)
    held = np.concatenate([np.ones(len(data.b), bool), active])
    C = sparse.vstack([data.A, data.G]).toarray()[held]
    K = np.block([[data.P.toarray(), C.T], [C, np.zeros((len(C), len(C)))]])
    expected = np.linalg.solve(K, np.concatenate([r1, r2[held]]))
    np.testing.assert_allclose(np.concatenate([u, y[held]]), expected, atol=1e-9)
    assert not y[~held].any()


def test_factoring_from_the_first_change_on_is_factoring_anew():
    data = data_of(banded(6, 0))
    (late, _), (anew, _) = system_of(data), system_of(data)
    rng = np.random.default_rng(1)
    active = rng.uniform(size=len(data.h)) < 0.2
    kernel.factored(late, active, np.int64(0))
    for _ in range(5):
        active[rng.integers(len(active), size=2)] ^= True
        first, last = kernel.changed(late, active)
        assert 0 <= first <= last
        kernel.factored(late, active, first)
        kernel.factored(anew, active, np.int64(0))
        begin, end, below, L, D, tree = late[2]
        assert np.array_equal(D, anew[2][4])
        assert np.array_equal(tree, anew[2][5])
        for i, (start, stop) in enumerate(zip(begin, end, strict=False)):
            assert stop == anew[2][1][i]
            assert np.array_equal(below[start:stop], anew[2][2][start:stop])
            assert np.array_equal(L[start:stop], anew[2][3][start:stop])
    assert kernel.changed(late, active) == (len(late[1]), -1)


@pytest.mark.parametrize("bound", [0.5, 0.1, 0.02])
@pytest.mark.parametrize("seed", range(3))
def test_settled_rows_are_those_of_a_library(seed, bound):
    data = data_of(banded(20, seed), bound)
    found = compiled.settle(data, None)
    other = engine._by_libraries(System(data))
    assert other.library
    assert np.array_equal(found.factors.active, other.active)
    assert found.factors.active.any()
    np.testing.assert_allclose(found.point.x, other.point.x, atol=1e-9)
    assert found.residual == pytest.approx(error(data, found.point), abs=1e-15)
    assert compiled.settle(data, found.factors.active).steps == 0


def test_ends_that_are_no_solution_are_told():
    assert compiled.settle(data_of(sample(2, "licq_failing")[0].fields), None) is None
    assert compiled.settle(data_of(sample(0, "lp_face")[0].fields), None) is None
    data = data_of(banded(8, 0), 0.1)
    for name in "qbh":  # residuals are as bad as they can be
        bad = data._replace(**{name: getattr(data, name) * np.nan})
        assert compiled.settle(bad, None).residual == np.inf


@pytest.mark.parametrize("name", ["STEPS", "MOST"])
def test_too_many_steps_or_too_much_fill_is_left_to_others(name, monkeypatch):
    data = data_of(banded(8, 0), 0.1)
    assert compiled.settle(data, None).steps > 0
    monkeypatch.setattr(compiled, name, 0)
    assert compiled.settle(data, None) is None
    assert engine.solve(data).confirmed


def test_order_of_small_bandwidth_is_tried_where_the_given_one_fills(monkeypatch):
    P, q, A, b, G, h = banded(30, 0)
    shuffled = np.random.default_rng(0).permutation(len(q))
    data = data_of((P.tocsr()[shuffled][:, shuffled], q[shuffled], A[:, shuffled], b,
                    G[:, shuffled], h))  # fmt: skip
    asked = []
    order = compiled._bandwidth_order
    monkeypatch.setattr(
        compiled, "_bandwidth_order", lambda d: asked.append(1) or order(d)
    )
    monkeypatch.setattr(compiled, "MOST", 120)
    found = compiled.settle(data, None)
    assert asked
    x = compiled.settle(data_of((P, q, A, b, G, h)), None).point.x
    np.testing.assert_allclose(found.point.x, x[shuffled], atol=1e-10)


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
def test_without_compiled_code_everything_is_the_same(regime, monkeypatch):
    problem = as_sparse(*sample(1, regime, (12, 3, 9))[0].fields)
    sol, grads = qp.solve(problem), gradients(problem, "sparse")
    monkeypatch.setattr(compiled, "kernel", lambda: None)
    other, others = qp.solve(problem, engine="sparse"), gradients(problem, "sparse")
    torch.testing.assert_close(sol.x, other.x, rtol=0, atol=1e-9)
    for a, b in zip(grads, others, strict=True):
        size = 1 + float(b.to_dense().abs().max())
        torch.testing.assert_close(a.to_dense(), b.to_dense(), rtol=0, atol=1e-8 * size)


def test_pivot_that_vanishes_is_shifted_and_refined_away():
    # min ½x₁² − x₂ + … with x₂ flat: its pivot is zero until the row that holds it
    P, G = np.diag([1.0, 0.0]), np.array([[1.0, 1.0]])
    data = from_dense(P, np.array([0.0, -1.0]), np.zeros((0, 2)), np.zeros(0), G,
                      np.ones(1))  # fmt: skip
    system, scales = system_of(data)
    kernel.factored(system, np.array([True]), np.int64(0))
    assert ldl.shifted(system[2][4])
    assert kernel.regular(system)
    u, y = kernel.solved(system, scales, np.array([0.0, 1.0]), np.ones(1), 8)
    np.testing.assert_allclose([*u, *y], [-1.0, 2.0, 1.0], atol=1e-12)
    kernel.factored(system, np.array([False]), np.int64(0))
    assert not kernel.regular(system)
