"""The Lagrangian of a quadratic program in words of any size.

L = ½xᵀPx + qᵀx + nuᵀ(Ax - b) + lamᵀ(Gx - h); u is a point where L(·, nu, lam) is
stationary, r = q + Aᵀnu + Gᵀlam its slope at zero, H the inverse of P, (s, t) a change
of the right sides (b, h), w a direction, (mu, kap) a second pair of multipliers.
"""

from __future__ import annotations

import sympy as sp

from companion.proofs.inequalities import Nonnegative, Semidefinite
from companion.proofs.words import Sum, alphabet

HALF = sp.Rational(1, 2)
TAU = sp.Symbol("tau", positive=True)  # a step length

W = alphabet(
    constant="P q A b G h x u nu lam r H s t w mu kap",
    latex={"nu": r"\nu", "lam": r"\lambda", "mu": r"\mu", "kap": r"\kappa"}
    | {"H": "P^{-1}"},
    P="n n symmetric",
    q="n 1",
    A="p n",
    b="p 1",
    G="m n",
    h="m 1",
    x="n 1",
    u="n 1",
    nu="p 1",
    lam="m 1",
    r="n 1",
    H="n n symmetric",
    s="p 1",
    t="m 1",
    w="n 1",
    mu="p 1",
    kap="m 1",
)
P, q, A, b, G, h, x, u, nu, lam, r, H, s, t, w, mu, kap = W(
    "P q A b G h x u nu lam r H s t w mu kap"
)
T = W.T

STATIONARY = W.rule("stationarity", q, [-P * u, -T(A) * nu, -T(G) * lam])
AT_X = W.rule("stationarity", q, [-P * x, -T(A) * nu, -T(G) * lam])
FEASIBLE = W.rule("Ax = b", A * x, b)
SLACK = W.rule("complementary slackness", T(lam) * G * x, T(lam) * h)
SLOPE = W.rule("r = q + Aᵀν + Gᵀλ", q, [r, -T(A) * nu, -T(G) * lam])
INVERSE = W.inverse("P is invertible", P, H)

CURVED = Semidefinite(P, "P is positive semidefinite")
PRICES = Nonnegative(lam, "λ ≥ 0")
ROOM = Nonnegative(h - G * x, "Gx ≤ h")

DUAL = [-HALF * T(u) * P * u, -T(b) * nu, -T(h) * lam]


def objective(y: Sum) -> list[sp.Expr]:
    """½yᵀPy + qᵀy."""
    return [sp.expand(HALF * T(y) * P * y), sp.expand(T(q) * y)]


def lagrangian(y: sp.Expr, nu_: sp.Expr = nu, lam_: sp.Expr = lam) -> list[sp.Expr]:
    """L(y, nu, lam), term by term."""
    equalities, inequalities = A * y - b, G * y - h
    return [
        *objective(y),
        sp.expand(T(nu_) * equalities),
        sp.expand(T(lam_) * inequalities),
    ]


def minus(terms: list[sp.Expr]) -> list[sp.Expr]:
    """The terms with their signs turned."""
    return [-term for term in terms]
