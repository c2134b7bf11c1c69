"""How far the data can move along a direction before the active set changes.

Chapter: optnet.md. Theorems: qp-active-set.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers.qp.kkt import matvec, solve_kkt
from companion.problems import QP

ROUNDING = 1e-12  # speed, beside the direction's, that counts as standing still
NUDGE = 1e-3  # share of P by which a direction shows whether it stays convex
REAL = 1e-8  # imaginary part, relative, of a root that counts as real


def along(problem: QP, **speeds: Any) -> QP:
    """A direction of the data: the named fields move at these speeds, others stand.

    Raises
    ------
    ValueError
        If a name is not one of P, q, A, b, G and h.
    """
    unknown = sorted(speeds.keys() - set("PqAbGh"))
    if unknown:
        msg = f"along: expected names among P, q, A, b, G, h, got {', '.join(unknown)}"
        raise ValueError(msg)
    named = zip("PqAbGh", problem.fields, strict=True)
    return QP(**{k: _speed(v, speeds.get(k)) for k, v in named})


def _speed(v: Tensor, speed: Any) -> Tensor:
    """The speed of a field, of its size; zeros if none is given."""
    if v.layout == torch.sparse_csr:
        return v.detach() * 0 if speed is None else speed
    speed = 0.0 if speed is None else speed
    speed = torch.as_tensor(speed, dtype=v.dtype, device=v.device)
    return speed + torch.zeros_like(v)


def speeds(problem: QP, direction: QP) -> tuple[Tensor, ...]:
    """The six fields of a direction in float64, one batch axis, full size.

    Raises
    ------
    ValueError
        If the shape of a field does not broadcast to the problem's.
    """
    parts, size = [], math.prod(problem.batch)
    pairs = zip("PqAbGh", problem.fields, direction.fields, strict=True)
    for name, v, dv in pairs:
        axes = 2 if name in "PAG" else 1
        tail = tuple(v.shape[v.dim() - axes :])
        if tuple(dv.shape[dv.dim() - axes :]) != tail:
            msg = f"direction.{name}: expected shape (*batch, {tail}) as the problem's"
            raise ValueError(f"{msg}, got {tuple(dv.shape)}")
        full = dv.detach().double().expand(*problem.batch, *tail)
        parts.append(full.reshape(size, *tail))
    return tuple(parts)


def radius(problem: QP, rows: Any, direction: QP, regular: Tensor) -> Tensor:
    """Least t at which a multiplier or a slack reaches zero or P stops being convex.

    `rows` are the solved rows as `regularity` tells them apart.  NaN where not regular.
    """
    moves = speeds(problem, direction)
    dP, dq, dA, db, dG, dh = moves
    P, _, A, _, G, _ = rows.fields
    r1 = -(matvec(dP, rows.x) + dq + matvec(dA.mT, rows.nu) + matvec(dG.mT, rows.lam))
    r2 = torch.cat([db - matvec(dA, rows.x), dh - matvec(dG, rows.x)], -1)
    p = A.shape[-2]
    active = torch.cat([rows.strong.new_ones(len(P), p), rows.strong], -1)
    dx, dy = solve_kkt(P, torch.cat([A, G], -2), active, r1, r2)
    fall = torch.where(rows.strong, dy[:, p:], r2[:, p:] - matvec(G, dx))
    level = torch.where(rows.strong, rows.lam, rows.slack).clamp(min=0)
    level = torch.where(rows.weak, 0.0, level)
    noise = ROUNDING * torch.cat([r1, r2], -1).abs().amax(-1, keepdim=True)
    falling = fall < -noise
    ratio = torch.where(falling, level / -fall, torch.inf)
    limit = torch.full_like(rows.x[:, :1], torch.inf)
    found = torch.cat([ratio, limit], -1).amin(-1)
    bent = sum(v.flatten(1).abs().sum(-1) for v in (dP, dA, dG)) > 0
    for i in (regular & bent & (found > 0)).nonzero().flatten().tolist():
        found[i] = _least_root(i, rows, moves)
    return torch.where(regular, found, torch.nan)


def _least_root(i: int, rows: Any, moves: tuple[Tensor, ...]) -> float:
    """Along matrices that move, x(t) is rational; each event is a root of a pencil.

    With K(t)z = r(t) the KKT system, c(t)ᵀz(t) = d(t) if and only if
    det [K(t) r(t); c(t)ᵀ d(t)] = 0 wherever det K(t) is not zero.
    """
    own = tuple(v[i] for v in rows.fields)
    ends = (
        _pencils(own, rows.strong[i], 1.0),
        _pencils(tuple(v[i] for v in moves), rows.strong[i], 0.0),
    )
    still, least = rows.weak[i].tolist(), _convex_until(own[0], moves[0][i])
    for k, (M, dM) in enumerate(zip(*ends, strict=True)):
        if k and still[k - 1]:  # a weak row that leaves its bound, from zero
            continue
        least = min(least, _least_real(M, dM))
    return least


def _convex_until(P: Tensor, dP: Tensor) -> float:
    """Largest t up to which P + t dP is positive semidefinite."""
    size = float(P.abs().amax() / dP.abs().amax()) if bool(dP.any()) else 0.0
    early = torch.linalg.eigvalsh(P + NUDGE * size * dP)[0]
    if early < -ROUNDING * P.abs().amax():
        low = torch.linalg.eigvalsh(P)[0]
        if low <= ROUNDING * P.abs().amax():
            return 0.0
    return _least_real(P.cpu().numpy(), dP.cpu().numpy())


def _pencils(
    fields: tuple[Tensor, ...], strong: Tensor, one: float
) -> list[np.ndarray]:
    """The KKT matrix on the active rows, and it bordered for each inequality's event.

    The border reads off the multiplier of an active row and the slack of another; `one`
    is its constant, zero in a derivative.
    """
    P, q, A, b, G, h = (v.cpu().numpy() for v in fields)
    held = strong.cpu().numpy()
    C, d = np.vstack([A, G[held]]), np.concatenate([b, h[held]])
    n, k = len(P), len(C)
    K = np.block([[P, C.T], [C, np.zeros((k, k))]])
    r = np.concatenate([-q, d])
    places = n + len(A) + np.cumsum(held) - 1
    pencils = [K]
    for i, pressed in enumerate(held):
        border = np.zeros(n + k + 1)
        if pressed:
            border[places[i]] = one
        else:
            border[:n], border[-1] = G[i], h[i]
        pencils.append(np.vstack([np.column_stack([K, r]), border]))
    return pencils


def _least_real(M: np.ndarray, dM: np.ndarray) -> float:
    """Least t > 0 with det(M + t dM) = 0; infinite if there is none."""
    from scipy.linalg import eigvals  # noqa: PLC0415 - only for matrices that move

    above, below = np.asarray(eigvals(M, -dM, homogeneous_eigvals=True))
    finite = np.abs(below) > 1e-14 * np.abs(dM).max(initial=0.0)
    t = above[finite] / below[finite]
    t = t.real[(np.abs(t.imag) <= REAL * np.abs(t)) & (t.real > 0)]
    return float(t.min(initial=math.inf))
