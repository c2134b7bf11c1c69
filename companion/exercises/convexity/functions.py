"""Chords, the composition rule, and how far a minimizer moves."""

from __future__ import annotations

import itertools

import numpy as np

from companion.exercises import Answer, Exercise, source

ROUNDING = 1e-10  # on answers of order one


# ------------------------------------------------------------------------- chord
def _chord(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3))
    t = 0.3

    def f(v: np.ndarray) -> float:
        return float(np.exp(v[0]) + v @ v)

    def got_gap(s: float) -> float:
        return (1 - s) * f(x) + s * f(y) - f((1 - s) * x + s * y)

    want, got = got_gap(t), answer(f, x, y, t)
    if got is None:
        return "Return a number: how far the chord lies above the graph."
    if abs(got - want) < ROUNDING:
        return None
    if abs(got + want) < ROUNDING:
        return "The sign is turned: the chord comes first, then the graph."
    if abs(got - (t * f(x) + (1 - t) * f(y) - f((1 - t) * x + t * y))) < ROUNDING:
        return (
            "The weights of the values and of the points do not match: t goes with y."
        )
    if abs(got - got_gap(0.5)) < ROUNDING:
        return "That is the gap at the midpoint; t may be any number in [0, 1]."
    return "Not (1-t)f(x) + tf(y) - f((1-t)x + ty)."


HEAD = "chord_gap(f, x, y, t)"
CHORD = Exercise(
    label="convexity-ex-chord",
    function="chord_gap",
    prompt="How far the chord from x to y lies above f at (1-t)x + ty.",
    stub="def chord_gap(f, x, y, t):\n    return None\n",
    solution=source(HEAD, "return (1 - t) * f(x) + t * f(y) - f((1 - t) * x + t * y)"),
    wrong=(
        (
            source(HEAD, "return f((1 - t) * x + t * y) - (1 - t) * f(x) - t * f(y)"),
            "sign",
        ),
        (
            source(HEAD, "return t * f(x) + (1 - t) * f(y) - f((1 - t) * x + t * y)"),
            "weights",
        ),
        (source(HEAD, "return f(x) / 2 + f(y) / 2 - f((x + y) / 2)"), "midpoint"),
    ),
    checks=(_chord,),
    hints=(
        "The point between is (1-t)x + ty.",
        "Its chord has height (1-t)f(x) + tf(y).",
    ),
)


# ----------------------------------------------------------------------- compose
SHAPES, SLOPES = ("affine", "convex", "concave"), ("up", "down", "none")


def _verdict(outer: str, slope: str, inner: str) -> str:
    """The composition rule, written from its two convex and its two concave cases."""
    if inner == "affine":
        return outer
    bends = {("up", "convex"): "convex", ("down", "concave"): "convex",
             ("up", "concave"): "concave", ("down", "convex"): "concave"}  # fmt: skip
    bend = bends.get((slope, inner))
    return bend if bend and outer in (bend, "affine") else "unknown"


def _compose(answer: Answer) -> str | None:
    cases = itertools.product(SHAPES, SLOPES, SHAPES)
    wrong = [(c, answer(*c)) for c in cases if answer(*c) != _verdict(*c)]
    if not wrong:
        return None
    (outer, slope, inner), got = wrong[0]
    failed = [case for case, _ in wrong]
    if any(case[2] == "affine" for case in failed):
        return "An affine function inside keeps the curvature of the outer one."
    if all(case[1] == "none" for case in failed):
        return "Without monotonicity nothing is known: take the square of s² - 1."
    if all(case[1] == "down" for case in failed):
        return "A decreasing outer function turns the inner curvature around."
    return f"For a {outer} outer ({slope}) of a {inner} inner you said {got!r}."


def _compose_source(*lines: str) -> str:
    return "def compose(outer, slope, inner):\n" + "".join(f"    {x}\n" for x in lines)


AFFINE = "if inner == 'affine': return outer"
TURN = "turned = {'convex': 'concave', 'concave': 'convex'}[inner]"
BEND = "bend = {'up': inner, 'down': turned}.get(slope)"
LAST = "return bend if bend and outer in (bend, 'affine') else 'unknown'"
NOTHING = "if inner == 'affine': return 'unknown'"
CARELESS = "bend = turned if slope == 'down' else inner"
UNTURNED = "bend = {'up': inner, 'down': inner}.get(slope)"
COMPOSE = Exercise(
    label="convexity-ex-compose",
    function="compose",
    prompt="The curvature of h∘g from those of h and g and the slope of h.",
    stub="def compose(outer, slope, inner):\n    return None\n",
    solution=_compose_source(AFFINE, TURN, BEND, LAST),
    wrong=(
        (_compose_source(NOTHING, TURN, BEND, LAST), "affine"),
        (_compose_source(AFFINE, TURN, CARELESS, LAST), "monotonicity"),
        (_compose_source(AFFINE, UNTURNED, LAST), "turns"),
    ),
    checks=(_compose,),
    hints=("Treat an affine inner function first.", "-g is concave where g is convex."),
)


# ------------------------------------------------------------------------ steady
def _steady(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    basis, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    values = np.array([0.5, 1.0, 2.0, 7.0])
    P, p, q = basis @ np.diag(values) @ basis.T, *rng.standard_normal((2, 4))
    size, got = np.linalg.norm(p - q), answer(P, p, q)
    if got is None or np.shape(got):
        return "Return one number, an upper bound on ‖x(p) - x(q)‖."
    if abs(got - size / 0.5) < ROUNDING:
        return None
    if abs(got - size / 7.0) < ROUNDING:
        return "That uses the largest eigenvalue; the flattest direction moves most."
    if abs(got - size * 0.5) < ROUNDING:
        return "More curvature means less motion: divide by it."
    if abs(got - size**2 / 0.5) < ROUNDING:
        return "The bound is on a distance, not on its square."
    return "Not ‖p - q‖ divided by the modulus of strong convexity of ½xᵀPx."


STEADY_HEAD = "farthest(P, p, q)"
LEAST, NORM = "np.linalg.eigvalsh(P)[0]", "np.linalg.norm(p - q)"
STEADY = Exercise(
    label="convexity-ex-steady",
    function="farthest",
    prompt="How far the minimizer of ½xᵀPx + qᵀx over a fixed set can move.",
    stub="def farthest(P, p, q):\n    return None\n",
    solution=source(STEADY_HEAD, f"return {NORM} / {LEAST}"),
    wrong=(
        (source(STEADY_HEAD, f"return {NORM} / np.linalg.eigvalsh(P)[-1]"), "largest"),
        (source(STEADY_HEAD, f"return {NORM} * {LEAST}"), "divide"),
        (source(STEADY_HEAD, f"return {NORM} ** 2 / {LEAST}"), "square"),
    ),
    checks=(_steady,),
    hints=("½xᵀPx is strongly convex; with which modulus?", "½xᵀPx ≥ ½ λ_min ‖x‖²."),
)
