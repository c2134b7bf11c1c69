"""Batches against their instances, and instances against their neighbours.

Each takes a layer and a regular case and gives a relative error, as in `relations`.

Chapter: conformance.md. Theorems: qp-shared-parameters.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from companion.conformance.cases import FIELDS, Case
from companion.conformance.checks import distance
from companion.conformance.layers import Answer, Fields, Layer
from companion.conformance.relations import Moved, base, furthest

SHIFT = 1 / 64  # of q, so short that the active rows of the bases stay


def stacked(
    fields: Fields, size: int, *, shared: frozenset[str] = frozenset()
) -> dict[str, np.ndarray]:
    """A batch whose q differ by multiples of a shift, but for shared fields."""
    many = {
        name: v if name in shared else np.stack([v] * size)
        for name, v in fields.items()
    }
    if "q" not in shared:
        steps = SHIFT * np.arange(size).reshape(-1, 1)
        many["q"] = many["q"] + steps * np.cos(np.arange(len(fields["q"])))
    return many


def repeatable(layer: Layer, case: Case) -> float:
    """The same call gives the same bits, whatever was solved in between."""
    fields, seed = base(case)
    first = layer.call(fields, seed)
    layer.call(stacked(fields, 2), np.stack([seed, seed]))
    second = layer.call(fields, seed)
    same = np.array_equal(first.x, second.x) and all(
        np.array_equal(first.grads[k], second.grads[k]) for k in FIELDS
    )
    return 0.0 if same else max(furthest(first.grads, second.grads), 1e-6)


def batch_is_loop(layer: Layer, case: Case) -> float:
    """A batch of different problems gives what they give one by one."""
    fields, seed = base(case)
    many = stacked(fields, 3)
    together = layer.call(many, np.stack([seed] * 3))
    worst = 0.0
    for i in range(3):
        alone = layer.call({k: v[i] for k, v in many.items()}, seed)
        got = {k: together.grads[k][i] for k in FIELDS}
        gaps = distance(together.x[i], alone.x), furthest(got, alone.grads)
        worst = max(worst, *gaps)
    return worst


def batch_of_one_keeps_its_axis(layer: Layer, case: Case) -> float:
    """A batch of one problem has an output of shape (1, n), and the same gradients."""
    fields, seed = base(case)
    one = layer.call(stacked(fields, 1), seed[None])
    if one.x.shape != (1, case.n):
        return np.inf
    return furthest(one.grads, layer.call(fields, seed).grads)


def batch_of_none(layer: Layer, case: Case) -> float:
    """An empty batch has an output of shape (0, n)."""
    fields, _ = base(case)
    empty = {k: np.zeros((0, *v.shape)) for k, v in fields.items()}
    answer = layer.call(empty, np.zeros((0, case.n)))
    return 0.0 if answer.x.shape == (0, case.n) else np.inf


def shared_fields_sum(size: int, layer: Layer, case: Case) -> float:
    """In all mixes of shared and batched fields, a shared one gets the sum."""
    fields, seed = base(case)
    many = stacked(fields, size)
    alone = [layer.call({k: v[i] for k, v in many.items()}, seed) for i in range(size)]
    worst = 0.0
    for mix in product((False, True), repeat=len(FIELDS)):
        if all(mix):
            continue
        shared = frozenset(k for k, yes in zip(FIELDS, mix, strict=True) if yes)
        many = stacked(fields, size, shared=shared)
        got = layer.call(many, np.stack([seed] * size)).grads
        parts = [alone[0 if "q" in shared else i].grads for i in range(size)]
        want = {
            k: np.sum([p[k].reshape(fields[k].shape) for p in parts], axis=0)
            if k in shared
            else np.stack([p[k].reshape(fields[k].shape) for p in parts])
            for k in FIELDS
        }
        worst = max(worst, furthest(got, want))
    return worst


def _three(middle: np.ndarray, q: float = 0.0) -> Moved:
    """The problem min x²/2 over lo ≤ x ≤ hi, for (1, 3), the middle, and (2, 3)."""
    limits = np.stack([[-1.0, 3.0], middle, [-2.0, 3.0]])
    G = np.tile([[-1.0], [1.0]], (3, 1, 1))
    fields = {
        "P": np.ones((3, 1, 1)),
        "q": np.array([[0.0], [q], [0.0]]),
        "A": np.zeros((3, 0, 1)),
        "b": np.zeros((3, 0)),
        "G": G,
        "h": limits,
    }
    return fields, np.array([[1.0], [0.0], [1.0]])


def _beside(layer: Layer, bad: Moved) -> float:
    good = layer.call(*_three(np.array([-1.0, 3.0])))
    mixed = layer.call(*bad)

    def pair(answer: Answer) -> list[np.ndarray]:
        parts = [answer.x, *(answer.grads[k] for k in "PqGh")]
        return [part[[0, 2]] for part in parts]

    if not np.isfinite(np.concatenate([v.ravel() for v in pair(mixed)])).all():
        return np.inf
    errors = [distance(pair(mixed)[0].ravel(), [1.0, 2.0])]
    errors += [distance(m, g) for m, g in zip(pair(mixed), pair(good), strict=True)]
    return max(errors)


def beside_an_infeasible_one(layer: Layer, case: Case) -> float:  # noqa: ARG001
    """Neighbours of an infeasible instance are solved, and differentiated, as ever."""
    return _beside(layer, _three(np.array([-1.0, -1.0])))


def beside_a_nan(layer: Layer, case: Case) -> float:  # noqa: ARG001
    """Neighbours of an instance with a NaN are solved, and differentiated, as ever."""
    return _beside(layer, _three(np.array([-1.0, 3.0]), np.nan))
