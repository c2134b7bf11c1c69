"""The exercises of hard-constraints.md: penalties, multipliers and activations."""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise, far

NUMPY = "import numpy as np\n"


def _draw(seed: int) -> tuple[np.ndarray, ...]:
    """P ≻ 0, q, A of full row rank, b, and the exact multipliers."""
    rng = np.random.default_rng(seed)
    F, A = rng.standard_normal((4, 4)), rng.standard_normal((2, 4))
    P, q, b = F @ F.T + np.eye(4), rng.standard_normal(4), rng.standard_normal(2)
    K = np.block([[P, A.T], [A, np.zeros((2, 2))]])
    return P, q, A, b, np.linalg.solve(K, np.r_[-q, b])[4:]


def _soft(data: tuple[np.ndarray, ...], rho: float) -> np.ndarray:
    P, q, A, b = data[:4]
    return np.linalg.solve(P + rho * A.T @ A, rho * A.T @ b - q)


# --------------------------------------------------------------------- violation
def _violation(answer: Answer) -> str | None:
    data, rho = _draw(0), 3.0
    P, _, A, b, nu = data
    got, r = answer(P, A, nu, rho), A @ _soft(data, rho) - b
    if not far(got, r):
        return None
    if not far(got, nu / rho):
        return "That is the limit: the force is ν_ρ, not yet the multiplier ν*."
    if not far(got, A @ _soft(data, 2 * rho) - b):
        return "Mind the ½: the penalty is ρ/2 times the square, not ρ times."
    if not far(got, rho * r):
        return "That is the force ν_ρ; the violation is the force over ρ."
    return "Not (I + ρS)⁻¹Sν* with S = AP⁻¹Aᵀ."


def _violation_source(result: str) -> str:
    return (
        f"{NUMPY}def violation(P, A, nu, rho):\n"
        "    S, I = A @ np.linalg.solve(P, A.T), np.eye(len(nu))\n"
        f"    return {result}\n"
    )


VIOLATION = Exercise(
    label="hard-constraints-ex-violation",
    function="violation",
    prompt="A x_ρ - b from P, A, the multiplier ν* and ρ alone.",
    stub="def violation(P, A, nu, rho):\n    return None\n",
    solution=_violation_source("(nu - np.linalg.solve(I + rho * S, nu)) / rho"),
    wrong=(
        (_violation_source("nu / rho"), "the limit"),
        (
            _violation_source(
                "(nu - np.linalg.solve(I + 2 * rho * S, nu)) / (2 * rho)"
            ),
            "Mind the ½",
        ),
        (_violation_source("nu - np.linalg.solve(I + rho * S, nu)"), "over ρ"),
    ),
    checks=(_violation,),
    hints=("Which identity holds before the limit is taken?", "S = AP⁻¹Aᵀ."),
)


# --------------------------------------------------------------------- threshold
def _threshold(answer: Answer) -> str | None:
    P, q, A, b, nu = _draw(1)
    got = answer(P, q, A, b)
    if not far(got, np.abs(nu).max()):
        return None
    if not far(got, nu.max()):
        return "Multipliers of equalities have either sign: take absolute values."
    if not far(got, np.linalg.norm(nu)):
        return "The norm dual to ‖·‖₁ is the largest entry, not the Euclidean norm."
    if not far(got, np.abs(nu).sum()):
        return (
            "The sum of the entries is more than enough; the least weight is smaller."
        )
    return "Not the largest |ν_i| of the constrained problem."


def _threshold_source(result: str) -> str:
    return (
        f"{NUMPY}def threshold(P, q, A, b):\n"
        "    p, n = A.shape\n"
        "    K = np.block([[P, A.T], [A, np.zeros((p, p))]])\n"
        "    nu = np.linalg.solve(K, np.r_[-q, b])[n:]\n"
        f"    return {result}\n"
    )


THRESHOLD = Exercise(
    label="hard-constraints-ex-threshold",
    function="threshold",
    prompt="The least weight for which the absolute penalty is exact.",
    stub="def threshold(P, q, A, b):\n    return None\n",
    solution=_threshold_source("np.abs(nu).max()"),
    wrong=(
        (_threshold_source("nu.max()"), "absolute values"),
        (_threshold_source("np.linalg.norm(nu)"), "dual"),
        (_threshold_source("np.abs(nu).sum()"), "more than enough"),
    ),
    checks=(_threshold,),
    hints=(
        "Stationarity and Ax = b are one linear system in (x, ν).",
        "exact-penalty names the weight.",
    ),
)


# -------------------------------------------------------------------- multiplier
def _multiplier(answer: Answer) -> str | None:
    data, rho, steps = _draw(2), 2.0, 3
    P, q, A, b, _ = data

    def walk(gain: float) -> np.ndarray:
        nu = np.zeros(2)
        for _ in range(steps):
            nu = nu + gain * (A @ _soft((P, q + A.T @ nu, A, b), rho) - b)
        return nu

    got = answer(P, q, A, b, rho, steps)
    if not far(got, walk(rho)):
        return None
    if not far(got, walk(1.0)):
        return "The violation is a length; the force that it calls for is ρ times it."
    if not far(got, walk(-rho)):
        return "The sign: where Ax exceeds b the multiplier has to grow."
    if not far(got, steps * rho * (A @ _soft(data, rho) - b)):
        return "x has to be solved for anew, with the multipliers found so far."
    return "Each step: minimize f + νᵀ(Ax-b) + ρ/2‖Ax-b‖², then ν ← ν + ρ(Ax-b)."


