"""The hidden polygon is learned, and the printed formula settles elsewhere."""

import numpy as np
import pytest
import torch

from companion.apps import polygon as app

DATA = app.examples(48, 2)


def test_walls_hold_their_corners():
    G, h = app.walls(app.CORNERS)
    room = h - app.CORNERS @ G.T
    assert np.all(room > -1e-12)
    assert np.all((np.abs(room) < 1e-12).sum(1) == 2)


def test_student_starts_as_a_projection():
    problem = app.student(4).problem(torch.zeros(2, dtype=torch.float64))
    assert torch.allclose(problem.P, torch.eye(2, dtype=torch.float64))
    assert torch.allclose(problem.h, torch.full((4,), 0.5, dtype=torch.float64))


def test_surplus_turns_the_gradient_into_the_printed_one():
    points, targets = DATA
    model = app.student(5)
    q = -points.clone().requires_grad_()
    problem = model.problem(q)
    G = problem.G.detach().expand(48, 5, 2).clone().requires_grad_()
    sol = app.qp.solve(app.QP(problem.P, q, problem.A, problem.b, G, problem.h))
    loss = (sol.x - targets).square().sum()
    extra = app.surplus(loss, q, sol.lam.detach())
    right, dx = torch.autograd.grad(loss, (G, q))
    per_row = sol.lam.detach().unsqueeze(-1) * dx.unsqueeze(-2)
    printed = right - per_row + sol.lam.detach().unsqueeze(-1) * per_row
    assert torch.allclose(right.sum(0) + extra, printed.sum(0))


@pytest.mark.slow
def test_enough_walls_hide_the_error_and_too_few_show_it():
    hidden = app.fit(app.student(5), DATA, 80, printed=True)
    right, wrong = (
        app.fit(app.student(4), DATA, 80, printed=printed) for printed in (False, True)
    )
    assert hidden[-1] < 0.01 * hidden[0]
    assert wrong[-1] > 1.02 * right[-1]
