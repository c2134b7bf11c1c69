"""Figures of the chapter on QP layers.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from companion.problems import QP, QPSolution

BLUE, RED, GREY = "#3b78c4", "#c44e3b", "#8a8a8a"  # contrast ≥ 3 on white and on black
SPAN = 2.5  # half width of the plane that is drawn

Array = np.ndarray


def geometry(problem: QP, sol: QPSolution) -> Figure:
    """A QP in the plane: level sets, constraint lines, and multipliers as forces."""
    figure = Figure(figsize=(5.0, 4.6), layout="constrained")
    axes = figure.subplots()
    line = np.linspace(-SPAN, SPAN, 121)
    X = np.stack(np.meshgrid(line, line), -1)
    levels = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    axes.contour(line, line, levels, 12, colors=GREY, linewidths=0.7)
    for row, bound, force in zip(problem.G, problem.h, sol.lam, strict=True):
        colour = RED if force > 0 else BLUE
        axes.contour(line, line, X @ row, [bound], colors=colour, linewidths=2)
        if force > 0:
            _arrow(axes, sol.x, -force * row, RED)
    _arrow(axes, sol.x, -(problem.P @ sol.x + problem.q), BLUE)
    axes.plot(*sol.x, "o", color=GREY)
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    return figure


def _arrow(axes: Any, start: Array, force: Array, colour: str) -> None:
    axes.annotate(
        "",
        start + 0.5 * force,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2},
    )


def curves(across: Array, up: Mapping[str, Array], labels: tuple[str, str]) -> Figure:
    """Named curves over one axis."""
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axes = figure.subplots()
    styles = ((BLUE, "-"), (RED, "--"), (GREY, ":"))
    for (name, values), (colour, dash) in zip(up.items(), styles, strict=False):
        axes.plot(across, values, dash, color=colour, linewidth=1.8, label=name)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.legend(frameon=False)
    return figure


def remainders(steps: Array, found: Mapping[str, Array]) -> Figure:
    """Taylor remainders over steps, both on logarithmic axes."""
    figure = curves(steps, found, ("step", "remainder"))
    figure.axes[0].set(xscale="log", yscale="log")
    return figure


def blocks(matrix: Array, cuts: Sequence[int]) -> Figure:
    """The entries of a matrix as a heat map, with lines between its blocks."""
    figure = Figure(figsize=(4.6, 3.8), layout="constrained")
    axes = figure.subplots()
    top = float(np.abs(matrix).max())
    image = axes.imshow(matrix, cmap="RdBu", vmin=-top, vmax=top)
    for cut in cuts:
        axes.axhline(cut - 0.5, color=GREY)
        axes.axvline(cut - 0.5, color=GREY)
    figure.colorbar(image, ax=axes)
    return figure


def moving_wall(walls: Array, x: Array, lam: Array, jacobians: Array) -> go.Figure:
    """A slider moves the wall x₁ ≤ h; the frames show x, lam and dx/dq."""
    frames = [
        go.Frame(data=_traces(*state), name=f"{state[0]:.2f}")
        for state in zip(walls, x, lam, jacobians, strict=True)
    ]
    figure = go.Figure(data=frames[0].data, frames=frames)
    steps = [
        {
            "label": f.name,
            "method": "animate",
            "args": [[f.name], {"mode": "immediate"}],
        }
        for f in frames
    ]
    blank = "rgba(0,0,0,0)"
    figure.update_layout(
        sliders=[{"steps": steps, "currentvalue": {"prefix": "h = "}}],
        paper_bgcolor=blank,
        plot_bgcolor=blank,
        font={"color": "#7c7c7c"},
        xaxis={"domain": [0, 0.45], "range": [-2, 2], "title": "x₁"},
        yaxis={"range": [-2, 2], "title": "x₂"},
        xaxis2={"domain": [0.6, 1.0], "anchor": "y2"},
        yaxis2={"anchor": "x2", "range": [-1.6, 2.2]},
        showlegend=False,
    )
    return figure


def _traces(wall: float, x: Array, lam: Array, jacobian: Array) -> list[Any]:
    names = ["lam", "∂x₁/∂q₁", "∂x₁/∂q₂", "∂x₂/∂q₁", "∂x₂/∂q₂"]
    colour = RED if lam[0] > 1e-6 else BLUE
    return [
        go.Scatter(x=[wall, wall], y=[-2, 2], mode="lines", line={"color": colour}),
        go.Scatter(x=[x[0]], y=[x[1]], mode="markers", marker={"color": GREY}),
        go.Bar(
            x=names,
            y=[lam[0], *jacobian.ravel()],
            xaxis="x2",
            yaxis="y2",
            marker={"color": colour},
        ),
    ]
