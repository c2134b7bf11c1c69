"""Every built page in a browser: nothing fetched, broken or out of reach."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.book.site import DESKTOP, HTML, PHONE, Size, opened, read_pages

pytestmark = pytest.mark.browser

VIEWS = [(size, scheme) for size in (DESKTOP, PHONE) for scheme in ("light", "dark")]
VIEW_NAMES = [f"{size[0]}-{scheme}" for size, scheme in VIEWS]
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "preload": False,  # axe resolves the theme's @import against the page, wrongly
}
GENERATED = {"search.html", "genindex.html", "py-modindex.html"}
SCROLLED = "() => document.documentElement.scrollWidth - window.innerWidth"
OVERHANG = """() => [...document.querySelectorAll('.bd-article *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('mjx-container, pre, table, .data-flow, .math, mjx-assistive-mml'))
  .slice(0, 5).map(e => e.tagName + '.' + e.className)"""
NO_ALT = """() => [...document.images]
  .filter(i => !(i.getAttribute('alt') || '').trim())
  .map(i => i.src)"""
BROKEN = """() => [...document.images]
  .filter(i => i.complete && !i.naturalWidth).map(i => i.src)"""
FORMULAS = "() => document.querySelectorAll('mjx-container').length"
SOURCES = "() => document.querySelectorAll('.math').length"
FORMULA_ERRORS = """() => [...document.querySelectorAll('mjx-merror, [data-mjx-error]')]
  .map(e => e.textContent)"""


def violations(page: Page) -> list[str]:
    """What axe finds, a line each: rule, element, advice."""
    response = Axe().run(page, options=RULES).response
    return [
        f"{found['id']}: {node['target']} {node['html'][:160]}"
        for found in response["violations"]
        for node in found["nodes"][:4]
    ]


@pytest.mark.parametrize("path", read_pages())
@pytest.mark.parametrize(("size", "scheme"), VIEWS, ids=VIEW_NAMES)
def test_page_is_whole(
    browser: Browser, site: str, path: str, size: Size, scheme: str
) -> None:
    with opened(browser, f"{site}/{path}", size, scheme) as (page, log):
        found = {
            "external requests": log.external,
            "failed requests": log.failed,
            "console errors": log.console,
            "formula errors": page.evaluate(FORMULA_ERRORS),
            "images without alt": page.evaluate(NO_ALT),
            "images that do not load": page.evaluate(BROKEN),
            "accessibility": violations(page),
            "too wide": page.evaluate(OVERHANG) if page.evaluate(SCROLLED) > 0 else [],
        }
        wrong = {name: what for name, what in found.items() if what}
        assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
        assert page.evaluate(SCROLLED) <= 0
        assert page.evaluate("() => document.documentElement.dataset.theme") == scheme
        assert page.evaluate(FORMULAS) >= page.evaluate(SOURCES)


@pytest.mark.parametrize("path", [p for p in read_pages() if p not in GENERATED])
def test_page_works_from_disk(browser: Browser, path: str) -> None:
    with opened(browser, (HTML / path).as_uri(), DESKTOP, "light") as (page, log):
        assert (log.external, log.failed, log.console) == ([], [], [])
        assert page.evaluate(FORMULA_ERRORS) == []
        assert page.evaluate(FORMULAS) >= page.evaluate(SOURCES)


PLANTED = """() => {
  document.querySelector('.bd-article').insertAdjacentHTML('beforeend',
    '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
    + '<p style="color:#999;background:#fff">pale</p>'
    + '<div style="width:3000px;height:9px"></div><mjx-merror>x</mjx-merror>');
  console.error('planted'); fetch('https://example.org/planted').catch(() => 0);
}"""


def test_the_tests_notice_what_is_planted(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}/book/index.html", PHONE, "light") as (page, log):
        page.wait_for_selector(".bd-article")
        page.evaluate(PLANTED)
        page.wait_for_timeout(100)
        assert log.external == ["https://example.org/planted"]
        assert "planted" in log.console
        assert page.evaluate(NO_ALT)
        assert page.evaluate(FORMULA_ERRORS) == ["x"]
        assert page.evaluate(SCROLLED) > 0
        rules = {line.split(":")[0] for line in violations(page)}
        assert {"image-alt", "color-contrast"} <= rules
