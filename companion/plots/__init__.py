"""Figures of the book: they take data and return a figure; `show` and `html` emit it.

Every figure is drawn in mid-tone colours on a transparent ground, so that one picture
reads on a light page and on a dark one.

Chapter: optnet.md.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

INK = "#7c7c7c"  # contrast ≥ 4 on white and ≥ 4 on #121212
CLEAR, FAINT = "rgba(0,0,0,0)", "rgba(128,128,128,0.3)"
COLOURS = ("#3b78c4", "#c44e3b", "#8a8a8a", "#4c8f5b")  # contrast ≥ 3 on both grounds
STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.hashsalt": "companion",
}


@dataclass(frozen=True)
class Emitted:
    """HTML that a notebook displays."""

    markup: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return ""


def show(figure: Figure, *, alt: str, caption: str, label: str) -> Emitted:
    """The figure with its alternative text and caption, as an element of id `label`.

    Raises ValueError if a text is empty.
    """
    for name, value in (("alt", alt), ("caption", caption), ("label", label)):
        if not value.strip():
            msg = f"{name}: expected a text, got {value!r}"
            raise ValueError(msg)
    _ink(figure)
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    source = base64.b64encode(stream.getvalue()).decode()
    return Emitted(
        f'<figure id="{escape(label)}" class="companion-figure">'
        f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def html(figure: Any, label: str) -> Emitted:
    """A Plotly figure in an element of id `label`; the page brings plotly.js.

    Ground, letters and grid are set so that it reads on a light page and on a dark one.
    """
    figure.update_layout(
        paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, font={"color": INK}, colorway=COLOURS
    )
    grid = {"gridcolor": FAINT, "zerolinecolor": FAINT, "linecolor": INK}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    markup = figure.to_html(include_plotlyjs=False, full_html=False, div_id=label)
    return Emitted(f'<div class="companion-plotly">{markup}</div>')


def _ink(figure: Figure) -> None:
    """Draw every axis, tick, title and legend text in the ink that fits both pages."""
    for axes in figure.axes:
        axes.tick_params(colors=INK)
        for item in (axes.xaxis.label, axes.yaxis.label, axes.title):
            item.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
        legend = axes.get_legend()
        for text in legend.get_texts() if legend else ():
            text.set_color(INK)
