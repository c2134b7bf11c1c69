"""Refinement of a solution: Newton's method on the conditions of optimality.

In v = y − s the conditions are two equations; y = Πv and s = Πv − v are feasible and
complementary whatever v is, so that all that is left to do is to solve them.

Chapter: cone-derivative.md. Theorems: solution-refinement.
Source: busseti2019solution.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from companion.layers.cone_program.layout import Layout
from companion.layers.cone_program.linearised import Linearised, norm
from companion.layers.cone_program.spectrum import Spectrum
from companion.layers.cone_program.stacks import times, transposed

Fields = tuple[Any, ...]  # arrays, and stacks of matrices

STEPS = 12  # with one factor
FACTORS = 4  # beyond the first
GAIN = 0.03  # a step that leaves more of the error is the last with its factor
LARGE = 400  # rows and columns together, from which
HALF = 0.5  # takes its place; and a factor that leaves more is the last
GOAL = 1e-14  # error, relative to the terms that are summed, at which to stop
ENOUGH = 1e-12  # error above which another factor is worth its while


class State(NamedTuple):
    """Points x and v of a batch, Π and DΠ there, and the residuals."""

    x: np.ndarray
    v: np.ndarray
    spectrum: Spectrum
    residual: tuple[np.ndarray, np.ndarray]
    error: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """The dual point."""
        return self.spectrum.point

    @property
    def s(self) -> np.ndarray:
        """The slack."""
        return self.spectrum.point - self.v

    def take(self, places: np.ndarray) -> State:
        """Some instances, in arrays of their own."""
        first, second = self.residual
        return State(
            self.x[places],
            self.v[places],
            self.spectrum.take(places),
            (first[places], second[places]),
            self.error[places],
        )

    def copy(self) -> State:
        """One that may be changed in place."""
        return self.take(np.arange(len(self.error)))

    def put(self, places: np.ndarray, other: State, which: np.ndarray) -> None:
        """Replace some instances, in place, by those of another state."""
        pairs = ((self.x, other.x), (self.v, other.v), (self.error, other.error))
        for mine, its in (*pairs, *zip(self.residual, other.residual, strict=True)):
            mine[places] = its[which]
        self.spectrum.put(places, other.spectrum, which)


def at(
    fields: Fields,
    x: np.ndarray,
    v: np.ndarray,
    where: Layout,
    near: np.ndarray | None = None,
) -> State:
    """The state at (x, v); its error is relative to the terms of the residuals.

    `near` is a guess of y, if there is one.
    """
    P, q, A, b = fields
    spectrum = Spectrum(v, where, near)
    y = spectrum.point
    Px, Ay, Ax, s = times(P, x), transposed(A, y), times(A, x), y - v
    r = Px + Ay + q, b - Ax - s
    first = norm(r[0]) / (1 + norm(Px, Ay, q))
    second = norm(r[1]) / (1 + norm(Ax, s, b))
    return State(x, v, spectrum, r, np.maximum(first, second))


def refine(
    fields: Fields, state: State, wanted: np.ndarray
) -> tuple[State, Linearised]:
    """Newton steps with few factors, each step kept where it gains.

    A factor serves while its steps gain a digit or so each, and then for the derivative
    at the point that they reach.  Instances that nobody wants are left alone; every
    instance goes its own way, whatever its neighbours do.
    """
    system = Linearised(fields[0], fields[2], state.spectrum, wanted)
    state = _chords(fields, state, system, wanted)
    behind = np.flatnonzero(wanted & (state.error > ENOUGH))
    for _ in range(FACTORS):
        if not len(behind):
            break
        own, some = chosen(fields, behind), np.ones(len(behind), bool)
        first = state if len(behind) == len(wanted) else state.take(behind)
        fresh = Linearised(own[0], own[2], first.spectrum, some)
        found = _chords(own, first, fresh, some)
        gained = np.flatnonzero(found.error < HALF * first.error)
        if len(gained) == len(wanted):
            state, system = found, fresh
        else:
            state = state.copy() if state.spectrum is system.at else state
            state.put(behind[gained], found, gained)
            system.put(behind[gained], fresh, gained)
        behind = behind[gained][found.error[gained] > ENOUGH]
    system.move(state.spectrum)
    return state, system


def _chords(
    fields: Fields, state: State, system: Linearised, live: np.ndarray,
    steps: int = STEPS,
) -> State:  # fmt: skip
    """Steps with the factors of the system, until they no longer gain enough.

    The state that comes in stays as it is.
    """
    live = live & (state.error > GOAL)
    large = state.x.shape[-1] + state.v.shape[-1] > LARGE
    gain = HALF if large else GAIN
    start = state
    for left in range(steps, 0, -1):
        count = np.count_nonzero(live)
        if not count:
            break
        if 2 * count <= len(live):  # the rest would only be carried along
            few = np.flatnonzero(live)
            own, every = chosen(fields, few), np.arange(count)
            found = _chords(own, state.take(few), system.part(few), live[few], left)
            state = state.copy() if state is start else state
            state.put(few, found, every)
            break
        dx, dv = system.step(*state.residual)
        trial = at(fields, state.x - dx, state.v - dv, system.at.where, state.y)
        better = live & (trial.error < state.error)
        live = better & (trial.error < gain * state.error) & (trial.error > GOAL)
        if better.all():
            state = trial
        elif better.any():
            state = state.copy() if state is start else state
            places = np.flatnonzero(better)
            state.put(places, trial, places)
    return state


def chosen(fields: Fields, places: np.ndarray) -> Fields:
    """The fields of some instances; those that the batch shares stay as they are."""
    return tuple(v if len(v) == 1 else v[places] for v in fields)
