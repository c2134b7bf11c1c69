"""Layers with one planted fault each, which the suite has to tell from the right one.

The right one is the textbook's: the reference solver, and the adjoint of the KKT
conditions on the active rows, one instance after another.

Chapter: conformance.md. Theorems: qp-gradients, qp-shared-parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from companion.conformance.cases import FIELDS, MATRICES
from companion.conformance.layers import Answer, Fields, Layer
from companion.problems import QP, Status
from companion.reference import qp as reference

WORDS = {
    Status.SOLVED: "solved",
    Status.PRIMAL_INFEASIBLE: "infeasible",
    Status.DUAL_INFEASIBLE: "unbounded",
}
Gradients = dict[str, np.ndarray]


class Parts(NamedTuple):
    """What the six formulas are made of: a solution and its adjoint."""

    x: np.ndarray
    nu: np.ndarray
    lam: np.ndarray
    dx: np.ndarray
    dnu: np.ndarray
    dlam: np.ndarray


def formulas(v: Parts) -> Gradients:
    """The gradients of seedᵀx, as they should be."""
    return {
        "P": (np.outer(v.dx, v.x) + np.outer(v.x, v.dx)) / 2,
        "q": v.dx,
        "A": np.outer(v.dnu, v.x) + np.outer(v.nu, v.dx),
        "b": -v.dnu,
        "G": np.outer(v.dlam, v.x) + np.outer(v.lam, v.dx),
        "h": -v.dlam,
    }


class Fault(NamedTuple):
    """One way to be wrong: in a formula, in a sum, or in what is done with a call."""

    about: str
    formula: Callable[[Gradients, Parts], Gradients] = lambda g, _: g
    total: Callable[..., Any] = np.sum  # over the instances that share a field
    call: Callable[[Callable[..., Answer], Fields, Any], Answer] = (
        lambda right, fields, seed: right(fields, seed)
    )


def textbook(fault: Fault, fields: Fields, seed: np.ndarray | None) -> Answer:
    """Solve and differentiate each instance, with the fault's formulas and sums."""
    ranks = {k: 2 if k in MATRICES else 1 for k in FIELDS}
    batched = [k for k in FIELDS if fields[k].ndim > ranks[k]]
    size = len(fields[batched[0]]) if batched else 1
    problems = [
        QP(*(fields[k][i] if k in batched else fields[k] for k in FIELDS))
        for i in range(size)
    ]
    sols = [reference.solve(p.map(lambda v: v.astype(float))) for p in problems]
    n, kind = fields["q"].shape[-1], fields["q"].dtype
    lead = (size,) if batched else ()
    x = np.array([s.x for s in sols]).reshape(*lead, n)
    grads: Gradients = {}
    if seed is not None:
        weights = np.reshape(seed, (size, n))
        each = [
            fault.formula(formulas(v), v)
            for v in map(_adjoint, problems, sols, weights)
        ]
        for k in FIELDS:
            rows = np.array([g[k] for g in each]).reshape(
                size, *problem_shape(fields, k)
            )
            total = rows if k in batched else fault.total(rows, axis=0)
            grads[k] = total.astype(kind)
    return Answer(
        x=x.astype(kind),
        grads=grads,
        nu=np.array([s.nu for s in sols]),
        lam=np.array([s.lam for s in sols]),
        status=[WORDS.get(s.status, "failed") for s in sols],
    )


def problem_shape(fields: Fields, name: str) -> tuple[int, ...]:
    """The shape of a field of one instance."""
    return fields[name].shape[-2:] if name in MATRICES else fields[name].shape[-1:]


def _adjoint(problem: QP, sol: Any, seed: np.ndarray) -> Parts:
    """The adjoint on the rows with lam > slack; zero where there is no solution."""
    P, _, A, b, G, h = problem.fields
    n, p, m = len(seed), len(b), len(h)
    if sol.status is not Status.SOLVED:
        return Parts(*map(np.zeros, (n, p, m, n, p, m)))
    at = np.flatnonzero(sol.lam > sol.slack)
    rows = np.concatenate([A, G[at]])
    K = np.block([[P, rows.T], [rows, np.zeros((len(rows), len(rows)))]])
    d = np.linalg.lstsq(K, -np.r_[seed, np.zeros(len(rows))], rcond=None)[0]
    dlam = np.zeros(m)
    dlam[at] = d[n + p :]
    return Parts(sol.x, sol.nu, sol.lam, d[:n], d[n : n + p], dlam)


def _in(field: str, formula: Callable[[Parts], np.ndarray]) -> dict[str, Any]:
    """A fault in the formula of one field."""
    return {"formula": lambda g, v: {**g, field: formula(v)}}


