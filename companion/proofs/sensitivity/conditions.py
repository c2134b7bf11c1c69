"""The KKT conditions of a smooth parametrized program as rules between words.

minimize f₀(x, θ) subject to f(x, θ) ≤ 0 and e(x, θ) = 0.  Letters: c and J are the
derivatives of f₀ and f in x, A that of e; H = ∇²L in x and B = ∇²L in x and θ at fixed
multipliers; a, N and E are the derivatives of f₀, f and e in θ at fixed x.
"""

from __future__ import annotations

from companion.proofs.words import alphabet

W = alphabet(
    constant="H B a N E F w",
    latex={
        "v": r"f_0",
        "nu": r"\nu",
        "lam": r"\lambda",
        "theta": r"\theta",
        "c": r"\nabla f_0",
        "L": r"D(\lambda)",
        "dL": r"D(\mathrm{d}\lambda)",
        "F": "D(f)",
        "H": r"\nabla^2_{xx}L",
        "B": r"\nabla^2_{x\theta}L",
        "a": r"\partial_\theta f_0",
        "N": r"\partial_\theta f",
        "E": r"\partial_\theta e",
    },
    x="n 1",
    lam="m 1",
    nu="p 1",
    theta="k 1",
    v="1 1",
    c="n 1",
    f="m 1",
    e="p 1",
    J="m n",
    A="p n",
    L="m m symmetric",
    F="m m symmetric",
    H="n n symmetric",
    B="n k",
    a="1 k",
    N="m k",
    E="p k",
    w="m 1",
)
T, d = W.T, W.d
c, f, e, J, A, L, F, H, B, a, N, E, w = W("c f e J A L F H B a N E w")
x, lam, nu = W("x lam nu")
dx, dlam, dnu, dtheta, dL, dJ, dA = W("dx dlam dnu dtheta dL dJ dA")
dv, dc, df, de = W("dv dc df de")

RESIDUAL = {
    "stationarity": [c, T(J) * lam, T(A) * nu],
    "complementary slackness": [L * f],
    "feasibility": [e],
}
# the differential of each row, D_w g dw + D_theta g dtheta
ROWS = {
    "stationarity": [H * dx, T(J) * dlam, T(A) * dnu, B * dtheta],
    "complementary slackness": [L * J * dx, F * dlam, L * N * dtheta],
    "feasibility": [A * dx, E * dtheta],
}

# What H, B, N, E and a are, as chain rules.
GRADIENT = W.rule(
    "the chain rule for the gradient of L at fixed multipliers",
    dc,
    [H * dx, B * dtheta, -T(dJ) * lam, -T(dA) * nu],
)
INEQUALITIES = W.rule("the chain rule for f", df, [J * dx, N * dtheta])
EQUALITIES = W.rule("the chain rule for e", de, [A * dx, E * dtheta])
OBJECTIVE = W.rule("the chain rule for f₀", dv, [T(c) * dx, a * dtheta])
# D(a)b = D(b)a, the one fact about diagonal matrices that is needed
SWAP = W.rule("D(dλ)f = D(f)dλ", dL * f, F * dlam)
# At a solution and along a branch of solutions.
STATIONARY = W.rule("stationarity", c, [-T(J) * lam, -T(A) * nu])
# λᵢ dfᵢ + fᵢ dλᵢ = 0, and one of λᵢ, fᵢ is zero: if it is fᵢ, then λᵢ dfᵢ = 0
HELD = W.rule("λᵀdf = 0", T(lam) * J * dx, -T(lam) * N * dtheta)
FEASIBLE = W.rule("de = 0", A * dx, -E * dtheta)
