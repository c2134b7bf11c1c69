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
    figure, (above, below) = _axes(5.4, 5.2, 2, 1)
    reach = np.array([q.min(), q.max()]) * 0.8
    above.fill_between(reach, 0 * reach, -reach, color=BLUE, alpha=0.13, linewidth=0)
    above.plot(q, x, color=BLUE, linewidth=2.6)
    above.plot(reach, -0.5 * reach, "--", color=RED, linewidth=1.4)
    above.plot([0], [0], "o", color=GREY)
    above.annotate("slope −1", (q.min() * 0.9, x.max()), color=BLUE, va="center")
    above.annotate("slope 0", (q.max(), 0.08 * x.max()), color=BLUE, ha="right")
    above.annotate("slope −½?", (reach[1], -0.62 * reach[1]), color=RED, ha="right")
    above.set(xlabel="q", ylabel="x(q)")
    below.axvspan(-1, 0, color=BLUE, alpha=0.13, linewidth=0)
    for place, name, side in ((-1, " left", "left"), (0, "right ", "right")):
        below.axvline(place, color=BLUE, linewidth=1.6)
        below.annotate(name, (place, -0.75), color=BLUE, ha=side, va="center")
    for row, (name, values) in enumerate(returned.items()):
        colour = TEAL if name == "this book" else RED
        below.plot(values, [row] * len(values), "o", color=colour, markersize=9)
    below.set_yticks(range(len(returned)), list(returned))
    below.tick_params(axis="y", length=0)
    below.set(xlim=(-1.12, 0.12), ylim=(len(returned) - 0.4, -1.2))
    below.set_xticks([-1, -0.5, 0], ["−1", "−½", "0"])
    below.set_xlabel("derivative returned at q = 0")
    below.spines["left"].set_visible(False)
    return figure


def fan(angles: Array, true: Array, squares: Array) -> Figure:
    """Speeds of x for unit directions of q: their image, and one entry by angle."""
    figure, (above, below) = _axes(5.4, 6.4, 2, 1, height_ratios=(1.5, 1))
    low, high = 1.5 * squares.min(), 1.12 * true.max()
    above.fill_between([0, high], 0, high, color=BLUE, alpha=0.13, linewidth=0)
    above.axhline(0, color=GREY, linewidth=0.6)
    above.axvline(0, color=GREY, linewidth=0.6)
    above.plot(*squares.T, "--", color=RED, linewidth=1.8)
    above.plot(*true.T, color=BLUE, linewidth=2.8)
    above.plot([0], [0], "o", color=BLUE)
    place = (0.03, squares[:, 1].min() - 0.03)
    above.annotate("least squares", place, color=RED, va="top")
    place = 0.55 * true[true.sum(1).argmax()]
    above.annotate("one-sided", place, color=BLUE, ha="center", va="center")
    above.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    above.set(xlabel="speed of x₁", ylabel="speed of x₂")
    degrees = np.degrees(angles)
    below.plot(degrees, squares[:, 0], "--", color=RED, linewidth=1.8)
    below.plot(degrees, true[:, 0], color=BLUE, linewidth=2.8)
    top = int(np.argmax(true[:, 0]))
    below.annotate("one-sided", (degrees[top], true[top, 0]), color=BLUE, ha="center",
                   va="bottom")  # fmt: skip
    low = squares[:, 0].min()
    below.annotate("least squares", (180, low), color=RED, ha="center", va="center")
    below.set(xlabel="angle of the direction of q", ylabel="speed of x₁")
    below.set(ylim=(1.35 * low, 1.2 * true[:, 0].max()))
    below.set_xticks(range(0, 361, 90), [f"{v}°" for v in range(0, 361, 90)])
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
    figure, axes = _axes(5.6, 3.0)
    styles = ((RED, "-"), (BLUE, "-"), (OCHRE, "--"), (TEAL, ":"))
    for (name, values), (colour, dash) in zip(runs.items(), styles, strict=False):
        axes.plot(values, dash, color=colour, linewidth=2.2, label=name)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend(frameon=False, loc="center right")
    return figure


def vertex_map(corners: Array, angles: Array, x: Mapping[str, Array]) -> Figure:
    """A polygon, and the first entry of the best point against the cost's angle."""
    figure, (above, below) = _axes(5.4, 6.0, 2, 1, height_ratios=(1, 1.2))
    above.fill(*corners.T, color=BLUE, alpha=0.16, linewidth=0)
    above.plot(*np.vstack([corners, corners[:1]]).T, color=BLUE, linewidth=1.6)
    above.plot(*corners.T, "o", color=BLUE, markersize=7)
    for k, corner in enumerate(corners):
        above.annotate(f"{k + 1}", 1.22 * corner, color=INK, ha="center", va="center")
    reach = 1.4 * np.abs(corners).max()
    above.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    above.set(xlabel="x₁", ylabel="x₂")
    degrees = np.degrees(angles)
    styles = ((BLUE, "-", 2.6), (RED, "-", 1.6), (OCHRE, "--", 1.8))
    for (name, path), (colour, dash, width) in zip(x.items(), styles, strict=False):
        below.plot(degrees, path[:, 0], dash, color=colour, linewidth=width, label=name)
    staircase = next(iter(x.values()))
    for k, corner in enumerate(corners):
        at = degrees[(staircase == corner).all(1) & (degrees < 355)]
        if not at.size:
            continue
        top = corner[0] == corners[:, 0].max()
        place = (np.median(at), corner[0] + (0.04 if top else -0.07))
        below.annotate(f"{k + 1}", place, color=INK, ha="center",
                       va="bottom" if top else "top")  # fmt: skip
    below.set(xlabel="angle of the cost q", ylabel="x₁ of the solution")
    below.set_xticks(range(0, 361, 90), [f"{v}°" for v in range(0, 361, 90)])
    below.set_ylim(corners[:, 0].min() - 0.35, corners[:, 0].max() + 0.75)
    below.legend(frameon=False, ncols=3, loc="upper center", fontsize=9)
    return figure


def smoothers(cost: Array, x: Mapping[str, Array]) -> Figure:
    """Stand-ins for a step, above their slopes; all in one variable on [0, 1]."""
    figure, (top, bottom) = _axes(5.6, 4.4, 2, 1, sharex=True)
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
