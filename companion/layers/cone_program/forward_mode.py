"""What a tangent needs in order to have tangents itself.

torch switches forward mode off inside the `jvp` of a function, and with it the tangents
of outer levels: jvp of jvp would be silently wrong (torch 2.13).

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd import forward_ad


@contextmanager
def outward() -> Iterator[None]:
    """Where the tangents of outer levels stay; a decorator, too."""
    with forward_ad._set_fwd_grad_enabled(True):  # noqa: FBT003 - torch's own
        yield


def bare(saved: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Saved tensors without their tangents at this level, whose rule is applied."""
    return tuple(forward_ad.unpack_dual(v).primal for v in saved)


def filled(tangents: Iterable[Tensor | None], points: Iterable[Tensor]) -> list[Tensor]:
    """Tangents, zeros where there are none."""
    pairs = zip(tangents, points, strict=True)
    return [torch.zeros_like(v) if t is None else t for t, v in pairs]
