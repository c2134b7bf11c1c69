"""The exercises of duality.md on bounds, prices, dual programs and Slater's point."""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise, far, source


# ------------------------------------------------------------------------- bound
def _certified(seed: int) -> tuple[np.ndarray, ...]:
    """(P, q, A, b, G, h, u, nu, lam) with u stationary for the multipliers."""
    rng = np.random.default_rng(seed)
    F, A, G = (rng.integers(-2, 3, s).astype(float) for s in ((3, 3), (1, 3), (2, 3)))
    u, nu, lam = rng.standard_normal(3), rng.standard_normal(1), rng.exponential(size=2)
    P = F.T @ F + np.eye(3)
    q = -(P @ u + A.T @ nu + G.T @ lam)
    return P, q, A, rng.standard_normal(1), G, rng.standard_normal(2), u, nu, lam


def _bound(answer: Answer) -> str | None:
    P, q, A, b, G, h, u, nu, lam = args = _certified(0)
    square, sides = u @ P @ u / 2, b @ nu + h @ lam
    got = answer(*args)
    if not far(got, -2 * square - sides):
        return "The quadratic term lacks its ½."
    if not far(got, -square + sides):
        return "The right sides are subtracted: L has −bᵀnu and −hᵀlam."
    if far(got, -square - sides):
        return "Not −½uᵀPu − bᵀnu − hᵀlam."
    turned = -lam
    moved = -(P @ u + A.T @ nu + G.T @ turned)
    if not np.isneginf(answer(P, moved, A, b, G, h, u, nu, turned)):
        return "A negative entry of lam certifies nothing: return -np.inf then."
    if not np.isneginf(answer(P, q + 1, A, b, G, h, u, nu, lam)):
        return "Where Pu + q + Aᵀnu + Gᵀlam ≠ 0 there is no bound: return -np.inf."
    return None


BOUND_HEAD = "bound(P, q, A, b, G, h, u, nu, lam)"
BOUND_LINES = (
    "residual = P @ u + q + A.T @ nu + G.T @ lam",
    "if np.any(lam < 0) or np.max(np.abs(residual)) > 1e-9:",
    "    return -np.inf",
    "return -u @ P @ u / 2 - b @ nu - h @ lam",
)
BOUND = Exercise(
    label="duality-ex-bound",
    function="bound",
    prompt="The lower bound that (u, nu, lam) certifies, or minus infinity.",
    stub=f"def {BOUND_HEAD}:\n    return None\n",
    solution=source(BOUND_HEAD, *BOUND_LINES),
    wrong=(
        (source(BOUND_HEAD, "return -u @ P @ u - b @ nu - h @ lam"), "½"),
        (source(BOUND_HEAD, "return -u @ P @ u / 2 + b @ nu + h @ lam"), "subtracted"),
        (source(BOUND_HEAD, BOUND_LINES[-1]), "negative entry"),
    ),
    checks=(_bound,),
    hints=(
        "Two conditions first: the sign of lam, and stationarity at u.",
        "Put Pu = −(q + Aᵀnu + Gᵀlam) into L(u, nu, lam).",
    ),
)


