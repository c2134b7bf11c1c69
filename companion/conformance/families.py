"""The regular cases: closed forms, linear programs, and seeded instances.

Chapter: conformance.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from companion.conformance.build import backwards, eye, forwards, problem
from companion.conformance.cases import Case
from companion.conformance.rational import matrix, rank

SHAPES = (  # n, p, m, active rows; each with its own seed
    (1, 0, 1, 1),
    (2, 0, 0, 0),
    (2, 1, 0, 0),
    (2, 0, 2, 1),
    (3, 1, 2, 1),
    (3, 0, 4, 2),
    (4, 1, 5, 2),
    (4, 1, 5, 0),
    (4, 2, 3, 2),
    (5, 2, 6, 2),
    (6, 2, 8, 3),
)


def seeded() -> Iterator[Case]:
    """Instances with small random entries and a chosen number of active rows."""
    for k, (n, p, m, active) in enumerate(SHAPES):
        rng = random.Random(100 + k)
        parts = _draft(rng, n, p, m, active)
        seeds = [_integers(rng, n), _integers(rng, n)]
        about = f"{n} variables, {p} equalities, {m} inequalities, {active} active"
        yield backwards(f"seeded-{n}-{p}-{m}-{active}", about, parts, seeds=seeds)


def _draft(
    rng: random.Random, n: int, p: int, m: int, active: int
) -> dict[str, list[Any]]:
    root = [_integers(rng, n, 2) for _ in range(n)]
    P = [
        [sum(row[i] * row[j] for row in root) + (i == j) for j in range(n)]
        for i in range(n)
    ]
    while True:
        A = [_integers(rng, n, 2) for _ in range(p)]
        G = [_integers(rng, n, 2) for _ in range(m)]
        rows = matrix([*A, *G[:active]])
        if rank(rows) == len(rows) and all(any(row) for row in G):
            break
    halves = [f"{v}/2" for v in _integers(rng, n, 5)]
    lam = [rng.randint(1, 4) if i < active else 0 for i in range(m)]
    slack = [0 if i < active else rng.randint(1, 4) for i in range(m)]
    nu = _integers(rng, p)
    return {"P": P, "A": A, "G": G, "x": halves, "nu": nu, "lam": lam, "slack": slack}


def _integers(rng: random.Random, n: int, most: int = 3) -> list[int]:
    """Integers in [−most, most], not all zero."""
    while n:
        values = [rng.randint(-most, most) for _ in range(n)]
        if any(values):
            return values
    return []


def closed_forms() -> Iterator[Case]:
    """Problems whose solutions have a name."""
    yield forwards(
        "simplex-projection",
        "nearest point of the simplex to (1, 1/2, -1): a threshold of 1/4",
        problem(
            eye(3),
            [-1, "-1/2", 1],
            A=[[1, 1, 1]],
            b=[1],
            G=eye(3, -1),
            h=[0, 0, 0],
        ),
        seeds=[[1, 2, 3], [1, -1, 0]],
    )
    yield forwards(
        "box-projection",
        "nearest point of the unit square to (3/2, 1/4): one coordinate is clipped",
        problem(
            eye(2),
            ["-3/2", "-1/4"],
            G=[*eye(2), *eye(2, -1)],
            h=[1, 1, 0, 0],
        ),
        seeds=[[1, 1], [2, -1]],
    )
    yield forwards(
        "wall",
        "nearest point to (3, 0) left of a wall: the multiplier is 2, not 1",
        problem(eye(2), [-3, 0], G=[[1, 0]], h=[1]),
        seeds=[[0, 1], [1, 0]],
    )
    yield forwards(
        "isotonic-regression",
        "nearest increasing vector to (3, 1, 1): all three are pooled at 5/3",
        problem(eye(3), [-3, -1, -1], G=[[1, -1, 0], [0, 1, -1]], h=[0, 0]),
        seeds=[[1, 0, 0], [1, 2, -1]],
    )
    yield forwards(
        "least-variance",
        "the portfolio of least variance among three assets",
        problem([[2, 1, 0], [1, 3, 1], [0, 1, 4]], [0] * 3, A=[[1, 1, 1]], b=[1]),
        seeds=[[1, 0, 0], [0, 1, -1]],
    )
    yield forwards(
        "unequal-rows",
        "a square cut by rows of lengths 2^10 and 2^-10",
        problem(eye(2), [-3, -2], G=[[1024, 0], [0, "1/1024"]], h=[1024, "1/1024"]),
        seeds=[[1, 2], [1, -1]],
    )
    for power in (7, 20, 33):
        yield forwards(
            f"steep-{power}",
            f"two equalities at an angle of 2^-{power}: x = (0, 2^{power})",
            problem(eye(2), [0, 0], A=[[1, 0], [1, f"1/{2**power}"]], b=[0, 1]),
            family="ill-conditioned",
            seeds=[[0, 1], [1, 0]],
            may_refuse=power > 30,  # x1 = 0 and x1 = 1 are 2^-33 apart
        )
        yield forwards(
            f"tilted-{power}",
            f"one equality (1, 2^-{power})x = 1: the harmless sister of steep-{power}",
            problem(eye(2), [0, 0], A=[[1, f"1/{2**power}"]], b=[1]),
            family="ill-conditioned",
            seeds=[[0, 1], [1, 0]],
        )


def semidefinite() -> Iterator[Case]:
    """Singular P and a unique solution all the same."""
    for n in (3, 4):
        M = [[i * n + j for j in range(n)] for i in range(n)]
        P = [[sum(r[i] * r[j] for r in M) for j in range(n)] for i in range(n)]
        G = [*eye(n)[: n - 2], [1] * n]
        lam, slack = [*range(1, n - 1), 0], [0] * (n - 2) + [2]
        yield backwards(
            f"rank-two-{n}",
            f"P = MᵀM of rank two in {n} dimensions, M holding 0 to {n * n - 1}",
            {"P": P, "G": G, "x": [1] * n, "lam": lam, "slack": slack},
            seeds=[list(range(1, n + 1)), [(-1) ** j for j in range(n)]],
        )
    yield backwards(
        "flat-but-held",
        "P = diag(1, 0): the second coordinate is held by a row",
        {"P": [[1, 0], [0, 0]], "G": [[1, 1]], "x": [1, 2], "lam": [1], "slack": [0]},
        seeds=[[1, 0], [1, 3]],
    )


def linear() -> Iterator[Case]:
    """Linear programs with one vertex for a solution."""
    yield forwards(
        "simplex-vertex",
        "min -x2 over the simplex: a vertex, and a gradient of zero in the cost",
        problem([[0] * 3] * 3, [0, -1, 0], A=[[1] * 3], b=[1], G=eye(3, -1), h=[0] * 3),
        seeds=[[1, 2, 3], [0, 1, 0]],
    )
    yield backwards(
        "seeded-lp",
        "four rows through a vertex in three dimensions, one of them an equality",
        {
            "P": [[0] * 3] * 3,
            "A": [[1, 2, 1]],
            "G": [[1, 0, -1], [2, 1, 1], [1, 1, 0]],
            "x": ["1/2", -1, 2],
            "nu": [2],
            "lam": [1, 3, 0],
            "slack": [0, 0, 1],
        },
        seeds=[[1, -1, 2], [0, 1, 1]],
    )
    for D in range(2, 6):
        yield _klee_minty(D)


def _klee_minty(D: int) -> Case:
    """Source: klee1972good."""
    rows = [
        [2 ** (i - j + 1) if j < i else int(i == j) for j in range(D)] for i in range(D)
    ]
    data = problem(
        [[0] * D] * D,
        [-(2 ** (D - 1 - j)) for j in range(D)],
        G=[*rows, *eye(D, -1)],
        h=[*(5 ** (i + 1) for i in range(D)), *[0] * D],
    )
    seeds = [[1] * D, list(range(D))]
    about = f"the cube of Klee and Minty in {D} dimensions: x ends in 5^{D}"
    return forwards(f"klee-minty-{D}", about, data, seeds=seeds)


def regular() -> list[Case]:
    """Every regular case."""
    return [*seeded(), *closed_forms(), *semidefinite(), *linear()]
