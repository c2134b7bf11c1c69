"""Exercises of the chapter on cones and the projections onto them.

Chapter: cones.md. Theorems: dual-cones, moreau-minty, projection-derivative,
soc-derivative, psd-derivative, exponential-derivative.
"""

from __future__ import annotations

import numpy as np

from companion import sampling
from companion.exercises import NOTHING, ROUNDING, Answer, far, returning
from companion.problems import Cones
from companion.reference import cones

PAIRED = Cones(zero=1, nonneg=2, soc=(3,), exp=1, power=(0.3,))


# ----------------------------------------------------------------------- witness
def _witness(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        u = rng.normal(size=3)
        y = np.r_[np.linalg.norm(u) * rng.uniform(-1.5, 0.95), u]
        got = answer(y)
        if got is None:
            return NOTHING
        x = np.asarray(got, float)
        if x.shape != y.shape:
            return f"Expected a point with {len(y)} entries, t first."
        if x[0] < np.linalg.norm(x[1:]) * (1 - ROUNDING):
            return "Your point is not in the cone: its t is below ‖w‖."
        if x @ y > 0:
            return "The product is positive: w has to point against that of y."
        if not x @ y < 0:
            return "The product is not negative, so this point is no witness."
    return None


# -------------------------------------------------------------------------- pair
def _pair(answer: Answer) -> str | None:
    def project(z: np.ndarray) -> np.ndarray:
        return cones.project(z, PAIRED)

    for z in np.random.default_rng(1).normal(size=(5, PAIRED.rows)):
        got = answer(z, project)
        if got is None:
            return NOTHING
        u, v = (np.asarray(part, float) for part in got)
        if far(u - v, z) and not far(u + v, z):
            return "u + v = z: your v is in the polar cone; its negative is in K*."
        if not far(v, project(-z)):
            return "Π(−z) is in K again, and K* is another cone."
        if not far((u, v), (project(z) - z, project(z))):
            return "The pair is exchanged: u is in K and v in K*."
        if far((u, v), (project(z), project(z) - z)):
            return "Not u in K and v in K* with uᵀv = 0 and u − v = z."
    return None


# -------------------------------------------------------------------------- dual
def _dual(answer: Answer) -> str | None:
    K = Cones(power=(0.3,))

    def derivative(v: np.ndarray) -> np.ndarray:
        return cones.derivative(v, K)

    for v in sampling.points("power", "between", range(4)):
        got, want = answer(v, derivative), cones.derivative_dual(v, K)
        if got is None:
            return NOTHING
        if not far(got, want):
            continue
        if not far(got, np.eye(3) - derivative(v)):
            return "Moreau at v: this is the derivative for the polar, not the dual."
        if not far(got, derivative(-v)):
            return "Π_K*(v) = v + Π(−v): the identity is missing, and a sign."
        if not far(got, np.eye(3) + derivative(-v)):
            return "The inner derivative of −v is −1: eigenvalues above 1 cannot be."
        return "Not the derivative of v + Π(−v)."
    return None


# ------------------------------------------------------------------------- apply
def _apply(answer: Answer) -> str | None:
    for x in sampling.points("soc", "between", range(4)):
        t, w = x[0], x[1:]
        dx = np.random.default_rng(3).normal(size=len(x))
        got = answer(t, w, dx[0], dx[1:])
        if got is None:
            return NOTHING
        got = np.r_[got[0], got[1]]
        k, u = t / np.linalg.norm(w), w / np.linalg.norm(w)
        want = cones.soc.derivative(x) @ dx
        twice = np.r_[0.0, k * u * (u @ dx[1:]) / 2]
        if not far(got, want):
            continue
        if not far(got, 2 * want):
            return "The factor ½ in front is missing."
        if not far(got, want + twice):
            return "The term −(t/r)u uᵀdw is missing: along u the map is steeper."
        if far(got[0], want[0]):
            return "The first entry is ½(dt + uᵀdw) with u = w/r, of length one."
        return "Not ½(u dt + (1 + t/r)dw − (t/r)u uᵀdw) in the second part."
    return None


# ----------------------------------------------------------------------- weights
def _weights(answer: Answer) -> str | None:
    for lam in ([3.0, 1.0, -1.0], [2.0, 2.0, -0.5], [-1.0, -2.0, 4.0], [1e-9, -3e-9]):
        got, want = answer(np.array(lam)), cones.psd.kept(np.array(lam))
        if got is None:
            return NOTHING
        if np.shape(got) != np.shape(want):
            return f"Expected a matrix of shape {want.shape}, one entry a pair."
        if not np.isfinite(got).all():
            return "Equal eigenvalues divide by zero: find the form without λ_i − λ_j."
        if not far(got, want):
            continue
        positive = (np.array(lam) > 0).astype(float)
        if not far(got, (positive[:, None] + positive) / 2):
            return "Mixed signs share by size: |λ| decides, ½ only where it is equal."
        if not far(got, np.outer(positive, positive)):
            return "Mixed pairs are not lost: eigenvectors turn, and carry λ₊ along."
        return f"For λ = {lam} the weights are not (λ_i₊ + λ_j₊)/(|λ_i| + |λ_j|)."
    return None


# ------------------------------------------------------------------------- share
def _share(answer: Answer) -> str | None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        rho, a, b = rng.uniform(-2, 2), *rng.uniform(0.2, 2, 2)
        P = np.array([rho, 1, np.exp(rho)])
        D = np.array([1, 1 - rho, -np.exp(-rho)])
        keeps, loses = a * np.exp(rho) * D @ D, b * np.exp(-rho) * P @ P
        got, want = answer(rho, a, b), keeps / (keeps + loses)
        if got is None:
            return NOTHING
        if not far(got, want):
            continue
        if not far(got, loses / (keeps + loses)):
            return "This is what is lost; the share is what the projection keeps."
        if not far(got, a / (a + b)):
            return "The speeds n·P′ and n·D′ differ: weigh a and b with them."
        if not far(got, a * P @ P / (a * P @ P + b * D @ D)):
            return "The lengths are exchanged: n·P′ = −e^ρ‖D‖², n·D′ = −e^−ρ‖P‖²."
        return f"At ρ = {rho:.2f}, a = {a:.2f}, b = {b:.2f} the share is {want:.6f}."
    return None


HALF = "(lambda r, u: ({first}, {rest}))(np.linalg.norm(w), w / np.linalg.norm(w))"
FIRST = "(dt + u @ dw) / 2"
PLUS = "(np.maximum(lam, 0)[:, None] + np.maximum(lam, 0))"
SPEEDS = (
    "(lambda P, D: {rest})(np.array([rho, 1, np.exp(rho)]), "
    "np.array([1, 1 - rho, -np.exp(-rho)]))"
)
KEEPS, LOSES = "a * np.exp(rho) * D @ D", "b * np.exp(-rho) * P @ P"

EXERCISES = (
    returning(
        "cones-ex-witness",
        "For y outside the second-order cone, t first, a point of the cone that has a "
        "negative product with it (★).",
        ("witness", "y"),
        "np.r_[np.linalg.norm(y[1:]), -y[1:]]",
        (
            ("np.r_[np.linalg.norm(y[1:]), y[1:]]", "product is positive"),
            ("-y", "not in the cone"),
            ("np.zeros_like(y)", "not negative"),
        ),
        _witness,
        ("Take w opposite to that of y.", "Put the point on the boundary."),
    ),
    returning(
        "cones-ex-pair",
        "The complementary pair (u, v) of z, by one projection onto K (★).",
        ("pair", "z, project"),
        "(project(z), project(z) - z)",
        (
            ("(project(z), z - project(z))", "polar cone"),
            ("(project(z), project(-z))", "another cone"),
            ("(project(z) - z, project(z))", "exchanged"),
        ),
        _pair,
        ("Moreau: z = Π(z) + something of the polar.", "K* is minus the polar."),
    ),
    returning(
        "cones-ex-dual",
        "The derivative of the projection onto the dual cone at v, from the function "
        "`derivative` of the cone itself (★).",
        ("derivative_dual", "v, derivative"),
        "np.eye(len(v)) - derivative(-v)",
        (
            ("np.eye(len(v)) - derivative(v)", "polar"),
            ("derivative(-v)", "identity is missing"),
            ("np.eye(len(v)) + derivative(-v)", "inner derivative"),
        ),
        _dual,
        ("Π_K*(v) = v + Π(−v).", "Differentiate, with the chain rule."),
    ),
    returning(
        "cones-ex-apply",
        "DΠ(x)dx for the second-order cone where |t| < ‖w‖, in O(n): a number and a "
        "vector (★★).",
        ("apply", "t, w, dt, dw"),
        HALF.format(
            first=FIRST, rest="(u * dt + (1 + t / r) * dw - t / r * u * (u @ dw)) / 2"
        ),
        (
            (
                HALF.format(
                    first="dt + u @ dw",
                    rest="u * dt + (1 + t / r) * dw - t / r * u * (u @ dw)",
                ),
                "factor ½",
            ),
            (
                HALF.format(first=FIRST, rest="(u * dt + (1 + t / r) * dw) / 2"),
                "steeper",
            ),
            (
                HALF.format(
                    first="(dt + w @ dw) / 2",
                    rest="(u * dt + (1 + t / r) * dw - t / r * u * (u @ dw)) / 2",
                ),
                "length one",
            ),
        ),
        _apply,
        ("Π = ½(1 + t/r)(r, w).", "dr = uᵀdw and d(t/r) = dt/r − t dr/r²."),
    ),
    returning(
        "cones-ex-weights",
        "The matrix B for the semidefinite cone from the eigenvalues lam, none of "
        "them zero (★★).",
        ("weights", "lam"),
        f"{PLUS} / (np.abs(lam)[:, None] + np.abs(lam))",
        (
            ("((lam > 0)[:, None] * 1.0 + (lam > 0)) / 2", "share by size"),
            ("np.outer(lam > 0, lam > 0) * 1.0", "not lost"),
            (
                "(lambda p: np.divide(p[:, None] - p, lam[:, None] - lam, "
                "out=np.full((len(lam),) * 2, np.nan), where=lam[:, None] != lam))"
                "(np.maximum(lam, 0))",
                "without λ_i − λ_j",
            ),
        ),
        _weights,
        ("|X| dP + dP |X| = P dX + dX P.", "Write down its entry ij."),
    ),
    returning(
        "cones-ex-share",
        "For v = aP(ρ) + bD(ρ) outside the exponential cone, the eigenvalue of DΠ(v) "
        "between 0 and 1 (★★★).",
        ("share", "rho, a, b"),
        SPEEDS.format(rest=f"{KEEPS} / ({KEEPS} + {LOSES})"),
        (
            (SPEEDS.format(rest=f"{LOSES} / ({KEEPS} + {LOSES})"), "what is lost"),
            ("a / (a + b)", "weigh a and b"),
            (SPEEDS.format(rest="a * P @ P / (a * P @ P + b * D @ D)"), "exchanged"),
        ),
        _share,
        ("Which part of dv = da P + db D + (aP′ + bD′)dρ has a product with P × D?",
         "(P × D)·P′ = −e^ρ‖D‖²."),
    ),
)  # fmt: skip
