"""The exercises of kkt.md: multipliers, leftover forces, residuals and their units."""

from __future__ import annotations

import numpy as np

from companion.exercises import ROUNDING, Answer, Exercise, far, source


# -------------------------------------------------------------------- multiplier
def _multiplier(answer: Answer) -> str | None:
    y, a = np.array([3.0, 1.0]), np.array([1.0, 2.0])
    inside, outside = answer(y, a, 9.0), answer(y, a, 2.0)
    if not far(outside, 0.6) and not far(inside, 0.0):
        return None
    if not far(inside, -0.8):
        return "A wall that is not touched has the multiplier zero; it never pulls."
    if not far(outside, 3.0):
        return "Divide by ‖a‖²: the step λa has to cover the distance along a."
    if not far(outside, 3 / np.sqrt(5)):
        return "One norm is missing: the force is λa, and a is not a unit vector."
    return "Put x = y - λa into aᵀx = β and solve for λ."


def _multiplier_source(result: str) -> str:
    return source("multiplier(y, a, beta)", f"return {result}")


MULTIPLIER = Exercise(
    label="kkt-ex-multiplier",
    function="multiplier",
    prompt="The multiplier of the nearest point to y in {x : aᵀx ≤ β}.",
    stub="def multiplier(y, a, beta):\n    return None\n",
    solution=_multiplier_source("max((a @ y - beta) / (a @ a), 0.0)"),
    wrong=(
        (_multiplier_source("(a @ y - beta) / (a @ a)"), "never pulls"),
        (_multiplier_source("max(a @ y - beta, 0.0)"), "Divide"),
        (
            _multiplier_source("max((a @ y - beta) / np.linalg.norm(a), 0.0)"),
            "One norm",
        ),
    ),
    checks=(_multiplier,),
    hints=("Stationarity says x = y - λa.", "Either λ = 0, or aᵀx = β."),
)


# ---------------------------------------------------------------------- leftover
def _leftover(answer: Answer) -> str | None:
    gradient, x = np.array([-2.0, 1.0, 3.0, -1.0]), np.array([0.0, 0.0, 1.0, 2.0])
    got = answer(gradient, x)
    if not far(got, [2.0, 0, -3, 1]):
        return None
    if not far(got, -gradient):
        return "The wall x₂ ≥ 0 holds the force that points into it."
    if not far(got, [0.0, 0, -3, 1]):
        return "A wall only pushes: a force that leads away from it is left."
    if not far(got, [0.0, 1, 3, -1]):
        return "The force is minus the gradient."
    return "Which coordinates are at their wall, and which way does -∇f point there?"


def _leftover_source(touching: str, free: str = "-gradient") -> str:
    return source(
        "leftover(gradient, x)", f"return np.where(x > 0, {free}, {touching})"
    )


LEFTOVER = Exercise(
    label="kkt-ex-leftover",
    function="leftover",
    prompt="The force that the walls x ≥ 0 cannot hold.",
    stub="def leftover(gradient, x):\n    return None\n",
    solution=_leftover_source("np.maximum(-gradient, 0)"),
    wrong=(
        (_leftover_source("-gradient"), "points into"),
        (_leftover_source("0 * gradient"), "only pushes"),
        (_leftover_source("np.maximum(gradient, 0)", "gradient"), "minus the gradient"),
    ),
    checks=(_leftover,),
    hints=(
        "Where x_i > 0 no wall is touched.",
        "At x_i = 0 the wall adds any λ_i ≥ 0 to the force, to bring it near zero.",
    ),
)


# ------------------------------------------------------------------------- water
def _water(answer: Answer) -> str | None:
    alpha = np.array([0.4, 1.5, 0.1, 0.7])
    got = np.asarray(answer(alpha), float)
    if got.shape != alpha.shape:
        return "Return one x_i for each α_i."
    if not (got >= -ROUNDING).all():
        return "Some x_i is negative: drop that variable and set the level anew."
    if far(got.sum(), 1.0):
        return "The x_i do not add up to one: what was cut off has to be given back."
    level = (alpha + got)[got > 1e-9]
    if far(level, np.full(len(level), level.mean())):
        return "Where x_i > 0 the level α_i + x_i = 1/ν has to be the same."
    if (alpha[got <= 1e-9] < level.mean() - 1e-9).any():
        return "A dry variable lies below the level; its multiplier would be negative."
    return None


WATER_HEAD = "water(alpha)"
WATER = Exercise(
    label="kkt-ex-water",
    function="water",
    prompt="Minimize -Σ log(α_i + x_i) over x ≥ 0, Σ x_i = 1.",
    stub="def water(alpha):\n    return 0 * alpha\n",
    solution=source(
        WATER_HEAD,
        "low = np.sort(alpha)",
        "levels = (1 + np.cumsum(low)) / np.arange(1, len(low) + 1)",
        "level = levels[levels > low][-1]",
        "return np.maximum(level - alpha, 0)",
    ),
    wrong=(
        (
            source(WATER_HEAD, "return (1 + alpha.sum()) / len(alpha) - alpha"),
            "negative",
        ),
        (
            source(
                WATER_HEAD,
                "return np.maximum((1 + alpha.sum()) / len(alpha) - alpha, 0)",
            ),
            "given back",
        ),
        (source(WATER_HEAD, "return np.full(len(alpha), 1 / len(alpha))"), "the same"),
    ),
    checks=(_water,),
    hints=(
        "Stationarity: 1/(α_i + x_i) = ν - λ_i.",
        "So x_i = max(1/ν - α_i, 0), and the level 1/ν is fixed by the sum.",
    ),
)