def _ridge(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    P = fields["P"] + 1e-4 * np.eye(fields["P"].shape[-1], dtype=fields["P"].dtype)
    return right({**fields, "P": P}, seed)


def _mute(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    return Answer(np.nan_to_num(answer.x), answer.grads)


def _contagious(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    if np.isfinite(answer.x).all():
        return answer
    return Answer(np.full_like(answer.x, np.nan), answer.grads, status=answer.status)


def _squeezed(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    return Answer(np.squeeze(answer.x), answer.grads, status=answer.status)


def _unseeded(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    return right(fields, None if seed is None else np.sign(seed))


def _double(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    grads = {k: v.astype(float) for k, v in answer.grads.items()}
    return Answer(answer.x.astype(float), grads, status=answer.status)


def _spoiling(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    fields["q"][...] *= -1
    return answer


def _tied(right: Callable[..., Answer], fields: Fields, seed: Any) -> Answer:
    answer = right(fields, seed)
    sure = [status == "solved" for status in answer.status or []]
    return Answer(answer.x, answer.grads, status=answer.status, differentiable=sure)


RIGHT = Fault("nothing")
FAULTS: dict[str, Fault] = {
    "half dropped": Fault(
        "dP = dx xᵀ + x dxᵀ",
        **_in("P", lambda v: np.outer(v.dx, v.x) + np.outer(v.x, v.dx)),
    ),
    "P not symmetrised": Fault("dP = dx xᵀ", **_in("P", lambda v: np.outer(v.dx, v.x))),
    "sign of q": Fault("dq = −dx", **_in("q", lambda v: -v.dx)),
    "sign of dnu in A": Fault(
        "dA = −dnu xᵀ + nu dxᵀ",
        **_in("A", lambda v: -np.outer(v.dnu, v.x) + np.outer(v.nu, v.dx)),
    ),
    "nu forgotten in A": Fault(
        "dA = dnu xᵀ", **_in("A", lambda v: np.outer(v.dnu, v.x))
    ),
    "sign of b": Fault("db = dnu", **_in("b", lambda v: v.dnu)),
    "lam twice in G": Fault(
        "dG = lam(dlam xᵀ + lam dxᵀ), as printed in a paper",
        **_in(
            "G",
            lambda v: v.lam[:, None] * (np.outer(v.dlam, v.x) + np.outer(v.lam, v.dx)),
        ),
    ),
    "lam squared in G": Fault(
        "dG = dlam xᵀ + lam² dxᵀ",
        **_in("G", lambda v: np.outer(v.dlam, v.x) + np.outer(v.lam**2, v.dx)),
    ),
    "lam forgotten in G": Fault(
        "dG = dlam xᵀ", **_in("G", lambda v: np.outer(v.dlam, v.x))
    ),
    "G transposed": Fault(
        "dG = x dlamᵀ + dx lamᵀ, read in the shape of G",
        **_in("G", lambda v: np.outer(v.x, v.dlam) + np.outer(v.dx, v.lam)),
    ),
    "sign of h": Fault("dh = dlam", **_in("h", lambda v: v.dlam)),
    "lam twice in h": Fault("dh = −lam dlam", **_in("h", lambda v: -v.lam * v.dlam)),
    "mean for sum": Fault("a shared field gets the mean", total=np.mean),
    "first for sum": Fault(
        "a shared field gets the first instance's", total=lambda rows, axis: rows[axis]
    ),
    "ridge": Fault("P + 1e-4 I in place of P", call=_ridge),
    "silent failure": Fault("zeros for what has no solution, and no word", call=_mute),
    "contagion": Fault("one failed instance makes all of them NaN", call=_contagious),
    "squeezed": Fault("a batch of one loses its axis", call=_squeezed),
    "seed's size ignored": Fault(
        "the seed's sign in place of the seed", call=_unseeded
    ),
    "double out": Fault("float32 in, float64 out", call=_double),
    "arguments changed": Fault("q is negated in place", call=_spoiling),
    "never in doubt": Fault(
        "every solved instance is called differentiable", call=_tied
    ),
}


def mutant(name: str, fault: Fault) -> Layer:
    """The textbook's layer with the fault."""
    return Layer(name, partial(fault.call, partial(textbook, fault)))


def mutants() -> Iterator[Layer]:
    """Every one of them."""
    for name, fault in FAULTS.items():
        yield mutant(name, fault)


def right() -> Layer:
    """The textbook's layer without a fault."""
    return mutant("textbook", RIGHT)
