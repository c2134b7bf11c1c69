"""Colours and marks that the figures of quadratic programs share.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

BLUE, RED, GREY = "#3b78c4", "#c44e3b", "#8a8a8a"  # contrast ≥ 3 on white and on black
GREEN = "#4f8f54"  # a third curve, told apart from blue and red by its dashes too
ACTIVE = 1e-6  # multiplier above which a wall is drawn as pushing

Array = np.ndarray


def panels(columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """A figure with axes side by side, without boxes around them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    found = list(figure.subplots(1, columns, squeeze=False)[0])
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, found


def draw(axes: Any, across: Array, up: Mapping[str, Array]) -> None:
    """Named curves, told apart by colour and by dashes, with a legend."""
    styles = ((BLUE, "-"), (RED, "--"), (GREEN, "-."), (GREY, ":"))
    for (name, values), (colour, dash) in zip(up.items(), styles, strict=False):
        axes.plot(across, values, dash, color=colour, linewidth=1.9, label=name)
    axes.legend(frameon=False)
