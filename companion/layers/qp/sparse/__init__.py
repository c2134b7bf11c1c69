"""One QP with sparse matrices: values on a pattern are what is differentiated.

Chapter: optnet.md. Theorems: qp-gradients, qp-active-set.
"""

from companion.layers.qp.sparse.checks import is_sparse
from companion.layers.qp.sparse.choice import dense_is_better, densified
from companion.layers.qp.sparse.regularity import regularity
from companion.layers.qp.sparse.solution import layer, solve

__all__ = ["dense_is_better", "densified", "is_sparse", "layer", "regularity", "solve"]
