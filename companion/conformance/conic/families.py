"""The cone programs of the suite, one by one.

Chapter: conformance.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from companion.conformance.conic.exact import (
    Draft,
    Piece,
    combined,
    dual,
    exponential,
    exponential_face,
    eye,
    nonneg,
    power,
    psd,
    soc,
    zero,
)
from companion.conformance.conic.writing import entry, failing
from companion.conformance.rational import Matrix, matrix, rank, vector

SQUARE = [[1, 2, 2], [2, 1, -2], [2, -2, 1]]  # orthogonal; every row has length 3
HADAMARD = [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
PLANE = [[2, 1], [-1, 2]]
SEED = [1, 2, -1]
CONES = ("zero", "nonneg", "soc", "psd", "exp", "exp_dual", "power")

Entry = dict[str, Any]


def nearest(name: str, about: str, piece: Piece, **more: Any) -> Entry:
    """The projection onto a cone: P the identity of matrices, A = −I."""
    n = len(piece.s)
    P = [[w if i == j else Fraction(0) for j in range(n)]
         for i, w in enumerate(piece.twice)]  # fmt: skip
    draft = Draft([piece], P, combined((-1, eye(n))), piece.s)
    return entry(name, about, draft, **{"seeds": _seeds(n, 7), **more})


def _seeds(n: int, start: int) -> Matrix:
    rng = random.Random(start)
    return [[Fraction(rng.randint(1, 3) * rng.choice((-1, 1))) for _ in range(n)]
            for _ in range(2)]  # fmt: skip


def drafted(pieces: list[Piece], n: int, start: int, *, curved: bool) -> Draft:
    """Pieces under small random A and x, with P = 0 or positive definite."""
    rng = random.Random(start)
    pieces = sorted(pieces, key=lambda piece: CONES.index(piece.cone))
    m = sum(len(piece.s) for piece in pieces)
    while True:
        A = matrix([[rng.randint(-2, 2) for _ in range(n)] for _ in range(m)])
        if rank(A) == min(m, n) and all(any(row) for row in A):
            break
    root = matrix([[rng.randint(-1, 1) for _ in range(n)] for _ in range(n)])
    square = [[sum(r[i] * r[j] for r in root) for j in range(n)] for i in range(n)]
    P = combined((int(curved), matrix(square)), (int(curved), eye(n)))
    x = [Fraction(rng.choice((-3, -2, -1, 1, 2, 3)), 2) for _ in range(n)]
    return Draft(pieces, P, A, x)


def closed_forms() -> Iterator[Entry]:
    """Projections onto each cone from each of its regions."""
    yield nearest("soc-projection", "Nearest point of a second-order cone, from "
                  "between it and its polar.",
                  soc([3, "9/5", "12/5"], [2, "-6/5", "-8/5"]))  # fmt: skip
    yield nearest("soc-projection-inside", "The same from inside: nothing is lost.",
                  soc([3, 1, 2], [0, 0, 0]))  # fmt: skip
    yield nearest("soc-projection-polar", "The same from inside the polar cone: "
                  "nothing is left.", soc([0, 0, 0], [3, -1, -2]))  # fmt: skip
    yield nearest("exp-projection", "Nearest point of the exponential cone; its ray "
                  "has x/y = 0.", exponential(1, "1/2"))  # fmt: skip
    yield nearest("exp-projection-face", "The same from where x < 0, y < 0: only y is "
                  "cut.", exponential_face([-1, 0, 3], [0, 2, 0]))  # fmt: skip
    yield nearest("exp-dual-projection", "Nearest point of the dual of the exponential "
                  "cone, by Moreau.", dual(exponential(1, "1/2")))  # fmt: skip
    yield nearest("power-projection", "Nearest point of the power cone of exponent "
                  "1/4; its ray is (1, 1, 1).", power("1/4", 1, 1))  # fmt: skip
    yield nearest("power-dual-projection", "Nearest point of its dual, by Moreau.",
                  dual(power("1/4", 1, 1)))  # fmt: skip
    ball = Draft(
        [soc([1, "-3/5", "-4/5"], [5, 3, 4])],
        matrix([[0, 0], [0, 0]]),
        matrix([[0, 0], [-1, 0], [0, -1]]),
        vector(["-3/5", "-4/5"]),
    )
    yield entry("soc-ball", "Least 3x₁ + 4x₂ on the unit disc.", ball,
                seeds=[[2, -1], [1, 1]])  # fmt: skip
    demand = Draft([nonneg(0, 1)._replace(y=vector(["1/2"])), power("1/2", 1, 1)],
                   matrix([[0] * 3] * 3),
                   matrix([[1, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]),
                   vector([1, 1, 1]))  # fmt: skip
    yield entry("power-demand", "Most √(x₁x₂) for x₁ + x₂ ≤ 2: half of the budget for "
                "each.", demand, seeds=[[1, 0, 0], [1, -2, 3]])  # fmt: skip
    entropy = Draft([exponential(1, 1)], matrix([[0, 0], [0, 0]]),
                    matrix([[-1, 0], [0, 0], [0, -1]]), vector([0, 1]))  # fmt: skip
    yield entry("exp-least", "Least eˣ − x, by a variable above eˣ: x = 0.", entropy,
                seeds=[[1, 0], [1, 2]])  # fmt: skip


def triangles() -> Iterator[Entry]:
    """PSD blocks whose entries tell apart every way to store half of a matrix."""
    yield nearest("psd-projection", "Nearest positive semidefinite matrix of side 4, "
                  "whose triangle is easily stored in another order.",
                  psd(HADAMARD, [-6, 2, 4, -2]), family="triangle")  # fmt: skip
    yield nearest("psd-projection-3", "The same of side 3, the smallest at which upper "
                  "and lower triangles differ.", psd(SQUARE, [9, -9, -18]),
                  family="triangle")  # fmt: skip
    yield nearest("psd-projection-2", "The same of side 2: no order to mistake, but a "
                  "√2.", psd(PLANE, [5, -10]), family="triangle")  # fmt: skip
    two = [psd(PLANE, [5, -10]), psd(SQUARE, [9, -9, -18])]
    three = [psd([[1]], [-2]), *two, psd(HADAMARD, [4, -4, -8, 8])]
    for kind, pieces, n in (("psd-side-3", two[1:], 2), ("psd-blocks-2-3", two, 4),
                            ("psd-blocks-1-2-3-4", three, 8)):  # fmt: skip
        sides = " and ".join(str(piece.size) for piece in pieces)
        for curved in (False, True):
            name = kind + ("-quadratic" if curved else "-linear")
            what = "a quadratic" if curved else "a linear"
            yield _case(name, f"Blocks of side {sides} under {what} cost.", pieces, n,
                        curved=curved, start=len(kind))  # fmt: skip


def _case(
    name: str, about: str, pieces: list[Piece], n: int, *, curved: bool, start: int
) -> Entry:
    draft = drafted(pieces, n, start, curved=curved)
    family = "triangle" if {piece.cone for piece in pieces} == {"psd"} else "product"
    return entry(name, about, draft, seeds=_seeds(n, start), family=family)


def products() -> Iterator[Entry]:
    """Cones of several kinds in one program, each where its projection is curved."""
    second = soc([5, 3, 4], [10, -6, -8])
    kinds: dict[str, list[Piece]] = {
        "soc-blocks": [second, soc([3, 1, 1, 1], [0] * 4), soc([0, 0], [2, 1]),
                       soc([13, 12, 5], [13, -12, -5])],
        "exp-blocks": [exponential(1, 2), exponential(2, 1),
                       exponential_face([-1, 0, 3], [0, 2, 0])],
        "exp-dual-blocks": [dual(exponential(1, 2)), dual(exponential(2, 1))],
        "power-blocks": [power("1/4", 1, 1), power("3/4", 2, 1, -1),
                         power("1/2", 1, 2)],
        "power-dual-blocks": [power("1/4", 1, 1), dual(power("1/4", 1, 2)),
                              dual(power("1/2", 2, 1, -1))],
        "linear-and-soc": [zero(2), nonneg(0, 3), nonneg(2, 0), second],
        "linear-and-psd": [zero(-1), nonneg(0, 2), psd(SQUARE, [9, -9, -18])],
        "every-cone": [zero(2), nonneg(0, 3), nonneg(2, 0), second,
                       psd(PLANE, [5, -10]), psd(SQUARE, [9, -9, -18]),
                       exponential(1, 2), dual(exponential(2, 1)),
                       power("1/4", 1, 1), dual(power("1/2", 1, 2))],
        "every-cone-but-duals": [zero(2), nonneg(0, 3), nonneg(2, 0), second,
                                 psd(SQUARE, [9, -9, -18]), exponential(1, 2),
                                 power("1/4", 1, 1)],
    }  # fmt: skip
    for k, (name, pieces) in enumerate(kinds.items()):
        held = sum(_held(piece) for piece in pieces)
        for curved in (False, True):
            n = held + (2 if curved else 1)
            what = "a quadratic" if curved else "a linear"
            about = f"{_kinds(pieces)} under {what} cost."
            full = name + ("-quadratic" if curved else "-linear")
            yield _case(full, about, pieces, n, curved=curved, start=50 + k)


def _held(piece: Piece) -> int:
    """Directions that the block holds: the rank of DΠ at eigenvalue 1."""
    assert piece.D is not None
    return len(piece.D) - rank(combined((1, eye(len(piece.D))), (-1, piece.D)))


def _kinds(pieces: list[Piece]) -> str:
    names = dict.fromkeys(
        f"{'dual ' if p.cone == 'power' and p.size < 0 else ''}{p.cone}" for p in pieces
    )
    return ", ".join(names).replace("_", " ")


def irregular() -> Iterator[Entry]:
    """Points at which the projection has no derivative, although x is unique."""
    first, more = [1, 0, 0], {"family": "kink"}
    way = (first, "q", first)
    yield nearest("soc-apex", "Nearest point of a second-order cone to its tip.",
                  soc([0, 0, 0], [0, 0, 0]), along=[(*way, 0, -1)], **more)  # fmt: skip
    yield nearest("soc-boundary", "The same for a point of its boundary.",
                  soc([5, 3, 4], [0, 0, 0]), along=[(*way, "-1/2", -1)],
                  **more)  # fmt: skip
    yield nearest("soc-polar-boundary", "The same for a point on the boundary of the "
                  "polar cone.", soc([0, 0, 0], [5, 3, 4]),
                  along=[(*way, 0, "-1/2")], **more)  # fmt: skip
    yield nearest("psd-rank-deficient-pair", "A matrix of rank one, and a multiplier "
                  "of rank zero: together less than the side.",
                  psd(PLANE, [0, -5]), **more)  # fmt: skip
    yield nearest("psd-gap", "S and Y of rank one in side three.",
                  psd(SQUARE, [9, 0, -9]), **more)  # fmt: skip
    yield nearest("psd-zero", "Nearest positive semidefinite matrix to zero.",
                  psd(PLANE, [0, 0]), **more)  # fmt: skip
    yield nearest("exp-boundary", "A point of the boundary of the exponential cone.",
                  exponential(1, 0), **more)  # fmt: skip
    yield nearest("exp-dual-boundary", "A point of the boundary of its dual.",
                  dual(exponential(0, 1)), **more)  # fmt: skip
    yield nearest("power-boundary", "A point of the boundary of a power cone.",
                  power("1/4", 1, 0), **more)  # fmt: skip


def infeasible() -> Iterator[Entry]:
    """Constraints that contradict each other, with the y that shows it."""
    yield failing("soc-too-short", "x₁ ≤ 1, yet x₁ at least the length of (3, 4).",
                  {"nonneg": 1, "soc": [3]}, [0], [[1], [-1], [0], [0]],
                  [1, 0, 3, 4], {"y": [1, 1, "-3/5", "-4/5"]})  # fmt: skip
    yield failing("psd-off-diagonal", "[1 x; x 1] ≽ 0 and x ≥ 5/4: with √2 forgotten "
                  "in the right place, it would be feasible.",
                  {"nonneg": 1, "psd": [2]}, [0], [[-1], [0], [-1], [0]],
                  ["-5/4", 1, 0, 1], {"y": [2, 1, -1, 1]})  # fmt: skip
    yield failing("psd-order", "[1 1 x; 1 1 y; x y 1] ≽ 0, which asks for x = y, and "
                  "x − y = 1; with x and 1 exchanged, it would be feasible.",
                  {"zero": 1, "psd": [3]}, [0, 0],
                  [[1, -1], [0, 0], [0, 0], [-1, 0], [0, 0], [0, -1], [0, 0]],
                  [1, 1, 1, 0, 1, 0, 1],
                  {"y": [-2, 1, -1, -1, 1, 1, 1]})  # fmt: skip
    yield failing("exp-above", "eˣ ≤ 1/2 and x ≥ 0.",
                  {"nonneg": 1, "exp": 1}, [0], [[-1], [-1], [0], [0]],
                  [0, 0, 1, "1/2"], {"y": [1, -1, -1, 1]})  # fmt: skip
    yield failing("exp-dual-below", "(x, 0, −1) in the dual of the exponential cone.",
                  {"exp_dual": 1}, [0], [[-1], [0], [0]],
                  [0, 0, -1], {"y": [0, 0, 1]})  # fmt: skip
    yield failing("power-above", "√(1·1) ≥ x and x ≥ 2.",
                  {"nonneg": 1, "power": ["1/2"]}, [0], [[-1], [0], [0], [-1]],
                  [-2, 1, 1, 0], {"y": [1, "1/2", "1/2", -1]})  # fmt: skip
    yield failing("power-dual-above", "The same for a dual power cone, which is wider: "
                  "2√(1·1) ≥ x and x ≥ 3.",
                  {"nonneg": 1, "power": ["-1/2"]}, [0], [[-1], [0], [0], [-1]],
                  [-3, 1, 1, 0], {"y": [1, 1, 1, -1]})  # fmt: skip


def unbounded() -> Iterator[Entry]:
    """Directions of the cone in which the cost falls for ever."""
    yield failing("soc-falling", "Least −x₁ over a second-order cone.",
                  {"soc": [3]}, [-1, 0, 0], [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
                  [0, 0, 0], {"x": [1, 0, 0], "d": [1, 0, 0]})  # fmt: skip
    yield failing("psd-falling", "Least 2x₂ + x₁ − x₃ over the matrices [x₁ x₂; x₂ "
                  "x₃] ≽ 0.", {"psd": [2]}, [1, 2, -1],
                  [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
                  [0, 0, 0], {"x": [1, 0, 1], "d": [1, -1, 1]})  # fmt: skip
    yield failing("exp-falling", "Least x with eˣ ≤ 1.",
                  {"exp": 1}, [1], [[-1], [0], [0]],
                  [0, 1, 1], {"x": [-1], "d": [-1]})  # fmt: skip
    yield failing("power-falling", "Least −x₃ over a power cone.",
                  {"power": ["1/4"]}, [0, 0, -1],
                  [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
                  [0, 0, 0], {"x": [1, 1, 0], "d": [1, 1, 1]})  # fmt: skip
