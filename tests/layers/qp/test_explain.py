"""Why a gradient is zero: the causes, held against the gradients themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp
from companion.layers.qp.explain import Cause
from companion.problems import Verdict
from tests.layers.qp.cases import FIELDS, as_torch, batch_of, infeasible, sample
from tests.layers.qp.families import DEGENERATE, INFEASIBLE, SIMPLEX, qp_of, tensor

ZERO = {
    *(Cause.INACTIVE, Cause.WEAK, Cause.VERTEX, Cause.CLAMPED, Cause.MEETS_ZERO),
    *(Cause.NOT_SOLVED, Cause.PROJECTED),
}
CASES = {name: problem for name, (problem, _) in DEGENERATE.items()}
CASES |= {regime: as_torch(sample(0, regime)[0]) for regime in sampling.REGIMES}


def causes(problem, wrt, **options):
    sol = qp.solve(problem)
    return [r.cause for r in qp.explain(problem, sol, wrt, **options).reasons[0]]


@pytest.mark.parametrize("name", CASES)
def test_causes_say_which_gradients_are_zero_for_every_seed(name):
    problem = CASES[name]
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = qp.solve(leaves, engine="interior_point")
    rng = np.random.default_rng(5)
    seeds = torch.as_tensor(rng.normal(size=(3, problem.n)))
    grads = [
        torch.autograd.grad((sol.x * seed).sum(), leaves.fields, retain_graph=True)
        for seed in seeds
    ]
    rounding = 1e-9
    if qp.regularity(problem, sol).verdict == Verdict.ILL_CONDITIONED:
        condition = float(qp.regularity(problem, sol).condition)
        rounding = np.finfo(float).eps * condition * float(sol.x.detach().abs().max())
    for wrt, *parts in zip(FIELDS, *grads, strict=True):
        size = torch.stack([v.abs().flatten(1) for v in map(torch.atleast_2d, parts)])
        sizes = size.amax((0, 2)) if wrt in "PAG" else size.amax((0, 1))
        reasons = qp.explain(problem, sol, wrt).reasons[0]
        for reason, largest in zip(reasons, sizes.tolist(), strict=True):
            if reason.cause in ZERO:
                assert largest < rounding * (1 + max(sizes.tolist()))
            elif reason.cause not in (Cause.TIED, Cause.DEPENDENT):
                assert largest > 1e-7


@pytest.mark.parametrize(
    ("name", "wrt", "expected"),
    [
        ("relu, free", "h", [Cause.INACTIVE]),
        ("relu, at the kink", "h", [Cause.WEAK]),
        ("relu, at the kink", "q", [Cause.ONE_SIDED]),
        ("relu, at the kink", "P", [Cause.MEETS_ZERO]),
        ("relu, held", "q", [Cause.VERTEX]),
        ("duplicate row", "h", [Cause.DEPENDENT] * 2),
        ("tied LP", "q", [Cause.TIED] * 3),
        ("untied LP", "q", [Cause.VERTEX] * 3),
        ("untied LP", "h", [Cause.MOVES, Cause.INACTIVE, Cause.MOVES]),
        ("untied LP", "b", [Cause.MOVES]),
        ("gnar 1e-6", "A", [Cause.MOVES] * 2),
        ("gnar 1e-6", "P", [Cause.VERTEX] * 2),
        ("lp_face", "q", [Cause.TIED] * 4),
        ("licq_failing", "h", [Cause.DEPENDENT] * 2 + [Cause.INACTIVE] * 3),
        ("licq_failing", "q", [Cause.MOVES] * 4),
    ],
)
def test_cause_of(name, wrt, expected):
    assert causes(CASES[name], wrt) == expected


def test_clamped_variable_and_seed_projected_out():
    eye = [[1.0, 0.0], [0.0, 1.0]]
    box = qp_of([-2.0, 0.5], [[1.0, 0.0]], [1.0], P=eye)  # x = (1, -1/2)
    assert causes(box, "q") == [Cause.CLAMPED, Cause.MOVES]
    assert causes(box, "q", seed=tensor([1.0, 0.0])) == [
        Cause.CLAMPED, Cause.PROJECTED,
    ]  # fmt: skip
    lp = qp_of([0.0, -1.0, 0.0], *SIMPLEX)
    assert causes(lp, "h", seed=torch.ones(3).double())[0] == Cause.PROJECTED


def test_paragraphs_carry_the_numbers():
    batch = batch_of(sample(0)[0], sample(0, "weakly_active")[0], infeasible())
    text = str(qp.explain(batch, qp.solve(batch), "h"))
    first, second, third = text.split("instance ")[1:]
    assert first.startswith("(0,), gradient in h: differentiable;")
    assert "rows 2 to 4: inactive row. There is room of 0.559" in first
    assert second.startswith("(1,), gradient in h: one-sided;")
    assert "row 0: weakly active row." in second
    assert "PRIMAL_INFEASIBLE" in third
    assert "nan" not in first + second


def test_explanation_without_a_solution_and_of_an_unknown_field():
    problem = INFEASIBLE["crossed bounds"]
    assert causes(problem, "h") == [Cause.NOT_SOLVED] * 2
    with pytest.raises(ValueError, match=r"wrt: expected one of .* got 'c'"):
        qp.explain(problem, qp.solve(problem), "c")
