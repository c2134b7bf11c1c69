"""Batched differentiable layers in torch: leading batch axes, hand-written derivatives.

Chapter: optnet.md.
"""
