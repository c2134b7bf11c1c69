"""Properties that hold whatever the numbers: a layer against itself on moved problems.

Each takes a layer and a regular case and gives the relative error by which it fails;
infinite where the answer has the wrong shape, kind or order.

Chapter: conformance.md. Theorems: qp-shared-parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from companion.conformance.cases import FIELDS, Case, cases
from companion.conformance.checks import (
    Outcome,
    Verdict,
    distance,
    judged,
    message,
)
from companion.conformance.layers import Answer, Fields, Layer
from companion.gradcheck import taylor

BASES = ("seeded-3-1-2-1", "seeded-4-1-5-2")
BATCHES = (1, 2, 5)
SHIFT = 1 / 64  # of q, so short that the active rows of the bases stay
SINGLE = 1e-5  # what single precision may cost

Moved = tuple[dict[str, np.ndarray], np.ndarray]
Property = Callable[[Layer, Case], float]


def base(case: Case) -> Moved:
    """The case's data and its first seed."""
    return case.fields, np.array(case.vjps[0]["seed"], dtype=float)


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


def furthest(got: Fields, want: Fields) -> float:
    """The largest distance between gradients of the same fields."""
    return max(distance(got[name], want[name]) for name in want)


def linear_in_seed(layer: Layer, case: Case) -> float:
    """The gradient for 2u − 3v is 2 times that for u less 3 times that for v."""
    fields = case.fields
    u, v = (np.array(vjp["seed"], dtype=float) for vjp in case.vjps)
    first, second, both = (
        layer.call(fields, seed).grads for seed in (u, v, 2 * u - 3 * v)
    )
    return furthest(both, {k: 2 * first[k] - 3 * second[k] for k in FIELDS})


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


def inputs_untouched(layer: Layer, case: Case) -> float:
    """The caller's arrays hold afterwards what they held before."""
    fields, seed = base(case)
    layer.call(fields, seed)
    return furthest(fields, case.fields)


def symmetric_in_P(layer: Layer, case: Case) -> float:
    """The gradient in P is its symmetric representative."""
    dP = layer.call(*base(case)).grads["P"]
    dP = dP.reshape(case.n, case.n)
    return distance(dP, dP.T)


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


def rows_scaled(layer: Layer, case: Case) -> float:
    """Rows of (G, h) times 4 leave x alone and divide their gradients by 4."""
    fields, seed = base(case)
    plain = layer.call(fields, seed)
    scaled = layer.call({**fields, "G": 4 * fields["G"], "h": 4 * fields["h"]}, seed)
    want = {k: v / 4 if k in "Gh" else v for k, v in plain.grads.items()}
    return max(distance(scaled.x, plain.x), furthest(scaled.grads, want))


def cost_scaled(layer: Layer, case: Case) -> float:
    """The cost times 4 leaves x alone and divides the gradients in P and q by 4."""
    fields, seed = base(case)
    plain = layer.call(fields, seed)
    scaled = layer.call({**fields, "P": 4 * fields["P"], "q": 4 * fields["q"]}, seed)
    want = {k: v / 4 if k in "Pq" else v for k, v in plain.grads.items()}
    return max(distance(scaled.x, plain.x), furthest(scaled.grads, want))


def rows_permuted(layer: Layer, case: Case) -> float:
    """The rows of (G, h) in reverse order: the gradients in reverse order."""
    fields, seed = base(case)
    plain = layer.call(fields, seed).grads
    flipped = layer.call(
        {**fields, "G": fields["G"][::-1], "h": fields["h"][::-1]}, seed
    ).grads
    shaped = {k: plain[k].reshape(fields[k].shape) for k in FIELDS}
    return furthest(
        flipped, {k: v[::-1] if k in "Gh" else v for k, v in shaped.items()}
    )


def variables_permuted(layer: Layer, case: Case) -> float:
    """The variables in reverse order: solution and gradients in reverse order."""

    def turned(name: str, v: np.ndarray) -> np.ndarray:
        v = v.reshape(case.fields[name].shape)
        if name == "P":
            return v[::-1, ::-1]
        return v if name in "bh" else v[..., ::-1]

    fields, seed = base(case)
    plain = layer.call(fields, seed)
    moved = layer.call({k: turned(k, v) for k, v in fields.items()}, seed[::-1])
    want = {k: turned(k, v) for k, v in plain.grads.items()}
    x = plain.x.reshape(-1)[::-1]
    return max(distance(moved.x, x), furthest(moved.grads, want))


