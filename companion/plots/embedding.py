"""Figures of the chapter on the homogeneous embedding.

Chapter: embedding.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREEN, GREY, RED, panels

Array = np.ndarray
CIRCLE = np.linspace(0, 2 * np.pi, 97)
OCHRE = "#b3722f"  # contrast ≥ 3 on white and on black
FAR = 4.0  # length of a line that leaves every picture here


def _disc(axes: Any, colour: str = BLUE) -> None:
    axes.fill(np.cos(CIRCLE), np.sin(CIRCLE), color=colour, alpha=0.2, linewidth=0)
    axes.plot(np.cos(CIRCLE), np.sin(CIRCLE), color=colour, linewidth=1.6)


def _line(axes: Any, normal: Array, level: float, dash: str, colour: str) -> None:
    """The line {x : normalᵀx = level}, for a normal of length one."""
    foot, along = level * normal, np.array([-normal[1], normal[0]])
    ends = np.stack([foot - FAR * along, foot + FAR * along])
    axes.plot(*ends.T, dash, color=colour, linewidth=2)


def separation(normal: Array, wall: float, levels: tuple[float, float]) -> Figure:
    """The unit disc, the half-plane normalᵀx ≥ wall, and the strip between two levels.

    The multipliers bound normalᵀx by the first level on the disc and by the second
    one beyond the wall.
    """
    figure, (axes,) = panels(1, 5.6, 3.7)
    _disc(axes)
    foot, along = wall * normal, np.array([-normal[1], normal[0]])
    corners = [foot - FAR * along, foot + FAR * along]
    corners += [corners[1] + FAR * normal, corners[0] + FAR * normal]
    axes.fill(*np.array(corners).T, color=RED, alpha=0.2, linewidth=0)
    _line(axes, normal, wall, "-", RED)
    for level in levels:
        _line(axes, normal, level, ":", GREY)
    _line(axes, normal, sum(levels) / 2, "--", INK)
    axes.text(0, 0, "disc", color=BLUE, ha="center", va="center", fontsize=11)
    axes.text(*(foot + 0.55 * normal), "beyond the wall", color=RED, fontsize=11,
              ha="center", va="center")  # fmt: skip
    axes.set(xlim=(-1.6, 2.9), ylim=(-1.25, 1.9), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure


def outcomes(runs: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Both flags by step, τ drawn through and κ dashed, one panel a program."""
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    grid = figure.subplots(2, 2).ravel()
    for axes, (name, flags) in zip(grid, runs.items(), strict=True):
        for flag, colour, dash, word in zip(
            flags, (BLUE, RED), ("-", "--"), "τκ", strict=True
        ):
            steps = np.arange(1, len(flag) + 1)
            seen = flag > 0
            axes.plot(steps[seen], flag[seen], dash, color=colour, linewidth=2,
                      label=word)  # fmt: skip
        axes.set(title=name, yscale="log", ylim=(2e-4, 2))
        axes.set(xscale="log" if len(flags[0]) > 500 else "linear")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower left", ncols=2)
    for axes in grid[2:]:
        axes.set_xlabel("step")
    return figure


def corner(z: Array, marks: Array) -> Figure:
    """The pairs (u, v) of the half-line, and the line of z = u - v that unbends it."""
    figure, (left, right) = panels(2, 7.0, 3.0)
    for axes, at in ((left, marks), (right, marks)):
        colours = np.where(at > 0, BLUE, RED)
        u, v = np.maximum(at, 0), np.maximum(-at, 0)
        across, up = (u, v) if axes is left else (at, 0 * at)
        for a, c, colour, k in zip(across, up, colours, range(len(at)), strict=True):
            axes.plot(a, c, "o", color=colour, markersize=8, zorder=3)
            axes.annotate("abcdefgh"[k], (a, c), (7, 7), color=INK,
                          textcoords="offset points")  # fmt: skip
    left.plot(np.maximum(z, 0), np.maximum(-z, 0), color=INK, linewidth=1.8)
    left.set(xlabel="u", ylabel="v", aspect="equal")
    right.plot(z, 0 * z, color=INK, linewidth=1.8)
    right.set(xlabel="z = u − v", yticks=[], ylim=(-0.8, 0.8))
    right.spines["left"].set_visible(False)
    return figure


