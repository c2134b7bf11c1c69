"""Figures of the chapter on how a quadratic program is solved.

Chapter: interior-point.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.plots import INK
from companion.plots.qp import BLUE, GREEN, GREY, RED, region
from companion.plots.qp.plane import wall
from companion.problems import QP

OCHRE = "#b7791f"  # contrast ≥ 3 on white and on black
COLOURS = (BLUE, RED, GREEN, OCHRE)
DASHES = ("-", "--", "-.", ":")
MARKS = "osd^"
COUNTS = (5, 10, 20, 40, 80)  # ticks of an axis of counts
SPAN = 2.2  # half width of the plane that is drawn
CLOSE = 0.3  # distance from the solution at which numbers would be on top of each other

Array = np.ndarray


def _axes(width: float, height: float, *grid: int, **layout: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*grid, **layout)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def path(problem: QP, central: Array, iterates: Array, given_up: int) -> Figure:
    """Iterates through a polygon, numbered, over the central path in grey.

    `given_up` is the iterate that a batch would have kept; the last is the solution.
    """
    figure, axes = _axes(5.4, 5.4)
    axes.fill(*region(problem.G, problem.h, SPAN).T, color=BLUE, alpha=0.13, lw=0)
    for row, bound in zip(problem.G, problem.h, strict=True):
        wall(axes, row, bound, GREY)
    axes.plot(*central.T, color=INK, linewidth=5, alpha=0.35, solid_capstyle="round")
    axes.plot(*iterates.T, "o-", color=BLUE, linewidth=1.4, markersize=6, zorder=4)
    near = np.linalg.norm(iterates - iterates[-1], axis=1) < CLOSE
    for k in np.flatnonzero(~near):
        if k == given_up:
            _label(axes, f"{k}, kept", iterates[k], RED, (2, 17))
        else:
            _label(axes, f"{k}", iterates[k], BLUE)
    axes.plot(*iterates[given_up], "s", color=RED, markersize=10, zorder=5)
    axes.plot(*iterates[-1], "*", color=GREEN, markersize=16, zorder=5)
    _label(axes, "solution", iterates[-1], GREEN, (2, 12))
    shown = ", ".join(f"{k}" for k in np.flatnonzero(near)[:2])
    _label(axes, f"{shown}, …", iterates[-1], BLUE, (-34, -22))
    axes.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), aspect="equal")
    axes.set(xlabel="x₁", ylabel="x₂", xticks=[-2, -1, 0, 1, 2])
    return figure


def _label(
    axes: Any, text: str, at: Array, colour: str, shift: tuple[int, int] = (7, 5)
) -> None:
    axes.annotate(
        text, (float(at[0]), float(at[1])), shift, textcoords="offset points",
        color=colour, fontsize=11, zorder=6,
    )  # fmt: skip


def decrease(curves: Mapping[str, Array], stops: int) -> Figure:
    """Named residuals over the steps, logarithmic, and where a batch gives up."""
    figure, axes = _axes(5.8, 3.8)
    for k, (name, values) in enumerate(curves.items()):
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "marker": MARKS[k]}
        axes.semilogy(values, label=name, linewidth=2, markersize=5, **style)
    axes.axvline(stops, color=GREY, linewidth=1.2, linestyle=":")
    low = min(v.min() for v in curves.values())
    axes.annotate(" given up alone", (stops, low), color=INK, va="bottom", fontsize=10)
    axes.set(xlabel="step", ylabel="residual")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=10)
    return figure


def products(values: Mapping[str, Array]) -> Figure:
    """Every product s_i lam_i over the steps, one panel a run, and their mean."""
    count = len(values)
    figure, panels = _axes(5.6, 2.7 * count, count, 1, sharex=True, squeeze=False)
    for axes, (name, rows) in zip(panels[:, 0], values.items(), strict=True):
        steps = np.arange(len(rows))
        axes.fill_between(steps, rows.min(1), rows.max(1), color=BLUE, alpha=0.13, lw=0)
        axes.semilogy(steps, rows, "o", color=BLUE, markersize=4)
        axes.semilogy(steps, rows.mean(1), color=RED, linewidth=2)
        axes.set_title(name, fontsize=11)
        axes.set_ylabel("sᵢλᵢ, and mean (red)")
    panels[-1, 0].set_xlabel("step")
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def systems(patterns: Mapping[str, tuple[Array, Sequence[int]]]) -> Figure:
    """Where the entries of matrices are, one panel a matrix, to one scale.

    An entry of 1 is data, of 2 changes from step to step; blocks are divided by lines.
    """
    sides = [len(matrix) for matrix, _ in patterns.values()]
    figure = Figure(figsize=(5.8, 2.9), layout="constrained")
    panels = figure.subplots(1, len(sides), squeeze=False, width_ratios=sides)[0]
    colours = ListedColormap([(0, 0, 0, 0), BLUE, RED])
    for axes, (name, (matrix, sizes)) in zip(panels, patterns.items(), strict=True):
        axes.imshow(matrix, cmap=colours, vmin=0, vmax=2, interpolation="nearest")
        for cut in np.cumsum(sizes)[:-1]:
            axes.axhline(cut - 0.5, color=GREY, linewidth=0.8)
            axes.axvline(cut - 0.5, color=GREY, linewidth=0.8)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(GREY)
        axes.set_title(name, fontsize=12)
    return figure


def accuracy(runs: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Error of a gradient over mu, both logarithmic, a run a name."""
    figure, axes = _axes(5.8, 4.0)
    for k, (name, (mu, errors)) in enumerate(runs.items()):
        style = {"color": COLOURS[k], "linestyle": DASHES[k], "marker": MARKS[k]}
        axes.loglog(mu, errors, label=name, linewidth=1.8, markersize=5, **style)
    every = np.concatenate([mu for mu, _ in runs.values()])
    ends = np.array([every.min(), every.max()])
    axes.loglog(ends, ends, color=GREY, linewidth=1.2, linestyle=":")
    axes.annotate("slope 1", (ends[0], ends[0]), (-56, 2), textcoords="offset points",
                  color=INK, fontsize=10)  # fmt: skip
    axes.set(xlabel="μ", ylabel="error of dₓ")
    axes.invert_xaxis()
    axes.legend(frameon=False, fontsize=10)
    return figure


