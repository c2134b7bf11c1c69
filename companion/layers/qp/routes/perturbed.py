"""The route of LPGD: solve a second program, pulled along the gradient of the loss.

Chapter: differentiation-routes.md. Theorems: perturbation-limit.
Source: paulus2024lpgd, with no proximal augmentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from companion.layers.qp.interior_point import Data
from companion.layers.qp.routes.route import (
    DerivativeError,
    Point,
    Trace,
    exact,
    outer,
)
from companion.problems import Status


@dataclass(frozen=True)
class Perturbed:
    """Needs a solver and nothing else; keeps the solution.

    The loss enters the program with weight `temperature`, from one side or, if
    `central`, from both.  Error where the active set is the same at both ends: exactly
    half the temperature times d dᵀ in P, the like in A and G, rounding in q, b and h;
    rounding in all fields if central.  Where the active set changes it is a secant.
    """

    temperature: float = 1e-3
    central: bool = False


def find(trace: Trace, data: Data) -> tuple[Point, Tensor]:
    """The exact solution."""
    return exact(trace, data)


def gradients(trace: Trace, data: Data, z: Point, g: Point) -> Data:
    """Differences of the Lagrangian's gradients between two solutions."""
    tau = trace.settings.temperature
    right = slopes(pulled(trace, data, g, tau))
    if trace.settings.central:
        left = slopes(pulled(trace, data, g, -tau))
        return Data(*((a - b) / (2 * tau) for a, b in zip(right, left, strict=True)))
    here = slopes(z)
    return Data(*((a - b) / tau for a, b in zip(right, here, strict=True)))


def pulled(trace: Trace, data: Data, g: Point, tau: float) -> Point:
    """The solution with the loss, linearized, added to the program tau times."""
    moved = data._replace(
        q=data.q + tau * g.x, b=data.b - tau * g.nu, h=data.h - tau * g.lam
    )
    z, status = exact(trace, moved)
    if bool((status != Status.SOLVED).any()):
        raise DerivativeError(_complaint(status, tau))
    return z


def slopes(z: Point) -> Data:
    """Gradients of the Lagrangian in the six fields at a point."""
    return Data(
        P=outer(z.x, z.x) / 2,
        q=z.x,
        A=outer(z.nu, z.x),
        b=-z.nu,
        G=outer(z.lam, z.x),
        h=-z.lam,
    )


def _complaint(status: Tensor, tau: float) -> str:
    failed = (status != Status.SOLVED).nonzero()[:, 0]
    kind = Status(int(status[failed[0]])).name
    return (
        f"perturbed: expected the pulled program to be solved at temperature {tau:g}, "
        f"got {kind} in {len(failed)} of {len(status)} instances"
    )
