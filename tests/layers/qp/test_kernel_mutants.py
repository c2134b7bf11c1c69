"""Breaking a line of the compiled kernel by hand turns one of these checks red.

A kernel is the modules of companion/layers/qp/kernel, executed anew as plain Python
from their sources, of which a mutant has one string replaced.  LAPACK is called as the
compiled code calls it, by address.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from companion.layers.qp import engines
from companion.problems import QP
from companion.reference import qp as reference
from tests.layers.qp.cases import FIELDS, sample

pytestmark = pytest.mark.skipif(
    engines.compiled() is None, reason="the compiled engine needs numba"
)
PACKAGE = "companion.layers.qp.kernel"
# in the order of their imports
NAMES = ("lapack", "rows", "nnqp", "system", "dense", "adjoint", "engine")
NAMES = (*NAMES, "separable", "structure")
SMALL, BLOCKS = (4, 1, 5), (38, 3, 40)  # the second takes two blocks of columns


def by_address(address, pointers) -> None:
    """What the compiled code's intrinsic does."""
    kinds = [ctypes.c_void_p] * len(pointers)
    ctypes.CFUNCTYPE(None, *kinds)(int(address))(*map(int, pointers))


def interpreted(monkeypatch, changed: str = "", old: str = "", new: str = "") -> Any:
    """The kernel as plain Python, one string of one module replaced."""
    numba = importlib.import_module("numba")
    package = importlib.import_module(PACKAGE)
    kernel = types.SimpleNamespace()
    with monkeypatch.context() as patch:
        patch.setattr(numba.config, "DISABLE_JIT", 1)
        for name in NAMES:
            spec = importlib.util.find_spec(f"{PACKAGE}.{name}")
            assert spec is not None
            text = Path(str(spec.origin)).read_text()
            if name == changed:
                assert text.count(old) == 1, f"{name}: the mutant's string is not there"
                text = text.replace(old, new)
            module = types.ModuleType(f"{PACKAGE}.{name}")
            patch.setitem(sys.modules, module.__name__, module)
            patch.setattr(package, name, module, raising=False)
            exec(compile(text, str(spec.origin), "exec"), module.__dict__)
            setattr(kernel, name, module)
    kernel.lapack._invoke = by_address
    return kernel


def as_batch(problem: QP) -> tuple[torch.Tensor, ...]:
    return tuple(torch.as_tensor(v)[None] for v in problem.fields)


def agrees(kernel, seed: int, shape=SMALL) -> None:
    """Solution and gradients are those of the reference."""
    problem, sol = sample(seed, shape=shape)
    data = as_batch(problem)
    found = kernel.engine.solve(data, None, keep=True)
    assert found.complete
    y = np.concatenate([sol.nu, sol.lam])
    assert np.abs(found.x[0].numpy() - sol.x).max() <= 1e-9 * (1 + np.abs(sol.x).max())
    assert np.abs(found.y[0].numpy() - y).max() <= 1e-9 * (1 + np.abs(y).max())
    rng = np.random.default_rng(seed)
    gx, gy = rng.normal(size=sol.x.shape), rng.normal(size=y.shape)
    gy[len(sol.nu) :] *= sol.lam > 0
    want = reference.vjp(problem, sol, gx, gy[: len(sol.nu)], gy[len(sol.nu) :])
    seeds = torch.from_numpy(gx)[None], torch.from_numpy(gy)[None]
    matrices, point = data[::2], (found.x, found.y)
    dx, dy, *grads = kernel.engine.gradients(
        matrices, found.factors, point, seeds, (True,) * 3
    )
    p = len(sol.nu)
    parts = (grads[0], dx, grads[1], -dy[:, :p], grads[2], -dy[:, p:])
    for name, part, field in zip(FIELDS, parts, want.fields, strict=True):
        size = 1 + np.abs(field).max(initial=0.0)
        error = np.abs(part[0].numpy() - field).max(initial=0.0)
        assert error <= 1e-8 * size, f"gradient of {name}"


def small(kernel) -> None:
    """Tiny programs against the reference."""
    for seed in range(4):
        agrees(kernel, seed)
    agrees(kernel, 1, (5, 0, 12))


def blocks(kernel) -> None:
    """One that takes more than one block of columns."""
    agrees(kernel, 0, BLOCKS)


def guessed(kernel) -> None:
    """A wrong guess costs changes and not the solution; rows come and go."""
    for seed in range(4):
        problem, sol = sample(seed, shape=(6, 0, 14))
        guess = torch.from_numpy((sol.lam == 0).astype(float))[None]
        found = kernel.engine.solve(as_batch(problem), guess, keep=False)
        assert found.complete
        assert np.abs(found.x[0].numpy() - sol.x).max() <= 1e-9


def refused(kernel) -> None:
    """No solution, no convexity, a singular P, a kink: left to another engine."""
    crossing = QP(np.eye(1), np.ones(1), G=np.array([[1.0], [-1.0]]),
                  h=np.array([-1.0, -1.0]))  # fmt: skip
    concave = QP(-np.eye(2), np.ones(2), G=np.eye(2), h=np.ones(2))
    skew = np.array([[1.0, 0.0], [0.1, 1e-7]])
    flat = QP(skew @ skew.T, np.ones(2), G=np.eye(2), h=np.ones(2))
    kink = QP(np.eye(1), np.zeros(1), G=-np.eye(1), h=np.zeros(1))
    for problem in (crossing, concave, flat, kink):
        found = kernel.engine.solve(as_batch(problem), None, keep=False)
        assert not found.good[0]


