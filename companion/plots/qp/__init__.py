"""Figures of the chapter on QP layers.

The plane (`plane`), curves (`lines`), the KKT matrix (`matrix`), a slider (`wall`).

Chapter: optnet.md.
"""

from companion.plots.qp.lines import curves, kink, remainders, training
from companion.plots.qp.matrix import blocks
from companion.plots.qp.palette import BLUE, GREEN, GREY, RED
from companion.plots.qp.plane import geometry, polygons, region, swing
from companion.plots.qp.wall import moving_wall

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "RED",
    "blocks",
    "curves",
    "geometry",
    "kink",
    "moving_wall",
    "polygons",
    "region",
    "remainders",
    "swing",
    "training",
]
