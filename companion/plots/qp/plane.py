"""Quadratic programs in the plane: feasible set, level sets, forces, learned walls.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure

from companion.plots.qp.palette import ACTIVE, BLUE, GREEN, GREY, RED, Array, panels
from companion.problems import QP, QPSolution

SPAN = 2.5  # half width of the plane that is drawn
LONGEST = 1.3  # length of the longest arrow, in units of the plane


def region(G: Array, h: Array, span: float = SPAN) -> Array:
    """Corners, in order, of the part of the square that satisfies Gx ≤ h."""
    corners = span * np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    for row, bound in zip(G, h, strict=True):
        room = bound - corners @ row
        kept = []
        for k, corner in enumerate(corners):
            ahead = (k + 1) % len(corners)
            if room[k] >= 0:
                kept.append(corner)
            if room[k] * room[ahead] < 0:
                share = room[k] / (room[k] - room[ahead])
                kept.append(corner + share * (corners[ahead] - corner))
        corners = np.array(kept).reshape(-1, 2)
    return corners


def geometry(problem: QP, sol: QPSolution) -> Figure:
    """A QP in the plane: feasible set, level sets, and multipliers as forces.

    Walls have their teeth on the infeasible side; those with a multiplier above ACTIVE
    are red and push.  All arrows have one scale.
    """
    figure, axes = _plane(5.2)
    axes.fill(*region(problem.G, problem.h).T, color=BLUE, alpha=0.13, linewidth=0)
    _levels(axes, problem, sol)
    pull = -(problem.P @ sol.x + problem.q)
    forces = -sol.lam[:, None] * problem.G
    scale = LONGEST / np.linalg.norm([pull, *forces], axis=1).max()
    for k, (row, bound) in enumerate(zip(problem.G, problem.h, strict=True)):
        pushes = sol.lam[k] > ACTIVE
        wall(axes, row, bound, RED if pushes else GREY)
        if pushes:
            name = f"−λ{'₁₂₃₄₅₆'[k]}G{'₁₂₃₄₅₆'[k]}ᵀ"
            _arrow(axes, sol.x, scale * forces[k], RED, name)
    _arrow(axes, sol.x, scale * pull, BLUE, "−∇p")
    axes.plot(*sol.x, "o", color=GREY, markersize=7, zorder=5)
    return figure


def _plane(size: float, span: float = SPAN) -> tuple[Figure, Any]:
    figure, (axes,) = panels(1, size, size)
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    axes.set(xlim=(-span, span), ylim=(-span, span))
    return figure, axes


def _levels(axes: Any, problem: QP, sol: QPSolution) -> None:
    """Level sets of the objective, the one through the solution among them."""
    line = np.linspace(-SPAN, SPAN, 121)
    X = np.stack(np.meshgrid(line, line), -1)
    values = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    gap = float(np.ptp(values)) / 22
    levels = float(sol.value) + gap * np.arange(-3, 18)
    drawn = axes.contour(
        line, line, values, levels, colors=GREY, linewidths=0.7, linestyles="-"
    )
    axes.clabel(drawn, levels[::2], fmt="%.1f", fontsize=8)


def wall(
    axes: Any, row: Array, bound: float, colour: str, dash: str = "-", span: float = 9.0
) -> None:
    """The line row·x = bound, with teeth on its infeasible side."""
    size = np.linalg.norm(row)
    foot, along = bound * row / size**2, np.array([row[1], -row[0]]) / size
    ends = np.stack([foot - span * along, foot + span * along])
    teeth = [patheffects.withTickedStroke(spacing=9, angle=-45, length=0.55)]
    axes.plot(*ends.T, dash, color=colour, linewidth=1.6, path_effects=teeth)


def _arrow(axes: Any, start: Array, force: Array, colour: str, name: str) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.4}
    style |= {"mutation_scale": 18, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", start + force, start, arrowprops=style, zorder=4)
    spot = start + force + 0.08 * np.sign(force)
    level = abs(force[0]) > abs(force[1])
    axes.annotate(
        name, spot, color=colour, fontsize=13,
        ha=("left" if force[0] > 0 else "right") if level else "center",
        va="center" if level else ("bottom" if force[1] > 0 else "top"),
    )  # fmt: skip


def swing(
    target: Array,
    walls: tuple[tuple[Array, float], ...],
    marks: Mapping[str, Array],
    path: Array,
) -> Figure:
    """A wall before and after a turn, the path of the solution, and named points."""
    figure, (axes,) = panels(1, 5.6, 3.9)
    axes.plot(*path.T, ":", color=GREY, linewidth=1.4)
    for (row, bound), dash, colour in zip(walls, "-:", (GREY, GREEN), strict=True):
        wall(axes, row, bound, colour, "--" if dash == ":" else dash)
    styles = ((GREY, "o", -1), (GREEN, "o", 1), (BLUE, "D", -1), (RED, "s", -1))
    for (name, point), (colour, mark, side) in zip(marks.items(), styles, strict=False):
        axes.plot(*point, mark, color=colour, markersize=9, zorder=5)
        _aside(axes, name, point, colour, side)
    axes.plot(*target, "x", color=GREY, markersize=9, markeredgewidth=2)
    _aside(axes, "where it would like to be", target, GREY, -1)
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    axes.set(xlim=(-0.6, 3.3), ylim=(-1.75, 0.75))
    return figure


def _aside(axes: Any, name: str, point: Array, colour: str, side: int) -> None:
    """A name beside its point, to the left (side -1) or to the right (+1)."""
    axes.annotate(
        name, point, xytext=(13 * side, 0), textcoords="offset points", fontsize=11,
        ha="right" if side < 0 else "left", va="center", color=colour,
    )  # fmt: skip


def polygons(
    true: tuple[Array, Array],
    learned: Mapping[str, tuple[Array, Array]],
    data: tuple[Array, Array],
) -> Figure:
    """A hidden polygon Gx ≤ h, those learned from it, and the pairs that showed it."""
    figure, axes = _plane(5.2)
    points, targets = data
    for pair in zip(points, targets, strict=True):
        axes.plot(*np.stack(pair).T, color=GREY, linewidth=0.5, alpha=0.6)
    axes.plot(*points.T, ".", color=GREY, markersize=4)
    hidden = region(*true, span=9.0)
    axes.fill(*hidden.T, color=BLUE, alpha=0.16, linewidth=0, label="hidden polygon")
    styles = ((BLUE, "-"), (RED, "--"), (GREEN, "-."))
    for (name, halves), (colour, dash) in zip(learned.items(), styles, strict=False):
        corners = region(*halves, span=9.0)
        around = np.vstack([corners, corners[:1]])
        axes.plot(*around.T, dash, color=colour, linewidth=2.2, label=name)
    axes.legend(frameon=False, loc="upper left")
    return figure
