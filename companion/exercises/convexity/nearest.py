"""Nearest points: their certificate, normals, dual cones and squared distances."""

from __future__ import annotations

import numpy as np

from companion import gradcheck
from companion.exercises import Answer, Exercise, source

ROUNDING = 1e-9  # on answers of order one to ten


def _far(got: object, want: object) -> bool:
    try:
        got, want = np.asarray(got, float), np.asarray(want, float)
    except (TypeError, ValueError):
        return True
    return got.shape != want.shape or not np.all(np.abs(got - want) <= ROUNDING)


# ----------------------------------------------------------------------- certify
def _certify(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    corners, v, p = rng.standard_normal((5, 2)), *rng.standard_normal((2, 2))
    each, got = (corners - p) @ (v - p), answer(v, p, corners)
    if not _far(got, each.max()):
        return None
    if not _far(got, (-each).max()):
        return "The sign is turned: the arrow goes from p to v."
    if not _far(got, (corners @ (v - p)).max()):
        return "Measure the corners from p: the second arrow is z - p."
    if not _far(got, each.mean()) or not _far(got, each.sum()):
        return "One acute angle is enough to refute p: take the largest, no average."
    return "Not the largest (v-p)ᵀ(z-p) over the corners z."


CERTIFY_HEAD = "certificate(v, p, corners)"
CERTIFY = Exercise(
    label="convexity-ex-certify",
    function="certificate",
    prompt="The largest (v-p)ᵀ(z-p) over a polygon with the given corners (rows).",
    stub="def certificate(v, p, corners):\n    return None\n",
    solution=source(CERTIFY_HEAD, "return np.max((corners - p) @ (v - p))"),
    wrong=(
        (source(CERTIFY_HEAD, "return np.max((corners - p) @ (p - v))"), "sign"),
        (source(CERTIFY_HEAD, "return np.max(corners @ (v - p))"), "from p"),
        (source(CERTIFY_HEAD, "return np.mean((corners - p) @ (v - p))"), "largest"),
    ),
    checks=(_certify,),
    hints=(
        "The expression is linear in z.",
        "A linear function is largest at a corner.",
    ),
)


# ------------------------------------------------------------------------ normal
G = np.array([[1.0, 2], [-1, 0], [0, -1], [1, -1]])
h = np.array([6.0, 0, 0, 3])


def _normal(answer: Answer) -> str | None:
    x = np.array([4.0, 1.0])  # rows 0 and 3 are active
    lam = np.array([0.5, 0, 0, 2.0])
    got = answer(G, h, x, G.T @ lam)
    if got is None or _far(got, lam):
        return "A normal has weights, one for each row: zero where it is not active."
    if answer(G, h, x, -G[0]) is not None:
        return "A negative weight pulls outwards: such an arrow is no normal."
    edge = np.array([2.0, 2.0])  # row 0 alone is active
    if answer(G, h, edge, np.array([1.0, 0])) is not None:
        return "The weights do not give g: compare G.T @ lam with g before you answer."
    if answer(G, h, np.array([0.0, 1.0]), G[0]) is not None:
        return "Rows that are not active hold nothing: use those with Gx = h only."
    return None


def _normal_source(active: str, test: str) -> str:
    return source(
        "weights(G, h, x, g)",
        f"rows = {active}",
        "lam = np.zeros(len(h))",
        "lam[rows] = np.linalg.lstsq(G[rows].T, g, rcond=None)[0]",
        f"return lam if {test} else None",
    )


ACTIVE = "np.abs(h - G @ x) < 1e-9"
FITS, SIGNS = "np.allclose(G.T @ lam, g)", "lam.min() > -1e-9"
NORMAL = Exercise(
    label="convexity-ex-normal",
    function="weights",
    prompt="Weights lam ≥ 0 on the active rows with Gᵀlam = g; None if g is no normal.",
    stub="def weights(G, h, x, g):\n    return None\n",
    solution=_normal_source(ACTIVE, f"{FITS} and {SIGNS}"),
    wrong=(
        (_normal_source("np.full(len(h), True)", f"{FITS} and {SIGNS}"), "not active"),
        (_normal_source(ACTIVE, FITS), "negative"),
        (_normal_source(ACTIVE, SIGNS), "compare"),
    ),
    checks=(_normal,),
    hints=("Which rows have Gx = h?", "Solve for the weights, then test them twice."),
)


# -------------------------------------------------------------------------- dual
def _wedge(v: np.ndarray) -> np.ndarray:
    """The nearest point of {0 ≤ z₂ ≤ z₁}, a cone that is not its own dual."""
    rays = np.array([[1.0, 0.0], np.full(2, np.sqrt(0.5))])
    if 0 <= v[1] <= v[0]:
        return v
    candidates = [max(v @ ray, 0.0) * ray for ray in rays]
    return min(candidates, key=lambda z: float(np.linalg.norm(z - v)))


def _dual(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    for v in rng.standard_normal((20, 2)):
        got = answer(v, _wedge)
        if not _far(got, v + _wedge(-v)):
            continue
        # each of these coincides with the truth at some v, so all three are tried
        if not _far(got, v - _wedge(v)):
            return (
                "That is the nearest point of the polar cone; its negative is the dual."
            )
        if not _far(got, _wedge(v)):
            return "This cone is not its own dual."
        if not _far(got, v - _wedge(-v)):
            return "The sign of the second term is turned: project(-v) is added."
        return "Not v + project(-v)."
    return None


DUAL_HEAD = "dual(v, project)"
DUAL = Exercise(
    label="convexity-ex-dual",
    function="dual",
    prompt="The nearest point of the dual cone, from the projection onto the cone.",
    stub="def dual(v, project):\n    return None\n",
    solution=source(DUAL_HEAD, "return v + project(-v)"),
    wrong=(
        (source(DUAL_HEAD, "return v - project(v)"), "polar"),
        (source(DUAL_HEAD, "return project(v)"), "its own dual"),
        (source(DUAL_HEAD, "return v - project(-v)"), "turned"),
    ),
    checks=(_dual,),
    hints=("The dual cone is -K°.", "Apply Moreau's decomposition to -v."),
)


# ---------------------------------------------------------------------- distance
def _distance(answer: Answer) -> str | None:
    rng = np.random.default_rng(3)

    def box(v: np.ndarray) -> np.ndarray:
        return np.clip(v, -1, 1)

    for v in 1.5 * rng.standard_normal((10, 4)) + 2:
        got, away = answer(v, box), v - box(v)
        if got is None or np.shape(got) != np.shape(v):
            return "Return a vector of the shape of v."
        if not _far(got, -away):
            return "The distance grows away from the set: the sign is turned."
        if not _far(got, 2 * away):
            return "The factor ½ cancels the 2 of the square."
        if not _far(got, away / np.linalg.norm(away)):
            return "That is the gradient of the distance, not of half its square."
        step = rng.standard_normal(4)
        report = gradcheck.taylor(
            lambda u: 0.5 * float(np.sum((u - box(u)) ** 2)), v, step, float(got @ step)
        )
        if not report.passes:
            return f"Not a gradient: the remainder has order {report.order:.1f}, not 2."
    return None


DISTANCE_HEAD = "slope(v, project)"
DISTANCE = Exercise(
    label="convexity-ex-distance",
    function="slope",
    prompt="The gradient of ½ dist(v, C)², from the projection onto C.",
    stub="def slope(v, project):\n    return None\n",
    solution=source(DISTANCE_HEAD, "return v - project(v)"),
    wrong=(
        (source(DISTANCE_HEAD, "return project(v) - v"), "sign"),
        (source(DISTANCE_HEAD, "return 2 * (v - project(v))"), "factor"),
        (
            source(
                DISTANCE_HEAD,
                "away = v - project(v)",
                "return away / np.linalg.norm(away)",
            ),
            "half its square",
        ),
    ),
    checks=(_distance,),
    hints=(
        "½ dist(v, C)² = min over z in C of ½‖v - z‖².",
        "Differentiate at fixed z.",
    ),
)
