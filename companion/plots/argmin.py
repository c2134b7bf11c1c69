"""Figures of the chapter on differentiating an argmin.

Chapter: argmin-differentiation.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.plots import INK

BLUE, RED, GREY = "#3b78c4", "#c44e3b", "#8a8a8a"  # contrast ≥ 3 on white and on black
GREEN = "#2f8f5b"
HALF_TANGENT = 0.55  # length of a drawn tangent, either way, along the θ axis

Array = np.ndarray


def _panels(
    columns: int, width: float = 7.2, height: float = 3.3
) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns)
    for place in np.atleast_1d(axes):
        place.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _note(
    axes: Any, at: tuple[Any, Any], text: str, colour: str = INK, below: int = 0
) -> None:
    place = {"xytext": (4, 4 - below), "textcoords": "offset points"}
    axes.annotate(text, at, **place, color=colour, fontsize=9)


def wrong_sign(steps: Array, slopes: Array, true: float, at: int) -> Figure:
    """The slope seen through a number of solver steps, and the true slope.

    The steps whose slope has the wrong sign are shaded; `at` is one to mark.
    """
    figure, axes = _panels(1, height=3.2)
    wrong = slopes * true < 0
    axes.axvspan(steps[wrong].min(), steps[wrong].max(), color=RED, alpha=0.14, lw=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axhline(true, color=BLUE, linewidth=2)
    axes.semilogx(steps, slopes, color=RED, linewidth=2)
    low, high = min(slopes.min(), true), max(slopes.max(), true)
    axes.set_ylim(low - 0.15 * (high - low), high + 0.3 * (high - low))
    (marked,) = slopes[steps == at]
    axes.plot([at], [marked], "o", color=RED, markersize=8)
    _note(axes, (at, marked), f"after {at} steps", RED)
    _note(axes, (steps[0], true), "derivative of the minimizer", BLUE)
    axes.text(
        steps[wrong].min() * 1.1, high + 0.18 * (high - low), "wrong sign",
        color=RED, fontsize=9,
    )  # fmt: skip
    axes.set(xlabel="steps of the solver", ylabel="slope of the validation loss")
    return figure


def valley(theta: Array, x: Array, gap: Array, curve: Array, tangent: tuple) -> Figure:
    """The gap f(x, θ) - min f as shading, the curve of argmins and one tangent.

    `tangent` is (θ, x, dx/dθ); rows of `gap` belong to x, columns to θ.
    """
    figure, axes = _panels(1, width=6.4, height=3.8)
    shade = np.sqrt(gap)
    axes.contourf(theta, x, shade, 14, cmap="Blues_r", alpha=0.4)
    axes.contour(theta, x, shade, 7, colors=GREY, linewidths=0.5)
    axes.plot(theta, curve, color=RED, linewidth=2.4)
    at, height, slope = tangent
    reach = np.array([-1.0, 1.0]) * 2 * HALF_TANGENT
    axes.plot(at + reach, height + slope * reach, "--", color=GREEN, linewidth=2.8)
    axes.plot([at], [height], "o", color=RED, markersize=9)
    axes.axvline(at, color=INK, linewidth=1, linestyle=":")
    axes.set(xlabel="parameter θ", ylabel="variable x", ylim=(x.min(), x.max()))
    return figure


def two_failures(theta: Array, names: Sequence[str], curves: Sequence[Sequence[Array]]):
    """Zero sets of two equations at which the derivative in x vanishes."""
    figure, axes = _panels(2, height=2.7)
    for place, name, branches in zip(axes, names, curves, strict=True):
        for branch, colour in zip(branches, (RED, BLUE), strict=False):
            place.plot(theta, branch, color=colour, linewidth=2.2)
        place.plot([0], [0], "o", color=INK, markersize=7)
        place.set(title=name, xlabel="θ", ylabel="x")
    return figure


def quartic(
    x: Array, f: Array, theta: Array, branches: Mapping[str, Array], tangents: Array
) -> Figure:
    """A quartic with its stationary points, and these as functions of θ with tangents.

    Rows of `tangents` are (θ, x, dx/dθ, f) of one branch at the θ of the left panel.
    """
    figure, (left, right) = _panels(2, height=3.6)
    left.plot(x, f, color=GREY, linewidth=2)
    colours = (BLUE, RED, GREEN)
    for row, colour, (name, branch) in zip(
        tangents, colours, branches.items(), strict=True
    ):
        at, height, slope, value = row
        left.plot([height], [value], "o", color=colour, markersize=9)
        dash = "--" if "maximum" in name else "-"
        right.plot(theta, branch, dash, color=colour, linewidth=2)
        reach = np.array([-1.0, 1.0]) * HALF_TANGENT
        right.plot(at + reach, height + slope * reach, color=INK, linewidth=2.6)
        right.plot([at], [height], "o", color=colour, markersize=8)
        place = np.searchsorted(theta, 0.72 * theta[-1])
        below = 18 if "maximum" in name else 0
        _note(right, (theta[place], branch[place]), name, colour, below)
    left.set(xlabel="x", ylabel=f"f(x, {tangents[0, 0]:.0f})")
    right.set(xlabel="θ", ylabel="stationary x")
    return figure


def envelope(theta: Array, family: Array, value: Array, tangent: tuple) -> Figure:
    """Curves f(x, ·) for fixed x, their lower envelope V, and the one that touches.

    `tangent` is (θ, V, the touching curve).
    """
    figure, axes = _panels(1, width=6.4, height=3.4)
    axes.plot(theta, family.T, color=GREY, linewidth=0.8, alpha=0.8)
    at, height, touching = tangent
    axes.plot(theta, value, color=BLUE, linewidth=3.4)
    axes.plot(theta, touching, color=RED, linewidth=1.8)
    axes.plot([at], [height], "o", color=RED, markersize=8)
    tenth = len(theta) // 10
    _note(axes, (theta[tenth], value[tenth]), "V", BLUE, 22)
    low, high = value.min(), value.max()
    axes.set(xlabel="θ", ylabel="value", ylim=(low - 0.3, high + 0.9))
    return figure


def influence(gradient: Array, spoiled: Array) -> Figure:
    """The slope of the validation loss in the weight of each sample, as bars."""
    figure, axes = _panels(1, height=3.0)
    order = np.argsort(gradient)
    colours = np.where(spoiled[order], RED, BLUE)
    places = np.arange(len(order))
    axes.bar(places, gradient[order], color=list(colours), width=0.8)
    axes.axhline(0, color=GREY, linewidth=0.8)
    first = gradient[order]
    axes.text(
        0.02, 0.86, "red: spoiled target\nblue: clean target", color=INK, fontsize=9,
        transform=axes.transAxes, va="center",
    )  # fmt: skip
    axes.set(xlabel="samples, sorted", ylabel="slope in the weight", xticks=[])
    axes.set_ylim(1.15 * first.min(), 1.15 * first.max())
    return figure


def constrained(
    line: Array, levels: Array, row: tuple, path: Array, arrows: Mapping[str, Array]
) -> Figure:
    """Level sets, the line Ax = b, where the minimizer goes, and claimed velocities.

    `row` is (A, b); `path` has the minimizers for growing θ, the middle one now.  The
    arrows are, in this order, the right one, the projected one and the free one.
    """
    figure, axes = _panels(1, width=5.8, height=4.6)
    axes.contour(line, line, levels, 14, colors=GREY, linewidths=0.6)
    A, b = row
    axes.plot(line, (b - A[0] * line) / A[1], color=BLUE, linewidth=2)
    axes.plot(*path.T, color=GREEN, linewidth=8, alpha=0.4)
    now = path[len(path) // 2]
    feet = now + np.stack(list(arrows.values())[1:])
    axes.plot(*feet.T, ":", color=INK, linewidth=1.6)
    for (name, arrow), colour in zip(arrows.items(), (GREEN, RED, INK), strict=True):
        style = {"arrowstyle": "-|>", "color": colour, "mutation_scale": 20}
        axes.annotate("", now + arrow, now, arrowprops={**style, "linewidth": 2.6})
        axes.annotate(
            name, now + arrow, xytext=(8, 2), textcoords="offset points",
            color=colour, fontsize=10,
        )  # fmt: skip
    axes.plot(*now, "o", color=BLUE, markersize=9)
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    axes.set(xlim=(line[0], line[-1]), ylim=(line[0], line[-1]))
    return figure


def accuracy(errors: Mapping[str, Array], distance: Array) -> Figure:
    """Errors against the steps taken, and against the distance from the solution."""
    figure, (left, right) = _panels(2, height=3.5)
    steps = np.arange(len(distance))
    left.semilogy(steps, distance, ":", color=GREY, linewidth=2.2, label="iterate")
    for (name, error), colour in zip(errors.items(), (RED, BLUE), strict=True):
        left.semilogy(steps, error, color=colour, linewidth=2, label=name)
        right.loglog(distance, error, color=colour, linewidth=2)
    ends = np.array([distance.min(), distance.max()])
    scale = 3 * next(iter(errors.values()))[-1] / distance[-1]
    right.loglog(ends, scale * ends, "--", color=GREY, linewidth=1.4)
    middle = float(np.sqrt(ends.prod()))
    _note(right, (middle, 3 * scale * middle), "slope 1")
    right.invert_xaxis()
    left.set(xlabel="steps", ylabel="error")
    right.set(xlabel="distance from the minimizer", ylabel="error of the Jacobian")
    left.legend(frameon=False, fontsize=9)
    return figure


def smoothed_ramp(
    theta: Array, ramps: Mapping[str, Array], slopes: Mapping[str, Array]
):
    """A ramp smoothed by barriers, and its derivative; the last one is the limit."""
    figure, axes = _panels(2, height=3.3)
    colours = ("#c44e3b", "#b3722f", GREEN, BLUE, INK)[-len(ramps) :]
    for place, curves in zip(axes, (ramps, slopes), strict=True):
        for (name, curve), colour in zip(curves.items(), colours, strict=True):
            last = name == list(curves)[-1]
            place.plot(
                theta, curve, color=colour, linewidth=2.6 if last else 1.8, label=name
            )
    axes[1].plot([0], [0.5], "o", color=INK, markersize=7)
    _note(axes[1], (0.05, 0.46), "½ for every t")
    axes[0].set(xlabel="θ", ylabel="minimizer")
    axes[1].set(xlabel="θ", ylabel="its derivative")
    axes[0].legend(frameon=False, fontsize=9)
    return figure
