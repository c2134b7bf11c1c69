"""The suite: every case and every property, run on one layer.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from companion.conformance.cases import cases
from companion.conformance.checks import Outcome, examine
from companion.conformance.layers import Layer
from companion.conformance.properties import PROPERTIES, hold


def names() -> list[str]:
    """All that can be asked for: cases, then properties."""
    return [*cases(), *PROPERTIES]


def run(layer: Layer, only: str | None = None) -> Iterator[Outcome]:
    """Outcomes of the layer, on everything or on the case or property of this name."""
    for name in [only] if only else names():
        if name in PROPERTIES:
            yield from hold(layer, name)
        else:
            yield from examine(layer, cases()[name])
