"""Figures of the chapter on cones and the projections onto them.

Chapter: cones.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp import BLUE, GREY, RED

OCHRE, TEAL = "#b7791f", "#2a8f7a"  # contrast ≥ 3 on white and on black
CYCLE = ((BLUE, "-"), (RED, "--"), (TEAL, "-."), (OCHRE, ":"))
PIECES = ((RED, "polar: 0"), (GREY, "between"), (BLUE, "inside"), (OCHRE, "face"))

Array = np.ndarray
Surface = tuple[Array, Array, Array]
Section = tuple[Array, Array, Array, tuple[str, str]]  # a, b, values, names


def bodies(surfaces: Mapping[str, Sequence[Surface]], names: Sequence[str]) -> Figure:
    """The boundaries of cones in space, with the names of the axes of each."""
    figure = Figure(figsize=(7, 6.4))
    for place, (title, sheets) in enumerate(surfaces.items()):
        axes: Any = figure.add_subplot(2, 2, place + 1, projection="3d")
        for sheet in sheets:
            axes.plot_surface(*sheet, color=BLUE, alpha=0.35, linewidth=0, shade=True)
            axes.plot_wireframe(*sheet, color=BLUE, linewidth=0.4, rcount=7, ccount=9)
        axes.set_title(title, fontsize=11, color=INK)
        x, y, z = names[place].split()
        axes.set(xlabel=x, ylabel=y, zlabel=z, xticks=[], yticks=[], zticks=[])
        axes.xaxis.labelpad = axes.yaxis.labelpad = axes.zaxis.labelpad = -12
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_pane_color((0, 0, 0, 0))
            axis.label.set_color(INK)
            axis.line.set_color(INK)
        axes.view_init(elev=18, azim=-58)
        axes.set_box_aspect((1, 1, 0.9), zoom=1.08)
    figure.subplots_adjust(0.0, 0.02, 0.97, 0.95, 0.02, 0.08)
    return figure


def _grid(count: int) -> tuple[Figure, Any]:
    rows = (count + 1) // 2
    figure = Figure(figsize=(6.4, 3.0 * rows), layout="constrained")
    return figure, np.ravel(figure.subplots(rows, 2))


def sections(
    planes: Mapping[str, Section], arrows: Mapping[str, tuple[Array, Array]]
) -> Figure:
    """Every section coloured by the piece, with arrows from points to projections."""
    figure, grid = _grid(len(planes))
    colours = ListedColormap([colour for colour, _ in PIECES])
    for axes, (title, (a, b, codes, names)) in zip(grid, planes.items(), strict=True):
        axes.pcolormesh(
            a, b, codes, cmap=colours, vmin=-0.5, vmax=3.5, alpha=0.3, rasterized=True
        )
        for start, end in zip(*arrows[title], strict=True):
            if np.hypot(*(end - start)) > 1e-9:
                style = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", end, start, arrowprops=style)
            axes.plot(*start, "o", color=INK, markersize=3)
        _name(axes, title, names, (a, b))
    _legend(grid[0], PIECES)
    return figure


def _legend(axes: Any, entries: Sequence[tuple[str, str]]) -> None:
    for colour, text in entries:
        axes.plot([], [], "s", color=colour, alpha=0.5, label=text)
    axes.figure.legend(
        loc="outside lower center", ncols=len(entries), frameon=False, labelcolor=INK
    )


def _name(
    axes: Any, title: str, names: tuple[str, str], span: tuple[Array, Array]
) -> None:
    axes.set_title(title, fontsize=11, color=INK)
    axes.set(xlim=span[0][[0, -1]], ylim=span[1][[0, -1]], aspect="equal")
    axes.set_xlabel(names[0], labelpad=1)
    axes.set_ylabel(names[1], labelpad=1)
    axes.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])


def fields(planes: Mapping[str, Section], sizes: Mapping[str, int]) -> Figure:
    """The trace of the derivative over every section, from 0 to the dimension."""
    figure, grid = _grid(len(planes))
    for axes, (title, (a, b, kept, names)) in zip(grid, planes.items(), strict=True):
        size = sizes[title]
        axes.pcolormesh(
            a, b, kept / size, cmap="viridis", vmin=0, vmax=1, rasterized=True
        )
        axes.contour(
            a, b, kept, np.arange(1, 10) * size / 10, colors="white", linewidths=0.5
        )
        _name(axes, title, names, (a, b))
    scale = ScalarMappable(Normalize(0, 1), "viridis")
    bar = figure.colorbar(scale, ax=grid, location="bottom", shrink=0.6, aspect=30)
    bar.set_label("trace of DΠ over the dimension")
    return figure


def curves(
    lines: Mapping[str, tuple[Array, Array]],
    names: tuple[str, str],
    *,
    scales: tuple[str, str] = ("linear", "linear"),
) -> Figure:
    """Named curves over one axis, each told apart by colour and dash."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    for (colour, dash), (name, (x, y)) in zip(CYCLE, lines.items(), strict=False):
        axes.plot(x, y, dash, color=colour, linewidth=2.2, label=name)
    axes.set(xlabel=names[0], ylabel=names[1], xscale=scales[0], yscale=scales[1])
    axes.legend(frameon=False)
    return figure
