"""Which method solves a batch, and what it hands to the adjoint.

"separable" is for diagonal P, bounds and at most one equality; "active_set" is for
dense problems with P ≻ 0.  Both are compiled, exact and on the CPU; whatever they
cannot solve, and everything where numba is not installed, goes to "interior_point";
what that cannot decide, and every problem with sparse matrices, to "sparse".

Chapter: interior-point.md. Theorems: qp-active-set.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers.qp import interior_point, smoothing
from companion.layers.qp.kkt import matvec
from companion.layers.qp.run import Kink, Run
from companion.layers.qp.sparse import engine as sparse_engine
from companion.layers.qp.sparse import libraries
from companion.layers.qp.sparse.data import from_dense
from companion.problems import Status

__all__ = ["ENGINES", "Kink", "Run", "check_engine", "choose", "compiled", "solve"]

ENGINES = ("auto", "separable", "active_set", "interior_point", "sparse")
MOST_ROWS = 4  # times the variables, and
FEW_ROWS = 2000  # however few those are: the active set keeps an m x m matrix
SYMMETRIC = 1e-12  # asymmetry of P that needs no second look


@cache
def compiled() -> Any:
    """The compiled engine; None where it is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from companion.layers.qp.kernel import engine  # noqa: PLC0415 - numba is optional

    return engine


def check_engine(engine: str) -> None:
    """Refuse an engine that does not exist."""
    if engine not in ENGINES:
        msg = f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}"
        raise ValueError(msg)


def _fitting(run: Run, data: tuple[Tensor, ...], *, able: bool) -> str:
    """The fastest engine for a dense batch; `able` says that compiled code runs."""
    n, p, m = (data[i].shape[-1] for i in (1, 3, 5))
    run.structure = _structure(data) if able else None
    if run.structure is not None:
        return "separable"
    fits = p <= n and m <= max(MOST_ROWS * n, FEW_ROWS)
    return "active_set" if able and fits else "interior_point"


def choose(run: Run, data: tuple[Tensor, ...]) -> str:
    """The engine for a batch, with the structure that it needs noted in the run.

    Raises ValueError if the one that is asked for cannot be had.
    """
    engine = run.engine
    check_engine(engine)
    if engine == "interior_point":
        return engine
    if engine == "sparse":
        if not _has_sparse(data):
            need = "tensors on the CPU and clarabel or piqp installed"
            msg = f'engine: expected what "sparse" needs, {need}'
            raise ValueError(msg)
        return engine
    on_cpu = all(v.device.type == "cpu" for v in data)
    able = on_cpu and compiled() is not None
    if engine == "auto":
        return _fitting(run, data, able=able)
    if not able:
        need = "numba, which is not installed" if on_cpu else "tensors on the CPU"
        msg = f'engine: expected what "{engine}" needs, {need}'
        raise ValueError(msg)
    if engine == "separable":
        run.structure = _structure(data)
    if engine == "separable" and run.structure is None:
        msg = (
            'engine: expected for "separable" a shared diagonal P ≻ 0, at most one '
            "shared equality and one variable in each shared row of G"
        )
        raise ValueError(msg)
    return engine


def _structure(data: tuple[Tensor, ...]) -> Any:
    """What the separable engine needs to know of a batch; None if it does not fit."""
    from companion.layers.qp.kernel import structure  # noqa: PLC0415 - numba is optional

    return structure.seen(data)


def _fast(run: Run, guess: Tensor | None, data: tuple[Tensor, ...]) -> Any:
    """Solutions by the compiled engine that was chosen."""
    from companion.layers.qp.kernel import structure  # noqa: PLC0415 - numba is optional

    if run.used == "separable":
        run.adjoint = structure.gradients
        return structure.solve(run.structure, data, keep=run.keep)
    run.adjoint = compiled().gradients
    return compiled().solve(data, guess, keep=run.keep)


def solve(
    run: Run, guess: Tensor | None, data: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """(x, y, status, active) of every instance, y = (nu, lam); the run is filled in.

    `guess` are multipliers of G to start from.
    """
    if run.smoothing:
        return _smoothed(run, data)
    run.used = choose(run, data)
    if run.used in ("interior_point", "sparse"):
        check_convex(data[0], run)
        every = torch.arange(max(map(len, data)))
        engine = _sparse if run.used == "sparse" else _interior
        return _judged(run, engine(data, run, every))
    found = _fast(run, guess, data)
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
        chosen = run.used
        parts = _interior(full, run, bad.nonzero()[:, 0])
        for whole, part in zip((x, y, status, active), parts, strict=True):
            whole[bad] = part
        fast = f"{chosen}, " if bool(good.any()) else ""
        run.used = f"{fast}{run.used}"
        return _judged(run, (x, y, status, active))
    return x, y, status, active


def _judged(run: Run, found: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What was found, after the run has learnt whether anything was not."""
    run.failed = bool((found[2] != 0).any())
    return found


def _smoothed(run: Run, data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Points of the central path; the exact programs say why where there is none."""
    check_convex(data[0], run)
    run.used = "central_path"
    size = max(map(len, data))
    full = interior_point.Data(*(v.expand(size, *v.shape[1:]) for v in data))
    z, found = smoothing.central(full, run.smoothing)
    status = torch.zeros_like(found, dtype=torch.int64)
    if not bool(found.all()):
        status[~found] = interior_point.solve(
            interior_point.Data(*(v[~found] for v in full))
        )[1]
        status = smoothing.outcome(found, status)
    active = torch.zeros_like(z.lam, dtype=torch.bool)
    return _judged(run, (z.x, torch.cat([z.nu, z.lam], -1), status, active))


def _interior(data: tuple[Tensor, ...], run: Run, where: Tensor) -> tuple[Tensor, ...]:
    """The interior point; what it cannot decide goes to the sparse engine."""
    size = max(map(len, data))
    full = interior_point.Data(*(v.expand(size, *v.shape[1:]) for v in data))
    z, status = interior_point.solve(full)
    slack = full.h - matvec(full.G, z.x)
    active = interior_point.active_rows(full.G, z.lam, slack)
    found = (z.x, torch.cat([z.nu, z.lam], -1), status, active)
    run.used = "interior_point"
    undecided = status >= Status.MAX_ITERATIONS
    if run.engine == "auto" and bool(undecided.any()) and _has_sparse(data):
        parts = _sparse(tuple(v[undecided] for v in full), run, where[undecided])
        for whole, part in zip(found, parts, strict=True):
            whole[undecided] = part
        run.used = "interior_point, sparse"
    return found


def _has_sparse(data: tuple[Tensor, ...]) -> bool:
    return data[0].device.type == "cpu" and bool(libraries.installed())


def _sparse(data: tuple[Tensor, ...], run: Run, where: Tensor) -> tuple[Tensor, ...]:
    """The sparse engine, one instance after another, on dense data.

    Its rays, checked in rational arithmetic where rounding would hide them, are noted
    in the run; `where` are the places of the instances in the batch.
    """
    size = max(map(len, data))
    full = [v.detach().expand(size, *v.shape[1:]).numpy() for v in data]
    found = [
        sparse_engine.solve(from_dense(*(v[i] for v in full))) for i in range(size)
    ]
    run.rays.update(
        (int(i), f.ray) for i, f in zip(where, found, strict=True) if f.ray is not None
    )
    rows = (
        (f.point[0], np.concatenate(f.point[1:]), int(f.status), f.active)
        for f in found
    )
    columns = zip(*rows, strict=True)
    return tuple(torch.from_numpy(np.stack(column)) for column in columns)


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
