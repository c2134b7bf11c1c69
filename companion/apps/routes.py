"""Six routes on one batch: what each costs, what it keeps and how wrong it is.

Chapter: differentiation-routes.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion import sampling
from companion.layers import qp
from companion.problems import QP

REPEATS = 5


@dataclass(frozen=True)
class Measurement:
    """Medians of process time in seconds, bytes kept between the passes, gradients."""

    forward: float
    backward: float
    kept: int
    gradients: tuple[Tensor, ...]

    @property
    def seconds(self) -> float:
        """Both passes."""
        return self.forward + self.backward


def batch(count: int, n: int, p: int, m: int) -> QP:
    """Random programs with margins of one half or more, seeds 0 to count - 1."""
    drawn = [
        sampling.qp(np.random.default_rng(seed), n, p, m)[0] for seed in range(count)
    ]
    fields = zip(*(problem.fields for problem in drawn), strict=True)
    return QP(*(torch.stack([torch.tensor(v) for v in field]) for field in fields))


def measure(problem: QP, weights: Tensor, route: Any) -> Measurement:
    """Forward and backward of the loss ⟨weights, x⟩, a few times over."""
    times, gradients, kept = [], (), 0
    for _ in range(REPEATS):
        leaves = problem.map(lambda v: v.clone().requires_grad_())
        start = process_time()
        x = qp.layer(leaves, route=route)
        middle = process_time()
        gradients = torch.autograd.grad((weights * x).sum(), leaves.fields)
        times.append((middle - start, process_time() - middle))
    forward, backward = np.median(times, axis=0)
    kept = bytes_kept(problem, route)
    return Measurement(float(forward), float(backward), kept, gradients)


def bytes_kept(problem: QP, route: Any) -> int:
    """Storage that autograd holds for the backward pass, the data themselves aside."""
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    own = {v.untyped_storage().data_ptr() for v in leaves.fields}
    held: dict[int, int] = {}
    alive = []  # or an address could be used twice

    def note(v: Tensor) -> Tensor:
        storage = v.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        alive.append(v)
        return v

    with torch.autograd.graph.saved_tensors_hooks(note, lambda v: v):
        x = qp.layer(leaves, route=route)
    del x
    return sum(held.values())


def error(found: Measurement, true: Measurement) -> float:
    """Median over the batch of the worst error of a field, relative to the field."""
    worst = torch.zeros(len(found.gradients[0]), dtype=torch.float64)
    for u, v in zip(found.gradients, true.gradients, strict=True):
        gap, size = (w.flatten(1).abs().amax(1) for w in (u - v, v))
        worst = torch.maximum(worst, gap / size)
    return float(worst.median())
