"""The figures of convexity.md draw what they are given, red where it is wrong."""

import numpy as np
import pytest

from companion import plots
from companion.plots import convexity as figures
from companion.plots.qp import BLUE, RED

LINE = np.linspace(-1, 1, 21)
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
ENDS = np.array([-1.0, 1.0])


def graphs():
    bowl, hump = (LINE, LINE**2), (LINE, -(LINE**2))
    return {"bowl": (bowl, (ENDS, ENDS**2)), "hump": (hump, (ENDS, -(ENDS**2)))}


def drawn():
    pair = np.array([[2.0, 0.5], [0.5, 2.0]])
    near = np.array([[1.0, 0.5], [0.5, 1.0]])
    wedge = np.array([[1.0, 0], [0, 1.0]])
    touch = np.array([0.5, 1.0])
    gaps = np.array([0.0, -0.5]), np.array([[0.0, 1], [-0.75, 0.25]])
    inside = np.linspace(0, 1, 5) < 0.5
    line = np.linspace([0, 0], [2, 0], 5)
    path = (LINE[:5], LINE[:5] ** 2)
    return {
        "chord_and_tangent": figures.chord_and_tangent(
            (LINE, LINE**2), (ENDS, ENDS**2), (touch, touch - 0.25), gaps
        ),
        "chords": figures.chords(graphs()),
        "wells": figures.wells({"bowl": ((LINE, LINE**2), [path, path])}),
        "ramps": figures.ramps(LINE, {"one": -LINE, "jump": 1.0 * (LINE < 0)}),
        "segments": figures.segments({"square": ([SQUARE], line, inside)}),
        "nearest": figures.nearest({"square": (SQUARE, pair, near)}),
        "normals": figures.normals(SQUARE, [("corner", SQUARE[2], wedge)], pair, near),
        "split": figures.split(wedge, -wedge, np.array([[[1.0, -1], [1, 0], [0, -1]]])),
        "displacements": figures.displacements({"a": pair / 4, "b": pair}),
    }


@pytest.mark.parametrize("name", drawn())
def test_figure_can_be_shown_twice_alike(name):
    first, second = (
        plots.show(drawn()[name], alt="a", caption="c", label="d") for _ in "ab"
    )
    assert first == second


def test_chord_below_its_graph_is_red():
    bowl, hump = (axes.lines[1] for axes in figures.chords(graphs()).axes)
    assert (bowl.get_color(), hump.get_color()) == (BLUE, RED)


def test_segment_is_red_outside_only():
    (axes,) = drawn()["segments"].axes
    red = next(line for line in axes.lines if line.get_color() == RED)
    assert np.isnan(red.get_xdata()).tolist() == [True, True, False, False, False]


def test_orbit_has_a_frame_for_every_place_and_no_network():
    turn = np.array([[2.0, 0.5], [2.0, 2.0], [0.5, 2.0]])
    near = np.minimum(turn, 1)
    wedges = [np.array([[1.0, 0], [0, 1.0]])] * 3
    figure = figures.orbit(SQUARE, turn, near, wedges, ["a", "b", "c"])
    assert len(figure.frames) == 3
    assert "<script src=" not in plots.html(figure, "orbit").markup
