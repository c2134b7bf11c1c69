"""The reference on cone programs, held against Clarabel and against exact answers."""

from dataclasses import replace

import clarabel
import numpy as np
import pytest
from scipy import sparse

from companion.problems import QP, ConeProgram, Cones, ConeSolution, Status
from companion.reference import cone_program as reference
from companion.reference import cones, qp

FOUND = 1e-4  # Clarabel stops at a gap of 1e-9, and near a curved wall x sees its root
ROUNDING = 1e-9

K = Cones(zero=1, nonneg=2, soc=(4,))


def drawn(seed, *, quadratic=True, K=K, n=4):
    """A program with its solution, built backwards; seeds below are well posed."""
    rng = np.random.default_rng(seed)
    v, x = 1.5 * rng.standard_normal(K.rows), rng.standard_normal(n)
    A, root = rng.standard_normal((K.rows, n)), rng.standard_normal((3, n))
    P, y = quadratic * root.T @ root, cones.project_dual(v, K)
    problem = ConeProgram(P, -P @ x - A.T @ y, A, A @ x + y - v, K)
    value = float(x @ P @ x / 2 + problem.q @ x)
    return problem, ConeSolution(x, y, y - v, value, Status.SOLVED)


def well_posed(count=3, **kind):
    found, seed = [], 0
    while len(found) < count:
        seed += 1
        problem, sol = drawn(seed, **kind)
        if np.linalg.svd(reference.reduced(problem, sol)[0])[1][-1] > 0.05:
            found.append((problem, sol))
    return found


def by_clarabel(problem):
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-9
    parts = [clarabel.ZeroConeT(K.zero), clarabel.NonnegativeConeT(K.nonneg)]
    parts += [clarabel.SecondOrderConeT(k) for k in K.soc]
    P, A = (sparse.csc_matrix(v) for v in (np.triu(problem.P), problem.A))
    return clarabel.DefaultSolver(P, problem.q, A, problem.b, parts, settings).solve()


@pytest.mark.parametrize("quadratic", [False, True])
def test_splitting_method_agrees_with_an_interior_point_method(quadratic):
    for problem, known in well_posed(quadratic=quadratic):
        sol, other = reference.solve(problem).solution, by_clarabel(problem)
        assert sol.status is Status.SOLVED
        assert np.abs(sol.x - known.x).max() < 1e-8
        for got, want in ((sol.x, other.x), (sol.y, other.z), (sol.s, other.s)):
            assert np.abs(got - want).max() < FOUND


def test_derivative_agrees_with_differences_of_another_solver():
    rng, t = np.random.default_rng(0), 1e-5
    ((problem, sol), *_) = well_posed()
    parts = {f: rng.standard_normal(getattr(problem, f).shape) for f in "qAb"}
    change = ConeProgram(P=np.zeros((4, 4)), **parts, K=K)
    moved = [
        by_clarabel(
            replace(
                problem,
                **{f: getattr(problem, f) + k * t * v for f, v in parts.items()},
            )
        )
        for k in (1, -1)
    ]
    ends = [np.concatenate([m.x, m.z, m.s]) for m in moved]
    want = (ends[0] - ends[1]) / (2 * t)
    got = np.concatenate(reference.derivative(problem, sol, change))
    assert np.abs(got - want).max() < 1e-4 * (1 + np.abs(want).max())


def test_every_point_of_a_run_is_a_complementary_pair():
    ((problem, _), *_) = well_posed()
    for z in reference.solve(problem).points[::7]:
        u = reference.project(problem, z)
        assert abs(u @ (u - z)) < ROUNDING


def test_resolvent_balances_the_equations():
    rng = np.random.default_rng(1)
    for quadratic in (False, True):
        problem, _ = drawn(3, quadratic=quadratic)
        F = reference.factor(problem)
        w = np.append(rng.standard_normal(4 + K.rows), 2.0)
        u = reference.resolvent(problem, F, w)
        assert u[-1] > 0
        assert np.abs(u + reference.operator(problem, u) - w).max() < ROUNDING


