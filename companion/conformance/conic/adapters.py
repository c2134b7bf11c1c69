"""The layers for cones that can be tested: ours, and others where they are installed.

An adapter takes (P, q, A, b) as NumPy arrays and the cones as `Cones`, and gives a
dictionary: x, a function `pullback` from a gradient in x to those in the fields, and
where the layer has them y, s, status and differentiable.  Each is written to be
pasted, so it imports what it needs and uses nothing from here.

Chapter: conformance.md.
"""

# pyright: reportMissingImports=false
# peers are optional

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import platform
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import companion
from companion.conformance.conic.cases import FIELDS
from companion.conformance.layers import Answer, Layer
from companion.conformance.source import text
from companion.problems import ConeProgram

Adapter = Callable[..., dict[str, Any]]


def cone_program(P, q, A, b, K):
    """The layer of this book."""
    import torch

    from companion.layers import cone_program
    from companion.problems import ConeProgram

    problem = ConeProgram(*map(torch.from_numpy, (P, q, A, b)), K=K)
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = cone_program.solve(leaves)
    here = cone_program.regularity(problem, sol)
    kinds = ["solved", "infeasible", "unbounded", "failed", "failed"]
    return {
        "x": sol.x.detach(),
        "y": sol.y.detach(),
        "s": sol.s.detach(),
        "status": [kinds[int(sol.status)]],
        "differentiable": [bool(here.differentiable)],
        "pullback": lambda g: torch.autograd.grad(
            sol.x, leaves.fields, torch.from_numpy(g), retain_graph=True
        ),
    }


def diffcp(P, q, A, b, K, engine="SCS"):
    """The package behind cvxpylayers: linear cost, tight tolerances, dense backward."""
    import diffcp
    import numpy as np
    from scipy import sparse

    assert not P.any()
    cones = {"z": K.zero, "l": K.nonneg, "q": list(K.soc), "s": list(K.psd)}
    cones |= {"ep": K.exp, "ed": K.exp_dual, "p": list(K.power)}
    cones = {name: value for name, value in cones.items() if value}
    places = np.nonzero(np.ones_like(A))  # zeros of A have a gradient, too
    matrix = sparse.csc_matrix((A.ravel(), places), A.shape)
    precise = {"eps_abs": 1e-11, "eps_rel": 1e-11, "max_iters": 200_000}
    if engine != "SCS":
        precise = {f"tol_{k}": 1e-12 for k in ("gap_abs", "gap_rel", "feas")}
    x, y, s, _, adjoint = diffcp.solve_and_derivative(
        matrix, b, q, cones, solve_method=engine, mode="dense", **precise
    )

    def pullback(g):
        dA, db, dq = adjoint(g, np.zeros_like(y), np.zeros_like(s))
        return None, dq, dA.toarray(), db

    return {"x": x, "y": y, "s": s, "pullback": pullback}


def diffqcp(P, q, A, b, K):
    """Derivatives alone, by its default solver; the solution is that of SCS."""
    import jax
    import numpy as np
    import scs
    from diffqcp import HostQCP, QCPStructureCPU
    from jax.experimental.sparse import BCOO
    from scipy import sparse

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as its users call it
    cones = {"z": K.zero, "l": K.nonneg, "q": list(K.soc), "s": list(K.psd)}
    cones |= {"ep": K.exp, "ed": K.exp_dual, "p": list(K.power)}
    cones = {name: value for name, value in cones.items() if value}
    data = {"P": sparse.csc_matrix(np.triu(P)), "A": sparse.csc_matrix(A)}
    settings = {"eps_abs": 1e-12, "eps_rel": 1e-12, "max_iters": 200_000}
    found = scs.SCS(data | {"b": b, "c": q}, cones, verbose=False, **settings).solve()
    name = found["info"]["status"]
    status = name if name in ("solved", "infeasible", "unbounded") else "failed"
    x, y, s = (found[k] for k in "xys")
    upper = np.stack(np.triu_indices(len(q)), 1)
    every = np.stack(np.nonzero(np.ones_like(A)), 1)  # zeros have a gradient, too
    matrices = (
        BCOO((P[tuple(upper.T)], upper), shape=P.shape),
        BCOO((A.ravel(), every), shape=A.shape),
    )
    structure = QCPStructureCPU(*matrices, cones)
    here = HostQCP(*matrices, *map(jax.numpy.asarray, (q, b, x, y, s)), structure)

    def pullback(g):
        rest = np.zeros_like(y), np.zeros_like(s)
        vectors = map(jax.numpy.asarray, (g, *rest))
        dP, dA, dq, db = here.vjp(*vectors)
        dP = np.asarray(dP.todense())
        return dP + np.triu(dP, 1).T, dq, dA.todense(), db

    return {"x": x, "y": y, "s": s, "status": [status], "pullback": pullback}


