"""Exercises of the chapter on QP layers.

Chapter: optnet.md. Theorems: qp-gradients, qp-optimality, qp-active-set.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from companion import sampling
from companion.exercises import Answer, Exercise
from companion.reference import qp

CLOSE = 1e-7  # relative; answers and solutions differ by rounding only


def _instances() -> list:
    return [sampling.qp(np.random.default_rng(seed)) for seed in range(3)]


def _adjoint(problem, sol, g):
    """(d_x, d_nu, d_lam) as the chapter writes them, from the reference gradients."""
    grads = qp.vjp(problem, sol, g)
    return SimpleNamespace(x=grads.q, nu=-grads.b, lam=-grads.h), grads


def _far(got, want) -> bool:
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return True
    return bool(np.abs(got - want).max(initial=0) > CLOSE * (1 + np.abs(want).max()))


def _gap(answer: Answer) -> str | None:
    for problem, sol in _instances():
        z = sol.x + np.random.default_rng(9).normal(size=problem.n)
        d = z - sol.x
        slope = sol.lam @ (problem.h - problem.G @ z)
        want, got = d @ problem.P @ d / 2 + slope, answer(problem, sol, z)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, d @ problem.P @ d + slope):
            return "The quadratic term is twice too large: the objective has a ½."
        if not _far(got, want - 2 * slope):
            return "The multipliers' term has the wrong sign: slack is h − Gz."
        if not _far(got, want - slope):
            return (
                "The multipliers' term is missing: constraints carry part of the gap."
            )
        if _far(got, want):
            return f"Expected {want:.6g} on a random instance, got {got:.6g}."
    return None


def _grad_G(answer: Answer) -> str | None:
    for problem, sol in _instances():
        g = np.random.default_rng(3).normal(size=problem.n)
        d, grads = _adjoint(problem, sol, g)
        got, lam = answer(sol.x, sol.lam, d.x, d.lam), sol.lam
        outer = np.outer(d.lam, sol.x)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, outer + np.outer(lam**2, d.x)):
            return "The multipliers enter squared: this is eq. (8) as printed."
        if not _far(got, grads.G.T):
            return "The matrix is transposed: rows belong to constraints."
        if not _far(got, outer):
            return "A term is missing: G stands in stationarity as well."
        if _far(got, grads.G):
            return "The matrix differs from the reference gradient."
    return None


def _grad_P(answer: Answer) -> str | None:
    for problem, sol in _instances():
        d, grads = _adjoint(problem, sol, np.ones(problem.n))
        got = answer(sol.x, d.x)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, np.outer(d.x, sol.x)):
            return "The matrix is not symmetric: project onto symmetric matrices."
        if not _far(got, 2 * grads.P):
            return "Every entry is doubled: the projection is a mean, with a ½."
        if not _far(got, -grads.P):
            return "The sign is reversed: the adjoint already carries the minus."
        if _far(got, grads.P):
            return "The matrix differs from the reference gradient."
    return None


def _active(answer: Answer) -> str | None:
    for problem, sol in _instances():
        got, active = answer(problem, sol), sol.lam > 0
        C = np.vstack([problem.A, problem.G[active]])
        free = np.linalg.inv(problem.P)
        want = -np.linalg.inv(
            np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
        )[: problem.n, : problem.n]
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, -free):
            return "The constraints are ignored: this is the unconstrained derivative."
        if not _far(got, -want):
            return "The sign is reversed: a larger q pushes x away."
        if _far(np.asarray(got) @ C.T, np.zeros((problem.n, len(C)))):
            return (
                "The answer leaves the active rows: "
                "inactive rows must drop out and active ones stay."
            )
        if _far(got, want):
            return "The matrix differs from the block inverse."
    return None


def _shared(answer: Answer) -> str | None:
    rows = np.random.default_rng(4).normal(size=(5, 3))
    got = answer(rows)
    if got is None:
        return "Nothing came back: the stub returns None."
    if not _far(got, rows.mean(0)):
        return "This is a mean: it is too small by the size of the batch."
    if not _far(got, rows.sum()):
        return "The entries of the parameter are added too: sum the batch axis only."
    if not _far(got, rows[0]):
        return "Only the first instance counts: every instance pulls on the parameter."
    return "The vector is not the sum." if _far(got, rows.sum(0)) else None


def _source(function: str, arguments: str, body: str) -> str:
    return f"import numpy as np\n\n\ndef {function}({arguments}):\n    return {body}\n"


def _exercise(name, prompt, call, solution, wrong, test, hints) -> Exercise:  # noqa: PLR0913
    function, arguments = call
    return Exercise(
        label=f"optnet-ex-{name}",
        function=function,
        prompt=prompt,
        stub=_source(function, arguments, "None"),
        solution=_source(function, arguments, solution),
        wrong=tuple((_source(function, arguments, w), d) for w, d in wrong),
        checks=(test,),
        hints=hints,
    )


INVERSE = (
    "(lambda C, n: {sign}np.linalg.inv(np.block([[problem.P, C.T], "
    "[C, np.zeros((len(C), len(C)))]]))[:n, :n])"
    "(np.vstack([problem.A, {rows}]), problem.n)"
)

EXERCISES = (
    _exercise(
        "gap",
        "The gap p(z) − p(x) at a point z with Az = b, from the multipliers (★).",
        ("gap", "problem, sol, z"),
        "(z - sol.x) @ problem.P @ (z - sol.x) / 2"
        " + sol.lam @ (problem.h - problem.G @ z)",
        (
            (
                "(z - sol.x) @ problem.P @ (z - sol.x)"
                " + sol.lam @ (problem.h - problem.G @ z)",
                "twice too large",
            ),
            (
                "(z - sol.x) @ problem.P @ (z - sol.x) / 2"
                " - sol.lam @ (problem.h - problem.G @ z)",
                "wrong sign",
            ),
            ("(z - sol.x) @ problem.P @ (z - sol.x) / 2", "term is missing"),
        ),
        _gap,
        ("Expand p(z) about x.", "Replace Px + q by −Aᵀnu − Gᵀlam."),
    ),
    _exercise(
        "shared",
        "The gradient of a parameter shared by a batch, from one row an instance (★).",
        ("shared", "rows"),
        "rows.sum(axis=0)",
        (
            ("rows.mean(axis=0)", "a mean"),
            ("rows.sum()", "entries of the parameter"),
            ("rows[0]", "first instance"),
        ),
        _shared,
        ("Differentiate a sum of losses.", "The chain rule adds over the uses."),
    ),
    _exercise(
        "grad-P",
        "The gradient in P from x and d_x (★★).",
        ("grad_P", "x, dx"),
        "(np.outer(dx, x) + np.outer(x, dx)) / 2",
        (
            ("np.outer(dx, x)", "not symmetric"),
            ("np.outer(dx, x) + np.outer(x, dx)", "doubled"),
            ("-(np.outer(dx, x) + np.outer(x, dx)) / 2", "sign is reversed"),
        ),
        _grad_P,
        ("dP is symmetric.", "⟨M, dP⟩ sees the symmetric part of M only."),
    ),
    _exercise(
        "grad-G",
        "The gradient in G from x, lam, d_x and d_lam (★★).",
        ("grad_G", "x, lam, dx, dlam"),
        "np.outer(dlam, x) + np.outer(lam, dx)",
        (
            ("np.outer(dlam, x) + np.outer(lam**2, dx)", "squared"),
            ("np.outer(x, dlam) + np.outer(dx, lam)", "transposed"),
            ("np.outer(dlam, x)", "stationarity"),
        ),
        _grad_G,
        ("G appears twice in the KKT conditions.", "Add the two contributions."),
    ),
    _exercise(
        "jacobian",
        "The Jacobian of x in q from the active set (★★★).",
        ("jacobian", "problem, sol"),
        INVERSE.format(sign="-", rows="problem.G[sol.lam > 0]"),
        (
            ("-np.linalg.inv(problem.P)", "constraints are ignored"),
            (INVERSE.format(sign="", rows="problem.G[sol.lam > 0]"), "sign is"),
            (INVERSE.format(sign="-", rows="problem.G[:0]"), "leaves the active"),
        ),
        _active,
        ("Near the solution the active rows are equalities.", "Invert [P Cᵀ; C 0]."),
    ),
)
