"""Exercises on the two linear systems, forwards and backwards, and on an alarm.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-invariances.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise, returning
from companion.exercises.optnet.frame import adjoint, far, instances
from companion.problems import QP, QPSolution
from companion.reference import qp


# ------------------------------------------------------------------------ tangent
def _moved(problem: QP, sol: QPSolution, upper: np.ndarray, lower: np.ndarray):
    """The dx of the system on the active rows, from its two right-hand sides."""
    C = np.vstack([problem.A, problem.G[sol.lam > 0]])
    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
    return np.linalg.solve(K, np.concatenate([upper, lower]))[: problem.n]


def _tangent(answer: Answer) -> str | None:
    for problem, sol in instances():
        rng = np.random.default_rng(6)
        dq, dG, dh = (rng.normal(size=v.shape) for v in (problem.q, problem.G, sol.lam))
        active, still = sol.lam > 0, np.zeros(problem.p)
        push, room = -(dq + dG.T @ sol.lam), dh - dG @ sol.x
        got = answer(problem, sol, dq, dG, dh)

        def dx(upper, rows, i=(problem, sol, still, active)):
            return _moved(i[0], i[1], upper, np.concatenate([i[2], rows[i[3]]]))

        if got is None:
            return "Nothing came back: the stub returns None."
        if not far(got, dx(-dq, room)):
            return "dG acts on stationarity too: Gᵀlam changes by dGᵀlam."
        if not far(got, dx(push, dh)):
            return "dG acts on the constraint too: it takes dG x from the room dh."
        if not far(got, -dx(push, room)):
            return "The sign is turned: the differentials of the data go to the right."
        if far(got, dx(push, room)):
            return "Not the dx of the differential system."
    return None


def _system_source(upper: str, lower: str, sign: str = "") -> str:
    return (
        "import numpy as np\n\n\n"
        "def tangent(problem, sol, dq, dG, dh):\n"
        "    active = sol.lam > 0\n"
        "    C = np.vstack([problem.A, problem.G[active]])\n"
        "    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])\n"
        f"    upper, lower = {upper}, {lower}\n"
        "    rhs = np.concatenate([upper, np.zeros(problem.p), lower[active]])\n"
        f"    return {sign}np.linalg.solve(K, rhs)[: problem.n]\n"
    )


PUSH, ROOM = "-(dq + dG.T @ sol.lam)", "dh - dG @ sol.x"
TANGENT = Exercise(
    label="optnet-ex-tangent",
    function="tangent",
    prompt="The differential dx for given dq, dG and dh (★★).",
    stub="def tangent(problem, sol, dq, dG, dh):\n    return None\n",
    solution=_system_source(PUSH, ROOM),
    wrong=(
        (_system_source("-dq", ROOM), "stationarity too"),
        (_system_source(PUSH, "dh"), "constraint too"),
        (_system_source(PUSH, ROOM, "-"), "sign is turned"),
    ),
    checks=(_tangent,),
    hints=(
        "Keep the rows with a positive multiplier, as equalities.",
        "To x, the change dG looks like dq + dGᵀlam and like dh − dG x.",
    ),
)


# ------------------------------------------------------------------------ adjoint
def _adjoint(answer: Answer) -> str | None:
    for problem, sol in instances():
        g = np.random.default_rng(5).normal(size=problem.n)
        want, _ = adjoint(problem, sol, g)
        got = answer(problem, sol, g)
        if got is None:
            return "Nothing came back: the stub returns None."
        dx, dnu, dlam = got
        if np.shape(dlam) != np.shape(sol.lam):
            return "d_lam is short: it has an entry for every row, zero where inactive."
        if not far(dx, -want.x) and not far(dlam, -want.lam):
            return "The sign is turned: the right-hand side is −g."
        if far(problem.G[sol.lam > 0] @ np.asarray(dx), np.zeros((sol.lam > 0).sum())):
            return "d_x leaves the active walls: keep them as rows of C."
        if far(dx, want.x) or far(dnu, want.nu) or far(dlam, want.lam):
            return "Not the solution of the adjoint system."
    return None


def _adjoint_source(active: str, g: str, dlam: str) -> str:
    return (
        "import numpy as np\n\n\n"
        "def adjoint(problem, sol, g):\n"
        f"    active = {active}\n"
        "    C = np.vstack([problem.A, problem.G[active]])\n"
        "    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])\n"
        f"    d = np.linalg.solve(K, np.concatenate([{g}, np.zeros(len(C))]))\n"
        "    dx, dnu, dy = np.split(d, [problem.n, problem.n + problem.p])\n"
        "    dlam = np.zeros(problem.m)\n"
        "    dlam[active] = dy\n"
        f"    return dx, dnu, {dlam}\n"
    )


ADJOINT = Exercise(
    label="optnet-ex-adjoint",
    function="adjoint",
    prompt="The adjoint (d_x, d_nu, d_lam) of a loss with gradient g (★★).",
    stub="def adjoint(problem, sol, g):\n    return None\n",
    solution=_adjoint_source("sol.lam > 0", "-g", "dlam"),
    wrong=(
        (_adjoint_source("sol.lam > 0", "-g", "dy"), "short"),
        (_adjoint_source("sol.lam > 0", "g", "dlam"), "sign is turned"),
        (_adjoint_source("sol.lam < 0", "-g", "dlam"), "leaves the active"),
    ),
    checks=(_adjoint,),
    hints=("The matrix is [P Cᵀ; C 0].", "Scatter the multipliers into zeros."),
)


# -------------------------------------------------------------------------- alarm
def _alarm(answer: Answer) -> str | None:
    for problem, sol in instances():
        g = np.random.default_rng(4).normal(size=problem.n)
        # gradients of something else, so that no identity holds and each term shows
        grads = qp.vjp(problem, sol, g).map(lambda v: v + np.sin(v) + 0.5)
        got = answer(problem, sol, grads, g)
        if got is None:
            return "Nothing came back: the stub returns None."
        first, last = problem.P @ grads.P, np.outer(g, sol.x)
        order = np.outer(problem.q, grads.q)
        rest = problem.A.T @ grads.A + problem.G.T @ grads.G
        if not far(got, first + order + rest + last):
            return "P stands between x and x, so its term counts twice."
        if not far(got, 2 * first + order.T + rest + last):
            return "The outer product is the wrong way round: q stands left."
        if not far(got, 2 * first + order + rest):
            return "The loss sees the change of variable as well: g xᵀ is missing."
        if far(got, 2 * first + order + rest + last):
            return "Not the residual of identity (v)."
    return None


REST = "problem.A.T @ grads.A + problem.G.T @ grads.G"
ALARM = returning(
    "optnet-ex-alarm",
    "The residual of identity (v), a matrix (★★).",
    ("alarm", "problem, sol, grads, g"),
    f"2 * problem.P @ grads.P + np.outer(problem.q, grads.q) + {REST}"
    " + np.outer(g, sol.x)",
    (
        (
            f"problem.P @ grads.P + np.outer(problem.q, grads.q) + {REST}"
            " + np.outer(g, sol.x)",
            "counts twice",
        ),
        (
            f"2 * problem.P @ grads.P + np.outer(grads.q, problem.q) + {REST}"
            " + np.outer(g, sol.x)",
            "wrong way round",
        ),
        (
            f"2 * problem.P @ grads.P + np.outer(problem.q, grads.q) + {REST}",
            "is missing",
        ),
    ),
    _alarm,
    ("qp-invariances has the five identities.", "Every term is an n × n matrix."),
)

EXERCISES = (TANGENT, ADJOINT, ALARM)
