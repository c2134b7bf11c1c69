"""The pictures of hypotheses on layers are drawn from what their controls compute."""

import numpy as np
import pytest
import sympy as sp

from companion.plots.hypotheses import PICTURES, layers
from companion.proofs import THEOREMS
from companion.proofs.interior_point import systems
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Matrix
from companion.proofs.representation import (
    backward,
    hinges,
    regularity,
    ridge,
    separation,
)
from companion.proofs.routes import (
    alternation,
    perturbation,
    samples,
    smoothing,
    unrolling,
)


def refutation(key: str) -> str:
    """What the control of a picture says when it is run."""
    label, name = key.split("/")
    (act,) = [c.act for c in THEOREMS[label].controls if c.act.__name__ == name]
    with pytest.raises(AssertionError) as caught:
        act()
    return str(caught.value)


def lines(key: str) -> list[np.ndarray]:
    """The points of every line of a picture, marks included."""
    (axes,) = PICTURES[key]()[0].axes
    return [np.array(line.get_xydata(), dtype=float) for line in axes.lines]


def array(matrix: Matrix) -> np.ndarray:
    return np.array(matrix, dtype=float)


RELU = samples.relu_at_zero()
ONE = sp.ones(1, 1)


def slopes_of_relu() -> list[float]:
    """One-sided slopes in q of the minimizer at q = 0, from exact solutions."""
    return [float(samples.at(RELU, s * ONE).x[0] * s) for s in (-1, 1)]


def test_kinks_of_layers_are_those_of_the_program_at_rest():
    left, right = slopes_of_relu()
    assert (left, right) == layers.SIDES
    claims = {
        "backward-is-a-qp/row_at_rest": backward.backward(RELU, ONE).x,
        "alternating-derivative/row_at_rest": alternation.limit(
            RELU, ONE, sp.Integer(1), alternation.gates(RELU)
        ),
    }
    for key, claim in claims.items():
        drawn = [np.diff(p, axis=0)[0] for p in lines(key)[:3]]
        assert [d[1] / d[0] for d in drawn] == [left, right, float(claim[0])]
        assert float(claim[0]) == -1
        assert "−1" in PICTURES[key]()[1]


def test_quotients_at_the_kink_are_those_of_the_control():
    said = refutation("perturbation-limit/at_the_kink")
    assert said == "[0] for g, [1] for -g"
    ahead, behind = lines("perturbation-limit/at_the_kink")[:2]
    assert np.allclose(np.diff(ahead[:, 1]) / np.diff(ahead[:, 0]), 0)
    assert np.allclose(np.diff(behind[:, 1]) / np.diff(behind[:, 0]), -1)
    found = [
        perturbation.quotient(RELU, s * ONE, samples.SMALL, central=False)["q"][0]
        for s in (1, -1)
    ]
    assert found == [0, 1]


def test_matrix_with_a_row_at_rest_is_that_of_the_control():
    lam, slack = Matrix([2, 0]), sp.zeros(2, 1)
    i = instances.instance(
        MASTER.P, MASTER.A, MASTER.G, MASTER.x, MASTER.nu, lam, slack
    )
    assert np.array_equal(array(instances.optnet_matrix(i)), layers.AT_REST)
    assert not layers.AT_REST[4].any()


def test_reduced_matrix_of_two_equal_rows_is_that_of_the_control():
    M = systems.data()
    M["A"] = M["A"].col_join(M["A"])
    assert np.allclose(array(systems.reduced(M)), layers.TWICE, atol=0, rtol=1e-15)
    key = "schur-reduction/equality_twice"
    minors = refutation(key).partition("[")[2].rstrip("]")
    assert f"leading minors are {minors}." in PICTURES[key]()[1]


def test_derivative_of_the_open_row_is_that_of_its_iterates():
    y, Y, (_, H, f) = sp.Integer(1), sp.Integer(0), unrolling.dual(RELU)
    F = (RELU.G * RELU.P.inv() * ONE)[0]
    for want in layers.OPEN:
        assert float(Y) == want
        y, Y = y - (H * y + f)[0] / 2, Y - (H[0] * Y + F) / 2
        assert y > 0
    assert layers.UNROLLED[-1] == unrolling.STEPS
    assert layers.OPEN[-1] == 63 / 64


@pytest.mark.parametrize(
    ("name", "regime"),
    [("no row at rest", "strictly_complementary"), ("row at rest", "weakly_active")],
)
def test_errors_of_the_smoothed_gradient_are_those_of_the_first_draw(name, regime):
    ((problem, _), *_) = numeric.draws(regime)
    true = samples.in_q(problem, samples.gradient(problem, "active_set"))
    for mu, want in zip(layers.MU, layers.SMOOTHED[name], strict=True):
        found = samples.gradient(problem, smoothing.Smoothed(float(mu)))
        error = np.linalg.norm(samples.in_q(problem, found) - true)
        assert abs(error / want - 1) < 1e-3  # four digits are kept


