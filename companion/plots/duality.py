"""Figures of the chapter on duality: bounds, prices, value functions, rays, a saddle.

Chapter: duality.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from companion.plots.qp import BLUE, GREY, RED

GREEN = "#3f8f5b"  # contrast ≥ 3 on white and on black
SHADE = 0.18  # opacity of a region

Array = np.ndarray


def _axes(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(1, columns)))
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _arrow(axes: Any, start: Array, end: Array, colour: str) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0}
    axes.annotate("", end, start, arrowprops={**style, "shrinkB": 0})


def bounds(
    x: Array,
    f: Array,
    lagrangians: Mapping[float, Array],
    dual: tuple[Array, Array],
    wall: float,
) -> Figure:
    """Lagrangians under the objective on x ≥ wall; beside them their minima.

    `lagrangians` maps a price to its curve; `dual` are prices and dual values.
    """
    figure, (left, right) = _axes(6.2, 3.2, 2)
    left.axvspan(wall, x[-1], color=GREEN, alpha=SHADE, linewidth=0)
    left.plot(x, f, color=GREEN, linewidth=2.8)
    left.text(wall + 0.06, -0.9, "feasible", color=GREEN)
    left.text(x[0] + 0.05, -0.25, "objective", color=GREEN)
    for (price, curve), colour in zip(
        lagrangians.items(), (GREY, BLUE, RED), strict=False
    ):
        at = int(np.argmin(curve))
        for axes, place in ((left, x[at]), (right, price)):
            axes.plot(place, curve[at], "o", color=colour, markersize=7, zorder=3)
        left.plot(x, curve, color=colour, linewidth=1.8)
        drop = -0.2 if price <= dual[0][np.argmax(dual[1])] + 0.05 else 0.04
        right.text(price + 0.06, curve[at] + drop, f"λ = {price:g}", color=colour)
    right.plot(*dual, color=GREY, linewidth=1.6, zorder=1)
    for axes in (left, right):
        axes.axhline(f[x >= wall].min(), color=GREEN, linestyle=":", linewidth=1.6)
        axes.set_ylim(-1, 1.6)
    left.set(xlabel="x", ylabel="objective and Lagrangians", xlim=(x[0], x[-1]))
    right.set(xlabel="price λ", ylabel="least value of the Lagrangian")
    right.text(0, 0.56, "optimal value", color=GREEN)
    return figure


@dataclass(frozen=True)
class Region:
    """A polygon in the plane, the part of its outline that is a constraint, and texts.

    `best` is its best corner and `line` the level line through it; `texts` maps a text
    to its place.
    """

    corners: Array
    outline: Array
    best: Array
    line: Array
    labels: tuple[str, str]
    texts: Mapping[str, tuple[float, float]]


def regions(plans: Region, prices: Region, reach: tuple[float, float]) -> Figure:
    """Feasible plans with their best corner, and feasible prices with theirs."""
    figure, panels = _axes(6.2, 3.2, 2)
    pairs = ((plans, GREEN, BLUE), (prices, RED, BLUE))
    for axes, (region, colour, level), end in zip(panels, pairs, reach, strict=True):
        axes.fill(*region.corners.T, color=colour, alpha=SHADE, linewidth=0)
        axes.plot(*region.outline.T, color=colour, linewidth=1.8)
        axes.plot(*region.line.T, color=level, linewidth=2, linestyle="--")
        axes.plot(*region.best, "o", color=level, markersize=8)
        for text, place in region.texts.items():
            axes.text(*place, text, color=level if text.startswith("value") else colour)
        across, up = region.labels
        axes.set(xlabel=across, ylabel=up, xlim=(0, end), ylim=(0, end), aspect="equal")
    return figure


@dataclass(frozen=True)
class Panel:
    """A value function and lines (slope, intercept) under it.

    `gap` is a pair (dual value, primal value), `dots` are single points of the graph.
    """

    title: str
    t: Array
    v: Array
    span: tuple[float, float]
    lines: Sequence[tuple[float, float]] = ()
    gap: tuple[float, float] | None = None
    dots: Sequence[tuple[float, float]] = ()


def value_functions(panels: Sequence[Panel]) -> Figure:
    """Optimal values over a change t of the right side, one panel a problem."""
    figure, places = _axes(max(2.2 * len(panels), 5.0), 2.8, len(panels))
    for axes, panel in zip(places, panels, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for slope, start in panel.lines:
            axes.plot(panel.t, start + slope * panel.t, color=RED, linewidth=1.5)
            axes.plot(0, start, "o", color=RED, markersize=6, zorder=3)
        axes.plot(panel.t, panel.v, color=BLUE, linewidth=2.4)
        for place in panel.dots:
            axes.plot(*place, "o", color=BLUE, markersize=7, zorder=3)
        if panel.gap:
            _bracket(axes, panel.gap, panel.t)
        axes.set(title=panel.title, xlabel="t", ylim=panel.span)
        axes.title.set_fontsize(10)
        axes.locator_params(nbins=4)
    places[0].set_ylabel("optimal value v(t)")
    return figure


def _bracket(axes: Any, gap: tuple[float, float], t: Array) -> None:
    style = {"arrowstyle": "<->", "color": RED, "linewidth": 1.8}
    style |= {"shrinkA": 0, "shrinkB": 0}
    sign = -1 if t[0] < 0 else 1
    place, height = sign * 0.05 * (t[-1] - t[0]), 0.3 * gap[0] + 0.7 * gap[1]
    axes.annotate("", (place, gap[1]), (place, gap[0]), arrowprops=style)
    side = "right" if sign < 0 else "left"
    axes.text(1.5 * place, height, "gap", color=RED, va="center", ha=side)


def price_slider(t: Array, v: Array, prices: Array, starts: Array) -> go.Figure:
    """Plotly figure: a value function, and for every price its line pushed up to it."""
    start = len(prices) // 4
    lines = [
        go.Scatter(x=[t[0], 0, t[-1]], y=[s - p * t[0], s, s - p * t[-1]],
                   mode="lines+markers", name="line of slope −λ", line={"color": RED},
                   marker={"size": [0, 11, 0]}, visible=i == start)
        for i, (p, s) in enumerate(zip(prices, starts, strict=True))
    ]  # fmt: skip
    steps = [
        {
            "method": "update",
            "label": f"{price:.2f}",
            "args": [{"visible": [True, *(j == i for j in range(len(lines)))]}],
        }
        for i, price in enumerate(prices)
    ]
    curve = go.Scatter(x=t, y=v, mode="lines", name="v(t)", line={"color": BLUE})
    figure = go.Figure([curve, *lines])
    blank = "rgba(0,0,0,0)"
    figure.update_layout(
        sliders=[
            {
                "steps": steps,
                "active": start,
                "currentvalue": {"prefix": "price λ = "},
                "pad": {"t": 45},
            }
        ],
        paper_bgcolor=blank,
        plot_bgcolor=blank,
        font={"color": "#7c7c7c"},
        xaxis={"title": "t", "range": [t[0], t[-1]]},
        yaxis={"title": "value", "range": [-2.2, float(np.max(v)) + 0.3]},
        legend={"x": 0.98, "xanchor": "right", "y": 0.98},
        height=440,
        margin={"l": 50, "r": 20, "t": 20, "b": 40},
    )
    return figure


@dataclass(frozen=True)
class Wall:
    """One row of Gx ≤ h in the plane: its weight, and places for its name."""

    name: str
    row: Array
    side: float
    weight: float
    place: tuple[float, float]
    beside: tuple[float, float]


def contradiction(walls: Sequence[Wall]) -> Figure:
    """Half-planes without a common point; their weighted normals form a closed loop."""
    figure, (left, right) = _axes(6.2, 3.4, 2)
    span = np.linspace(0, 12, 241)
    X = np.stack(np.meshgrid(span, span), -1)
    start = np.zeros(2)
    for wall, colour in zip(walls, (BLUE, GREEN, RED), strict=True):
        over = X @ wall.row - wall.side
        left.contourf(span, span, over, [-99, 0], colors=[colour], alpha=SHADE)
        left.contour(span, span, over, [0], colors=colour, linewidths=2)
        left.text(*wall.place, wall.name, color=colour)
        end = start + wall.weight * wall.row
        _arrow(right, start, end, colour)
        right.text(*wall.beside, f"× {wall.weight:g}", color=colour)
        start = end
    left.set(xlabel="x₁", ylabel="x₂", aspect="equal", title="what each row permits")
    right.plot(0, 0, "o", color=GREY, markersize=6)
    right.set(xlim=(-1.6, 0.6), ylim=(-1.5, 0.7), aspect="equal")
    right.set(xticks=[-1, 0], yticks=[-1, 0], title="the weighted normals add to zero")
    for axes in (left, right):
        axes.title.set_fontsize(10)
    return figure


def saddle(x: Array, prices: Array, values: Array, ridge: Array, at: Array) -> Figure:
    """Values about the saddle, the least over x for every price, and the saddle."""
    figure, (axes,) = _axes(5.4, 3.8)
    levels = np.linspace(-1.5, 1.5, 13)
    image = axes.contourf(x, prices, values, levels, cmap="RdBu_r", extend="both")
    figure.colorbar(image, ax=axes).set_label("L(x, λ) above the saddle", color=GREY)
    axes.plot(*ridge, color=BLUE, linewidth=2.4)
    axes.axvline(at[0], color=RED, linewidth=2.4, linestyle="--")
    axes.plot(*at, "o", color="black", markersize=9)
    axes.text(at[0] + 0.08, at[1] + 0.03, "saddle point", color="black")
    axes.text(1.78, 0.26, "best x\nfor this λ", color="black")
    axes.set(xlabel="x", ylabel="price λ", ylim=(prices[0], prices[-1]))
    axes.set(xlim=(x[0], x[-1]))
    return figure
