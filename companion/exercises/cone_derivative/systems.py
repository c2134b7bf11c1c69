"""Null vectors, the reduced matrix, and its tangent.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise
from companion.exercises.cone_derivative.frame import (
    HEAD,
    blocks,
    first,
    system,
)


# -------------------------------------------------------------------------- null
def _null(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    x, y, s = (rng.standard_normal(k) for k in (2, 3, 3))
    z = np.concatenate([x, y - s, [1.0]])
    u = np.concatenate([x, y, [1.0]])
    slips: dict[str, object] = {
        "Right and left are exchanged.": (u, z),
        "On the left stands the projection of z, whose middle is y.": (z, z),
        "The last entries are τ = 1.": (
            np.append(z[:-1], 0),
            np.append(u[:-1], 0),
        ),
    }
    return first(answer(x, y, s), (z, u), slips, "Not the null vectors.")


def _null_source(right: str, left: str, last: str = "1.0") -> str:
    return HEAD + (
        "def null(x, y, s):\n"
        f"    z = np.concatenate([x, y - s, [{last}]])\n"
        f"    u = np.concatenate([x, y, [{last}]])\n"
        f"    return {right}, {left}\n"
    )


NULL = Exercise(
    label="cone-derivative-ex-null",
    function="null",
    prompt="The vectors with Mz = 0 and uᵀM = 0.",
    stub="def null(x, y, s):\n    return None\n",
    solution=_null_source("z", "u"),
    wrong=(
        (_null_source("u", "z"), "exchanged"),
        (_null_source("z", "z"), "projection"),
        (_null_source("z", "u", "0.0"), "τ = 1"),
    ),
    checks=(_null,),
    hints=("Mz = R(z), and u = Πz.",),
)


# ----------------------------------------------------------------------- reduced
def _reduced(answer: Answer) -> str | None:
    P, A, D = system(np.random.default_rng(1))
    slips: dict[str, object] = {
        "D belongs to the dual unknown: it stands behind Aᵀ, not before A.": blocks(
            P, A.T, -D @ A, D
        ),
        "The second row is -A dx + …, from -(Ax + s - b).": blocks(P, A.T @ D, A, D),
        "dy = D dv: the block Aᵀ acts on dv through D.": blocks(P, A.T, -A, D),
    }
    want = blocks(P, A.T @ D, -A, D)
    return first(answer(P, A, D), want, slips, "Not the reduced matrix.")


def _reduced_source(upper: str, left: str) -> str:
    return HEAD + (
        "def reduced(P, A, D):\n"
        f"    return np.block([[P, {upper}], [{left}, np.eye(len(D)) - D]])\n"
    )


REDUCED = Exercise(
    label="cone-derivative-ex-reduced",
    function="reduced",
    prompt="The square matrix of the differential.",
    stub="def reduced(P, A, D):\n    return None\n",
    solution=_reduced_source("A.T @ D", "-A"),
    wrong=(
        (_reduced_source("A.T", "-D @ A"), "behind Aᵀ"),
        (_reduced_source("A.T @ D", "A"), "-A dx"),
        (_reduced_source("A.T", "-A"), "through D"),
    ),
    checks=(_reduced,),
    hints=("Differentiate R₁(x, v), with Πv in place of y.",),
)


# ----------------------------------------------------------------------- tangent
def _tangent(answer: Answer) -> str | None:
    rng = np.random.default_rng(3)
    _, _, D = system(rng)
    x, y, s, dz = (rng.standard_normal(k) for k in (2, 3, 3, 6))
    lead, second, last = dz[:2], D @ dz[2:-1], dz[-1]
    rest = second - dz[2:-1]
    want = (lead - x * last, second - y * last, rest - s * last)
    slips: dict[str, object] = {
        "A solution is z/τ: the change of τ is missing.": (lead, second, rest),
        "y is the projection of the middle block: its change passes through D.": (
            lead - x * last,
            dz[2:-1] - y * last,
            rest - s * last,
        ),
        "s = Πv - v: its change is D dv - dv.": (
            lead - x * last,
            second - y * last,
            dz[2:-1] - second - s * last,
        ),
    }
    found = answer(dz, x, y, s, 2, D)
    return first(found, want, slips, "Not the differentials of the solution.")


def _tangent_source(dy: str, ds: str, last: str = "dz[-1]") -> str:
    return (
        "def tangent(dz, x, y, s, n, D):\n"
        f"    dv, t = dz[n:-1], {last}\n"
        f"    return dz[:n] - x * t, {dy} - y * t, {ds} - s * t\n"
    )


TANGENT = Exercise(
    label="cone-derivative-ex-tangent",
    function="tangent",
    prompt="(dx, dy, ds) from dz.",
    stub="def tangent(dz, x, y, s, n, D):\n    return None\n",
    solution=_tangent_source("D @ dv", "D @ dv - dv"),
    wrong=(
        (_tangent_source("D @ dv", "D @ dv - dv", "0.0"), "change of τ"),
        (_tangent_source("dv", "D @ dv - dv"), "passes through D"),
        (_tangent_source("D @ dv", "dv - D @ dv"), "D dv - dv"),
    ),
    checks=(_tangent,),
    hints=("Differentiate (z₁, Πz₂, Πz₂ - z₂)/z₃ at z₃ = 1.",),
)
