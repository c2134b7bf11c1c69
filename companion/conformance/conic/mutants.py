"""Layers for cones with one planted fault each, which the suite has to tell.

The right one is the textbook's: the layer's forward pass, and the reference's adjoint
of the conditions, Mᵀ(g1, g2) = −(seed, 0) with M = [P AᵀD; −A I − D], D = DΠ_K*(y − s).

Chapter: conformance.md. Theorems: cone-adjoint, soc-derivative, psd-derivative,
exponential-derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from companion.conformance.conic.adapters import answer, cone_program
from companion.conformance.layers import Answer, Layer
from companion.problems import Block, ConeProgram, Cones, ConeSolution, Status, blocks
from companion.reference import cone_program as reference
from companion.reference import cones
from companion.reference.cones import psd, soc

Gradients = dict[str, np.ndarray]
Array = np.ndarray


class Parts(NamedTuple):
    """What the four formulas are made of."""

    x: Array
    y: Array
    g1: Array
    g2: Array


def formulas(v: Parts) -> Gradients:
    """The gradients of seedᵀx, as they should be."""
    return {
        "P": (np.outer(v.g1, v.x) + np.outer(v.x, v.g1)) / 2,
        "q": v.g1,
        "A": np.outer(v.y, v.g1) - np.outer(v.g2, v.x),
        "b": v.g2,
    }


class Fault(NamedTuple):
    """One way to be wrong: in a formula, in D, in M, or in how triangles are read."""

    about: str
    formula: Callable[[Gradients, Parts], Gradients] = lambda g, _: g
    projected: Callable[[Array, Array, Cones], Array] = lambda D, _v, _K: D
    system: Callable[[ConeProgram, Array], Array] | None = None
    adjoint: Callable[[ConeProgram, ConeSolution, Array], Parts] | None = None
    rows: Callable[[Cones], Array] | None = None  # the matrix R by which rows are read
    call: Callable[[Answer], Answer] = lambda answer: answer


def matrix(problem: ConeProgram, D: Array) -> Array:
    """M = [P AᵀD; −A I − D]."""
    P, _, A, _ = problem.fields
    return np.block([[P, A.T @ D], [-A, np.eye(len(D)) - D]])


def textbook(fault: Fault, problem: ConeProgram, seed: Array | None) -> Answer:
    """Solve, and differentiate with the fault's parts."""
    R = np.eye(problem.m) if fault.rows is None else fault.rows(problem.K)
    read = ConeProgram(problem.P, problem.q, R @ problem.A, R @ problem.b, problem.K)
    found = answer(cone_program, read, None)
    x, y, s = found.x, found.y, found.s
    if found.status != ["solved"]:
        return fault.call(Answer(x, status=found.status, y=y, s=s))
    assert y is not None
    assert s is not None
    grads: Gradients = {}
    if seed is not None:
        sol = ConeSolution(x, y, s, 0.0, Status.SOLVED)
        v = (fault.adjoint or partial(_adjoint, fault))(read, sol, seed)
        grads = fault.formula(formulas(v), v)
        grads = {**grads, "A": R.T @ grads["A"], "b": R.T @ grads["b"]}
    told = {"status": found.status, "differentiable": found.differentiable}
    return fault.call(Answer(x, grads, y=R.T @ y, s=np.linalg.inv(R) @ s, **told))


def _adjoint(
    fault: Fault, problem: ConeProgram, sol: ConeSolution, seed: Array
) -> Parts:
    """Mᵀ(g1, g2) = −(seed, 0)."""
    v = sol.y - sol.s
    D = fault.projected(cones.derivative_dual(v, problem.K), v, problem.K)
    M = (fault.system or matrix)(problem, D)
    r = np.concatenate([-seed, np.zeros(problem.m)])
    g = np.linalg.lstsq(M.T, r, rcond=1e-12)[0]
    return Parts(sol.x, sol.y, g[: problem.n], g[problem.n :])


def _in(field: str, formula: Callable[[Parts], Array]) -> Fault:
    """A fault in the formula of one field."""
    return Fault("", lambda g, v: {**g, field: formula(v)})


def _told(about: str, fault: Fault) -> Fault:
    return fault._replace(about=about)


def _mirrored(X: Array) -> Array:
    return np.triu(X) + np.triu(X, 1).T


def on_blocks(cone: str, change: Callable[[Array, Block], Array]) -> Fault:
    """D with the blocks of one cone replaced by a function of their part of v."""

    def projected(D: Array, v: Array, K: Cones) -> Array:
        D = D.copy()
        for block in blocks(K):
            if block.cone == cone:
                D[block.rows, block.rows] = change(v[block.rows], block)
        return D

    return Fault("", projected=projected)


def _flat_soc(v: Array, _block: Block) -> Array:
    """½[1 uᵀ; u (1 + k)I]: DΠ without its term −k uuᵀ."""
    D = soc.derivative(v)
    if abs(v[0]) < np.linalg.norm(v[1:]):
        r = np.linalg.norm(v[1:])
        u = v[1:] / r
        D[1:, 1:] += v[0] / r * np.outer(u, u) / 2
    return D


def _hard_psd(v: Array, _block: Block) -> Array:
    """Keeps what lies between two positive eigenvalues, and nothing across signs."""
    lam, U = np.linalg.eigh(psd.matrix(v))
    mask = np.outer(lam > 0, lam > 0)
    columns = [
        psd.vector(U @ (mask * (U.T @ psd.matrix(e) @ U)) @ U.T) for e in np.eye(len(v))
    ]
    return np.stack(columns, 1)


