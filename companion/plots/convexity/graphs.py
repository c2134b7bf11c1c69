"""Functions of one variable: chords above, tangents below, wells and ramps.

Chapter: convexity.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp import BLUE, GREY, RED

Array = np.ndarray
Line = tuple[Array, Array]  # places and values


def panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    """A figure with a row of axes."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, count)))


def _open(axes: Any) -> None:
    """Leave the axes' lines at the left and at the bottom only."""
    axes.spines[["top", "right"]].set_visible(False)


def _along(axes: Any, line: Line, text: str, colour: str, *, above: bool) -> None:
    """A label in the middle of a straight line, turned with it."""
    (x0, x1), (y0, y1) = line
    lift = 0.02 * np.ptp(axes.get_ylim()) * (1 if above else -1)
    axes.text(
        (x0 + x1) / 2, (y0 + y1) / 2 + lift, text, color=colour, fontsize=12,
        ha="center", va="bottom" if above else "top", rotation_mode="anchor",
        rotation=float(np.degrees(np.arctan2(y1 - y0, x1 - x0))),
        transform_rotates_text=True,
    )  # fmt: skip


def chord_and_tangent(graph: Line, ends: Line, touch: Line, gaps: Line) -> Figure:
    """A graph under its chord and over its tangent, with both gaps as double arrows.

    `ends` are the two points of the chord, `touch` two points of the tangent, the first
    where it touches; `gaps` holds the place of each arrow and, row by row, its ends.
    """
    figure, (axes,) = panels(1, (5.4, 3.5))
    axes.fill_between(*graph, graph[1].max(), color=GREY, alpha=0.12, linewidth=0)
    axes.plot(*graph, color=INK, linewidth=2.2)
    axes.plot(*ends, "o-", color=BLUE, linewidth=2)
    line = np.polyfit(*touch, 1)
    axes.plot(graph[0], np.polyval(line, graph[0]), color=RED, linewidth=2)
    axes.plot(touch[0][0], touch[1][0], "o", color=RED)
    for place, heights, colour in zip(*gaps, (BLUE, RED), strict=True):
        axes.annotate(
            "",
            (place, heights[0]),
            (place, heights[1]),
            arrowprops={
                "arrowstyle": "<->",
                "color": colour,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
    axes.set_ylim(top=graph[1].max())
    _along(axes, ends, "chord", BLUE, above=True)
    _along(axes, touch, "tangent", RED, above=False)
    place = 0.9 * graph[0][0] + 0.1 * graph[0][-1]
    axes.text(place, 0.88 * graph[1].max(), "epigraph", color=INK, fontsize=12)
    axes.set(xlabel="x", xlim=(graph[0][0], graph[0][-1]))
    _open(axes)
    return figure


def chords(graphs: Mapping[str, tuple[Line, Line]]) -> Figure:
    """One panel for each named graph, with a chord: red where it runs below."""
    figure, places = panels(len(graphs), (5.6, 2.8))
    for axes, (name, (graph, ends)) in zip(places, graphs.items(), strict=True):
        height = np.interp(graph[0], *ends)
        inside = (graph[0] >= ends[0][0]) & (graph[0] <= ends[0][1])
        below = inside & (height < graph[1])
        axes.plot(*graph, color=INK, linewidth=2.2)
        colour = RED if below.any() else BLUE
        axes.fill_between(
            graph[0], graph[1], height, where=inside, color=colour, alpha=0.25
        )
        axes.plot(*ends, "o-", color=colour, linewidth=2)
        axes.set_title(name, fontsize=11)
        axes.set(xlabel="s")
        _open(axes)
    return figure


def wells(graphs: Mapping[str, tuple[Line, list[Line]]]) -> Figure:
    """One panel for each named graph, with the paths of descents as dots on it."""
    figure, places = panels(len(graphs), (5.6, 2.9))
    for axes, (name, (graph, paths)) in zip(places, graphs.items(), strict=True):
        axes.plot(*graph, color=INK, linewidth=2.2)
        for path, colour, size in zip(paths, (BLUE, RED), (13, 7), strict=False):
            axes.plot(*path, "o", color=colour, markersize=4)
            axes.plot(path[0][-1], path[1][-1], "o", color=colour, markersize=size)
        axes.set_title(name, fontsize=11)
        axes.set(xlabel="x")
        _open(axes)
    return figure


def ramps(across: Array, answers: Mapping[str, Array]) -> Figure:
    """Named answers to a linear datum q; the last one jumps, and is drawn in red."""
    figure, (axes,) = panels(1, (5.4, 2.9))
    *smooth, (name, values) = answers.items()
    cut = int(np.argmax(np.abs(np.diff(values)))) + 1
    for part in (slice(0, cut), slice(cut, None)):
        axes.plot(across[part], values[part], color=RED, linewidth=2)
    _over(axes, (across[cut], values.max()), name, RED, (24, -4))
    alphas = np.linspace(0.5, 1, len(smooth))
    for (name, values), alpha in zip(smooth, alphas, strict=True):
        axes.plot(across, values, color=BLUE, alpha=alpha, linewidth=2)
        last = int(np.flatnonzero(values == values.max())[-1])
        _over(axes, (across[last], values.max()), name, BLUE)
    axes.set_ylim(top=1.2 * answers[name].max())
    axes.set(xlabel="q", ylabel="minimizer x(q)")
    _open(axes)
    return figure


def _over(
    axes: Any, at: tuple[float, float], text: str, colour: str, shift=(0, 6)
) -> None:
    axes.annotate(text, at, xytext=shift, textcoords="offset points", color=colour,
                  fontsize=12, ha="center")  # fmt: skip