def _multiplier_source(gain: str, linear: str = "q + A.T @ nu") -> str:
    return (
        f"{NUMPY}def multipliers(P, q, A, b, rho, steps):\n"
        "    nu, H = np.zeros(len(b)), P + rho * A.T @ A\n"
        "    for _ in range(steps):\n"
        f"        x = np.linalg.solve(H, rho * A.T @ b - ({linear}))\n"
        f"        nu = nu + {gain} * (A @ x - b)\n"
        "    return nu\n"
    )


MULTIPLIER = Exercise(
    label="hard-constraints-ex-multipliers",
    function="multipliers",
    prompt="The multipliers after some steps of the method of multipliers.",
    stub="def multipliers(P, q, A, b, rho, steps):\n    return None\n",
    solution=_multiplier_source("rho"),
    wrong=(
        (_multiplier_source("1.0"), "length"),
        (_multiplier_source("-rho"), "sign"),
        (_multiplier_source("rho", "q"), "anew"),
    ),
    checks=(_multiplier,),
    hints=("Add νᵀ(Ax-b) to the penalized objective.", "Its linear term is q + Aᵀν."),
)


# ----------------------------------------------------------------------- softmax
def _softmax_vjp(answer: Answer) -> str | None:
    rng = np.random.default_rng(3)
    y, g, T = rng.dirichlet(np.ones(4)), rng.standard_normal(4), 0.7
    want, got = y * (g - y @ g) / T, answer(y, g, T)
    if not far(got, want):
        return None
    if not far(got, T * want):
        return "Where is the temperature?"
    if not far(got, y * g / T):
        return "The entries share a sum: raising one lowers the others."
    if not far(got, (g - y @ g) / T):
        return "The weights diag(y) are missing."
    return "Not (diag(y) - yyᵀ)g/T."


SOFTMAX = Exercise(
    label="hard-constraints-ex-softmax",
    function="vjp",
    prompt="The gradient in x of a loss with ∂loss/∂y = g, y = softmax(x/T).",
    stub="def vjp(y, g, T):\n    return None\n",
    solution="def vjp(y, g, T):\n    return y * (g - y @ g) / T\n",
    wrong=tuple(
        (f"def vjp(y, g, T):\n    return {body}\n", phrase)
        for body, phrase in (
            ("y * (g - y @ g)", "temperature"),
            ("y * g / T", "share a sum"),
            ("(g - y @ g) / T", "weights"),
        )
    ),
    checks=(_softmax_vjp,),
    hints=("The Jacobian is symmetric.", "Never form the matrix: yyᵀg = y(yᵀg)."),
)


# --------------------------------------------------------------------- sparsemax
def _sparsemax(answer: Answer) -> str | None:
    for seed in range(5):
        x = 2 * np.random.default_rng(seed).standard_normal(6)
        largest = np.sort(x)[::-1]
        means = (np.cumsum(largest) - 1) / np.arange(1, 7)
        want = np.maximum(x - means[largest > means][-1], 0)
        got = answer(x)
        if not far(got, want):
            continue
        clipped = np.maximum(x, 0)
        if not far(got, clipped / max(clipped.sum(), 1e-300)):
            return "Dividing by the sum reaches the simplex, but not its nearest point."
        if not far(got, x - (x.sum() - 1) / 6):
            return (
                "The sum is right, and an entry is negative: τ must skip such entries."
            )
        if not far(got, np.maximum(x - (x.sum() - 1) / 6, 0)):
            return "Clipping afterwards spoils the sum: find the support first."
        return "Not max(x - τ, 0) with entries that add up to one."
    return None


def _sparsemax_source(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"{NUMPY}def sparsemax(x):\n{body}\n"


SPARSEMAX = Exercise(
    label="hard-constraints-ex-sparsemax",
    function="sparsemax",
    prompt="The nearest probability vector.",
    stub="def sparsemax(x):\n    return None\n",
    solution=_sparsemax_source(
        "low, high = x.max() - 1, x.max()",
        "for _ in range(80):  # the sum falls with tau: halve the bracket",
        "    tau = (low + high) / 2",
        "    if np.maximum(x - tau, 0).sum() > 1:",
        "        low = tau",
        "    else:",
        "        high = tau",
        "return np.maximum(x - low, 0)",
    ),
    wrong=(
        (
            _sparsemax_source("y = np.maximum(x, 0)", "return y / y.sum()"),
            "not its nearest",
        ),
        (_sparsemax_source("return x - (x.sum() - 1) / len(x)"), "negative"),
        (
            _sparsemax_source("return np.maximum(x - (x.sum() - 1) / len(x), 0)"),
            "Clipping",
        ),
    ),
    checks=(_sparsemax,),
    hints=("y = max(x - τ, 0) for one number τ.", "The sum of y falls as τ rises."),
)

EXERCISES = (VIOLATION, THRESHOLD, MULTIPLIER, SOFTMAX, SPARSEMAX)
