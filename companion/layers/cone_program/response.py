"""How fast the solution of a cone program moves with every part of a field.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from companion.layers.cone_program.derivative import numbers
from companion.layers.cone_program.kinks import undecided
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.regularity import ONE, scales
from companion.layers.cone_program.spectrum import Semidefinite, Spectrum
from companion.problems import ConeProgram, ConeSolution, Regularity, blocks
from companion.problems.outcomes import STRICT_MARGIN

NOTHING = 1e-11  # speed, beside the inverse of M and the data, that counts as none
SHARED = 1e-6  # part of a held row that other held rows have, from which it is theirs
RANK = 1e-10  # singular value of held rows of norm one that counts as none
CUTOFF = 1e-13  # relative singular value below which M counts as singular


class Block(NamedTuple):
    """A cone of the product, or one row of it, at the solution; in A's scale.

    multiplier, slack: norms of y and s; kink: distance of y − s to the next kink; held:
    whether DΠ keeps anything; shared: whether other rows hold what it holds.
    """

    cone: str
    multiplier: float
    slack: float
    kink: float
    held: bool
    shared: bool
    half_line: bool = False
    side: int = 0
    multiplier_rank: int = 0
    slack_rank: int = 0

    @property
    def weak(self) -> bool:
        """Whether it is at a kink."""
        return self.kink <= STRICT_MARGIN


class Part(NamedTuple):
    """What the gradient has a reason for: a block of rows, an entry or a row."""

    kind: str
    first: int
    last: int


class Response(NamedTuple):
    """How fast x moves with every part, along the seed, and how hard kinks are pushed.

    scale: what counts as standing still; at_zero: whether x is zero.
    """

    solved: bool
    parts: tuple[Part, ...]
    blocks: tuple[Block, ...]
    speed: np.ndarray
    gradient: np.ndarray
    pressure: np.ndarray
    scale: float
    at_zero: bool


class Here(NamedTuple):
    """One instance: rows scaled, M inverted in the eigenbasis of DΠ."""

    x: np.ndarray
    y: np.ndarray
    inverse: np.ndarray
    U: np.ndarray
    size: np.ndarray
    weak: np.ndarray


def responses(
    problem: ConeProgram,
    sol: ConeSolution,
    reg: Regularity,
    wrt: str,
    seed: Tensor | None,
) -> list[Response]:
    """The responses of every instance to the parts of a field."""
    fields, x, v, solved = numbers(problem, sol)
    where, A, n = layout(problem.K), fields[2], problem.n
    g = np.zeros_like(x)
    if seed is not None:
        g = seed.detach().double().cpu().expand(*problem.batch, n).reshape(-1, n)
        g = g.numpy()
    size = np.broadcast_to(scales(A, where.blocks), v.shape)
    y = Spectrum(v, where).point
    v = y * size - (y - v) / size
    spectrum = Spectrum(v, where)
    B = spectrum.rotate(np.broadcast_to(A, (len(v), *A.shape[1:])) / size[..., None])
    weak = undecided(v, spectrum, STRICT_MARGIN)
    U = spectrum.restore(np.tile(np.eye(where.rows), (len(v), 1, 1)))
    kinks = reg.kinks.reshape(len(v), -1).numpy()
    parts, found = parts_of(problem, wrt), []
    for i in range(len(v)):
        P = fields[0][i if len(fields[0]) > 1 else 0]
        lam = spectrum.lam[i]
        M = np.block([[P, B[i].T * lam], [-B[i], np.diag(1 - lam)]])
        inverse = np.linalg.pinv(np.where(solved[i], M, 0.0), rcond=CUTOFF)
        here = Here(x[i], y[i], inverse, U[i], size[i], weak[i])
        own = _blocks(problem, v[i], (B[i], lam, weak[i]), kinks[i])
        measured = _measured(here, wrt, parts, g[i])
        at_zero = np.abs(x[i]).max() <= NOTHING
        found.append(Response(bool(solved[i]), parts, own, *measured, bool(at_zero)))
    return found


def parts_of(problem: ConeProgram, wrt: str) -> tuple[Part, ...]:
    """The parts of a field, in order."""
    if wrt in "Pq":
        kind = "row" if wrt == "P" else "entry"
        return tuple(Part(kind, k, k) for k in range(problem.n))
    kinds = {"zero": "equality", "nonneg": "row"}
    names = kinds_of(problem)
    pairs = zip(layout(problem.K).blocks, names, strict=True)
    return tuple(
        Part(
            kinds.get(cone, "row" if len(rows) == 1 else f"{cone} block"),
            int(rows[0]),
            int(rows[-1]),
        )
        for rows, cone in pairs
    )


def kinds_of(problem: ConeProgram) -> list[str]:
    """The cone of every block, where zero and nonneg are row by row."""
    names: list[str] = []
    for block in blocks(problem.K):
        line = block.cone in ("zero", "nonneg")
        names += [block.cone] * (block.rows.stop - block.rows.start if line else 1)
    return names


def _blocks(
    problem: ConeProgram,
    v: np.ndarray,
    rows_in_basis: tuple[np.ndarray, np.ndarray, np.ndarray],
    kinks: np.ndarray,
) -> tuple[Block, ...]:
    B, lam, weak = rows_in_basis
    where = layout(problem.K)
    y = Spectrum(v[None], where).point[0]
    s, shared = y - v, _shared(B, (lam > 1 - ONE) & ~weak)
    found = []
    for rows, cone, kink in zip(where.blocks, kinds_of(problem), kinks, strict=True):
        sizes = np.linalg.norm(y[rows]), np.linalg.norm(s[rows])
        block = Block(
            cone, float(sizes[0]), float(sizes[1]), float(kink),
            held=bool((lam[rows] > 0).any()), shared=bool(shared[rows].any()),
            half_line=len(rows) == 1,
        )  # fmt: skip
        if cone == "psd" and len(rows) > 1:
            side = int((2 * len(rows)) ** 0.5)
            values = Semidefinite(v[rows][None, None], side).values[0, 0]
            ranks = ((sign * values > STRICT_MARGIN).sum() for sign in (1, -1))
            up, down = map(int, ranks)
            block = block._replace(side=side, multiplier_rank=up, slack_rank=down)
        found.append(block)
    return tuple(found)


def _shared(B: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Held rows that other held rows hold as well."""
    size = np.linalg.norm(B, axis=1)
    C = B[held] / np.where(size > RANK, size, np.inf)[held, None]
    # what is missing to one on the diagonal of CC⁺ is shared with other rows
    alone = (C * np.linalg.pinv(C, rcond=RANK).T).sum(-1) > 1 - SHARED
    out = np.zeros(len(B), bool)
    out[held] = ~alone
    return out


