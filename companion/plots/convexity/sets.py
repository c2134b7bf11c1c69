"""Sets in the plane: segments, nearest points, normals, and a split into two cones.

Chapter: convexity.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from companion.plots import INK
from companion.plots.convexity.graphs import panels
from companion.plots.qp import BLUE, GREY, RED

Array = np.ndarray


def _bare(axes: Any) -> None:
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _fill(axes: Any, corners: Array, colour: str, *, alpha: float, edge: bool) -> None:
    rim = colour if edge else "none"
    axes.add_patch(Polygon(corners, facecolor="none", edgecolor=rim, linewidth=1.8))
    axes.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="none"))


def _arrow(axes: Any, start: Array, end: Array, colour: str) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "shrinkA": 0,
             "shrinkB": 0, "mutation_scale": 16}  # fmt: skip
    axes.annotate("", end, start, arrowprops=style)


def _name(axes: Any, at: Array, text: str, colour: str, shift: tuple[int, int]) -> None:
    axes.annotate(
        text, at, xytext=shift, textcoords="offset points", color=colour, fontsize=12
    )


def _sector(at: Array, arrows: Array) -> Array:
    """The corners of the sector between two arrows of one length."""
    turn = np.linspace(0, 1, 17)[:, None]
    between = (1 - turn) * arrows[0] + turn * arrows[1]
    sizes = np.linalg.norm(between, axis=1, keepdims=True)
    reach = np.linalg.norm(arrows[0])
    arc = between * (reach / sizes) if sizes.all() else between
    return np.vstack([at, at + arc, at])


def segments(shapes: Mapping[str, tuple[Sequence[Array], Array, Array]]) -> Figure:
    """Named shapes, each with a segment: its points, and which of them are inside."""
    figure, places = panels(len(shapes), (5.6, 2.2))
    for axes, (name, (parts, points, inside)) in zip(
        places, shapes.items(), strict=True
    ):
        for corners in parts:
            _fill(axes, corners, BLUE, alpha=0.3, edge=True)
        axes.plot(*points.T, color=GREY, linewidth=2)
        out = np.where(inside[:, None], np.nan, points)
        axes.plot(*out.T, color=RED, linewidth=3)
        axes.plot(*points[[0, -1]].T, "o", color=GREY)
        axes.set_title(name, fontsize=11)
        _bare(axes)
    return figure


def nearest(shapes: Mapping[str, tuple[Array, Array, Array]]) -> Figure:
    """Named shapes, each with two points (blue, red) and arrows to the nearest ones."""
    figure, places = panels(len(shapes), (5.6, 2.9))
    for axes, (name, (corners, points, found)) in zip(
        places, shapes.items(), strict=True
    ):
        _fill(axes, corners, GREY, alpha=0.3, edge=True)
        for point, near, colour in zip(points, found, (BLUE, RED), strict=True):
            axes.plot(*point, "o", color=colour, markersize=7)
            _arrow(axes, point, near, colour)
            axes.plot(*near, "s", color=colour, markersize=7)
        axes.set_title(name, fontsize=11)
        _bare(axes)
    return figure


def normals(
    corners: Array,
    wedges: Sequence[tuple[str, Array, Array]],
    points: Array,
    found: Array,
) -> Figure:
    """A polygon, named cones of normals (place, two arrows), and rays of projection."""
    figure, (axes,) = panels(1, (5.6, 4.3))
    _fill(axes, corners, BLUE, alpha=0.3, edge=True)
    for name, at, arrows in wedges:
        _fill(axes, _sector(at, arrows), RED, alpha=0.22, edge=False)
        for arrow in arrows:
            axes.plot(*np.array([at, at + arrow]).T, color=RED, linewidth=2)
        axes.plot(*at, "o", color=RED, markersize=7)
        _name(axes, at + arrows[0], name, RED, (8, -4))
    for point, near in zip(points, found, strict=True):
        axes.plot(*point, "o", color=GREY, markersize=6)
        _arrow(axes, point, near, GREY)
    axes.autoscale_view()
    axes.margins(0.03)
    _bare(axes)
    return figure


def split(cone: Array, polar: Array, cases: Array) -> Figure:
    """A cone, its polar, and for each case v, p and r the two arrows that add to v."""
    figure, places = panels(len(cases), (5.6, 3.0))
    reach = 1.25 * np.abs(cases).max()
    for axes, (v, p, r) in zip(places, cases, strict=True):
        for rays, colour, name in ((cone, BLUE, "K"), (polar, RED, "K°")):
            tips = 3 * reach * rays
            _fill(axes, np.array([[0, 0], *tips]), colour, alpha=0.25, edge=False)
            middle = rays.sum(0) / np.linalg.norm(rays.sum(0))
            axes.text(
                *(0.85 * reach * middle), name, color=colour, fontsize=13, ha="center"
            )
        for part, colour in ((p, BLUE), (r, RED)):
            if part.any():
                _arrow(axes, np.zeros(2), part, colour)
            axes.plot(*np.array([v, part]).T, ":", color=GREY, linewidth=1.5)
        axes.plot(*v, "o", color=INK, markersize=7)
        for tip, name, colour in ((v, "v", INK), (p, "p", BLUE), (r, "r", RED)):
            _name(axes, tip, name, colour, (7, 4))
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        _bare(axes)
    return figure


def displacements(clouds: Mapping[str, Array]) -> Figure:
    """Moves of nearest points, turned and scaled so that v - w is the arrow (1, 0)."""
    figure, (axes,) = panels(1, (5.4, 4.0))
    axes.add_patch(Circle((0.5, 0), 0.5, facecolor=BLUE, alpha=0.15, edgecolor="none"))
    axes.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=GREY, linestyle="--"))
    for (name, cloud), colour, layer in zip(
        clouds.items(), (BLUE, RED), (3, 2), strict=True
    ):
        axes.plot(*cloud.T, ".", color=colour, markersize=5, label=name, zorder=layer)
    _arrow(axes, np.zeros(2), np.array([1.0, 0]), INK)
    _name(axes, np.array([1.0, 0]), "v - w", INK, (6, -4))
    axes.legend(frameon=False, loc="upper right", fontsize=11, markerscale=2)
    axes.set(xlim=(-1.1, 3.2), ylim=(-1.6, 1.6))
    _bare(axes)
    return figure


def orbit(
    corners: Array,
    points: Array,
    found: Array,
    wedges: Sequence[Array],
    names: list[str],
) -> go.Figure:
    """A slider moves v around a polygon; frames show p, its ray and its normals."""
    ring = np.vstack([corners, corners[:1]])
    fixed = [
        go.Scatter(x=ring[:, 0], y=ring[:, 1], fill="toself", mode="lines",
                   line={"color": BLUE}, hoverinfo="skip"),
        go.Scatter(x=points[:, 0], y=points[:, 1], mode="lines", hoverinfo="skip",
                   line={"color": GREY, "dash": "dot", "width": 1}),
    ]  # fmt: skip
    frames = [
        go.Frame(data=_moving(v, p, wedge), name=str(i), traces=[2, 3])
        for i, (v, p, wedge) in enumerate(zip(points, found, wedges, strict=True))
    ]
    instant = {"duration": 0}
    steps = [
        {
            "label": name,
            "value": frame.name,  # unique, as Plotly finds the step by it
            "method": "animate",
            "args": [
                [frame.name],
                {"mode": "immediate", "frame": instant, "transition": instant},
            ],
        }
        for frame, name in zip(frames, names, strict=True)
    ]
    figure = go.Figure(
        data=[*fixed, *_moving(points[0], found[0], wedges[0])], frames=frames
    )
    blank = "rgba(0,0,0,0)"
    figure.update_layout(
        sliders=[{"steps": steps, "ticklen": 0, "font": {"color": blank},
                  "currentvalue": {"prefix": "", "font": {"color": INK}}}],
        paper_bgcolor=blank, plot_bgcolor=blank, font={"color": INK},
        showlegend=False, height=430, margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"visible": False, "range": [-2.4, 5.8]},
        yaxis={"visible": False, "scaleanchor": "x", "range": [-2.2, 4.8]},
    )  # fmt: skip
    return figure


def _moving(v: Array, p: Array, wedge: Array) -> list[Any]:
    cone = _sector(p, wedge)
    ray = np.array([v, p])
    return [
        go.Scatter(x=cone[:, 0], y=cone[:, 1], fill="toself", mode="lines",
                   line={"color": RED, "width": 2}, hoverinfo="skip"),
        go.Scatter(x=ray[:, 0], y=ray[:, 1], mode="lines+markers+text",
                   text=["v", "p"], textposition="top center",
                   line={"color": GREY, "width": 3}, marker={"size": 10}),
    ]  # fmt: skip
