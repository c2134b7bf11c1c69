"""The letters of the denoiser and the optimality conditions as rules between words.

The rows of the operator split into E, whose multipliers u lie inside the bounds, and B,
whose multipliers are l·s, the strength times a vector of signs.
"""

from __future__ import annotations

import sympy as sp

from companion.proofs.words import alphabet

HALF = sp.Rational(1, 2)
W = alphabet(
    constant="s g v t a c",
    latex={
        "l": r"\lambda",
        "a": r"\lambda\|Dx\|_1",
        "v": "(Pg)",
        "E": "D_S",
        "B": "D_B",
    },
    D="k n",
    w="k one",
    x="n one",
    a="one one",  # λ‖Dx‖₁ at the candidate x
    E="f n",
    B="r n",
    u="f one",
    s="r one",
    l="one one symmetric",
    y="n one",
    z="n one",
    g="n one",  # gradient of the loss in z
    v="n one",  # its projection, g − Eᵀt
    t="f one",
)
T = W.T
D, w, x, a, E, B, u, s, l, y, z, g, v, t = W("D w x a E B u s l y z g v t")
dE, dB, du, dl, dy, dz = W("dE dB du dl dy dz")
SPLIT = W.rule("g = Pg + D_Sᵀt", g, v + T(E) * t)
ORTHOGONAL = W.rule("D_S Pg = 0", E * v, sp.S.Zero)
FUSED = W.rule("D_S z = 0", E * z, sp.S.Zero)
FUSED_MOVES = W.rule("d(D_S z) = 0", E * dz, -dE * z)
MOTION = [dy, -T(dE) * u, -T(E) * du, -T(dB) * s * l, -T(B) * s * dl]
MOVES = W.rule("differential of z = y − Dᵀw", dz, MOTION)
