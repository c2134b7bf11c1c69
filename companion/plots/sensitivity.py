"""Figures of the chapter on how a solution moves.

Chapter: sensitivity.md.
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
SPAN = 1.6  # half width of a plane that is drawn
PUSH = 0.55  # drawn length of a force of size one
FILL = 0.18  # opacity of a region


@dataclass(frozen=True, eq=False)
class Plane:
    """A planar QP with what holds at its solution.

    `forces` are multipliers that balance, `least` and `most` the range of each over all
    that do, and `face` the ends of the set of minimizers.
    """

    title: str
    problem: QP
    forces: Array
    least: Array
    most: Array
    face: Array


def _region(axes: Any, G: Array, h: Array, span: float) -> None:
    """Shade where Gx ≤ h, and draw the lines where it is an equality."""
    line = np.linspace(-span, span, 241)
    X = np.stack(np.meshgrid(line, line), -1)
    room = X @ G.T - h
    axes.contourf(line, line, room.max(-1), [-99, 0], colors=[BLUE], alpha=FILL)
    for i in range(len(h)):
        axes.contour(line, line, room[..., i], [0], colors=[BLUE], linewidths=1.6)
    axes.set(xlim=(-span, span), ylim=(-span, span), aspect="equal")


def _levels(axes: Any, problem: QP, limits: tuple[float, float], count: int) -> None:
    """Level sets of the objective."""
    line = np.linspace(*limits, 121)
    X = np.stack(np.meshgrid(line, line), -1)
    levels = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    style = {"colors": [GREY], "linewidths": 0.6, "linestyles": "solid"}
    axes.contour(line, line, levels, count, **style)


def _arrow(axes: Any, start: Array, step: Array, colour: str, width: float) -> None:
    style = {
        "arrowstyle": "-|>",
        "color": colour,
        "linewidth": width,
        "mutation_scale": 6 + 4 * width,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    axes.annotate("", start + step, start, arrowprops=style, zorder=4)


def _bare(axes: Any) -> None:
    axes.set(xticks=[], yticks=[])


def planes(cases: Sequence[Plane]) -> Figure:
    """Small multiples of planar QPs: forces above, ranges of multipliers below."""
    rows = (len(cases) + 1) // 2
    figure = Figure(figsize=(5.6, 3.9 * rows), layout="constrained")
    heights = [4.2, 1.0] * rows
    grid = figure.subplots(2 * rows, 2, height_ratios=heights, squeeze=False)
    for k, case in enumerate(cases):
        row, column = divmod(k, 2)
        _forces(grid[2 * row, column], case)
        _ranges(grid[2 * row + 1, column], case)
    return figure


def _forces(axes: Any, case: Plane) -> None:
    problem, x = case.problem, case.face.mean(0)
    _levels(axes, problem, (-SPAN, SPAN), 7)
    _region(axes, problem.G, problem.h, SPAN)
    axes.plot(*case.face.T, color=RED, linewidth=5, solid_capstyle="round", zorder=3)
    active = np.flatnonzero(problem.h - problem.G @ x < 1e-9)
    for i in active:
        normal = problem.G[i] / np.linalg.norm(problem.G[i])
        _arrow(axes, x, 0.45 * normal, GREY, 1.2)
        # equal directions are drawn side by side
        twins = [
            j for j in active if abs(problem.G[j] @ [-normal[1], normal[0]]) < 1e-9
        ]
        shift = 0.12 * (twins.index(i) - (len(twins) - 1) / 2)
        side = shift * np.array([-normal[1], normal[0]])
        if case.forces[i] > 0:
            _arrow(axes, x + side, -PUSH * case.forces[i] * problem.G[i], RED, 2.2)
    _arrow(axes, x, -PUSH * (problem.P @ x + problem.q), BLUE, 2.2)
    axes.plot(*x, "o", color=RED, markersize=6, zorder=5)
    axes.set_title(case.title, fontsize=10)
    _bare(axes)


def _ranges(axes: Any, case: Plane) -> None:
    """A dot for a multiplier that is determined, a bar for one that is not.

    The dots of inactive rows are hollow.
    """
    room = case.problem.h - case.problem.G @ case.face.mean(0)
    for i, (low, high) in enumerate(zip(case.least, case.most, strict=True)):
        fill = "full" if room[i] < 1e-9 else "none"
        axes.plot([low, high], [-i, -i], color=RED, linewidth=5, alpha=0.5)
        axes.plot([low, high], [-i, -i], "o", color=RED, markersize=6, fillstyle=fill)
    axes.axvline(0, color=INK, linewidth=1)
    count = len(case.least)
    axes.set(xlim=(-0.2, 2.2), ylim=(0.6 - count, 0.6), xticks=[0, 1, 2])
    axes.set_yticks([-i for i in range(count)], [f"λ{'₁₂₃'[i]}" for i in range(count)])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def prices(walls: Array, curves: Sequence[Array], slopes: Sequence[Any]) -> Figure:
    """Optimal values against a bound; `slopes` has (bound, value, prices) a curve."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    titles = ("one wall", "the wall written twice, one copy moved")
    panels = figure.subplots(1, 2, sharey=True)
    low, high = np.min(curves) - 0.4, np.max(curves) + 0.4
    for axes, title, values, marks in zip(panels, titles, curves, slopes, strict=True):
        axes.plot(walls, values, color=BLUE, linewidth=2.4)
        for at, value, found in marks:
            for price in found:
                near = np.array([at - 0.75, at + 0.75])
                axes.plot(near, value - price * (near - at), color=RED, linewidth=1.1)
            axes.plot(at, value, "o", color=RED, markersize=6)
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="bound h", ylim=(low, high))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("optimal value v")
    return figure


