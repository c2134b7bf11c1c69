"""The dual of the exponential cone, a cone of a product in its own right.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from companion.reference.cones.exponential import (
    derivative as derivative_dual,
)
from companion.reference.cones.exponential import (
    derivative_dual as derivative,
)
from companion.reference.cones.exponential import (
    project as project_dual,
)
from companion.reference.cones.exponential import (
    project_dual as project,
)

__all__ = ["derivative", "derivative_dual", "project", "project_dual"]
