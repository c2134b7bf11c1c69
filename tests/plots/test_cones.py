"""The figures of the chapter on cones show their data and need no network."""

import numpy as np
import pytest

from companion import plots
from companion.plots import cones as figures

LINE = np.linspace(-1, 1, 5)
SECTION = (LINE, LINE, np.eye(5), ("x", "y"))
ARROWS = (np.array([[0.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 0.0], [0.0, 1.0]]))
GRID = (*np.meshgrid(LINE, LINE), np.ones((5, 5)))
BODIES = {name: [GRID] for name in "abcd"}


@pytest.mark.parametrize(
    "figure",
    [
        figures.bodies(BODIES, ["x y z"] * 4),
        figures.sections({"a": SECTION, "b": SECTION}, {"a": ARROWS, "b": ARROWS}),
        figures.fields({"a": SECTION, "b": SECTION}, {"a": 2, "b": 3}),
        figures.curves({"a": (LINE, LINE)}, ("s", "f")),
    ],
    ids=["bodies", "sections", "fields", "curves"],
)
def test_figure_is_emitted(figure):
    assert "<img" in plots.show(figure, alt="a", caption="c", label="d").markup


def test_points_that_stay_have_no_arrow():
    axes = figures.sections({"a": SECTION, "b": SECTION}, dict.fromkeys("ab", ARROWS))
    arrows = [text for text in axes.axes[0].texts if text.arrow_patch is not None]
    assert len(arrows) == 1
    assert tuple(arrows[0].xy) == (0.0, 1.0)
