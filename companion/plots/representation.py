"""Figures of the chapter on what a QP layer can express.

Chapter: representation.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.plots import INK
from companion.plots.qp import BLUE, GREEN, GREY, RED, region

OCHRE = "#b7791f"  # contrast ≥ 3 on white and on black
COLOURS = (BLUE, RED, GREEN, OCHRE)
DASHES = ("-", "--", "-.", ":")

Array = np.ndarray
Walls = tuple[Array, Array]


def _axes(width: float, height: float, *grid: int, **layout: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*grid, **layout)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _square(axes: Any, reach: float, title: str) -> None:
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="x₁", ylabel="x₂", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.set_title(title, fontsize=11)


def creases(points: Array, error: Array, lines: Walls) -> Figure:
    """The three creases of max(0, x₁, x₂) beside a network's creases and its error.

    `points` is a square grid, `error` the network's error on it, and a line is given by
    its row and bound, ax = b.
    """
    figure, (left, right) = _axes(6.8, 3.5, 1, 2)
    across, up = points[..., 0], points[..., 1]
    reach = float(points.max())
    values = np.maximum(0, points.max(-1))
    left.contourf(across, up, values, 10, cmap=_fading(BLUE, 0.65))
    for end in ([-1, 0], [0, -1], [1, 1]):
        left.plot([0, reach * end[0]], [0, reach * end[1]], color=INK, linewidth=2.4)
    for name, place in (
        ("0", (-0.5, -0.5)),
        ("x₁", (0.6, -0.25)),
        ("x₂", (-0.25, 0.6)),
    ):
        left.text(*place, name, color=INK, fontsize=14, ha="center", va="center")
    shown = right.contourf(across, up, np.abs(error), 12, cmap=_fading(RED, 0.9))
    for row, bound in zip(*lines, strict=True):
        foot = bound * row / (row @ row)
        along = 3 * reach * np.array([row[1], -row[0]]) / np.linalg.norm(row)
        right.plot(*np.stack([foot - along, foot + along]).T, color=INK, linewidth=1.1)
    bar = figure.colorbar(shown, ax=right, shrink=0.8)
    bar.locator = MaxNLocator(3)
    bar.update_ticks()
    _square(left, reach, "max(0, x₁, x₂)")
    _square(right, reach, "error of the network")
    return figure


def _fading(colour: str, most: float) -> LinearSegmentedColormap:
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    ends = [(red, green, blue, 0.0), (red, green, blue, most)]
    return LinearSegmentedColormap.from_list("fading", ends)


def zoom(reach: Array, errors: Mapping[str, Array], floor: float) -> Figure:
    """Relative errors over the half width of a shrinking square, and their floor."""
    figure, axes = _axes(5.8, 3.8)
    axes.axhspan(0, floor, color=GREY, alpha=0.22, linewidth=0)
    for k, (name, values) in enumerate(errors.items()):
        style = {"color": COLOURS[k], "linewidth": 2.2, "linestyle": DASHES[k]}
        axes.semilogx(reach, values, label=name, **style)
    axes.annotate("1/6", (reach.min(), floor), color=INK, va="bottom")
    axes.set(xlabel="half width of the square", ylabel="largest error / half width")
    axes.set_ylim(-0.06, None)
    axes.legend(frameon=False, fontsize=9)
    return figure


def hinges(x: Array, f: Array, parts: Array, knots: Array) -> Figure:
    """A piecewise linear function above the hinges of which it is made."""
    figure, (above, below) = _axes(5.6, 4.8, 2, 1, sharex=True)
    for axes in (above, below):
        for knot in knots:
            axes.axvline(knot, color=GREY, linewidth=0.8, linestyle=":")
    above.plot(x, f, color=BLUE, linewidth=2.6)
    above.plot(knots, np.interp(knots, x, f), "o", color=BLUE, markersize=7)
    above.set_ylabel("z = f(x)")
    for k, part in enumerate(parts.T):
        colour, dash = COLOURS[1 + k % 3], DASHES[k % 4]
        below.plot(x, part, dash, color=colour, linewidth=2.2)
        name = f"t{'₁₂₃₄₅₆'[k]}"
        below.annotate(
            f" {name}", (x[-1], part[-1]), color=colour, va="center", fontsize=12
        )
    below.set(xlabel="x", ylabel="hinges, and multipliers")
    return figure


def family(t: Array, curves: Mapping[str, Array]) -> Figure:
    """The first entry of several layers at the input (t, 0)."""
    figure, axes = _axes(5.8, 3.6)
    for k, (name, values) in enumerate(curves.items()):
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 2.4}
        axes.plot(t, values, label=name, **style)
    axes.set(xlabel="t", ylabel="first entry at (t, 0)", ylim=(-0.08, 1.6))
    axes.legend(frameon=False, loc="upper left")
    return figure


def rounded(
    learned: Mapping[str, Walls], counts: Sequence[int], errors: Sequence[float]
) -> Figure:
    """A disc with the polygons that were learned for it, above the error they leave."""
    figure, (above, below) = _axes(5.4, 7.0, 2, 1, height_ratios=(1.7, 1))
    turn = np.linspace(0, 2 * np.pi, 200)
    above.fill(np.cos(turn), np.sin(turn), color=GREY, alpha=0.25, linewidth=0)
    for k, (name, (G, h)) in enumerate(learned.items()):
        corners = region(G, h)
        closed = np.vstack([corners, corners[:1]])
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 2.2}
        above.plot(*closed.T, label=name, **style)
    above.set(xlim=(-1.75, 1.75), ylim=(-1.6, 1.6), aspect="equal")
    above.set(xlabel="x₁", ylabel="x₂")
    above.legend(frameon=False, loc="upper right", fontsize=9)
    below.loglog(counts, errors, "o-", color=BLUE, linewidth=1.8, markersize=7)
    guide = errors[0] * (np.array(counts) / counts[0]) ** -2.0
    below.loglog(counts, guide, ":", color=GREY, linewidth=1.4)
    middle = len(counts) // 2
    place = (counts[middle], 1.25 * guide[middle])
    below.annotate("slope −2", place, color=INK, ha="left", va="bottom")
    below.set(xlabel="walls", ylabel="mean squared error")
    below.set_xticks(counts, [str(k) for k in counts])
    below.minorticks_off()
    return figure


def roughness(shift: Array, paths: Mapping[str, Array], envelope: Array) -> Figure:
    """Heights of a solution over the shift of a wall, one curve an angle."""
    figure, axes = _axes(5.8, 3.8)
    axes.fill_between(shift, envelope, 0, color=GREY, alpha=0.18, linewidth=0)
    for k, (name, values) in enumerate(paths.items()):
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 2.4}
        axes.plot(shift, values, label=name, **style)
    axes.plot(shift, envelope, color=INK, linewidth=1.2)
    at = 7 * len(shift) // 10
    place = (shift[at], 1.04 * envelope[at])
    axes.annotate("−√δ", place, color=INK, ha="right", va="top", fontsize=12)
    axes.set(
        xlabel="δ, by which the second wall moves back", ylabel="x₂ of the solution"
    )
    axes.legend(frameon=False, loc="lower left")
    return figure


def ridge_path(gamma: Array, entries: Array, threshold: float) -> Figure:
    """Entries of a minimizer over the weight of the ridge, and where it stays put."""
    figure, axes = _axes(5.8, 3.4)
    axes.axvspan(0, threshold, color=BLUE, alpha=0.13, linewidth=0)
    for k, values in enumerate(entries.T):
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 2.4}
        axes.plot(gamma, values, **style)
        name = f" x{'₁₂₃₄'[k]}"
        axes.annotate(name, (gamma[-1], values[-1]), color=COLOURS[k], va="center")
    middle = {"ha": "center", "va": "center", "rotation": 90}
    axes.annotate("nothing moves", (threshold / 2, 0.5), color=BLUE, **middle)
    axes.set(xlabel="γ", ylabel="entries of x", ylim=(-0.04, 1.06))
    return figure


def horizon(forward: Mapping[str, Array], backward: Mapping[str, Array]) -> Figure:
    """A trajectory over its stages, above the trajectory of the backward problem."""
    figure, panels = _axes(5.8, 4.8, 2, 1, sharex=True)
    for axes, curves in zip(panels, (forward, backward), strict=True):
        axes.axhline(0, color=GREY, linewidth=0.8)
        for k, (name, values) in enumerate(curves.items()):
            stages = np.arange(1, len(values) + 1)
            style = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 1.8}
            axes.plot(stages, values, "o", label=name, markersize=4, **style)
        axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("forward")
    panels[1].set(xlabel="stage", ylabel="backward")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