def translated(layer: Layer, case: Case) -> float:
    """With q − Pc, b + Ac and h + Gc, x moves by c and their gradients stay."""
    fields, seed = base(case)
    P, q, A, b, G, h = fields.values()
    c = np.arange(1.0, case.n + 1) / 4
    plain = layer.call(fields, seed)
    moved = layer.call({**fields, "q": q - P @ c, "b": b + A @ c, "h": h + G @ c}, seed)
    want = {k: plain.grads[k] for k in "qbh"}
    x = plain.x.reshape(-1) + c
    return max(distance(moved.x, x), furthest(moved.grads, want))


def inactive_row_added(layer: Layer, case: Case) -> float:
    """A row far from the solution changes no gradient and has none itself."""
    fields, seed = base(case)
    plain = layer.call(fields, seed)
    G, h = fields["G"], fields["h"]
    row, room = np.ones((1, case.n)), [100 + np.ones(case.n) @ plain.x.reshape(-1)]
    more = {**fields, "G": np.concatenate([G, row]), "h": np.concatenate([h, room])}
    got = layer.call(more, seed).grads
    want = {k: plain.grads[k].reshape(fields[k].shape) for k in FIELDS}
    want["G"] = np.concatenate([want["G"], 0 * row])
    want["h"] = np.concatenate([want["h"], [0.0]])
    return furthest(got, want)


def derivative_of_its_own_x(layer: Layer, case: Case) -> float:
    """Taylor: what seedᵀx moves by is what the gradients say, to second order."""
    fields, seed = base(case)
    rng = np.random.default_rng(0)
    ways = {k: rng.normal(size=v.shape) / 8 for k, v in fields.items()}
    ways["P"] = ways["P"] + ways["P"].T
    grads = layer.call(fields, seed).grads
    slope = sum(float(np.sum(grads[k].reshape(ways[k].shape) * ways[k])) for k in ways)

    def moved(t: np.ndarray) -> float:
        step = {k: fields[k] + float(t) * ways[k] for k in FIELDS}
        return float(layer.call(step, None).x.reshape(-1) @ seed)

    report = taylor(moved, np.array(0.0), np.array(1.0), slope, noise=1e-7)
    return 0.0 if report.passes else np.inf


def single_precision_kept(layer: Layer, case: Case) -> float:
    """float32 in gives float32 out, right to single precision."""
    fields, seed = base(case)
    single = {k: v.astype(np.float32) for k, v in fields.items()}
    answer = layer.call(single, seed.astype(np.float32))
    kinds = {answer.x.dtype, *(answer.grads[k].dtype for k in FIELDS)}
    if kinds != {np.dtype(np.float32)}:
        return np.inf
    exact = layer.call(fields, seed)
    gaps = distance(answer.x, exact.x), furthest(answer.grads, exact.grads)
    return 0.0 if max(gaps) <= SINGLE else max(gaps)


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


PROPERTIES: dict[str, Property] = {
    f.__name__.replace("_", " "): f
    for f in (
        *(linear_in_seed, repeatable, inputs_untouched, symmetric_in_P),
        *(batch_is_loop, batch_of_one_keeps_its_axis, batch_of_none),
        *(rows_scaled, cost_scaled, rows_permuted),
        *(variables_permuted, translated, inactive_row_added),
        *(derivative_of_its_own_x, single_precision_kept),
        *(beside_an_infeasible_one, beside_a_nan),
    )
} | {f"shared fields sum, batch of {B}": partial(shared_fields_sum, B) for B in BATCHES}
ONCE = ("beside an infeasible one", "beside a nan", "batch of none")  # on one base


def hold(layer: Layer, name: str) -> list[Outcome]:
    """The property on its bases."""
    return [
        _held(layer, name, cases()[key])
        for key in (BASES[:1] if name in ONCE or "sum" in name else BASES)
    ]


def _held(layer: Layer, name: str, case: Case) -> Outcome:
    try:
        error = PROPERTIES[name](layer, case)
    except Exception as error:  # noqa: BLE001 - whatever a layer raises is a result
        return Outcome(case.name, name, Verdict.RAISED, np.inf, message(error))
    return Outcome(case.name, name, judged(error), error)
