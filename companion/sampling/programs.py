"""Seeded cone programs in named regimes, each built backwards from its solution.

Choose s ∈ K and y ∈ K* with sᵀy = 0 block by block, any x and A, and the rest after it:
b = Ax + s and q = −(Px + Aᵀy) make the choice a solution.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from companion.problems import ConeProgram, Cones, ConeSolution, Status

CONE_REGIMES = {
    "strictly_complementary": "every block clearly on one side of its kinks, P ≻ 0",
    "linear": "P = 0, and as many variables as the constraints hold",
    "kink": "the first block that can stands on a kink: s and y do not decide it",
    "repeated_row": "the first row of A is there twice, so y is not unique",
}

Pair = tuple[
    np.ndarray, np.ndarray, int, int
]  # s, y, eigenvalues of DΠ that are 1, in (0, 1)


def cone_program(
    rng: np.random.Generator,
    K: Cones,
    regime: str = "strictly_complementary",
    n: int | None = None,
) -> tuple[ConeProgram, ConeSolution]:
    """A cone program over K with a known solution, and that solution.

    Without `n` there are as many variables as the active part of the constraints can
    hold, so that the solution is unique in all regimes but `kink` and `repeated_row`.

    Raises
    ------
    ValueError
        For an unknown regime, or one that K has no block for.
    """
    if regime not in CONE_REGIMES:
        names = ", ".join(CONE_REGIMES)
        msg = f"regime: expected one of {names}, got {regime!r}"
        raise ValueError(msg)
    pairs = list(_pairs(rng, K))
    if regime == "kink":
        _bend(pairs, K)
    held, curved = sum(p[2] for p in pairs), sum(p[3] for p in pairs)
    extra = curved // 2 if regime == "linear" else max(2, curved // 2)
    size = max(1, held + extra) if n is None else n
    s, y = (np.concatenate([np.zeros(0)] + [p[i] for p in pairs]) for i in (0, 1))
    A, x = rng.normal(size=(K.rows, size)) / np.sqrt(size), rng.normal(size=size)
    if regime == "repeated_row":
        if K.zero + K.nonneg < 2:
            msg = "regime 'repeated_row': expected K with two rows in zero or nonneg"
            raise ValueError(f"{msg}, got {K}")
        A[1], s[1] = A[0], s[0]
        y[1] = abs(y[0]) if K.zero < 2 else y[1]
    root = rng.normal(size=(size, size))
    P = (
        root @ root.T / size + 0.5 * np.eye(size)
        if regime != "linear"
        else np.zeros((size, size))
    )
    problem = ConeProgram(P, -(P @ x + A.T @ y), A, A @ x + s, K)
    value = float(0.5 * x @ P @ x + problem.q @ x)
    return problem, ConeSolution(x, y, s, value, Status.SOLVED)


def _pairs(rng: np.random.Generator, K: Cones) -> Iterator[Pair]:
    """Complementary s ∈ K and y ∈ K* of every block, clear of the kinks."""
    for _ in range(K.zero):
        yield np.zeros(1), rng.normal(size=1), 1, 0
    for i in range(K.nonneg):
        yield _one_sided(rng.uniform(0.5, 1.5, 1), np.zeros(1), held=i % 2 == 0)
    for i, size in enumerate(K.soc):
        yield _second_order(rng, size, i)
    for size in K.psd:
        yield _semidefinite(rng, size)
    for i in range(K.exp):
        yield _exponential(rng, i)
    for i in range(K.exp_dual):
        s, y, held, curved = _exponential(rng, i)
        yield y, s, 3 - held - curved, curved
    for i, alpha in enumerate(K.power):
        s, y, held, curved = _power(rng, abs(alpha), i)
        yield (s, y, held, curved) if alpha > 0 else (y, s, 3 - held - curved, curved)


def _one_sided(point: np.ndarray, zero: np.ndarray, *, held: bool) -> Pair:
    """One of s and y in the interior of its cone, the other zero."""
    return (zero, point, len(point), 0) if held else (point, zero, 0, 0)


def _second_order(rng: np.random.Generator, size: int, i: int) -> Pair:
    w = rng.normal(size=size - 1)
    w /= np.linalg.norm(w) or 1.0
    if size == 1 or i % 4 > 1:
        inside = np.concatenate([rng.uniform(1.5, 2.5, 1), w])
        return _one_sided(inside, np.zeros(size), held=i % 4 == 2)
    a, b = rng.uniform(0.5, 1.5, 2)
    return a * np.append(1, w), b * np.append(1, -w), 1, size - 2


def _semidefinite(rng: np.random.Generator, k: int) -> Pair:
    U, _ = np.linalg.qr(rng.normal(size=(k, k)))
    e, held = rng.uniform(0.5, 1.5, k), k // 2
    columns, rows = np.triu_indices(k)
    weight = np.where(rows == columns, 1.0, np.sqrt(2.0))
    parts = (
        (U[:, part] * e[part]) @ U[:, part].T for part in np.split(np.arange(k), [held])
    )
    y, s = (X[rows, columns] * weight for X in parts)
    return s, y, held * (held + 1) // 2, held * (k - held)


def _exponential(rng: np.random.Generator, i: int) -> Pair:
    """Twice the curved boundary, then a face, s inside, y inside."""
    a, b, c = rng.uniform(0.5, 1.5, 3)
    rho = rng.uniform(-1, 1)
    s, y = (
        a * np.array([rho, 1, np.exp(rho)]),
        b * np.array([-1, rho - 1, np.exp(-rho)]),
    )
    zero = np.zeros(3)
    kinds = (
        (s, y, 1, 1),
        (s, y, 1, 1),
        (np.array([-a, 0, c]), np.array([0, b, 0]), 1, 0),
        (s + np.array([0, 0, c]), zero, 0, 0),
        (zero, y + np.array([0, 0, c]), 3, 0),
    )
    return kinds[i % 5]


def _power(rng: np.random.Generator, alpha: float, i: int) -> Pair:
    """Twice the curved boundary, then s inside, y inside."""
    a, b, c, z = rng.uniform(0.5, 1.5, 4)
    sign = rng.choice([-1.0, 1.0])
    r = a**alpha * b ** (1 - alpha)
    s = np.array([a, b, sign * r])
    y = c * np.array([alpha * r / a, (1 - alpha) * r / b, -sign])
    lift = np.array([z, z, 0])
    kinds = (
        (s, y, 1, 1),
        (s, y, 1, 1),
        (s + lift, 0 * s, 0, 0),
        (0 * s, y + lift, 3, 0),
    )
    return kinds[i % 4]


def _bend(pairs: list[Pair], K: Cones) -> None:
    """Take y away from the first block whose s is on the boundary."""
    for i, (s, y, held, curved) in enumerate(pairs[K.zero :], K.zero):
        if held or curved:
            pairs[i] = (s, 0 * y, held, curved)
            return
    msg = "regime 'kink': expected K with a block that has a boundary"
    raise ValueError(f"{msg}, got {K}")
