"""Print the single page of the book: ``python -m book.driver.pdf FOLDER FILE``."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from book.driver.browser import require

# figures drawn by Plotly become pictures: its drawing area does not follow the paper
STILL = """async () => {
  await document.fonts.ready;
  for (const figure of document.querySelectorAll('.js-plotly-plot')) {
    const url = await Plotly.toImage(figure, {format: 'svg'});
    const picture = new Image();
    picture.src = url;
    picture.style.maxWidth = '100%';
    figure.replaceWith(picture);
    await picture.decode();
  }
  for (const fold of document.querySelectorAll('details')) fold.open = true;
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
}"""
FOOTER = (
    '<div style="font-size:8px;width:100%;text-align:center">'
    '<span class="pageNumber"></span></div>'
)
PATIENCE = 600_000.0  # milliseconds; the whole book's formulas take minutes to set
MARGINS = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}


def single_page(folder: Path) -> Path:
    """The page, beside the assets that its links expect at the root."""
    flat = folder / "whole-book.html"
    others = ("genindex.html", flat.name)
    pages = [page for page in folder.rglob("*.html") if page.name not in others]
    page = max(pages, key=lambda path: path.stat().st_size)
    shutil.copyfile(page, flat)
    return flat


def print_page(page: Page, source: Path, target: Path) -> None:
    """Print one file as a tagged PDF with an outline."""
    page.set_default_timeout(PATIENCE)
    page.goto(source.as_uri(), wait_until="load")
    page.evaluate(STILL)
    page.emulate_media(media="print", color_scheme="light")
    page.pdf(
        path=str(target),
        format="A4",
        margin=MARGINS,  # pyright: ignore[reportArgumentType]
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        tagged=True,
        outline=True,
    )


def main(folder: Path, target: Path) -> None:
    """Print the book that the singlehtml builder left in a folder."""
    with sync_playwright() as engine:
        chromium = engine.chromium.launch(
            executable_path=require(), args=["--no-sandbox"]
        )
        print_page(chromium.new_page(), single_page(folder), target)
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
