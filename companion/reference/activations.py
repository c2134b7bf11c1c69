"""Four familiar activations, each the minimizer of a small problem, with Jacobians.

Chapter: hard-constraints.md. Theorems: relu-projection, sigmoid-argmin,
softmax-argmin, simplex-projection.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " n"]
Square = Float[np.ndarray, "n n"]


def relu(x: Vector) -> Vector:
    """Nearest point of {y : y ≥ 0}."""
    return np.maximum(x, 0)


def relu_jacobian(x: Vector) -> Square:
    """The Jacobian where no entry is zero; a zero counts as negative."""
    return np.diag((x > 0).astype(float))


def sigmoid(x: Vector) -> Vector:
    """Minimizer of −xᵀy + Σ (y log y + (1−y) log(1−y)) over 0 < y < 1."""
    return 0.5 * (1 + np.tanh(x / 2))  # does not overflow, unlike 1/(1 + exp(−x))


def sigmoid_jacobian(x: Vector) -> Square:
    """diag(y∘(1−y))."""
    y = sigmoid(x)
    return np.diag(y * (1 - y))


def softmax(x: Vector, T: float = 1.0) -> Vector:
    """Minimizer of −xᵀy + T Σ y log y over the probability vectors y."""
    weights = np.exp((x - x.max()) / T)
    return weights / weights.sum()


def softmax_jacobian(x: Vector, T: float = 1.0) -> Square:
    """(diag(y) − yyᵀ)/T."""
    y = softmax(x, T)
    return (np.diag(y) - np.outer(y, y)) / T


def threshold(x: Vector) -> float:
    """The τ with Σ max(x − τ, 0) = 1.

    Source: martins2016softmax, Algorithm 1.
    """
    largest = np.sort(x)[::-1]
    excess = (np.cumsum(largest) - 1) / np.arange(1, len(x) + 1)
    return float(excess[np.flatnonzero(largest > excess)[-1]])


def sparsemax(x: Vector) -> Vector:
    """Nearest probability vector: y ≥ 0 and Σ y = 1."""
    return np.maximum(x - threshold(x), 0)


def sparsemax_jacobian(x: Vector) -> Square:
    """diag(s) − ssᵀ/Σs with s marking the support; a tie counts as outside it."""
    s = (x > threshold(x)).astype(float)
    return np.diag(s) - np.outer(s, s) / s.sum()
