"""Exercises on the central path and on the steps that follow it.

Chapter: interior-point.md. Theorems: central-path-gap, newton-residual-decrease,
central-path-accuracy.
"""

from __future__ import annotations

import math

import numpy as np

from companion.exercises import Answer
from companion.exercises.interior_point.frame import exercise, first


# --------------------------------------------------------------------------- gap
def _gap(answer: Answer) -> str | None:
    for m, mu, shrink, tolerance in ((40, 1.0, 0.2, 1e-6), (9, 2.0, 0.5, 1e-3)):
        ratio = math.log(m * mu / tolerance) / math.log(1 / shrink)
        alone = math.ceil(math.log(mu / tolerance) / math.log(1 / shrink))
        slips: dict[str, object] = {
            "The gap is m times μ, and m rows are not one.": alone,
            "After so many reductions the gap is still above the tolerance: round up.":
                math.floor(ratio),
            "This is the number of reductions by ten, not by `shrink`.":
                math.ceil(math.log10(m * mu / tolerance)),
        }  # fmt: skip
        got = answer(m, mu, shrink, tolerance)
        found = first(got, math.ceil(ratio), slips, "Not the least number.")
        if found:
            return found
    return None


# ------------------------------------------------------------------------ target
def _lengths(s, lam, ds, dlam) -> float:
    v, dv = np.concatenate([s, lam]), np.concatenate([ds, dlam])
    return min(1.0, np.min(-v[dv < 0] / dv[dv < 0], initial=np.inf))


