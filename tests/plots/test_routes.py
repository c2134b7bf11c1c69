"""Figures of differentiation-routes.md draw the data that they are given."""

import numpy as np

from companion.plots import routes as figures


def test_a_refused_answer_has_no_mark():
    values = {"active_set": -1.0, "unrolled": 0.2, "alternating": None}
    (axes,) = figures.answers(values, -1.0).axes
    assert len(axes.lines) == 2 + 2 * 2
    assert "  refused" in [t.get_text() for t in axes.texts]
    assert axes.get_yticklabels()[0].get_text() == "alternating"


def test_curves_and_points_of_the_trade_stand_where_the_data_are():
    curves = {
        "active_set": (np.array([1e-3]), np.array([1e-15])),
        "perturbed, central": (np.array([1e-3, 2e-3]), np.array([1.0, 1e-9])),
    }
    (axes,) = figures.trade(curves, {"perturbed, central": " τ"}).axes
    np.testing.assert_allclose(axes.lines[1].get_xdata(), [1.0, 2.0])
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["active set", "perturbed, central τ"]


def test_remaining_figures_draw_one_line_a_curve():
    q = np.linspace(-1, 1, 5)
    (axes,) = figures.kink(q, {"smoothed": q}, {"smoothed": "μ"}).axes
    assert len(axes.lines) == 2
    (axes,) = figures.lag(q, {"point": q**2 + 1}, (q, q**2 + 2)).axes
    assert len(axes.lines) == 2
    assert len(figures.turning(q, {"a": q, "b": q}).axes) == 2
