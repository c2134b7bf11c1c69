"""The exercises of embedding.md: gaps, certificates, pairs, a step of a solver."""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise, far, first

HEAD = "import numpy as np\n"


def _skew(A: np.ndarray, b: np.ndarray, q: np.ndarray) -> np.ndarray:
    m, n = A.shape
    Q = np.zeros((n + m + 1, n + m + 1))
    Q[:n, n:-1], Q[:n, -1], Q[n:-1, -1] = A.T, q, b
    return Q - Q.T


# --------------------------------------------------------------------------- gap
def _gap(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, 3))
    P, (x, w) = root @ root.T, rng.standard_normal((2, 3))
    s, y = rng.uniform(1, 2, (2, 4))
    away = x - w
    square = away @ P @ away / 2
    slips: dict[str, object] = {
        "What the pair loses by x and w being apart is missing.": s @ y,
        "What is lost between the slack and its multiplier is missing.": square,
        "The curvature enters with a half.": 2 * square + s @ y,
    }
    return first(answer(P, x, s, w, y), square + s @ y, slips, "Not the gap.")


def _gap_source(body: str) -> str:
    return f"def gap(P, x, s, w, y):\n    d = x - w\n    return {body}\n"


GAP = Exercise(
    label="embedding-ex-gap",
    function="gap",
    prompt="Primal value less dual value of a pair of feasible points.",
    stub="def gap(P, x, s, w, y):\n    return None\n",
    solution=_gap_source("d @ P @ d / 2 + s @ y"),
    wrong=(
        (_gap_source("s @ y"), "apart"),
        (_gap_source("d @ P @ d / 2"), "slack"),
        (_gap_source("d @ P @ d + s @ y"), "half"),
    ),
    checks=(_gap,),
    hints=("Insert q = -Pw - Aᵀy and b = Ax + s.",),
)