def wall_path(
    problem: QP, walls: Array, found: Mapping[str, Array], kinks: Sequence[float]
) -> Figure:
    """The path of x, and x, lam and ∂x/∂h against the bound of the first wall.

    `found` has the arrays x, lam and slope, one row a wall.
    """
    figure = Figure(figsize=(5.8, 5.4), layout="constrained")
    plane, *panels = figure.subplots(2, 2).ravel()
    _path(plane, problem, walls, found["x"], kinks)
    names = {"x": "x{}", "lam": "λ{}", "slope": "∂x{}/∂h"}
    for axes, (key, name) in zip(panels, names.items(), strict=True):
        for i, (colour, dash) in enumerate(((BLUE, "-"), (RED, "--"))):
            values = found[key][:, i].copy()
            if key == "slope":  # no line across a jump
                values[1:][np.abs(np.diff(values)) > 0.1] = np.nan
            label = name.format("₁₂"[i])
            axes.plot(walls, values, dash, color=colour, linewidth=2, label=label)
        for kink in kinks:
            axes.axvline(kink, color=GREY, linewidth=1, linestyle=":")
        axes.legend(frameon=False, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("bound h of the moving wall")
    return figure


def _path(
    axes: Any, problem: QP, walls: Array, path: Array, kinks: Sequence[float]
) -> None:
    limits = (-0.6, 2.2)
    _levels(axes, problem, limits, 9)
    ceiling = problem.h[1] / problem.G[1, 1]
    axes.axhspan(limits[0], ceiling, color=BLUE, alpha=FILL, linewidth=0)
    axes.axhline(ceiling, color=BLUE, linewidth=1.6)
    for wall in np.linspace(walls[0], walls[-1], 5):
        axes.axvline(wall, color=BLUE, linewidth=0.8, linestyle="--")
    axes.plot(*path.T, color=RED, linewidth=3.5)
    for kink in kinks:
        axes.plot(*path[np.abs(walls - kink).argmin()], "o", color=RED)
    axes.plot(*np.linalg.solve(problem.P, -problem.q), "+", color=INK, markersize=10)
    axes.set(xlim=limits, ylim=limits, xlabel="x₁", ylabel="x₂", aspect="equal")


@dataclass(frozen=True, eq=False)
class Detour:
    """Points c, the minimizers of each, and a wall's positions, for one picture."""

    title: str
    starts: Array
    ends: Sequence[Array]
    walls: Sequence[float] = ()
    circle: bool = False


def obstacles(cases: Sequence[Detour]) -> Figure:
    """Nearest points outside a disc, with arrows from every c to its minimizers."""
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    angle = np.linspace(0, 2 * np.pi, 200)
    ring = np.cos(angle), np.sin(angle)
    for axes, case in zip(figure.subplots(2, 2).ravel(), cases, strict=True):
        axes.fill(*ring, color=GREY, alpha=0.3, linewidth=0)
        axes.plot(
            *ring, color=RED if case.circle else GREY, linewidth=3 * case.circle + 1
        )
        for wall in case.walls:
            axes.axvline(wall, color=BLUE, linewidth=1.6)
        for start, ends in zip(case.starts, case.ends, strict=True):
            axes.plot(*start, "o", color=BLUE, markersize=9, fillstyle="none", zorder=7)
            for end in ends:
                _arrow(axes, start, end - start, BLUE, 0.9)
                axes.plot(*end, "o", color=RED, markersize=6, zorder=6)
        axes.set_title(case.title, fontsize=10)
        axes.set(xlim=(-1.45, 1.75), ylim=(-1.45, 1.45), aspect="equal")
        _bare(axes)
    return figure


def hessian(matrix: Array, sizes: Sequence[int], names: Sequence[Any]) -> Figure:
    """The second derivatives of the value as a heat map, its blocks by name."""
    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    axes = figure.subplots()
    top = float(np.abs(matrix).max())
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-top, vmax=top)
    ends = np.cumsum([0, *sizes])
    for cut in ends[1:-1] - 0.5:
        axes.axhline(cut, color=INK)
        axes.axvline(cut, color=INK)
    middles = (ends[:-1] + ends[1:] - 1) / 2
    axes.set_xticks(middles, names[0])
    axes.set_yticks(middles, names[1])
    axes.tick_params(length=0, labelsize=11)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.outline.set_edgecolor(INK)
    return figure


def corners(angles: Sequence[float], corners_at: Sequence[Array], shift: float) -> Any:
    """Two walls and their corner, before and after the second one moves by `shift`."""
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    panels = figure.subplots(1, len(angles))
    for axes, angle, pair in zip(panels, angles, corners_at, strict=True):
        normal = np.array([np.cos(angle), np.sin(angle)])
        _region(axes, np.array([[1.0, 0.0], normal]), np.array([0.0, 0.0]), 1.4)
        line = np.linspace(-1.4, 1.4, 2)
        if abs(normal[1]) > 0:
            moved = (shift - normal[0] * line) / normal[1]
            axes.plot(line, moved, color=BLUE, linewidth=1.4, linestyle="--")
        _arrow(axes, pair[0], pair[1] - pair[0], RED, 2.4)
        axes.plot(*pair[0], "o", color=RED)
        axes.set_title(f"{np.degrees(angle):.0f}° between the normals", fontsize=10)
        axes.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4))
        _bare(axes)
    return figure
