"""Cone programs: linear and second-order, semidefinite, exponential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.benchmarks import cone_peers, cone_problems
from tests.benchmarks.cone_reference import reference
from tests.benchmarks.family import OURS, Case

NAME, ABOUT = "cones", "Cone programs: min qᵀx, Ax + s = b, s ∈ K"
BACKWARD = 2.0  # floor of the backward pass alone
ACCURACY = (1e-6, None)  # wanted of our gradients: the median alone


def case(group: str, make: Callable, size: tuple, batch: int, floor: float) -> Case:
    """A workload, every peer's floor the same; `size` is what `make` takes.

    Clarabel alone, which has no gradients, stands beside the layers without a floor.
    """
    kind = make.__name__
    name = f"{kind} {'x'.join(map(str, size[:2]))} B{batch}"
    small = {"socp": (20, 40), "sdp": (4,), "logistic": (20, 3)}[kind]
    others = (other for other in cone_peers.CONTESTANTS if other != OURS)
    return Case(
        name, group, partial(make, batch, *size), cone_peers.WITH_SOLVER,
        dict.fromkeys(others, floor), reference, partial(make, min(batch, 2), *small),
        {"batch": batch}, ACCURACY,
    )  # fmt: skip


def backward(make: Callable, size: tuple, batch: int) -> Case:
    """The same with everything solved before: the backward pass is timed alone."""
    whole = case("adjoint", make, size, batch, BACKWARD)
    return replace(whole, name=f"{whole.name} adjoint", contestants=cone_peers.ADJOINTS)


def cases() -> list[Case]:
    """Every workload."""
    socp, sdp, logistic = (
        cone_problems.socp, cone_problems.sdp, cone_problems.logistic
    )  # fmt: skip
    return [
        case("socp", socp, (100, 200), 1, 1.3),
        case("socp", socp, (300, 450), 1, 1.3),
        case("socp", socp, (500, 750, 0.02), 1, 1.3),
        case("socp", socp, (100, 200), 32, 1.5),
        case("socp", socp, (100, 200), 128, 1.5),
        *(case("sdp", sdp, (side,), 1, 1.2) for side in (10, 20, 30)),
        case("sdp", sdp, (10,), 32, 1.2),
        *(case("exp", logistic, (100, 20), k, 1.2) for k in (1, 32)),
        *(backward(socp, (100, 200), k) for k in (1, 32)),
        *(backward(sdp, (10,), k) for k in (1, 32)),
        backward(logistic, (100, 20), 1),
    ]
