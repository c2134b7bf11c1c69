"""Cone programs in floating point, each built backwards from its solution.

Chapter: embedding.md, cone-derivative.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.problems import ConeProgram, Cones, ConeSolution, Status
from companion.proofs.cone_program.instances import Matrix, blocks, column
from companion.reference import cone_program as reference
from companion.reference import cones

SOLVED = 1e-7  # what a condition may be off by after the splitting method
ROUNDING = 1e-9  # relative, of a linear solve with the condition below
WELL_POSED = 3e-2  # least singular value of the reduced matrix of a regular sample
REACH = 0.2  # length of a data displacement; Taylor steps are 1/64 of it or less
STEPS = 2.0 ** -np.arange(6, 11)

KINDS = {
    "orthant": Cones(zero=1, nonneg=5),
    "second-order": Cones(zero=1, nonneg=2, soc=(4,)),
    "semidefinite": Cones(nonneg=2, psd=(3,)),
    "exponential": Cones(zero=1, nonneg=1, exp=2),
}
VARIABLES = 4
TRIPLES = ((5, 3, 4), (13, -5, 12), (5, 4, -3), (17, 8, 15))


def exact_member(rng: np.random.Generator, K: Cones, *, dual: bool = False) -> Matrix:
    """An integer point of K or of K*, on the boundary of its second-order cones or in.

    Second-order blocks have three rows.
    """
    free = rng.integers(-3, 4, K.zero) * dual
    parts = [*map(int, free), *map(int, rng.integers(0, 3, K.nonneg))]
    for rows in blocks(K)[2:]:
        top, *w = TRIPLES[int(rng.integers(len(TRIPLES)))]
        if rows.stop - rows.start != 3:
            msg = f"K.soc: expected blocks of three rows, got {K.soc}"
            raise ValueError(msg)
        parts += [top + int(rng.integers(0, 2)), *w]
    return column(*map(sp.Integer, parts))


def _between(rng: np.random.Generator, K: Cones) -> np.ndarray:
    """A point v whose projection onto K* is differentiable, and rarely trivial."""
    v = 1.5 * rng.standard_normal(K.rows)
    at = K.rows - 3 * K.exp
    for k in range(at, K.rows, 3):  # -v = p + d on the curved part of the boundary
        root, (a, c) = rng.uniform(-1, 1), rng.uniform(0.5, 1.5, 2)
        p = a * np.array([root, 1, np.exp(root)])
        v[k : k + 3] = -(p + c * np.array([1, 1 - root, -np.exp(-root)]))
    return v


def program(
    rng: np.random.Generator, K: Cones, *, quadratic: bool
) -> tuple[ConeProgram, ConeSolution]:
    """A program over K with its solution."""
    v, x = _between(rng, K), rng.standard_normal(VARIABLES)
    y = cones.project_dual(v, K)
    A, root = (rng.standard_normal((k, VARIABLES)) for k in (K.rows, VARIABLES - 1))
    P = quadratic * root.T @ root / VARIABLES
    problem = ConeProgram(P, -P @ x - A.T @ y, A, A @ x + y - v, K)
    value = float(x @ P @ x / 2 + problem.q @ x)
    return problem, ConeSolution(x, y, y - v, value, Status.SOLVED)


@cache
def regular(count: int = 2) -> tuple[tuple[ConeProgram, ConeSolution], ...]:
    """Samples of every kind with a well conditioned reduced matrix, half linear."""
    found = []
    for K in KINDS.values():
        for quadratic in (False, True):
            seed, left = 0, count
            while left:
                seed += 1
                rng = np.random.default_rng(seed)
                sample = program(rng, K, quadratic=quadratic)
                M, _ = reference.reduced(*sample)
                if np.linalg.svd(M)[1][-1] > WELL_POSED:
                    found.append(sample)
                    left -= 1
    return tuple(found)


@cache
def solved() -> tuple[tuple[ConeProgram, ConeSolution, ConeSolution], ...]:
    """One sample of every kind, with its solution by the splitting method last."""
    return tuple((p, s, reference.solve(p).solution) for p, s in regular(1))


def without_solution() -> list[tuple[ConeProgram, Status]]:
    """Programs that a certificate refutes: primal, primal with P, dual, dual."""
    zero, one = np.zeros((2, 2)), np.ones(2)
    disc, apart = Cones(nonneg=1, soc=(3,)), np.zeros((4, 2))
    apart[0, 0], apart[2:] = -1, -np.eye(2)
    empty = ConeProgram(zero, one, apart, np.array([-2.0, 1, 0, 0]), disc)
    falls = ConeProgram(zero, -one, -np.eye(2), np.zeros(2), Cones(nonneg=2))
    return [
        (empty, Status.PRIMAL_INFEASIBLE),
        (replace(empty, P=np.eye(2)), Status.PRIMAL_INFEASIBLE),
        (falls, Status.DUAL_INFEASIBLE),
        (replace(falls, P=np.diag([1.0, 0])), Status.DUAL_INFEASIBLE),
    ]


def displacement(
    rng: np.random.Generator, problem: ConeProgram, reach: float = REACH
) -> ConeProgram:
    """A change of all the data, of this length, that keeps P symmetric and ⪰ 0."""
    P = problem.P
    values, vectors = np.linalg.eigh(P)
    root = vectors * np.sqrt(np.maximum(values, 0))
    inner = rng.standard_normal(P.shape)
    parts = {
        "P": root @ (inner + inner.T) @ root.T,
        **{f: rng.standard_normal(getattr(problem, f).shape) for f in "qAb"},
    }
    length = np.sqrt(sum(np.sum(v**2) for v in parts.values()))
    scaled = {name: reach * v / length for name, v in parts.items()}
    return ConeProgram(**scaled, K=problem.K)


def moved(problem: ConeProgram, change: ConeProgram, t: float) -> ConeProgram:
    """The problem with data displaced by t times the change."""
    parts = {f: getattr(problem, f) + t * getattr(change, f) for f in "PqAb"}
    return ConeProgram(**parts, K=problem.K)


def pair(first: ConeProgram, second: ConeProgram) -> float:
    """The inner product of two sets of data."""
    return float(sum(np.sum(getattr(first, f) * getattr(second, f)) for f in "PqAb"))


def assert_close(got: Any, want: Any, what: str) -> None:
    """Agreement to ROUNDING, relative to the size of what is expected."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    gap = np.abs(got - want).max(initial=0.0) / (1 + np.abs(want).max(initial=0.0))
    assert gap < ROUNDING, f"{what}: relative difference {gap:.1e}"


def assert_taylor(
    problem: ConeProgram, sol: ConeSolution, change: ConeProgram, claimed: np.ndarray
) -> None:
    """(dx, dy, ds) has the order of a derivative of the solution, both ways.

    The displaced programs are solved by Newton's method, whose answer has no residual
    and hence does not depend on how it was found.
    """

    def at(t: np.ndarray) -> np.ndarray:
        there = moved(problem, change, float(t[0]))
        found = reference.refine(there, sol)
        worst = max(reference.violations(there, found).values())
        assert worst < ROUNDING, f"the displaced program is not solved: {worst:.1e}"
        return np.concatenate([found.x, found.y, found.s])

    for sign in (1.0, -1.0):
        report = gradcheck.taylor(
            at, np.zeros(1), np.array([sign]), sign * claimed, steps=STEPS, noise=1e-11
        )
        assert report.passes, f"the derivative: {report}"
