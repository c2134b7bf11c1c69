"""Every internal link and fragment of the built site leads somewhere."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.book.site import HTML, built, files


class Anchors(HTMLParser):
    """Ids of a page, and the addresses that it points to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.repeated: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and addresses."""
        for name, value in attrs:
            if name == "id" and value:
                (self.repeated if value in self.ids else self.ids).add(value)
            elif name in ("href", "src") and value and tag != "base":
                self.targets.append(value)


@cache
def read(page: Path) -> Anchors:
    """The anchors of one page."""
    parser = Anchors()
    parser.feed(page.read_text("utf8"))
    return parser


def dead(page: Path) -> list[str]:
    """Addresses on this page that lead to no file or to no place in it."""
    lost = []
    for target in read(page).targets:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        file = file / "index.html" if file.is_dir() else file
        place = unquote(parts.fragment)
        in_page = place and file.suffix == ".html"
        if not file.is_file() or (in_page and place not in read(file).ids):
            lost.append(target)
    return lost


def test_every_internal_link_and_fragment_resolves() -> None:
    built()
    assert {p.relative_to(HTML).as_posix(): d for p in files() if (d := dead(p))} == {}


def test_no_id_is_repeated_on_a_page() -> None:
    built()
    found = {p.name: read(p).repeated for p in files() if read(p).repeated}
    assert found == {}


@pytest.mark.parametrize("link", ["gone.html", "#nowhere", "b.html#nowhere"])
def test_a_dead_link_is_noticed(tmp_path: Path, link: str) -> None:
    (tmp_path / "b.html").write_text('<p id="here">', "utf8")
    page = tmp_path / "a.html"
    page.write_text(
        f'<p id="top"><a href="b.html#here"><a href="#top"><a href="{link}">', "utf8"
    )
    assert dead(page) == [link]


def test_tables_of_cells_are_tables() -> None:
    """Markdown that a cell emits is read as CommonMark, without tables, by default."""
    built()
    raw = [p.relative_to(HTML).as_posix() for p in files() if "<p>| " in p.read_text()]
    assert raw == []
