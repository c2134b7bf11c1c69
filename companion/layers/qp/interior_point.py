"""A batched Mehrotra interior point, with a status for every instance.

Nothing here is differentiated: the forward pass only has to find the solution.

Chapter: interior-point.md. Theorems: qp-optimality, central-path-gap,
newton-residual-decrease.
Source: mehrotra1992implementation, for the predictor and corrector.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from companion.layers.qp.kkt import matvec, norms, solve_kkt
from companion.problems import Status

TOLERANCE = 1e-9  # on every KKT residual of a solved instance, relative to its terms
TARGET = 1e-11  # at which an instance stops iterating
CERTIFICATE = 1e-8  # residual of a Farkas or recession direction, relative to its gain
ROUNDING = 1e-12  # residual of a direction that is one, beside the terms of its entry
MARGIN = 1e-10  # a row is active where |G_i| lam_i exceeds slack_i / |G_i| by this
PROXIMAL = (
    1e-13  # added to pivots of a Newton system; residuals are of the true problem
)
NEARLY = 1e-6  # residual below which an instance that stops improving has stalled
PATIENCE = 3  # iterations without improvement that count as a stall
MAX_ITERATIONS = 60
STEP = 0.995  # share of the way to the boundary


class Data(NamedTuple):
    """A batch of QPs, one batch axis, every field full, float64."""

    P: Tensor
    q: Tensor
    A: Tensor
    b: Tensor
    G: Tensor
    h: Tensor


class Point(NamedTuple):
    """A primal-dual point of a batch; s is the slack variable of Gx + s = h."""

    x: Tensor
    nu: Tensor
    lam: Tensor
    s: Tensor


def largest(*terms: Tensor) -> Tensor:
    """Per instance, the largest absolute entry among the terms (0 where empty)."""
    joined = torch.cat(terms, -1).abs()
    return joined.amax(-1) if joined.shape[-1] else joined.sum(-1)


def dot(u: Tensor, v: Tensor) -> Tensor:
    """Inner products over the last axis."""
    return (u * v).sum(-1)


def active_rows(G: Tensor, lam: Tensor, slack: Tensor) -> Tensor:
    """Rows whose multiplier exceeds their slack, independent of the rows' scaling.

    A weakly active row (both zero) counts as inactive.
    """
    size = norms(G)
    return lam * size - slack / size > MARGIN


def solve(data: Data) -> tuple[Point, Tensor]:
    """Solution and status of every instance.

    Rows are scaled to norm one and the objective to entries of at most one; the
    interior point then runs until every instance has stopped, each frozen when it has,
    so that no instance can see its neighbours.  The last step is Newton's on the rows
    found active, which is exact when they are the right ones.
    """
    scaled, sizes = balance(data)
    point, status = _iterate(scaled)
    status = torch.where(_impossible(data), int(Status.PRIMAL_INFEASIBLE), status)
    return _finish(data, restore(point, sizes), status)


def _impossible(data: Data) -> Tensor:
    """Whether a row of zeros asks for what is not zero: the iterates blow up then.

    Less than the tolerance is no violation, there as elsewhere.
    """
    free_A, free_G = ((M == 0).all(-1) for M in (data.A, data.G))
    asked = torch.cat([free_A * data.b.abs(), free_G * (-data.h).clamp(min=0)], -1)
    return largest(asked) > TOLERANCE * (1 + largest(data.b, data.h))


def balance(data: Data) -> tuple[Data, tuple[Tensor, Tensor, Tensor]]:
    """The same programs with rows of norm one and costs of size one; and the sizes."""
    size_A, size_G = norms(data.A), norms(data.G)
    cost = largest(data.P.flatten(-2), data.q).unsqueeze(-1)
    cost = torch.where(cost > 0, cost, torch.ones_like(cost))
    scaled = Data(
        data.P / cost.unsqueeze(-1),
        data.q / cost,
        data.A / size_A.unsqueeze(-1),
        data.b / size_A,
        data.G / size_G.unsqueeze(-1),
        data.h / size_G,
    )
    return scaled, (cost, size_A, size_G)


def restore(point: Point, sizes: tuple[Tensor, Tensor, Tensor]) -> Point:
    """A point of the balanced programs as one of the programs themselves."""
    cost, size_A, size_G = sizes
    return Point(
        point.x, point.nu * cost / size_A, point.lam * cost / size_G, point.s * size_G
    )


def error(data: Data, z: Point) -> Tensor:
    """Largest KKT residual of an instance, each relative to the terms it sums."""
    Px, Ax, Gx = matvec(data.P, z.x), matvec(data.A, z.x), matvec(data.G, z.x)
    An, Gl = matvec(data.A.mT, z.nu), matvec(data.G.mT, z.lam)
    dual = largest(Px + data.q + An + Gl) / (1 + largest(Px, data.q, An, Gl))
    primal = largest(Ax - data.b, Gx + z.s - data.h, z.s.clamp(max=0))
    primal = primal / (1 + largest(Ax, data.b, Gx, data.h))
    sign = largest(z.lam.clamp(max=0)) / (1 + largest(z.lam))
    value = 0.5 * dot(z.x, Px) + dot(data.q, z.x)
    gap = dot(z.s.abs(), z.lam.abs()) / (1 + value.abs())
    return torch.stack([dual, primal, sign, gap]).amax(0)


def _iterate(data: Data) -> tuple[Point, Tensor]:
    """Iterate until every instance has an outcome; its best iterate, its status."""
    z = best = start(data)
    lowest = error(data, z)
    status = torch.full_like(lowest, Status.MAX_ITERATIONS, dtype=torch.int64)
    running = torch.ones_like(lowest, dtype=torch.bool)
    since = torch.zeros_like(status)
    for _ in range(MAX_ITERATIONS):
        now = error(data, z)
        better = running & (now < lowest)
        best, lowest = _where(better, z, best), torch.where(better, now, lowest)
        since = torch.where(better, 0, since + 1)
        for code, reached in _outcomes(data, z, now):
            status = torch.where(running & reached, int(code), status)
            running = running & ~reached
        # rounding can end progress before the target: finish it as it is
        running = running & ~((lowest < NEARLY) & (since >= PATIENCE))
        if not running.any():
            break
        z = _where(running, _step(data, z), z)
    return best, status


def _where(mask: Tensor, new: Point, old: Point) -> Point:
    pairs = zip(new, old, strict=True)
    return Point(*(torch.where(mask.unsqueeze(-1), u, v) for u, v in pairs))


def _outcomes(data: Data, z: Point, done: Tensor) -> tuple[tuple[Status, Tensor], ...]:
    """What each instance has reached, in the order in which it counts."""
    # a residual must be small beside the gain and beside the terms that it sums
    ray = matvec(data.A.mT, z.nu) + matvec(data.G.mT, z.lam)
    gain = -(dot(data.b, z.nu) + dot(data.h, z.lam))
    terms = largest(
        matvec(data.A.abs().mT, z.nu.abs()), matvec(data.G.abs().mT, z.lam.abs())
    )
    farkas = (gain > 0) & (largest(ray) <= CERTIFICATE * torch.minimum(gain, terms))
    descent, far = -dot(data.q, z.x), z.x.abs()
    leaves = largest(
        matvec(data.P, z.x), matvec(data.A, z.x), matvec(data.G, z.x).clamp(min=0)
    )
    terms = largest(*(matvec(M.abs(), far) for M in (data.P, data.A, data.G)))
    recession = leaves <= CERTIFICATE * torch.minimum(descent, terms)
    return (
        (Status.NUMERICAL_ERROR, ~torch.isfinite(done)),
        (Status.SOLVED, done < TARGET),
        (Status.PRIMAL_INFEASIBLE, farkas),
        (Status.DUAL_INFEASIBLE, (descent > 0) & recession),
    )


def start(data: Data) -> Point:
    """Least-squares point, with slacks and multipliers moved into the interior."""
    one = torch.ones_like(data.h)
    factored = newton(data, one)
    x, nu = factored(-data.q + matvec(data.G.mT, data.h), data.b)
    s = data.h - matvec(data.G, x)
    return Point(x, nu, _interior(-s), _interior(s))


def _interior(v: Tensor) -> Tensor:
    if not v.shape[-1]:
        return v
    lowest = v.amin(-1, keepdim=True)
    return torch.where(lowest > 0, v, v - lowest + 1)


def _step(data: Data, z: Point) -> Point:
    """One predictor-corrector step, the same length in every block."""
    rd = matvec(data.P, z.x) + data.q
    rd = rd + matvec(data.A.mT, z.nu) + matvec(data.G.mT, z.lam)
    rb = matvec(data.A, z.x) - data.b
    rh = matvec(data.G, z.x) + z.s - data.h
    factored = newton(data, z.lam / z.s)
    rows = max(z.s.shape[-1], 1)
    mu = dot(z.s, z.lam) / rows

    def direction(rc: Tensor) -> Point:
        # [P Aᵀ Gᵀ 0; A 0 0 0; G 0 0 I; 0 0 S Λ](dx, dnu, dlam, ds) = -(rd, rb, rh, rc)
        t = (z.lam * rh - rc) / z.s
        dx, dnu = factored(-rd - matvec(data.G.mT, t), -rb)
        ds = -rh - matvec(data.G, dx)
        return Point(dx, dnu, -(rc + z.lam * ds) / z.s, ds)

    affine = direction(z.s * z.lam)
    length = to_boundary(z, affine).unsqueeze(-1)
    predicted = dot(z.s + length * affine.s, z.lam + length * affine.lam) / rows
    sigma = (predicted / mu).clamp(0, 1) ** 3 if z.s.shape[-1] else mu
    target = (sigma * mu).unsqueeze(-1)
    d = direction(z.s * z.lam + affine.s * affine.lam - target)
    length = (STEP * to_boundary(z, d)).clamp(max=1).unsqueeze(-1)
    return Point(*(v + length * dv for v, dv in zip(z, d, strict=True)))


def to_boundary(z: Point, d: Point) -> Tensor:
    """Largest step up to 1/STEP that keeps s and lam nonnegative."""
    v, dv = torch.cat([z.s, z.lam], -1), torch.cat([d.s, d.lam], -1)
    limit = torch.full_like(z.x[..., :1], 1 / STEP)
    return torch.cat([torch.where(dv < 0, -v / dv, limit), limit], -1).amin(-1)


def newton(data: Data, weight: Tensor):
    """Factor [P + GᵀWG Aᵀ; A 0] once; the result maps right-hand sides to solutions."""
    H = data.P + data.G.mT @ (weight.unsqueeze(-1) * data.G) + data.A.mT @ data.A
    shift = PROXIMAL * (
        1 + H.diagonal(dim1=-2, dim2=-1)
    )  # per row: weights spread wide
    L, _ = torch.linalg.cholesky_ex(H + torch.diag_embed(shift))
    half = torch.linalg.solve_triangular(L, data.A.mT, upper=False)
    eye_p = torch.eye(data.A.shape[-2], dtype=L.dtype, device=L.device)
    S, _ = torch.linalg.cholesky_ex(half.mT @ half + PROXIMAL * eye_p)

    def eliminate(r1: Tensor, r2: Tensor) -> tuple[Tensor, Tensor]:
        t = (r1 + matvec(data.A.mT, r2)).unsqueeze(-1)
        v = torch.cholesky_solve(t, L)
        y = torch.cholesky_solve(data.A @ v - r2.unsqueeze(-1), S)
        u = v - torch.cholesky_solve(data.A.mT @ y, L)
        return u.squeeze(-1), y.squeeze(-1)

    def refined(r1: Tensor, r2: Tensor) -> tuple[Tensor, Tensor]:
        u, y = eliminate(r1, r2)
        Hu = matvec(data.P, u) + matvec(data.G.mT, weight * matvec(data.G, u))
        e1 = r1 - Hu - matvec(data.A.mT, y)
        du, dy = eliminate(e1, r2 - matvec(data.A, u))
        return u + du, y + dy

    return refined


def _finish(data: Data, z: Point, status: Tensor) -> tuple[Point, Tensor]:
    """Newton's step on the active rows, kept where it lowers the KKT residual."""
    z = z._replace(s=data.h - matvec(data.G, z.x))
    p = data.b.shape[-1]
    finite = torch.isfinite(error(data, z)) & ~(
        (status == Status.PRIMAL_INFEASIBLE) | (status == Status.DUAL_INFEASIBLE)
    )
    clean = Data(*(torch.where(_like(finite, v), v, 0.0) for v in data))
    active = active_rows(clean.G, z.lam, z.s) & finite.unsqueeze(-1)
    every = torch.ones_like(clean.b, dtype=torch.bool)
    x, y = solve_kkt(
        clean.P,
        torch.cat([clean.A, clean.G], -2),
        torch.cat([every, active], -1),
        -clean.q,
        torch.cat([clean.b, clean.h], -1),
    )
    polished = Point(x, y[..., :p], y[..., p:], data.h - matvec(data.G, x))
    before, after = error(data, z), error(data, polished)
    better = finite & (after < before)
    z = _where(better, polished, z)
    solved = finite & (torch.where(better, after, before) < TOLERANCE)
    failed = torch.where(status == Status.SOLVED, int(Status.NUMERICAL_ERROR), status)
    return z, torch.where(solved, int(Status.SOLVED), failed)


def _like(mask: Tensor, v: Tensor) -> Tensor:
    return mask.reshape(mask.shape + (1,) * (v.dim() - mask.dim()))
