"""The KKT conditions of a quadratic program as rules between words of any size.

min ½xᵀPx + qᵀx subject to Ax = b, Gx ≤ h, multipliers nu and lam; L = D(lam) and
S = D(Gx - h) are the diagonal matrices of complementary slackness.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from companion.proofs.registry import Step
from companion.proofs.words import alphabet

HALF = sp.Rational(1, 2)

W = alphabet(
    constant="S g z u v e w",
    latex={
        "nu": r"\nu",
        "lam": r"\lambda",
        "L": r"D(\lambda)",
        "dL": r"D(\mathrm{d}\lambda)",
        "S": "D(Gx-h)",
        "u": "d_x",
        "v": r"d_\nu",
        "e": "e",
        "w": r"d_\lambda",
    },
    P="n n symmetric",
    q="n 1",
    A="p n",
    b="p 1",
    G="m n",
    h="m 1",
    x="n 1",
    nu="p 1",
    lam="m 1",
    L="m m symmetric",
    S="m m symmetric",
    g="n 1",  # gradient of the loss with respect to x
    z="n 1",  # any feasible point
    u="n 1",  # the adjoint (u, e, v) of OptNet's own system, and w = L e
    v="p 1",
    e="m 1",
    w="m 1",
)
P, q, A, b, G, h, x, nu, lam, L, S, g, z, u, v, e, w = W(
    "P q A b G h x nu lam L S g z u v e w"
)
dP, dq, dA, db, dG, dh, dx, dnu, dlam, dL = W("dP dq dA db dG dh dx dnu dlam dL")
T, d = W.T, W.d

# The conditions at the solution, solved for one word each.
STATIONARY = W.rule("stationarity", q, [-P * x, -T(A) * nu, -T(G) * lam])
FEASIBLE = W.rule("Ax = b", A * x, b)
SLACK = W.rule("complementary slackness", T(lam) * G * x, T(lam) * h)
ANY_POINT = W.rule("Az = b", A * z, b)

# Their differentials, along a differentiable branch of solutions.
D_STATIONARY = W.rule(
    "the differential of stationarity",
    P * dx,
    [-dP * x, -dq, -T(dA) * nu, -T(A) * dnu, -T(dG) * lam, -T(G) * dlam],
)
D_FEASIBLE = W.rule("the differential of Ax = b", A * dx, db - dA * x)
D_SLACK = W.rule(
    "the differential of complementary slackness",
    L * G * dx,
    [L * dh, -L * dG * x, -S * dlam],
)
# D(a)b = D(b)a, the one fact about diagonal matrices that is needed
SWAP = W.rule("D(dlam)(Gx - h) = D(Gx - h)dlam", dL * G * x, S * dlam + dL * h)
# 1ᵀ times D_SLACK: lamᵀ(G dx + dG x - dh) = -(Gx - h)ᵀdlam, and that is zero where lam
# vanishes on the inactive rows for every nearby datum (strict complementarity)
ACTIVE = W.rule(
    "the active rows stay active", T(lam) * G * dx, T(lam) * dh - T(lam) * dG * x
)

# The adjoint system, the transpose of the differential one, with right side -(g, 0, 0).
ADJOINT_X = W.rule(
    "the first row of the adjoint system", g, [-P * u, -T(G) * L * e, -T(A) * v]
)
ADJOINT_LAM = W.rule("its second row", G * u, -S * e)
ADJOINT_NU = W.rule("its third row", A * u, sp.S.Zero)
SCALED = W.rule("d_lam = D(lam) e", L * e, w)

ENTERING = {"P": dP, "q": dq, "A": dA, "b": db, "G": dG, "h": dh}

# The gradients of a loss and of the optimal value, as the chapter states them.
GRADIENTS = {
    "P": HALF * (u * T(x) + x * T(u)),
    "q": u,
    "A": v * T(x) + nu * T(u),
    "b": -v,
    "G": w * T(x) + lam * T(u),
    "h": -w,
}
VALUE_GRADIENTS = {
    "P": HALF * x * T(x),
    "q": x,
    "A": nu * T(x),
    "b": -nu,
    "G": lam * T(x),
    "h": -lam,
}


def read_gradients(
    form: list[sp.Expr], claimed: dict[str, sp.Expr], of: str
) -> Iterator[Step]:
    """Gradients read off a form: rotate every trace until the letter stands last."""
    for name, letter in ENTERING.items():
        found = W.gradient(form, letter)
        assert W.equal(found, claimed[name]), f"the gradient in {name} is {found}"
        shown = rf"\nabla_{{\!{name}}}\,{of}"
        reason = "symmetric representative" if name == "P" else "rotation of the trace"
        yield Step(shown, W.latex(claimed[name]), reason)


# A second alphabet for the KKT matrix alone: C are the active rows, H and R inverses,
# (y, s) its unknowns, (r, t) its right side.
BLOCKS = alphabet(
    constant="P C H R y s r t",
    P="n n symmetric",
    C="k n",
    H="n n symmetric",
    R="k k symmetric",
    y="n 1",
    s="k 1",
    r="n 1",
    t="k 1",
)
