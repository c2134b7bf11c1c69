"""Numbers as bars, runs and matrices.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from companion.plots import INK
from companion.plots.hypotheses.canvas import (
    BLUE,
    FONT,
    GREY,
    RED,
    Picture,
    Real,
    canvas,
    done,
    note,
)

Cell = tuple[int, int]
Values = Sequence[float] | np.ndarray


def bars(
    says: str,
    heights: Mapping[str, Real],
    wrong: Collection[str],
    limit: Sequence[tuple[Real, str]] = (),
) -> Picture:
    """Named numbers as bars, red where they break a rule, with limits as lines."""
    axes = canvas(box=True)
    reach = max(abs(v) for v in (*heights.values(), *(at for at, _ in limit)))
    for k, (name, value) in enumerate(heights.items()):
        colour = RED if name in wrong else BLUE
        hatch = "//" if name in wrong else None
        axes.bar(k, value, 0.6, facecolor="none", edgecolor=colour, hatch=hatch, lw=1.6)
        note(axes, (k, value), f"{value:.3g}".replace("-", "−"), colour,
             (0, 9 if value >= 0 else -9))  # fmt: skip
        note(axes, (k, 0), name, INK, (0, -9 if value >= 0 else 9))
    axes.axhline(0, color=GREY, linewidth=1)
    for at, text in limit:
        axes.axhline(at, color=GREY, linewidth=1, linestyle="--")
        note(axes, (-0.6, at), text, INK, (2, 9))
    low = min([0.0, *heights.values(), *(at for at, _ in limit)])
    high = max([0.0, *heights.values(), *(at for at, _ in limit)])
    axes.set(xlim=(-0.6, len(heights) - 0.4))
    axes.set(ylim=(low - 0.25 * reach, high + 0.25 * reach))
    return done(axes, says)


def runs(
    says: str,
    series: Mapping[str, tuple[Values, Values]],
    names: tuple[str, str],
    scales: tuple[str, str] = ("linear", "log"),
) -> Picture:
    """Named runs: the last one, in red, is the one that goes wrong."""
    axes = canvas(names)
    axes.set(xscale=scales[0], yscale=scales[1])
    *_, last = series
    for name, (x, y) in series.items():
        colour, mark = (RED, "s-") if name == last else (BLUE, "o--")
        axes.plot(x, y, mark, color=colour, markersize=3.5, linewidth=1.5)
        middle = len(x) // 2
        rising = 1 if (x[-1] > x[0]) == (y[-1] > y[0]) else -1
        side = -1 if name == last else 1  # the last one is above the others
        shift = (6 * side * rising, -9 * side)
        note(axes, (float(x[middle]), float(y[middle])), name, colour, shift)
    axes.set(xticks=[], yticks=[])
    axes.minorticks_off()
    axes.margins(0.08, 0.2)
    if scales[1] == "linear":
        axes.set_ylim(bottom=0)
    return done(axes, says)


def _tile(i: int, j: int) -> Path:
    return Path([(j, -i), (j + 0.92, -i), (j + 0.92, 0.92 - i), (j, 0.92 - i), (j, -i)],
                closed=True)  # fmt: skip


def tiles(
    says: str, matrix: np.ndarray, marked: Collection[Cell], text: str
) -> Picture:
    """A matrix, its entries in tiles, and the red ones where it goes wrong."""
    axes = canvas(box=True)
    rows, columns = matrix.shape
    size = FONT + 1 if columns < 4 else FONT - 1  # a number fits its tile
    for colour, faint in ((GREY, 0.12), (RED, 0.3)):
        places = [
            c for c in np.ndindex(rows, columns) if (c in marked) == (colour == RED)
        ]
        if places:
            tile = Path.make_compound_path(*(_tile(i, j) for i, j in places))
            axes.add_patch(PathPatch(tile, facecolor=colour, alpha=faint, linewidth=0))
    for (i, j), value in np.ndenumerate(matrix):
        wrong = (i, j) in marked
        shown = f"{value:.2g}".replace("-", "−")
        axes.text(j + 0.46, 0.46 - i, shown, color=RED if wrong else INK,
                  fontsize=size, ha="center", va="center",
                  weight="bold" if wrong else "normal")  # fmt: skip
    axes.text(columns / 2, 0.12 - rows + 0.75, text, color=INK, fontsize=FONT,
              ha="center", va="top")  # fmt: skip
    spare = max(0.0, 1.6 * (rows + 0.7) - columns) / 2
    axes.set(xlim=(-spare, columns + spare), ylim=(0.3 - rows, 1), aspect="equal")
    return done(axes, says)