def moreau(P, q, A, b, K):
    """The interior point of moreau; triangles are the upper ones there, by columns."""
    import numpy as np
    import torch
    from moreau import Cones, IPMSettings, Settings
    from moreau.torch import Solver

    m, n = A.shape
    order, start = np.arange(m), K.zero + K.nonneg + sum(K.soc)
    for side in K.psd:
        columns, rows = np.triu_indices(side)  # of the lower triangle, by columns
        size = len(rows)
        order[start : start + size] = start + np.lexsort((columns, rows))
        start += size
    cones = Cones(
        num_zero_cones=K.zero, num_nonneg_cones=K.nonneg, so_cone_dims=list(K.soc),
        psd_dims=list(K.psd), num_exp_cones=K.exp, power_alphas=list(K.power),
    )  # fmt: skip
    tight = {f"tol_{k}": 1e-11 for k in ("gap_abs", "gap_rel", "feas")}
    settings = Settings(solver="ipm", ipm_settings=IPMSettings(**tight))
    pattern = [
        torch.arange(n + 1) * n, torch.arange(n).repeat(n),
        torch.arange(m + 1) * n, torch.arange(n).repeat(m),
    ]  # fmt: skip
    solver = Solver(n, m, *pattern, cones, settings)
    leaves = [torch.from_numpy(v).requires_grad_() for v in (P, q, A, b)]
    P, q, A, b = leaves
    sol = solver.solve(P.flatten(), A[order].flatten(), q, b[order])
    name = solver.info.status
    name = str(name[0] if isinstance(name, list) else name)
    words = {"PrimalInfeasible": "infeasible", "DualInfeasible": "unbounded"}
    words["Solved"] = "solved"
    back = np.argsort(order)
    return {
        "x": sol.x.detach(),
        "y": sol.z.detach()[..., back],
        "s": sol.s.detach()[..., back],
        "status": [words.get(name, "failed")],
        "pullback": lambda g: torch.autograd.grad(
            sol.x, leaves, torch.from_numpy(g).reshape(sol.x.shape)
        ),
    }


