"""Figures of the denoising chapter.

Chapter: denoising.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

BLUE, RED, GREY = "#3b78c4", "#c44e3b", "#8a8a8a"  # contrast ≥ 3 on white and on black

Array = np.ndarray


def _axes(
    width: float = 7.0, height: float = 3.0, columns: int = 1
) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def signals(x: Array, noisy: Array, curves: Mapping[str, Array], labels: str) -> Figure:
    """Noisy samples as dots and named curves over them; labels is "x|y"."""
    figure, axes = _axes()
    axes.plot(x, noisy, ".", color=GREY, markersize=4, label="noisy")
    styles = ((RED, "-"), (BLUE, "-"), (GREY, "--"))
    for (name, values), (color, line) in zip(curves.items(), styles, strict=False):
        axes.plot(x, values, line, color=color, linewidth=1.6, label=name)
    across, up = labels.split("|")
    axes.set(xlabel=across, ylabel=up)
    axes.legend(frameon=False)
    return figure


def tube(y: Array, z: Array, strength: float) -> Figure:
    """The running sum of z inside the tube of radius λ about the running sum of y."""
    figure, axes = _axes()
    trend = np.linspace(
        0, np.sum(y), len(y) + 1
    )  # removed, so that the tube is visible
    centre, string = (np.concatenate([[0], np.cumsum(v)]) - trend for v in (y, z))
    index = np.arange(len(centre))
    radius = np.full(len(centre), strength)
    radius[[0, -1]] = 0
    axes.fill_between(index, centre - radius, centre + radius, color=BLUE, alpha=0.3)
    axes.plot(index, string, color=RED, label="running sum of z")
    axes.set(xlabel="samples summed", ylabel="running sum minus its trend")
    axes.legend(frameon=False)
    return figure


def strength_curve(
    strengths: Array, errors: Array, marks: Mapping[str, tuple[float, float]]
) -> Figure:
    """Held-out error against the strength, with named points."""
    figure, axes = _axes()
    axes.semilogx(strengths, errors, "o-", color=BLUE, label="total variation")
    for (name, (at, error)), sign in zip(marks.items(), "sD^", strict=False):
        axes.plot([at], [error], sign, color=RED, markersize=8, label=name)
    axes.set(xlabel="strength λ", ylabel="held-out mean squared error")
    axes.legend(frameon=False)
    return figure


def training(histories: Mapping[str, Sequence[float]]) -> Figure:
    """Held-out errors by epoch, one line a run."""
    figure, axes = _axes()
    for (name, values), color in zip(
        histories.items(), (BLUE, RED, GREY), strict=False
    ):
        axes.plot(range(len(values)), values, "o-", color=color, label=name)
    axes.set(xlabel="epoch", ylabel="held-out mean squared error")
    axes.legend(frameon=False)
    return figure


def operators(before: Array, after: Array) -> Figure:
    """Two operators as images on one colour scale."""
    figure, axes = _axes(columns=2)
    reach = max(np.abs(before).max(), np.abs(after).max())
    panels = zip(axes, (before, after), ("start", "learned"), strict=True)
    images = []
    for place, matrix, name in panels:
        images.append(place.imshow(matrix, cmap="RdBu", vmin=-reach, vmax=reach))
        place.set(title=name, xlabel="column", ylabel="row")
    figure.colorbar(images[0], ax=list(axes), shrink=0.8)
    return figure


def strength_slider(
    x: Array, y: Array, strengths: Array, paths: Array, labels: str
) -> Any:
    """Plotly figure: the data, and one solution a strength behind a slider."""
    import plotly.graph_objects as go  # noqa: PLC0415 - only the book needs it

    across, up = labels.split("|")
    start = len(strengths) // 2
    dots = go.Scatter(x=x, y=y, mode="markers", name="data", marker={"color": GREY})
    lines = [
        go.Scatter(
            x=x, y=z, name=f"λ = {s:.3g}", visible=i == start, line={"color": RED}
        )
        for i, (s, z) in enumerate(zip(strengths, paths, strict=True))
    ]
    steps = [
        {
            "method": "update",
            "label": f"{s:.3g}",
            "args": [{"visible": [True, *(j == i for j in range(len(lines)))]}],
        }
        for i, s in enumerate(strengths)
    ]
    figure = go.Figure([dots, *lines])
    figure.update_layout(
        sliders=[{"steps": steps, "active": start, "currentvalue": {"prefix": "λ = "}}],
        xaxis_title=across,
        yaxis_title=up,
        height=420,
        margin={"l": 50, "r": 20, "t": 30, "b": 40},
    )
    return figure
