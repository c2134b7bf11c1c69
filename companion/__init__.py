"""Differentiable convex optimization layers: proofs as code."""

__version__ = "0.1.0"