# ------------------------------------------------------------------------ prices
def _prices(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    nu, s = np.array([-0.7, 1.2]), np.array([0.5, 0.3])
    lam, t = rng.exponential(size=3), rng.standard_normal(3)
    got, value = answer(7.0, nu, lam, s, t), 7.0
    if not far(got, value - nu @ s - lam @ t):
        return None
    if not far(got, value + nu @ s + lam @ t):
        return "A larger right side loosens a row: the value falls, so subtract."
    if not far(got, value - lam @ t):
        return "The equalities moved as well: nu has its share."
    if not far(got, value - abs(nu) @ s - lam @ t):
        return "nu keeps its sign: it may be negative."
    return "Not value − nuᵀs − lamᵀt."


PRICE_HEAD = "floor(value, nu, lam, s, t)"
PRICES = Exercise(
    label="duality-ex-prices",
    function="floor",
    prompt="A floor under the value with right sides b + s and h + t.",
    stub=f"def {PRICE_HEAD}:\n    return None\n",
    solution=source(PRICE_HEAD, "return value - nu @ s - lam @ t"),
    wrong=(
        (source(PRICE_HEAD, "return value + nu @ s + lam @ t"), "subtract"),
        (source(PRICE_HEAD, "return value - lam @ t"), "equalities"),
        (source(PRICE_HEAD, "return value - np.abs(nu) @ s - lam @ t"), "sign"),
    ),
    checks=(_prices,),
    hints=("The bound −½uᵀPu − bᵀnu − hᵀlam is linear in b and h.",),
)


# -------------------------------------------------------------------------- dual
def _dual(answer: Answer) -> str | None:
    P, q, _, _, G, h, *_ = _certified(2)
    got = answer(P, q, G, h)
    if got is None or len(got) != 2:
        return "Return the matrix M and the vector c of min ½lamᵀM lam + cᵀlam."
    M, c = got
    H = np.linalg.inv(P)
    if np.shape(M) != (2, 2):
        return "M has one row and column for each multiplier: G P⁻¹ Gᵀ."
    if not far(M, G @ P @ G.T):
        return "The matrix of the dual holds the inverse of P."
    if far(M, G @ H @ G.T):
        return "M is not G P⁻¹ Gᵀ."
    if not far(c, h):
        return "The linear term forgets q: it holds G P⁻¹ q as well."
    if not far(c, -(h + G @ H @ q)):
        return (
            "The dual is maximized; as a minimization its linear term is h + G P⁻¹ q."
        )
    return "c is not h + G P⁻¹ q." if far(c, h + G @ H @ q) else None


DUAL_HEAD = "dual(P, q, G, h)"
SOLVE = "H = np.linalg.inv(P)"
DUAL = Exercise(
    label="duality-ex-dual",
    function="dual",
    prompt="M and c of the dual min ½lamᵀM lam + cᵀlam over lam ≥ 0.",
    stub=f"def {DUAL_HEAD}:\n    return None\n",
    solution=source(DUAL_HEAD, SOLVE, "return G @ H @ G.T, h + G @ H @ q"),
    wrong=(
        (source(DUAL_HEAD, "return G @ P @ G.T, h + G @ P @ q"), "inverse"),
        (source(DUAL_HEAD, SOLVE, "return G @ H @ G.T, h"), "forgets q"),
        (source(DUAL_HEAD, SOLVE, "return G @ H @ G.T, -h - G @ H @ q"), "maximized"),
    ),
    checks=(_dual,),
    hints=("r = q + Gᵀlam in −½rᵀP⁻¹r − hᵀlam.", "Then turn the sign of everything."),
)


# ------------------------------------------------------------------------ blow-up
def _blowup(answer: Answer) -> str | None:
    for eps in (0.09, 0.01):
        got, root = answer(eps), np.sqrt(eps)
        if not far(got, 1 / root):
            return "That is Slater's bound; the multiplier itself is half of it."
        if not far(got, 1 / (2 * eps)):
            return "Stationarity is 1 + 2·lam·x = 0 at x = −√eps, not at −eps."
        if not far(got, -1 / (2 * root)):
            return "A multiplier of an inequality is not negative: x is −√eps."
        if far(got, 1 / (2 * root)):
            return "Not the lam with 1 + 2·lam·x = 0 at the solution x = −√eps."
    return None


BLOW_UP = Exercise(
    label="duality-ex-slater",
    function="price",
    prompt="The multiplier of min x subject to x² ≤ eps.",
    stub="def price(eps):\n    return None\n",
    solution=source("price(eps)", "return 1 / (2 * np.sqrt(eps))"),
    wrong=(
        (source("price(eps)", "return 1 / np.sqrt(eps)"), "half"),
        (source("price(eps)", "return 1 / (2 * eps)"), "Stationarity"),
        (source("price(eps)", "return -1 / (2 * np.sqrt(eps))"), "not negative"),
    ),
    checks=(_blowup,),
    hints=("The solution is x = −√eps.", "Then 1 + 2·lam·x = 0."),
)

EXERCISES = (BOUND, PRICES, DUAL, BLOW_UP)
