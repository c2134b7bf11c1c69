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
    source = base64.b64encode(svg(figure)).decode()
    return Emitted(
        f'<figure id="{escape(label)}" class="companion-figure">'
        f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def svg(figure: Figure) -> bytes:
    """The figure as a file, the same bytes every time."""
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


def html(figure: Any, label: str) -> Emitted:
    """A Plotly figure in an element of id `label`; the page brings plotly.js."""
    _ink_plotly(figure)
    markup = figure.to_html(
        include_plotlyjs=False,
        full_html=False,
        auto_play=False,
        div_id=label,
        config={"displayModeBar": False, "responsive": True},
    )
    return Emitted(f'<div class="companion-plotly">{markup}</div>')


def _ink_plotly(figure: Any) -> None:
    """The same ink and ground for a Plotly figure, its axes and its sliders."""
    clear, faint = "rgba(0,0,0,0)", "rgba(128,128,128,0.25)"
    figure.update_layout(
        paper_bgcolor=clear, plot_bgcolor=clear, font={"color": INK, "size": 13}
    )
    lines = {"gridcolor": faint, "zerolinecolor": faint, "linecolor": INK}
    figure.update_xaxes(**lines)
    figure.update_yaxes(**lines)
    for slider in figure.layout.sliders:
        slider.update(
            bgcolor=faint, activebgcolor=INK, bordercolor=INK, tickcolor=INK, ticklen=4
        )


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
