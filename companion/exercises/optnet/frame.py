"""What the exercises of the chapter share: instances, comparison, building blocks.

Chapter: optnet.md.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from companion import sampling
from companion.exercises import Exercise
from companion.problems import QP, QPSolution
from companion.reference import qp

CLOSE = 1e-7  # relative; answers and solutions differ by rounding only


def instances() -> list[tuple[QP, QPSolution]]:
    """Three regular problems with their solutions."""
    return [sampling.qp(np.random.default_rng(seed)) for seed in range(3)]


def adjoint(problem, sol, g):
    """(d_x, d_nu, d_lam) as the chapter writes them, from the reference gradients."""
    grads = qp.vjp(problem, sol, g)
    return SimpleNamespace(x=grads.q, nu=-grads.b, lam=-grads.h), grads


def far(got, want) -> bool:
    """Whether an answer has another shape or is not close; NaN is far."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return True
    near = np.abs(got - want).max(initial=0) <= CLOSE * (
        1 + np.abs(want).max(initial=0)
    )
    return not near


def source(function: str, arguments: str, body: str) -> str:
    """A function of one expression."""
    return f"import numpy as np\n\n\ndef {function}({arguments}):\n    return {body}\n"


def exercise(name, prompt, call, solution, wrong, test, hints) -> Exercise:  # noqa: PLR0913
    """An exercise whose answers are one expression each; call is (name, arguments)."""
    function, arguments = call
    return Exercise(
        label=f"optnet-ex-{name}",
        function=function,
        prompt=prompt,
        stub=source(function, arguments, "None"),
        solution=source(function, arguments, solution),
        wrong=tuple((source(function, arguments, w), d) for w, d in wrong),
        checks=(test,),
        hints=hints,
    )