def _off(K: Cones, factor: float) -> Array:
    """The diagonal matrix with a factor in rows off the diagonals of triangles."""
    found = np.ones(K.rows)
    for block in blocks(K):
        if block.cone == "psd":
            rows, columns = psd.lower(int(block.parameter))
            found[block.rows] = np.where(rows == columns, 1.0, factor)
    return np.diag(found)


def upper(K: Cones) -> Array:
    """The permutation by which an upper triangle, by columns, is read as a lower."""
    found = np.arange(K.rows)
    for block in blocks(K):
        if block.cone == "psd":
            rows, columns = psd.lower(int(block.parameter))
            order = np.lexsort((columns, rows))
            found[block.rows] = block.rows.start + np.argsort(order)
    return np.eye(K.rows)[found]


def _embedded(
    problem: ConeProgram, sol: ConeSolution, seed: Array, sign: float
) -> Parts:
    """The adjoint of the whole embedding, the row of τ times a sign; τ is put back."""
    M = reference.jacobian(problem, reference.point(sol))
    M[-1] *= sign
    r = np.concatenate([seed, np.zeros(problem.m), [-(sol.x @ seed)]])
    g = -np.linalg.lstsq(M.T, r, rcond=1e-11)[0]
    g1, g2 = g[: problem.n] - g[-1] * sol.x, g[problem.n : -1] - g[-1] * sol.y
    return Parts(sol.x, sol.y, g1, g2)


def _mute(answer: Answer) -> Answer:
    return Answer(np.nan_to_num(answer.x), answer.grads, y=answer.y, s=answer.s)


def _sure(answer: Answer) -> Answer:
    sure = [status == "solved" for status in answer.status or []]
    return Answer(answer.x, answer.grads, status=answer.status, differentiable=sure)


RIGHT = Fault("nothing")
FAULTS: dict[str, Fault] = {
    "P not symmetrised": _told(
        "dP = g1 xᵀ, of which the upper triangle is taken twice",
        _in(
            "P",
            lambda v: np.triu(np.outer(v.g1, v.x)) + np.triu(np.outer(v.g1, v.x), 1).T,
        ),
    ),
    "half dropped": _told(
        "dP = g1 xᵀ + x g1ᵀ",
        _in("P", lambda v: np.outer(v.g1, v.x) + np.outer(v.x, v.g1)),
    ),
    "sign of g2 in A": _told(
        "dA = y g1ᵀ + g2 xᵀ",
        _in("A", lambda v: np.outer(v.y, v.g1) + np.outer(v.g2, v.x)),
    ),
    "y forgotten in A": _told("dA = −g2 xᵀ", _in("A", lambda v: -np.outer(v.g2, v.x))),
    "sign of b": _told("db = −g2", _in("b", lambda v: -v.g2)),
    "D forgotten beside A": Fault(
        "M = [P Aᵀ; −A I − D]: y gets no DΠ_K*",
        system=lambda p, D: np.block([[p.P, p.A.T], [-p.A, np.eye(len(D)) - D]]),
    ),
    "sign of tau's row": Fault(
        "the last row of the homogeneous embedding negated",
        adjoint=partial(_embedded, sign=-1.0),
    ),
    "cone for dual": Fault(
        "DΠ_K in place of DΠ_K*",
        projected=lambda _D, v, K: cones.derivative(v, K),
    ),
    "polar for cone": Fault(
        "DΠ of the polar cone, I − D", projected=lambda D, _v, _K: np.eye(len(D)) - D
    ),
    "soc without its rank-one term": _told(
        "½[1 uᵀ; u (1 + k)I]", on_blocks("soc", _flat_soc)
    ),
    "psd across signs": _told(
        "B_ij = 0 where λ_i and λ_j differ in sign", on_blocks("psd", _hard_psd)
    ),
    "exp dual for exp": _told(
        "the exponential cone taken for its own dual",
        on_blocks("exp", lambda v, _: cones.exponential.derivative(v)),
    ),
    "exp for exp dual": _told(
        "the dual exponential cone taken for its own dual",
        on_blocks("exp_dual", lambda v, _: cones.exponential_dual.derivative(v)),
    ),
    "power dual for power": _told(
        "power cones taken for their own duals",
        on_blocks("power", lambda v, b: cones.power.derivative(v, b.parameter)),
    ),
    "root forgotten": Fault(
        "triangles read as if entries off the diagonal came without √2",
        rows=lambda K: _off(K, 2**0.5),
    ),
    "root twice": Fault(
        "triangles read as if entries off the diagonal came times 2",
        rows=lambda K: _off(K, 0.5**0.5),
    ),
    "upper triangle": Fault(
        "triangles read as upper ones, column by column", rows=upper
    ),
    "silent failure": Fault("zeros where there is no solution, no word", call=_mute),
    "never in doubt": Fault(
        "every solved instance is called differentiable", call=_sure
    ),
}


def mutant(name: str, fault: Fault) -> Layer:
    """The textbook's layer with the fault."""
    return Layer(name, partial(textbook, fault))


def right() -> Layer:
    """The textbook's layer without a fault."""
    return mutant("textbook", RIGHT)
