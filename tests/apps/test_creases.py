"""The trained network is good on the square and bad near the origin, as it must be."""

import numpy as np
import pytest

from companion.apps import creases


@pytest.fixture(scope="module")
def network():
    return creases.train(12, seed=0)


def test_training_reaches_a_small_error_on_the_square(network):
    points = creases.square(41)
    off = network(points) - creases.largest(points)
    assert np.sqrt((off**2).mean()) < 0.05  # the function itself goes up to 1


def test_relative_error_within_the_nearest_crease_is_at_least_one_sixth(network):
    nearest = np.min(np.abs(network.b) / np.linalg.norm(network.a, axis=1))
    reach = float(nearest) / 2  # the square lies in the disc up to the nearest crease
    for shrink in (1, 0.1):
        assert network.relative_error(shrink * reach) >= 1 / 6 - 1e-9


def test_network_is_its_formula(network):
    x = np.array([[0.3, -0.2]])
    want = np.maximum(x @ network.a.T + network.b, 0) @ network.w
    assert np.isclose(network(x), want + x @ network.v + network.c)
