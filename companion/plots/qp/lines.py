"""Curves: remainders of a derivative, losses of a training run, a kink.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from companion.plots.qp.palette import BLUE, GREEN, GREY, RED, Array, draw, panels


def curves(across: Array, up: Mapping[str, Array], labels: tuple[str, str]) -> Figure:
    """Named curves over one axis."""
    figure, (axes,) = panels(1, 5.6, 2.9)
    draw(axes, across, up)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def remainders(steps: Array, found: Mapping[str, Array]) -> Figure:
    """Taylor remainders over steps, between guides of slope 1 and of slope 2."""
    figure, (axes,) = panels(1, 5.6, 3.5)
    for slope, values in zip((2, 1), _ends(found), strict=False):
        guide = values[0] * (steps / steps[0]) ** slope
        axes.plot(steps, guide, color=GREY, linewidth=5, alpha=0.3)
        place = (steps[-1], guide[-1])
        axes.annotate(
            f"slope {slope}", place, xytext=(-6, 0), textcoords="offset points",
            ha="right", va="center", color=GREY,
        )  # fmt: skip
    styles = ((BLUE, "o"), (RED, "s"), (GREY, "^"))
    for (name, values), (colour, mark) in zip(found.items(), styles, strict=False):
        axes.loglog(steps, values, mark, color=colour, label=name, linestyle="-")
    axes.set(xlabel="step t", ylabel="remainder", xlim=(steps[-1] / 2.2, None))
    axes.legend(frameon=False)
    return figure


def _ends(found: Mapping[str, Array]) -> list[Array]:
    """The remainders that fall fastest and slowest."""
    order = sorted(found.values(), key=lambda v: float(v[-1] / v[0]))
    return [order[0], order[-1]]


def training(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Losses over the steps: the first set on logarithmic axes, the second enlarged."""
    figure, both = panels(2, 6.2, 3.0)
    for axes, (title, losses) in zip(both, runs.items(), strict=True):
        steps = np.arange(max(map(len, losses.values())))
        draw(axes, steps, {name: np.asarray(v) for name, v in losses.items()})
        axes.set(xlabel="step", title=title)
    both[0].set(yscale="log", ylabel="loss")
    least = [min(v) for v in list(runs.values())[1].values()]
    both[1].set_ylim(min(least) - (max(least) - min(least)), 1.6 * max(least))
    return figure


def kink(t: Array, exact: Array, smooth: Mapping[str, tuple[Array, Array]]) -> Figure:
    """A ramp beside its derivative, with smooth stand-ins (value, derivative)."""
    figure, (left, right) = panels(2, 6.0, 3.0)
    draw(left, t, {"solution": exact} | {k: v for k, (v, _) in smooth.items()})
    styles = ((RED, "--"), (GREEN, "-."))
    for (_, slope), (colour, dash) in zip(smooth.values(), styles, strict=False):
        right.plot(t, slope, dash, color=colour, linewidth=1.9)
    for side, value in ((t <= 0, 0.0), (t >= 0, 1.0)):
        right.plot(t[side], np.full(side.sum(), value), color=BLUE, linewidth=1.9)
        right.plot(0, value, "o", color=BLUE, markerfacecolor="none", markersize=8)
    left.set(xlabel="t", title="solution")
    right.set(xlabel="t", title="its derivative", yticks=[0, 0.5, 1])
    return figure
