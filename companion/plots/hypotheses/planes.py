"""Sets, arrows and level lines in the plane, and lines of multipliers.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Polygon

from companion.plots import INK
from companion.plots.hypotheses.canvas import (
    BLUE,
    GREY,
    RED,
    THICK,
    Array,
    Mark,
    Pair,
    Picture,
    Real,
    arrow,
    canvas,
    done,
    note,
    put,
)

Arrow = tuple[Pair, Pair, str]  # from, to, colour
Path = tuple[Sequence[Pair] | Array, str]  # points and colour
Window = tuple[Real, Real, Real, Real]


def scene(
    says: str,
    sets: Sequence[Sequence[Pair] | Array],
    marks: Sequence[Mark],
    arrows: Sequence[Arrow] = (),
    paths: Sequence[Path] = (),
    window: Window = (-1, 3, -1, 2),
) -> Picture:
    """Shaded sets with points, arrows and lines; red lines are dashed."""
    axes = canvas(box=True)
    for corners in sets:
        axes.add_patch(Polygon(np.array(corners), facecolor=BLUE, alpha=0.22, lw=0))
    for points, colour in paths:
        dash = "--" if colour == RED else "-"
        width = 1.1 if colour == GREY else THICK
        axes.plot(*np.array(points).T, dash, color=colour, linewidth=width)
    for start, end, colour in arrows:
        arrow(axes, start, end, colour)
    put(axes, marks)
    axes.set(xlim=window[:2], ylim=window[2:], aspect="equal")
    return done(axes, says)


def ring(radius: float = 1.0, turns: Pair = (0.0, 1.0)) -> Array:
    """Points of a circle, or of an arc of it, around the origin."""
    angle = 2 * np.pi * np.linspace(*turns, 49)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def contours(
    says: str, P: Array, row: Pair | None, flat: Pair, texts: tuple[str, str]
) -> Picture:
    """Level lines of ½xᵀPx, a row's line through the origin, and a direction in red."""
    axes = canvas(box=True)
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 31), np.linspace(-1, 1, 21))
    values = (P[0, 0] * x**2 + 2 * P[0, 1] * x * y + P[1, 1] * y**2) / 2
    axes.contour(x, y, values, 7, colors=GREY, linewidths=0.9, alpha=0.6,
                 linestyles="-")  # fmt: skip
    if row is not None:
        along = np.array([-row[1], row[0]]) / np.hypot(*row)
        axes.plot(*np.outer(along, (-2, 2)), color=BLUE, linewidth=THICK + 0.5)
        note(axes, tuple(-0.8 * along), texts[0], BLUE, (-6, 0))
    tip = 0.75 * np.array(flat) / np.hypot(*flat)
    arrow(axes, (0, 0), tuple(tip), RED)
    note(axes, tuple(tip), texts[1], RED, (7, 4) if flat[1] else (0, 9))
    put(axes, [Mark(0, 0, "", INK)])
    axes.set(xlim=(-1.5, 1.5), ylim=(-1, 1), aspect="equal")
    return done(axes, says)


def multipliers(
    says: str,
    line: Sequence[Pair],
    marks: Sequence[Mark],
    names: tuple[str, str],
    box: Real | None = None,
) -> Picture:
    """The multipliers that balance the same pull, and a box that they may leave."""
    axes = canvas(box=True)
    points = np.array(line)
    axes.plot(*points.T, color=BLUE, linewidth=THICK + 0.6)
    everything = np.vstack([points, [[m.x, m.y] for m in marks], [[0, 0]]])
    if box is not None:
        corners = box * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
        axes.plot(*corners.T, "--", color=RED, linewidth=1.5)
        everything = np.vstack([everything, corners])
    low, high = everything.min(0), everything.max(0)
    gap = 0.16 * max(high - low)
    for k, name in enumerate(names):
        ends = np.zeros((2, 2))
        ends[:, k] = low[k] - gap / 2, high[k] + gap
        axes.plot(*ends.T, color=GREY, linewidth=1)
        note(axes, tuple(ends[1]), name, INK, ((0, -9), (7, 0))[k])
    put(axes, marks)
    axes.set(xlim=(low[0] - gap, high[0] + gap), ylim=(low[1] - gap, high[1] + gap))
    axes.set_aspect("equal")
    return done(axes, says)
