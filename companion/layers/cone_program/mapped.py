"""What vmap does to functions whose tensors have one batch axis in front.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from companion.layers.qp.kkt import stacked

Dims = tuple[int | None, ...]


def folded(
    size: int, in_dims: Dims, data: tuple[Tensor, ...], fields: int
) -> tuple[Tensor, ...]:
    """Tensors in which a mapped axis has become the slow part of the batch axis.

    Of the first arguments, which are `fields`, those that are not mapped and shared by
    the batch stay as they are.
    """
    pairs = list(zip(data, in_dims, strict=True))
    # the batch axis stands first among those that are not mapped
    batch = max(v.shape[1 if d == 0 else 0] for v, d in pairs)

    def fold(k: int, v: Tensor, d: int | None) -> Tensor:
        if k < fields and d is None and len(v) == 1:
            return v
        v = stacked(v, d, size)
        return v.expand(size, batch, *v.shape[2:]).flatten(0, 1)

    return tuple(fold(k, v, d) for k, (v, d) in enumerate(pairs))


def right_sides_only(in_dims: Dims, fixed: int) -> bool:
    """Whether nothing is mapped among the first of the arguments."""
    return all(d is None for d in in_dims[:fixed])


def each(
    act: Callable[..., tuple[Tensor, ...]],
    size: int,
    in_dims: Dims,
    data: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """The act on every slice along the mapped axes, stacked in front."""
    slices = zip(
        *(
            [v] * size if d is None else v.unbind(d)
            for v, d in zip(data, in_dims, strict=True)
        ),
        strict=True,
    )
    found = [act(*own) for own in slices]
    return tuple(torch.stack(part) for part in zip(*found, strict=True))
