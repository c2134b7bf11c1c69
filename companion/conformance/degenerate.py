"""The cases at which a hypothesis fails, and those that have no solution.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from companion.conformance.build import (
    backwards,
    case,
    eye,
    failing,
    forwards,
    problem,
)
from companion.conformance.cases import Case
from companion.conformance.rational import vector

ZERO = [[0, 0], [0, 0]]


def kinks() -> Iterator[Case]:
    """Rows that touch with multiplier zero, and problems next to such a point."""
    for name, q in (("below", -1), ("above", 1)):
        for power in (10, 20):
            yield forwards(
                f"kink-{name}-{power}",
                f"min x²/2 + qx over x ≥ 0 at q = {q}·2^-{power}: close to the kink",
                problem([[1]], [f"{q}/{2**power}"], G=[[-1]], h=[0]),
                family="near a kink",
                seeds=[[1], [-2]],
            )
    yield forwards(
        "kink",
        "min x²/2 + qx over x ≥ 0 at q = 0: the derivative is -1 or 0, by side",
        problem([[1]], [0], G=[[-1]], h=[0]),
        family="kink",
        along=[([1], "q", [1]), ([1], "h", [1])],
    )
    yield forwards(
        "touching-wall",
        "the nearest point to (1, 0) left of a wall through (1, 0)",
        problem(eye(2), [-1, 0], G=[[1, 0]], h=[1]),
        family="kink",
        along=[([1, 1], "q", [1, 0]), ([1, 1], "q", [0, 1]), ([1, 1], "h", [1])],
    )
    yield backwards(
        "touching-corner",
        "one row active, one touching with multiplier zero",
        {
            "P": [[2, 1], [1, 2]],
            "G": [[1, 0], [1, 1]],
            "x": [1, "1/2"],
            "lam": [2, 0],
            "slack": [0, 0],
        },
        family="kink",
        along=[
            ([1, 2], "q", [0, 1]),
            ([1, 2], "h", [1, 0]),
            ([1, 2], "h", [0, 1]),
        ],
    )


def dependent() -> Iterator[Case]:
    """Active rows that are dependent, so that multipliers are not unique."""
    more: dict[str, Any] = {"family": "dependent rows", "cost": True}
    yield backwards(
        "row-twice",
        "x ≤ 1 written twice: only the sum of the multipliers is determined",
        {"P": [[1]], "G": [[1], [1]], "x": [1], "lam": [1, 1], "slack": [0, 0]},
        other={"nu": vector([]), "lam": vector([2, 0])},
        seeds=[[1], [-2]],
        along=[([1], "h", [1, 1]), ([1], "h", [1, 0]), ([1], "h", [0, 1])],
        **more,
    )
    yield backwards(
        "row-twice-scaled",
        "a wall written twice, the second time three times as long",
        {
            "P": eye(2),
            "G": [[1, 1], [3, 3]],
            "x": [1, 2],
            "lam": [1, 1],
            "slack": [0, 0],
        },
        other={"nu": vector([]), "lam": vector([4, 0])},
        seeds=[[1, 0], [1, 2]],
        along=[([1, 0], "h", [1, 3]), ([1, 0], "h", [1, 0])],
        **more,
    )
    yield backwards(
        "three-rows-one-corner",
        "three rows through a corner of the plane, all with positive multipliers",
        {
            "P": eye(2),
            "G": [[1, 0], [0, 1], [1, 1]],
            "x": [1, 1],
            "lam": [1, 1, 1],
            "slack": [0, 0, 0],
        },
        other={"nu": vector([]), "lam": vector([2, 2, 0])},
        seeds=[[1, 0], [1, 2]],
        along=[([1, 2], "h", [1, 0, 1]), ([1, 2], "h", [0, 0, 1])],
        **more,
    )
    yield backwards(
        "equality-twice",
        "an equality and its double: consistent, and redundant",
        {"P": eye(2), "A": [[1, 1], [2, 2]], "x": [2, 1], "nu": [1, 1]},
        other={"nu": vector([3, 0]), "lam": vector([])},
        seeds=[[1, 0], [1, 2]],
        along=[([1, 0], "b", [1, 2])],
        **more,
    )
    yield backwards(
        "row-of-zeros",
        "0ᵀx ≤ 0 beside an active row: it holds always, and touches always",
        {
            "P": eye(2),
            "G": [[0, 0], [1, 0]],
            "x": [1, 2],
            "lam": [0, 2],
            "slack": [0, 0],
        },
        other={"nu": vector([]), "lam": vector([1, 2])},
        seeds=[[1, 1], [2, -1]],
        **more,
    )
    yield backwards(
        "touching-row-twice",
        "a touching row written twice: dependent, yet the multipliers are unique",
        {"P": [[1]], "G": [[1], [1]], "x": [1], "lam": [0, 0], "slack": [0, 0]},
        family="kink",
        along=[([1], "q", [1]), ([1], "h", [1, 1])],
    )


def tied() -> Iterator[Case]:
    """More than one solution: the value is right, a gradient of x does not exist."""
    simplex = {"A": [[1] * 3], "b": [1], "G": eye(3, -1), "h": [0] * 3}
    more: dict[str, Any] = {"family": "tied"}
    yield case(
        "tied-simplex",
        "min -x1 - x2 over the simplex: an edge of solutions",
        problem([[0] * 3] * 3, [-1, -1, 0], **simplex),
        (vector([1, 0, 0]), vector([1]), vector([0, 0, 1])),
        other={"x": vector([0, 1, 0])},
        **more,
    )
    yield case(
        "tied-strip",
        "P = diag(1, 0) and nothing else said of the second coordinate in [0, 1]",
        problem([[1, 0], [0, 0]], [-1, 0], G=[[0, 1], [0, -1]], h=[1, 0]),
        (vector([1, "1/2"]), vector([]), vector([0, 0])),
        other={"x": vector([1, 0])},
        **more,
    )


def infeasible() -> Iterator[Case]:
    """Constraints that contradict each other, with the combination that shows it."""
    yield failing(
        "two-walls",
        "x ≥ 1 and x ≤ -1",
        problem([[1]], [0], G=[[-1], [1]], h=[-1, -1]),
        {"nu": [], "lam": [1, 1]},
    )
    yield failing(
        "empty-triangle",
        "x ≥ 6, y ≥ 6 and x + y ≤ 11",
        problem(eye(2), [0, 0], G=[[-1, 0], [0, -1], [1, 1]], h=[-6, -6, 11]),
        {"nu": [], "lam": [1, 1, 1]},
    )
    rows = {"A": [[1, 1], [0, 1], [-1, 1]], "b": [1, 1, -1]}
    yield failing(
        "three-equalities",
        "x + y = 1, y = 1 and y - x = -1 with x, y ≥ 0",
        problem(eye(2), [0, 0], **rows, G=eye(2, -1), h=[0, 0]),
        {"nu": [1, -2, 1], "lam": [0, 0]},
    )
    yield failing(
        "one-variable-two-values",
        "x = 1 and x = -1",
        problem([[1]], [0], A=[[1], [1]], b=[1, -1]),
        {"nu": [-1, 1], "lam": []},
    )
    yield failing(
        "impossible-row",
        "0ᵀx ≤ -1",
        problem(eye(2), [1, 1], G=[[0, 0], [1, 0]], h=[-1, 1]),
        {"nu": [], "lam": [1, 0]},
    )
    yield failing(
        "infeasible-lp",
        "x + y ≥ 3 inside the unit square",
        problem(ZERO, [1, 1], G=[[-1, -1], *eye(2)], h=[-3, 1, 1]),
        {"nu": [], "lam": [1, 1, 1]},
    )


def unbounded() -> Iterator[Case]:
    """Directions in which the objective falls for ever."""
    yield failing(
        "falling-plane",
        "min x1 - 2x2 + x3 with x1 + x2 ≥ 0 and x3 = 1",
        problem(
            [[0] * 3] * 3, [1, -2, 1], A=[[0, 0, 1]], b=[1], G=[[-1, -1, 0]], h=[0]
        ),
        {"x": [0, 0, 1], "d": [0, 1, 0]},
    )
    yield failing(
        "falling-line",
        "min x with x ≤ 1",
        problem([[0]], [1], G=[[1]], h=[1]),
        {"x": [0], "d": [-1]},
    )
    yield failing(
        "falling-trough",
        "P = diag(1, 0), and the cost falls along the trough",
        problem([[1, 0], [0, 0]], [0, -1], G=[[0, -1]], h=[0]),
        {"x": [0, 0], "d": [0, 1]},
    )


def degenerate() -> list[Case]:
    """Every case that is solved and lacks a hypothesis, or is close to lacking one."""
    return [*kinks(), *dependent(), *tied()]


def without_solution() -> list[Case]:
    """Every infeasible or unbounded case."""
    return [*infeasible(), *unbounded()]
