"""The letters of an argmin that moves, and what holds at it, as rules between words.

X, N are the partial derivatives of a residual F in x and in θ, R the inverse of X; for
a minimizer X is the Hessian H, and N the mixed derivatives B.
"""

from __future__ import annotations

import sympy as sp

from companion.proofs.words import alphabet

W = alphabet(
    constant="X N R V g w H B G C A Z M Y S Q E J D v e a",
    latex={
        "X": "F_x",
        "N": r"F_\theta",
        "R": "F_x^{-1}",
        "V": "W^{-1}",
        "G": "H^{-1}",
        "t": r"\theta",
        "F": "F",
        "a": r"f_\theta",
        "e": "f_x",
        "C": r"f_{\theta\theta}",
        "Y": r"(Z^{\mathsf T}HZ)^{-1}",
        "S": "(AH^{-1}A^{\\mathsf T})^{-1}",
        "nu": r"\nu",
    },
    x="n one",
    t="k one",
    F="n one",
    W="n n",
    V="n n",
    X="n n",
    N="n k",
    R="n n",
    g="n one",  # gradient of the loss in x
    w="n one",  # the adjoint
    H="n n symmetric",
    G="n n symmetric",
    B="n k",
    C="k k symmetric",
    a="k one",  # f_θ
    e="n one",  # f_x
    A="p n",
    b="p one",
    nu="p one",
    u="r one",
    Z="n r",
    Y="r r symmetric",
    S="p p symmetric",
    M="r n",
    Q="n n symmetric",
    E="n k",
    J="n k",
    D="n n",
    v="n one",
)
T, d = W.T, W.d
X, N, R, V, F, g, w, H, G, B = W("X N R V F g w H G B")
dx, dt, dF, x, t = W("dx dt dF x t")

INVERSE = W.inverse("Fₓ is invertible", X, R)
HESSIAN = W.inverse("H is invertible", H, G)
MOVES = W.rule("the differential of F(x, θ) = 0", X * dx, -N * dt)
STATIONARY_MOVES = W.rule("the differential of fₓ = 0", H * dx, -B * dt)
ROOT = W.rule("F = 0", F, sp.S.Zero)
ADJOINT = W.rule("Fₓᵀw = g", g, T(X) * w)
