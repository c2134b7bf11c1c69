"""What a family of workloads consists of; `qp` is one.

A family is a module with `NAME`, `ABOUT` and `cases()`.  A case makes its data from a
seed, names the layers that compete on it and by how much ours is to be ahead of each,
and has a reference for the gradients that no contestant provides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

OURS = "companion"
SMALL = 1e-3  # share of the batch's median size below which errors are not relative
VANISHING = 1e-12  # share of the largest gradient below which one is rounding
Gradients = list[Tensor | None]  # one for each field; None where it is not asked for


@dataclass(frozen=True)
class Task:
    """A problem as a contestant wants it; what stands here is not timed.

    `gradients` turns those of the leaves into those of the fields of the case.
    """

    leaves: list[Tensor]
    forward: Callable[..., Tensor]
    gradients: Callable[[Sequence[Tensor | None]], Gradients] = list
    untouched: tuple[int, ...] = ()  # leaves that ask for no gradient


@dataclass(frozen=True)
class Contestant:
    """A layer: the module that it needs, and its way to prepare a problem."""

    module: str
    prepare: Callable[[Any], Task]


@dataclass(frozen=True)
class Reference:
    """Gradients to believe, and the instances of a batch where none exists."""

    gradients: Gradients
    irregular: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """A workload, and by how much each correct peer is to be behind at least."""

    name: str
    group: str
    make: Callable[[], Any]
    contestants: dict[str, Contestant]
    floors: dict[str, float]
    reference: Callable[[Any, Tensor], Reference]
    warm: Callable[[], Any] | None = None  # a small problem of the kind, solved first
    size: dict[str, int] = field(default_factory=dict)
    accuracy: tuple[float, float | None] = (1e-9, 1e-6)  # ours: median, and worst
    alone: bool = False  # every contestant gets a new process for it


def seed_like(x: Tensor) -> Tensor:
    """The fixed weights of the loss, one for each entry of the solution."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def errors(found: Gradients, wanted: Reference) -> tuple[float, float]:
    """Relative errors of gradients: median over the batch, and worst regular instance.

    Each is the largest over the fields, measured beside a `yardstick`.
    """
    medians, worsts = [0.0], [0.0]
    sizes = [None if v is None else norms(v) for v in wanted.gradients]
    for a, b, size in zip(found, wanted.gradients, sizes, strict=True):
        if a is None or b is None or size is None or not b.numel():
            continue
        alike = [v for v in sizes if v is not None and len(v) == len(size)]
        error = norms(a.detach().cpu() - b) / yardstick(size, alike)
        medians.append(float(error.median()))
        regular = [k for k in range(len(error)) if k not in wanted.irregular]
        worsts.append(float(error[regular].max()))
    return max(medians), max(worsts)


def norms(v: Tensor) -> Tensor:
    """The size of each instance's gradient in one field."""
    return v.detach().reshape(len(v), -1).norm(dim=1)


def yardstick(size: Tensor, others: list[Tensor]) -> Tensor:
    """What an error in a field is measured beside, by instance.

    The size of the field's own gradient, or a thousandth of its median over the batch
    if that is larger: some instances have a gradient of almost zero.  At a vertex the
    gradients in P and q are zero exactly, and what a computer finds there is rounding;
    a field like that has no relative error, and is measured beside the largest of the
    instance's gradients, so that a number where zero is due still counts.
    """
    largest = torch.stack(others).amax(0)
    vanishes = size <= VANISHING * largest
    own = torch.where(vanishes, largest, size)
    return own.clamp(min=SMALL * float(size.median()) + 1e-300)
