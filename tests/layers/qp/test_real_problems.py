"""Problems that people have had: solved, or shown to have no solution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from companion.layers import qp
from companion.problems import QP, Status
from tests import oracles, real

RELATIVE = 1e-6  # of the objective and of every condition
CERTAIN = 1e-6  # residual of a Farkas ray beside its gain, which is 1e-10 in cplex2

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
INFEASIBLE = [name for name in real.NETLIB if name.startswith("infeasible")]
FEASIBLE = [name for name in real.NETLIB if name not in INFEASIBLE]


def arrays(problem: QP) -> list[np.ndarray]:
    return [v.to_dense().numpy() for v in problem.fields]


def worst(*residuals: np.ndarray) -> float:
    return max((float(np.abs(v).max()) for v in residuals if v.size), default=0.0)


def optimality(problem: QP, sol) -> tuple[float, float]:
    """Relative infeasibility and relative gap between the primal and dual values.

    Weak duality: with both small the value is optimal, whoever found it.
    """
    P, q, A, b, G, h = arrays(problem)
    x, nu, lam = (getattr(sol, name).numpy() for name in ("x", "nu", "lam"))
    terms = [P @ x, q, A.T @ nu, G.T @ lam]
    primal = worst(A @ x - b, np.minimum(h - G @ x, 0)) / (
        1 + worst(b, h, A @ x, G @ x)
    )
    dual = worst(sum(terms)) / (1 + worst(*terms))
    sign = worst(np.minimum(lam, 0)) / (1 + worst(lam))
    value = 0.5 * x @ P @ x + q @ x
    bound = -0.5 * x @ P @ x - b @ nu - h @ lam
    return max(primal, dual, sign), abs(value - bound) / (1 + abs(value))


@pytest.mark.parametrize("name", real.MAROS_MESZAROS)
def test_maros_meszaros_problem_is_solved(name):
    problem, constant = real.maros_meszaros(name)
    sol = qp.solve(problem, engine="sparse")
    assert int(sol.status) == Status.SOLVED
    assert max(optimality(problem, sol)) < RELATIVE
    recorded = real.optimum(name)
    assert float(sol.value) + constant == pytest.approx(recorded, RELATIVE, RELATIVE)


@pytest.mark.parametrize("name", FEASIBLE)
def test_netlib_problem_is_solved(name):
    problem, recorded = real.netlib(name)
    sol = qp.solve(problem, engine="sparse")
    assert int(sol.status) == Status.SOLVED
    assert max(optimality(problem, sol)) < RELATIVE
    assert float(sol.value) == pytest.approx(recorded, RELATIVE, RELATIVE)


@pytest.mark.parametrize("name", INFEASIBLE)
def test_infeasible_problem_has_a_certificate(name):
    problem, _ = real.netlib(name)
    sol = qp.solve(problem, engine="sparse")
    assert int(sol.status) == Status.PRIMAL_INFEASIBLE
    _, q, A, b, G, h = arrays(problem)
    nu, lam = sol.certificate.nu.numpy(), sol.certificate.lam.numpy()
    gain = -(b @ nu + h @ lam)
    assert (lam >= 0).all()
    assert gain > 0
    assert worst(A.T @ nu + G.T @ lam) <= CERTAIN * gain
    other = linprog(q, G, h, A, b, (None, None), method="highs")
    assert other.status == 2  # infeasible, says HiGHS


@pytest.mark.parametrize("name", ["infeasible_cplex2", "infeasible_itest2"])
def test_dense_matrices_end_the_same(name):
    problem = real.netlib(name)[0].map(lambda v: v.to_dense())
    assert int(qp.solve(problem).status) == Status.PRIMAL_INFEASIBLE


@pytest.mark.parametrize("kind", ["LIPMWALK", "WHLIPBAL"])
def test_sequence_of_a_controller_is_solved_as_a_batch(kind):
    problems = [real.mpc(name) for name in real.MPC if name.startswith(kind)]
    fields = zip(*(problem.fields for problem in problems), strict=True)
    sol = qp.solve(QP(*(torch.from_numpy(np.stack(v)) for v in fields)))
    assert (sol.status == Status.SOLVED).all()
    assert "sparse" not in sol.info["engine"]  # the oracle is that engine's
    for problem, x in zip(problems, sol.x, strict=True):
        other, _, _, status = oracles.clarabel_qp(*problem.fields)
        assert status == "Solved"
        values = (0.5 * v @ problem.P @ v + problem.q @ v for v in (x.numpy(), other))
        assert next(values) == pytest.approx(next(values), RELATIVE, RELATIVE)
        assert worst(np.minimum(problem.h - problem.G @ x.numpy(), 0)) < RELATIVE
