"""The QP layer: right answers, right gradients, untouched neighbours, clear errors."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch

from companion import sampling
from companion.gradcheck import taylor
from companion.layers import qp
from companion.problems import QP, SolveError, Status
from companion.reference import qp as reference
from tests import oracles

FIELDS = ("P", "q", "A", "b", "G", "h")
OUTPUTS = ("x", "nu", "lam", "slack", "value")
SHAPES = [(4, 1, 5), (4, 1, 0), (4, 0, 5), (4, 0, 0), (1, 0, 1)]


def as_torch(problem: QP, dtype: torch.dtype = torch.float64) -> QP:
    return problem.map(lambda v: torch.as_tensor(v, dtype=dtype))


def sample(seed: int, regime: str = "strictly_complementary", shape=(4, 1, 5)):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


def batch_of(*problems: QP) -> QP:
    return QP(
        *(
            torch.stack([torch.as_tensor(v) for v in f])
            for f in zip(*(problem.fields for problem in problems), strict=True)
        )
    )


def direction(rng: np.random.Generator, problem: QP) -> QP:
    """A random perturbation of every field, symmetric in P."""
    d = problem.map(lambda v: torch.as_tensor(rng.normal(size=v.shape)))
    return QP(d.P + d.P.mT, *d.fields[1:])


def moved(problem: QP, d: QP, t: float) -> QP:
    return QP(*(v + t * dv for v, dv in zip(problem.fields, d.fields, strict=True)))


# ---------------------------------------------------------------- solutions


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
@pytest.mark.parametrize("seed", range(5))
def test_solution_is_the_one_the_instance_was_built_from(regime, seed):
    problem, truth = sample(seed, regime)
    sol = qp.solve(as_torch(problem))
    assert sol.status == Status.SOLVED
    for name in ("x", "nu", "lam", "slack", "value"):
        expected = np.asarray(getattr(truth, name))
        scale = 1 + np.abs(expected).max(initial=0)
        assert (
            np.abs(getattr(sol, name).numpy() - expected).max(initial=0) < 1e-7 * scale
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_matches_reference(shape, seed):
    problem, _ = sample(seed, shape=shape)
    ours, theirs = qp.solve(as_torch(problem)), reference.solve(problem)
    assert ours.status == theirs.status == Status.SOLVED
    for name in OUTPUTS:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), atol=1e-7
        )


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_kkt_conditions_hold_in_every_regime(regime):
    for seed in range(5):
        problem, _ = sample(seed, regime)
        sol = qp.solve(as_torch(problem))
        assert sol.status == Status.SOLVED
        residual = reference.kkt_residual(
            problem, sol.x.numpy(), sol.nu.numpy(), sol.lam.numpy()
        )
        scale = 1 + max(np.abs(v).max(initial=0) for v in problem.fields)
        assert np.abs(residual).max() < 1e-7 * scale
        assert sol.lam.min() > -1e-9 * scale
        assert sol.slack.min() > -1e-9 * scale


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_equals_loop(shape):
    problems = [sample(seed, shape=shape)[0] for seed in range(4)]
    together = qp.solve(batch_of(*problems))
    for i, problem in enumerate(problems):
        alone = qp.solve(as_torch(problem))
        for name in OUTPUTS:
            torch.testing.assert_close(
                getattr(together, name)[i], getattr(alone, name), rtol=1e-9, atol=1e-9
            )


@pytest.mark.parametrize("batch", [(0,), (1,), (3,), (2, 3), (0, 2)])
def test_leading_batch_axes_are_kept(batch):
    problem = as_torch(sample(0)[0])
    q = problem.q.expand(*batch, 4)
    sol = qp.solve(QP(problem.P, q, *problem.fields[2:]))
    assert sol.x.shape == (*batch, 4)
    assert sol.nu.shape == (*batch, 1)
    assert sol.lam.shape == sol.slack.shape == (*batch, 5)
    assert sol.value.shape == sol.status.shape == batch


def test_float32_in_is_float32_out_with_float64_inside():
    problem, truth = sample(0)
    single = as_torch(problem, torch.float32)
    sol = qp.solve(single)
    assert {getattr(sol, name).dtype for name in OUTPUTS} == {torch.float32}
    double = qp.solve(single.map(lambda v: v.double()))
    torch.testing.assert_close(sol.x, double.x.float(), rtol=0, atol=0)
    q = single.q.requires_grad_()
    (grad,) = torch.autograd.grad(qp.solve(single).x.sum(), q)
    assert grad.dtype == torch.float32
    np.testing.assert_allclose(sol.x, truth.x, atol=1e-4)


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
@pytest.mark.parametrize("seed", range(2))
def test_gradient_of_every_output_has_taylor_order_two(seed, regime, field):
    problem = as_torch(sample(seed, regime)[0])
    rng = np.random.default_rng(seed)
    d = direction(rng, problem)
    v = _safe_step(problem, d, field) * getattr(d, field)
    values = dict(zip(FIELDS, problem.fields, strict=True))
    leaf = values[field].clone().requires_grad_()
    sol = qp.solve(QP(**{**values, field: leaf}))
    weights = {
        k: torch.as_tensor(rng.normal(size=getattr(sol, k).shape)) for k in OUTPUTS
    }

    @functools.cache
    def solution(t):
        return qp.solve(QP(**{**values, field: values[field] + t * v}))

    for name, weight in weights.items():
        loss = (weight * getattr(sol, name)).sum()
        (grad,) = torch.autograd.grad(loss, leaf, retain_graph=True)

        def along(t, name=name, weight=weight):
            return (weight * getattr(solution(t.item()), name)).sum().numpy()

        slope = float((grad * v).sum())
        noise = 1e-9 if regime == "ill_conditioned" else 1e-12
        report = taylor(along, np.zeros(()), np.ones(()), slope, noise=noise)
        assert report.passes, (name, report)


def _safe_step(problem: QP, d: QP, field: str) -> float:
    """A length below which moving the field along d keeps the active set."""
    active = _active(qp.solve(problem))
    values = dict(zip(FIELDS, problem.fields, strict=True))
    if field == "P":
        floor = float(torch.linalg.eigvalsh(problem.P)[0])
        d = QP(d.P * min(1.0, floor), *d.fields[1:])
    for size in 4.0 ** -np.arange(14):
        moves = (t * size * getattr(d, field) for t in (1 / 16, 1 / 32, 1 / 64))
        sols = [qp.solve(QP(**{**values, field: values[field] + v})) for v in moves]
        if all(s.status == 0 and torch.equal(_active(s), active) for s in sols):
            return size / 4 * (min(1.0, floor) if field == "P" else 1.0)
    pytest.fail(f"no step along {field} keeps the active set")


def _active(sol) -> torch.Tensor:
    return sol.lam > sol.slack


@pytest.mark.parametrize("shape", SHAPES)
def test_torch_gradcheck_and_gradgradcheck(shape):
    n, p, m = shape
    problem = as_torch(sample(1, shape=(min(n, 3), p, min(m, 3)))[0])

    kept = [name for name, v in zip(FIELDS, problem.fields, strict=True) if v.numel()]

    def outputs(*leaves):
        values = dict(zip(kept, leaves, strict=True))
        values["P"] = 0.5 * (values["P"] + values["P"].mT)
        sol = qp.solve(QP(**values))
        return tuple(
            v for v in (sol.x, sol.nu, sol.lam, sol.slack, sol.value) if v.numel()
        )

    inputs = tuple(getattr(problem, name).clone().requires_grad_() for name in kept)
    assert torch.autograd.gradcheck(outputs, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(outputs, inputs)


@pytest.mark.parametrize("output", ["x", "nu", "lam", "slack"])
def test_gradient_equals_differences_through_an_exact_active_set_solver(output):
    for seed in range(4):
        problem = sample(seed)[0]
        tensors = as_torch(problem)
        leaves = tensors.map(lambda v: v.clone().requires_grad_())
        rng = np.random.default_rng(seed)
        out = getattr(qp.solve(leaves), output)
        weight = rng.normal(size=out.shape)
        grads = torch.autograd.grad(
            (torch.as_tensor(weight) * out).sum(), leaves.fields
        )
        d = direction(rng, tensors)
        slope = sum(
            float((g * dv).sum()) for g, dv in zip(grads, d.fields, strict=True)
        )

        def exact(t, tensors=tensors, d=d, weight=weight):
            shifted = moved(tensors, d, t).map(lambda v: v.numpy())
            x, nu, lam = oracles.active_set(*shifted.fields)
            values = {"x": x, "nu": nu, "lam": lam, "slack": shifted.h - shifted.G @ x}
            return float((weight * values[output]).sum())

        step = 1e-5
        difference = (exact(step) - exact(-step)) / (2 * step)
        assert abs(slope - difference) < 1e-6 * (1 + abs(difference))


def test_vjp_matches_reference():
    for seed in range(5):
        problem, _ = sample(seed)
        rng = np.random.default_rng(seed)
        gx, gnu, glam = rng.normal(size=4), rng.normal(size=1), rng.normal(size=5)
        expected = reference.vjp(problem, reference.solve(problem), gx, gnu, glam)
        leaves = as_torch(problem).map(lambda v: v.clone().requires_grad_())
        sol = qp.solve(leaves)
        loss = sum(
            (torch.as_tensor(g) * v).sum()
            for g, v in ((gx, sol.x), (gnu, sol.nu), (glam, sol.lam))
        )
        grads = torch.autograd.grad(loss, leaves.fields)
        for got, want in zip(grads, expected.fields, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6 * (1 + np.abs(want).max()))


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("shared", list(itertools.combinations(FIELDS, 3)))
def test_gradient_of_shared_parameter_is_the_sum(size, shared):
    base = as_torch(sample(3)[0])
    rng = np.random.default_rng(size)
    leaves, full = {}, {}
    for name, v in zip(FIELDS, base.fields, strict=True):
        noise = torch.as_tensor(1e-3 * rng.normal(size=(size, *v.shape)))
        if name == "P":
            noise = noise + noise.mT
        one = v.clone() if name in shared else v + noise
        leaves[name] = one.requires_grad_()
        full[name] = one.detach().expand(size, *v.shape).clone().requires_grad_()
    grads = torch.autograd.grad(
        qp.solve(QP(**leaves)).x.square().sum(), leaves.values()
    )
    each = torch.autograd.grad(qp.solve(QP(**full)).x.square().sum(), full.values())
    for name, got, want in zip(FIELDS, grads, each, strict=True):
        expected = want.sum(0) if name in shared else want
        assert got.abs().max() > 0
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_duplicate_active_row_gets_the_minimum_norm_multiplier_and_a_warning():
    one = torch.ones(1, 1, dtype=torch.float64)
    h = torch.ones(2, dtype=torch.float64, requires_grad=True)
    problem = QP(one, -3 * one[0], G=torch.cat([one, one]), h=h)
    sol = qp.solve(problem)
    assert torch.allclose(sol.x, torch.ones_like(sol.x))
    assert torch.allclose(sol.lam.sum(), torch.tensor(2.0, dtype=torch.float64))
    (grad,) = torch.autograd.grad(sol.x.sum(), h)
    assert torch.allclose(grad, torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert not qp.regularity(problem, sol).differentiable


# ---------------------------------------------------------------- neighbours


def infeasible() -> QP:
    problem, _ = sample(11)
    G, h = problem.G.copy(), problem.h.copy()
    G[1], h[1] = -G[0], -h[0] - 1.0
    return QP(problem.P, problem.q, problem.A, problem.b, G, h)


def unbounded() -> QP:
    problem, _ = sample(12)
    zero = np.zeros_like(problem.P)
    return QP(
        zero, np.ones(4), problem.A, 0 * problem.b, 0 * problem.G, problem.h**2 + 1
    )


def poisoned() -> QP:
    problem, _ = sample(13)
    q = problem.q.copy()
    q[2] = np.nan
    return QP(problem.P, q, *problem.fields[2:])


BAD = {
    "infeasible": (infeasible, Status.PRIMAL_INFEASIBLE),
    "unbounded": (unbounded, Status.DUAL_INFEASIBLE),
    "nan": (poisoned, Status.NUMERICAL_ERROR),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_instance_leaves_its_neighbours_bit_identical(kind):
    make, status = BAD[kind]
    good = [sample(seed)[0] for seed in range(3)]
    runs = []
    for middle in (make(), good[1]):
        leaves = batch_of(good[0], middle, good[2]).map(lambda v: v.requires_grad_())
        sol = qp.solve(leaves)
        kept = torch.nan_to_num(sol.x).sum() + torch.nan_to_num(sol.value).sum()
        grads = torch.autograd.grad(kept, leaves.fields)
        runs.append((sol, grads))
    (bad, bad_grads), (healthy, healthy_grads) = runs
    assert bad.status.tolist() == [0, status, 0]
    for name in OUTPUTS:
        mixed, clean = getattr(bad, name), getattr(healthy, name)
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert torch.isnan(mixed[1]).all()
    for mixed, clean in zip(bad_grads, healthy_grads, strict=True):
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert (mixed[1] == 0).all()


@pytest.mark.parametrize("kind", BAD)
def test_failed_instance_contributes_zero_to_a_shared_gradient(kind):
    make, _ = BAD[kind]
    good = as_torch(sample(0)[0])
    bad = as_torch(make())
    shared = good.A.clone().requires_grad_()
    P, q, _, b, G, h = batch_of(good, bad).fields
    x = qp.layer(QP(P, q, shared, b, G, h), on_failure="nan")
    (together,) = torch.autograd.grad(x[0].sum() + torch.nan_to_num(x[1]).sum(), shared)
    alone = qp.layer(QP(good.P, good.q, shared, *good.fields[3:]))
    (alone,) = torch.autograd.grad(alone.sum(), shared)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_layer_raises_an_error_that_counts_and_names_the_failures():
    batch = batch_of(sample(0)[0], infeasible(), sample(2)[0], poisoned())
    with pytest.raises(SolveError, match=r"2 of 4.*PRIMAL_INFEASIBLE.*1"):
        qp.layer(batch)
    x = qp.layer(batch, on_failure="nan")
    assert torch.isnan(x).all(-1).tolist() == [False, True, False, True]


# ---------------------------------------------------------------- bad input


def change(**fields):
    problem = as_torch(sample(0)[0])
    values = dict(zip(FIELDS, problem.fields, strict=True))
    return {**values, **{k: f(values[k]) for k, f in fields.items()}}


BAD_CALLS = {
    "shape": ({"G": lambda v: v[:, :3]}, ValueError, r"QP\.G: expected .*got"),
    "rows": ({"h": lambda v: v[:-1]}, ValueError, r"QP\.h: expected .*got"),
    "square": ({"P": lambda v: v[:-1]}, ValueError, r"QP\.P: expected .*got"),
    "batch": (
        {"q": lambda v: v.expand(2, -1), "h": lambda v: v.expand(3, -1)},
        ValueError,
        r"QP\.h: expected .*got",
    ),
    "integer": (
        {"b": lambda v: v.long()},
        TypeError,
        r"QP\.b: expected .*got .*int64",
    ),
    "mixed": (
        {"q": lambda v: v.float()},
        TypeError,
        r"QP\.q: expected .*got .*float32",
    ),
    "symmetric": (
        {"P": lambda v: v + torch.arange(16.0, dtype=v.dtype).reshape(4, 4)},
        ValueError,
        r"QP\.P: expected a symmetric .*got",
    ),
    "convex": (
        {"P": lambda v: v - 50 * torch.eye(4, dtype=v.dtype)},
        ValueError,
        r"QP\.P: expected a positive semidefinite .*got .*eigenvalue -",
    ),
    "type": ({"q": lambda v: v.tolist()}, TypeError, r"QP\.q: expected .*got list"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call_names_argument_expectation_and_what_came(name):
    fields, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message):
        qp.solve(QP(**change(**fields)))


def test_nonconvex_instance_is_named_by_its_index():
    good = as_torch(sample(0)[0])
    P = torch.stack([good.P, good.P - 50 * torch.eye(4, dtype=torch.float64)])
    with pytest.raises(ValueError, match=r"instance \(1,\)"):
        qp.solve(QP(P, *good.fields[1:]))


def test_numpy_problem_and_wrong_policy_are_refused():
    with pytest.raises(TypeError, match=r"QP\.P: expected a torch tensor, got ndarray"):
        qp.solve(sample(0)[0])
    with pytest.raises(ValueError, match="on_failure"):
        qp.layer(as_torch(sample(0)[0]), on_failure="zero")


# ---------------------------------------------------------------- regularity


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_regularity_tells_the_regimes_apart(regime):
    for seed in range(5):
        problem, _ = sample(seed, regime)
        tensors = as_torch(problem)
        reg = qp.regularity(tensors, qp.solve(tensors))
        assert bool(reg.differentiable) == (regime in sampling.REGULAR_REGIMES)
        small = {
            "weakly_active": reg.strict_complementarity,
            "licq_failing": reg.licq,
            "lp_face": reg.curvature,
        }.get(regime)
        assert small is None or small < 1e-6


def test_regularity_of_a_failed_instance_is_nan_and_not_differentiable():
    batch = batch_of(sample(0)[0], infeasible())
    reg = qp.regularity(batch, qp.solve(batch))
    assert reg.differentiable.tolist() == [True, False]
    assert torch.isnan(reg.condition[1])


# ---------------------------------------------------------------- module


@pytest.mark.parametrize(("p", "m"), [(2, 6), (0, 6), (2, 0), (0, 0)])
def test_module_learns_every_parameter_and_stays_feasible(p, m):
    generator = torch.Generator().manual_seed(0)
    module = qp.QPLayer(5, p, m, dtype=torch.float64, generator=generator)
    target = torch.linspace(-1, 1, 5, dtype=torch.float64)
    q = torch.randn(16, 5, dtype=torch.float64, generator=generator)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = (module(q) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        # without rows, the point that makes them feasible changes nothing
        silent = parameter.numel() == 0 or (name == "z0" and p == m == 0)
        assert silent or parameter.grad.abs().max() > 0


def test_module_refuses_impossible_sizes():
    with pytest.raises(ValueError, match="p < n"):
        qp.QPLayer(3, 3, 1)
