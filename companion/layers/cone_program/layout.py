"""Where the blocks of a product of cones stand, equal ones together.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from companion.problems import Cones


@dataclass(frozen=True, eq=False)
class Group:
    """Blocks of one kind and size; `rows` has one line of row numbers a block."""

    size: int
    rows: np.ndarray


class Triple(NamedTuple):
    """Which triples are of one kind, with their exponents where they have some."""

    cone: str
    part: slice
    exponents: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """The rows of a product: `free` under the dual, `sign`ed, and grouped blocks.

    A second-order cone of one row is the half line, and stands with the signed rows.
    `blocks` has the rows of every block in their order, one by one where they are free
    or signed.
    """

    rows: int
    free: np.ndarray
    sign: np.ndarray
    soc: tuple[Group, ...]
    psd: tuple[Group, ...]
    triples: np.ndarray
    kinds: tuple[Triple, ...]
    blocks: tuple[np.ndarray, ...]
    K: Cones


@cache
def layout(K: Cones) -> Layout:
    """The layout of a product of cones."""
    at = K.zero + K.nonneg
    sign = list(range(K.zero, at))
    soc: dict[int, list[np.ndarray]] = {}
    for size in K.soc:
        if size == 1:
            sign.append(at)
        else:
            soc.setdefault(size, []).append(np.arange(at, at + size))
        at += size
    psd: dict[int, list[np.ndarray]] = {}
    for size in K.psd:
        rows = size * (size + 1) // 2
        psd.setdefault(size, []).append(np.arange(at, at + rows))
        at += rows
    triples = np.arange(at, K.rows).reshape(-1, 3)
    sizes = [1] * (K.zero + K.nonneg) + list(K.soc)
    sizes += [k * (k + 1) // 2 for k in K.psd] + [3] * len(triples)
    return Layout(
        rows=K.rows,
        free=np.arange(K.zero),
        sign=np.array(sign, int),
        soc=tuple(Group(k, np.stack(v)) for k, v in soc.items()),
        psd=tuple(Group(k, np.stack(v)) for k, v in psd.items()),
        triples=triples,
        kinds=_kinds(K),
        blocks=tuple(np.split(np.arange(K.rows), np.cumsum(sizes)[:-1]))
        if sizes
        else (),
        K=K,
    )


def _kinds(K: Cones) -> tuple[Triple, ...]:
    ends = np.cumsum([0, K.exp, K.exp_dual, len(K.power)]).tolist()
    every = zip(
        ("exp", "exp_dual", "power"), pairwise(ends), ((), (), K.power), strict=True
    )
    kinds = (Triple(name, slice(*ends), given) for name, ends, given in every)
    return tuple(kind for kind in kinds if kind.part.stop > kind.part.start)


@cache
def triangle(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of a lower triangle, column by column, and svec's weights."""
    columns, rows = np.triu_indices(k)
    return rows, columns, np.where(rows == columns, 1.0, np.sqrt(2.0))


@cache
def places(k: int) -> np.ndarray:
    """The place in svec of every entry of a symmetric matrix."""
    rows, columns, _ = triangle(k)
    out = np.empty((k, k), int)
    out[rows, columns] = out[columns, rows] = np.arange(len(rows))
    return out
