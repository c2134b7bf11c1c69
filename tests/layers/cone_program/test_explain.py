"""Why a gradient is zero: the causes, held against gradients and one-sided slopes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.layers import cone_program
from companion.layers.cone_program.explain import Cause
from companion.problems import ConeProgram, Cones, ConeSolution
from tests.layers.cone_program.cases import (
    EVERY,
    FIELDS,
    PRODUCTS,
    batch_of,
    disc,
    infeasible,
    sample,
)

ZERO = {
    *(Cause.INACTIVE, Cause.VERTEX, Cause.CLAMPED, Cause.MEETS_ZERO),
    *(Cause.NOT_SOLVED, Cause.PROJECTED),
}


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def causes(problem, wrt="b", sol=None, **options):
    sol = cone_program.solve(problem) if sol is None else sol
    return [
        r.cause for r in cone_program.explain(problem, sol, wrt, **options).reasons[0]
    ]


def nearest(target, K: Cones) -> ConeProgram:
    """The nearest point of K to a target: x = Π_K(target), y = x − target."""
    target = tensor(target)
    eye = torch.eye(len(target)).double()
    return ConeProgram(eye, -target, -eye, 0 * target, K)


def exact(problem: ConeProgram, x, y) -> ConeSolution:
    """A solution in floats, s = b − Ax."""
    x, y = tensor(x), tensor(y)
    s = problem.b - problem.A @ x
    value = 0.5 * x @ problem.P @ x + problem.q @ x
    assert (problem.P @ x + problem.A.mT @ y + problem.q).abs().max() < 1e-14
    return ConeSolution(x, y, s, value, torch.tensor(0))


@pytest.mark.parametrize("regime", ["strictly_complementary", "linear"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_causes_say_which_gradients_are_zero_for_every_seed(name, regime):
    problem, _ = sample(0, PRODUCTS[name], regime)
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = cone_program.solve(leaves)
    rng = np.random.default_rng(5)
    seeds = torch.from_numpy(rng.normal(size=(3, problem.n)))
    grads = [
        torch.autograd.grad((sol.x * seed).sum(), leaves.fields, retain_graph=True)
        for seed in seeds
    ]
    for wrt, *parts in zip(FIELDS, *grads, strict=True):
        size = torch.stack([v.abs() for v in parts]).amax(0)
        rows = size.amax(-1) if wrt in "PA" else size
        reasons = cone_program.explain(problem, sol, wrt).reasons[0]
        assert len(reasons) == len({r.part for r in reasons})
        for reason in reasons:
            largest = float(rows[reason.part.first : reason.part.last + 1].max())
            if reason.cause in ZERO:
                assert largest < 1e-9 * (1 + float(rows.max()))
            else:
                assert reason.cause == Cause.MOVES
                assert largest > 1e-7


KINKS = {
    "half line": (Cones(nonneg=1), [0.0], [0.0], Cause.WEAK),
    "soc, boundary": (Cones(soc=(3,)), [5.0, 3, 4], [5.0, 3, 4], Cause.WEAK),
    "soc, tip": (Cones(soc=(3,)), [0.0, 0, 0], [0.0, 0, 0], Cause.TIP),
    "soc, polar": (Cones(soc=(3,)), [-5.0, 3, 4], [0.0, 0, 0], Cause.UNPRESSED_TIP),
    "psd, ranks 1 and 0": (Cones(psd=(2,)), [1.0, 0, 0], [1.0, 0, 0], Cause.RANKS),
    "psd, ranks 0 and 1": (Cones(psd=(2,)), [-1.0, 0, 0], [0.0, 0, 0], Cause.RANKS),
    "psd, ranks 1 and 1": (
        Cones(psd=(3,)), [2.0, 0, 0, 0, 0, -1], [2.0, 0, 0, 0, 0, 0], Cause.RANKS),
    "psd, tip": (Cones(psd=(2,)), [0.0, 0, 0], [0.0, 0, 0], Cause.TIP),
    "exp, boundary": (Cones(exp=1), [0.0, 1, 1], [0.0, 1, 1], Cause.WEAK),
    "exp, tip": (Cones(exp=1), [0.0, 0, 0], [0.0, 0, 0], Cause.TIP),
    "exp, polar": (
        Cones(exp=1), [1.0, 0, -np.exp(-1)], [0.0, 0, 0], Cause.UNPRESSED_TIP),
    "exp, end of the face": (Cones(exp=1), [0.0, -1, 1], [0.0, 0, 1], Cause.KINK),
    "exp_dual, boundary": (
        Cones(exp_dual=1), [-1.0, -1, 1], [-1.0, -1, 1], Cause.WEAK),
    "power, boundary": (Cones(power=(0.5,)), [4.0, 1, 2], [4.0, 1, 2], Cause.WEAK),
    "power, tip": (Cones(power=(0.5,)), [0.0, 0, 0], [0.0, 0, 0], Cause.TIP),
    "power_dual, boundary": (
        Cones(power=(-0.5,)), [2.0, 0.5, 2], [2.0, 0.5, 2], Cause.WEAK),
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_every_kink_of_every_cone_is_named_and_bends_x(name):
    """The point nearest to a target; v = y − s = −target is a kink of Π."""
    K, target, x, cause = KINKS[name]
    problem = nearest(target, K)
    sol = exact(problem, x, np.subtract(x, target))
    assert causes(problem, sol=sol) == [cause]
    assert set(causes(problem, "q", sol=sol)) <= {
        *(Cause.ONE_SIDED, Cause.MOVES, Cause.VERTEX, Cause.CLAMPED)
    }
    # along ±d the speeds of the projection do not add up to zero, for some d
    rng = np.random.default_rng(0)
    h, bent = 1e-5, []
    for d in rng.normal(size=(4, len(target))):
        ends = [
            cone_program.layer(nearest(np.asarray(target) + t * d, K)) for t in (h, -h)
        ]
        bent.append(float((ends[0] + ends[1] - 2 * tensor(x)).abs().max()) / h)
    assert max(bent) > 1e-2
    text = str(cone_program.explain(problem, sol))
    assert "one-sided" in text
    assert "rounding may choose" in text


INSIDE = {
    "soc": (Cones(soc=(3,)), [3.0, 1, 1], [-3.0, 1, 1]),
    "psd": (Cones(psd=(2,)), [2.0, 0.5, 1], [-2.0, 0.5, -1]),
    "exp": (Cones(exp=1), [0.0, 1, 2], [2.0, -3, -9]),
    "exp_dual": (Cones(exp_dual=1), [-1.0, 0, 1], [0.0, -1, -2]),
    "power": (Cones(power=(0.5,)), [2.0, 2, 0], [-2.0, -2, 0]),
    "nonneg": (Cones(nonneg=2), [1.0, 2.0], [-1.0, -2.0]),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_slack_inside_is_inactive_and_a_pressed_tip_is_a_vertex(name):
    K, inside, polar = INSIDE[name]
    free, held = nearest(inside, K), nearest(polar, K)
    assert set(causes(free)) == {Cause.INACTIVE}
    assert set(causes(free, "q")) == {Cause.MOVES}
    reason = cone_program.explain(free, cone_program.solve(free)).reasons[0][0]
    assert reason.block.slack > 0.5
    assert reason.block.kink > 0.1
    assert set(causes(held)) == {Cause.MOVES}  # x = −b follows
    assert set(causes(held, "q")) == {Cause.VERTEX}
    assert set(causes(held, "P")) == {Cause.MEETS_ZERO}


def test_equal_rows_have_no_unique_multiplier():
    problem, _ = sample(0, EVERY, "repeated_row")
    found = causes(problem)
    assert Cause.DEPENDENT in found
    assert Cause.TIED not in found
    one, two = torch.ones(1, 1).double(), torch.ones(2, 1).double()
    # x ≥ 1 twice, once as a half line and once as a matrix
    program = ConeProgram(one, 0 * one[0], -two, -two[:, 0], Cones(nonneg=1, psd=(1,)))
    assert causes(program) == [Cause.DEPENDENT] * 2
    ball = ConeProgram(  # x = 0 by ‖x‖ ≤ 0 and by x ≥ 0
        one, one[0], tensor([[-1.0], [0], [-1]]), tensor([0.0, 0, 0]),
        Cones(nonneg=1, soc=(2,)),
    )  # fmt: skip
    assert causes(ball) == [Cause.DEPENDENT] * 2


def test_tied_optimum_and_failed_instances():
    problem = disc()
    flat = ConeProgram(problem.P, 0 * problem.q, *problem.fields[2:], problem.K)
    assert set(causes(flat)) == set(causes(flat, "q")) == {Cause.TIED}
    assert set(causes(infeasible())) == {Cause.NOT_SOLVED}


def test_held_variable_and_seed_projected_out():
    eye = torch.eye(2).double()
    box = ConeProgram(eye, tensor([-2.0, 0.5]), eye[:1], eye[0, :1], Cones(nonneg=1))
    assert causes(box, "q") == [Cause.CLAMPED, Cause.MOVES]  # x = (1, −½)
    found = causes(box, "q", seed=tensor([1.0, 0]))
    assert found == [Cause.CLAMPED, Cause.PROJECTED]
    assert causes(box, "b", seed=tensor([0.0, 1])) == [Cause.PROJECTED]


def test_a_block_that_pushes_a_kink_is_one_sided_and_one_that_does_not_moves():
    """x₀ on the boundary of a half line by chance; x₁ has nothing to do with it."""
    eye = torch.eye(2).double()
    problem = ConeProgram(eye, tensor([0.0, 1.0]), -eye, 0 * eye[0], Cones(nonneg=2))
    sol = exact(problem, [0.0, 0.0], [0.0, 1.0])
    assert causes(problem, "q", sol=sol) == [Cause.ONE_SIDED, Cause.CLAMPED]
    assert causes(problem, "b", sol=sol) == [Cause.WEAK, Cause.MOVES]


def test_paragraphs_carry_the_numbers():
    batch = batch_of(disc(0.7), infeasible())
    text = str(cone_program.explain(batch, cone_program.solve(batch)))
    first, second = text.split("instance ")[1:]
    assert first.startswith("(0,), gradient in b: differentiable; every block is")
    assert "row 0: inactive. The slack, of size 1, is inside its cone" in first
    assert "soc block in rows 2 to 4: x moves." in first
    assert "PRIMAL_INFEASIBLE" in second
    K = Cones(psd=(2,))
    singular = nearest([1.0, 0, 0], K)
    sol = exact(singular, [1.0, 0, 0], [0.0, 0, 0])
    ranks = str(cone_program.explain(singular, sol))
    assert "rank 1 and multiplier of rank 0 do not fill the 2 dimensions" in ranks


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="wrt: expected one of P, q, A, b, got 'h'"):
        cone_program.explain(disc(), cone_program.solve(disc()), "h")
