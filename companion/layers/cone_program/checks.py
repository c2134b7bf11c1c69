"""What the fields of a cone program have to be.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_tensors(fields: tuple[Any, ...]) -> None:
    """Refuse what is no torch tensor, or has no numbers."""
    for name, field in zip("PqAb", fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"ConeProgram.{name}: expected a torch tensor"
            raise TypeError(f"{msg}, got {type(field).__name__}")
    if fields[0].device.type == "meta":
        msg = "ConeProgram.P: expected numbers, got a tensor on the device"
        raise ValueError(f'{msg} "meta", without any')


def check_convex(P: Tensor, batch: tuple[int, ...], eps: float) -> None:
    """Refuse a P that is not symmetric positive semidefinite; NaN passes through."""
    if not bool(P.any()):
        return
    size = P.abs().amax((-2, -1)).clamp(min=torch.finfo(P.dtype).tiny)
    skew = (P - P.mT).abs().amax((-2, -1))
    crooked = skew > eps**0.5 * size
    if bool(crooked.any()):
        place, i = _first(crooked, batch)
        msg = "ConeProgram.P: expected a symmetric matrix, got one with |P - Pᵀ| up to "
        raise ValueError(f"{msg}{float(skew[i]):.3g}{place}")
    allowed = 10 * P.shape[-1] * eps * size
    eye = torch.eye(P.shape[-1], dtype=P.dtype)
    _, info = torch.linalg.cholesky_ex(P + (2 * allowed)[:, None, None] * eye)
    suspects = (info > 0) & torch.isfinite(P).all(-1).all(-1)
    if bool(suspects.any()):
        place, i = _first(suspects, batch)
        least = float(torch.linalg.eigvalsh(0.5 * (P[i] + P[i].mT))[0])
        msg = (
            "ConeProgram.P: expected a positive semidefinite matrix, got one with "
            f"least eigenvalue {least:.3g}{place}; the problem is not convex"
        )
        raise ValueError(msg)


def _first(mask: Tensor, batch: tuple[int, ...]) -> tuple[str, int]:
    """The first instance of a mask, in words and as a place in the mask."""
    flat = int(mask.nonzero()[0])
    if not batch or len(mask) == 1:
        return "", flat
    index = tuple(int(k) for k in torch.unravel_index(torch.tensor(flat), batch))
    return f" in instance {index}", flat
