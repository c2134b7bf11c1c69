"""The picture of the landing page: a denoised heartbeat above its dual variables.

Chapter: denoising.md.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#3787bd", "#c8741f", "#7d848b"  # legible on white and on black
TOUCHING = 1e-6  # share of the bound within which a dual variable counts as at it

Array = np.ndarray


def heartbeat(noisy: Array, denoised: Array, dual: Array, bound: float) -> Figure:
    """Samples and the layer's staircase; below, the dual variables in their band.

    `dual` has one entry between each two samples; where one touches its bound, a thin
    line leads up to the step of the staircase.
    """
    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    figure.patch.set_alpha(0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.3, 1))
    time = np.arange(len(noisy))
    between = time[:-1] + 0.5
    at = np.abs(dual) > bound * (1 - TOUCHING)
    top.plot(time, noisy, ".", markersize=3.5, color=GREY, label="heartbeat and noise")
    edges = np.arange(len(noisy) + 1) - 0.5
    label = "what the layer returns"
    top.stairs(denoised, edges, baseline=None, color=BLUE, linewidth=1.8, label=label)
    bottom.axhspan(-bound, bound, color=BLUE, alpha=0.14, linewidth=0)
    bottom.plot(between, dual, color=BLUE, linewidth=1.1, label="dual variable")
    label = "at its bound: the signal steps"
    bottom.plot(between[at], dual[at], ".", markersize=5, color=ORANGE, label=label)
    bottom.set(ylim=(-1.3 * bound, 2.5 * bound), yticks=[-bound, 0, bound])
    bottom.set_xlabel("sample", color=GREY)
    for axes, columns in ((top, 1), (bottom, 2)):
        _quiet(axes, between[at])
        axes.legend(frameon=False, labelcolor=GREY, loc="upper left", ncols=columns)
    return figure


def _quiet(axes: Axes, steps: Array) -> None:
    """No box, grey scales, and a thin line at every step."""
    axes.patch.set_alpha(0)
    where = axes.get_xaxis_transform()
    lines = {"color": ORANGE, "alpha": 0.28, "linewidth": 0.8, "zorder": 0}
    axes.vlines(steps, 0, 1, transform=where, **lines)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(GREY)
    axes.tick_params(colors=GREY)
