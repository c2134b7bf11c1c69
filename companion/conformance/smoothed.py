"""A layer that offers a smoothed problem: backward belongs to forward, at kinks too.

Each takes a layer and a case and gives a relative error, as in `relations`.  `mu` is
the product slack·multiplier that every row has on the central path.

Chapter: conformance.md.
"""

from __future__ import annotations

import numpy as np

from companion.conformance.cases import FIELDS, Case, cases
from companion.conformance.checks import distance
from companion.conformance.layers import Answer, Layer
from companion.conformance.relations import Moved, base, furthest
from companion.gradcheck import taylor

MU = 1 / 64
RATIO = 16  # by which mu is made smaller, and the error with it
SLACK = 2  # that the ratio may be off by


def smoothed_backward_is_of_smoothed_forward(layer: Layer, case: Case) -> float:
    """Taylor: what a smoothed seedᵀx moves by is what its gradients say.

    The case is taken, and the kink min x²/2 over x ≥ 0, at which the exact x has no
    derivative.
    """
    kink = cases()["kink"].fields, np.ones(1)
    return max(_taylor(layer, base(case), 1 / 16), _taylor(layer, kink, 1 / 2))


def _taylor(layer: Layer, moved: Moved, length: float) -> float:
    fields, seed = moved
    rng = np.random.default_rng(0)
    ways = {k: length * rng.normal(size=v.shape) for k, v in fields.items()}
    ways["P"] = ways["P"] + ways["P"].T
    grads = _smoothed(layer, fields, seed).grads
    slope = sum(float(np.sum(grads[k].reshape(ways[k].shape) * ways[k])) for k in ways)

    def value(t: np.ndarray) -> float:
        step = {k: fields[k] + float(t) * ways[k] for k in FIELDS}
        return float(_smoothed(layer, step, None).x.reshape(-1) @ seed)

    report = taylor(value, np.array(0.0), np.array(1.0), slope, noise=1e-8)
    return 0.0 if report.passes else np.inf


def _smoothed(
    layer: Layer, fields: dict[str, np.ndarray], seed: np.ndarray | None, mu: float = MU
) -> Answer:
    assert layer.smoothed is not None
    return layer.smoothed(fields, seed, mu)


def smoothed_on_the_central_path(layer: Layer, case: Case) -> float:  # noqa: ARG001
    """Min x²/2 + qx over x ≥ 0: x = (−q + √(q² + 4mu))/2, and its derivative in q."""
    fields, worst = cases()["kink"].fields, 0.0
    for mu in (0.1, 1e-3, 1e-4):
        for q in (0.0, 0.1, -0.1):
            root = np.sqrt(q * q + 4 * mu)
            found = _smoothed(layer, {**fields, "q": np.array([q])}, np.ones(1), mu)
            gaps = distance(found.x.reshape(-1), [(root - q) / 2])
            slope = distance(found.grads["q"].reshape(-1), [(q / root - 1) / 2])
            worst = max(worst, gaps, slope)
    return worst


def smoothed_towards_the_exact(layer: Layer, case: Case) -> float:
    """Where nothing kinks, x and its gradients differ from the exact ones by O(mu)."""
    fields, seed = base(case)
    exact = layer.call(fields, seed)
    errors = []
    for mu in (MU / 64, MU / 64 / RATIO):
        found = _smoothed(layer, fields, seed, mu)
        gap = distance(found.x, exact.x)
        errors.append(max(gap, furthest(found.grads, exact.grads)))
    fine = RATIO / SLACK <= errors[0] / max(errors[1], 1e-300) <= RATIO * SLACK
    return 0.0 if fine else np.inf
