"""Figures of the chapter on routes to a derivative.

Chapter: differentiation-routes.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREEN, GREY, RED, panels

OCHRE, PURPLE = "#b3722f", "#8f5fb0"  # contrast ≥ 3 on white and on black
COLOURS = {
    "active_set": BLUE,
    "full_kkt": INK,
    "unrolled": RED,
    "alternating": OCHRE,
    "perturbed": GREEN,
    "smoothed": PURPLE,
}
MARKS = dict(zip(COLOURS, "osv^DP", strict=True))

Array = np.ndarray


def shown(route: str) -> str:
    """The name of a route, as words."""
    return route.replace("_", " ")


def answers(values: Mapping[str, float | None], true: float) -> Figure:
    """One number by route, on a line each; None is an answer that was refused."""
    figure, (axes,) = panels(1, 6.4, 2.9)
    axes.axvline(true, color=GREY, linewidth=1.4, linestyle="--")
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, (route, value) in enumerate(list(values.items())[::-1]):
        if value is None:
            axes.text(true, place, "  refused", color=INK, va="center", fontsize=10)
            continue
        colour, mark = (table[route.split(",")[0]] for table in (COLOURS, MARKS))
        axes.plot([true, value], [place, place], color=colour, linewidth=2.5)
        axes.plot([value], [place], mark, color=colour, markersize=9)
        axes.annotate(
            f"{value:.4f}", (value, place), xytext=(9, 0), va="center",
            textcoords="offset points", color=colour, fontsize=10,
        )  # fmt: skip
    axes.set_yticks(range(len(values)), [shown(v) for v in list(values)[::-1]])
    axes.set(xlabel="derivative of the loss", ylim=(-0.6, len(values) - 0.4))
    known = [v for v in values.values() if v is not None]
    axes.set_xlim(min(known) - 0.12, max(*known, 0) + 0.25)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    return figure


def lag(
    steps: Array, errors: Mapping[str, Array], guide: tuple[Array, Array] | None = None
) -> Figure:
    """Errors of a point and of derivatives against the steps taken."""
    figure, (axes,) = panels(1, 6.6, 3.4)
    styles = ((GREY, ":"), (RED, "-"), (OCHRE, "--"))
    for (name, error), (colour, dash) in zip(errors.items(), styles, strict=False):
        axes.semilogy(steps, error, dash, color=colour, linewidth=2.2, label=name)
    if guide is not None:
        axes.semilogy(*guide, color=INK, linewidth=1.2, label="predicted slope")
    axes.set(xlabel="steps", ylabel="error")
    axes.legend(frameon=False, fontsize=9)
    return figure


def trade(curves: Mapping[str, tuple[Array, Array]], ends: Mapping[str, str]) -> Figure:
    """Error over process time; a route with a knob is a curve, one without a point.

    `ends` names the setting at the first and the last point of a curve.
    """
    figure, (axes,) = panels(1, 7.0, 4.6)
    for route, (seconds, error) in curves.items():
        colour, shape = COLOURS[route.split(",")[0]], MARKS[route.split(",")[0]]
        dash = "--" if "," in route else "-"
        axes.loglog(
            1e3 * seconds, error, dash, marker=shape, color=colour, linewidth=1.8,
            markersize=8, label=shown(route) + ends.get(route, ""),
        )  # fmt: skip
    axes.set(xlabel="process time, forward and backward, in ms", ylabel="error")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def kink(q: Array, slopes: Mapping[str, Array], names: Mapping[str, str]) -> Figure:
    """The derivative that routes return around a kink."""
    figure, (axes,) = panels(1, 6.6, 3.4)
    dashes = ("-", "--", "-.", ":")
    for (route, slope), dash in zip(slopes.items(), dashes, strict=False):
        axes.plot(
            q, slope, dash, color=COLOURS[route], linewidth=2.2, label=names[route]
        )
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="q", ylabel="derivative of x in q")
    axes.legend(frameon=False, fontsize=9)
    return figure


def turning(degrees: Array, gradients: Mapping[str, Array]) -> Figure:
    """A component of the gradient of a linear program as its cost turns."""
    figure, axes = panels(len(gradients), 7.2, 2.8)
    for place, (name, gradient) in zip(axes, gradients.items(), strict=True):
        place.plot(degrees, gradient, color=GREEN, linewidth=2)
        place.set(title=name, xlabel="degrees")
    axes[0].set_ylabel("gradient in q₁")
    return figure
