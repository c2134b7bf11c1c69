"""The reduced differential of one instance as a sparse matrix, with its LU.

Every direction in which DΠ does not vanish stays a row, scaled by the root of its
eigenvalue; nothing is multiplied out.  The rows of a second-order block between its
cone and the polar stay as they are in A, whose zeros they keep: there
D = mu I + (1 − mu) pp' − mu nn', p and n = (1, ±w/r)/√2, and the two rank-one parts
become two more unknowns.

    K = [ P      B'     0    ]    B = R A, R the scaled directions,
        [ B    −G       F    ]    G = 1 − lam, F = [√(1 − mu) p, n],
        [ 0      F'    −H    ]    H = diag(1, 0)

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import structural_rank
from scipy.sparse.linalg import lsmr, splu

from companion.layers.cone_program.spectrum import SecondOrder, Spectrum

Matrix = Any  # of SciPy; its annotations say what may be None
PIVOT = 0.01  # of a column's largest entry that keeps the pivot on the diagonal
PANEL = 4  # columns that SuperLU takes together: these factors are thin
SINGULAR = 1e13  # growth of a solution, relative to K, that counts as singular
TOLERANCE = 1e-15  # of LSMR, on both of its measures
MOST = 20  # iterations of LSMR, times the unknowns


class Directions(NamedTuple):
    """Kept directions R (one a row), their eigenvalues, and p and n of second-order."""

    R: Matrix
    lam: np.ndarray
    p: Matrix
    n: Matrix
    mu: np.ndarray


class Triplets:
    """A sparse matrix in the making, block by block."""

    def __init__(self) -> None:
        self.parts: tuple[list[np.ndarray], ...] = ([], [], [])
        self.height = 0

    def add(
        self, values: float | np.ndarray, rows: np.ndarray, columns: np.ndarray
    ) -> None:
        """Entries at given places, broadcast against each other."""
        arrays = np.broadcast_arrays(values, rows, columns)
        for part, v in zip(self.parts, arrays, strict=True):
            part.append(v.ravel())

    def matrix(self, shape: tuple[int, int]) -> Matrix:
        """The matrix in compressed rows."""
        none = (np.zeros(0), np.zeros(0, int), np.zeros(0, int))
        values, rows, columns = (
            np.concatenate([v, *part]) for v, part in zip(none, self.parts, strict=True)
        )
        return sparse.csr_matrix((values, (rows, columns)), shape=shape)


def entries(M: Matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, rows and columns of what is not zero: by bits, six times as fast."""
    if sparse.issparse(M):
        thin = M.tocoo()
        return thin.data, thin.row, thin.col
    places = np.flatnonzero(M.reshape(-1) != 0)
    rows, columns = np.divmod(places, M.shape[1]) if len(places) else (places, places)
    return M.reshape(-1)[places], rows, columns


def directions(spectrum: Spectrum, i: int) -> Directions:
    """What the derivative keeps in instance i."""
    where, m = spectrum.where, spectrum.where.rows
    R, p, n, lams, mus = Triplets(), Triplets(), Triplets(), [], []
    line = np.concatenate([where.free, where.sign])
    plain = [line[spectrum.lam[i, line] > 0]]
    for rows, turn in spectrum.turns:
        lam = turn.lam[i]
        if isinstance(turn, SecondOrder):
            middle = (lam[:, 0] == 1) & (lam[:, 1] == 0)
            plain.append(rows[(lam[:, 0] == 1) & (lam[:, 1] == 1)].ravel())
            between = rows[middle]
            R.add(1.0, R.height + np.arange(between.size), between.ravel())
            R.height += between.size
            mu = turn.mu[i, middle]
            lams.append(np.repeat(mu, between.shape[1]))
            for part, vectors in zip((p, n), turn.axes(i, middle), strict=True):
                part.add(vectors, between, len(mus) + np.arange(len(mu))[:, None])
            mus += mu.tolist()
            continue
        Q = turn.basis(i)  # (blocks, rows, directions)
        block, column = np.nonzero(lam > 0)
        places = R.height + np.arange(len(block))
        R.add(Q[block, :, column], places[:, None], rows[block])
        R.height += len(block)
        lams.append(lam[block, column])
    alone = np.concatenate(plain)
    R.add(1.0, R.height + np.arange(len(alone)), alone)
    lam = np.concatenate([*lams, np.ones(len(alone))])
    shape = (m, len(mus))
    return Directions(
        R.matrix((len(lam), m)), lam, p.matrix(shape), n.matrix(shape), np.array(mus)
    )


