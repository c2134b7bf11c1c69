"""A matrix as blocks: which entries stand where, and what the blocks are called.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREY, RED, Array

CLEAR = LinearSegmentedColormap.from_list(
    "clear", [(*to_rgb(BLUE), 0.85), (0.5, 0.5, 0.5, 0.0), (*to_rgb(RED), 0.85)]
)  # an entry of zero lets the page through


def blocks(
    matrix: Array,
    rows: Mapping[str, int],
    columns: Mapping[str, int],
    names: Sequence[Sequence[str]],
) -> Figure:
    """Entries as coloured squares: red positive, blue negative; blocks with names.

    `rows` and `columns` give each block its heading and its size.
    """
    figure = Figure(figsize=(5.8, 4.4), layout="constrained")
    axes = figure.subplots()
    shown = np.sign(matrix) * np.sqrt(np.abs(matrix))  # so that small entries show
    top = float(np.abs(shown).max())
    axes.imshow(shown, cmap=CLEAR, vmin=-top, vmax=top)
    down, across = (np.cumsum([0, *sizes.values()]) for sizes in (rows, columns))
    for cut in down:
        axes.axhline(cut - 0.5, color=GREY, linewidth=1)
    for cut in across:
        axes.axvline(cut - 0.5, color=GREY, linewidth=1)
    middles = [(ends[1:] + ends[:-1] - 1) / 2 for ends in (down, across)]
    for y, line in zip(middles[0], names, strict=True):
        for x, name in zip(middles[1], line, strict=True):
            _named(axes, (x, y), name)
    axes.set_yticks(middles[0], list(rows))
    axes.set_xticks(middles[1], list(columns))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def _named(axes: Any, place: tuple[float, float], name: str) -> None:
    axes.annotate(
        name, place, color=INK, fontsize=15, ha="center", va="center", weight="bold"
    )
