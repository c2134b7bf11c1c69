"""Every dropped hypothesis has its picture, and every picture its words."""

import numpy as np
import pytest
from matplotlib.text import Annotation

from companion import plots
from companion.plots.hypotheses import GROUPS, PICTURES
from companion.plots.hypotheses.canvas import Mark
from companion.plots.hypotheses.lines import below_tangent, chord, kink, objective
from companion.plots.qp import RED
from companion.proofs import THEOREMS

LONGEST = 260  # letters of an alternative text
LARGEST = 20_000  # bytes of a picture


def dropped() -> set[str]:
    return {
        f"{t.label}/{control.act.__name__}"
        for t in THEOREMS.values()
        for control in t.controls
        if control.kind == "dropped"
    }


def test_every_dropped_hypothesis_has_a_picture_and_no_picture_is_stale():
    assert set(PICTURES) == dropped()


def test_every_picture_stands_in_one_group():
    assert sum(map(len, GROUPS.values())) == len(PICTURES)


@pytest.mark.parametrize("key", sorted(PICTURES))
def test_picture_is_drawn_and_says_what_it_shows(key):
    figure, says = PICTURES[key]()
    (axes,) = figure.axes
    assert axes.lines or axes.patches
    assert 40 < len(says) < LONGEST
    assert says.endswith(".")
    assert len(plots.svg(figure)) < LARGEST


def test_different_counterexamples_differ():
    texts = [picture()[1] for picture in PICTURES.values()]
    assert len(set(texts)) == len(texts)


def test_picture_is_the_same_bytes_every_time():
    first, second = (
        plots.svg(PICTURES["local-is-global/two_wells"]()[0]) for _ in "ab"
    )
    assert first == second


def test_gap_below_a_tangent_is_the_one_that_the_check_found():
    (axes,) = below_tangent("", lambda a: a**3, (-2.3, 1.2), (-2, -1))[0].axes
    assert "5 below" in [text.get_text() for text in axes.texts]


def test_chord_under_a_convex_graph_has_nothing_red():
    def red(f) -> bool:
        (axes,) = chord("", f, (-2, 2), (-1, 1), "")[0].axes
        return any(len(part.get_paths()) for part in axes.collections)

    assert not red(lambda s: s**2)
    assert red(lambda s: -(s**2))


def test_arrow_falls_only_to_a_lower_mark():
    def arrows(second: float) -> int:
        marks = [Mark(0, 0), Mark(1, second, "", RED)]
        (axes,) = objective("", np.square, (-1, 1), [(-1, 1)], marks)[0].axes
        notes = [text for text in axes.texts if isinstance(text, Annotation)]
        return sum(text.arrow_patch is not None for text in notes)

    assert (arrows(-1.0), arrows(1.0)) == (1, 0)


@pytest.mark.parametrize(
    ("slopes", "claim"), [((0, 1), 0), ((-2, 0), -2), ((0, 1), 0.5)]
)
def test_kink_has_the_slopes_that_it_is_given(slopes, claim):
    (axes,) = kink("", slopes, claim, ("", ""), ("", "", ""))[0].axes
    rises = [np.diff(line.get_ydata()) / np.diff(line.get_xdata())
             for line in axes.lines[:3]]  # fmt: skip
    assert np.allclose(np.ravel(rises), [*slopes, claim])