def cvxpylayers(P, q, A, b, K):
    """A CVXPY problem, its triangles matrices; P enters through its root."""
    import cvxpy as cp
    import numpy as np
    import torch
    from cvxpylayers.torch import CvxpyLayer

    m, n = A.shape
    x, c = cp.Variable(n), cp.Parameter(n)
    M, v = cp.Parameter((m, n)), cp.Parameter(m)
    leaves = [torch.from_numpy(w).requires_grad_() for w in (P, q, A, b)]
    cost, s, at, rows, fields = c @ x, v - M @ x, 0, [], [c, M, v]
    values = leaves[1:]
    if P.any():
        root = cp.Parameter((n, n))
        cost = cost + 0.5 * cp.sum_squares(root @ x)
        fields, values = [root, *fields], [torch.linalg.cholesky(leaves[0]).mT, *values]

    def take(size):
        nonlocal at
        at += size
        return s[at - size : at]

    rows += [take(K.zero) == 0] if K.zero else []
    rows += [take(K.nonneg) >= 0] if K.nonneg else []
    rows += [cp.SOC(part[0], part[1:]) for part in map(take, K.soc)]
    for side in K.psd:
        part, X = take(side * (side + 1) // 2), cp.Variable((side, side), PSD=True)
        columns, below = np.triu_indices(side)
        for k, (i, j) in enumerate(zip(below, columns, strict=True)):
            rows.append(part[k] == X[i, j] * (1 if i == j else 2**0.5))
    rows += [cp.ExpCone(*take(3)) for _ in range(K.exp)]
    rows += [cp.PowCone3D(*take(3), alpha) for alpha in K.power]
    layer = CvxpyLayer(cp.Problem(cp.Minimize(cost), rows), fields, [x])
    precise = {"eps": 1e-11, "max_iters": 200_000, "mode": "dense"}
    found = layer(*values, solver_args=precise)[0]
    return {
        "x": found.detach(),
        "pullback": lambda g: torch.autograd.grad(
            found, leaves, torch.from_numpy(g), allow_unused=True
        ),
    }


LINEAR = {"quadratic cost": "its exact modes take a linear cost"}
POWERLESS = dict.fromkeys(
    ("power", "power_dual"),
    "its derivatives have no power cone: garbage, or the end of the process",
)
TRIPLES = {"exp_dual": "no dual exponential cone", "power_dual": "no dual power cone"}
# adapter, distributions whose versions are recorded, and what it does not claim
KNOWN: dict[str, tuple[Adapter, tuple[str, ...], dict[str, str]]] = {
    "cone_program": (cone_program, (), {}),
    "diffcp": (diffcp, ("diffcp", "scs"), LINEAR | POWERLESS),
    "diffcp_clarabel": (
        partial(diffcp, engine="Clarabel"),
        ("diffcp", "clarabel"),
        LINEAR | POWERLESS | {"exp_dual": "Clarabel has no dual exponential cone"},
    ),
    "diffqcp": (diffqcp, ("diffqcp", "jax", "lineax", "scs"), {}),
    "moreau": (moreau, ("moreau",), TRIPLES),
    "cvxpylayers": (
        cvxpylayers,
        ("cvxpylayers", "cvxpy", "diffcp", "scs"),
        TRIPLES | POWERLESS,
    ),
}


def layer(name: str) -> Layer:
    """The layer of this name; ModuleNotFoundError if it is not installed."""
    adapter, parts, lacks = KNOWN[name]
    versions = {part: importlib.metadata.version(part) for part in parts}
    versions |= {"python": platform.python_version()} if parts else {}
    first = next(iter(versions.values()), companion.__version__)
    call = partial(answer, adapter)
    return Layer(name, call, first, lacks, text(name, adapter), versions)


def answer(adapter: Adapter, problem: ConeProgram, seed: np.ndarray | None) -> Answer:
    """Solve and, if there is a seed, differentiate seedᵀx.

    What a peer prints or warns of is not shown.  A field that its model of the problem
    does not have, as P where the cost is linear, has no gradient.
    """
    with quiet():
        found = adapter(*(v.copy() for v in problem.fields), problem.K)
        grads: dict[str, np.ndarray] = {}
        if seed is not None:
            slopes = zip(FIELDS, found["pullback"](seed), strict=True)
            grads = {k: array(slope) for k, slope in slopes if slope is not None}
    rest = {k: array(found[k]).reshape(-1) for k in "ys" if k in found}
    told = {k: found.get(k) for k in ("status", "differentiable")}
    return Answer(array(found["x"]).reshape(-1), grads, **rest, **told)


def array(value: Any) -> np.ndarray:
    """What a peer gives as an array: a tensor, or an array of another library."""
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and nothing printed by Python code."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
