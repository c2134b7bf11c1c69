"""Projections onto cones, held against optimality, many digits and another solver."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from companion import sampling
from companion.gradcheck import taylor
from companion.problems import Cones
from companion.reference import cones
from tests import cone_oracles

ALPHAS = (0.05, 0.3, 0.5, 0.8, 0.99)
ACTS = ("project", "derivative", "project_dual", "derivative_dual")
PRODUCTS = {
    "nonneg": Cones(nonneg=3),
    "soc": Cones(soc=(4,)),
    "psd": Cones(psd=(3,)),
    "exp": Cones(exp=1),
    "power": Cones(power=(0.3,)),
}
CASES = [(cone, region) for cone, named in sampling.REGIONS.items() for region in named]
SMOOTH = [case for case in CASES if case[1] not in sampling.KINKS]


def drawn(cone, region, count=4):
    return [(v, PRODUCTS[cone]) for v in sampling.points(cone, region, range(count))]


def violation(p, K, *, dual=False):
    """How far p is from satisfying the definition of K, or of its dual."""
    worst = 0.0
    for block in cones.blocks(K):
        u = p[block.rows]
        worst = max(worst, DEFINITIONS[block.cone](u, block.parameter, dual))
    return worst


def _exponential(u, _, dual):
    if dual:  # closure of {u < 0, -u exp(v/u) ≤ e w}
        x, y, z = u
        if x >= -1e-14:
            return max(x, -y, -z)
        return max(-z, (math.log(-x) + y / x - 1 - math.log(max(z, 1e-300))) * z)
    x, y, z = u
    if y <= 1e-14:
        return max(x, -y, -z)
    return y * math.exp(min(x / y, 50)) - z


def _power(u, alpha, dual):
    x, y, z = u
    outside = max(-x, -y, 0)
    x, y = max(x, 0), max(y, 0)
    if dual:
        x, y = x / alpha, y / (1 - alpha)
    return max(outside, abs(z) - x**alpha * y ** (1 - alpha))


DEFINITIONS = {
    "zero": lambda u, _, dual: 0.0 if dual else np.abs(u).max(),
    "nonneg": lambda u, *_: -u.min(),
    "soc": lambda u, *_: np.linalg.norm(u[1:]) - u[0],
    "psd": lambda u, *_: -np.linalg.eigvalsh(cones.psd.matrix(u))[0],
    "exp": _exponential,
    "power": _power,
}


@pytest.mark.parametrize(("cone", "region"), CASES)
def test_the_projection_satisfies_its_optimality_conditions(cone, region):
    for v, K in drawn(cone, region):
        p = cones.project(v, K)
        # where x/y is 6, the definition itself has 100 times the error of its entries
        assert violation(p, K) < 1e-12, "outside the cone"
        assert violation(p - v, K, dual=True) < 1e-12, "p - v outside the dual cone"
        assert abs(p @ (p - v)) < 1e-13
        q = cones.project_dual(-v, K)
        assert np.allclose(q, p - v, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("cone", "region"), SMOOTH)
def test_the_derivative_has_the_order_of_one(cone, region, rng):
    for v, K in drawn(cone, region):
        dv = rng.normal(size=len(v))
        dv *= (0.02 if region == "steep" else 0.3) / np.linalg.norm(dv)
        for sign in ("", "_dual"):
            project = getattr(cones, "project" + sign)
            slope = getattr(cones, "derivative" + sign)(v, K) @ dv
            report = taylor(lambda u, f=project, K=K: f(u, K), v, dv, slope)
            assert report.passes, (v, str(report))


def test_a_derivative_that_is_off_by_a_percent_has_not():
    (v, K), dv = drawn("exp", "between", 1)[0], np.array([0.1, 0.2, -0.1])
    slope = 1.01 * cones.derivative(v, K) @ dv
    assert not taylor(lambda u: cones.project(u, K), v, dv, slope).passes


@pytest.mark.parametrize(("cone", "region"), CASES)
def test_the_derivative_is_symmetric_and_keeps_and_loses_what_it_must(cone, region):
    for v, K in drawn(cone, region):
        p, D = cones.project(v, K), cones.derivative(v, K)
        assert np.abs(D - D.T).max() < 1e-15
        values = np.linalg.eigvalsh(D)
        assert values[0] > -1e-14
        assert values[-1] < 1 + 1e-14
        for kept in (v, p):  # at the kinks too: one element of Clarke's set
            assert np.allclose(D @ kept, p, rtol=0, atol=1e-14)
        E = cones.derivative_dual(-v, K)
        assert np.abs(E + D - np.eye(len(v))).max() < 1e-15


@pytest.mark.parametrize(("cone", "region"), CASES)
@pytest.mark.parametrize("exponent", [-980, -500, -3, 2, 500, 980])
def test_scaling_the_point_scales_the_projection(cone, region, exponent):
    scale = 2.0**exponent
    for v, K in drawn(cone, region, 2):
        p, D = cones.project(v, K), cones.derivative(v, K)
        assert np.allclose(cones.project(scale * v, K) / scale, p, rtol=0, atol=4e-15)
        assert np.allclose(cones.derivative(scale * v, K), D, rtol=0, atol=1e-13)


@pytest.mark.parametrize("cone", ["soc", "psd", "exp", "power"])
def test_projections_agree_with_another_solver(cone, rng):
    K = PRODUCTS[cone]
    for v in rng.normal(size=(6, K.rows)):
        assert np.allclose(cones.project(v, K), cone_oracles.nearest(v, K), atol=2e-6)


RATIOS = (-300.0, -40.0, -6.0, -1.0, 0.0, 0.4, 1.0, 3.0, 20.0, 200.0)


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("outside", [1e-12, 1e-3, 1.0, 1e6])
def test_exponential_agrees_with_many_digits(rho, outside):
    P = np.array([rho, 1.0, math.exp(rho)])
    D = np.array([1.0, 1.0 - rho, -math.exp(-rho)])
    v = P / np.linalg.norm(P) + outside * D / np.linalg.norm(D)
    v /= np.abs(v).max()
    assert cones.exponential.region(v) == "between"
    p, J = cone_oracles.exponential(v)
    assert np.allclose(cones.exponential.project(v), p, rtol=0, atol=1e-15)
    assert np.allclose(cones.exponential.derivative(v), J, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "v",
    [
        (1e-3, -1.0, 1.0),  # ρ is within e^-1000 of its bound
        (1e-2, -1.0, 0.5),
        (1e-1, -1.0, -1e-6),
        (1.0, -1e-9, 1e-9),
        (1e-9, 1.0, -1.0),
        (1.0, 1e-9, 1.0),
        (-1.0, 1e-3, -1.0),
        (-1.0, 1e-2, 0.0),
        (0.0, 1.0, -1.0),
        (1.0, 0.0, 1.0),
        (1e-6, 1e-4, -1.0),
        (1.0, 1.0, 0.0),
    ],
)
def test_exponential_holds_at_its_cliffs(v):
    v = np.array(v)
    assert cones.exponential.region(v) == "between"
    p, J = cone_oracles.exponential(v)
    assert np.allclose(cones.exponential.project(v), p, rtol=0, atol=1e-15)
    assert np.allclose(cones.exponential.derivative(v), J, rtol=0, atol=1e-13)


EXTREMES = [(1e-200, -1, 1), (-1, 1e-200, 1), (5e-324, -1, 1)]


@pytest.mark.parametrize("v", EXTREMES)
def test_exponential_beyond_every_exponent(v):
    """The ratio overflows: what is left is the nearest point to the edge."""
    v = np.array(v, float)
    p = cones.exponential.project(v)
    assert np.allclose(p, np.maximum(v, [min(v[0], 0), 0, 0]), rtol=0, atol=1e-200)
    D = cones.exponential.derivative(v)
    assert np.allclose(D, np.diag([v[0] < 0, v[1] > 0, 1.0]), atol=1e-15)


@pytest.mark.parametrize("alpha", [0.02, 0.3, 0.5, 0.77, 0.98])
@pytest.mark.parametrize(
    "v",
    [
        (1.0, 1.0, 1.01),
        (1.0, -1.0, 1e-3),
        (-1.0, 1.0, -1e-2),
        (-1.0, -1.0, 100.0),
        (0.0, 0.0, 1.0),
        (1e-8, 1e-8, 1.0),
        (1e-8, -1.0, 1.0),
        (0.0, -1e-3, 1.0),
        (1e3, 0.0, 1.0),
    ],
)
def test_power_agrees_with_many_digits(v, alpha):
    v = np.array(v)
    assert cones.power.region(v, alpha) == "between"
    p, J = cone_oracles.power(v, alpha)
    size = np.abs(v).max()
    assert np.allclose(cones.power.project(v, alpha), p, rtol=0, atol=2e-15 * size)
    assert np.allclose(cones.power.derivative(v, alpha), J, rtol=0, atol=1e-13)


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.4, 0.6, 1 - 1e-3, 1 - 1e-6])
@pytest.mark.parametrize("z", [1e-3, 1e-30, 1e-300])
def test_power_tends_to_the_plane(alpha, z):
    """The derivative at (1, -1, z) tends to that at (1, -1, 0) as z tends to 0."""
    v = np.array([1.0, -1.0, z])
    p, D = cones.power.project(v, alpha), cones.power.derivative(v, alpha)
    assert np.abs(D @ v - p).max() < 1e-15
    assert np.abs(D @ p - p).max() < 1e-15
    limit = cones.power.derivative(np.array([1.0, -1.0, 0.0]), alpha)
    if z == 1e-300:
        assert np.abs(D - limit).max() < 1e-12


def test_a_nearly_singular_matrix_keeps_its_accuracy():
    """A mixed pair of eigenvalues ±1e-200: the ratio B does not feel their size."""
    x = cones.psd.vector(np.diag([1e-200, -3e-200, 1.0]))
    D = cones.psd.derivative(x)
    assert D[1, 1] == pytest.approx(0.25, rel=1e-15)  # the entry (2, 1)


CONVENTION = [
    (Cones(nonneg=1), (0.0,), [0.0]),
    (Cones(soc=(1,)), (0.0,), [0.0]),
    (Cones(soc=(3,)), (0.0, 0.0, 0.0), [0.0, 0.0, 0.0]),
    (Cones(soc=(3,)), (-5.0, 3.0, 4.0), [0.0, 0.0, 0.0]),
    (Cones(soc=(3,)), (5.0, 3.0, 4.0), [0.5, 0.82, 0.68]),
    (Cones(psd=(2,)), (0.0, 0.0, 1.0), [0.0, 1.0, 1.0]),
    (Cones(exp=1), (0.0, 0.0, 0.0), [0.0, 0.0, 0.0]),
    (Cones(exp=1), (0.0, -1.0, 1.0), [0.0, 0.0, 1.0]),
    (Cones(exp=1), (-1.0, 0.0, 1.0), [1.0, 0.0, 1.0]),
    (Cones(exp=1), (0.0, 1.0, 1.0), [2 / 3, 2 / 3, 2 / 3]),
    (Cones(power=(0.5,)), (0.0, 0.0, 0.0), [0.0, 0.0, 0.0]),
    (Cones(power=(0.3,)), (1.0, 0.0, 0.0), [1.0, 0.0, 0.0]),
    (Cones(power=(0.5,)), (1.0, -1.0, 0.0), [1.0, 0.0, 1 / 3]),
]


@pytest.mark.parametrize(("K", "v", "diagonal"), CONVENTION)
def test_a_boundary_point_belongs_to_the_piece_outside(K, v, diagonal):
    D = cones.derivative(np.array(v), K)
    assert np.diag(D) == pytest.approx(diagonal, abs=1e-15)


def test_every_cone_has_every_cell():
    fields = {field.name for field in dataclasses.fields(Cones)}
    assert cones.TABLE.keys() == fields
    for name, module in cones.TABLE.items():
        missing = [act for act in ACTS if not callable(getattr(module, act, None))]
        assert not missing, name


def test_a_product_is_projected_cone_by_cone(rng):
    K = Cones(2, 2, (3,), (2,), 1, 1, (0.3, -0.6))
    v = rng.normal(size=K.rows)
    p, D = cones.project(v, K), cones.derivative(v, K)
    assert not p[:2].any()
    assert np.array_equal(p[4:7], cones.soc.project(v[4:7]))
    assert np.array_equal(p[13:16], cones.exponential.project_dual(v[13:16]))
    assert np.array_equal(p[19:], cones.power.project_dual(v[19:], 0.6))
    assert not D[4:7, 7:].any()
    assert cones.project(np.zeros(0), Cones()).shape == (0,)


def test_wrong_lengths_are_named():
    with pytest.raises(ValueError, match=r"x: expected shape \(3,\).*got \(4,\)"):
        cones.project(np.zeros(4), Cones(soc=(3,)))
    with pytest.raises(ValueError, match=r"expected k\(k\+1\)/2 entries.*got 4"):
        cones.psd.project(np.zeros(4))
