"""The batched projections are those of the reference, differentiable as promised."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from companion import sampling
from companion.layers import cones
from companion.problems import Block, Cones
from companion.reference import cones as reference

PRODUCTS = {
    "nonneg": Cones(nonneg=3),
    "soc": Cones(soc=(4,)),
    "psd": Cones(psd=(3,)),
    "exp": Cones(exp=1),
    "power": Cones(power=(0.3,)),
}
CASES = [(cone, region) for cone, named in sampling.REGIONS.items() for region in named]
SMOOTH = [case for case in CASES if case[1] not in sampling.KINKS]
EVERYTHING = Cones(2, 3, (1, 3, 5, 5), (1, 2, 3), 3, 2, (0.2, -0.3, 0.5, 0.93))
ACTS = ("project", "derivative", "project_dual", "derivative_dual")


def drawn(cone, region, count=3):
    return torch.tensor(np.array(sampling.points(cone, region, range(count))))


def dense(x, K):
    return torch.func.jacrev(lambda x: cones.project(x, K))(x)


@pytest.mark.parametrize(("cone", "region"), CASES)
@pytest.mark.parametrize("act", ACTS)
def test_matches_reference(cone, region, act):
    """In value and derivative, in every region and at every kink."""
    x, K = drawn(cone, region, 8), PRODUCTS[cone]
    expected = np.array([getattr(reference, act)(v, K) for v in x.numpy()])
    found = getattr(cones, act)(x, K).numpy()
    assert np.abs(found - expected).max() < 1e-12


@pytest.mark.parametrize("act", ACTS)
def test_matches_reference_on_products(act, rng):
    points = 3 * rng.normal(size=(300, EVERYTHING.rows))
    expected = np.array([getattr(reference, act)(v, EVERYTHING) for v in points])
    found = getattr(cones, act)(torch.tensor(points), EVERYTHING).numpy()
    assert np.abs(found - expected).max() < 1e-12


@pytest.mark.parametrize(
    "v", [(1e-3, -1.0, 1.0), (1e-200, -1.0, 1.0), (-1.0, 1e-9, -1)]
)
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_matches_reference_at_the_cliffs(v, scale):
    v = scale * np.array(v)
    for K in (Cones(exp=1), Cones(power=(0.999,)), Cones(power=(-0.001,))):
        expected = reference.project(v, K) / scale
        found = cones.project(torch.tensor(v), K).numpy() / scale
        assert np.abs(found - expected).max() < 1e-12
        D = cones.derivative(torch.tensor(v), K).numpy()
        assert np.abs(D - reference.derivative(v, K)).max() < 1e-12


@pytest.mark.parametrize(("cone", "region"), SMOOTH)
def test_passes_gradcheck_to_second_order(cone, region):
    x, K = drawn(cone, region, 2).requires_grad_(), PRODUCTS[cone]

    def project(x):
        return torch.stack([cones.project(x, K), cones.project_dual(x, K)])

    assert gradcheck(project, x, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(project, x, fast_mode=True)


def test_every_derivative_is_the_same_matrix(rng):
    """Reverse and forward mode, jvp, vjp and the dense one, in one batch."""
    x = torch.tensor(rng.normal(size=(5, EVERYTHING.rows)))
    D = cones.derivative(x, EVERYTHING)
    E = torch.eye(EVERYTHING.rows).double()
    reverse = torch.func.vmap(lambda x: dense(x, EVERYTHING))(x)
    forward = torch.stack(
        [torch.func.jacfwd(lambda x: cones.project(x, EVERYTHING))(v) for v in x]
    )
    columns = cones.jvp(x.unsqueeze(-2), E, EVERYTHING)
    rows = cones.vjp(x.unsqueeze(-2), E, EVERYTHING)
    for other in (reverse, forward, columns.mT, rows):
        assert (other - D).abs().max() < 1e-14
    dual = cones.jvp_dual(x.unsqueeze(-2), E, EVERYTHING)
    assert (dual - cones.derivative_dual(x, EVERYTHING)).abs().max() < 1e-14


def test_a_matrix_with_equal_eigenvalues_has_second_derivatives():
    """Where eigenvectors have none: differentiating through them would give NaN."""
    X = torch.diag(torch.tensor([2.0, 2.0, -1.0, -1.0]).double())
    x = cones.psd.vector(X).requires_grad_()
    K = Cones(psd=(4,))
    assert gradgradcheck(lambda x: cones.project(x, K), x)
    through = torch.linalg.eigh(cones.psd.matrix(x))[1].sum()
    assert not torch.isfinite(torch.autograd.grad(through, x)[0]).all()


def test_a_third_derivative_of_a_matrix_is_refused():
    x = torch.tensor([1.0, 0.5, -1.0]).double().requires_grad_()
    g = cones.project(x, Cones(psd=(2,))).sum()
    for _ in range(2):
        (g,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="two derivatives here, not three"):
        torch.autograd.grad(g.sum(), x)


def test_third_derivatives_of_the_ray_cones_are_right():
    """The root's derivative is itself differentiable: no order is wrong in silence."""

    def second(x):
        def inner(x):
            value = cones.project(x, Cones(exp=1, power=(0.3,))).pow(2).sum()
            return torch.autograd.grad(value, x, create_graph=True)[0]

        return torch.autograd.grad(inner(x)[[0, 4]].sum(), x, create_graph=True)[0]

    points = [
        sampling.points(cone, "between", range(1))[0] for cone in ("exp", "power")
    ]
    x = torch.tensor(np.concatenate(points)).requires_grad_()
    assert gradcheck(second, x)


