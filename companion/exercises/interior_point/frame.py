"""How the exercises of this chapter are compared and made.

Chapter: interior-point.md.
"""

from __future__ import annotations

from functools import partial

from companion.exercises import CLOSE, Exercise, built
from companion.exercises import far as differs
from companion.exercises import first as diagnosed

far = partial(differs, within=CLOSE)
first = partial(diagnosed, within=CLOSE)


def exercise(name: str, *parts) -> Exercise:
    """An exercise of this chapter."""
    return built(f"interior-ex-{name}", *parts)
