"""The suite for cone programs: cases, checks, and the layers that it knows.

The schema of the files in `cones/` is `cone-schema.json`.

Chapter: conformance.md.
"""

from companion.conformance.conic.cases import ConeCase, cone_cases
from companion.conformance.conic.checks import examine
from companion.conformance.conic.suite import run

__all__ = ["ConeCase", "cone_cases", "examine", "run"]
