"""The conformance suite: exact cases and properties that any QP layer can be held to.

Data, not code of ours: a case is a problem with rational solution, multipliers and
gradients, or with the status and the direction that proves it.  The schema of the files
in `cases/` is `schema.json`.

Chapter: conformance.md.
"""

from companion.conformance.cases import Case, cases
from companion.conformance.checks import Outcome, Verdict, examine
from companion.conformance.layers import Answer, Layer
from companion.conformance.suite import run

__all__ = ["Answer", "Case", "Layer", "Outcome", "Verdict", "cases", "examine", "run"]
