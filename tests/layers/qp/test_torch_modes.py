"""Second derivatives of the layer by every mix of modes, which all have to agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, func
from torch.autograd import forward_ad

from companion.layers import qp
from companion.layers.qp import engines
from companion.problems import QP, QPSolution
from tests.layers.qp.cases import as_torch, direction, sample
from tests.layers.qp.families import qp_of, relu
from tests.layers.qp.test_sparse import as_sparse, banded

MODES = (func.jacrev, func.jacfwd)
STEP = 1e-4
# torch's own, of every first sparse tensor
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")


def box() -> QP:
    """A separable program with bounds that are active and bounds that are not."""
    y = torch.linspace(-1, 1, 30, dtype=torch.float64)
    eye, ones = torch.eye(30, dtype=torch.float64), torch.ones_like(y)
    rows, room = torch.cat([-eye, 2 * eye]), torch.cat([0 * y, 0.4 * ones])
    return QP((1 + y.abs()).diag(), -y - 0.2, (1.5 + y)[None], ones[:1], rows, room)


def regular() -> QP:
    return as_torch(sample(3)[0])


def contradictory() -> QP:
    """More contradicting rows than variables: they alone say what x is."""
    P, A = [[2.0, 0.3], [0.3, 1.0]], [[0.3, 1.0]]
    G = [[1.0, 0.1], [-1.0, 0.2], [0.1, -1.0]]
    return qp_of([0.3, -0.2], G, [-1.0, -1.0, -3.0], A, [0.2], P)


def solved(**choices):
    return lambda problem: qp.solve(problem, **choices)


def nearest(problem: QP) -> QPSolution:
    return qp.closest(problem).solution


ROUTES = {
    "active_set": (regular, solved(engine="active_set")),
    "separable": (box, solved(engine="separable")),
    "interior_point": (regular, solved(engine="interior_point")),
    "sparse": (regular, solved(engine="sparse")),
    "smoothed": (regular, solved(smoothing=0.1)),
    "closest": (contradictory, nearest),
}


def loss(route: str):
    """A function of speeds t: one for every field, and what it starts at."""
    if engines.compiled() is None and route in ("active_set", "separable"):
        pytest.skip("the compiled engine needs numba")
    make, solve = ROUTES[route]
    problem, rng = make(), np.random.default_rng(4)
    pairs = zip(direction(rng, problem).fields, problem.fields, strict=True)
    # the separable engine refuses what is full
    full = route != "separable"
    moves = [0.1 * d * (1.0 if full else v != 0) for d, v in pairs]
    size = problem.n + problem.p + 2 * problem.m
    weight = torch.from_numpy(rng.normal(size=(3, size)))

    def f(t: Tensor) -> Tensor:
        parts = zip(problem.fields, t, moves, strict=True)
        sol = solve(QP(*(v + a * d for v, a, d in parts)))
        outputs = torch.cat([sol.x, sol.nu, sol.lam, sol.slack])
        return (weight @ outputs).sin().sum() + sol.value.cos()

    return f, torch.zeros(6, dtype=torch.float64)


def close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("route", ROUTES)
def test_mixed_modes(route):
    f, t = loss(route)
    found = [one(other(f))(t) for one in MODES for other in MODES]
    gradient = func.grad(f)
    steps = STEP * torch.eye(6, dtype=torch.float64)
    want = torch.stack([gradient(d) - gradient(-d) for d in steps]) / (2 * STEP)
    assert want.abs().amax(0).min() > 1e-4  # no field is left out
    for H in found:
        close(H, found[0])
        torch.testing.assert_close(H, want, rtol=1e-4, atol=1e-5)
    u, v = torch.linspace(1, 2, 6).double(), torch.linspace(2, -1, 6).double()
    twice = func.jvp(lambda t: func.jvp(f, (t,), (u,))[1], (t,), (v,))[1]
    close(twice, u @ found[0] @ v)
    with forward_ad.dual_level():  # forward over reverse without torch.func
        dual = forward_ad.make_dual(t.clone().requires_grad_(), v)
        (grad,) = torch.autograd.grad(f(dual), dual)
        tangent = forward_ad.unpack_dual(grad).tangent
    close(tangent, found[0] @ v)


def test_mixed_modes_take_the_symmetric_representative_in_P():
    problem = regular()

    def f(P: Tensor) -> Tensor:
        return qp.solve(QP(P, *problem.fields[1:])).x.sin().sum()

    close(func.jacfwd(f)(problem.P), func.jacrev(f)(problem.P))
    found = [one(other(f))(problem.P) for one in MODES for other in MODES]
    assert found[0].abs().max() > 1e-3
    for H in found:
        close(H, found[0])


def test_mixed_modes_of_a_sparse_program():
    problem = as_sparse(*banded(3, 2))
    P, q, A, b, G, h = problem.fields

    def f(q: Tensor, b: Tensor, h: Tensor) -> Tensor:
        return qp.layer(QP(P, q, A, b, G, h), engine="sparse").sin().sum()

    given = [v.clone().requires_grad_() for v in (q, b, h)]
    moves = [torch.linspace(1, 2, len(v), dtype=v.dtype) for v in given]
    grads = torch.autograd.grad(f(*given), given, create_graph=True)
    along = sum((g * d).sum() for g, d in zip(grads, moves, strict=True))
    want = torch.autograd.grad(along, given)
    for graph in (False, True):
        with forward_ad.dual_level():
            dual = list(map(forward_ad.make_dual, given, moves))
            grads = torch.autograd.grad(f(*dual), dual, create_graph=graph)
            found = [forward_ad.unpack_dual(g).tangent for g in grads]
        close(torch.cat(found), torch.cat(want))
    with pytest.raises(RuntimeError, match="Sparse CSR tensors do not"):
        func.jvp(lambda q: f(q, b, h), (q,), (q,))  # torch.func knows none


def test_mixed_modes_refuse_a_directional_choice_at_a_kink():
    problem, one = relu(0.0), torch.ones(1, dtype=torch.float64)

    def f(q: Tensor) -> Tensor:
        problem_at = QP(problem.P, q, *problem.fields[2:])
        return qp.layer(problem_at, at_kink="directional").sin().sum()

    def speed(q: Tensor) -> Tensor:
        return func.jvp(f, (q,), (one,))[1]

    zero = 0 * one
    for second in (
        lambda: func.jvp(speed, (zero,), (one,)),
        lambda: func.grad(speed)(zero),
        lambda: func.vmap(func.jacfwd(speed))(torch.stack([one, zero])),
    ):
        with pytest.raises(RuntimeError, match="one derivative at a kink"):
            second()
    close(func.jvp(speed, (-one,), (one,))[1], -one.sin().sum())
