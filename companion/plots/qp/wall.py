"""A wall that moves: the plane above, multiplier and Jacobian below.

Chapter: optnet.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from companion.plots.qp.palette import ACTIVE, BLUE, GREEN, GREY, RED, Array
from companion.problems import QP, QPSolution

REACH = 2.2  # half height of the plane that is drawn
TRACED = ("λ", "∂x₁/∂q₁", "∂x₂/∂q₂")


def moving_wall(
    problems: list[QP], sols: list[QPSolution], jacobians: Array
) -> go.Figure:
    """A slider moves the wall x₁ ≤ h of problems that differ in h alone.

    Above: level sets, wall and solution.  Below: the multiplier and two entries of
    the Jacobian dx/dq over h, with a mark at the wall that is shown above.
    """
    walls = np.array([p.h[0] for p in problems])
    lam = np.array([s.lam[0] for s in sols])
    lines = np.stack([lam, jacobians[:, 0, 0], jacobians[:, 1, 1]])
    path = np.stack([s.x for s in sols])
    start = len(walls) // 3
    moving = [
        _moving(walls[k], path[k], lam[k], lines[:, k]) for k in range(len(walls))
    ]
    still = [_levels(problems[0]), _path(path), *_over(walls, lines)]
    where = list(range(len(still), len(still) + len(moving[0])))
    frames = [
        go.Frame(data=traces, name=f"{w:.2f}", traces=where)
        for w, traces in zip(walls, moving, strict=True)
    ]
    figure = go.Figure(data=[*still, *moving[start]], frames=frames)
    figure.update_layout(sliders=[_slider(frames, start)], **_layout())
    return figure


def _levels(problem: QP) -> go.Contour:
    x, y = np.linspace(-1.9 * REACH, 1.9 * REACH, 77), np.linspace(-REACH, REACH, 41)
    X = np.stack(np.meshgrid(x, y), -1)
    values = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    return go.Contour(
        x=x, y=y, z=values, ncontours=18, contours_coloring="lines",
        colorscale=[[0, GREY], [1, GREY]],
        line={"width": 0.8}, hoverinfo="skip", showscale=False,
        showlegend=False,
    )  # fmt: skip


def _path(path: Array) -> go.Scatter:
    return go.Scatter(
        x=path[:, 0], y=path[:, 1], mode="lines", hoverinfo="skip", showlegend=False,
        line={"color": BLUE, "width": 2, "dash": "dot"},
    )  # fmt: skip


def _over(walls: Array, lines: Array) -> list[go.Scatter]:
    """The three quantities over the position of the wall."""
    styles = (
        {"color": RED, "dash": "solid"},
        {"color": BLUE, "dash": "dash", "shape": "hvh"},
        {"color": GREEN, "dash": "dashdot", "shape": "hvh"},
    )  # the Jacobian jumps between two positions of the wall
    return [
        go.Scatter(
            x=walls, y=values, name=name, mode="lines", xaxis="x2", yaxis="y2",
            line=style | {"width": 2},
        )
        for values, name, style in zip(lines, TRACED, styles, strict=True)
    ]  # fmt: skip


def _moving(wall: float, x: Array, lam: float, now: Array) -> list[go.Scatter]:
    """What a frame redraws: forbidden side, wall, solution, and the marks below."""
    colour = RED if lam > ACTIVE else GREY
    box = {"x": [wall, 9, 9, wall], "y": [-9, -9, 9, 9]}
    edge = {"x": [wall, wall], "y": [-9, 9]}
    tint = "rgba(196,78,59,0.18)" if lam > ACTIVE else "rgba(138,138,138,0.18)"
    quiet: dict[str, Any] = {"hoverinfo": "skip", "showlegend": False}
    dot = {"size": 13, "color": colour}
    return [
        go.Scatter(**box, fill="toself", fillcolor=tint, mode="none", **quiet),
        go.Scatter(**edge, mode="lines", line={"color": colour, "width": 3}, **quiet),
        go.Scatter(x=[x[0]], y=[x[1]], mode="markers", marker=dot, **quiet),
        go.Scatter(
            x=3 * [wall], y=now, mode="markers", marker={"size": 9, "color": GREY},
            xaxis="x2", yaxis="y2", **quiet,
        ),
    ]  # fmt: skip


def _slider(frames: list[go.Frame], start: int) -> dict[str, Any]:
    args = {
        "mode": "immediate",
        "frame": {"duration": 0},
        "transition": {"duration": 0},
    }
    steps = [
        {"label": f.name, "method": "animate", "args": [[f.name], args]} for f in frames
    ]
    return {
        "steps": steps, "active": start, "pad": {"t": 52, "b": 0},
        "currentvalue": {"prefix": "wall at h = "},
    }  # fmt: skip


def _layout() -> dict[str, Any]:
    return {
        "height": 640,
        "margin": {"l": 56, "r": 14, "t": 10, "b": 10},
        "xaxis": {"title": "x₁", "range": [-REACH, REACH], "anchor": "y"},
        "yaxis": {
            "title": "x₂", "range": [-1.3, 1.3], "domain": [0.5, 1], "scaleanchor": "x",
        },
        "xaxis2": {"title": "position h of the wall", "anchor": "y2"},
        "yaxis2": {"title": "value", "domain": [0, 0.34]},
        "legend": {"orientation": "h", "y": 0.36, "yanchor": "bottom", "x": 0},
    }  # fmt: skip
