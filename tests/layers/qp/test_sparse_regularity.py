"""Regularity and explanations of sparse problems are those of the dense ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp
from companion.layers.qp.sparse import libraries, response, spectrum
from companion.problems import QP, Verdict
from tests.benchmarks.sparse import banded
from tests.layers.qp.cases import FIELDS, infeasible, sample
from tests.layers.qp.families import DEGENERATE
from tests.real import as_sparse, maros_meszaros

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
    pytest.mark.skipif(not libraries.installed(), reason="needs clarabel or piqp"),
]
CASES = {name: problem.fields for name, (problem, _) in DEGENERATE.items()}
CASES |= {regime: sample(0, regime)[0].fields for regime in sampling.REGIMES}
MARGINS = ("strict_complementarity", "licq", "curvature")


def full(v) -> torch.Tensor:
    """Every entry stored, zeros too."""
    v = torch.as_tensor(np.asarray(v))
    if v.dim() == 1 or not len(v):
        return v
    rows, columns = v.shape
    starts = torch.arange(rows + 1) * columns
    places = torch.arange(columns).repeat(rows)
    return torch.sparse_csr_tensor(
        starts, places, v.flatten(), v.shape, check_invariants=True
    )


def dense(problem: QP) -> QP:
    return problem.map(lambda v: v if v.layout == torch.strided else v.to_dense())


def assert_alike(ours, theirs) -> None:
    assert ours.verdict == theirs.verdict
    assert torch.equal(ours.unique, theirs.unique)
    assert torch.equal(ours.unique_multipliers, theirs.unique_multipliers)
    pairs = [(getattr(ours, k), getattr(theirs, k)) for k in MARGINS]
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-10)
    a, b = ours.condition, theirs.condition
    singular = b > 1e14
    assert (a[singular] > 1e14).all()
    torch.testing.assert_close(a[~singular], b[~singular], rtol=1e-3, atol=0)
    vague = ~ours.differentiable
    torch.testing.assert_close(
        ours.residual, theirs.residual, rtol=0, atol=1e-10 if not vague else 0.1
    )


@pytest.mark.parametrize("largest", [3, 60], ids=["Lanczos", "LAPACK"])
@pytest.mark.parametrize("name", CASES)
def test_verdict_and_margins_are_the_dense_ones(name, largest, monkeypatch):
    monkeypatch.setattr(spectrum, "DENSE", largest)
    problem = QP(*map(full, CASES[name]))
    sol = qp.solve(dense(problem), engine="interior_point")
    assert_alike(qp.regularity(problem, sol), qp.regularity(dense(problem), sol))


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_lanczos_finds_the_margins_of_larger_problems(regime):
    problem = as_sparse(*sample(0, regime, (80, 20, 100))[0].fields)
    sol = qp.solve(problem, engine="sparse")
    assert_alike(qp.regularity(problem, sol), qp.regularity(dense(problem), sol))


@pytest.mark.parametrize("name", ["QGROW22", "GOULDQP3", "QSCSD1"])
def test_verdict_on_what_people_have_had(name):
    problem = maros_meszaros(name)[0]
    sol = qp.solve(problem, engine="sparse")
    expected = {"GOULDQP3": Verdict.DIFFERENTIABLE}.get(name, Verdict.NOT_UNIQUE)
    assert qp.regularity(problem, sol).verdict == expected


def test_active_rows_change_at_the_radius_and_not_before():
    problem = as_sparse(*banded(20, 0))
    sol = qp.solve(problem)
    generator = torch.Generator().manual_seed(3)
    speeds = {
        k: torch.randn(len(getattr(problem, k)), generator=generator).double()
        for k in "qbh"
    }
    d = qp.along(problem, **speeds)
    radius = float(qp.regularity(problem, sol, d).radius)
    theirs = qp.regularity(dense(problem), sol, qp.along(dense(problem), **speeds))
    assert radius == pytest.approx(float(theirs.radius), rel=1e-6)

    def active(t: float) -> list[bool]:
        P, q, A, b, G, h = problem.fields
        q, b, h = (v + t * speeds[k] for k, v in zip("qbh", (q, b, h), strict=True))
        return (qp.solve(QP(P, q, A, b, G, h)).lam > 0).tolist()

    assert 0 < radius < np.inf
    assert active((1 - 1e-6) * radius) == active(0.0)
    assert active((1 + 1e-6) * radius) != active(0.0)


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_causes_are_the_dense_ones(name, seeded):
    problem = QP(*map(full, CASES[name]))
    sol = qp.solve(dense(problem), engine="interior_point")
    seed = torch.eye(problem.n).double()[0] if seeded else None
    for wrt in FIELDS:
        ours = qp.explain(problem, sol, wrt, seed=seed)
        theirs = qp.explain(dense(problem), sol, wrt, seed=seed)
        assert [r.cause for r in ours.reasons[0]] == [
            r.cause for r in theirs.reasons[0]
        ]
        assert ours.headlines[0].split(";")[0] == theirs.headlines[0].split(";")[0]


def test_speeds_are_the_dense_ones_on_the_pattern():
    problem = as_sparse(*banded(8, 0))
    sol = qp.solve(problem)
    for wrt in "qbh":
        ours, theirs = (
            [r.speed for r in qp.explain(p, sol, wrt).reasons[0]]
            for p in (problem, dense(problem))
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)
    # only what is stored is data: the fastest stored entry of a row of A, by autograd
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    x = qp.solve(leaves, engine="sparse").x
    squares = torch.zeros(problem.A.values().shape).double()
    for one in x:
        (g,) = torch.autograd.grad(one, leaves.A, retain_graph=True)
        squares += g.values() ** 2
    starts = problem.A.crow_indices().tolist()
    expected = [float(squares[i:j].max().sqrt()) for i, j in pairwise(starts)]
    speeds = [r.speed for r in qp.explain(problem, sol, "A").reasons[0]]
    np.testing.assert_allclose(speeds, expected, rtol=1e-8)


def test_batch_has_a_verdict_and_a_paragraph_each():
    one, two = np.eye(1), np.array([[1.0], [-1.0]])
    problem = as_sparse(one, np.ones(1), one[:0], np.zeros(0), two, np.ones(2))
    P, q, A, b, G, h = problem.fields
    batch = QP(P, q, A, b, G, torch.stack([h - 0.5, h, -h]))  # −½, −1 at zero, none
    sol = qp.solve(batch, engine="sparse")
    reg = qp.regularity(batch, sol)
    assert reg.verdict == ["differentiable", "one-sided", "not solved"]
    text = str(qp.explain(batch, sol, "h"))
    assert "instance (2,), gradient in h: not solved" in text
    assert "row 1: weakly active row" in text.split("instance ")[2]
    lone = as_sparse(*infeasible().fields)
    assert qp.regularity(lone, qp.solve(lone)).verdict == Verdict.NOT_SOLVED


def test_what_sparse_problems_do_not_have_is_refused(monkeypatch):
    problem = as_sparse(*banded(4, 0))
    sol = qp.solve(problem)
    moving = qp.along(problem, P=problem.P)
    with pytest.raises(ValueError, match=r"direction\.P: expected zeros"):
        qp.regularity(problem, sol, moving)
    three = torch.zeros(3).double()
    wrong = QP(torch.diag(three), three)
    with pytest.raises(ValueError, match=r"direction\.q: expected 48 entries"):
        qp.regularity(problem, sol, wrong)
    monkeypatch.setattr(response, "MOST", 10)
    with pytest.raises(ValueError, match=r"wrt: expected q, b or h .* got 'A' and 48"):
        qp.explain(problem, sol, "A")
