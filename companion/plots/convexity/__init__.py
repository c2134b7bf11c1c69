"""Figures of the chapter on convexity: graphs over a line, and sets in the plane.

Chapter: convexity.md.
"""

from companion.plots.convexity.graphs import chord_and_tangent, chords, ramps, wells
from companion.plots.convexity.sets import (
    displacements,
    nearest,
    normals,
    orbit,
    segments,
    split,
)

__all__ = [
    "chord_and_tangent",
    "chords",
    "displacements",
    "nearest",
    "normals",
    "orbit",
    "ramps",
    "segments",
    "split",
    "wells",
]
