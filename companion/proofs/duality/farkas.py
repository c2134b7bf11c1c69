"""Two systems, of which exactly one has a solution.

Chapter: duality.md.  Theorems: farkas-lemma.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp
import torch
from scipy.optimize import linprog

from companion.layers import qp as layers
from companion.problems import QP, Status
from companion.proofs.duality import conditions as words
from companion.proofs.duality import instances
from companion.proofs.duality.conditions import A, G, T, W, b, h, lam, nu, x
from companion.proofs.duality.instances import Array
from companion.proofs.inequalities import nonnegative, product
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import duality
from companion.reference.duality import Data

farkas_lemma = theorem(
    "farkas-lemma",
    claim=(
        "For matrices of every size, Ax = b, Gx ≤ h and lam ≥ 0, Aᵀnu + Gᵀlam = 0 "
        "give bᵀnu + hᵀlam = lamᵀ(h-Gx) ≥ 0, so a point and a ray with "
        "bᵀnu + hᵀlam < 0 exclude each other.  On every rational system that was "
        "drawn, elimination returned one of the two, verified exactly."
    ),
    source="farkas1902theorie",
    implements=(
        duality.alternative,
        duality.infeasibility,
        duality.proves_infeasible,
    ),
)


@farkas_lemma.derivation
def a_point_excludes_a_ray() -> Iterator[Step]:
    balanced = W.rule("Aᵀν + Gᵀλ = 0", T(A) * nu, -T(G) * lam)
    met = W.rule("Ax = b", b, A * x)
    terms = [product(W, words.PRICES, words.ROOM)]
    yield from nonnegative(W, [T(b) * nu, T(h) * lam], terms, met, balanced)


@farkas_lemma.check(Evidence.SYMBOLIC_ANY_SIZE)
def a_ray_of_the_eliminated_system_lifts() -> None:
    """M ≥ 0 cancels the last column c of [G c]; a ray of (MG, Mh) is Mᵀ times it."""
    from companion.proofs.words import alphabet  # noqa: PLC0415 - letters of its own

    E = alphabet(constant="M G c h k", M="k m", G="m n", c="m 1", h="m 1", k="k 1")
    M, B, c, side, k = E("M G c h k")
    t = E.T
    cancels = E.rule("M c = 0", M * c, sp.S.Zero)
    ray = E.rule("(MG)ᵀk = 0", t(B) * t(M) * k, sp.S.Zero)
    assert E.equal(t(B) * (t(M) * k), 0, ray)
    assert E.equal(t(c) * (t(M) * k), 0, cancels)
    assert E.equal(t(side) * (t(M) * k), t(M * side) * k)


def system(A: Any, b: Any, G: Any, h: Any) -> Data:
    """The constraints alone, as data with no objective."""
    A, b, G, h = (np.array(v, dtype=float) for v in (A, b, G, h))
    n = max(A.shape[-1], G.shape[-1])
    A, G = A.reshape(len(b), n), G.reshape(len(h), n)
    return np.zeros((n, n)), np.zeros(n), A, b, G, h


INFEASIBLE = {
    "two lower bounds against a sum": system(
        [], [], [[-1, 0], [0, -1], [1, 1]], [-6, -6, 11]
    ),
    "equalities that contradict": system(
        [[1, 1], [0, 1], [-1, 1]], [1, 1, -1], [[-1, 0], [0, -1]], [0, 0]
    ),
    "a gap between two walls": system([], [], [[-1], [1]], [-1, -1]),
    "one number, two values": system([[1], [1]], [1, -1], [], []),
}


def assert_one_of_two(point: bool, ray: bool) -> None:  # noqa: FBT001 - two facts
    assert point != ray, "both systems" if point else "neither system"


def assert_decided(data: Data) -> bool:
    """Elimination returns a point or a ray, exactly verified; True for a point."""
    data = tuple(map(duality.rational, data))
    _, _, A, b, G, h = data
    found = duality.alternative(np.vstack([A, -A, G]), np.concatenate([b, -b, h]))
    point = found.x is not None and instances.feasible(data, found.x)
    pair = duality.infeasibility(data)
    ray = pair is not None and duality.proves_infeasible(data, *pair)
    assert_one_of_two(point, ray)
    return point


def draw(rng: np.random.Generator) -> Data:
    n, p, m = (int(rng.integers(*ends)) for ends in ((1, 4), (0, 2), (1, 6)))
    shapes = ((p, n), (p,), (m, n), (m,))
    A, b, G, h = (rng.integers(-2, 3, shape).astype(float) for shape in shapes)
    return system(A, b, G, h)


@farkas_lemma.check(Evidence.EXACT)
def elimination_decides_every_system() -> None:
    for name, data in INFEASIBLE.items():
        assert not assert_decided(data), f"{name}: a point was found"
    rng = np.random.default_rng(2)
    points = sum(assert_decided(draw(rng)) for _ in range(150))
    assert 30 < points < 120, f"{points} of 150 feasible: one side is hardly tested"


def systems(rng: np.random.Generator) -> tuple[Array, Array]:
    """Eight systems Gx ≤ h of one shape."""
    n, m = int(rng.integers(1, 4)), int(rng.integers(2, 6))
    return rng.integers(-2, 3, (8, m, n)), rng.integers(-2, 3, (8, m))


def has_point(rows: Array, side: Array) -> bool:
    """Whether Gx ≤ h has a solution, by elimination."""
    rows, side = duality.rational(rows), duality.rational(side)
    return duality.alternative(rows, side).x is not None


@farkas_lemma.check(Evidence.NUMERIC)
def highs_reports_what_elimination_decides() -> None:
    rng = np.random.default_rng(5)
    for rows, side in itertools.chain(
        *(zip(*systems(rng), strict=True) for _ in range(6))
    ):
        code = linprog(0 * rows[0], rows, side, bounds=(None, None)).status
        wanted = 0 if has_point(rows, side) else 2
        assert code == wanted, f"status {code} for {rows.tolist()} {side}"


@farkas_lemma.check(Evidence.NUMERIC)
def layer_reports_what_elimination_decides() -> None:
    """The statuses of batches, without rows of zeros.

    On an infeasible row 0ᵀx ≤ -1 the layer may end in NUMERICAL_ERROR instead.
    """
    rng = np.random.default_rng(5)
    for _ in range(12):
        G, h = systems(rng)
        eye = torch.eye(G.shape[-1]).double()
        sides = {"G": torch.tensor(G).double(), "h": torch.tensor(h).double()}
        status = layers.solve(QP(eye, 0 * eye[0], **sides)).status.tolist()
        for code, rows, side in zip(status, G, h, strict=True):
            wanted = (
                Status.SOLVED if has_point(rows, side) else Status.PRIMAL_INFEASIBLE
            )
            plain = rows.any(1).all()
            assert code == wanted or not plain, f"{Status(code).name}: {rows} {side}"


def ray_of(G: Any, h: Any, lam: Any, *, signed: bool = True) -> bool:
    """Whether lam is a ray; its sign is not looked at unless `signed`."""
    G, h, lam = (duality.rational(v) for v in (G, h, lam))
    return not any(G.T @ lam) and h @ lam < 0 and (all(lam >= 0) or not signed)


@farkas_lemma.control(mutant="the sign of lam not looked at: x ≤ 0, x ≤ 1")
def ray_with_a_negative_entry() -> None:
    assert_one_of_two(point=True, ray=ray_of([[1], [1]], [0, 1], [1, -1], signed=False))


@farkas_lemma.control(mutant="hᵀlam > 0 for hᵀlam < 0: x ≤ 1, -x ≤ 1")
def ray_of_the_wrong_side() -> None:
    assert_one_of_two(point=True, ray=ray_of([[1], [-1]], [-1, -1], [1, 1]))


@farkas_lemma.control(dropped="linear inequalities: [[x, 1], [1, 0]] ⪰ 0")
def semidefinite_system() -> None:
    """No x: the determinant is -1.  No ray Y ⪰ 0 with Y₁₁ = 0 and Y₁₂ < 0 either."""
    y, z, v = sp.symbols("y z v", real=True)
    determinant = sp.Matrix([[v, 1], [1, 0]]).det()
    require(determinant == -1, "the matrix is indefinite for every x")
    minor = sp.Matrix([[0, y], [y, z]]).det()
    require(minor == -(y**2), "Y₁₁ = 0 leaves the minor -Y₁₂²")
    semidefinite = determinant >= 0
    ray = bool(sp.solveset(minor >= 0, y, sp.Interval.open(-sp.oo, 0)))
    assert_one_of_two(point=bool(semidefinite), ray=ray)


@farkas_lemma.control(dropped="real unknowns: 2x = 1 in integers")
def integer_unknowns() -> None:
    data = system([[2]], [1], [], [])
    require(assert_decided(data), "a real point exists, hence no ray")
    integer = any(2 * k == 1 for k in range(-2, 3))
    assert_one_of_two(point=integer, ray=duality.infeasibility(data) is not None)
