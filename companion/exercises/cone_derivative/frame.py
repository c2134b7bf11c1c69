"""What the exercises of cone-derivative.md share.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import first as diagnosed

HEAD = "import numpy as np\n"


def flat(found: object) -> np.ndarray:
    """All entries of an array, or of a tuple of arrays one after another."""
    if isinstance(found, tuple | list):
        return np.concatenate([np.ravel(np.asarray(v, float)) for v in found])
    return np.ravel(np.asarray(found, float))


def first(got: object, want: object, slips: dict[str, object], last: str):
    """The diagnosis of an answer that may be a tuple of arrays."""
    flattened = {diagnosis: flat(value) for diagnosis, value in slips.items()}
    return diagnosed(flat(got), flat(want), flattened, last)


def system(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """P, A, and a symmetric D between zero and one that is no projector."""
    root, A, B = (rng.standard_normal(k) for k in ((2, 2), (3, 2), (3, 3)))
    U, _ = np.linalg.qr(B)
    return root @ root.T, A, (U * np.array([1.0, 0.6, 0.0])) @ U.T


def blocks(P: np.ndarray, upper: np.ndarray, left: np.ndarray, D: np.ndarray):
    """The matrix [P upper; left I-D]."""
    return np.block([[P, upper], [left, np.eye(len(D)) - D]])
