"""Exponential and power blocks: DΠ from the ray of a point that is nearly known.

The boundary of either cone is ruled by rays P(θ) with normals D(θ).  A point between
the cone and its polar is v = aP + bD with a, b > 0 for one θ, at which n = P × D is
orthogonal to v, and there DΠ = pp' + share nn' in unit vectors.  From an approximate
projection Newton's method finds θ in a few steps, and Moreau's theorem confirms it;
what it does not find is left to `companion.layers.cones`, which needs no guess.

Chapter: cone-derivative.md. Theorems: exponential-derivative, power-derivative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from companion.layers.cone_program.layout import Triple
from companion.layers.cones import TABLE

EXACT = 1e-12  # distance to 0 or 1 at which an eigenvalue of a 3 x 3 block is that
STEPS = 12
LAST = 1e-9  # relative step after which the next is below rounding
FAR = 30.0  # |θ| beyond which exponentials differ too much in size
CONFIRMED = 1e-15  # distance of v from the plane of P and D, relative to v

Curve = tuple[np.ndarray, ...]  # P, P', D, D'


class Blocks(NamedTuple):
    """Π and DΠ = Q diag(lam) Qᵀ of some triples."""

    point: np.ndarray
    lam: np.ndarray
    Q: np.ndarray


def found(v: np.ndarray, kind: Triple, near: np.ndarray | None) -> Blocks:
    """Π and DΠ for the dual of cones of one kind, near a guess of Π if there is one."""
    exponents = np.array(kind.exponents) if kind.exponents else np.zeros(v.shape[-2])
    if near is None:
        return _unguided(v, kind.cone, exponents)
    dual = exponents < 0 if kind.exponents else kind.cone == "exp_dual"
    flip = np.broadcast_to(np.where(dual, 1.0, -1.0)[..., None], v.shape)
    # project −v onto K, or v where K* is the primal cone
    guess = np.where(flip > 0, near, near - v)
    out, sure = _guided(flip * v, guess, np.abs(exponents), power=bool(kind.exponents))
    blocks = _dualised(out, flip[..., 0] > 0)
    rest = ~sure
    if rest.any():
        own = np.broadcast_to(exponents, rest.shape)[rest]
        for part, whole in zip(_unguided(v[rest], kind.cone, own), blocks, strict=True):
            whole[rest] = part
    return blocks


def _unguided(v: np.ndarray, cone: str, exponents: np.ndarray) -> Blocks:
    given = (torch.from_numpy(exponents),) if cone == "power" else ()
    D = np.eye(3) - TABLE[cone].derivative(torch.from_numpy(-v), *given).numpy()
    lam, Q = np.linalg.eigh(0.5 * (D + D.swapaxes(-1, -2)))
    lam = np.where(np.abs(lam) < EXACT, 0.0, lam)
    lam = np.where(np.abs(1 - lam) < EXACT, 1.0, lam)
    return Blocks((D @ v[..., None])[..., 0], lam, Q)  # degree 1: Π(v) = DΠ(v) v


class Rays(NamedTuple):
    """v = aP + bD, with the normal n of the plane and what DΠ keeps and loses of it."""

    aP: np.ndarray
    bD: np.ndarray
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    share: np.ndarray
    rest: np.ndarray


def _guided(
    v: np.ndarray, guess: np.ndarray, alpha: np.ndarray, *, power: bool
) -> tuple[Rays, np.ndarray]:
    """The rays of points to project onto the primal cone, and which are confirmed."""
    with np.errstate(all="ignore"):  # what is no number is not confirmed
        x, y = guess[..., 0], guess[..., 1]
        sign = np.where(v[..., 2] < 0, -1.0, 1.0)
        theta = np.log(x / y) if power else x / y
        live = np.ones(theta.shape, bool)
        for _ in range(STEPS):
            if power:
                P, dP, D, dD = _power(theta, alpha, sign)
                slope = ((cross(dP, D) + cross(P, dD)) * v).sum(-1)
                step = (cross(P, D) * v).sum(-1) / slope
            else:
                step = _step(theta, v)
            theta = np.where(live, theta - step, theta)
            live &= np.abs(step) > LAST * (1 + np.abs(theta))
            if not live.any():
                break
        P, dP, D, dD = _power(theta, alpha, sign) if power else _exponential(theta)
        n = cross(P, D)
        a, b = ((w * v).sum(-1) / (w * w).sum(-1) for w in (P, D))
        inside, outside = a * (n * dP).sum(-1), b * (n * dD).sum(-1)
        axes = tuple(w / np.sqrt((w * w).sum(-1, keepdims=True)) for w in (P, n, D))
        off = np.abs((axes[1] * v).sum(-1))
        size = np.sqrt((v * v).sum(-1))
        sure = (a > 0) & (b > 0) & (np.abs(theta) < FAR) & (off <= CONFIRMED * size)
        total = inside + outside
        rays = Rays(
            a[..., None] * P, b[..., None] * D, axes, inside / total, outside / total
        )
    return rays, sure


def _dualised(rays: Rays, primal: np.ndarray) -> Blocks:
    """Blocks of the dual: those of (aP, bD) if it is the primal cone, else Moreau's."""
    one, none = np.ones_like(rays.share), np.zeros_like(rays.share)
    kept = np.stack([one, rays.share, none], -1)
    lost = np.stack([none, rays.rest, one], -1)
    primal = np.broadcast_to(primal[..., None], kept.shape)
    return Blocks(
        np.where(primal, rays.aP, -rays.bD),
        np.where(primal, kept, lost),
        np.stack(rays.axes, -1),
    )


def cross(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Products u × w: for few triples NumPy's own takes five times as long."""
    out = np.empty(np.broadcast_shapes(u.shape, w.shape))
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., i] = u[..., j] * w[..., k] - u[..., k] * w[..., j]
    return out


def _exponential(rho: np.ndarray) -> Curve:
    """(ρ, 1, e^ρ), its normal (1, 1 − ρ, −e^−ρ), and their derivatives."""
    up, down = np.exp(rho), np.exp(-rho)
    one, none = np.ones_like(rho), np.zeros_like(rho)
    rays = (
        (rho, one, up),
        (one, none, up),
        (one, 1 - rho, -down),
        (none, -one, down),
    )
    return tuple(np.stack(w, -1) for w in rays)


def _step(rho: np.ndarray, v: np.ndarray) -> np.ndarray:
    """n·v over its derivative, n = P × D of the exponential cone written out."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    up, down, one = np.exp(rho), np.exp(-rho), 1 - rho
    value = (up + rho * down) * y - (down + up * one) * x + (rho * one - 1) * z
    return value / ((down + rho * up) * x + (up + one * down) * y + (one - rho) * z)


def _power(tau: np.ndarray, alpha: np.ndarray, sign: np.ndarray) -> Curve:
    """(e^(1−α)τ, e^−ατ, ±1), its normal, and their derivatives."""
    beta, none = 1 - alpha, np.zeros_like(tau)
    sign = np.broadcast_to(sign, tau.shape)
    xi, eta = np.exp(beta * tau), np.exp(-alpha * tau)
    rays = (
        (xi, eta, sign),
        (beta * xi, -alpha * eta, none),
        (-alpha / xi, -beta / eta, sign),
        (alpha * beta / xi, -alpha * beta / eta, none),
    )
    return tuple(np.stack(w, -1) for w in rays)
