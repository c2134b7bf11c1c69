"""Exercises on certificates, gradients and the active set.

Chapter: optnet.md. Theorems: qp-gradients, qp-optimality, qp-active-set.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, returning
from companion.exercises.optnet.frame import adjoint, far, instances


def _gap(answer: Answer) -> str | None:
    for problem, sol in instances():
        z = sol.x + np.random.default_rng(9).normal(size=problem.n)
        d = z - sol.x
        slope = sol.lam @ (problem.h - problem.G @ z)
        want, got = d @ problem.P @ d / 2 + slope, answer(problem, sol, z)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not far(got, d @ problem.P @ d + slope):
            return "The quadratic term is twice too large: the objective has a ½."
        if not far(got, want - 2 * slope):
            return "The multipliers' term has the wrong sign: slack is h − Gz."
        if not far(got, want - slope):
            return (
                "The multipliers' term is missing: constraints carry part of the gap."
            )
        if far(got, want):
            return f"Expected {want:.6g} on a random instance, got {got:.6g}."
    return None


def _grad_G(answer: Answer) -> str | None:
    for problem, sol in instances():
        g = np.random.default_rng(3).normal(size=problem.n)
        d, grads = adjoint(problem, sol, g)
        got, lam = answer(sol.x, sol.lam, d.x, d.lam), sol.lam
        outer = np.outer(d.lam, sol.x)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not far(got, outer + np.outer(lam**2, d.x)):
            return "The multipliers enter squared: this is eq. (8) as printed."
        if not far(got, grads.G.T):
            return "The matrix is transposed: rows belong to constraints."
        if not far(got, outer):
            return "A term is missing: G stands in stationarity as well."
        if far(got, grads.G):
            return "The matrix differs from the reference gradient."
    return None


def _grad_P(answer: Answer) -> str | None:
    for problem, sol in instances():
        d, grads = adjoint(problem, sol, np.ones(problem.n))
        got = answer(sol.x, d.x)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not far(got, np.outer(d.x, sol.x)):
            return "The matrix is not symmetric: project onto symmetric matrices."
        if not far(got, 2 * grads.P):
            return "Every entry is doubled: the projection is a mean, with a ½."
        if not far(got, -grads.P):
            return "The sign is reversed: the adjoint already carries the minus."
        if far(got, grads.P):
            return "The matrix differs from the reference gradient."
    return None


def _active(answer: Answer) -> str | None:
    for problem, sol in instances():
        got, active = answer(problem, sol), sol.lam > 0
        C = np.vstack([problem.A, problem.G[active]])
        free = np.linalg.inv(problem.P)
        want = -np.linalg.inv(
            np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
        )[: problem.n, : problem.n]
        if got is None:
            return "Nothing came back: the stub returns None."
        if not far(got, -free):
            return "The constraints are ignored: this is the unconstrained derivative."
        if not far(got, -want):
            return "The sign is reversed: a larger q pushes x away."
        if far(np.asarray(got) @ C.T, np.zeros((problem.n, len(C)))):
            return (
                "The answer leaves the active rows: "
                "inactive rows must drop out and active ones stay."
            )
        if far(got, want):
            return "The matrix differs from the block inverse."
    return None


def _shared(answer: Answer) -> str | None:
    rows = np.random.default_rng(4).normal(size=(5, 3))
    got = answer(rows)
    if got is None:
        return "Nothing came back: the stub returns None."
    if not far(got, rows.mean(0)):
        return "This is a mean: it is too small by the size of the batch."
    if not far(got, rows.sum()):
        return "The entries of the parameter are added too: sum the batch axis only."
    if not far(got, rows[0]):
        return "Only the first instance counts: every instance pulls on the parameter."
    return "The vector is not the sum." if far(got, rows.sum(0)) else None


INVERSE = (
    "(lambda C, n: {sign}np.linalg.inv(np.block([[problem.P, C.T], "
    "[C, np.zeros((len(C), len(C)))]]))[:n, :n])"
    "(np.vstack([problem.A, {rows}]), problem.n)"
)

EXERCISES = (
    returning(
        "optnet-ex-gap",
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
    returning(
        "optnet-ex-shared",
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
    returning(
        "optnet-ex-grad-P",
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
    returning(
        "optnet-ex-grad-G",
        "The gradient in G from x, lam, d_x and d_lam (★★).",
        ("grad_G", "x, lam, dx, dlam"),
        "np.outer(dlam, x) + np.outer(lam, dx)",
        (
            ("np.outer(dlam, x) + np.outer(lam**2, dx)", "squared"),
            ("np.outer(x, dlam) + np.outer(dx, lam)", "transposed"),
            ("np.outer(dlam, x)", "stationarity"),
        ),
        _grad_G,
        (
            "G appears twice in the KKT conditions.",
            "The force Gᵀλ gives λd_xᵀ; the other place is the wall Gx ≤ h.",
        ),
    ),
    returning(
        "optnet-ex-jacobian",
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
