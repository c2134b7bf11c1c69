r"""The letters of the chapter and its hypotheses as rules between words.

A quadratic with equalities has the minimizer y and multipliers n; the penalty with
weight rho has the minimizer x and leaves the violation v.  The letter R stands for
(I + rho S)⁻¹ with S = AP⁻¹Aᵀ, and H for P⁻¹.
"""

from __future__ import annotations

import sympy as sp

from companion.proofs.words import alphabet

rho = sp.Symbol("rho", positive=True)
W = alphabet(
    latex={
        "x": r"x_\rho",
        "y": r"x^\star",
        "n": r"\nu^\star",
        "v": r"v_\rho",
        "w": "w",
        "H": "P^{-1}",
        "R": r"(I + \rho S)^{-1}",
    },
    P="n n symmetric",
    H="n n symmetric",
    A="p n",
    R="p p symmetric",
    q="n one",
    b="p one",
    x="n one",
    y="n one",
    n="p one",
    v="p one",
    w="p one",
)
T = W.T
P, H, A, R, q, b, x, y, n, v, w = W("P H A R q b x y n v w")
S = A * H * T(A)
INVERSE = W.inverse("P is invertible", P, H)
FEASIBLE = W.rule("the constrained minimizer is feasible", A * y, b)
STATIONARY = W.rule("stationarity of the constrained minimizer", P * y, -q - T(A) * n)
VIOLATION = W.rule("definition of the violation", A * x, b + v)
SOFT = W.rule("stationarity of the penalized minimizer", P * x, -q - rho * T(A) * v)
RESOLVENT = W.rule("R is the inverse of I + rho S", S * R, (1 - R) / rho)
