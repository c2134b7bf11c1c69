"""The exercises of differentiation-routes.md: what each route computes, by hand."""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise, first

HEAD = "import numpy as np\n"


def _curved(rng: np.random.Generator, n: int) -> np.ndarray:
    root = rng.standard_normal((n, n))
    return root @ root.T / n + np.eye(n)


# ------------------------------------------------------------------- determinant
def _determinant(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    P, C = _curved(rng, 4), rng.standard_normal((2, 4))
    lam, s = np.array([2.0, 0.5, 3.0]), np.array([1.5, 0.4, 0.3])
    K = np.block([[P, C.T], [C, np.zeros((2, 2))]])
    small, a, b = np.linalg.det(K), np.prod(lam), np.prod(s)
    slips = {
        "The rows with room carry Gx - h, which is negative: a sign each.": small
        * a
        * b,
        "The pushing rows of K are multiplied by their multipliers.": -small * b,
        "The rows with room are missing.": small * a,
    }
    return first(answer(P, C, lam, s), -small * a * b, slips, "Not det K.")


def _determinant_source(body: str) -> str:
    return (
        HEAD + "def determinant(P, C, lam, s):\n"
        "    zero = np.zeros((len(C), len(C)))\n"
        "    small = np.linalg.det(np.block([[P, C.T], [C, zero]]))\n"
        f"    return {body}\n"
    )


DETERMINANT = Exercise(
    label="routes-ex-determinant",
    function="determinant",
    prompt="det K of OptNet's matrix, from the reduced one.",
    stub="def determinant(P, C, lam, s):\n    return None\n",
    solution=_determinant_source("small * np.prod(lam) * np.prod(-s)"),
    wrong=(
        (_determinant_source("small * np.prod(lam) * np.prod(s)"), "negative"),
        (_determinant_source("small * np.prod(-s)"), "multiplied"),
        (_determinant_source("small * np.prod(lam)"), "missing"),
    ),
    checks=(_determinant,),
    hints=("Move the rows with room last: K is block triangular.",),
)


# -------------------------------------------------------------------------- step
def _step(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    H, f, y = _curved(rng, 4), rng.standard_normal(4), rng.standard_normal(4)
    y, Y, F, rate = np.abs(y), rng.standard_normal(4), rng.standard_normal(4), 0.3
    f = f + np.array([0, 0, 9.0, 9.0])
    y[1] = 0.0
    f[1] -= 9.0  # closed before the step, open after it
    after = y - rate * (H @ y + f)
    moved = Y - rate * (H @ Y + F)
    if not (after > 0).any() or (after > 0).all():
        return "The check is broken."  # pragma: no cover
    slips = {
        "Every row is left open; the clip at zero has a derivative too.": moved,
        "The gate looks at the iterate before the step.": np.where(y > 0, moved, 0.0),
        "The derivative that was there before the step is forgotten.": np.where(
            after > 0, -rate * F, 0.0
        ),
    }
    want = np.where(after > 0, moved, 0.0)
    return first(answer(H, f, F, y, Y, rate), want, slips, "Not the derivative.")


def _step_source(gate: str, move: str = "Y - rate * (H @ Y + F)") -> str:
    return (
        HEAD + "def step(H, f, F, y, Y, rate):\n"
        "    after = y - rate * (H @ y + f)\n"
        f"    return np.where({gate}, {move}, 0.0)\n"
    )


STEP = Exercise(
    label="routes-ex-step",
    function="step",
    prompt="The derivative after one projected step, all rows inequalities.",
    stub="def step(H, f, F, y, Y, rate):\n    return None\n",
    solution=_step_source("after > 0"),
    wrong=(
        (_step_source("True"), "Every row"),
        (_step_source("y > 0"), "before the step"),
        (_step_source("after > 0", "-rate * F"), "forgotten"),
    ),
    checks=(_step,),
    hints=("Differentiate max(·, 0) where its argument is positive.",),
)


# ------------------------------------------------------------------------- steps
def _steps(answer: Answer) -> str | None:
    for values, top in (([0.02, 0.5, 1.0], 1.3), ([0.3, 0.4], 2.0)):
        rate = 1 - min(values) / top
        raw = np.log(1e-6) / np.log(rate)
        slips = {
            "The fastest direction does not decide; the slowest does.": np.ceil(
                np.log(1e-6) / np.log(1 - max(values) / top)
            ),
            "A number of steps is whole, and it has to be enough.": np.floor(raw),
            "The step length is 1/λ_max of all rows, not of the open ones.": np.ceil(
                np.log(1e-6) / np.log(max(1e-300, 1 - min(values) / max(values)))
            ),
        }
        found = answer(np.array(values), top, 1e-6)
        verdict = first(found, np.ceil(raw), slips, "Not the number of steps.")
        if verdict:
            return verdict
    return None


def _steps_source(rate: str, whole: str = "np.ceil") -> str:
    return (
        HEAD + "def steps(values, top, accuracy):\n"
        f"    return int({whole}(np.log(accuracy) / np.log({rate})))\n"
    )


STEPS = Exercise(
    label="routes-ex-steps",
    function="steps",
    prompt="Steps until the error of the unrolled derivative has fallen that much.",
    stub="def steps(values, top, accuracy):\n    return None\n",
    solution=_steps_source("1 - values.min() / top"),
    wrong=(
        (_steps_source("1 - values.max() / top"), "fastest"),
        (_steps_source("1 - values.min() / top", "np.floor"), "whole"),
        (_steps_source("1 - values.min() / values.max()"), "of all rows"),
    ),
    checks=(_steps,),
    hints=("A step multiplies the error by 1 - αμ along an eigenvector of H_JJ.",),
)


# ------------------------------------------------------------------------ debias
def _debias(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    x, d, tau = rng.standard_normal(3), rng.standard_normal(3), 0.3
    after = x + tau * d
    raw = (np.outer(after, after) - np.outer(x, x)) / (2 * tau)
    want = (np.outer(d, x) + np.outer(x, d)) / 2
    slips = {
        "This is the quotient itself, with its bias.": raw,
        "The bias in P is half of τ d dᵀ.": raw - tau * np.outer(d, d),
        "The gradient in P is symmetric.": np.outer(d, x),
    }
    return first(answer(x, after, tau), want, slips, "Not the gradient in P.")


def _debias_source(body: str) -> str:
    return (
        HEAD + "def debias(x, after, tau):\n"
        "    d = (after - x) / tau\n"
        "    raw = (np.outer(after, after) - np.outer(x, x)) / (2 * tau)\n"
        f"    return {body}\n"
    )


DEBIAS = Exercise(
    label="routes-ex-debias",
    function="debias",
    prompt="The gradient in P from two solutions, without its bias.",
    stub="def debias(x, after, tau):\n    return None\n",
    solution=_debias_source("raw - tau / 2 * np.outer(d, d)"),
    wrong=(
        (_debias_source("raw"), "itself"),
        (_debias_source("raw - tau * np.outer(d, d)"), "half"),
        (_debias_source("np.outer(d, x)"), "symmetric"),
    ),
    checks=(_debias,),
    hints=("x_τ = x + τ d within a piece: insert it.",),
)


# ----------------------------------------------------------------------- central
def _central(answer: Answer) -> str | None:
    rng = np.random.default_rng(3)
    q, g, tau = 2 * rng.standard_normal(4), rng.standard_normal(4), 0.5

    def solve(v: np.ndarray) -> np.ndarray:  # nearest point of a box, bent a little
        return np.clip(-v, -1, 1) + 0.1 * np.tanh(v)

    ahead, behind = solve(q + tau * g), solve(q - tau * g)
    want = (ahead - behind) / (2 * tau)
    slips: dict[str, object] = {
        "The loss is pushed away: the sign is the other way round.": -want,
        "The two ends are 2τ apart.": 2 * want,
        "This looks to one side only.": (ahead - solve(q)) / tau,
    }
    return first(answer(solve, q, g, tau), want, slips, "Not the gradient in q.")


def _central_source(body: str) -> str:
    return f"def central(solve, q, g, tau):\n    return {body}\n"


CENTRAL = Exercise(
    label="routes-ex-central",
    function="central",
    prompt="The gradient in q from two more calls of a solver.",
    stub="def central(solve, q, g, tau):\n    return None\n",
    solution=_central_source("(solve(q + tau * g) - solve(q - tau * g)) / (2 * tau)"),
    wrong=(
        (
            _central_source("(solve(q - tau * g) - solve(q + tau * g)) / (2 * tau)"),
            "sign",
        ),
        (_central_source("(solve(q + tau * g) - solve(q - tau * g)) / tau"), "2τ"),
        (_central_source("(solve(q + tau * g) - solve(q)) / tau"), "one side"),
    ),
    checks=(_central,),
    hints=("Move the cost along g, and look where x goes.",),
)


# ---------------------------------------------------------------------- smoothed
def _smoothed(answer: Answer) -> str | None:
    rng = np.random.default_rng(4)
    P, G = _curved(rng, 3), rng.standard_normal((2, 3))
    lam, mu, g = np.array([0.7, 0.2]), 0.05, rng.standard_normal(3)

    def solve(weight: np.ndarray) -> np.ndarray:
        return -np.linalg.solve(P + G.T @ (weight[:, None] * G), g)

    want = solve(lam**2 / mu)
    slips: dict[str, object] = {
        "The weight is λ/s; this is s/λ.": solve(mu / lam**2),
        "The weight is λ over the slack, and the slack is μ/λ.": solve(lam),
        "The adjoint has -g on its right side.": -want,
    }
    return first(answer(P, G, lam, mu, g), want, slips, "Not the adjoint.")


def _smoothed_source(weight: str, sign: str = "-") -> str:
    return (
        HEAD + "def smoothed(P, G, lam, mu, g):\n"
        f"    weight = {weight}\n"
        f"    return {sign}np.linalg.solve(P + G.T @ (weight[:, None] * G), g)\n"
    )


SMOOTHED = Exercise(
    label="routes-ex-smoothed",
    function="smoothed",
    prompt="d_x of the smoothed adjoint without equalities.",
    stub="def smoothed(P, G, lam, mu, g):\n    return None\n",
    solution=_smoothed_source("lam**2 / mu"),
    wrong=(
        (_smoothed_source("mu / lam**2"), "s/λ"),
        (_smoothed_source("lam"), "over the slack"),
        (_smoothed_source("lam**2 / mu", "+"), "right side"),
    ),
    checks=(_smoothed,),
    hints=("Eliminate d_λ = D(λ/s) G d_x.",),
)

EXERCISES = (DETERMINANT, STEP, STEPS, DEBIAS, CENTRAL, SMOOTHED)
