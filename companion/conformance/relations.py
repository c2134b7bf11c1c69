"""A layer's answers to problems that are moved in a way that is understood.

Each takes a layer and a regular case and gives the relative error by which the relation
fails; infinite where the answer has the wrong kind or order.

Chapter: conformance.md.
"""

from __future__ import annotations

import numpy as np

from companion.conformance.cases import FIELDS, Case
from companion.conformance.checks import distance
from companion.conformance.layers import Fields, Layer
from companion.gradcheck import taylor

SINGLE = 1e-5  # what single precision may cost

Moved = tuple[dict[str, np.ndarray], np.ndarray]


def base(case: Case) -> Moved:
    """The case's data and its first seed."""
    return case.fields, np.array(case.vjps[0]["seed"], dtype=float)


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
