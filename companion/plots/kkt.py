"""Figures of the chapter on the KKT conditions.

Chapter: kkt.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp import BLUE, GREY, RED
from companion.problems import QP

Array = np.ndarray
SHADE = 0.16  # opacity of a feasible region


@dataclass(frozen=True)
class Forces:
    """A point of the plane, the pull on it, the pushes of the walls, what is left."""

    at: Array
    pull: Array
    pushes: tuple[Array, ...]
    left: Array


def _plane(axes: Any, problem: QP, window: tuple[float, float, float, float]) -> None:
    """Level sets of the objective, and the feasible region shaded with its walls."""
    a, b, c, d = window
    X = np.stack(np.meshgrid(np.linspace(a, b, 301), np.linspace(c, d, 301)), -1)
    levels = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    axes.contour(*X.T.swapaxes(1, 2), levels, 14, colors=GREY, linewidths=0.6)
    gaps = X @ problem.G.T - problem.h
    worst = gaps.max(-1)
    axes.contourf(
        *X.T.swapaxes(1, 2), worst, [-1e9, 0], colors=[BLUE], alpha=SHADE, zorder=0
    )
    axes.contour(*X.T.swapaxes(1, 2), worst, [0], colors=[BLUE], linewidths=1.8)
    axes.set(xlim=(a, b), ylim=(c, d), aspect="equal", xticks=[], yticks=[])


def _arrow(axes: Any, start: Array, force: Array, colour: str, text: str) -> None:
    if np.linalg.norm(force) < 1e-9:
        return
    arrow = {"arrowstyle": "-|>,head_width=0.35,head_length=0.7", "color": colour}
    axes.annotate(
        "",
        start + force,
        start,
        arrowprops={**arrow, "linewidth": 2.4, "shrinkA": 0, "shrinkB": 0},
        zorder=4,
    )
    unit = force / np.linalg.norm(force)
    place = start + force + 0.08 * unit
    across = "left" if unit[0] > 0.5 else "right" if unit[0] < -0.5 else "center"
    up = "bottom" if unit[1] > 0.5 else "top" if unit[1] < -0.5 else "center"
    axes.text(*place, text, color=colour, ha=across, va=up, fontsize=12)


def balance(
    problem: QP, stages: Mapping[str, Forces], window: tuple[float, float, float, float]
) -> Figure:
    """One panel a stage: the pull in blue, the walls' pushes and what is left in red.

    Arrows are to the scale of the axes; a push is −lam_i times the row G_i.
    """
    figure = Figure(figsize=(6.8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for axes, (title, forces) in zip(panels, stages.items(), strict=True):
        _plane(axes, problem, window)
        _arrow(axes, forces.at, forces.pull, BLUE, "−∇f")
        for push, name in zip(forces.pushes, "₁₂₃₄", strict=False):
            _arrow(axes, forces.at, push, RED, f"−λ{name}G{name}ᵀ")
        _arrow(axes, forces.at, forces.left, INK, "d")
        axes.plot(*forces.at, "o", color=INK, markersize=7, zorder=5)
        axes.set_title(title, fontsize=11)
    return figure


def central_path(
    problem: QP,
    paths: Sequence[Array],
    marks: Mapping[str, Array],
    window: tuple[float, float, float, float],
) -> Figure:
    """Curves through the feasible region to the solution, with named points."""
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    _plane(axes, problem, window)
    for path in paths:
        axes.plot(*path.T, color=RED, linewidth=2.2)
    for place, (name, point) in enumerate(marks.items(), 1):
        offset = (5, 6) if place == len(marks) else (3, -17)  # the last is a corner
        axes.plot(*point, "o", color=RED, markersize=6, zorder=5)
        axes.annotate(
            name,
            (float(point[0]), float(point[1])),
            offset,
            textcoords="offset points",
            color=INK,
            fontsize=11,
        )
    return figure


def zero_sets(
    functions: Mapping[str, Any], levels: Sequence[float], reach: float = 2.0
) -> Figure:
    """The plane of lam and s, one panel a function: level lines, and zeros in red."""
    figure = Figure(figsize=(6.8, 2.8), layout="constrained")
    panels = figure.subplots(1, len(functions), sharey=True)
    line = np.linspace(-reach / 2, reach, 301)
    lam, s = np.meshgrid(line, line)
    for axes, (name, phi) in zip(panels, functions.items(), strict=True):
        values = phi(lam, s)
        axes.contourf(line, line, values, [0, 1e9], colors=[BLUE], alpha=SHADE)
        drawn = axes.contour(
            line, line, values, levels, colors=GREY, linewidths=0.8, linestyles="-"
        )
        axes.clabel(drawn, fontsize=7, fmt="%g")
        axes.contour(line, line, values, [0], colors=[RED], linewidths=2.6)
        axes.set(xlabel="λ", aspect="equal")
        axes.set_title(name, fontsize=11)
    panels[0].set_ylabel("s")
    return figure


def residual_and_error(
    runs: Mapping[str, tuple[Array, Array]], labels: tuple[str, str]
) -> Figure:
    """Error over residual on logarithmic axes, a series a name, and the diagonal."""
    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    axes = figure.subplots()
    styles = ((BLUE, "o"), (RED, "s"), (GREY, "^"), (INK, "D"), (RED, "x"), (BLUE, "+"))
    for (name, (residuals, errors)), (colour, sign) in zip(
        runs.items(), styles, strict=False
    ):
        axes.loglog(
            residuals,
            errors,
            sign,
            color=colour,
            markersize=5,
            alpha=0.8,
            linestyle="none",
            label=name,
        )
    everything = np.concatenate([r for r, _ in runs.values()])
    ends = np.array([everything.min(), everything.max()])
    axes.loglog(ends, ends, color=INK, linewidth=1, linestyle="--")
    axes.text(ends[0], ends[0], " error = residual", color=INK, fontsize=9, va="top")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.legend(frameon=False, fontsize=9)
    return figure
