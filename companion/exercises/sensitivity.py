"""Exercises of the chapter on how a solution moves.

Chapter: sensitivity.md. Theorems: value-sensitivity, kkt-nonsingular, reciprocity.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from companion.exercises import CLOSE, Answer, Exercise, far

_far = partial(far, within=CLOSE)
HEAD = "import numpy as np\n"


# ------------------------------------------------------------------- lower bound
def _bound(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    value, nu, lam = 3.0, rng.standard_normal(2), rng.uniform(0.5, 2, 3)
    db, dh = rng.standard_normal(2), rng.standard_normal(3)
    got, want = answer(value, nu, lam, db, dh), value - nu @ db - lam @ dh
    if not _far(got, want):
        return None
    if not _far(got, value + nu @ db + lam @ dh):
        return "The signs are turned: a looser wall (dh > 0) cannot cost more."
    if not _far(got, value - lam @ dh):
        return "The equalities have prices as well: nu is missing."
    if not _far(got, -nu @ db - lam @ dh):
        return "This is the change alone; the bound is on the new value."
    return f"Expected value - nuᵀdb - lamᵀdh = {want:.4f}, got {got}."


def _bound_source(body: str) -> str:
    return f"def lower_bound(value, nu, lam, db, dh):\n    return {body}\n"


BOUND = Exercise(
    label="sensitivity-ex-bound",
    function="lower_bound",
    prompt="A bound on the optimal value after b and h have moved, without solving.",
    stub=_bound_source("None"),
    solution=_bound_source("value - nu @ db - lam @ dh"),
    wrong=(
        (_bound_source("value + nu @ db + lam @ dh"), "signs are turned"),
        (_bound_source("value - lam @ dh"), "nu is missing"),
        (_bound_source("-nu @ db - lam @ dh"), "change alone"),
    ),
    checks=(_bound,),
    hints=("The bound is the first display of the theorem on the value.",),
)


# --------------------------------------------------------------------- one-sided
def _one_sided(answer: Answer) -> str | None:
    vertices = np.array([[2.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    for dh in np.array([[1.0, 0, 0], [0, 0, -1.0], [0.3, -2, 1]]):
        slopes = -vertices @ dh
        got = answer(vertices, dh)
        if not _far(got, slopes.max()):
            continue
        if not _far(got, slopes.min()):
            return "The value takes the largest of the slopes, not the smallest."
        if not _far(got, slopes.mean()):
            return "An average of multipliers is one multiplier, not the derivative."
        if not _far(got, (vertices @ dh).max()):
            return "The slope in a bound is minus its multiplier."
        return f"Along {dh} expected {slopes.max():.4f}, got {got}."
    return None


def _sided_source(body: str) -> str:
    return f"{HEAD}def one_sided(vertices, dh):\n    return {body}\n"


ONE_SIDED = Exercise(
    label="sensitivity-ex-one-sided",
    function="one_sided",
    prompt="The one-sided derivative of the value from all extreme multipliers.",
    stub=_sided_source("None"),
    solution=_sided_source("np.max(-vertices @ dh)"),
    wrong=(
        (_sided_source("np.min(-vertices @ dh)"), "largest"),
        (_sided_source("-vertices.mean(axis=0) @ dh"), "average"),
        (_sided_source("np.max(vertices @ dh)"), "minus its multiplier"),
    ),
    checks=(_one_sided,),
    hints=(
        "Each multiplier gives a line below the value; several lines meet at a kink.",
        "A linear function on a polytope is largest at a vertex.",
    ),
)


# ----------------------------------------------------------------------- regular
E1, E2 = np.eye(2)
NONE = np.zeros((0, 2))
# P, A, G, lam, slack, verdict, what goes wrong in it
REGULAR_CASES = (
    (np.diag([0.0, 1.0]), NONE, E1[None], [1.0], [0.0], True, "P may be singular"),
    (np.eye(2), NONE, np.eye(2), [1.0, 0.0], [0.0, 0.0], False, "zero multiplier"),
    (
        np.eye(2),
        NONE,
        np.array([E1, 2 * E1]),
        [1.0, 0.0],
        [0.0, 1.0],
        True,
        "inactive rows do not count",
    ),
    (np.eye(2), NONE, np.array([E1, 2 * E1]), [1.0, 1.0], [0, 0.0], False, "dependent"),
    (np.diag([1.0, 0.0]), NONE, E1[None], [1.0], [0.0], False, "flat direction"),
    (np.eye(2), E1[None], E1[None], [1.0], [0.0], False, "equality rows count"),
)


def _regular(answer: Answer) -> str | None:
    for P, A, G, lam, slack, verdict, why in REGULAR_CASES:
        got = answer(P, A, G, np.array(lam, float), np.array(slack, float))
        if got is None:
            return "Nothing came back: return True or False."
        if bool(got) != verdict:
            return f"Expected {verdict} where the point is this: {why}."
    return None


def _regular_source(rows: str, strict: str, flat: str) -> str:
    return (
        f"{HEAD}"
        "def regular(P, A, G, lam, slack):\n"
        f"    C = np.vstack([A, {rows}])\n"
        "    rank = np.linalg.matrix_rank\n"
        f"    strict = {strict}\n"
        "    independent = rank(C) == len(C)\n"
        f"    curved = {flat}\n"
        "    return strict and independent and curved\n"
    )


ACTIVE, STRICT = "G[lam > 0]", "np.all(lam + slack > 0)"
CURVED = "rank(np.vstack([P, C])) == len(P)"
REGULAR = Exercise(
    label="sensitivity-ex-regular",
    function="regular",
    prompt="Whether the KKT matrix is nonsingular, by the three conditions.",
    stub=f"{HEAD}def regular(P, A, G, lam, slack):\n    return None\n",
    solution=_regular_source(ACTIVE, STRICT, CURVED),
    wrong=(
        (_regular_source(ACTIVE, STRICT, "rank(P) == len(P)"), "may be singular"),
        (_regular_source(ACTIVE, "True", CURVED), "zero multiplier"),
        (_regular_source("G", STRICT, CURVED), "inactive rows"),
    ),
    checks=(_regular,),
    hints=(
        "Collect the active rows in C first.",
        "null(P) and null(C) meet in zero when P stacked on C has full column rank.",
    ),
)


# -------------------------------------------------------------------- asymmetry
def _asymmetry(answer: Answer) -> str | None:
    rng = np.random.default_rng(4)
    xq, ll = (rng.standard_normal((k, k)) for k in (3, 2))
    lq, extra = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    good = (xq + xq.T, -lq.T, lq, ll + ll.T)
    if _far(answer(*good), 0.0):
        return "x in h is *minus* the transpose of lam in q: the residual is a sum."
    wrong = (
        ("of x in q", (xq, *good[1:]), xq - xq.T),
        ("that mixes x in h with lam in q", (good[0], extra - lq.T, *good[2:]), extra),
        ("of lam in h", (*good[:3], ll), ll - ll.T),
    )
    for name, args, residual in wrong:
        got, want = answer(*args), np.abs(residual).max()
        if not _far(got, want):
            continue
        if not _far(got, 0.0):
            return f"A violation in the block {name} goes unseen."
        return f"Expected {want:.4f} for a violation in the block {name}, got {got}."
    return None


def _asymmetry_source(parts: str) -> str:
    return (
        f"{HEAD}"
        "def asymmetry(dx_dq, dx_dh, dlam_dq, dlam_dh):\n"
        f"    parts = [{parts}]\n"
        "    return max(np.abs(v).max() for v in parts)\n"
    )


ASYMMETRY = Exercise(
    label="sensitivity-ex-asymmetry",
    function="asymmetry",
    prompt="The largest violation of the reciprocity relations in any entry.",
    stub="def asymmetry(dx_dq, dx_dh, dlam_dq, dlam_dh):\n    return None\n",
    solution=_asymmetry_source(
        "dx_dq - dx_dq.T, dx_dh + dlam_dq.T, dlam_dh - dlam_dh.T"
    ),
    wrong=(
        (
            _asymmetry_source(
                "dx_dq - dx_dq.T, dx_dh - dlam_dq.T, dlam_dh - dlam_dh.T"
            ),
            "*minus*",
        ),
        (
            _asymmetry_source("dx_dq - dx_dq.T, dlam_dh - dlam_dh.T"),
            "mixes x in h",
        ),
        (_asymmetry_source("dx_dq - dx_dq.T, dx_dh + dlam_dq.T"), "of lam in h"),
    ),
    checks=(_asymmetry,),
    hints=("Three relations, three residuals.", "Two blocks are symmetric."),
)


# ------------------------------------------------------------------------- disc
def _disc(answer: Answer) -> str | None:
    for theta in np.array([[3.0, 4.0], [-1.0, 2.0]]):
        length = np.linalg.norm(theta)
        x = theta / length
        flat = np.eye(2) - np.outer(x, x)
        got = answer(theta)
        if not _far(got, flat / length):
            continue
        if not _far(got, flat):
            return "The circle bends: ∇²L has λ times the curvature of the constraint."
        if not _far(got, np.eye(2) / length):
            return "x cannot leave the circle: the derivative has to annihilate x."
        return "Not the solution of the system with ∇²L = (1 + λ)·1."
    inside = np.array([0.3, -0.2])
    if _far(answer(inside), np.eye(2)):
        return "Inside the disc the constraint is idle: the derivative is 1."
    return None


def _disc_source(inside: str, outside: str) -> str:
    return (
        f"{HEAD}"
        "def disc(theta):\n"
        "    length, eye = np.linalg.norm(theta), np.eye(len(theta))\n"
        "    if length < 1:\n"
        f"        return {inside}\n"
        "    x = theta / length\n"
        f"    return {outside}\n"
    )


DISC = Exercise(
    label="sensitivity-ex-disc",
    function="disc",
    prompt="The derivative of the nearest point of the unit disc to theta.",
    stub="def disc(theta):\n    return None\n",
    solution=_disc_source("eye", "(eye - np.outer(x, x)) / length"),
    wrong=(
        (_disc_source("eye", "eye - np.outer(x, x)"), "bends"),
        (_disc_source("eye", "eye / length"), "leave the circle"),
        (
            _disc_source(
                "(eye - np.outer(theta, theta) / length**2) / length",
                "(eye - np.outer(x, x)) / length",
            ),
            "Inside",
        ),
    ),
    checks=(_disc,),
    hints=(
        "With f = ½(‖x‖² - 1) stationarity reads (1 + λ)x = θ.",
        "Solve the two rows (1 + λ)dx + x dλ = dθ and xᵀdx = 0.",
    ),
)

EXERCISES = (BOUND, ONE_SIDED, REGULAR, ASYMMETRY, DISC)
