"""Sparse problems without a solution, and calls that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.layers import qp
from companion.layers.qp.sparse import engine, libraries
from companion.layers.qp.sparse.certificate import exact_ray
from companion.layers.qp.sparse.data import farkas, from_dense, recession
from companion.problems import QP, SolveError
from tests.benchmarks.sparse import banded
from tests.layers.qp.cases import BAD, FIELDS, OUTPUTS
from tests.real import as_sparse, csr

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
    pytest.mark.skipif(not libraries.installed(), reason="needs clarabel or piqp"),
]


@pytest.mark.parametrize("kind", BAD)
def test_failure_is_a_status_with_zero_gradient(kind):
    make, status = BAD[kind]
    leaves = as_sparse(*make().fields).map(lambda v: v.requires_grad_())
    sol = qp.solve(leaves, engine="sparse")
    assert int(sol.status) == status
    assert all(torch.isnan(getattr(sol, name)).all() for name in OUTPUTS)
    with pytest.raises(SolveError, match=status.name):
        qp.layer(leaves, engine="sparse")
    x = qp.layer(leaves, engine="sparse", on_failure="nan")
    grads = torch.autograd.grad(torch.nan_to_num(x).sum(), leaves.fields)
    assert all(float(g.to_dense().abs().sum()) == 0 for g in grads)


@pytest.mark.parametrize("kind", ["infeasible", "unbounded"])
def test_certificate_is_checked(kind):
    data = from_dense(*BAD[kind][0]().fields)
    found = engine.solve(data)
    x, nu, lam = found.ray
    if kind == "infeasible":
        assert farkas(data, nu, lam)
        assert not farkas(data, nu, -lam)
        assert not farkas(data._replace(h=data.h + 100), nu, lam)
    else:
        assert recession(data, x)
        assert not recession(data, -x)


def test_exact_ray_refuses_what_rounding_could_have_made():
    # x = 1/3 twice, the second time with a bound that is one rounding away
    a, gap = np.array([[1.0], [3.0]]), np.array([1 / 3, 1.0])
    data = from_dense(np.zeros((1, 1)), np.zeros(1), a, gap, np.zeros((0, 1)), gap[:0])
    ray = np.array([3.0, -1.0])
    assert exact_ray(data, ray, gap[:0]) is None
    wide = data._replace(b=np.array([1 / 3 - 1e-10, 1.0]))
    assert exact_ray(wide, ray, gap[:0]) is not None


def changed(name: str, f) -> QP:
    problem = as_sparse(*banded(3, 0))
    values = dict(zip(FIELDS, problem.fields, strict=True))
    return QP(**{**values, name: f(values[name])})


BAD_CALLS = {
    "layout": ("A", lambda v: v.to_dense(), TypeError, r"QP\.A: expected a sparse CSR"),
    "coo": (
        "G",
        lambda v: v.to_sparse_coo(),
        TypeError,
        r"QP\.G: expected a sparse CSR",
    ),
    "skew": (
        "P",
        lambda v: csr(v.to_dense().numpy() + np.eye(len(v.to_dense()), k=1)),
        ValueError,
        r"QP\.P: expected a symmetric .*got",
    ),
    "convex": (
        "P",
        lambda v: csr(v.to_dense().numpy() - 5 * np.eye(len(v.to_dense()))),
        ValueError,
        r"QP\.P: expected a positive semidefinite .*got",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call_names_argument_expectation_and_what_came(name):
    field, f, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message):
        qp.solve(changed(field, f))


def test_without_a_library_the_engine_is_refused(monkeypatch):
    monkeypatch.setattr(libraries, "installed", tuple)
    with pytest.raises(ValueError, match="clarabel or piqp"):
        qp.solve(as_sparse(*banded(3, 0)), engine="sparse")
    dense = as_sparse(*banded(3, 0)).map(lambda v: v.to_dense())
    with pytest.raises(ValueError, match="clarabel or piqp"):
        qp.solve(dense, engine="sparse")
