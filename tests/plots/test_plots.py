"""Figures carry their texts, and emit the same bytes for the same data."""

import numpy as np
import pytest

from companion import plots
from companion.plots import qp as figures


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


def test_moving_wall_needs_no_network():
    frames = np.zeros((2, 2)), np.zeros((2, 1)), np.zeros((2, 2, 2))
    markup = plots.html(figures.moving_wall(np.arange(2.0), *frames), "wall").markup
    assert 'id="wall"' in markup
    assert "<script src=" not in markup