def judged(kernel) -> None:
    """The error is that of the condition that a point breaks, and only then."""
    n = 3
    P, A, G = np.eye(n), np.eye(n)[:1], np.eye(n)[1:2]
    rhs, x, y = np.array([1.0, 2.0]), np.ones(n), np.zeros(2)

    def error(x, y, rhs=rhs) -> float:
        q = -np.ones(n) - y @ np.vstack([A, G])
        point = (x, y, np.empty(n), np.empty(2))
        return kernel.dense.residual(P, q, A, G, rhs, *point)

    assert error(x, y) == error(x, np.array([-1.0, 1.0])) == 0.0
    assert error(x, np.array([0.0, -1.0])) == 0.5, "sign of a multiplier"
    assert error(x, y, np.array([1.0, 0.5])) >= 0.2, "a row is violated"
    assert error(x, y, np.array([1.5, 2.0])) >= 0.1, "an equality is violated"
    assert error(np.array([1.0, 1.0, 1.1]), y) >= 0.01, "not stationary"
    assert error(np.full(n, np.nan), y) == np.inf


def separated(kernel) -> None:
    """Projections onto a box that is cut by a plane, against the dense method."""
    n = 30
    rng = np.random.default_rng(0)
    q = torch.from_numpy(rng.normal(size=(2, n)))
    eye, ones = torch.eye(n, dtype=q.dtype), torch.ones(1, n, dtype=q.dtype)
    G, h = torch.cat([-eye, eye]), torch.cat([torch.zeros(n), 0.2 * torch.ones(n)])
    b, h = torch.ones(1, 1, dtype=q.dtype), h.double()[None]
    data = (2 * eye[None], q, ones[None], b, G[None], h)
    fast = kernel.structure.solve(kernel.structure.seen(data), data, keep=True)
    slow = engines.compiled().solve(data, None, keep=True)
    assert fast.complete
    assert slow.complete
    torch.testing.assert_close(fast.x, slow.x, rtol=0, atol=1e-10)
    torch.testing.assert_close(fast.y, slow.y, rtol=0, atol=1e-10)
    seeds, none = (torch.from_numpy(rng.normal(size=(2, n))), None), (False,) * 3
    pairs = zip(
        kernel.structure.gradients(data[::2], fast.factors, (fast.x, fast.y), seeds,
                                   none)[:2],
        engines.compiled().gradients(data[::2], slow.factors, (slow.x, slow.y), seeds,
                                     none)[:2],
        strict=True,
    )  # fmt: skip
    for mine, other in pairs:
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-9)


CHECKS = (small, blocks, guessed, refused, judged, separated)
Mutant = tuple[str, str, str, Callable[[Any], None]]
MUTANTS: dict[str, Mutant] = {
    "a column left out below a block": (
        "lapack", "start, count, step in (\n            (at(L, 0), after, n - after",
        "start, count, step in (\n            (at(L, 0), after, n - after - 1", blocks,
    ),
    "the sign of a small inverse": (
        "lapack", "inverse[i, j] -= share", "inverse[i, j] += share", small,
    ),
    "the last of four rows dropped from a sum": (
        "rows", "+ u * M[k, c] + v * M[l, c]", "+ u * M[k, c]", blocks,
    ),
    "a multiplier that turns negative not seen": (
        "nnqp", "if d[a] < 0.0:", "if d[a] < -1e300:", guessed,
    ),
    "rows enter at a coarse tolerance": (
        "dense", "FEASIBLE = 1e-12", "FEASIBLE = 1.0", guessed,
    ),
    "the rotation when a row leaves": (
        "nnqp", "F[i, a], F[i, a + 1] = c * u + s * v, c * v - s * u",
        "F[i, a], F[i, a + 1] = c * u - s * v, c * v + s * u", guessed,
    ),
    "the sign of the equalities' multipliers": (
        "system", "y[a] -= f[a]", "y[a] += f[a]", small,
    ),
    "a singular P passed for a definite one": (
        "system", "SINGULAR = 1e-11", "SINGULAR = 0.0", refused,
    ),
    "the sign of a multiplier not judged": (
        "dense", "max(sign, -y[a] if a >= p else 0.0)", "max(sign, 0.0)", judged,
    ),
    "violated rows not judged": (
        "dense", "abs(rp[a]) if a < p else -rp[a]", "abs(rp[a]) if a < p else 0.0",
        judged,
    ),
    "a kink not seen": (
        "dense", "if room < TOUCH and", "if room < -TOUCH and", refused,
    ),
    "the sign of a seed in the multipliers": (
        "adjoint", "rhs = -gy[i]", "rhs = gy[i]", small,
    ),
    "the half of the gradient in P dropped": (
        "adjoint", "dx[i], 0.5, grad_P[i]", "dx[i], 1.0, grad_P[i]", small,
    ),
    "a term of the gradient in G forgotten": (
        "adjoint", "x[i], y[i, p:], dx[i], 1.0", "x[i], 0.0 * y[i, p:], dx[i], 1.0",
        small,
    ),
    "the price of the equality forgotten": (
        "separable", "dx[i, j] -= row[j] * price / diagonal[j]", "dx[i, j] -= 0.0",
        separated,
    ),
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda f: f.__name__)
def test_kernel_passes(monkeypatch, check):
    check(interpreted(monkeypatch))


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_killed(monkeypatch, name):
    *change, check = MUTANTS[name]
    kernel = interpreted(monkeypatch, *change)
    with np.errstate(all="ignore"), pytest.raises(AssertionError):
        check(kernel)
