"""Figures carry their texts, and emit the same bytes for the same data."""

import numpy as np
import pytest

from companion import plots
from companion.plots import qp as figures
from companion.problems import QP, QPSolution


def figure():
    return figures.curves(np.arange(3.0), {"a": np.arange(3.0)}, ("x", "y"))


def test_show_emits_alt_caption_and_label():
    markup = plots.show(figure(), alt="a <b>", caption="c", label="d")._repr_html_()
    assert 'id="d"' in markup
    assert 'alt="a &lt;b&gt;"' in markup
    assert "<figcaption>c</figcaption>" in markup


def test_show_is_deterministic():
    first, second = (
        plots.show(figure(), alt="a", caption="c", label="d") for _ in "ab"
    )
    assert first == second


@pytest.mark.parametrize("empty", ["alt", "caption", "label"])
def test_empty_text_is_refused(empty):
    texts = {"alt": "a", "caption": "c", "label": "d"} | {empty: " "}
    with pytest.raises(ValueError, match=empty):
        plots.show(figure(), **texts)


CORNER = QP(np.eye(2), np.array([-2.0, -0.5]), G=np.eye(2), h=np.ones(2))


def test_no_arrow_for_a_wall_that_does_not_push():
    solved = QPSolution(
        *(np.array(v) for v in ([1.0, 0.5], [], [1.0, 1e-7], [0.0, 0.5])), -1.8, 0
    )
    (axes,) = figures.geometry(CORNER, solved).axes
    names = [text.get_text() for text in axes.texts]
    assert [name for name in names if "λ" in name] == ["−λ₁G₁ᵀ"]
    colours = [line.get_color() for line in axes.lines[:2]]
    assert colours == [figures.RED, figures.GREY]


def test_region_is_the_square_cut_by_the_walls():
    corners = figures.region(CORNER.G, CORNER.h, span=2.0)
    assert {tuple(c) for c in corners} == {(-2, -2), (1, -2), (1, 1), (-2, 1)}
    nothing = np.array([[1.0, 0], [-1, 0]])
    assert figures.region(nothing, -np.ones(2)).shape == (0, 2)


def test_guides_have_slope_one_and_two():
    t = 2.0 ** -np.arange(4, 9)
    (axes,) = figures.remainders(t, {"a": t**2, "b": 3 * t}).axes
    for line, slope in zip(axes.lines, (2, 1), strict=False):
        fitted = np.polyfit(np.log(line.get_xdata()), np.log(line.get_ydata()), 1)
        assert fitted[0] == pytest.approx(slope)


def test_moving_wall_needs_no_network():
    walls = [
        QP(np.eye(2), -np.ones(2), G=np.eye(2)[:1], h=h) for h in np.eye(1)[[0, 0]]
    ]
    sols = [QPSolution(*np.ones((4, 2)), 0.0, 0)] * 2
    markup = plots.html(figures.moving_wall(walls, sols, np.ones((2, 2, 2))), "wall")
    assert 'id="wall"' in markup.markup
    assert "<script src=" not in markup.markup
    assert '"paper_bgcolor":"rgba(0,0,0,0)"' in markup.markup