# ------------------------------------------------------------------------- scale
def _scale(answer: Answer) -> str | None:
    G, h, lam = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([10.0, 3.0]), np.ones(2)
    got = answer(G, h, lam)
    if got is None or len(got) != 3:
        return "Return the three arrays G, h, lam."
    unit, bound, price = got
    if far(np.linalg.norm(unit, axis=1), np.ones(2)):
        return "The rows have not norm one."
    if far(bound, [2.0, 1.5]):
        return "The bound has to be divided as its row is, or the wall moves."
    if far(np.transpose(unit) @ price, G.T @ lam):
        return "The force Gᵀλ has changed: the multiplier takes the factor back."
    return None


def _scale_source(h: str, lam: str, norm: str = "np.linalg.norm(G, axis=1)") -> str:
    return source(
        "normalize(G, h, lam)", f"c = {norm}", f"return G / c[:, None], {h}, {lam}"
    )


SCALE = Exercise(
    label="kkt-ex-scale",
    function="normalize",
    prompt="Rows of norm one, and the multipliers that go with them.",
    stub="def normalize(G, h, lam):\n    return None\n",
    solution=_scale_source("h / c", "lam * c"),
    wrong=(
        (_scale_source("h / c", "lam / c"), "force"),
        (_scale_source("h", "lam * c"), "wall moves"),
        (_scale_source("h / c", "lam * c", "(G ** 2).sum(1)"), "norm one"),
    ),
    checks=(_scale,),
    hints=("Gᵀλ is a force, and may not change.",),
)


# ----------------------------------------------------------------------- fischer
def _fischer(answer: Answer) -> str | None:
    if far(answer(3.0, 4.0), 2.0):
        return "At (3, 4) the value is 3 + 4 - 5: the root of the sum of squares."
    if answer(1.0, 1e-20) == 0:
        return "At (1, 1e-20) rounding ate the slack: a difference of near numbers."
    if far(answer(1.0, 1e-20) * 1e20, 1.0):
        return "At (1, 1e-20) the value is 1e-20 to all digits."
    if far(answer(-3.0, -4.0), -12.0):
        return "At (-3, -4) the value is -12: do not lose it where both are negative."
    return None


FISCHER = Exercise(
    label="kkt-ex-fischer",
    function="phi",
    prompt="lam + s - √(lam² + s²) for two numbers, without cancellation.",
    stub="def phi(lam, s):\n    return 0.0\n",
    solution=source(
        "phi(lam, s)",
        "r = np.hypot(lam, s)",
        "return 2 * lam * s / (lam + s + r) if lam + s > 0 else lam + s - r",
    ),
    wrong=(
        (source("phi(lam, s)", "return lam + s - np.hypot(lam, s)"), "rounding"),
        (source("phi(lam, s)", "return min(lam, s)"), "sum of squares"),
        (
            source(
                "phi(lam, s)",
                "return 2 * lam * s / (abs(lam) + abs(s) + np.hypot(lam, s))",
            ),
            "both are negative",
        ),
    ),
    checks=(_fischer,),
    hints=("Multiply and divide by lam + s + √(lam² + s²).",),
)


# ------------------------------------------------------------------------- bound
def _bound(answer: Answer) -> str | None:
    P, r, gap = np.diag([0.5, 8.0]), np.array([0.3, 0.4]), 0.02
    got = answer(P, r, gap)
    if not far(got, 1.0 + 0.2):
        return None
    if not far(got, 1.0 + 0.04):
        return "The gap enters by its root: it is a curvature times a square."
    if not far(got, 0.5 / 8 + np.sqrt(gap / 8)):
        return "The least eigenvalue decides: the error may lie along the flat axis."
    if not far(got, 1.0):
        return "A residual of zero leaves the gap, and the gap leaves an error."
    return "Not ‖r‖/μ + √(gap/μ) with the least eigenvalue μ."


def _bound_source(pick: int, result: str) -> str:
    return source(
        "bound(P, r, gap)", f"mu = np.linalg.eigvalsh(P)[{pick}]", f"return {result}"
    )


BOUND = Exercise(
    label="kkt-ex-bound",
    function="bound",
    prompt="A bound on the distance to the solution from r and the gap.",
    stub="def bound(P, r, gap):\n    return None\n",
    solution=_bound_source(0, "np.linalg.norm(r) / mu + np.sqrt(gap / mu)"),
    wrong=(
        (_bound_source(0, "np.linalg.norm(r) / mu + gap / mu"), "by its root"),
        (_bound_source(-1, "np.linalg.norm(r) / mu + np.sqrt(gap / mu)"), "flat axis"),
        (_bound_source(0, "np.linalg.norm(r) / mu"), "leaves an error"),
    ),
    checks=(_bound,),
    hints=("μ is the least eigenvalue of P.", "μt² ≤ ‖r‖t + gap."),
)

EXERCISES = (MULTIPLIER, LEFTOVER, WATER, SCALE, FISCHER, BOUND)
