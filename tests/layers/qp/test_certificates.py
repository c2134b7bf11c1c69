"""No solution, and a direction that proves it, checked without the package too."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from companion.layers import qp
from companion.layers.qp.sparse import libraries
from companion.problems import QP, Certificate, Status
from companion.reference import qp as reference
from tests.layers.qp.cases import BAD, as_torch, batch_of, sample
from tests.layers.qp.families import INFEASIBLE, UNBOUNDED, gnar, qp_of, tensor

SPARSE = pytest.param(
    "sparse",
    marks=pytest.mark.skipif(
        not libraries.installed(), reason="needs clarabel or piqp"
    ),
)


def rational(v: torch.Tensor) -> np.ndarray:
    """Entries as simple fractions, after scaling the largest to one."""
    scaled = (v / v.abs().max()).tolist() if v.numel() else []
    return np.array([Fraction(x).limit_denominator(100) for x in scaled], object)


def exact(problem: QP) -> list[np.ndarray]:
    return [np.vectorize(Fraction, otypes=[object])(v.numpy()) if v.numel()
            else v.numpy().astype(object) for v in problem.fields]  # fmt: skip


@pytest.mark.parametrize("name", INFEASIBLE)
def test_farkas_ray_holds_in_exact_arithmetic(name):
    problem = INFEASIBLE[name]
    sol = qp.solve(problem)
    assert sol.status == Status.PRIMAL_INFEASIBLE
    y = rational(torch.cat([sol.certificate.nu, sol.certificate.lam]))
    nu, lam = y[: problem.p], y[problem.p :]
    _, _, A, b, G, h = exact(problem)
    assert (lam >= 0).all()
    assert (A.T @ nu + G.T @ lam == 0).all()
    assert sum(b * nu) + sum(h * lam) < 0
    proof = qp.certifies(problem, sol.certificate)
    assert proof.primal_infeasible
    assert not proof.dual_infeasible
    assert proof.reach > 1e12
    assert torch.isnan(sol.certificate.d).all()


@pytest.mark.parametrize("name", UNBOUNDED)
def test_recession_direction_holds_in_exact_arithmetic(name):
    problem = UNBOUNDED[name]
    sol = qp.solve(problem)
    assert sol.status == Status.DUAL_INFEASIBLE
    d = rational(sol.certificate.d)
    P, q, A, _, G, _ = exact(problem)
    assert (np.concatenate([P @ d, A @ d]) == 0).all()
    assert (G @ d <= 0).all()
    assert sum(q * d) < 0
    proof = qp.certifies(problem, sol.certificate)
    assert proof.dual_infeasible
    assert not proof.primal_infeasible


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_certificates_of_random_programs_at_every_scale(scale):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        draft = as_torch(sample(seed)[0])
        P, q, A, b, G, h = draft.fields
        y = torch.as_tensor(rng.uniform(0.5, 1.5, 4))
        # the last row contradicts a combination of the others
        G = torch.cat([G[:4], -(y @ G[:4]).unsqueeze(0)])
        h = torch.cat([h[:4], -(y @ h[:4]).unsqueeze(0) - scale])
        lost = QP(P, q, A * scale, b * scale, G * scale, h)
        sol = qp.solve(lost)
        assert sol.status == Status.PRIMAL_INFEASIBLE
        assert qp.certifies(lost, sol.certificate).primal_infeasible
        known, d = (
            torch.as_tensor(sample(seed)[1].x),
            torch.as_tensor(rng.normal(size=4)),
        )
        d = d - A.mT @ torch.linalg.lstsq(A @ A.mT, A @ d).solution
        G = G * torch.where(G @ d > 0, -1.0, 1.0).unsqueeze(-1)
        endless = QP(0 * P, -d * scale, A, b, G, G @ known + 1)
        sol = qp.solve(endless)
        assert sol.status == Status.DUAL_INFEASIBLE
        assert qp.certifies(endless, sol.certificate).dual_infeasible


def test_a_wrong_certificate_proves_nothing():
    problem = INFEASIBLE["two bounds and a budget"]
    right = qp.solve(problem).certificate
    feasible = QP(*problem.fields[:5], problem.h + 5)
    negative = replace(right, lam=right.lam * tensor([1.0, 1.0, -1.0]))
    nudged = replace(right, lam=right.lam + tensor([0.0, 1e-6, 0.0]))
    assert qp.certifies(problem, right).primal_infeasible
    assert not qp.certifies(feasible, right).primal_infeasible
    assert not qp.certifies(problem, negative).primal_infeasible
    assert not qp.certifies(problem, nudged).primal_infeasible
    signs = qp_of([0.0], [[1.0], [1.0]], [1.0, 2.0])  # feasible: x ≤ 1, x ≤ 2
    crossed = Certificate(tensor([]), tensor([1.0, -1.0]), tensor([torch.nan]))
    assert not qp.certifies(signs, crossed).primal_infeasible
    problem = UNBOUNDED["down a wall"]
    right = qp.solve(problem).certificate
    assert qp.certifies(problem, right).dual_infeasible
    for wrong in (-right.d, right.d + tensor([0.0, 0.0, 1e-6])):
        assert not qp.certifies(problem, replace(right, d=wrong)).dual_infeasible


def slit(alpha: float) -> QP:
    """Two walls at an angle of about alpha: feasible from x_2 = 1/alpha on."""
    rows = [[1.0, 1.0], [-1.0, -1.0 - alpha]]
    return qp_of([0.0, 0.0], rows, [0.0, -1.0], P=[[1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("engine", ["auto", "interior_point", SPARSE, "reference"])
@pytest.mark.parametrize("power", [24, 27, 30, 33, 36])
@pytest.mark.parametrize("make", [gnar, slit])
def test_far_feasible_points_are_not_called_infeasible(make, power, engine):
    problem = make(2.0**-power)  # x = (0, 2^power), or a point as far away
    if engine == "reference":
        status = reference.solve(problem.map(lambda v: v.numpy())).status
    else:
        status = qp.solve(problem, engine=engine).status
    assert int(status) not in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


def test_gap_between_parallel_walls_is_proved():
    problem = slit(0.0)
    proof = qp.certifies(problem, qp.solve(problem).certificate)
    assert proof.primal_infeasible
    (nu, lam), d = (tensor([]), tensor([1.0, 1.0])), tensor([torch.nan] * 2)
    ray = Certificate(nu, lam, d)
    assert qp.certifies(problem, ray).primal_infeasible
    # the same ray leaves a gap of 2^-30, which points at 2^30 go through
    assert not qp.certifies(slit(2.0**-30), ray).primal_infeasible


def planes(seed: int) -> QP:
    """Half-planes with small integers, rows of zeros among them; few have a point."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(3, 8))
    G, h = rng.integers(-2, 3, (m, 2)), rng.integers(-3, 2, m)
    return QP(np.eye(2), rng.standard_normal(2), G=1.0 * G, h=1.0 * h)


