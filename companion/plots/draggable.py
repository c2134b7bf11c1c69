"""A planar QP that a reader moves by hand: the target and the walls can be dragged.

The page solves the problem anew at every move, by trying every set of walls, and shows
the multipliers, the active set and the Jacobian of the solution in the target.

Chapter: sensitivity.md.
"""

from __future__ import annotations

import json
from html import escape

import numpy as np

from companion.plots import Emitted

FALLBACK = "This figure moves only where the page may run scripts."


def wall(  # noqa: PLR0913 - a problem and the texts that every figure has
    P: np.ndarray,
    target: np.ndarray,
    G: np.ndarray,
    h: np.ndarray,
    *,
    alt: str,
    caption: str,
    label: str,
) -> Emitted:
    """Minimize ½(x - target)ᵀP(x - target) over Gx ≤ h in the plane, by dragging.

    Rows of G are brought to norm one, so that h is a distance from the origin.

    Raises
    ------
    ValueError
        If the problem is not planar or a text is empty.
    """
    shapes = tuple(np.shape(v) for v in (P, target, G))
    if shapes != ((2, 2), (2,), (len(h), 2)):
        msg = f"expected shapes (2, 2), (2,) and ({len(h)}, 2), got {shapes}"
        raise ValueError(msg)
    for name, value in (("alt", alt), ("caption", caption), ("label", label)):
        if not value.strip():
            msg = f"{name}: expected a text, got {value!r}"
            raise ValueError(msg)
    norms = np.linalg.norm(G, axis=1)
    data = {
        "P": np.asarray(P, float).tolist(),
        "target": np.asarray(target, float).tolist(),
        "G": (np.asarray(G, float) / norms[:, None]).tolist(),
        "h": (np.asarray(h, float) / norms).tolist(),
    }
    name = escape(label)
    return Emitted(
        f'<figure id="{name}" class="companion-figure draggable-wall" '
        f'data-problem="{escape(json.dumps(data))}">'
        f'<div id="{name}-board" class="jxgbox" role="application" '
        f'aria-label="{escape(alt)}">{FALLBACK}</div>'
        f'<div class="draggable-readout" aria-live="polite"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