class Sparse:
    """K by its LU, or LSMR where it is singular."""

    rotated = False  # its second parts are in the coordinates of K, not in the basis U

    def __init__(self, P: Matrix, A: Matrix, spectrum: Spectrum, i: int) -> None:
        d = directions(spectrum, i)
        self.A, self.d, self.n = A, d, P.shape[0]
        # a transpose is a new object, which costs as much as a product
        self.AT, self.RT, self.nT, self.pT = A.T, d.R.T, d.n.T, d.p.T
        self.root = np.sqrt(d.lam)
        self.K = self._matrix(P)
        self.regular = True
        self.lu = self._factored()
        if self.lu is None:
            self.least_squares()

    def _matrix(self, P: Matrix) -> Matrix:
        """K, with [B; F'] below its first rows and mirrored."""
        d, n, k = self.d, self.n, len(self.root)
        B = (d.R @ self.A).tocoo()
        ends = np.sqrt(1 - d.mu), np.ones(len(d.mu))
        F = [(d.R @ part).tocoo() for part in (d.p, d.n)]
        K = Triplets()
        K.add(*entries(P))
        pairs = [(self.root[B.row] * B.data, n + B.row, B.col)]
        for end, part, start in zip(ends, F, (n + k, n + k + len(d.mu)), strict=True):
            pairs.append((end[part.col] * part.data, start + part.col, n + part.row))
        for values, below, beside in pairs:
            K.add(values, below, beside)
            K.add(values, beside, below)
        corner = np.concatenate([d.lam - 1, -np.ones(len(d.mu))])
        places = n + np.arange(len(corner))
        K.add(corner, places, places)
        size = n + k + 2 * len(d.mu)
        return K.matrix((size, size)).tocsc()

    def _factored(self) -> Any:
        """The LU of K, None where K is singular to working precision."""
        if structural_rank(self.K) < self.K.shape[0]:
            return None  # SuperLU calls the BLAS with wrong arguments on some of these
        try:
            lu = splu(
                self.K,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=PIVOT,
                panel_size=PANEL,
                options={"SymmetricMode": True},
            )
        except RuntimeError:  # exactly singular
            return None
        probe = np.cos(np.arange(self.K.shape[0]))
        growth = np.abs(lu.solve(probe)).max() * np.abs(self.K.data).max()
        return lu if growth < SINGULAR else None

    def least_squares(self) -> None:
        """From here on answer with the least-squares solution of least norm."""
        self.regular = False

    def _answer(
        self, top: np.ndarray, low: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first two parts of the solution for a right-hand side (top, low, 0)."""
        n, k = self.n, len(self.root)
        r = np.zeros(self.K.shape[0])
        r[:n], r[n : n + k] = top, low
        if self.regular:
            z = self.lu.solve(r)
        else:
            limit = MOST * len(r)
            z = lsmr(
                self.K, r, atol=TOLERANCE, btol=TOLERANCE, conlim=0, maxiter=limit
            )[0]
        return z[:n], self.RT @ (self.root * z[n : n + k])

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dv) with M(dx, dv) = (r1, r2)."""
        dx, dy = self._answer(r1, -self.root * (self.d.R @ r2))
        return dx, r2 + self.A @ dx + dy

    def adjoint(self, f1: np.ndarray, f2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(g1, g2) with Mᵀ(g1, g2) = (f1, f2)."""
        d = self.d
        along = self.nT @ f2
        kept = self.RT @ (d.R @ f2) - d.n @ along
        gone = f2 - kept
        # D⁺f2, where R spans a second-order block: 1/mu but for p, with eigenvalue 1
        onto = kept - d.p @ ((1 - d.mu) * (self.pT @ kept))
        g1, z = self._answer(f1 + self.AT @ gone, (d.R @ onto) / self.root)
        return g1, gone - z
