"""The suite for cones: every case, run on one layer.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from companion.conformance.checks import Outcome
from companion.conformance.conic.cases import cone_cases
from companion.conformance.conic.checks import examine
from companion.conformance.layers import Layer


def names() -> list[str]:
    """All that can be asked for."""
    return list(cone_cases())


def run(layer: Layer, only: str | None = None) -> Iterator[Outcome]:
    """Outcomes of the layer, on everything or on the case of this name."""
    for name in [only] if only else names():
        yield from examine(layer, cone_cases()[name])