def test_planar_programs_without_a_point_are_all_proved():
    seen = set()
    for seed in range(80):
        problem = planes(seed)
        other = linprog(np.zeros(2), problem.G, problem.h, bounds=(None, None)).status
        want = {0: Status.SOLVED, 2: Status.PRIMAL_INFEASIBLE}[other]  # says HiGHS
        seen.add(want)
        assert reference.solve(problem).status == want
        assert int(qp.solve(as_torch(problem)).status) == want
    assert len(seen) == 2


def test_certificates_stand_in_their_rows_of_a_batch():
    makers = [sample(0)[0], *(make() for make, _ in BAD.values()), sample(1)[0]]
    batch = batch_of(*makers)
    sol = qp.solve(batch)
    proof = qp.certifies(batch, sol.certificate)
    assert proof.primal_infeasible.tolist() == [False, True, False, False, False]
    assert proof.dual_infeasible.tolist() == [False, False, True, False, False]
    assert qp.solve(batch_of(sample(0)[0], sample(1)[0])).certificate is None


def test_crossed_bounds_between_two_intervals_leave_exactly_one_and_two():
    G = tensor([[[-1.0], [1.0]]] * 3)
    h = tensor([[-1.0, 3.0], [-1.0, -1.0], [-2.0, 3.0]])
    sol = qp.solve(QP(tensor([[1.0]]), tensor([0.0]), G=G, h=h))
    assert sol.status.tolist() == [0, Status.PRIMAL_INFEASIBLE, 0]
    assert sol.x[0, 0] == 1.0
    assert sol.x[2, 0] == 2.0
    assert qp.certifies(
        qp_of([0.0], G[1].tolist(), h[1].tolist(), P=[[1.0]]),
        replace(sol.certificate, nu=sol.certificate.nu[1],
                lam=sol.certificate.lam[1], d=sol.certificate.d[1]),
    ).primal_infeasible  # fmt: skip
