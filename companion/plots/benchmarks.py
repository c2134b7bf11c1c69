"""Figures of the page on benchmarks.

Chapter: benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK
from companion.plots.qp.palette import BLUE, GREEN, GREY, RED, panels

OCHRE, PURPLE, TEAL = "#b3722f", "#8f5fb0", "#2f8f8f"  # contrast ≥ 3 on both pages
LOOKS = {
    "companion": (INK, "*"),
    "qpth": (BLUE, "o"),
    "proxsuite": (OCHRE, "s"),
    "dqp": (GREEN, "^"),
    "dqp, piqp": (GREEN, "<"),
    "dqp, piqp, A and G fixed": (GREEN, ">"),
    "dqp, clarabel, A and G fixed": (GREEN, "d"),
    "moreau": (RED, "D"),
    "moreau, ipm": (RED, "h"),
    "moreau, 1e-10": (RED, "p"),
    "diffcp": (BLUE, "o"),
    "diffcp, dense": (BLUE, "s"),
    "diffcp, clarabel": (BLUE, "^"),
    "cvxpylayers": (PURPLE, "v"),
    "cvxpylayers, moreau": (TEAL, "P"),
}
OTHER = (GREY, "X")
ROW = 0.34  # inches of height for each workload

Array = np.ndarray


def look(name: str) -> tuple[str, str]:
    """Colour and mark of a layer; a variant has the colour of its kind."""
    kind = name.partition(",")[0]
    return LOOKS.get(name) or (LOOKS.get(kind, OTHER)[0], OTHER[1])


def ratios(
    found: Mapping[str, Mapping[str, float]], wanted: Mapping[str, Mapping[str, float]]
) -> Figure:
    """By workload, how much longer each layer takes; a bar is what was wanted of it.

    A bar has the colour of its layer, and grey where all layers share one.
    """
    figure, (axes,) = panels(1, 7.4, 1.5 + ROW * len(found))
    axes.axvline(1, color=GREY, linewidth=0.8)
    seen: dict[str, Any] = {}
    for place, (case, layers) in enumerate(list(found.items())[::-1]):
        bars = wanted.get(case, {})
        alike = len(set(bars.values())) == 1
        for name, ratio in layers.items():
            colour, mark = look(name)
            (dot,) = axes.plot([ratio], [place], mark, color=colour, markersize=7)
            seen.setdefault(name, dot)
            if name in bars:
                shade, half = (GREY if alike else colour), (0.42 if alike else 0.3)
                limits = [place - half, place + half]
                axes.plot([bars[name]] * 2, limits, color=shade, linewidth=2.2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(found)), list(found)[::-1])
    axes.set(xlabel="time over ours", ylim=(-0.7, len(found) - 0.3))
    axes.grid(axis="y", color=GREY, linewidth=0.3)
    axes.legend(
        seen.values(), seen.keys(), frameon=False, fontsize=9, ncols=3,
        loc="lower center", bbox_to_anchor=(0.4, 1.0),
    )  # fmt: skip
    return figure


def costs(sweeps: Mapping[str, Mapping[str, Sequence[float | int]]]) -> Figure:
    """Time forward and backward against what varies, a panel for each sweep.

    A sweep has entries value, forward and backward.
    """
    figure, axes = panels(len(sweeps), 7.4, 3.0)
    for place, (name, sweep) in zip(axes, sweeps.items(), strict=True):
        for part, colour, shape in (("forward", BLUE, "-o"), ("backward", RED, "--s")):
            place.loglog(
                sweep["value"], sweep[part], shape, color=colour, label=part,
                linewidth=1.9, markersize=6,
            )  # fmt: skip
        place.set(xlabel=name, xticks=sweep["value"], xticklabels=sweep["value"])
        place.minorticks_off()
    axes[0].set_ylabel("ms")
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def accuracy(points: Mapping[str, tuple[float, float, float]], wrong: float) -> Figure:
    """Error of the gradients over time: the median, and a line up to the worst.

    A point is milliseconds, median and worst; a dashed line marks where wrong begins.
    """
    figure, (axes,) = panels(1, 7.0, 3.8)
    axes.axhline(wrong, color=GREY, linewidth=1.2, linestyle="--")
    for name, (time, median, worst) in points.items():
        colour, mark = look(name)
        axes.plot([time, time], [median, worst], color=colour, linewidth=1.2)
        axes.plot([time], [median], mark, color=colour, markersize=9, label=name)
    axes.set(xscale="log", yscale="log", ylabel="relative error")
    axes.set_xlabel("ms, forward and backward")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
