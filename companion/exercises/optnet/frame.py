"""What the exercises of the chapter share: instances, adjoints, comparison.

Chapter: optnet.md.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np

from companion import exercises, sampling
from companion.problems import QP, QPSolution
from companion.reference import qp

far = partial(exercises.far, within=exercises.CLOSE)


def instances() -> list[tuple[QP, QPSolution]]:
    """Three regular problems with their solutions."""
    return [sampling.qp(np.random.default_rng(seed)) for seed in range(3)]


def adjoint(problem, sol, g):
    """(d_x, d_nu, d_lam) as the chapter writes them, from the reference gradients."""
    grads = qp.vjp(problem, sol, g)
    return SimpleNamespace(x=grads.q, nu=-grads.b, lam=-grads.h), grads
