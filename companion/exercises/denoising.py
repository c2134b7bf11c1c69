"""The exercises of denoising.md: certificates, duals, gradients and a scaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from companion.exercises import Answer, Exercise, far


def _draw(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """y, a rectangular D without symmetry, and a strength other than one."""
    rng = np.random.default_rng(seed)
    return 3 * rng.standard_normal(6), rng.standard_normal((4, 6)), 1.7


# ------------------------------------------------------------------- certificate
def _gap_parts(seed: int) -> tuple[tuple, Any, Any, Any]:
    y, D, strength = _draw(seed)
    rng = np.random.default_rng(seed + 100)
    x, w = rng.standard_normal(6), rng.standard_normal(4)
    fit, penalty = np.sum((y - x) ** 2), np.abs(D @ x).sum()
    dual = w @ (D @ y) - 0.5 * np.sum((D.T @ w) ** 2)
    return (y, D, strength, x, w), fit, strength * penalty, dual


def _gap(answer: Answer) -> str | None:
    args, fit, penalty, dual = _gap_parts(0)
    got = answer(*args)
    if not far(got, 0.5 * fit + penalty - dual):
        return None
    if not far(got, 0.5 * np.sqrt(fit) + penalty - dual):
        return "The misfit enters as a norm; it has to be squared."
    if not far(got, 0.5 * fit + penalty / args[2] - dual):
        return "The strength does not multiply the penalty."
    if not far(got, 0.5 * fit + penalty + dual):
        return "The dual value is added; the gap is primal minus dual."
    return "Not F(x) minus the dual value wᵀDy - ½‖Dᵀw‖²."


GAP = Exercise(
    label="denoising-ex-certificate",
    function="gap",
    prompt="The difference between the primal value at x and the dual value at w.",
    stub="def gap(y, D, strength, x, w):\n    return None\n",
    solution=(
        "import numpy as np\n"
        "def gap(y, D, strength, x, w):\n"
        "    F = 0.5 * np.sum((y - x) ** 2) + strength * np.abs(D @ x).sum()\n"
        "    return F - (w @ (D @ y) - 0.5 * np.sum((D.T @ w) ** 2))\n"
    ),
    wrong=(
        (
            "import numpy as np\n"
            "def gap(y, D, strength, x, w):\n"
            "    F = 0.5 * np.linalg.norm(y - x) + strength * np.abs(D @ x).sum()\n"
            "    return F - (w @ (D @ y) - 0.5 * np.sum((D.T @ w) ** 2))\n",
            "squared",
        ),
        (
            "import numpy as np\n"
            "def gap(y, D, strength, x, w):\n"
            "    F = 0.5 * np.sum((y - x) ** 2) + np.abs(D @ x).sum()\n"
            "    return F - (w @ (D @ y) - 0.5 * np.sum((D.T @ w) ** 2))\n",
            "strength",
        ),
        (
            "import numpy as np\n"
            "def gap(y, D, strength, x, w):\n"
            "    F = 0.5 * np.sum((y - x) ** 2) + strength * np.abs(D @ x).sum()\n"
            "    return F + (w @ (D @ y) - 0.5 * np.sum((D.T @ w) ** 2))\n",
            "minus dual",
        ),
    ),
    checks=(_gap,),
    hints=("Write F(x) first.", "The dual value is wᵀDy - ½‖Dᵀw‖²."),
)


# ------------------------------------------------------------------------- merge
def _critical(answer: Answer) -> str | None:
    y, _, _ = _draw(1)
    sums = np.cumsum(y - y.mean())[:-1]
    got = answer(y)
    if not far(got, np.abs(sums).max()):
        return None
    if not far(got, sums.max()):
        return "Multipliers may be negative: take absolute values before the maximum."
    if not far(got, np.abs(np.cumsum(y)[:-1]).max()):
        return "The running sums are those of y minus its mean."
    if not far(got, np.abs(np.diff(y)).max()):
        return "A jump is not a multiplier: solve y - mean = Dᵀw for w."
    return "Not the largest |w_i| with y - mean(y) = Dᵀw."


MERGE = Exercise(
    label="denoising-ex-merge",
    function="critical",
    prompt="The smallest strength at which total variation returns a constant.",
    stub="def critical(y):\n    return None\n",
    solution=(
        "import numpy as np\n"
        "def critical(y):\n"
        "    return np.abs(np.cumsum(y - y.mean())[:-1]).max()\n"
    ),
    wrong=(
        (
            "import numpy as np\n"
            "def critical(y):\n    return np.cumsum(y - y.mean())[:-1].max()\n",
            "absolute",
        ),
        (
            "import numpy as np\n"
            "def critical(y):\n    return np.abs(np.cumsum(y)[:-1]).max()\n",
            "minus its mean",
        ),
        (
            "import numpy as np\n"
            "def critical(y):\n    return np.abs(np.diff(y)).max()\n",
            "jump",
        ),
    ),
    checks=(_critical,),
    hints=("Which constant can z be?", "Then w is forced: Dᵀw = y - mean(y)."),
)


# ----------------------------------------------------------------------- scaling
def _invariant(answer: Answer) -> str | None:
    _, D, strength = _draw(2)
    M, slope = np.random.default_rng(5).standard_normal((4, 6)), 0.4
    got = answer(D, strength, M, slope)
    inner = np.sum(M * D)
    if not far(got, inner - strength * slope):
        return None
    if not far(got, inner - slope):
        return "The gradient in the strength has to be multiplied by the strength."
    if not far(got, inner + strength * slope):
        return "The two sides are subtracted, not added."
    if np.shape(got):
        return "The inner product of matrices is one number: sum all the entries."
    return "Not <grad_D, D> - strength * grad_strength."


SCALING = Exercise(
    label="denoising-ex-scaling",
    function="invariant",
    prompt="The residual of <∇_D, D> = λ∇_λ.",
    stub="def invariant(D, strength, grad_D, grad_strength):\n    return None\n",
    solution=(
        "import numpy as np\n"
        "def invariant(D, strength, grad_D, grad_strength):\n"
        "    return np.sum(grad_D * D) - strength * grad_strength\n"
    ),
    wrong=tuple(
        (
            "import numpy as np\n"
            "def invariant(D, strength, grad_D, grad_strength):\n"
            f"    return {body}\n",
            phrase,
        )
        for body, phrase in (
            ("np.sum(grad_D * D) - grad_strength", "multiplied by the strength"),
            ("np.sum(grad_D * D) + strength * grad_strength", "subtracted"),
            ("grad_D @ D.T - strength * grad_strength", "one number"),
        )
    ),
    checks=(_invariant,),
    hints=(
        "Scale D up and the strength down by the same factor: what does the loss do?",
    ),
)


# -------------------------------------------------------------------------- dual
def _dual(answer: Answer) -> str | None:
    y, D, strength = _draw(3)
    got = answer(y, D, strength)
    if got is None or len(got) != 4:
        return "Return the four arrays P, q, G, h."
    eye, (P, q, G, h) = np.eye(4), got
    if far(P, D @ D.T):
        return "P is DDᵀ, one row and column for each multiplier."
    if far(q, -D @ y):
        return "The linear term is -Dy: the dual is minimized here."
    if far(G, np.vstack([eye, -eye])) or far(h, np.full(8, strength)):
        return "Both w ≤ strength and -w ≤ strength have to stand in G and h."
    return None


def _dual_source(P: str, q: str, G: str, h: str) -> str:
    head = "import numpy as np\ndef dual(y, D, strength):\n    I = np.eye(len(D))\n"
    return f"{head}    return {P}, {q}, {G}, {h}\n"


BOX, BOUND = "np.vstack([I, -I])", "np.full(2 * len(D), strength)"
DUAL = Exercise(
    label="denoising-ex-dual",
    function="dual",
    prompt="The box-constrained dual as (P, q, G, h).",
    stub="def dual(y, D, strength):\n    return None\n",
    solution=_dual_source("D @ D.T", "-D @ y", BOX, BOUND),
    wrong=(
        (_dual_source("D.T @ D", "-D @ y", BOX, BOUND), "P is DDᵀ"),
        (_dual_source("D @ D.T", "D @ y", BOX, BOUND), "linear term"),
        (_dual_source("D @ D.T", "-D @ y", "I", "np.full(len(D), strength)"), "Both"),
    ),
    checks=(_dual,),
    hints=("‖Dᵀw‖² = wᵀDDᵀw.", "A bound on |w_i| is two inequalities."),
)


# ---------------------------------------------------------------------- gradient
def _gradient(answer: Answer) -> str | None:
    # one fused pair and one jump, with first differences: D_S is the first row
    D, strength = np.diff(np.eye(3), axis=0), 2.0
    z, w, g = np.array([1.0, 1, 5]), np.array([0.5, 2]), np.array([1.0, 3, -2])
    t = np.array([1.0, 0])  # (D_S D_Sᵀ)⁻¹D_S g = (3 - 1)/2
    Pg = g - D.T @ t
    base, rows = -np.outer(w, Pg), -np.outer(t, z)
    got = answer(D, strength, z, w, g)
    if not far(got, base + rows):
        return None
    if not far(got, base):
        return "The rows in S lack -t zᵀ."
    if not far(got, -np.outer(w, g) + rows):
        return "The outer product takes Pg, not g."
    if not far(got, -base - rows):
        return "The sign is turned."
    return "Not -w(Pg)ᵀ with -t zᵀ added on the rows in S."


def _gradient_source(result: str) -> str:
    return (
        "import numpy as np\n"
        "def grad_D(D, strength, z, w, g):\n"
        "    S = np.abs(w) < strength * (1 - 1e-8)\n"
        "    t = np.zeros(len(w))\n"
        "    t[S] = np.linalg.solve(D[S] @ D[S].T, D[S] @ g)\n"
        "    Pg = g - D.T @ t\n"
        f"    return {result}\n"
    )


GRADIENT = Exercise(
    label="denoising-ex-gradient",
    function="grad_D",
    prompt="The gradient in the operator from z, w and g = ∂loss/∂z.",
    stub="def grad_D(D, strength, z, w, g):\n    return None\n",
    solution=_gradient_source("-np.outer(w, Pg) - np.outer(t, z)"),
    wrong=(
        (_gradient_source("-np.outer(w, Pg)"), "lack"),
        (_gradient_source("-np.outer(w, g) - np.outer(t, z)"), "not g"),
        (_gradient_source("np.outer(w, Pg) + np.outer(t, z)"), "sign"),
    ),
    checks=(_gradient,),
    hints=("S are the rows with |w_i| < strength.", "t is zero outside S."),
)

EXERCISES = (GAP, DUAL, MERGE, GRADIENT, SCALING)