@pytest.mark.parametrize(
    ("family", "name"), [(regularity.apart, 0), (regularity.turning, 1)]
)
def test_displacements_of_walls_are_those_of_the_family(family, name):
    drawn = lines("qp-layer-lipschitz/coinciding_walls")[name]
    for exponent, (data, moved) in enumerate(drawn, start=1):
        first, second, change = family(sp.Rational(1, 10**exponent))
        assert data == pytest.approx(float(change))
        assert moved == pytest.approx(float((second.x - first.x).norm()))


def test_line_and_wedge_have_the_coordinates_of_the_family():
    wedge, fall = lines("qp-layer-lipschitz/no_slater_point")[:2]
    for t in (sp.Rational(1, 1000), sp.Rational(1, 2), sp.Integer(1)):
        line, narrow, _ = regularity.pinched(t)
        assert [*map(float, (line.x[0], narrow.x[0]))] == [fall[1, 1], wedge[1, 1]]


def test_step_and_its_form_are_those_of_the_control():
    key = "pwl-layer/step_function"
    assert refutation(key) == "at 0 the form is 0 and f is 1"
    step = hinges.Pieces(
        hinges.rational(0, 0), hinges.rational(0), sp.S.Zero, jump=sp.S.One
    )
    low, high, form = (p[:, 1] for p in lines(key)[:3])
    x = sp.Rational(1, 2)
    assert [float(step(-x)), float(step(x))] == [low[0], high[-1]]
    assert {float(step.form()(at)) for at in (-x, sp.S.Zero, x)} == set(form)


def test_odd_parts_are_those_of_the_controls():
    def deep(x):
        return separation.hinge(x[1] + separation.hinge(x[0] - x[1]))

    def beyond(x):
        return separation.hinge(x[0] + x[1] - 1)

    def odd(f, x):
        return f(x) - f(-x)

    e1, e2 = separation.E1, separation.E2
    (axes,) = PICTURES["max-affine-separation/two_hidden_layers"]()[0].axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [odd(deep, x) for x in (e1, e2, e1 + e2)] == [1, 1, 1]
    for points in lines("max-affine-separation/beyond_a_crease")[:3]:
        for s, value in points:
            assert float(odd(beyond, sp.Rational(float(s)) * (e1 + e2))) == value
    assert odd(beyond, e1) == odd(beyond, e2) == 0


def test_points_on_the_disc_are_the_minimizers_of_the_control():
    q = exact.column(0, 1)
    for g, drawn in zip(
        layers.WEIGHTS, layers.over_the_disc(layers.WEIGHTS), strict=True
    ):
        want = ridge.over_a_disc(q, sp.Rational(str(g)))
        assert np.allclose(drawn, array(want).ravel(), atol=1e-14)
    at = layers.over_the_disc(np.array([1.0]))[0]
    assert np.allclose(at, [1 - np.sqrt(0.5), -np.sqrt(0.5)])
    assert layers.curved_wall()[1].endswith("(0.293, −0.707).")


def test_rates_are_those_of_the_control():
    _, H, _ = unrolling.dual(MASTER)
    J = [0, *(1 + k for k in MASTER.active)]
    assert np.allclose(array(H), layers.ALL_ROWS, atol=0, rtol=1e-15)
    assert np.allclose(array(H.extract(J, J)), layers.HELD, atol=0, rtol=1e-15)
    worst = layers.rates()["α = 6/λₘₐₓ"] ** 40
    said = refutation("unrolled-projected/step_too_long")
    assert said == f"multiplied by {worst:.2g}"
    mantissa, power = f"{worst:.1e}".split("e+")
    assert f"{mantissa}·10^{power}" in layers.step_too_long()[1]


def test_solution_along_the_seed_is_that_of_the_control():
    for tau, x in layers.PULLED:
        exactly = sp.Rational(float(tau)).limit_denominator(10)
        assert float(samples.at(MASTER, MASTER.q + exactly * LOSS).x[0]) == x
    for tau, x in (layers.PULLED[1:] + layers.PULLED[:-1]) / 2:
        at = samples.at(MASTER, MASTER.q + sp.Rational(float(tau)) * LOSS).x[0]
        assert float(at) == pytest.approx(x)
    assert float(instances.adjoint(MASTER, LOSS).dx[0]) == layers.SLOPE
    says = layers.another_piece()[1]
    assert "it is −2" in says
    assert f"has {1 + 20 * layers.SLOPE:.3g}." in says
