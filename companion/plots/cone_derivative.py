"""Figures of the chapter on the derivative of a cone program.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREEN, GREY, RED, panels

Array = np.ndarray
OCHRE = "#b3722f"  # contrast ≥ 3 on white and on black
STYLES = ((RED, "s--"), (BLUE, "o-"), (OCHRE, "^-."), (GREEN, "D:"))
FLOOR = 1e-17  # where a zero is drawn on a logarithmic scale


def accuracy(distance: Array, errors: Mapping[str, Array], adjoint: Array) -> Figure:
    """Errors of gradients, and the size of an adjoint, by accuracy of the solution."""
    figure, (left, right) = panels(2, 7.2, 3.4)
    for (name, error), (colour, style) in zip(errors.items(), STYLES, strict=False):
        left.loglog(distance, error, style, color=colour, markersize=4, label=name)
    left.set(xlabel="distance to the solution", ylabel="relative error of the gradient")
    left.legend(frameon=False, fontsize=9)
    right.loglog(distance, adjoint, STYLES[0][1], color=RED, markersize=4)
    right.set(xlabel="distance to the solution", ylabel="largest entry of the adjoint")
    for axes in (left, right):
        axes.invert_xaxis()
    return figure


def spectrum(values: Mapping[str, Array]) -> Figure:
    """Singular values of matrices, the largest first, on a logarithmic scale."""
    figure, (axes,) = panels(1, 6.4, 3.1)
    for (name, sizes), (colour, style) in zip(values.items(), STYLES, strict=False):
        shown = np.maximum(sizes, FLOOR)
        place = np.arange(1, len(sizes) + 1)
        axes.semilogy(place, shown, style, color=colour, markersize=7, label=name)
    axes.set(xlabel="number", ylabel="singular value")
    axes.legend(frameon=False)
    return figure


def least(x: Array, det: Array, distance: Array, values: Array) -> Figure:
    """A determinant beside a solution, and least singular values by distance to one."""
    figure, (left, right) = panels(2, 7.2, 3.1)
    left.axhline(0, color=GREY, linewidth=0.8)
    left.plot(x, det, color=BLUE, linewidth=2)
    left.plot([1], [0], "o", color=INK, markersize=7)
    left.set(xlabel="x", ylabel="det M")
    right.loglog(distance, values, "o-", color=BLUE, markersize=5)
    guide = values[0] * (distance / distance[0]) ** 2
    right.loglog(distance, 0.3 * guide, ":", color=INK, linewidth=1.4)
    middle = len(distance) // 2
    right.text(distance[middle], 0.1 * guide[middle], "  slope 2", color=INK, va="top")
    right.set(xlabel="distance to the solution", ylabel="least singular value of M")
    return figure


def edge(gap: Array, speed: Array, exact: Array) -> Figure:
    """Speed of a solution by distance to infeasibility, with its closed form dotted."""
    figure, (axes,) = panels(1, 5.8, 3.0)
    axes.loglog(gap, speed, "o", color=BLUE, markersize=6, label="derivative")
    axes.loglog(gap, exact, ":", color=INK, linewidth=1.6, label="closed form")
    axes.set(
        xlabel="distance of the wall from the edge", ylabel="‖dx‖ per unit of wall"
    )
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.invert_xaxis()
    axes.legend(frameon=False)
    return figure


def iterations(counts: Array, errors: Array, stopped: int, direct: float) -> Figure:
    """Error of a gradient by iterations of LSQR; where it stops; an elimination's."""
    figure, (axes,) = panels(1, 6.4, 3.3)
    axes.semilogy(counts, np.maximum(errors, FLOOR), color=RED, linewidth=2,
                  label="LSQR on M")  # fmt: skip
    axes.axhline(max(direct, FLOOR), color=BLUE, linewidth=2, linestyle="--",
                 label="elimination on M₁")  # fmt: skip
    here = errors[np.searchsorted(counts, stopped)]
    axes.plot([stopped], [here], "s", color=RED, markersize=9)
    axes.annotate("stops here", (stopped, here), (8, 8), color=RED,
                  textcoords="offset points")  # fmt: skip
    axes.set(xlabel="iterations", ylabel="relative error of the gradient")
    axes.legend(frameon=False, loc="center left")
    return figure


def refinement(runs: Mapping[str, Array]) -> Figure:
    """Residuals by Newton step, one run a line."""
    figure, (axes,) = panels(1, 6.2, 3.2)
    for (name, sizes), (colour, style) in zip(runs.items(), STYLES[1:], strict=False):
        shown = np.maximum(sizes, FLOOR)
        axes.semilogy(shown, style, color=colour, markersize=6, label=name)
    axes.set(xlabel="Newton step", ylabel="‖R(z)‖", xticks=range(6))
    axes.legend(frameon=False)
    return figure


def temperatures(tau: Array, errors: Mapping[str, Array]) -> Figure:
    """Errors of difference quotients by temperature."""
    figure, (axes,) = panels(1, 6.2, 3.2)
    for (name, error), (colour, style) in zip(errors.items(), STYLES, strict=False):
        axes.loglog(tau, error, style, color=colour, markersize=5, label=name)
    axes.set(xlabel="τ", ylabel="relative error")
    axes.invert_xaxis()
    axes.legend(frameon=False)
    return figure