def _measured(
    here: Here, wrt: str, parts: tuple[Part, ...], g: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(speed, gradient, pressure, scale) of the parts."""
    n = len(here.x)
    out = np.zeros((3, len(parts)))
    for k, part in enumerate(parts):
        moves = here.inverse @ _right_sides(here, wrt, part)
        dx = moves[:n]
        pushed = moves[n:][here.weak]
        out[0, k] = np.linalg.norm(dx, axis=0).max(initial=0.0)
        out[1, k] = np.abs(g @ dx).max(initial=0.0)
        out[2, k] = np.linalg.norm(pushed, axis=0).max(initial=0.0)
    data = {"P": here.x, "A": np.concatenate([here.x, here.y])}.get(wrt, np.ones(1))
    scale = NOTHING * np.abs(data).max(initial=0.0) * np.abs(here.inverse).max()
    return out[0], out[1], out[2], float(scale)


def _right_sides(here: Here, wrt: str, part: Part) -> np.ndarray:
    """−(dP x + dAᵀy + dq, Uᵀ(db − dA x)), a column for every entry of a part."""
    n, m = len(here.x), len(here.y)
    rows = np.arange(part.first, part.last + 1)
    r = np.zeros((n + m, len(rows) * (1 if wrt in "qb" else n)))
    if wrt == "q":
        r[part.first] = -1
    elif wrt == "P":
        r[np.arange(n), np.arange(n)] = -0.5 * here.x[part.first]
        r[part.first] -= 0.5 * here.x
    elif wrt == "b":
        r[n:] = -here.U.T[:, rows] / here.size[rows]
    else:
        for j, row in enumerate(rows):
            own = slice(j * n, (j + 1) * n)
            r[:n, own] = -here.y[row] * np.eye(n)
            r[n:, own] = here.U.T[:, [row]] * (here.x / here.size[row])
    return r
