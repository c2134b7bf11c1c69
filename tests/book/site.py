"""The built site as the tests see it: its pages, and a browser without a network.

`python -m tests.book.site [part of a path …]` writes screenshots of the pages (desktop,
phone, dark) to _build/screenshots.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    Page,
    Playwright,
    Request,
    Route,
    sync_playwright,
)

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
LOCAL = ("http://127.0.0.1", "file:", "data:", "blob:", "about:")
ASSETS = ("_static/", "_sphinx_design_static/", "mathjax")
REDIRECT = 'http-equiv="Refresh"'
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY = (
    "() => !window.MathJax?.startup?.promise"
    " || MathJax.startup.promise.then(() => true)"
)
EAGER = """() => Promise.all([...document.images].map(image => {
    image.loading = "eager"; return image.decode().catch(() => null);
}))"""

Size = tuple[int, int]
DESKTOP: Size = (1440, 900)
PHONE: Size = (390, 844)


def built() -> Path:
    """The folder of the built site; the test is skipped where there is none."""
    if not (HTML / "index.html").is_file():
        pytest.skip("no built site: run `python3 -m book book` first")
    return HTML


def files() -> list[Path]:
    """Every page of the site."""
    return sorted(
        page
        for page in HTML.rglob("*.html")
        if not page.relative_to(HTML).as_posix().startswith(ASSETS)
    )


def read_pages() -> list[str]:
    """Paths of the pages that people read: all but redirections and listed sources."""
    names = (
        page.relative_to(HTML).as_posix()
        for page in files()
        if REDIRECT.lower() not in page.read_text("utf8")[:2000].lower()
    )
    found = [name for name in names if not name.startswith("_modules/")]
    return found or ["index.html"]


def launch(play: Playwright) -> Browser:
    """Debian's Chromium, or the one that BOOK_CHROMIUM names."""
    named = [os.environ.get("BOOK_CHROMIUM"), *map(shutil.which, BROWSERS)]
    path = next((p for p in named if p), None)
    if path is None:
        pytest.skip("no Chromium on this machine: `python3 -m book test` installs one")
    return play.chromium.launch(executable_path=path, args=list(FLAGS))


@dataclass
class Log:
    """What a page asked for and complained about."""

    external: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Block every foreign request and note what goes wrong."""
        page.route("**/*", self._route)
        page.on("requestfailed", self._failed)
        page.on("response", lambda r: r.status >= 400 and self.failed.append(r.url))
        page.on("pageerror", lambda e: self.console.append(str(e)))
        page.on("console", lambda m: m.type == "error" and self.console.append(m.text))

    def _route(self, route: Route) -> None:
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            self.external.append(route.request.url)
            route.abort()

    def _failed(self, request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # left behind by navigation
            self.failed.append(request.url)


@contextlib.contextmanager
def opened(
    browser: Browser, address: str, size: Size, scheme: str
) -> Iterator[tuple[Page, Log]]:
    """A page in a fresh profile, once its mathematics stands."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    log = Log()
    try:
        page = context.new_page()
        log.watch(page)
        page.goto(address, wait_until="load")
        page.evaluate(READY)
        page.wait_for_timeout(50)
        yield page, log
    finally:
        context.close()


def screenshots(wanted: list[str]) -> None:
    """Write the wanted pages whole: on a desktop, on a phone, in the dark."""
    folder = HTML.parent / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    views = {
        "desktop": (DESKTOP, "light"),
        "phone": (PHONE, "light"),
        "dark": (DESKTOP, "dark"),
    }
    paths = [p for p in read_pages() if not wanted or any(word in p for word in wanted)]
    with sync_playwright() as play:
        browser = launch(play)
        for path in paths:
            stem = path.removesuffix(".html").replace("/", "-")
            for name, (size, scheme) in views.items():
                with opened(browser, (HTML / path).as_uri(), size, scheme) as (page, _):
                    page.evaluate(EAGER)
                    page.screenshot(path=folder / f"{stem}-{name}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    screenshots(sys.argv[1:])
