"""The small canvas of a picture in the gallery, and the marks that stand on it.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREY, RED

Array = np.ndarray
Value = np.ndarray | float | int  # of a function, at an array or at a number
Picture = tuple[Figure, str]  # with the text that says what it shows
Real = float | int
Pair = tuple[Real, Real]

SIZE = (3.2, 2.2)  # inches
FRAME = (0.07, 0.12, 0.86, 0.78)  # of the axes, in parts of the figure
FONT = 9.5
SIGNS = {BLUE: "o", RED: "s", INK: "o", GREY: "o"}  # not told apart by colour alone
THICK = 2.0


@dataclass(frozen=True)
class Mark:
    """A point with a word beside it, shifted by so many points."""

    x: Real
    y: Real
    text: str = ""
    colour: str = BLUE
    shift: Pair = (7, 4)
    hollow: bool = False


def canvas(names: tuple[str, str] = ("", ""), *, box: bool = False) -> Any:
    """Axes without ticks, their names at their ends; no lines at all with `box`."""
    axes = Figure(figsize=SIZE).add_axes(FRAME)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=False, color=INK)
    if not box:
        axes.spines[["left", "bottom"]].set_visible(True)
    style = {"transform": axes.transAxes, "color": INK, "fontsize": FONT}
    axes.text(1, -0.03, names[0], ha="right", va="top", **style)
    axes.text(0, 1.02, names[1], ha="left", va="bottom", **style)
    return axes


def done(axes: Any, says: str) -> Picture:
    """The picture that stands on these axes."""
    return axes.figure, says


def note(axes: Any, at: Pair, text: str, colour: str, shift: Pair = (7, 4)) -> None:
    """A word beside a point, on the side to which it is shifted."""
    across = "left" if shift[0] > 0 else "right" if shift[0] < 0 else "center"
    axes.annotate(
        text, at, shift, textcoords="offset points", color=colour, fontsize=FONT,
        ha=across, va="center" if abs(shift[1]) < 8 else
        ("bottom" if shift[1] > 0 else "top"), zorder=6,
    )  # fmt: skip


def put(axes: Any, marks: Iterable[Mark]) -> None:
    """Every mark: discs for what is claimed, squares for what refutes it."""
    for m in marks:
        fill = "none" if m.hollow else m.colour
        axes.plot(
            m.x, m.y, SIGNS[m.colour], color=m.colour, markerfacecolor=fill,
            markersize=6, zorder=5, clip_on=False,
        )  # fmt: skip
        if m.text:
            note(axes, (m.x, m.y), m.text, m.colour, m.shift)


def arrow(axes: Any, start: Pair, end: Pair, colour: str) -> None:
    """An arrow from a point to a point."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0}
    style |= {"shrinkB": 0, "mutation_scale": 12}
    axes.annotate("", end, start, arrowprops=style, zorder=4)


def room(axes: Any, x: Pair, y: Pair, margin: float = 0.08) -> None:
    """The limits of the axes, with a margin around what is drawn."""
    wide, high = margin * (x[1] - x[0]), margin * (y[1] - y[0])
    axes.set(xlim=(x[0] - wide, x[1] + wide), ylim=(y[0] - high, y[1] + high))
