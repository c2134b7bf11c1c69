"""A dispatcher to imitate: five generators whose powers must add up to the demand.

Networks are trained side by side, some with a penalty on broken rules, some behind a
projection that makes the rules hold.  One unit of power is 100 MW.

Chapter: hard-constraints.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from companion.layers import qp
from companion.problems import QP

CAPACITY = (0.30, 0.25, 0.20, 0.40, 0.15)  # of each generator, in units of power
CURVATURE = (1.0, 2.0, 1.5, 0.8, 3.0)  # how fast its price rises with its power
MERIT = (0.0, 0.1, 0.05, 0.2, -0.1)  # its price at zero power, on average
SPREAD = 0.6  # width of the range of a price from hour to hour
LEAST, MOST = 0.3, 1.0  # demand, out of a capacity of 1.3
HIDDEN = 32  # units of the networks
START = 0.1  # of Glorot's range for the last weights: outputs start off their bounds
RATE = 1e-2  # Adam's, at the start; it falls to zero along half a cosine


@dataclass(frozen=True, eq=False)
class Hours:
    """Inputs (demand first, then five prices) and the powers that were dispatched."""

    inputs: Float[Tensor, "hours 6"]
    powers: Float[Tensor, "hours 5"]

    @property
    def demand(self) -> Float[Tensor, " hours"]:
        """The first input."""
        return self.inputs[:, 0]


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks with one hidden layer and tanh, stacked along the leading axis."""

    W1: Float[Tensor, "runs 6 hidden"]
    b1: Float[Tensor, "runs 1 hidden"]
    W2: Float[Tensor, "runs hidden 5"]
    b2: Float[Tensor, "runs 1 5"]

    def __call__(
        self, inputs: Float[Tensor, "hours 6"]
    ) -> Float[Tensor, "runs hours 5"]:
        """The powers that each network proposes."""
        return torch.tanh(inputs @ self.W1 + self.b1) @ self.W2 + self.b2

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The four fields."""
        return self.W1, self.b1, self.W2, self.b2


# ------------------------------------------------------------------------- data
def capacity() -> Float[Tensor, " 5"]:
    """The greatest power of each generator."""
    return torch.tensor(CAPACITY, dtype=torch.float64)


def program(P: Tensor, q: Tensor, demand: Tensor) -> QP:
    """Min ½xᵀPx + qᵀx over powers that add up to the demand, 0 ≤ x ≤ capacity."""
    eye, ones = torch.eye(5, dtype=torch.float64), torch.ones(1, 5, dtype=torch.float64)
    walls = torch.cat([capacity(), torch.zeros(5, dtype=torch.float64)])
    return QP(P, q, ones, demand.unsqueeze(-1), torch.cat([eye, -eye]), walls)


def hours(rng: np.random.Generator, count: int, *, losses: float = 0.0) -> Hours:
    """Hours of cheapest dispatch; with losses, of demand·(1 + losses).

    The demand that is written down is without losses, so that the powers of such hours
    do not add up to it.
    """
    draw = torch.from_numpy(rng.uniform(size=(count, 6)))
    demand = LEAST + (MOST - LEAST) * draw[:, 0]
    prices = torch.tensor(MERIT, dtype=torch.float64) + SPREAD * (draw[:, 1:] - 0.5)
    P = torch.diag(torch.tensor(CURVATURE, dtype=torch.float64))
    powers = qp.layer(program(P, prices, (1 + losses) * demand))
    return Hours(torch.cat([demand[:, None], prices], 1), powers)


# ------------------------------------------------------------------------ layer
def project(t: Tensor, demand: Float[Tensor, " hours"]) -> Tensor:
    """The powers nearest to t that obey the rules: min(max(t − τ, 0), capacity).

    The sum falls piecewise linearly in τ; where it meets the demand, τ is a mean
    over the generators strictly between their bounds, and gradients flow through
    the mean.  A generator on a bound receives none.
    """
    cap = capacity()
    with torch.no_grad():
        kinks = torch.cat([t, t - cap], -1).sort(-1).values
        sums = (t.unsqueeze(-2) - kinks.unsqueeze(-1)).clamp(min=0)
        sums = torch.minimum(sums, cap).sum(-1)  # falls along the last axis
        last = (sums >= demand.unsqueeze(-1)).sum(-1, keepdim=True).clamp(1, 9)
        middle = (kinks.gather(-1, last - 1) + kinks.gather(-1, last)) / 2
        full, free = t - middle >= cap, (t > middle) & (t - middle < cap)
    held = torch.where(full, cap, 0.0).sum(-1) - demand
    tau = (torch.where(free, t, 0.0).sum(-1) + held) / free.sum(-1).clamp(min=1)
    return torch.where(free, t - tau.unsqueeze(-1), torch.where(full, cap, 0.0))


# ----------------------------------------------------------------------- judging
def breaches(x: Tensor, demand: Float[Tensor, " hours"]) -> Tensor:
    """How far each output breaks its worst rule: the balance, or a bound."""
    balance = (x.sum(-1) - demand).abs()
    return torch.stack([balance, *_over(x).unbind(-1)]).amax(0)


def error(x: Tensor, powers: Float[Tensor, "hours 5"]) -> Tensor:
    """Root mean square distance of a power to the dispatcher's, for each run."""
    return (x - powers).square().mean((-2, -1)).sqrt()


def penalty(x: Tensor, demand: Float[Tensor, " hours"]) -> Tensor:
    """Half the sum of the squared breaches of every rule, for each output."""
    balance = (x.sum(-1) - demand).square()
    return (balance + _over(x).square().sum(-1)) / 2


def _over(x: Tensor) -> Tensor:
    return torch.cat([x - capacity(), -x], -1).clamp(min=0)


# ---------------------------------------------------------------------- training
def networks(seeds: list[int], start: float = START) -> Networks:
    """One network a seed: Glorot's uniform initialization, the last weights · start."""
    drawn = [np.random.default_rng(seed) for seed in seeds]

    def uniform(rows: int, columns: int, share: float) -> Tensor:
        reach = share * math.sqrt(6 / (rows + columns))
        size = (rows, columns)
        stack = np.stack([rng.uniform(-reach, reach, size) for rng in drawn])
        return torch.from_numpy(stack).requires_grad_()

    def zeros(columns: int) -> Tensor:
        size = (len(seeds), 1, columns)
        return torch.zeros(size, dtype=torch.float64, requires_grad=True)

    first, last = uniform(6, HIDDEN, 1.0), uniform(HIDDEN, 5, start)
    return Networks(first, zeros(HIDDEN), last, zeros(5))


def train(
    seeds: list[int],
    training: Hours,
    *,
    weights: Float[Tensor, " runs"] | None = None,
    steps: int = 800,
    start: float = START,
) -> Networks:
    """Fit one network a seed; behind `project`, or with penalties of these weights.

    The runs do not touch: the losses are added, and Adam scales each parameter by its
    own gradients.
    """
    stack = networks(seeds, start)
    optimizer = torch.optim.Adam(stack.parameters, lr=RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x = stack(training.inputs)
        if weights is None:
            x = project(x, training.demand)
        loss = (x - training.powers).square().sum(-1).mean(-1)
        if weights is not None:
            loss = loss + weights * penalty(x, training.demand).mean(-1)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        decay.step()
    return stack
