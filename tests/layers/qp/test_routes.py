"""Six routes to one derivative: where they agree, by how much, and when they refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from companion.gradcheck import taylor
from companion.layers import qp
from companion.layers.qp import routes
from companion.problems import QP, SolveError
from tests import oracles
from tests.layers.qp.cases import (
    FIELDS,
    as_torch,
    batch_of,
    direction,
    infeasible,
    moved,
    sample,
)

ANY = float("inf")
MU = 1e-7
# gradients relative to the largest entry, on samples with margins of one half or more
STATED = {
    "active_set": ("active_set", 1e-10),
    "full_kkt": ("full_kkt", 1e-10),
    "unrolled": (routes.Unrolled(steps=6000), 1e-5),
    "alternating": (routes.Alternating(steps=1000, tolerance=1e-9), 1e-8),
    "perturbed": (routes.Perturbed(1e-3, central=True), 1e-9),
    "smoothed": (routes.Smoothed(MU), 100 * MU),
}
EXACT = ("active_set", "full_kkt", "alternating", "perturbed")


def leaves(problem: QP) -> QP:
    return problem.map(lambda v: v.clone().requires_grad_())


def gradients(problem: QP, route, seed: int = 0) -> list[torch.Tensor]:
    """Gradients of a loss that sees the minimizer and both multipliers."""
    fields = leaves(problem)
    sol = qp.solve(fields, route=route)
    rng = np.random.default_rng(seed)
    loss = sum(
        (torch.as_tensor(rng.normal(size=v.shape)) * v).sum()
        for v in (sol.x, sol.nu, sol.lam)
    )
    return list(torch.autograd.grad(loss, fields.fields))


@pytest.fixture(scope="module")
def found():
    problem = batch_of(*(sample(seed)[0] for seed in (0, 1, 2, 6)))
    return {name: gradients(problem, route) for name, (route, _) in STATED.items()}


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(STATED, 2)])
def test_routes_agree_pairwise_to_the_sum_of_their_stated_errors(found, one, other):
    allowed = STATED[one][1] + STATED[other][1]
    for name, u, v in zip(FIELDS, found[one], found[other], strict=True):
        gap = float((u - v).abs().max() / v.abs().max())
        assert gap <= allowed, f"{name}: {gap:.1e}"


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("seed", range(3))
def test_exact_routes_have_taylor_order_two_against_another_solver(name, seed):
    problem = as_torch(sample(seed)[0])
    grads = gradients(problem, STATED[name][0], seed)
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=k) for k in (problem.n, problem.p, problem.m)]
    d = direction(np.random.default_rng(seed + 50), problem).map(lambda v: 0.05 * v)
    slope = sum(float((g * dv).sum()) for g, dv in zip(grads, d.fields, strict=True))

    def loss(t):
        shifted = moved(problem, d, float(t)).map(lambda v: v.numpy())
        point = oracles.active_set(*shifted.fields)
        return np.asarray(sum(w @ v for w, v in zip(weights, point, strict=True)))

    for sign in (1.0, -1.0):
        report = taylor(loss, np.zeros(()), np.asarray(sign), sign * slope)
        assert report.passes, report


def test_one_sided_perturbation_is_off_by_half_the_temperature_in_P_and_not_in_q():
    problem, tau = as_torch(sample(1)[0]), 1e-2
    g = torch.as_tensor(np.random.default_rng(3).normal(size=4))

    def of_x(route):
        fields = leaves(problem)
        return torch.autograd.grad(g @ qp.layer(fields, route=route), fields.fields)

    true = QP(*of_x("active_set"))
    once = QP(*of_x(routes.Perturbed(tau)))
    twice = QP(*of_x(routes.Perturbed(tau, central=True)))
    bias = tau / 2 * torch.outer(true.q, true.q)
    assert bias.abs().max() > 1e-4
    torch.testing.assert_close(once.P - true.P, bias, rtol=1e-8, atol=1e-11)
    torch.testing.assert_close(once.q, true.q, rtol=1e-9, atol=1e-11)
    bias = -tau * torch.outer(true.h, true.q)
    torch.testing.assert_close(once.G - true.G, bias, rtol=1e-8, atol=1e-11)
    for u, v in zip(twice.fields, true.fields, strict=True):
        torch.testing.assert_close(u, v, rtol=1e-9, atol=1e-11)


def corner(q: float = 0.0) -> QP:
    """Min ½x² + qx over x ≥ 0: a kink at q = 0."""
    one = torch.ones(1, 1).double()
    return QP(one, torch.tensor([q]).double(), G=-one, h=torch.zeros(1).double())


def square(*cost: float) -> QP:
    """A linear program on the unit square."""
    eye = torch.eye(2).double()
    h = torch.tensor([1.0, 1, 0, 0]).double()
    q = torch.tensor(cost).double()
    return QP(0 * eye, q, G=torch.cat([eye, -eye]), h=h)


@pytest.mark.parametrize(
    "problem",
    [as_torch(sample(2)[0]), as_torch(sample(2, "weakly_active")[0]), corner(),
     square(-1.0, 0.0)],
    ids=["regular", "weakly active", "kink", "tied linear program"],
)  # fmt: skip
def test_smoothed_passes_gradcheck_also_where_the_solution_has_no_derivative(problem):
    kept = [k for k, v in zip(FIELDS, problem.fields, strict=True) if v.numel()]

    def outputs(*values):
        fields = dict(zip(kept, values, strict=True))
        fields["P"] = 0.5 * (fields["P"] + fields["P"].mT)
        if len(problem.h) == 4:
            fields["P"] = fields["P"].square()  # stays positive semidefinite
        sol = qp.solve(QP(**fields), route=routes.Smoothed(1e-2))
        return tuple(v for v in (sol.x, sol.nu, sol.lam) if v.numel())

    inputs = tuple(getattr(problem, k).clone().requires_grad_() for k in kept)
    assert torch.autograd.gradcheck(outputs, inputs)


@pytest.mark.parametrize("mu", [1e-1, 1e-4, 1e-8])
def test_smoothed_point_has_equal_products(mu):
    problem = as_torch(sample(4)[0])
    sol = qp.solve(problem, route=routes.Smoothed(mu))
    np.testing.assert_allclose(sol.lam * sol.slack, mu, rtol=1e-6)
    force = problem.P @ sol.x + problem.q + problem.A.mT @ sol.nu
    np.testing.assert_allclose(force + problem.G.mT @ sol.lam, 0, atol=1e-8)


def test_unrolled_gradient_is_that_of_the_iterate_not_of_the_solution():
    problem = as_torch(sample(0, shape=(3, 1, 3))[0])

    def outputs(q, b, h):  # the derivative holds the rate fixed: these leave it alone
        fields = QP(problem.P, q, problem.A, b, problem.G, h)
        sol = qp.solve(fields, route=routes.Unrolled(7, tolerance=ANY))
        return sol.x, sol.lam

    inputs = tuple(
        v.clone().requires_grad_() for v in (problem.q, problem.b, problem.h)
    )
    assert torch.autograd.gradcheck(outputs, inputs)
    few, many = (
        gradients(problem, routes.Unrolled(k, tolerance=ANY)) for k in (7, 4000)
    )
    true = gradients(problem, "full_kkt")
    assert (few[1] - true[1]).abs().max() > 1e-2
    torch.testing.assert_close(many[1], true[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("regime", ["weakly_active", "licq_failing"])
def test_full_kkt_refuses_a_singular_matrix(regime):
    problem = batch_of(sample(0)[0], sample(0, regime)[0])
    with pytest.raises(routes.DerivativeError, match=r"in 1 of 2 .* number 1"):
        gradients(problem, "full_kkt")


@pytest.mark.parametrize(
    "route", [routes.Unrolled(10), routes.Alternating(10)], ids=["dual", "admm"]
)
def test_truncated_routes_refuse_a_point_that_is_not_within_tolerance(route):
    problem = as_torch(sample(0)[0])
    with pytest.raises(SolveError, match="MAX_ITERATIONS"):
        qp.layer(problem, route=route)
    sol = qp.solve(problem, route=type(route)(10, tolerance=ANY))
    assert sol.info["residual"].item() > 1e-6


def test_alternating_refuses_an_adjoint_that_still_moves():
    problem, _ = sample(0)  # scaled: within the tolerance from the start
    small = QP(problem.P, 1e-9 * problem.q, problem.A, 1e-9 * problem.b,
               problem.G, 1e-9 * problem.h)  # fmt: skip
    x = qp.layer(leaves(as_torch(small)), route=routes.Alternating(60, 1e-8))
    with pytest.raises(routes.DerivativeError, match="last of 60 steps to move"):
        x.sum().backward()


@pytest.mark.parametrize("route", [*STATED][1:])
def test_flat_objectives_are_served_or_refused_but_never_guessed(route):
    problem = square(1.0, 2.0)
    if route == "unrolled":
        with pytest.raises(ValueError, match="expected P ≻ 0, got another"):
            qp.layer(problem, route=route)
        return
    fields = leaves(problem)
    x = qp.layer(fields, route=route)
    (grad_q, grad_h) = torch.autograd.grad(x[0], (fields.q, fields.h))
    allowed = {"smoothed": 2e-2}.get(route, 1e-6)
    np.testing.assert_allclose(grad_q, 0, atol=allowed)
    np.testing.assert_allclose(grad_h, [0, 0, -1, 0], atol=allowed)


def test_alternating_needs_curvature_somewhere():
    flat = QP(torch.zeros(2, 2).double(), torch.zeros(2).double(),
              G=torch.ones(1, 2).double(), h=torch.ones(1).double())  # fmt: skip
    with pytest.raises(ValueError, match=r"expected P \+ ρ"):
        qp.layer(flat, route="alternating")


def test_warm_perturbation_sees_the_next_vertex_where_the_derivative_is_zero():
    for tau, expected in {0.5: 0.0, 4.0: -0.25}.items():
        fields = leaves(square(-1.0, -2.0))
        x = qp.layer(fields, route=routes.Perturbed(tau))
        (grad,) = torch.autograd.grad(x[0], fields.q)  # pulled: cost (-1 + tau, -2)
        np.testing.assert_allclose(grad, [expected, 0], atol=1e-9)


def test_perturbed_says_so_when_the_pulled_program_has_no_solution():
    eye = torch.eye(1).double()
    fields = leaves(QP(0 * eye, torch.ones(1).double(), G=-eye, h=eye[0]))
    x = qp.layer(fields, route=routes.Perturbed(2.0))
    with pytest.raises(routes.DerivativeError, match="got DUAL_INFEASIBLE in 1 of 1"):
        (-x).sum().backward()


@pytest.mark.parametrize("name", [*STATED][1:])
def test_failed_instance_is_nan_with_zero_gradient_and_harms_no_neighbour(name):
    route = STATED[name][0]
    alone = batch_of(sample(0)[0])
    both = leaves(batch_of(sample(0)[0], infeasible()))
    x = qp.layer(both, on_failure="nan", route=route)
    assert x[1].isnan().all()
    grads = torch.autograd.grad(x[0].sum(), both.fields)
    fields = leaves(alone)
    want = torch.autograd.grad(qp.layer(fields, route=route).sum(), fields.fields)
    for got, one in zip(grads, want, strict=True):
        assert not got[1].any()
        torch.testing.assert_close(got[:1], one, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*STATED][1:])
def test_shared_field_receives_the_sum(name):
    route = routes.Unrolled(60, ANY) if name == "unrolled" else STATED[name][0]
    base = as_torch(sample(3)[0])
    q = torch.stack([base.q, base.q + 1e-3, base.q - 2e-3])
    shared = leaves(QP(base.P, q, *base.fields[2:]))
    (got,) = torch.autograd.grad(qp.layer(shared, route=route).sum(), shared.G)
    each = [leaves(QP(base.P, one, *base.fields[2:])) for one in q]
    want = sum(
        torch.autograd.grad(qp.layer(one, route=route).sum(), one.G)[0] for one in each
    )
    torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["full_kkt", "alternating", "perturbed", "smoothed"])
def test_second_derivatives_are_refused(name):
    fields = leaves(as_torch(sample(0)[0]))
    x = qp.layer(fields, route=name)
    with pytest.raises(routes.DerivativeError, match="create_graph: expected route"):
        torch.autograd.grad(x.sum(), fields.G, create_graph=True)


def test_unknown_route_is_named():
    with pytest.raises(ValueError, match=r"route: expected one of active_set, .*'kkt'"):
        qp.layer(as_torch(sample(0)[0]), route="kkt")
    with pytest.raises(ValueError, match="smoothed: expected mu > 0, got 0"):
        qp.layer(as_torch(sample(0)[0]), route=routes.Smoothed(0.0))
