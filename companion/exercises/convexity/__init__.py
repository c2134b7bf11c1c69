"""The exercises of convexity.md: chords, rules, certificates, normals, distances."""

from companion.exercises.convexity.functions import CHORD, COMPOSE, STEADY
from companion.exercises.convexity.nearest import CERTIFY, DISTANCE, DUAL, NORMAL

EXERCISES = (CHORD, COMPOSE, STEADY, CERTIFY, NORMAL, DUAL, DISTANCE)
