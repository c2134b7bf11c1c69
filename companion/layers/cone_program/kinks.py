"""How far a point is from the kinks of the projection on K*, block by block.

Chapter: cone-derivative.md. Theorems: soc-derivative, psd-derivative.
"""

from __future__ import annotations

import numpy as np

from companion.layers.cone_program.layout import Layout, triangle
from companion.layers.cone_program.spectrum import Semidefinite, Spectrum


def distances(v: np.ndarray, where: Layout) -> np.ndarray:
    """Distance of every block to its kinks, in the order of `where.blocks`.

    Rows that are free under the dual have none: infinity.  Exact for signed rows,
    second-order and PSD blocks; for exponential and power blocks to first order in the
    distance to the boundary where v is inside, an upper bound elsewhere.
    """
    out = np.full((len(v), len(where.blocks)), np.inf)
    place = {int(rows[0]): j for j, rows in enumerate(where.blocks)}
    for row in where.sign:
        out[:, place[int(row)]] = np.abs(v[:, row])
    for group in where.soc:
        part = v[:, group.rows]
        r = np.sqrt((part[..., 1:] ** 2).sum(-1))
        gap = np.abs(np.abs(part[..., 0]) - r) * np.sqrt(0.5)
        out[:, [place[int(rows[0])] for rows in group.rows]] = gap
    for group in where.psd:
        turn = Semidefinite(v[:, group.rows], group.size)
        gap = np.abs(turn.values).min(-1)
        out[:, [place[int(rows[0])] for rows in group.rows]] = gap
    if len(where.triples):
        gap = _triples(v, where)
        out[:, [place[int(rows[0])] for rows in where.triples]] = gap
    return out


def undecided(v: np.ndarray, spectrum: Spectrum, margin: float) -> np.ndarray:
    """Rows in the eigenbasis whose eigenvalue jumps within `margin` of v."""
    where, out = spectrum.where, np.zeros(v.shape, bool)
    out[:, where.sign] = np.abs(v[:, where.sign]) <= margin
    for group in where.soc:
        part = v[:, group.rows]
        t, r = part[..., 0], np.sqrt((part[..., 1:] ** 2).sum(-1))
        weak = np.zeros(part.shape, bool)
        weak[..., 0] = np.abs(t + r) <= margin
        weak[..., 1] = np.abs(t - r) <= margin
        weak[(np.abs(t) <= margin) & (r <= margin)] = True
        out[:, group.rows] = weak
    for group in where.psd:
        rows, columns, _ = triangle(group.size)
        values = Semidefinite(v[:, group.rows], group.size).values
        none = np.abs(values) <= margin
        out[:, group.rows] = none[..., rows] & none[..., columns]
    if len(where.triples):
        weak = _triples(v, where) <= margin
        out[:, where.triples] = weak[..., None]
    return out


def _triples(v: np.ndarray, where: Layout) -> np.ndarray:
    """For exponential and power blocks; y and s are the two parts of v = y − s."""
    part = v[:, where.triples]
    y = Spectrum(v, where).point[:, where.triples]
    s = y - part
    size_y, size_s = (np.sqrt((w * w).sum(-1)) for w in (y, s))
    out = np.minimum(size_y, size_s)
    K = where.K
    kinds = [None] * K.exp + [-1.0] * K.exp_dual + list(K.power)
    for j, alpha in enumerate(kinds):
        dual = alpha is not None and alpha < 0
        pair = (y[:, j], s[:, j]) if dual else (s[:, j], y[:, j])
        expo = j < K.exp + K.exp_dual
        inside = [
            (_room_exp if expo else _room_power)(w, None if expo else abs(alpha or 0.0))
            for w in (pair[0], _as_primal(pair[1], None if expo else abs(alpha or 0.0)))
        ]
        primal, other = (size_s, size_y) if not dual else (size_y, size_s)
        alone_p, alone_d = other[:, j] == 0, primal[:, j] == 0
        gap = np.where(alone_p, inside[0], np.where(alone_d, inside[1], out[:, j]))
        face = expo & (pair[0][:, 1] == 0) & ~alone_p & ~alone_d
        out[:, j] = np.where(face, np.abs(part[:, j]).min(-1), gap)
    return out


def _as_primal(w: np.ndarray, alpha: float | None) -> np.ndarray:
    """A point of the dual cone as one of the cone."""
    if alpha is None:
        return np.stack([w[:, 0] - w[:, 1], -w[:, 0], w[:, 2]], -1)
    return w / np.array([alpha, 1 - alpha, 1.0])


def _room_exp(w: np.ndarray, _alpha: float | None) -> np.ndarray:
    """Distance to the boundary from inside, to first order: f/‖∇f‖."""
    x, y, z = w.T
    ratio = x / np.where(y > 0, y, 1.0)
    e = np.exp(np.minimum(ratio, 700.0))
    slope = np.sqrt(e * e * (1 + (1 - ratio) ** 2) + 1)
    return np.where(y > 0, np.minimum(np.maximum(z - y * e, 0) / slope, y), 0.0)


def _room_power(w: np.ndarray, alpha: float | None) -> np.ndarray:
    x, y, z = w.T
    a = alpha or 0.5
    px, py = np.where(x > 0, x, 1.0), np.where(y > 0, y, 1.0)
    r = px**a * py ** (1 - a)
    slope = np.sqrt((a * r / px) ** 2 + ((1 - a) * r / py) ** 2 + 1)
    gap = np.minimum(np.maximum(r - np.abs(z), 0) / slope, np.minimum(x, y))
    return np.where((x > 0) & (y > 0), gap, 0.0)