# ------------------------------------------------------------------------- reach
def _reach(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    A, y = rng.standard_normal((4, 3)), rng.uniform(1, 2, 4)
    b = rng.standard_normal(4)
    b -= (1 + (b @ y) / (y @ y)) * y  # now bᵀy < 0
    rest, gain = np.linalg.norm(A.T @ y), -(b @ y)
    slips: dict[str, object] = {
        "The gain -bᵀy is missing: a longer y does not prove more.": 1 / rest,
        "This is its inverse.": rest / gain,
    }
    found = first(answer(A, b, y), gain / rest, slips, "Not the radius.")
    if found is None and far(answer(A, -b, y), 0.0):
        return "With bᵀy ≥ 0 nothing is proved, and the radius is zero."
    return found


def _reach_source(body: str) -> str:
    return HEAD + (
        "def reach(A, b, y):\n"
        "    rest, gain = np.linalg.norm(A.T @ y), -b @ y\n"
        f"    return {body}\n"
    )


REACH = Exercise(
    label="embedding-ex-reach",
    function="reach",
    prompt="The radius of the ball that a multiplier proves to be empty.",
    stub="def reach(A, b, y):\n    return None\n",
    solution=_reach_source("max(gain, 0.0) / rest"),
    wrong=(
        (_reach_source("1 / rest"), "longer"),
        (_reach_source("rest / gain"), "inverse"),
        (_reach_source("gain / rest"), "nothing is proved"),
    ),
    checks=(_reach,),
    hints=("For a feasible x: 0 ≤ sᵀy = bᵀy - xᵀAᵀy.",),
)


# ------------------------------------------------------------------------ encode
def _encode(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    x, y, s = (rng.standard_normal(k) for k in (2, 3, 3))
    tau, zero = 2.5, np.zeros(2)
    u = np.concatenate([tau * x, tau * y, [tau]])
    want = np.stack([u, np.concatenate([zero, tau * s, [0.0]])])
    divided = np.concatenate([x / tau, y / tau, [tau]])
    slips: dict[str, object] = {
        "The scale multiplies x and y; dividing by it leaves the cone of zeros.":
            np.stack([divided, want[1]]),
        "The slack is scaled as well.":
            np.stack([u, np.concatenate([zero, s, [0.0]])]),
        "κ is zero at a solution: τ and κ are never both positive.":
            np.stack([u, np.concatenate([zero, tau * s, [tau]])]),
    }  # fmt: skip
    try:
        got = np.stack([np.asarray(v, float) for v in answer(x, y, s, tau)])
    except (TypeError, ValueError):
        return "Return two vectors, u and v, each with n + m + 1 entries."
    return first(got, want, slips, "Not the pair of the embedding.")


def _encode_source(u: str, v: str, last: str = "0.0") -> str:
    return HEAD + (
        "def encode(x, y, s, tau):\n"
        f"    u = np.concatenate([{u} * x, {u} * y, [tau]])\n"
        f"    v = np.concatenate([0 * x, {v} * s, [{last}]])\n"
        "    return u, v\n"
    )


ENCODE = Exercise(
    label="embedding-ex-encode",
    function="encode",
    prompt="A solution as a pair (u, v) of the embedding.",
    stub="def encode(x, y, s, tau):\n    return None\n",
    solution=_encode_source("tau", "tau"),
    wrong=(
        (_encode_source("1 / tau", "tau"), "dividing"),
        (_encode_source("tau", "1"), "slack is scaled"),
        (_encode_source("tau", "tau", "tau"), "never both"),
    ),
    checks=(_encode,),
    hints=("Q(x, y, 1) = (0, s, 0), and the system is homogeneous.",),
)


# -------------------------------------------------------------------------- pair
def _pair(answer: Answer) -> str | None:
    rng = np.random.default_rng(3)
    for last in (1.5, -0.5):
        z = np.append(rng.standard_normal(6), last)
        project = np.maximum(z[2:-1], 0)
        u = np.concatenate([z[:2], project, [max(last, 0.0)]])
        clipped = np.maximum(z, 0)
        free = np.concatenate([z[:2], project, [last]])
        slips: dict[str, object] = {
            "The first block is free: it is not projected.":
                np.stack([clipped, clipped - z]),
            "The last entry lives on a half-line too.": np.stack([free, free - z]),
            "v is u - z, which lies in the dual cone; this is its negative.":
                np.stack([u, z - u]),
        }  # fmt: skip
        try:
            got = np.stack([np.asarray(v, float) for v in answer(z, 2, _clip)])
        except (TypeError, ValueError):
            return "Return two vectors, u and v, as long as z."
        verdict = first(got, np.stack([u, u - z]), slips, "Not Minty's pair.")
        if verdict:
            return verdict
    return None


def _clip(v: np.ndarray) -> np.ndarray:
    """The projection onto the orthant."""
    return np.maximum(v, 0)


def _pair_source(first: str, last: str, v: str = "u - z") -> str:
    return HEAD + (
        "def pair(z, n, project):\n"
        f"    u = np.concatenate([{first}, project(z[n:-1]), {last}])\n"
        f"    return u, {v}\n"
    )


PAIR = Exercise(
    label="embedding-ex-pair",
    function="pair",
    prompt="Minty's pair of a vector.",
    stub="def pair(z, n, project):\n    return None\n",
    solution=_pair_source("z[:n]", "np.maximum(z[-1:], 0)"),
    wrong=(
        (_pair_source("np.maximum(z[:n], 0)", "np.maximum(z[-1:], 0)"), "free"),
        (_pair_source("z[:n]", "z[-1:]"), "half-line"),
        (_pair_source("z[:n]", "np.maximum(z[-1:], 0)", "z - u"), "negative"),
    ),
    checks=(_pair,),
    hints=("Three blocks, each with its own projection.",),
)


# ---------------------------------------------------------------------- residual
def _residual(answer: Answer) -> str | None:
    rng = np.random.default_rng(4)
    Q = _skew(*(rng.standard_normal(k) for k in ((3, 2), 3, 2)))
    z = rng.standard_normal(6)
    u = np.maximum(z, 0)
    want = Q @ u - u + z
    slips: dict[str, object] = {
        "v is u - z, so -v is z - u: the signs of u and z are exchanged.":
            Q @ u + u - z,
        "This is Qz: the cone has been forgotten.": Q @ z,
        "This is Qu alone, and v is missing.": Q @ u,
    }  # fmt: skip
    return first(answer(Q, u, z), want, slips, "Not the residual.")


def _residual_source(body: str) -> str:
    return f"def residual(Q, u, z):\n    return {body}\n"


RESIDUAL = Exercise(
    label="embedding-ex-residual",
    function="residual",
    prompt="The residual map, given z and its projection u.",
    stub="def residual(Q, u, z):\n    return None\n",
    solution=_residual_source("Q @ u - u + z"),
    wrong=(
        (_residual_source("Q @ u + u - z"), "exchanged"),
        (_residual_source("Q @ z"), "forgotten"),
        (_residual_source("Q @ u"), "missing"),
    ),
    checks=(_residual,),
    hints=("R(z) = Qu - v with Minty's pair.",),
)


# -------------------------------------------------------------------------- step
def _step(answer: Answer) -> str | None:
    rng = np.random.default_rng(5)
    Q = _skew(*(rng.standard_normal(k) for k in ((3, 2), 3, 2)))
    w = rng.standard_normal(6)

    def project(z: np.ndarray) -> np.ndarray:
        return np.concatenate([z[:2], np.maximum(z[2:], 0)])

    u = np.linalg.solve(np.eye(6) + Q, w)
    want = w + project(2 * u - w) - u
    slips: dict[str, object] = {
        "The point is reflected, 2u - w, before it is projected.":
            w + project(u) - u,
        "This is the projected point; the loop adds the difference to w.":
            project(2 * u - w),
        "The equations are u + Qu = w.":
            w + project(2 * (v := np.linalg.solve(np.eye(6) - Q, w)) - w) - v,
    }  # fmt: skip
    return first(answer(Q, w, project), want, slips, "Not the next point.")


def _step_source(body: str, sign: str = "+") -> str:
    return HEAD + (
        "def step(Q, w, project):\n"
        f"    u = np.linalg.solve(np.eye(len(w)) {sign} Q, w)\n"
        f"    return {body}\n"
    )


STEP = Exercise(
    label="embedding-ex-step",
    function="step",
    prompt="One pass of the splitting method.",
    stub="def step(Q, w, project):\n    return None\n",
    solution=_step_source("w + project(2 * u - w) - u"),
    wrong=(
        (_step_source("w + project(u) - u"), "reflected"),
        (_step_source("project(2 * u - w)"), "adds the difference"),
        (_step_source("w + project(2 * u - w) - u", "-"), "equations"),
    ),
    checks=(_step,),
    hints=("(I + Q)u = w; then project 2u - w, and move w by what that adds to u.",),
)

EXERCISES = (GAP, REACH, ENCODE, PAIR, RESIDUAL, STEP)
