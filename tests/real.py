"""Problems that people have had, as QPs with sparse matrices; see tests/data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
import torch
from scipy import sparse

from companion.problems import QP

DATA = Path(__file__).parent / "data"
INFINITE = 1e19  # a bound beyond it is none
MAROS_MESZAROS = sorted(path.stem for path in DATA.glob("maros_meszaros/*.mat"))
NETLIB = sorted(path.stem for path in DATA.glob("netlib_lp/*.npz"))
MPC = sorted(path.stem for path in DATA.glob("mpc/*.npz"))


def maros_meszaros(name: str) -> tuple[QP, float]:
    """The problem, and what its objective adds to ours."""
    d = scipy.io.loadmat(DATA / "maros_meszaros" / f"{name}.mat")
    q, lower, upper = (d[key].astype(float).ravel() for key in ("q", "l", "u"))
    return two_sided(d["P"], q, d["A"], lower, upper), float(d["r"].item())


def optimum(name: str) -> float:
    """The recorded optimal value of a Maros-Mészáros problem."""
    lines = (DATA / "maros_meszaros" / "optima.txt").read_text("utf8").splitlines()
    return float(dict(line.split() for line in lines)[name])


def netlib(name: str) -> tuple[QP, float]:
    """The linear program, and its recorded optimal value."""
    d = np.load(DATA / "netlib_lp" / f"{name}.npz", allow_pickle=True)
    c = d["c"].ravel()
    n, none = len(c), np.array([0.0, np.inf])
    bounds = d["bounds"].astype(float).reshape(-1, 2) if d["bounds"].size else none
    lower, upper = np.broadcast_to(bounds, (n, 2)).T
    lower, upper = np.nan_to_num(lower, nan=-np.inf), np.nan_to_num(upper, nan=np.inf)
    b_ub, b_eq = d["b_ub"].ravel(), d["b_eq"].ravel()
    A_ub, A_eq = (d[key].item() if d[key].shape == () else d[key]
                  for key in ("A_ub", "A_eq"))  # fmt: skip
    A = sparse.vstack([sparse.csr_matrix(A_ub), sparse.csr_matrix(A_eq), np.eye(n)])
    low = np.concatenate([np.full(len(b_ub), -np.inf), b_eq, lower])
    high = np.concatenate([b_ub, b_eq, upper])
    return two_sided(sparse.csr_matrix((n, n)), c, A, low, high), float(d["obj"])


def mpc(name: str) -> QP:
    """One step of a controller, dense, in NumPy."""
    d = np.load(DATA / "mpc" / f"{name}.npz", allow_pickle=True)
    assert all(d[key].shape == () for key in ("A", "b", "lb", "ub"))
    return QP(d["P"], d["q"], G=d["G"], h=d["h"])


def two_sided(P, q, A, lower, upper) -> QP:
    """Bounds l ≤ Ax ≤ u as equalities where l = u, and rows of G for finite sides."""
    A = sparse.csr_matrix(A)
    lower = np.where(lower < -INFINITE, -np.inf, lower)
    upper = np.where(upper > INFINITE, np.inf, upper)
    equal = lower == upper
    over, under = ~equal & np.isfinite(upper), ~equal & np.isfinite(lower)
    G = sparse.vstack([A[over], -A[under]])
    h = np.concatenate([upper[over], -lower[under]])
    return as_sparse(P, q, A[equal], upper[equal], G, h)


def as_sparse(P, q, A, b, G, h) -> QP:
    """A QP in torch, with matrices in compressed rows."""
    return QP(*(csr(v) if i % 2 == 0 else torch.tensor(v)
                for i, v in enumerate((P, q, A, b, G, h))))  # fmt: skip


def csr(M) -> torch.Tensor:
    """A sparse matrix of SciPy, or a dense array without its zeros, in torch."""
    M = sparse.csr_matrix(M)
    M.sum_duplicates()
    places = (torch.from_numpy(v.astype(np.int64)) for v in (M.indptr, M.indices))
    values = torch.from_numpy(M.data.astype(float))
    return torch.sparse_csr_tensor(*places, values, M.shape, check_invariants=True)