def rows_inside(inside: Array, pushing: Sequence[int], values: Array) -> Figure:
    """Which rows are inside after every change, above the dual objective.

    `inside` has a row for every row of G and a column for every change, the start
    among them; rows that push at the solution are marked.
    """
    figure, (above, below) = _axes(5.8, 4.8, 2, 1, sharex=True, height_ratios=(1.5, 1))
    for j, row in enumerate(inside):
        at = np.flatnonzero(row)
        colour, mark = (BLUE, "s") if j in pushing else (RED, "o")
        above.plot(at, np.full(len(at), j + 1), mark, color=colour, markersize=9)
    above.set(ylabel="row of G", ylim=(len(inside) + 0.6, 0.4))
    above.set_yticks(range(1, len(inside) + 1))
    below.plot(values, "o-", color=INK, linewidth=1.6, markersize=5)
    below.set(xlabel="change", ylabel="dual objective")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def cost(
    sizes: Array, counts: Mapping[str, Array], work: Mapping[str, Array]
) -> Figure:
    """How often each method turns, and the multiplications that it takes, over n."""
    figure, panels = _axes(5.4, 6.0, 2, 1, sharex=True)
    names = ("steps, or changes", "multiplications")
    for axes, curves, name in zip(panels, (counts, work), names, strict=True):
        for k, (label, values) in enumerate(curves.items()):
            style = {"color": COLOURS[k], "linestyle": DASHES[k], "marker": MARKS[k]}
            axes.loglog(sizes, values, label=label, markersize=6, **style)
        axes.set_ylabel(name)
        axes.set_xticks(sizes, [str(v) for v in sizes])
        axes.minorticks_off()
        axes.legend(frameon=False, fontsize=9)
    panels[1].set_xlabel("n = m")
    panels[0].set_yticks(COUNTS, [str(v) for v in COUNTS])
    panels[0].minorticks_off()
    return figure
