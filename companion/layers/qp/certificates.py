"""Directions that prove that a program has no solution, and their check.

Chapter: optnet.md. Theorems: qp-optimality.
Source: boyd2004convex, §5.8, for the theorems of the alternative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from companion.layers.qp import engines
from companion.layers.qp.engines import Run
from companion.layers.qp.interior_point import ROUNDING, largest
from companion.layers.qp.kkt import matvec, norms
from companion.problems import QP, Certificate, Status

TOLERANCE = 1e-9  # residual of a direction, relative to its gain

NEAR = 1e-9  # an entry, beside the largest, that the next step may take to zero
NOISE = 1e-13  # and one that is rounding of zero after it


class Proof(NamedTuple):
    """What a certificate proves, instance by instance.

    `reach` bounds what is left open by rounding: no feasible point has a sum of
    absolute values below it.
    """

    primal_infeasible: Tensor
    dual_infeasible: Tensor
    reach: Tensor


def certifies(problem: QP, certificate: Certificate) -> Proof:
    """Check a certificate against the problem, with nothing but products.

    A Farkas ray (nu, lam) has Aᵀnu + Gᵀlam = 0, lam ≥ 0 and bᵀnu + hᵀlam < 0: any
    feasible x would give 0 = (Aᵀnu + Gᵀlam)ᵀx ≤ bᵀnu + hᵀlam.  A recession direction d
    has Pd = 0, Ad = 0, Gd ≤ 0 and qᵀd < 0: from a feasible point the objective falls
    along it for ever.  Signs of lam are exact.  Each entry of a residual is at most
    1e-12 of the terms that it sums, t = |A|ᵀ|nu| + |G|ᵀlam, and 1e-9 of the gain, so
    that a feasible x would have tᵀ|x| ≥ 1e12 times the gain and a sum of absolute
    values ≥ 1e9; likewise for d.  NaN proves nothing.
    """
    P, q, A, b, G, h = (v.detach().double() for v in problem.fields)
    nu, lam, d = (v.detach().double() for v in _parts(certificate))
    ray = matvec(A.mT, nu) + matvec(G.mT, lam)
    terms = matvec(A.abs().mT, nu.abs()) + matvec(G.abs().mT, lam.abs())
    gain, error = -((b * nu).sum(-1) + (h * lam).sum(-1)), largest(ray)
    positive = (lam >= 0).all(-1) & (gain > 0)
    rounded = (ray.abs() <= ROUNDING * terms).all(-1)
    primal = positive & rounded & (error <= TOLERANCE * gain)
    reach = torch.where(positive, gain / error, 0.0)

    fall = -(q * d).sum(-1)
    leaves = torch.cat([matvec(P, d), matvec(A, d), matvec(G, d).clamp(min=0)], -1)
    terms = torch.cat([matvec(M.abs(), d.abs()) for M in (P, A, G)], -1)
    rounded = (leaves.abs() <= ROUNDING * terms).all(-1)
    dual = (fall > 0) & rounded & (largest(leaves) <= TOLERANCE * fall)
    return Proof(primal, dual, reach)


def _parts(certificate: Certificate) -> tuple[Tensor, Tensor, Tensor]:
    return certificate.nu, certificate.lam, certificate.d


def prove(
    data: tuple[Tensor, ...], status: Tensor, rays: dict[int, Any]
) -> tuple[Tensor, Certificate | None]:
    """Certificates of the instances without a solution; NaN in all the others.

    `rays` are (d, nu, lam) of instances whose engine has checked its own; the status of
    any other whose certificate does not hold becomes NUMERICAL_ERROR.
    """
    kinds = (int(Status.PRIMAL_INFEASIBLE), int(Status.DUAL_INFEASIBLE))
    lost = tuple(status == kind for kind in kinds)
    if not bool((lost[0] | lost[1]).any()):
        return status, None
    sizes = [data[i].shape[-1] for i in (3, 5, 1)]
    nu, lam, d = (data[1].new_full((len(status), k), torch.nan) for k in sizes)
    given = torch.zeros_like(lost[0])
    given[list(rays)] = True
    for i, ray in rays.items():
        if lost[0][i]:
            nu[i], lam[i] = map(torch.from_numpy, ray[1:])
        else:
            d[i] = torch.from_numpy(ray[0])
    for kind, direct in zip(lost, (_farkas, _recession), strict=True):
        mask = kind & ~given
        if bool(mask.any()):
            some = tuple(v.expand(len(mask), *v.shape[1:])[mask] for v in data)
            parts = direct(some)
            for whole, part in zip((nu, lam) if len(parts) == 2 else (d,), parts,
                                   strict=True):  # fmt: skip
                whole[mask] = part
    certificate = Certificate(nu, lam, d)
    mask = _unproved(data, certificate, lost) & ~given
    if bool(mask.any()):
        _polish(data, certificate, mask)
        mask = _unproved(data, certificate, lost) & ~given
    return torch.where(mask, int(Status.NUMERICAL_ERROR), status), certificate


def _unproved(
    data: tuple[Tensor, ...], certificate: Certificate, lost: tuple[Tensor, ...]
) -> Tensor:
    """Instances without a solution whose certificate does not show it."""
    proof = certifies(QP(*data), certificate)
    primal, dual = lost
    return (primal & ~proof.primal_infeasible) | (dual & ~proof.dual_infeasible)


def _polish(data: tuple[Tensor, ...], found: Certificate, mask: Tensor) -> None:
    """Replace what the mask selects by what is nearby and holds to rounding."""
    some = tuple(v.expand(len(mask), *v.shape[1:])[mask] for v in data)
    whole = _parts(found)
    for v, part in zip(whole, _polished(some, *(v[mask] for v in whole)), strict=True):
        v[mask] = part


def _polished(
    data: tuple[Tensor, ...], nu: Tensor, lam: Tensor, d: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays without entries that are zero but for rounding, and moved.

    To the nearest point at which the equalities hold that the kept entries have to
    satisfy: Aᵀnu + Gᵀlam = 0; Pd = 0, Ad = 0 and Gd = 0 where it is nearly zero.
    """
    P, _, A, b, G, _ = data
    size = torch.cat([norms(A), norms(G)], -1)
    C = torch.cat([A, G], -2) / size.unsqueeze(-1)
    y = torch.cat([nu, lam], -1) * size
    y = torch.where(y.abs() <= NEAR * _top(y), 0.0, y)
    y = _within((C * (y != 0).unsqueeze(-1)).mT, y) / size
    away = matvec(G / norms(G).unsqueeze(-1), d) < -NEAR * _top(d)
    touching = torch.where(away.unsqueeze(-1), 0.0, G)
    d = _within(torch.cat([P, A, touching], -2), d)
    return y[:, : b.shape[-1]], y[:, b.shape[-1] :], d


