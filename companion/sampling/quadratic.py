"""Seeded instances in named regimes, each built backwards from its solution.

Choose (x, nu, lam, slack) first and the data after it: b = Ax, h = Gx + slack and
q = −(Px + Aᵀnu + Gᵀlam) make any choice with lam ≥ 0, slack ≥ 0 and lam∘slack = 0 a
solution.  A regime says which hypothesis of the theory holds, or fails.

Chapter: optnet.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from companion.problems import QP, QPSolution, Status

REGIMES = {
    "strictly_complementary": "every row clearly active or clearly inactive, P ≻ 0",
    "weakly_active": "row 0 touches its bound with multiplier zero",
    "licq_failing": "two active rows are parallel, so multipliers are not unique",
    "lp_face": "P = 0 and the cost is constant on an edge: a face of solutions",
    "near_infeasible": "two rows leave a slab of width 1e-4 between them",
    "ill_conditioned": "P has condition number 1e8",
}
REGULAR_REGIMES = ("strictly_complementary", "near_infeasible", "ill_conditioned")
WIDTH = 1e-4  # of the slab that is left by a near-infeasible instance
CONDITION = 1e8  # of P in an ill-conditioned instance

Draft = dict[str, np.ndarray]


def qp(
    rng: np.random.Generator,
    n: int = 4,
    p: int = 1,
    m: int = 5,
    regime: str = "strictly_complementary",
) -> tuple[QP, QPSolution]:
    """A QP with n variables, p equalities, m inequalities, and a solution of it.

    All but `strictly_complementary` and `ill_conditioned` need m ≥ 2 and n ≥ p + 2.

    Raises
    ------
    ValueError
        For an unknown regime, or sizes too small for it.
    """
    if regime not in REGIMES:
        msg = f"regime: expected one of {', '.join(REGIMES)}, got {regime!r}"
        raise ValueError(msg)
    plain = regime in ("strictly_complementary", "ill_conditioned")
    if not plain and (m < 2 or n < p + 2):
        msg = f"regime {regime!r}: expected m ≥ 2 and n ≥ p + 2, got {n=}, {p=}, {m=}"
        raise ValueError(msg)
    draft = _strict(rng, n, p, m)
    special: dict[str, Callable[[Draft, np.random.Generator], None]] = {
        "weakly_active": _weaken,
        "licq_failing": _repeat,
        "lp_face": _flatten,
        "near_infeasible": _squeeze,
        "ill_conditioned": _stretch,
    }
    if regime in special:
        special[regime](draft, rng)
    return _close(draft)


def _strict(rng: np.random.Generator, n: int, p: int, m: int) -> Draft:
    root = rng.normal(size=(n, n))
    count = min(m, max(n - p - 1, 0), max(1, m // 2))
    active = np.arange(m) < count
    return {
        "P": root @ root.T / n + 0.5 * np.eye(n),
        "A": rng.normal(size=(p, n)),
        "G": rng.normal(size=(m, n)),
        "x": rng.normal(size=n),
        "nu": rng.normal(size=p),
        "lam": np.where(active, rng.uniform(0.5, 1.5, m), 0.0),
        "slack": np.where(active, 0.0, rng.uniform(0.5, 1.5, m)),
    }


def _weaken(d: Draft, _rng: np.random.Generator) -> None:
    d["lam"][0] = d["slack"][0] = 0.0


def _repeat(d: Draft, rng: np.random.Generator) -> None:
    d["G"][1] = 2.0 * d["G"][0]
    d["lam"][:2] = rng.uniform(0.5, 1.5, 2)
    d["slack"][:2] = 0.0


def _flatten(d: Draft, _rng: np.random.Generator) -> None:
    d["P"][:] = 0.0


def _squeeze(d: Draft, _rng: np.random.Generator) -> None:
    d["G"][1] = -d["G"][0]
    d["lam"][1], d["slack"][1] = 0.0, WIDTH


def _stretch(d: Draft, rng: np.random.Generator) -> None:
    n = len(d["x"])
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    P = (Q * np.geomspace(1.0, 1.0 / CONDITION, n)) @ Q.T
    d["P"] = 0.5 * (P + P.T)


def _close(d: Draft) -> tuple[QP, QPSolution]:
    """The data that make the drafted point a solution."""
    P, A, G, x, nu, lam, slack = (
        d[k] for k in ("P", "A", "G", "x", "nu", "lam", "slack")
    )
    q = -(P @ x + A.T @ nu + G.T @ lam)
    problem = QP(P, q, A, A @ x, G, G @ x + slack)
    value = float(0.5 * x @ P @ x + q @ x)
    return problem, QPSolution(x, nu, lam, slack, value, Status.SOLVED)
