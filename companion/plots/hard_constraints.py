"""Figures of the first chapter: springs, kinks, activations, and a network that leaks.

Chapter: hard-constraints.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from companion.plots.qp import BLUE, GREY, RED
from companion.problems import QP

Array = np.ndarray
GREEN = "#3f8f5f"  # contrast ≥ 3 on white and on black
SHORT = 0.02  # a force below this length is not drawn


def _axes(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def _note(axes: Any, text: str, at: tuple[Any, Any], color: str, **more: Any) -> None:
    """A direct label in the colour of what it names."""
    settings = {"fontsize": 9, "ha": "left", "va": "center"} | more
    axes.text(*at, text, color=color, **settings)


def _arrow(axes: Any, start: Array, end: Array, color: str) -> None:
    if np.linalg.norm(np.subtract(end, start)) < SHORT:
        return
    props = {"arrowstyle": "-|>", "color": color, "linewidth": 2, "mutation_scale": 14}
    axes.annotate("", end, start, arrowprops=props)


# ------------------------------------------------------------ soft against hard
def soft_and_hard(
    weights: Array,
    breaches: Mapping[str, Array],
    errors: Mapping[str, Array],
    layer: tuple[float, float],
) -> Figure:
    """Held-out breaches and errors against the penalty's weight, in MW.

    `breaches` maps a quantile's name to one value a weight, the least first; `layer`
    is the layer's largest breach and its error.
    """
    figure, (left, right) = _axes(6.8, 3.5, 2)
    place = np.arange(len(weights))
    low, middle, high = breaches.values()
    left.fill_between(place, low, high, color=RED, alpha=0.18, linewidth=0)
    left.plot(place, middle, "o-", color=RED, linewidth=2, markersize=4)
    left.axhline(layer[0], color=BLUE, linewidth=2)
    left.set(yscale="log", ylim=(1e-15, 1e3), ylabel="rule broken by (MW)")
    _note(left, "with a penalty", (place[-1], middle[-1] / 60), RED, ha="right")
    first, *_, last = breaches
    span = f"band: {first} to {last}"
    _note(left, span, (place[-1], middle[-1] / 1500), RED, ha="right", fontsize=8)
    _note(left, "layer, worst hour", (0, layer[0] * 12), BLUE)
    for (name, values), (color, dash) in zip(
        errors.items(), ((RED, "o-"), (GREY, "s--")), strict=True
    ):
        right.plot(place, values, dash, color=color, linewidth=2, markersize=4)
        side = 0.35 if color == RED else -0.45
        _note(right, name, (place[1], values[1] + side), color, ha="left")
    right.axhline(layer[1], color=BLUE, linewidth=2)
    _note(right, "layer", (0, layer[1] + 0.3), BLUE)
    right.set(ylabel="error of a power (MW)")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xticks(place, [f"{w:g}" for w in weights])
        axes.set_xlabel("weight of the penalty")
    return figure


def imbalances(found: Mapping[str, Array], reach: float) -> Figure:
    """Histograms of delivered minus demanded power, one below another."""
    figure = Figure(figsize=(6.8, 3.4), layout="constrained")
    rows = figure.subplots(len(found), 1, sharex=True)
    bins = np.linspace(-reach, reach, 62)
    colors = (RED, RED, BLUE)
    for axes, (name, values), color in zip(rows, found.items(), colors, strict=False):
        axes.hist(np.clip(values, -reach, reach), bins, color=color, alpha=0.85)
        axes.set_yticks([])
        axes.spines[["left", "right", "top"]].set_visible(False)
        _note(axes, name, (0.01, 0.8), color, transform=axes.transAxes)
    rows[-1].set(xlabel="delivered minus demanded (MW)", xlim=(-reach, reach))
    return figure


# --------------------------------------------------------------------- springs
def _levels(axes: Any, problem: QP, rho: float, span: tuple[Array, Array]) -> None:
    across, up = span
    X = np.stack(np.meshgrid(across, up), -1)
    value = np.einsum("abi,ij,abj->ab", X, problem.P, X) / 2 + X @ problem.q
    value = value + rho / 2 * ((X @ problem.A.T - problem.b) ** 2).sum(-1)
    spread = value.min() + np.linspace(0.15, 2.6, 9) ** 2
    axes.contour(
        across, up, value, spread, colors=GREY, linewidths=0.7, linestyles="solid"
    )


def _line(axes: Any, problem: QP, span: tuple[Array, Array]) -> None:
    (a, c), (b,) = problem.A[0], problem.b
    axes.plot(span[0], (b - a * span[0]) / c, color=BLUE, linewidth=2.2)
    axes.set(xlim=span[0][[0, -1]], ylim=span[1][[0, -1]], aspect="equal")


def spring(problem: QP, solution: Array, weights: Array, path: Array) -> Figure:
    """The plane of a QP with one equality, and penalized minimizers on their way.

    At each of them the pull of the objective and the push of the penalty balance.
    """
    figure, axes = _axes(5.6, 4.6)
    span = np.linspace(-0.6, 2.7, 120), np.linspace(-0.5, 2.3, 120)
    _levels(axes, problem, 0.0, span)
    _line(axes, problem, span)
    axes.plot(*np.vstack([path, solution]).T, ":", color=GREY, linewidth=1.5)
    axes.plot(*path.T, "o", color=GREY, markersize=6)
    for rho, x in zip(weights, path, strict=True):
        push = -rho * problem.A.T @ (problem.A @ x - problem.b)
        _arrow(axes, x, x + 0.3 * push, BLUE)
        _arrow(axes, x, x - 0.3 * push, RED)
        _note(axes, f"ρ = {rho:g}", (x[0] + 0.1, x[1] - 0.03), GREY)
    inside = {"transform": axes.transAxes, "fontsize": 10}
    _note(axes, "red: the objective pulls", (0.03, 0.16), RED, **inside)
    _note(axes, "blue: the penalty pushes", (0.03, 0.09), BLUE, **inside)
    axes.plot(*solution, "o", color=BLUE, markersize=8)
    _note(axes, "x*", (solution[0] + 0.08, solution[1]), BLUE, fontsize=11)
    _note(axes, "Ax = b", (0.2, 1.3), BLUE, fontsize=10)
    axes.set(xlabel="x₁", ylabel="x₂")
    return figure


def valleys(problem: QP, weights: Array, walks: Sequence[Array]) -> Figure:
    """Level sets of the penalized objective with a walk of gradient steps on each."""
    figure, columns = _axes(6.8, 2.6, len(weights))
    span = np.linspace(-0.6, 2.7, 160), np.linspace(-0.5, 2.3, 160)
    for axes, rho, walk in zip(columns, weights, walks, strict=True):
        _levels(axes, problem, rho, span)
        _line(axes, problem, span)
        axes.plot(*walk.T, ".-", color=RED, markersize=4, linewidth=1)
        axes.plot(*walk[-1], "o", color=RED, markersize=7)
        axes.set(title=f"ρ = {rho:g}", xticks=[], yticks=[])
    return figure


def stiffness(weights: Array, found: Mapping[str, Array]) -> Figure:
    """Named quantities against the weight, all axes logarithmic."""
    figure, axes = _axes(6.2, 3.2)
    for (name, values), color in zip(found.items(), (RED, BLUE, GREY), strict=False):
        axes.plot(weights, values, color=color, linewidth=2)
        rises = values[-1] > values[0]
        place = int(0.62 * len(weights))
        shift = 3.0 if rises else 4.0
        at = (weights[place], values[place] * (1 / shift if rises else shift))
        _note(axes, name, at, color)
    axes.set(xscale="log", yscale="log", xlabel="weight ρ")
    return figure


def spring_slider(problem: QP, weights: Array, path: Array) -> go.Figure:
    """Plotly figure: the penalized minimizer, and one level set, behind a slider."""
    turn = np.linspace(0, 2 * np.pi, 90)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    line = np.array([-0.6, 2.7])
    (a, c), (b,) = problem.A[0], problem.b
    wall = go.Scatter(
        x=line, y=(b - a * line) / c, mode="lines", name="Ax = b", line={"color": BLUE}
    )
    start, traces = len(weights) // 3, [wall]
    for i, (rho, x) in enumerate(zip(weights, path, strict=True)):
        H = problem.P + rho * problem.A.T @ problem.A
        ring = x[:, None] + np.linalg.solve(np.linalg.cholesky(H).T, circle)
        seen = {"visible": i == start, "name": f"ρ = {rho:.3g}"}
        traces.append(go.Scatter(x=ring[0], y=ring[1], line={"color": GREY}, **seen))
        mark = {"color": RED, "size": 11}
        traces.append(go.Scatter(x=x[:1], y=x[1:], mode="markers", marker=mark, **seen))
    steps = [
        {
            "method": "update",
            "label": f"{rho:.3g}",
            "args": [{"visible": [True, *(j // 2 == i for j in range(2 * len(path)))]}],
        }
        for i, rho in enumerate(weights)
    ]
    figure = go.Figure(traces)
    blank = "rgba(0,0,0,0)"
    figure.update_layout(
        sliders=[{"steps": steps, "active": start, "currentvalue": {"prefix": "ρ = "}}],
        paper_bgcolor=blank,
        plot_bgcolor=blank,
        font={"color": "#7c7c7c"},
        xaxis={"range": [-0.6, 2.7], "title": "x₁"},
        yaxis={"range": [-0.5, 2.3], "title": "x₂", "scaleanchor": "x"},
        showlegend=False,
        height=440,
        margin={"l": 50, "r": 20, "t": 20, "b": 40},
    )
    return figure


def kinks(
    x: Array, families: Mapping[str, Mapping[str, Array]], target: float
) -> Figure:
    """Panels of named curves with their lowest points, and a line at the target."""
    figure, columns = _axes(6.8, 3.2, len(families))
    for axes, (title, curves) in zip(columns, families.items(), strict=True):
        axes.axvline(target, color=BLUE, linewidth=2, alpha=0.6)
        for (name, values), color in zip(
            curves.items(), (GREY, RED, GREEN), strict=True
        ):
            low = int(values.argmin())
            axes.plot(x, values, color=color, linewidth=1.8)
            axes.plot(x[low], values[low], "o", color=color, markersize=7)
            _note(axes, f"{name} ", (x[0], values[0]), color, ha="right", fontsize=9)
        axes.set(title=title, xlabel="x", yticks=[])
        axes.margins(x=0.2)
    return figure


# ----------------------------------------------------------------- activations
def argmins(panels: Mapping[str, tuple[Array, Mapping[str, Array]]]) -> Figure:
    """For each activation the objective over y, one curve an input, lowest points."""
    figure, columns = _axes(6.8, 3.2, len(panels))
    for axes, (title, (y, curves)) in zip(columns, panels.items(), strict=True):
        bottoms = []
        for (name, values), color in zip(
            curves.items(), (BLUE, GREY, RED), strict=True
        ):
            low = int(np.argmin(values))
            bottoms.append((y[low], values[low]))
            axes.plot(y, values, color=color, linewidth=2)
            axes.plot(*bottoms[-1], "o", color=color, markersize=8, zorder=3)
            _note(axes, f" {name}", (y[-1], values[-1]), color, fontsize=9)
        axes.axvspan(y[0] - 0.3 * np.ptp(y), y[0], color=GREY, alpha=0.25, linewidth=0)
        axes.set(title=title, xlabel="y", yticks=[])
        axes.set_xlim(y[0] - 0.12 * np.ptp(y), y[-1] + 0.24 * np.ptp(y))
    return figure


CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])


def triangle(panels: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Points of the plane Σx = 1 and their images on the simplex, joined by lines.

    The colour of a point is the number of entries above zero of its image.
    """
    figure, columns = _axes(6.8, 3.5, len(panels))
    colors = np.array([RED, GREEN, BLUE])
    for axes, (title, (points, images)) in zip(columns, panels.items(), strict=True):
        flat, ends = points @ CORNERS, images @ CORNERS
        sizes = (images > 0).sum(-1)
        for start, end, size in zip(flat, ends, sizes, strict=True):
            axes.plot(*np.stack([start, end]).T, color=colors[size - 1], linewidth=0.6)
        axes.scatter(*flat.T, s=5, color=colors[sizes - 1], alpha=0.5, linewidth=0)
        axes.scatter(*ends.T, s=14, color=colors[sizes - 1], linewidth=0, zorder=3)
        axes.plot(*CORNERS[[0, 1, 2, 0]].T, color=GREY, linewidth=1.5)
        axes.set(title=title, aspect="equal")
        axes.axis("off")
        for k in sorted(set(sizes)):
            text = f"{k} of 3 entries positive"
            at = (-0.05, 1.0 - 0.07 * k)
            _note(
                axes, text, at, str(colors[k - 1]), transform=axes.transAxes, fontsize=8
            )
    return figure
