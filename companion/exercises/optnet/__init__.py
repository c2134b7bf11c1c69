"""Exercises of the chapter on QP layers.

Chapter: optnet.md.
"""

from companion.exercises.optnet import gradients, systems

EXERCISES = (*gradients.EXERCISES, *systems.EXERCISES)
