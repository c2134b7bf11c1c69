"""Figures of the chapter on what to return where no derivative exists.

Chapter: nonsmooth.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from companion.plots.qp import BLUE, GREY, RED

OCHRE, TEAL = "#b7791f", "#2a8f7a"  # contrast ≥ 3 on white and on black
INK = "#7c7c7c"
BLANK = "rgba(0,0,0,0)"

Array = np.ndarray


def _axes(width: float, height: float, *grid: int, **layout: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*grid, **layout)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def kink(q: Array, x: Array, returned: Mapping[str, Sequence[float | int]]) -> Figure:
    """The solution with the slopes between its two tangents; who returns which."""
    figure, (left, right) = _axes(7.2, 3.3, 1, 2, width_ratios=(1, 1.15))
    reach = np.array([q.min(), q.max()]) * 0.8
    left.fill_between(reach, 0 * reach, -reach, color=BLUE, alpha=0.13, linewidth=0)
    left.plot(q, x, color=BLUE, linewidth=2.6)
    left.plot(reach, -0.5 * reach, "--", color=RED, linewidth=1.4)
    left.plot([0], [0], "o", color=GREY)
    left.annotate("slope −1", (q.min() * 0.9, x.max()), color=BLUE, va="center")
    left.annotate("slope 0", (q.max(), 0.08 * x.max()), color=BLUE, ha="right")
    left.annotate("slope −½?", (reach[1], -0.62 * reach[1]), color=RED, ha="right")
    left.set(xlabel="q", ylabel="x(q)")
    right.axvspan(-1, 0, color=BLUE, alpha=0.13, linewidth=0)
    for place, name, side in ((-1, " left", "left"), (0, "right ", "right")):
        right.axvline(place, color=BLUE, linewidth=1.6)
        right.annotate(name, (place, -0.75), color=BLUE, ha=side, va="center")
    for row, (name, values) in enumerate(returned.items()):
        colour = TEAL if name == "this book" else RED
        right.plot(values, [row] * len(values), "o", color=colour, markersize=9)
    right.set_yticks(range(len(returned)), list(returned))
    right.tick_params(axis="y", length=0)
    right.set(xlim=(-1.12, 0.12), ylim=(len(returned) - 0.4, -1.2))
    right.set_xticks([-1, -0.5, 0], ["−1", "−½", "0"])
    right.set_xlabel("derivative returned at q = 0")
    right.spines["left"].set_visible(False)
    return figure


def fan(angles: Array, true: Array, squares: Array) -> Figure:
    """Speeds of x for unit directions of q: their image, and one entry by angle."""
    figure, (left, right) = _axes(7.2, 3.4, 1, 2, width_ratios=(1, 1.15))
    low, high = 1.5 * squares.min(), 1.12 * true.max()
    left.fill_between([0, high], 0, high, color=BLUE, alpha=0.13, linewidth=0)
    left.axhline(0, color=GREY, linewidth=0.6)
    left.axvline(0, color=GREY, linewidth=0.6)
    left.plot(*squares.T, "--", color=RED, linewidth=1.8)
    left.plot(*true.T, color=BLUE, linewidth=2.8)
    left.plot([0], [0], "o", color=BLUE)
    place = (0.03, squares[:, 1].min() - 0.03)
    left.annotate("least squares", place, color=RED, va="top")
    place = 0.55 * true[true.sum(1).argmax()]
    left.annotate("one-sided", place, color=BLUE, ha="center", va="center")
    left.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    left.set(xlabel="speed of x₁", ylabel="speed of x₂")
    degrees = np.degrees(angles)
    right.plot(degrees, squares[:, 0], "--", color=RED, linewidth=1.8)
    right.plot(degrees, true[:, 0], color=BLUE, linewidth=2.8)
    top = int(np.argmax(true[:, 0]))
    right.annotate("one-sided", (degrees[top], true[top, 0]), color=BLUE, ha="center",
                   va="bottom")  # fmt: skip
    low = squares[:, 0].min()
    right.annotate("least squares", (180, low), color=RED, ha="center", va="center")
    right.set(xlabel="angle of the direction of q", ylabel="speed of x₁")
    right.set(ylim=(1.35 * low, 1.2 * true[:, 0].max()))
    right.set_xticks(range(0, 361, 90), [f"{v}°" for v in range(0, 361, 90)])
    return figure


def smoothing_slider(q: Array, mus: Array, x: Array, slopes: Array) -> go.Figure:
    """A slider over μ: the path's point above, its slope below; the kink in grey.

    Rows of `x` and `slopes` belong to `mus`; the last row is the solution itself.
    """
    figure = go.Figure()
    for values, axis in ((x, "y"), (slopes, "y2")):
        figure.add_scatter(x=q, y=values[-1], yaxis=axis, mode="lines", name="μ → 0",
                           line={"color": GREY, "width": 2, "dash": "dot"})  # fmt: skip
    shown = len(mus) // 2
    for i, mu in enumerate(mus):
        for values, axis, colour in ((x, "y", RED), (slopes, "y2", BLUE)):
            figure.add_scatter(x=q, y=values[i], yaxis=axis, visible=i == shown,
                               mode="lines", name=f"μ = {mu:.1e}",
                               line={"color": colour, "width": 3})  # fmt: skip
    steps = [
        {
            "method": "update",
            "label": f"{mu:.0e}",
            "args": [
                {"visible": [True, True, *(j // 2 == i for j in range(2 * len(mus)))]}
            ],
        }
        for i, mu in enumerate(mus)
    ]
    grid = {"gridcolor": "rgba(124,124,124,0.25)", "zerolinecolor": INK}
    figure.update_layout(
        sliders=[{"steps": steps, "active": shown, "pad": {"t": 45},
                  "currentvalue": {"prefix": "μ = "}}],
        paper_bgcolor=BLANK,
        plot_bgcolor=BLANK,
        font={"color": INK},
        showlegend=False,
        height=560,
        margin={"l": 60, "r": 15, "t": 20, "b": 40},
        xaxis={"title": "q", "anchor": "y2", **grid},
        yaxis={"title": "x(q, μ)", "domain": [0.56, 1], **grid},
        yaxis2={"title": "∂x/∂q", "domain": [0, 0.44], "range": [-1.08, 0.08], **grid},
    )  # fmt: skip
    return figure


def losses(runs: Mapping[str, Array]) -> Figure:
    """Loss by step, one named run a line."""
    figure, axes = _axes(6.6, 3.0)
    styles = ((RED, "-"), (BLUE, "-"), (OCHRE, "--"), (TEAL, ":"))
    for (name, values), (colour, dash) in zip(runs.items(), styles, strict=False):
        axes.plot(values, dash, color=colour, linewidth=2.2, label=name)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend(frameon=False, loc="center right")
    return figure


def vertex_map(corners: Array, angles: Array, x: Mapping[str, Array]) -> Figure:
    """A polygon, and the first entry of the best point against the cost's angle."""
    figure, (left, right) = _axes(7.2, 3.4, 1, 2, width_ratios=(1, 1.5))
    left.fill(*corners.T, color=BLUE, alpha=0.16, linewidth=0)
    left.plot(*np.vstack([corners, corners[:1]]).T, color=BLUE, linewidth=1.6)
    left.plot(*corners.T, "o", color=BLUE, markersize=7)
    for k, corner in enumerate(corners):
        left.annotate(f"{k + 1}", 1.22 * corner, color=INK, ha="center", va="center")
    reach = 1.4 * np.abs(corners).max()
    left.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    left.set(xlabel="x₁", ylabel="x₂")
    degrees = np.degrees(angles)
    styles = ((BLUE, "-", 2.6), (RED, "-", 1.6), (OCHRE, "--", 1.8))
    for (name, path), (colour, dash, width) in zip(x.items(), styles, strict=False):
        right.plot(degrees, path[:, 0], dash, color=colour, linewidth=width, label=name)
    staircase = next(iter(x.values()))
    for k, corner in enumerate(corners):
        at = degrees[(staircase == corner).all(1) & (degrees < 355)]
        if not at.size:
            continue
        above = corner[0] == corners[:, 0].max()
        place = (np.median(at), corner[0] + (0.04 if above else -0.07))
        right.annotate(f"{k + 1}", place, color=INK, ha="center",
                       va="bottom" if above else "top")  # fmt: skip
    right.set(xlabel="angle of the cost q", ylabel="x₁ of the solution")
    right.set_xticks(range(0, 361, 90), [f"{v}°" for v in range(0, 361, 90)])
    right.set_ylim(corners[:, 0].min() - 0.35, corners[:, 0].max() + 0.75)
    right.legend(frameon=False, ncols=3, loc="upper center", fontsize=9)
    return figure


def smoothers(cost: Array, x: Mapping[str, Array]) -> Figure:
    """Stand-ins for a step, above their slopes; all in one variable on [0, 1]."""
    figure, (top, bottom) = _axes(6.8, 4.4, 2, 1, sharex=True)
    styles = ((GREY, ":"), (RED, "-"), (OCHRE, "--"), (BLUE, "-"))
    for (name, values), (colour, dash) in zip(x.items(), styles, strict=False):
        top.plot(cost, values, dash, color=colour, linewidth=2.2, label=name)
        if dash != ":":
            slope = np.gradient(values, cost)
            bottom.plot(cost, slope, dash, color=colour, linewidth=2.2)
    top.set(ylabel="x")
    bottom.set(xlabel="q", ylabel="∂x/∂q")
    top.legend(frameon=False)
    return figure