def residuals(runs: Mapping[str, Array]) -> Figure:
    """The norm of the residual map by step, on a logarithmic scale."""
    figure, (axes,) = panels(1, 6.4, 3.3)
    styles = ((BLUE, "-"), (RED, "--"), (OCHRE, "-."), (GREY, ":"))
    for (name, sizes), (colour, dash) in zip(runs.items(), styles, strict=False):
        axes.semilogy(np.arange(1, len(sizes) + 1), sizes, dash, color=colour,
                      linewidth=2, label=name)  # fmt: skip
    axes.set(xlabel="step", ylabel="‖R(z)‖")
    axes.legend(frameon=False, fontsize=10)
    return figure


def reach(steps: Array, radii: Array, needed: float) -> Figure:
    """The radius that a certificate has emptied, by step, and the one that counts."""
    figure, (axes,) = panels(1, 6.4, 3.1)
    axes.semilogy(steps, radii, color=RED, linewidth=2)
    axes.axhline(needed, color=BLUE, linestyle="--", linewidth=1.6)
    axes.text(steps[-1], 1.5 * needed, "the disc", color=BLUE, ha="right")
    axes.set(xlabel="step", ylabel="radius proved empty")
    return figure


def threshold(walls: Array, steps: Array, sizes: Array, solved: Array) -> Figure:
    """Steps until a decision, and the size of the answer, by place of the wall."""
    figure, axes = panels(2, 7.2, 3.1)
    for place, values, name in zip(
        axes, (steps, sizes), ("steps until decided", "largest entry of y"), strict=True
    ):
        for chosen, colour, mark, word in (
            (solved, BLUE, "o-", "solved"), (~solved, RED, "s--", "refuted"),
        ):  # fmt: skip
            place.semilogy(walls[chosen], values[chosen], mark, color=colour,
                           markersize=4, label=word)  # fmt: skip
        place.axvline(1, color=GREY, linewidth=1)
        place.set(xlabel="place of the wall", ylabel=name)
    axes[0].legend(frameon=False)
    return figure


def iterates(normal: Array, wall: float, path: Array, sizes: Array) -> go.Figure:
    """A slider over the steps: x/τ in the plane above, the residual below.

    Nothing moves unless a reader moves the slider.
    """
    figure, steps = go.Figure(), len(path)
    foot, along = wall * normal, np.array([-normal[1], normal[0]])
    ends = np.stack([foot - FAR * along, foot + FAR * along])
    figure.add_scatter(x=np.cos(CIRCLE), y=np.sin(CIRCLE), mode="lines", fill="toself",
                       line={"color": BLUE}, fillcolor="rgba(59,120,196,0.15)",
                       name="disc")  # fmt: skip
    figure.add_scatter(x=ends[:, 0], y=ends[:, 1], mode="lines", name="wall",
                       line={"color": RED})  # fmt: skip
    count = np.arange(1, steps + 1)
    figure.add_scatter(x=count, y=sizes, mode="lines", name="residual", yaxis="y2",
                       xaxis="x2", line={"color": GREY, "dash": "dot"})  # fmt: skip
    for k in range(steps):
        figure.add_scatter(x=path[: k + 1, 0], y=path[: k + 1, 1], visible=k == 0,
                           mode="lines+markers", name=f"step {k + 1}",
                           marker={"size": [4] * k + [12], "color": GREEN},
                           line={"color": GREEN, "width": 1.5})  # fmt: skip
        figure.add_scatter(x=[k + 1], y=[sizes[k]], visible=k == 0, mode="markers",
                           xaxis="x2", yaxis="y2", name=f"‖R‖ = {sizes[k]:.1e}",
                           marker={"size": 12, "color": GREEN})  # fmt: skip
    shown = [
        {
            "method": "update",
            "label": f"{k + 1}",
            "args": [{"visible": [True] * 3 + [j // 2 == k for j in range(2 * steps)]}],
        }
        for k in range(steps)
    ]
    figure.update_layout(
        sliders=[{"steps": shown, "active": 0, "pad": {"t": 45},
                  "currentvalue": {"prefix": "step "}}],
        showlegend=False,
        height=620,
        margin={"l": 60, "r": 15, "t": 15, "b": 40},
        xaxis={"range": [-1.7, 1.9], "domain": [0, 1], "anchor": "y"},
        yaxis={"range": [-1.5, 1.5], "domain": [0.42, 1], "scaleanchor": "x"},
        xaxis2={"title": "step", "anchor": "y2"},
        yaxis2={"title": "‖R‖", "type": "log", "domain": [0, 0.3], "dtick": 2,
                "exponentformat": "power"},
    )  # fmt: skip
    return figure
