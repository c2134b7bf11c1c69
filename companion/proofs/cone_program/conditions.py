"""A cone program in words: its data, its solution, their differentials, an adjoint.

The program is min ½xᵀPx + qᵀx over Ax + s = b, s ∈ K.  A solution has y ∈ K* with
Px + Aᵀy + q = 0 and sᵀy = 0; v = y - s, and D is the derivative of the projection onto
K* at v.

Chapter: embedding.md, cone-derivative.md.
"""

from __future__ import annotations

import sympy as sp

from companion.proofs.inequalities import Semidefinite, Term
from companion.proofs.words import Alphabet, Sum, alphabet, total

HALF = sp.Rational(1, 2)

W = alphabet(
    constant="D w g gy gs r1 r2 d1 d2",
    latex={
        "g": "g_x", "gy": "g_y", "gs": "g_s", "r1": "r_1", "r2": "r_2",
        "d1": "d_1", "d2": "d_2",
    },
    P="n n symmetric",
    A="m n",
    D="m m symmetric",
    **dict.fromkeys(["q", "x", "w", "g", "r1", "d1"], "n one"),
    **dict.fromkeys(["b", "y", "s", "v", "gy", "gs", "r2", "d2"], "m one"),
)  # fmt: skip
P, A, D, q, x, w, b, y, s, v = W("P A D q x w b y s v")
g, gy, gs, r1, r2, d1, d2 = W("g gy gs r1 r2 d1 d2")
dP, dA, dq, dx, db, dy, ds, dv = W("dP dA dq dx db dy ds dv")
T = W.T

CURVED = Semidefinite(P, "P ⪰ 0")
FEASIBLE = W.rule("b = Ax + s", b, [A * x, s])
STATIONARY = W.rule("q = -Px - Aᵀy", q, [-P * x, -T(A) * y])
OPPOSITE = W.rule("sᵀy = 0", T(s) * y, sp.S.Zero)

# what a differentiable branch of solutions satisfies
D_STATIONARY = W.rule(
    "the differential of stationarity",
    T(A) * dy,
    [-P * dx, -dP * x, -T(dA) * y, -dq],
)
D_FEASIBLE = W.rule("the differential of Ax + s = b", ds, [db, -dA * x, -A * dx])
PROJECTED = W.rule("dy = D dv", dy, D * dv)
SPLIT = W.rule("ds = dy - dv", ds, [D * dv, -dv])

# [P AᵀD; -A I-D]ᵀ (r1, r2) = -(g, D(gy + gs) - gs), row by row
ADJOINT_X = W.rule("the first row of the adjoint", g, [-P * r1, T(A) * r2])
ADJOINT_V = W.rule(
    "the second row of the adjoint",
    D * A * r1,
    [-r2, D * r2, -D * gy, -D * gs, gs],
)


def pairing(alphabet: Alphabet, first: Sum, second: Sum, hypothesis: str) -> Term:
    """The term uᵀv of a vector in a cone and one in its dual cone."""
    word = sp.expand(alphabet.T(first) * total(second))
    return Term(word, hypothesis)
