"""Every regime is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from companion import sampling

ALL = sorted(sampling.REGIMES)
SEEDS = range(5)


def draw(regime, seed, *shape):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


@pytest.mark.parametrize("regime", ALL)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_returned_point_is_optimal(regime, seed):
    problem, sol = draw(regime, seed)
    P, q, A, b, G, h = problem.fields
    stationarity = P @ sol.x + q + A.T @ sol.nu + G.T @ sol.lam
    assert np.abs(stationarity).max() < 1e-12
    assert np.abs(A @ sol.x - b).max() < 1e-12
    assert np.abs(h - G @ sol.x - sol.slack).max() < 1e-12
    assert min(sol.lam.min(), sol.slack.min()) >= 0
    assert (sol.lam * sol.slack).max() == 0
    assert np.linalg.eigvalsh(P)[0] > -1e-12


@pytest.mark.parametrize("regime", ALL)
def test_the_same_seed_gives_the_same_instance(regime):
    first, second = (draw(regime, 3)[0] for _ in range(2))
    assert all(
        np.array_equal(u, v) for u, v in zip(first.fields, second.fields, strict=True)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_each_regime_has_its_property_and_only_the_named_one_fails(seed):
    margin, licq, curvature = {}, {}, {}
    for regime in ALL:
        problem, sol = draw(regime, seed)
        touching = sol.slack == 0
        C = np.vstack([problem.A, problem.G[touching]])
        strong = np.vstack([problem.A, problem.G[sol.lam > 0]])
        _, values, V = np.linalg.svd(strong)
        Z = V[(values > 1e-10).sum() :].T
        margin[regime] = np.maximum(sol.lam, sol.slack).min()
        licq[regime] = np.linalg.svd(C)[1].min()
        curvature[regime] = np.linalg.eigvalsh(Z.T @ problem.P @ Z)[0]
    assert {r for r in ALL if margin[r] < 1e-9} == {"weakly_active"}
    strict = set(ALL) - {"weakly_active", "near_infeasible"}
    assert min(margin[r] for r in strict) >= 0.1
    assert margin["near_infeasible"] == sampling.WIDTH
    assert {r for r in ALL if licq[r] < 1e-9} == {"licq_failing"}
    assert {r for r in ALL if abs(curvature[r]) < 1e-12} == {"lp_face"}


@pytest.mark.parametrize("seed", SEEDS)
def test_near_infeasible_leaves_a_slab_of_the_named_width(seed):
    problem, _ = draw("near_infeasible", seed)
    assert np.array_equal(problem.G[0], -problem.G[1])
    assert problem.h[0] + problem.h[1] == pytest.approx(sampling.WIDTH)


@pytest.mark.parametrize("seed", SEEDS)
def test_ill_conditioned_has_the_named_condition_number(seed):
    problem, _ = draw("ill_conditioned", seed)
    assert np.linalg.cond(problem.P) == pytest.approx(sampling.CONDITION, rel=1e-3)


def test_bad_calls_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"regime: expected one of .*got 'easy'"):
        sampling.qp(rng, regime="easy")
    with pytest.raises(ValueError, match="expected m ≥ 2 and n ≥ p"):
        sampling.qp(rng, 2, 1, 1, regime="licq_failing")


@pytest.mark.parametrize("cone", sampling.REGIONS)
def test_points_of_cones_are_seeded_and_named(cone):
    for region in sampling.REGIONS[cone]:
        first, second = (sampling.points(cone, region, range(3)) for _ in range(2))
        assert all(np.array_equal(u, v) for u, v in zip(first, second, strict=True))
    with pytest.raises(
        ValueError, match=rf"region: .* got 'far' for the cone '{cone}'"
    ):
        sampling.points(cone, "far", range(1))
    with pytest.raises(ValueError, match=r"cone: expected one of .* got 'ice'"):
        sampling.points("ice", "inside", range(1))


@pytest.mark.parametrize("seed", SEEDS)
def test_points_lie_in_the_region_of_their_name(seed):
    rng = np.random.default_rng(seed)
    t, *w = sampling.soc_point(rng, 5, "boundary")
    assert t == np.linalg.norm(w)
    x, y, z = sampling.exp_point(rng, "boundary")
    assert y * np.exp(x / y) == z
    x, y, z = sampling.power_point(rng, 0.3, "polar_boundary")
    assert (-x / 0.3) ** 0.3 * (-y / 0.7) ** 0.7 == pytest.approx(abs(z), rel=1e-15)
    x, y, z = sampling.power_point(rng, 0.3, "plane")
    assert z == 0
    assert x * y < 0
    x, y, z = sampling.exp_point(rng, "face")
    assert max(x, y) < 0 < z
