"""Figures of benchmarks.md draw the data that they are given."""

import pytest

from companion.plots import benchmarks as figures
from tests.benchmarks import cones, qp


def test_a_dot_stands_at_its_ratio_and_a_bar_where_one_is_wanted():
    found = {"first": {"qpth": 20.0, "moreau": 8.0}, "second": {"qpth": 3.0}}
    figure = figures.ratios(found, {"first": {"qpth": 15.0, "moreau": 6.0}})
    (axes,) = figure.axes
    lines = [(list(v.get_xdata()), list(v.get_ydata())) for v in axes.lines[1:]]
    assert ([3.0], [0]) in lines  # the last workload stands lowest
    assert ([20.0], [1]) in lines
    assert ([15.0, 15.0], pytest.approx([0.7, 1.3])) in lines
    assert len(lines) == 3 + 2
    assert [t.get_text() for t in axes.get_yticklabels()] == ["second", "first"]
    assert axes.get_xscale() == "log"


def test_bars_that_agree_are_grey():
    figure = figures.ratios(
        {"a": {"qpth": 2.0, "dqp": 2.0}}, {"a": {"qpth": 1.5, "dqp": 1.5}}
    )
    bars = [v for v in figure.axes[0].lines[1:] if len(v.get_xdata()) == 2]
    assert {v.get_color() for v in bars} == {figures.GREY}


def test_costs_have_a_panel_for_each_sweep():
    sweep = {"value": [10, 20], "forward": [1.0, 4.0], "backward": [0.5, 1.0]}
    figure = figures.costs({"n": sweep, "batch": sweep})
    assert [axes.get_xlabel() for axes in figure.axes] == ["n", "batch"]
    forward, backward = figure.axes[1].lines
    assert list(forward.get_ydata()) == [1.0, 4.0]
    assert list(backward.get_ydata()) == [0.5, 1.0]


def test_accuracy_draws_the_median_and_reaches_to_the_worst():
    figure = figures.accuracy(
        {"qpth": (5.0, 1e-7, 1e-4), "new": (1.0, 1e-9, 1e-8)}, 1e-3
    )
    (axes,) = figure.axes
    _, reach, dot, *_ = axes.lines
    assert list(reach.get_ydata()) == [1e-7, 1e-4]
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([5.0], [1e-7])
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["qpth", "new"]


def test_a_variant_has_the_colour_of_its_kind_and_another_mark():
    assert figures.look("dqp, A and G fixed") == (figures.GREEN, figures.OTHER[1])
    assert figures.look("dqp") == (figures.GREEN, "^")
    assert figures.look("sorting") == figures.OTHER


def test_layers_that_a_picture_may_hold_together_look_different():
    for family in (qp, cones):
        for case in family.cases():
            looks = [figures.look(name) for name in case.contestants]
            alike = {
                name for name in case.contestants if looks.count(figures.look(name)) > 1
            }
            assert not alike, case.name