def _target(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    for _ in range(3):
        s, lam = rng.uniform(0.2, 2, (2, 6))
        ds, dlam = -s * rng.uniform(-0.5, 1.5, 6), -lam * rng.uniform(-0.5, 1.5, 6)
        mu, t = s @ lam / 6, _lengths(s, lam, ds, dlam)

        def sigma(length: float, s=s, lam=lam, ds=ds, dlam=dlam) -> float:
            return ((s + length * ds) @ (lam + length * dlam) / (s @ lam)) ** 3

        want = sigma(t) * mu - ds * dlam
        slips: dict[str, object] = {
            "The prediction ignores the walls: use the step that stays inside.":
                sigma(1.0) * mu - ds * dlam,
            "The bend ds∘dlam of the predictor is left uncorrected.":
                sigma(t) * mu + 0 * s,
            "The bend is added a second time: it has to be taken off.":
                sigma(t) * mu + ds * dlam,
        }  # fmt: skip
        found = first(answer(s, lam, ds, dlam), want, slips, "Not σμ minus the bend.")
        if found:
            return found
    return None


# ------------------------------------------------------------------------- after
def _after(answer: Answer) -> str | None:
    rng = np.random.default_rng(4)
    for length in (0.3, 0.9):
        s, lam = rng.uniform(0.2, 2, (2, 5))
        ds, sigma, mu = rng.normal(size=5), 0.4, s @ lam / 5
        dlam = (sigma * mu - s * lam - lam * ds) / s
        bend = ds @ dlam / 5
        want = (s + length * ds) @ (lam + length * dlam) / 5
        linear = (1 - length * (1 - sigma)) * mu
        slips: dict[str, object] = {
            "Only the linear part: the product of the two moves is missing.": linear,
            "The product of two moves of length α carries α².": linear + length * bend,
            "A mean of m products: divide the second term by m.":
                linear + 5 * length**2 * bend,
        }  # fmt: skip
        got = answer(mu, sigma, length, ds, dlam)
        if found := first(got, want, slips, "Not the mean of the products."):
            return found
    return None


# ------------------------------------------------------------------- extrapolate
def _extrapolate(answer: Answer) -> str | None:
    rng = np.random.default_rng(5)
    for ratio in (2.0, 10.0):
        x, u, far = rng.normal(size=(3, 3))
        small = 1e-3
        near, away = (x + mu * u + 0 * far for mu in (small, ratio * small))
        slips: dict[str, object] = {
            "Extrapolated away from the solution: the two points are exchanged.":
                (ratio * away - near) / (ratio - 1),
            "A mean lies between the points; the solution lies beyond the nearer one.":
                (away + near) / 2,
            "This is right where one μ is twice the other, whatever `ratio` says.":
                2 * near - away,
        }  # fmt: skip
        if ratio == 2:
            slips.popitem()
        got = answer(away, near, ratio)
        last = "An error proportional to μ is left."
        if found := first(got, (ratio * near - away) / (ratio - 1), slips, last):
            return found
    return None


COUNT = "np.{round}(np.log({gap} / tolerance) / np.log(1 / shrink))"
AIM = (
    "v, dv = np.concatenate([s, lam]), np.concatenate([ds, dlam])\n"
    "t = min(1.0, np.min(-v[dv < 0] / dv[dv < 0], initial=np.inf))\n"
    "sigma = ((s + {t} * ds) @ (lam + {t} * dlam) / (s @ lam)) ** 3\n"
    "return sigma * (s @ lam) / len(s) {bend}"
)
MEAN = "return (1 - length * (1 - sigma)) * mu + {bend}"
EXERCISES = (
    exercise(
        "gap",
        "The least number of reductions of μ by the factor `shrink` after which the "
        "gap on the central path of m rows is at most `tolerance` (★).",
        ("reductions", "m, mu, shrink, tolerance"),
        "return " + COUNT.format(round="ceil", gap="m * mu"),
        (
            ("return " + COUNT.format(round="ceil", gap="mu"), "m times μ"),
            ("return " + COUNT.format(round="floor", gap="m * mu"), "round up"),
            ("return np.ceil(np.log10(m * mu / tolerance))", "by ten"),
        ),
        _gap,
        ("What is the gap at μ?", "Which k has m μ shrinkᵏ ≤ tolerance?"),
    ),
    exercise(
        "after",
        "The mean of the products after a step of this length, from the mean before "
        "it, for Newton's direction with the target σμ on every row (★★).",
        ("mean_after", "mu, sigma, length, ds, dlam"),
        MEAN.format(bend="length**2 * (ds @ dlam) / len(ds)"),
        (
            (MEAN.format(bend="0"), "Only the linear part"),
            (MEAN.format(bend="length * (ds @ dlam) / len(ds)"), "carries α²"),
            (MEAN.format(bend="length**2 * (ds @ dlam)"), "divide the second term"),
        ),
        _after,
        ("Multiply (s + α ds) and (λ + α dλ) out.", "What is Σ (sᵢdλᵢ + λᵢdsᵢ)?"),
    ),
    exercise(
        "target",
        "The vector at which Mehrotra's corrector aims the products, σμ less the bend, "
        "from an affine direction (★★).",
        ("target", "s, lam, ds, dlam"),
        AIM.format(t="t", bend="- ds * dlam"),
        (
            (AIM.format(t="1", bend="- ds * dlam"), "step that stays inside"),
            (AIM.format(t="t", bend="+ 0 * s"), "left uncorrected"),
            (AIM.format(t="t", bend="+ ds * dlam"), "taken off"),
        ),
        _target,
        ("How far can the affine step go?", "Where do the products land at α = 1?"),
    ),
    exercise(
        "extrapolate",
        "A better estimate of the solution from the path's points `far` at ratio·μ and "
        "`near` at μ (★★).",
        ("extrapolate", "far, near, ratio"),
        "return (ratio * near - far) / (ratio - 1)",
        (
            ("return (ratio * far - near) / (ratio - 1)", "exchanged"),
            ("return (far + near) / 2", "A mean"),
            ("return 2 * near - far", "whatever `ratio` says"),
        ),
        _extrapolate,
        ("Write both as x + μu.", "Which combination has no u in it?"),
    ),
)  # fmt: skip
