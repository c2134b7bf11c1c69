"""Which method solves a batch, and what it hands to the adjoint.

"active_set" is compiled, exact, and for dense problems with P ≻ 0 on the CPU; whatever
it cannot solve, and everything where numba is not installed, goes to "interior_point".

Chapter: interior-point.md. Theorems: qp-active-set.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import interior_point
from companion.layers.qp.kkt import matvec

ENGINES = ("auto", "active_set", "interior_point")
MOST_ROWS = 4  # times the variables: beyond, the active set's m x m matrix costs more
FEW_ROWS = 300  # that cost little however few the variables
SYMMETRIC = 1e-12  # asymmetry of P that needs no second look


@dataclass(eq=False)
class Run:
    """What a call asks of an engine, and what the engine leaves behind.

    `eps` is the rounding of the caller's dtype, in which P has to be symmetric.
    `failed` says that an instance has no solution, `complete` that the compiled engine
    found all; these are facts even where the tensors are mapped or traced.
    """

    engine: str
    eps: float
    batch: tuple[int, ...]
    keep: bool = False
    used: str = ""
    failed: bool = False
    complete: bool = True
    status: Tensor | None = None
    iterations: Tensor | None = None
    factors: tuple[Tensor, ...] = ()

    def take(self) -> tuple[Tensor, ...]:
        """The factors, for autograd to hold: here they would outlive the graph."""
        factors, self.factors = self.factors, ()
        return factors

    def map(self, size: int) -> None:
        """Give what the engine left an axis in front, of what vmap has mapped."""
        for name in ("status", "iterations"):
            value = getattr(self, name)
            if value is not None:
                inner = (*value.shape[:-1], value.shape[-1] // max(size, 1))
                setattr(self, name, value.reshape(size, *inner))


@cache
def compiled() -> Any:
    """The compiled engine; None where it is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from companion.layers.qp.kernel import engine  # noqa: PLC0415 - numba is optional

    return engine


def choose(engine: str, data: tuple[Tensor, ...]) -> str:
    """The engine for a batch; ValueError if the one that is asked for cannot be had."""
    if engine not in ENGINES:
        msg = f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}"
        raise ValueError(msg)
    on_cpu = all(v.device.type == "cpu" for v in data)
    n, m = data[1].shape[-1], data[5].shape[-1]
    fits = m <= max(MOST_ROWS * n, FEW_ROWS)
    if engine == "active_set" and not (on_cpu and compiled()):
        need = "numba, which is not installed" if on_cpu else "tensors on the CPU"
        msg = f'engine: expected what "active_set" needs, {need}'
        raise ValueError(msg)
    if engine == "auto":
        able = on_cpu and fits and compiled()
        return "active_set" if able else "interior_point"
    return engine


def solve(
    run: Run, guess: Tensor | None, data: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """(x, y, status, active) of every instance; the run is filled in."""
    run.used = choose(run.engine, data)
    if run.used == "interior_point":
        check_convex(data[0], run)
        x, y, status, active = _interior(data)
        run.failed = bool((status != 0).any())
        return x, y, status, active
    found = compiled().solve(data, guess, keep=run.keep)
    x, y, active = found.x, found.y, found.active
    status = torch.zeros(len(x), dtype=torch.int64)
    run.factors, run.iterations = found.factors, found.iterations
    run.complete, run.failed = found.complete, False
    if found.skew > SYMMETRIC:
        check_symmetric(data[0], run)
    if not found.complete:
        good, bad = found.good, ~found.good
        some = tuple(v if len(v) == 1 else v[bad] for v in data)
        check_convex(some[0], run, None if len(data[0]) == 1 else bad)
        full = tuple(v.expand(int(bad.sum()), *v.shape[1:]) for v in some)
        parts = _interior(full)
        for whole, part in zip((x, y, status, active), parts, strict=True):
            whole[bad] = part
        run.used = (
            "active_set, interior_point" if bool(good.any()) else "interior_point"
        )
        run.failed = bool((status != 0).any())
    return x, y, status, active


def _interior(data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    size = max(map(len, data))
    full = interior_point.Data(*(v.expand(size, *v.shape[1:]) for v in data))
    z, status = interior_point.solve(full)
    slack = full.h - matvec(full.G, z.x)
    active = interior_point.active_rows(full.G, z.lam, slack)
    return z.x, torch.cat([z.nu, z.lam], -1), status, active


def check_symmetric(P: Tensor, run: Run, where: Tensor | None = None) -> None:
    """Refuse a P that is not symmetric beyond the rounding of its dtype."""
    size = P.abs().amax((-2, -1)).clamp(min=torch.finfo(P.dtype).tiny)
    skew = (P - P.mT).abs().amax((-2, -1))
    crooked = skew > run.eps**0.5 * size
    if bool(crooked.any()):
        place, i = _first(crooked, run.batch, where)
        msg = (
            f"QP.P: expected a symmetric matrix, got one with |P - Pᵀ| up to "
            f"{float(skew[i]):.3g}{place}"
        )
        raise ValueError(msg)


def check_convex(P: Tensor, run: Run, where: Tensor | None = None) -> None:
    """Refuse a P that is not symmetric positive semidefinite; NaN passes through.

    `where` marks the instances of the batch that P holds, if not all.
    """
    check_symmetric(P, run, where)
    size = P.abs().amax((-2, -1)).clamp(min=torch.finfo(P.dtype).tiny)
    allowed = 10 * P.shape[-1] * run.eps * size
    eye = torch.eye(P.shape[-1], dtype=P.dtype, device=P.device)
    _, info = torch.linalg.cholesky_ex(P + (2 * allowed)[:, None, None] * eye)
    suspects = (info > 0) & torch.isfinite(P).all(-1).all(-1)
    if bool(suspects.any()):
        place, i = _first(suspects, run.batch, where)
        least = float(torch.linalg.eigvalsh(0.5 * (P[i] + P[i].mT))[0])
        msg = (
            "QP.P: expected a positive semidefinite matrix, got one with least "
            f"eigenvalue {least:.3g}{place}; the problem is not convex"
        )
        raise ValueError(msg)


def _first(
    mask: Tensor, batch: tuple[int, ...], where: Tensor | None
) -> tuple[str, int]:
    """The first instance of a mask, in words and as a place in the mask."""
    flat = int(mask.nonzero()[0])
    if not batch or (where is None and len(mask) == 1):
        return "", flat
    place = flat if where is None else int(where.nonzero()[flat])
    index = tuple(int(k) for k in torch.unravel_index(torch.tensor(place), batch))
    return f" in instance {index}", flat
