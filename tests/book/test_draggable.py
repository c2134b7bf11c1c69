"""The figure that a reader drags: its solver against the package, at every drag."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from companion.plots.draggable import wall
from companion.problems import QP, Status
from companion.reference import duality, qp
from tests.book.site import DESKTOP, opened

PAGE = "chapters/kkt-theory/sensitivity.html"
DRAGS = 200
CLOSE = 1e-5  # the package stops at residuals of 1e-10, near a kink this is its error
FIGURE = "document.querySelector('.draggable-wall')"
PLANE = {
    "P": np.eye(2),
    "target": np.zeros(2),
    "G": np.array([[3.0, 4.0]]),
    "h": np.array([10.0]),
}
TEXTS = {"alt": "A plane.", "caption": "Drag.", "label": "a-wall"}


def test_rows_are_brought_to_norm_one() -> None:
    assert "&quot;h&quot;: [2.0]" in wall(**PLANE, **TEXTS).markup


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"G": np.ones((1, 3))}, r"expected shapes \(2, 2\), \(2,\) and \(1, 2\)"),
        ({"alt": " "}, "alt: expected a text"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wall(**{**PLANE, **TEXTS, **change})


def dragged(page: Page, jobs: list) -> list[dict]:
    return page.evaluate(
        f"jobs => jobs.map(([c, h]) => {FIGURE}.companion.drag(c, h))", jobs
    )


def error(found: dict) -> float:
    """Largest difference to the package; infinite if one of the two has no solution.

    Whether there is a solution is decided in fractions: near the edge of feasibility
    the package's iteration may run out before it can tell.
    """
    P, c, G, h = (np.array(found["problem"][k]) for k in ("P", "target", "G", "h"))
    problem, here = QP(P, -P @ c, G=G, h=h), found["solution"]
    sol = qp.solve(problem)
    if here is None or sol.status is not Status.SOLVED:
        none = sol.status is not Status.SOLVED and duality.infeasibility(problem.fields)
        return 0.0 if here is None and none else np.inf
    if here["margin"] < 1e-3:  # a kink: the package's adjoint has no solution there
        return float(np.abs(sol.x - here["x"]).max())
    jacobian = np.stack([-P @ qp.vjp(problem, sol, e).q for e in np.eye(2)])
    pairs = (
        (sol.x, here["x"]),
        (sol.lam, here["lam"]),
        (sol.slack, here["slack"]),
        (jacobian, here["jacobian"]),
        (sol.lam > 1e-4, np.isin(range(len(h)), here["active"])),
    )
    return max(float(np.abs(np.subtract(a, b, dtype=float)).max()) for a, b in pairs)


@pytest.mark.browser
def test_page_agrees_with_the_package_on_random_drags(
    browser: Browser, site: str
) -> None:
    rng = np.random.default_rng(0)
    jobs = [
        [rng.uniform(-2.5, 2.5, 2).tolist(), rng.uniform(-1, 2, 3).tolist()]
        for _ in range(DRAGS)
    ]
    with opened(browser, f"{site}/{PAGE}", DESKTOP, "light") as (page, log):
        found = dragged(page, jobs)
        assert not log.console
    reached = [[f["problem"]["target"], f["problem"]["h"]] for f in found]
    np.testing.assert_allclose(
        np.hstack([np.array([r[k] for r in reached]) for k in (0, 1)]),
        np.hstack([np.array([j[k] for j in jobs]) for k in (0, 1)]),
        atol=1e-9,
    )
    sizes = {len(f["solution"]["active"]) for f in found if f["solution"]}
    assert sizes == {0, 1, 2}
    assert any(f["solution"] is None for f in found)
    assert max(map(error, found)) < CLOSE
    found[0]["solution"]["x"][0] += 1e-3  # the comparison notices
    assert error(found[0]) > CLOSE


@pytest.mark.browser
def test_a_hand_on_the_handle_moves_the_solution(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}/{PAGE}", DESKTOP, "light") as (page, _):
        readout = page.locator(".draggable-readout")
        before = readout.inner_text()
        place = page.locator(".draggable-wall .jxgbox").bounding_box()
        assert place is not None
        c = page.evaluate(f"{FIGURE}.companion.drag([0, 0], [2, 2, 2]).problem.target")
        assert c == [0, 0]
        x = place["x"] + place["width"] / 2
        page.locator(".draggable-wall .jxgbox").scroll_into_view_if_needed()
        place = page.locator(".draggable-wall .jxgbox").bounding_box()
        assert place is not None
        y = place["y"] + place["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 40, y - 30, steps=4)
        page.mouse.up()
        assert readout.inner_text() != before
        assert "differentiable; the Jacobian has rank 2" in readout.inner_text()
