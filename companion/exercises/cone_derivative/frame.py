"""What the exercises of cone-derivative.md share.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-9
HEAD = "import numpy as np\n"


def flat(found: object) -> np.ndarray:
    """All entries of an array, or of a tuple of arrays one after another."""
    if isinstance(found, tuple | list):
        return np.concatenate([np.ravel(np.asarray(v, float)) for v in found])
    return np.ravel(np.asarray(found, float))


def far(got: object, want: object) -> bool:
    """Whether two answers differ by more than rounding, or in size."""
    got, want = flat(got), flat(want)
    if got.shape != want.shape:
        return True
    near = np.max(np.abs(got - want)) <= ROUNDING * (1 + np.max(np.abs(want)))
    return not near  # so that NaN is far


def first(got: object, want: object, slips: dict[str, object], last: str):
    """None if right, else the diagnosis of the slip that the answer equals."""
    if not far(got, want):
        return None
    for diagnosis, value in slips.items():
        if not far(got, value):
            return diagnosis
    return last


def system(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """P, A, and a symmetric D between zero and one that is no projector."""
    root, A, B = (rng.standard_normal(k) for k in ((2, 2), (3, 2), (3, 3)))
    U, _ = np.linalg.qr(B)
    return root @ root.T, A, (U * np.array([1.0, 0.6, 0.0])) @ U.T


def blocks(P: np.ndarray, upper: np.ndarray, left: np.ndarray, D: np.ndarray):
    """The matrix [P upper; left I-D]."""
    return np.block([[P, upper], [left, np.eye(len(D)) - D]])
