"""A picture for every hypothesis that a control drops, grouped by the hypothesis.

Each is drawn from the data of the counterexample by which the control was refuted.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable

from companion.plots.hypotheses import (
    cones,
    convexity,
    curvature,
    derivatives,
    embedding,
    existence,
    forms,
    layers,
    multipliers,
)
from companion.plots.hypotheses.canvas import Picture

GROUPS: dict[str, dict[str, Callable[[], Picture]]] = {
    "convex-function": convexity.FUNCTIONS,
    "convex-set": convexity.SETS,
    "curvature": {
        **curvature.CURVATURE,
        **layers.CURVATURE,
        **embedding.CURVATURE,
    },
    "strictness": {**multipliers.STRICT, **layers.STRICT, **embedding.STRICT},
    "independence": {
        **multipliers.INDEPENDENT,
        **layers.INDEPENDENT,
        **embedding.INDEPENDENT,
    },
    "invertibility": derivatives.INVERTIBLE,
    "solution": {**derivatives.SOLVED, **embedding.SOLVED},
    "feasibility": {**existence.FEASIBLE, **layers.FEASIBLE, **embedding.EXISTENCE},
    "interior": {**existence.INTERIOR, **layers.INTERIOR},
    "closedness": existence.CLOSED,
    "kinks": cones.KINKS,
    "signs": {**forms.SIGNS, **cones.SIGNS, **layers.SIGNS, **embedding.SIGNS},
    "limits": {**derivatives.LIMITS, **layers.LIMITS, **embedding.LIMITS},
    "form": {
        **forms.STRUCTURE,
        **layers.STRUCTURE,
        **cones.STRUCTURE,
        **embedding.STRUCTURE,
    },
}
PICTURES: dict[str, Callable[[], Picture]] = {
    key: picture for group in GROUPS.values() for key, picture in group.items()
}  # by "label/name of the control's function"

__all__ = ["GROUPS", "PICTURES", "Picture"]