def _within(M: Tensor, v: Tensor) -> Tensor:
    """The point of the null space of M nearest to v, without rounding of zeros."""
    near = v - matvec(torch.linalg.pinv(M), matvec(M, v))
    return torch.where(near.abs() <= NOISE * _top(v), 0.0, near)


def _top(v: Tensor) -> Tensor:
    """The largest absolute entry, with its axis."""
    return v.abs().amax(-1, keepdim=True) if v.shape[-1] else v.sum(-1, keepdim=True)


def _farkas(data: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """The ray of steepest gain: argmin ½|y|² + (b, h)ᵀy over Aᵀnu + Gᵀlam = 0, lam ≥ 0.

    Up to scaling of the rows it is the least shift of (b, h) that makes the constraints
    consistent, so that the gain is |y|² > 0 (theorem of projection on a cone).
    """
    _, _, A, b, G, h = data
    size_A, size_G = norms(A), norms(G)
    p, m = b.shape[-1], h.shape[-1]
    eye = torch.eye(p + m, dtype=b.dtype, device=b.device).expand(len(b), -1, -1)
    C = torch.cat([A / size_A.unsqueeze(-1), G / size_G.unsqueeze(-1)], -2)
    target = torch.cat([b / size_A, h / size_G], -1)
    y = _project((eye, _to_one(target), C.mT, C[:, 0] * 0, -eye[:, p:], h * 0))
    y = y / y.abs().amax(-1, keepdim=True)
    return y[:, :p] / size_A, y[:, p:].clamp(min=0) / size_G


def _recession(data: tuple[Tensor, ...]) -> tuple[Tensor]:
    """The direction of steepest descent.

    argmin ½|d|² + qᵀd over Pd = 0, Ad = 0, Gd ≤ 0: the projection of −q on a cone.
    """
    P, q, A, _, G, h = data
    size = P.abs().amax((-2, -1), keepdim=True)
    flat = P / torch.where(size > 0, size, 1.0)
    C = torch.cat([flat, A / norms(A).unsqueeze(-1)], -2)
    eye = torch.eye(P.shape[-1], dtype=P.dtype, device=P.device).expand_as(P)
    unit = G / norms(G).unsqueeze(-1)
    d = _project((eye, _to_one(q), C, C[..., 0] * 0, unit, h * 0))
    return (d / d.abs().amax(-1, keepdim=True),)


def _to_one(v: Tensor) -> Tensor:
    """The vector with largest entry one: a projection on a cone only scales with it."""
    size = v.abs().amax(-1, keepdim=True)
    return v / torch.where(size > 0, size, 1.0)


def _project(data: tuple[Tensor, ...]) -> Tensor:
    """Solution of a program that always has one, x = 0 being feasible."""
    run = Run("auto", torch.finfo(torch.float64).eps, (len(data[1]),))
    x, _, status, _ = engines.solve(run, None, data)
    return torch.where((status == Status.SOLVED).unsqueeze(-1), x, torch.nan)
