"""Functions of one variable: objectives, tangents, chords, and solutions that move.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import (
    BLUE,
    GREY,
    RED,
    THICK,
    Array,
    Mark,
    Pair,
    Picture,
    Real,
    arrow,
    canvas,
    done,
    note,
    put,
    room,
)

Curve = Callable[[Any], Any]  # of arrays and of numbers
POINTS = 41  # of a curve


def _sampled(f: Curve, span: Pair) -> tuple[Array, Array]:
    x = np.linspace(*span, POINTS)
    return x, np.broadcast_to(f(x), x.shape)


def objective(
    says: str,
    f: Curve,
    span: Pair,
    allowed: Sequence[Pair],
    marks: Sequence[Mark],
    names: tuple[str, str] = ("x", "f"),
) -> Picture:
    """A function, drawn strongly where it is allowed, and an arrow to a lower mark."""
    axes = canvas(names)
    x, y = _sampled(f, span)
    axes.plot(x, y, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    bottom = min([y.min(), *(m.y for m in marks)])
    top = max([y.max(), *(m.y for m in marks)])
    top = max(top, bottom + 0.1)
    floor = bottom - 0.24 * (top - bottom)
    for part in allowed:
        axes.plot(*_sampled(f, part), color=INK, linewidth=THICK)
        axes.plot(part, (floor, floor), color=BLUE, linewidth=5, alpha=0.45,
                  solid_capstyle="butt")  # fmt: skip
    if len(marks) > 1 and marks[1].y < marks[0].y:
        place = (marks[1].x, marks[0].y)
        axes.plot((marks[0].x, place[0]), (place[1],) * 2, ":", color=GREY, lw=1)
        arrow(axes, place, (marks[1].x, marks[1].y), RED)
    put(axes, marks)
    room(axes, span, (floor, top))
    return done(axes, says)


def below_tangent(
    says: str,
    f: Curve,
    span: Pair,
    places: Pair,
    names: tuple[str, str] = ("a", "f(a)"),
) -> Picture:
    """A graph, its tangent at the first place, how far it is below at the second."""
    at, seen = places
    axes = canvas(names)
    x, y = _sampled(f, span)
    step = 1e-6
    slope = float(f(at + step) - f(at - step)) / (2 * step)
    here, there = (float(f(p)) for p in (at, seen))
    touch = here + slope * (seen - at)
    axes.plot(x, y, color=INK, linewidth=THICK)
    line = here + slope * (np.array(span) - at)
    axes.plot(span, line, "--", color=BLUE, linewidth=1.6)
    arrow(axes, (seen, touch), (seen, there), RED)
    put(axes, [Mark(at, here, "", BLUE), Mark(seen, there, "", RED)])
    seen_values = y[np.isfinite(y)]
    room(axes, span, (min(*line, *seen_values), max(*line, *seen_values)))
    side = (9, 9) if slope > 1 else (-9, -7)  # where the graph leaves room
    note(axes, (seen, there), f"{touch - there:.3g} below", RED, side)
    return done(axes, says)


def chord(says: str, f: Curve, span: Pair, ends: Pair, text: str) -> Picture:
    """A graph with a chord, and in red what of the graph lies above it."""
    axes = canvas(("s", text))
    x, y = _sampled(f, span)
    axes.plot(x, y, color=INK, linewidth=THICK)
    inside = np.linspace(*ends, POINTS)
    heights = np.array([float(f(float(e))) for e in ends])
    straight = np.interp(inside, ends, heights)
    axes.fill_between(inside, straight, f(inside), where=f(inside) > straight,
                      color=RED, alpha=0.35, linewidth=0)  # fmt: skip
    axes.plot(ends, heights, "--", color=BLUE, linewidth=1.8)
    put(axes, [Mark(e, h) for e, h in zip(ends, heights, strict=True)])
    room(axes, span, (float(y.min()), float(y.max())))
    return done(axes, says)


def kink(
    says: str,
    slopes: Pair,
    claim: Real | None,
    names: tuple[str, str],
    texts: tuple[str, str, str],
) -> Picture:
    """A map with two one-sided slopes at a point, and the one slope that is claimed."""
    axes = canvas(names)
    left, right = slopes
    axes.plot((-1, 0), (-left, 0), color=BLUE, linewidth=THICK + 0.4)
    axes.plot((0, 1), (0, right), color=BLUE, linewidth=THICK + 0.4)
    values = [-left, 0.0, right]
    if claim is not None:
        reach = 0.75
        axes.plot((-reach, reach), (-reach * claim, reach * claim), "--", color=RED,
                  linewidth=1.6)  # fmt: skip
        values += [-reach * claim, reach * claim]
        end = reach if abs(claim - right) > abs(claim - left) else -reach
        over = claim * end > (right * end if end > 0 else left * end)
        below = (-9, -1) if claim < 0 else (0, -9)
        note(axes, (end, claim * end), texts[2], RED, (0, 9) if over else below)
    room(axes, (-1, 1), (min(values), max(values)), 0.2)
    for side, slope, text in ((-0.6, left, texts[0]), (0.6, right, texts[1])):
        lower = claim is not None and claim * side > slope * side
        flat = (0, -9 if lower else 9)
        beside = (-7 if slope > 0 else 7, 4)
        note(axes, (side, slope * side), text, BLUE, beside if slope else flat)
    put(axes, [Mark(0, 0, "", INK)])
    return done(axes, says)


def jump(
    says: str, levels: Pair, names: tuple[str, str], texts: tuple[str, str]
) -> Picture:
    """A map that is constant on either side of a point, and jumps there."""
    axes = canvas(names)
    for ends, level, text in zip(((-1, 0), (0, 1)), levels, texts, strict=True):
        axes.plot(ends, (level, level), color=BLUE, linewidth=THICK + 0.4)
        note(axes, (sum(ends) / 2, level), text, BLUE, (0, 9))
    low, high = sorted(levels)
    axes.plot((0, 0), levels, "--", color=RED, linewidth=1.6)
    put(axes, [Mark(0, level, "", RED) for level in levels])
    note(axes, (0, (low + high) / 2), f"jumps by {high - low:g}", RED)
    room(axes, (-1, 1), (low, high), 0.2)
    return done(axes, says)


def branches(
    says: str,
    curves: Sequence[tuple[Array, Array, str]],
    marks: Sequence[Mark],
    names: tuple[str, str],
) -> Picture:
    """Curves given by their points and colours, red ones dashed, with marks on them."""
    axes = canvas(names)
    for x, y, colour in curves:
        dash = "--" if colour == RED else "-"
        axes.plot(x, y, dash, color=colour, linewidth=THICK)
    put(axes, marks)
    across = np.concatenate([*(c[0] for c in curves), [m.x for m in marks]])
    up = np.concatenate([*(c[1] for c in curves), [m.y for m in marks]])
    room(axes, (across.min(), across.max()), (up.min(), up.max()))
    return done(axes, says)
