"""Quadratic programs in floating point: the layers against the theorems, by regime.

Every derivative is judged by the order of its Taylor remainder, 2 where it is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from companion import gradcheck, sampling
from companion.layers import qp as layers
from companion.problems import QP, QPSolution

SEEDS = (0, 1)
REACH = 0.1  # greatest length of a data displacement; Taylor steps are 1/64 or less
ROOM = 6.0  # length over which a margin may be used up; 1/64 of it is tried
NOISE = 1e-13  # relative accuracy of a polished solution
STEPS = 2.0 ** -np.arange(6, 11)
AGREEMENT = 1e-6  # between solutions and gradients of two methods, relative


def draws(*regimes: str) -> list[tuple[QP, QPSolution]]:
    """A sampled problem with its solution for every regime and seed."""
    return [
        sampling.qp(np.random.default_rng(seed), regime=regime)
        for regime in regimes
        for seed in SEEDS
    ]


def regular() -> list[tuple[QP, QPSolution]]:
    """Samples of every regime in which the solution is differentiable."""
    return draws(*sampling.REGULAR_REGIMES)


def flat(problem: QP) -> np.ndarray:
    """All entries of a NumPy problem in field order."""
    return np.concatenate([np.ravel(field) for field in problem.fields])


def unflat(like: QP, data: np.ndarray) -> QP:
    """The problem with the shapes of `like` and these entries."""
    parts, at = [], 0
    for field in like.fields:
        parts.append(data[at : at + field.size].reshape(field.shape))
        at += field.size
    return QP(*parts)


def direction(problem: QP, known: QPSolution, rng: np.random.Generator) -> np.ndarray:
    """A random displacement of every field that keeps P ⪰ 0 and the active set.

    Its length is REACH, or less where the linear prediction says that a Taylor step
    would otherwise change a multiplier or a slack by much of its own size.
    """
    parts = [rng.standard_normal(field.shape) for field in problem.fields]
    values, vectors = np.linalg.eigh(problem.P)
    root = vectors * np.sqrt(np.maximum(values, 0))
    parts[0] = root @ (parts[0] + parts[0].T) @ root.T
    dP, dq, dA, db, dG, dh = parts
    x, nu, lam, slack = known.x, known.nu, known.lam, known.slack
    active = lam > slack
    C = np.vstack([problem.A, problem.G[active]])
    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
    upper = -(dP @ x + dq + dA.T @ nu + dG.T @ lam)
    lower = np.concatenate([db - dA @ x, (dh - dG @ x)[active]])
    speed = np.linalg.solve(K, np.concatenate([upper, lower]))
    dslack = dh - dG @ x - problem.G @ speed[: problem.n]
    change = np.where(active, 0, dslack)
    change[active] = speed[problem.n + problem.p :]
    margin = np.where(active, lam, slack)
    ratios = margin[margin > 0] / np.abs(change[margin > 0])
    length = min(REACH, ROOM * np.min(ratios, initial=np.inf))
    return length * np.concatenate([part.ravel() for part in parts])


def as_tensors(problem: QP) -> QP:
    """The problem in torch, every field a leaf that asks for its gradient."""
    return problem.map(lambda field: torch.tensor(field, requires_grad=True))


def value_and_gradient(
    problem: QP, loss: Callable[[QPSolution], torch.Tensor]
) -> tuple[float, np.ndarray]:
    """A loss of the layer's outputs and its gradient in all the data."""
    tensors = as_tensors(problem)
    value = loss(layers.solve(tensors))
    grads = torch.autograd.grad(
        value, tensors.fields, allow_unused=True, materialize_grads=True
    )
    return float(value.detach()), np.concatenate([g.numpy().ravel() for g in grads])


def assert_gradients(
    problem: QP, known: QPSolution, loss: Callable[[QPSolution], torch.Tensor]
) -> None:
    """Second order of the Taylor remainder of a loss, both ways along a direction.

    A kink is smooth from one side, hence both.
    """
    rng = np.random.default_rng(7)
    displaced = direction(problem, known, rng)
    _, gradient = value_and_gradient(problem, loss)

    def f(data: np.ndarray) -> np.ndarray:
        sol = layers.solve(unflat(problem, data).map(torch.tensor))
        return np.asarray(float(loss(sol)))

    slope = float(gradient @ displaced)
    for sign in (1, -1):
        report = gradcheck.taylor(
            f,
            flat(problem),
            sign * displaced,
            np.asarray(sign * slope),
            steps=STEPS,
            noise=NOISE,
        )
        assert report.passes, f"the gradient of a loss: {report}"


def linear_loss(problem: QP, *names: str) -> Callable[[QPSolution], torch.Tensor]:
    """A fixed random linear function of the named outputs."""
    rng = np.random.default_rng(11)
    sizes = {"x": problem.n, "nu": problem.p, "lam": problem.m, "slack": problem.m}
    weights = {name: torch.tensor(rng.standard_normal(k)) for name, k in sizes.items()}

    def loss(sol: QPSolution) -> torch.Tensor:
        return sum(
            (getattr(sol, name) @ weights[name] for name in names), torch.zeros(())
        )

    return loss


def assert_close(got: Any, want: Any, what: str) -> None:
    """Agreement relative to the size of what is expected."""
    got, want = np.asarray(got), np.asarray(want)
    gap = np.max(np.abs(got - want), initial=0) / (1 + np.max(np.abs(want), initial=0))
    assert gap < AGREEMENT, f"{what}: relative difference {gap:.2e}"