def test_an_undecided_program_is_not_decided():
    """The infimum of x₁ over x₁x₂ ≥ 1 is not attained."""
    A = -np.array([[1.0, 1], [1, -1], [0, 0]])
    problem = ConeProgram(
        np.zeros((2, 2)), np.array([1.0, 0]), A, np.array([0, 0, 2.0]), Cones(soc=(3,))
    )
    run = reference.solve(problem, steps=500)
    assert run.solution.status is Status.MAX_ITERATIONS
    assert np.isnan(run.solution.x).all()
    assert len(run.points) == 500


@pytest.mark.parametrize("P", [0.0, 1.0])
def test_certificates_are_normalised_and_nothing_else_is_said(P):
    crossed = ConeProgram(
        P * np.eye(1), np.ones(1), np.array([[1.0], [-1]]), -np.ones(2), Cones(nonneg=2)
    )
    sol = reference.solve(crossed).solution
    assert sol.status is Status.PRIMAL_INFEASIBLE
    assert sol.y == pytest.approx([0.5, 0.5])
    assert np.isnan(sol.x).all()
    assert np.isnan(sol.s).all()
    falling = ConeProgram(
        np.zeros((1, 1)), np.ones(1), np.ones((1, 1)), np.ones(1), Cones(nonneg=1)
    )
    sol = reference.solve(falling).solution
    assert sol.status is Status.DUAL_INFEASIBLE
    assert (sol.x, sol.s) == (-1, 1)
    assert np.isnan(sol.y).all()


def test_an_adjoint_in_the_slack_alone_agrees_with_the_derivative():
    rng = np.random.default_rng(2)
    for problem, sol in well_posed():
        g = rng.standard_normal(K.rows)
        change, _ = drawn(9)
        found = reference.adjoint(problem, sol, np.zeros(4), gs=g)
        inner = sum(np.sum(getattr(found, f) * getattr(change, f)) for f in "PqAb")
        _, _, ds = reference.derivative(problem, sol, change)
        assert inner == pytest.approx(g @ ds, rel=1e-9)


def test_quadratic_programs_have_their_gradients():
    rng = np.random.default_rng(4)
    root, G = rng.standard_normal((3, 3)), rng.standard_normal((4, 3))
    problem = QP(root @ root.T, rng.standard_normal(3), G=G, h=np.ones(4))
    sol, g = qp.solve(problem), rng.standard_normal(3)
    there = ConeProgram(problem.P, problem.q, G, problem.h, Cones(nonneg=4))
    conic = ConeSolution(sol.x, sol.lam, sol.slack, sol.value, sol.status)
    want = qp.vjp(problem, sol, g)
    got = reference.adjoint(there, reference.refine(there, conic), g)
    for one, other in ((got.P, want.P), (got.q, want.q), (got.A, want.G)):
        assert np.abs(one - other).max() < 1e-7


def test_refinement_keeps_a_solution_and_mends_a_rough_one():
    rng = np.random.default_rng(5)
    for problem, sol in well_posed():
        assert np.abs(reference.refine(problem, sol).x - sol.x).max() < 1e-12
        noise = 1e-3 * rng.standard_normal((3, K.rows))
        rough = replace(
            sol, x=sol.x + noise[0, :4], y=sol.y + noise[1], s=sol.s + noise[2]
        )
        after = reference.refine(problem, rough)
        assert max(reference.violations(problem, after).values()) < 1e-12


def test_a_singular_system_is_refused():
    """The wall x ≥ 1 twice has many multipliers."""
    problem = ConeProgram(
        np.eye(1), np.zeros(1), -np.ones((2, 1)), -np.ones(2), Cones(nonneg=2)
    )
    sol = ConeSolution(np.ones(1), np.full(2, 0.5), np.zeros(2), 0.5, Status.SOLVED)
    with pytest.raises(np.linalg.LinAlgError):
        reference.adjoint(problem, sol, np.ones(1))


def test_perturbation_is_exact_where_the_solution_is_affine():
    problem = ConeProgram(
        np.eye(2), -np.array([2.0, 1]), np.eye(2), np.ones(2) * [1, 9], Cones(nonneg=2)
    )
    sol = reference.refine(problem, reference.solve(problem).solution)

    def solve(there):
        return reference.refine(there, reference.solve(there).solution)

    g = np.array([1.0, 2])
    found = reference.lpgd(problem, g, 0.1, solve)
    want = reference.adjoint(problem, sol, g)
    for f in "PqAb":
        assert np.abs(getattr(found, f) - getattr(want, f)).max() < ROUNDING
