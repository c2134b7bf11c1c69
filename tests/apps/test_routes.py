"""Measurements compare routes on the same gradients."""

import torch

from companion.apps import routes as app
from companion.layers.qp import routes

ANY = float("inf")


def test_error_is_the_median_of_the_worst_field():
    true = app.Measurement(0.0, 0.0, 0, (torch.ones(3, 2).double(),) * 2)
    off = torch.tensor([[1.0, 1.125], [1.0, 1.0], [1.25, 1.0]]).double()
    found = app.Measurement(0.0, 0.0, 0, (torch.ones(3, 2).double(), off))
    assert app.error(found, true) == 0.125


def test_unrolling_keeps_what_grows_with_the_steps_and_the_others_do_not():
    problem = app.batch(2, 6, 1, 5)
    kept = {
        kind: [app.bytes_kept(problem, kind(k, ANY)) for k in (50, 100)]
        for kind in (routes.Unrolled, routes.Alternating)
    }
    assert kept[routes.Unrolled][1] > 1.7 * kept[routes.Unrolled][0]
    assert kept[routes.Alternating][1] == kept[routes.Alternating][0]


def test_measured_gradients_are_those_of_the_layer():
    problem = app.batch(2, 6, 1, 5)
    weights = torch.ones(2, 6).double()
    true = app.measure(problem, weights, "active_set")
    assert app.error(app.measure(problem, weights, "full_kkt"), true) < 1e-12
    assert true.seconds == true.forward + true.backward
