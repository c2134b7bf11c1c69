"""The dispatcher: its projection against the QP layer, its training against itself."""

import numpy as np
import torch

from companion.apps import hard_constraints as app
from companion.layers import qp


def proposals(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    t = torch.from_numpy(rng.standard_normal((3, 50, 5))).requires_grad_()
    return t, torch.from_numpy(rng.uniform(0.01, 1.29, 50))


def test_projection_is_that_of_the_qp_layer_in_value_and_gradient():
    t, demand = proposals(0)
    ours = app.project(t, demand)
    layer = qp.layer(app.program(torch.eye(5, dtype=torch.float64), -t, demand))
    g = torch.from_numpy(np.random.default_rng(1).standard_normal(t.shape))
    pairs = [(ours, layer)]
    pairs.append(tuple(torch.autograd.grad((x * g).sum(), t)[0] for x in (ours, layer)))
    for found, want in pairs:
        assert float((found - want).detach().abs().max()) < 1e-9


def test_projection_obeys_the_rules_to_rounding():
    t, demand = proposals(2)
    assert (
        float(app.breaches(app.project(100 * t, demand), demand).detach().max()) < 1e-12
    )


def test_dispatched_hours_obey_the_rules_unless_there_are_losses():
    for losses, low, high in ((0.0, 0.0, 1e-9), (0.2, 0.05, 0.21)):
        drawn = app.hours(np.random.default_rng(3), 20, losses=losses)
        worst = app.breaches(drawn.powers, drawn.demand)
        assert float(worst.min()) >= low
        assert float(worst.max()) <= high


def test_penalty_and_breaches_see_the_same_rules():
    demand = torch.tensor([0.6], dtype=torch.float64)
    cases = {
        "balance": [0.1, 0.1, 0.1, 0.1, 0.1],
        "upper": [0.5, 0.1, 0.0, 0.0, 0.0],
        "lower": [-0.1, 0.2, 0.1, 0.3, 0.1],
    }
    for powers in cases.values():
        x = torch.tensor([powers], dtype=torch.float64)
        assert float(app.breaches(x, demand)) > 0.09
        assert float(app.penalty(x, demand)) > 0.004
    x = torch.tensor([[0.1, 0.1, 0.1, 0.2, 0.1]], dtype=torch.float64)
    assert float(app.penalty(x, demand)) < 1e-30


def test_runs_side_by_side_do_not_touch():
    training = app.hours(np.random.default_rng(4), 16)
    weights = torch.tensor([0.0, 10.0], dtype=torch.float64)
    both = app.train([0, 1], training, weights=weights, steps=20)
    alone = app.train([1], training, weights=weights[1:], steps=20)
    np.testing.assert_allclose(both.W1[1:].detach(), alone.W1.detach(), atol=1e-12)


def test_training_behind_the_projection_lowers_the_error():
    training = app.hours(np.random.default_rng(5), 32)

    def error(steps):
        network = app.train([0], training, steps=steps)
        with torch.no_grad():
            x = network(training.inputs)
        return float(app.error(app.project(x, training.demand), training.powers))

    assert error(150) < 0.5 * error(1)
