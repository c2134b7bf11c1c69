"""A compiled active-set method for batches of small dense QPs, and its adjoint.

Needs numba; without it the layer falls back to the interior point in torch.

Chapter: interior-point.md. Theorems: nonnegative-dual, dual-active-set, qp-gradients.
"""
