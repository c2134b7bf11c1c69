"""The exercises of argmin-differentiation.md: derivatives of solutions, five ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from companion.exercises import Answer, Exercise, far, source


def _first(
    got: object, want: object, slips: Sequence[tuple[object, str]]
) -> str | None:
    """None if got is right, else what the first known slip that it equals means."""
    if got is None:
        return "Nothing was returned."
    if not far(got, want):
        return None
    for slip, meaning in slips:
        if not far(got, slip):
            return meaning
    shape = np.asarray(want).shape
    return f"Expected shape {shape} and other values; test by Taylor order."


# ------------------------------------------------------------------------- ridge
def _ridge(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    Phi, y, strength = rng.standard_normal((7, 3)), rng.standard_normal(7), 0.6
    M, eye = Phi.T @ Phi, np.eye(3)
    x = np.linalg.solve(M + strength * eye, Phi.T @ y)
    want = -np.linalg.solve(M + strength * eye, x)
    doubled = -np.linalg.solve(2 * M + strength * eye, x)
    slips = (
        (-want, "The sign is turned: a stronger penalty shrinks the weights."),
        (doubled, "ΦᵀΦ comes with the factor 2 of an objective without the half."),
        (-x, "That is -B alone: the Hessian still has to be divided out."),
    )
    return _first(answer(Phi, y, strength), want, slips)


RIDGE_HEAD = "slope(Phi, y, strength)"
RIDGE_LINES = (
    "M, I = Phi.T @ Phi, np.eye(Phi.shape[1])",
    "x = np.linalg.solve(M + strength * I, Phi.T @ y)",
)
RIDGE = Exercise(
    label="argmin-ex-ridge",
    function="slope",
    prompt="dx/dλ for the minimizer of ½‖Φx - y‖² + ½λ‖x‖².",
    stub=source(RIDGE_HEAD, "return None"),
    solution=source(
        RIDGE_HEAD, *RIDGE_LINES, "return -np.linalg.solve(M + strength * I, x)"
    ),
    wrong=tuple(
        (source(RIDGE_HEAD, *RIDGE_LINES, f"return {result}"), phrase)
        for result, phrase in (
            ("np.linalg.solve(M + strength * I, x)", "sign"),
            ("-np.linalg.solve(2 * M + strength * I, x)", "factor 2"),
            ("-x", "Hessian"),
        )
    ),
    checks=(_ridge,),
    hints=("Write f_x = 0 and differentiate it in λ.", "H = ΦᵀΦ + λI and B = x."),
)


# ----------------------------------------------------------------------- adjoint
def _adjoint(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    Fx = rng.standard_normal((4, 4)) + 3 * np.eye(4)
    Ftheta, g = rng.standard_normal((4, 6)), rng.standard_normal(4)
    want = -Ftheta.T @ np.linalg.solve(Fx.T, g)
    slips = (
        (-want, "The sign is turned: J = -Fx⁻¹Ftheta."),
        (
            -Ftheta.T @ np.linalg.solve(Fx, g),
            "Fx is not transposed; a symmetric example would not have shown it.",
        ),
        (-Ftheta.T @ g, "No system was solved: that is right only if Fx = I."),
    )
    return _first(answer(Fx, Ftheta, g), want, slips)


ADJOINT_HEAD = "gradient(Fx, Ftheta, g)"
ADJOINT = Exercise(
    label="argmin-ex-adjoint",
    function="gradient",
    prompt="The gradient in θ of a loss with gradient g at a root, with one solve.",
    stub=source(ADJOINT_HEAD, "return None"),
    solution=source(ADJOINT_HEAD, "return -Ftheta.T @ np.linalg.solve(Fx.T, g)"),
    wrong=tuple(
        (source(ADJOINT_HEAD, f"return {result}"), phrase)
        for result, phrase in (
            ("Ftheta.T @ np.linalg.solve(Fx.T, g)", "sign"),
            ("-Ftheta.T @ np.linalg.solve(Fx, g)", "not transposed"),
            ("-Ftheta.T @ g", "No system"),
        )
    ),
    checks=(_adjoint,),
    hints=("The gradient is Jᵀg.", "(Fx⁻¹)ᵀg solves a system with Fxᵀ."),
)


# ------------------------------------------------------------------------ budget
def _budget(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    L, B, one = rng.standard_normal((4, 4)), rng.standard_normal((4, 2)), np.ones(4)
    H = L @ L.T + np.eye(4)
    free, row = -np.linalg.solve(H, B), np.linalg.solve(H, one)
    want = free - np.outer(row, one @ free) / (one @ row)
    slips = (
        (free, "That is the free minimizer: its columns do not sum to zero."),
        (
            free - free.mean(0),
            "Projecting the free derivative keeps the sum, but not stationarity.",
        ),
        (
            free + np.outer(row, one @ free) / (one @ row),
            "The correction is added with the wrong sign.",
        ),
    )
    return _first(answer(H, B), want, slips)


BUDGET_HEAD = "motion(H, B)"
BUDGET_LINES = (
    "one = np.ones(len(H))",
    "free, row = -np.linalg.solve(H, B), np.linalg.solve(H, one)",
)
BUDGET = Exercise(
    label="argmin-ex-budget",
    function="motion",
    prompt="Dx for the minimizer under the single constraint that x sums to one.",
    stub=source(BUDGET_HEAD, "return None"),
    solution=source(
        BUDGET_HEAD,
        *BUDGET_LINES,
        "return free - np.outer(row, one @ free) / (one @ row)",
    ),
    wrong=tuple(
        (source(BUDGET_HEAD, *BUDGET_LINES, f"return {result}"), phrase)
        for result, phrase in (
            ("free", "free minimizer"),
            ("free - free.mean(0)", "Projecting"),
            ("free + np.outer(row, one @ free) / (one @ row)", "wrong sign"),
        )
    ),
    checks=(_budget,),
    hints=(
        "Every column of Dx sums to zero.",
        "Correct along H⁻¹1, not along 1: the Schur form with A = 1ᵀ.",
    ),
)


# ------------------------------------------------------------------------ unroll
def _unroll(answer: Answer) -> str | None:
    def gradient(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.array([x[0] ** 3 + x[0] - theta[0], 2 * x[1] + x[0] - theta[1] ** 2])

    def hessian(x: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.array([[3 * x[0] ** 2 + 1, 0], [1, 2.0]])

    def mixed(_: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.array([[-1.0, 0], [0, -2 * theta[1]]])

    theta, rate = np.array([2.0, -1.0]), 0.1

    def run(*, late: bool = False, memory: bool = True, scaled: bool = True):
        x, J = np.array([0.5, 0.5]), np.zeros((2, 2))
        for _ in range(3):
            moved = x - rate * gradient(x, theta)
            at = moved if late else x
            kept = J - rate * hessian(at, theta) @ J if memory else 0 * J
            J = kept - (rate if scaled else 1.0) * mixed(at, theta)
            x = moved
        return J

    got = answer(gradient, hessian, mixed, np.array([0.5, 0.5]), theta, rate, 3)
    slips = (
        (
            run(late=True),
            "The Hessian is taken at the new x; the step used the old.",
        ),
        (run(memory=False), "J keeps no memory: (I - αH)J is missing."),
        (run(scaled=False), "The mixed derivatives lack the factor α."),
    )
    return _first(got, run(), slips)


UNROLL_HEAD = "unroll(gradient, hessian, mixed, x, theta, rate, steps)"


def _loop(*lines: str) -> str:
    inside = (f"    {line}" for line in lines)
    return source(
        UNROLL_HEAD,
        "J = np.zeros((len(x), len(theta)))",
        "for _ in range(steps):",
        *inside,
        "return J",
    )


STEP = "x = x - rate * gradient(x, theta)"
RULE = "J = J - rate * (hessian(x, theta) @ J + mixed(x, theta))"
UNROLL = Exercise(
    label="argmin-ex-unroll",
    function="unroll",
    prompt="J_k = ∂x_k/∂θ of gradient descent, carried along with the iterates.",
    stub=source(UNROLL_HEAD, "return None"),
    solution=_loop(RULE, STEP),
    wrong=(
        (_loop(STEP, RULE), "new x"),
        (_loop("J = -rate * mixed(x, theta)", STEP), "memory"),
        (
            _loop("J = J - rate * hessian(x, theta) @ J - mixed(x, theta)", STEP),
            "factor α",
        ),
    ),
    checks=(_unroll,),
    hints=("Differentiate x - α∇f(x, θ) where x depends on θ.", "J_0 = 0."),
)


# ----------------------------------------------------------------------- barrier
def _barrier(answer: Answer) -> str | None:
    theta, t = 1.7, 4.0
    root = np.sqrt((theta - 1) ** 2 + 4 / t)
    want = 0.5 - (theta - 1) / (2 * root)
    x = (theta + 1 - root) / 2
    slips = (
        (1 - want, "That is the slope for the other side, x ≥ 1."),
        (0.0, "That is the limit t → ∞; at a finite t the wall is soft."),
        (
            1 / (1 + 1 / (1 - x) ** 2),
            "The weight t of the objective is missing in the Hessian or in B.",
        ),
    )
    return _first(answer(theta, t), want, slips)


BARRIER_HEAD = "slope(theta, t)"
BARRIER_LINES = (
    "root = np.sqrt((theta - 1) ** 2 + 4 / t)",
    "x = (theta + 1 - root) / 2",
)
BARRIER = Exercise(
    label="argmin-ex-barrier",
    function="slope",
    prompt="dx/dθ for the minimizer of t·½(x - θ)² - log(1 - x).",
    stub=source(BARRIER_HEAD, "return None"),
    solution=source(BARRIER_HEAD, *BARRIER_LINES, "return t / (t + 1 / (1 - x) ** 2)"),
    wrong=tuple(
        (source(BARRIER_HEAD, *BARRIER_LINES, f"return {result}"), phrase)
        for result, phrase in (
            ("0.5 + (theta - 1) / (2 * root)", "other side"),
            ("float(theta < 1)", "limit"),
            ("1 / (1 + 1 / (1 - x) ** 2)", "weight t"),
        )
    ),
    checks=(_barrier,),
    hints=(
        "Stationarity is a quadratic equation in x; take the root with x < 1.",
        "The Hessian is t + 1/(1 - x)², and B = -t.",
    ),
)

EXERCISES = (RIDGE, ADJOINT, BUDGET, UNROLL, BARRIER)