def test_leading_axes_are_batch_axes(rng):
    x = torch.tensor(rng.normal(size=(2, 1, 3, EVERYTHING.rows)))
    p = cones.project(x, EVERYTHING)
    assert p.shape == x.shape
    single = torch.stack([cones.project(v, EVERYTHING) for v in x.flatten(0, 2)])
    assert torch.equal(single.reshape(x.shape), p)
    assert cones.derivative(x, EVERYTHING).shape == (*x.shape, EVERYTHING.rows)
    empty = cones.project(x[:0], EVERYTHING)
    assert empty.shape == (0, 1, 3, EVERYTHING.rows)
    assert cones.project(torch.zeros(4, 0), Cones()).shape == (4, 0)


def test_single_precision_in_single_precision_out(rng):
    x = torch.tensor(rng.normal(size=(4, EVERYTHING.rows)))
    near = cones.project(x.float(), EVERYTHING)
    assert near.dtype == torch.float32
    assert (near - cones.project(x, EVERYTHING)).abs().max() < 1e-6
    assert cones.jvp(x.float(), x.float(), EVERYTHING).dtype == torch.float32
    assert cones.derivative(x.float(), EVERYTHING).dtype == torch.float32


def test_a_nan_stays_in_its_instance_and_cone(rng):
    x = torch.tensor(rng.normal(size=(3, EVERYTHING.rows)))
    clean = cones.project(x, EVERYTHING)
    for group in cones.groups(EVERYTHING):
        if group.cone in ("psd", "zero"):  # eigh refuses NaN; zero forgets its point
            continue
        spoilt = x.clone()
        spoilt[1, group.rows.start] = torch.nan
        p = cones.project(spoilt, EVERYTHING)
        assert torch.isnan(p[1, group.rows]).any(), group
        same = torch.ones_like(x, dtype=torch.bool)
        same[1, group.rows] = False
        assert torch.equal(p[same], clean[same])


def test_a_long_cone_is_applied_without_its_matrix(rng):
    K = Cones(soc=(200_000,))
    x = torch.tensor(rng.normal(size=K.rows)).requires_grad_()
    (g,) = torch.autograd.grad(cones.project(x, K).pow(2).sum() / 2, x)
    assert torch.allclose(g, cones.project(x, K))  # the gradient of half the square


def test_blocks_and_groups_cover_the_rows_in_order():
    found = cones.blocks(EVERYTHING)
    assert found[0] == Block("zero", slice(0, 2), 2)
    assert [block.cone for block in found[-4:]] == ["power"] * 4
    edges = [0, *(block.rows.stop for block in found)]
    assert [block.rows.start for block in found] == edges[:-1]
    assert edges[-1] == EVERYTHING.rows
    taken = cones.groups(EVERYTHING)
    assert [group.count for group in taken] == [1, 1, 1, 1, 2, 1, 1, 1, 3, 2, 4]
    assert taken[-1].exponents == EVERYTHING.power


def test_every_cone_has_every_cell():
    fields = {field.name for field in dataclasses.fields(Cones)}
    assert cones.TABLE.keys() == fields
    for name, module in cones.TABLE.items():
        for act in ("project", "jvp", "derivative"):
            assert callable(getattr(module, act, None)), (name, act)


def test_wrong_lengths_are_named():
    with pytest.raises(ValueError, match=r"x: expected 3 entries.*got 4"):
        cones.project(torch.zeros(4), Cones(soc=(3,)))
    with pytest.raises(ValueError, match=r"expected k\(k\+1\)/2 entries.*got 4"):
        cones.psd.project(torch.zeros(4))
