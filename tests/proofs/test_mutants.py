"""Breaking any formula of the layer by hand turns a record red.

A mutant is the source of a module of companion/layers/qp with one string replaced,
executed as a module of its own and put in the place of the original.
"""

import importlib
import sys
import types
from pathlib import Path

import pytest

from companion.layers.qp import engines
from companion.proofs import verify

LAYER = "companion.layers.qp"
MUTANTS = {
    "eq. (8) as printed": (
        "adjoint",
        "(dlam, x, lam, dx, 1.0))",
        "(dlam, x, lam * lam, dx, 1.0))",
        "qp-gradients",
    ),
    "the half of the gradient in P dropped": (
        "adjoint",
        "((dx, x, x, dx, 0.5)",
        "((dx, x, x, dx, 1.0)",
        "qp-gradients",
    ),
    "the sign of the gradient in h": (
        "adjoint",
        "(dx, -dy[..., :p], -dy[..., p:])",
        "(dx, -dy[..., :p], dy[..., p:])",
        "qp-gradients",
    ),
    "a term of the tangent forgotten": (
        "adjoint",
        "dh - matvec(dG, x)",
        "dh",
        "qp-differential",
    ),
    "a mean over the batch for a sum": (
        "adjoint",
        "(scale * (u.mT @ v + a.mT @ b))",
        "(scale * (u.mT @ v + a.mT @ b) / len(u))",
        "qp-shared-parameters",
    ),
    "the sign of the Schur block": (
        "kkt",
        "gap = rho * (C @ v - r2)",
        "gap = rho * (r2 - C @ v)",
        "qp-augmented",
    ),
    "the scaling of the rows not undone": (
        "kkt",
        "return u.squeeze(-1), y * scale",
        "return u.squeeze(-1), y",
        "qp-augmented",
    ),
    "the value without its half": (
        "solution",
        "value = (x * (0.5 * _times(P, x) + q))",
        "value = (x * (_times(P, x) + q))",
        "qp-envelope",
    ),
    "no gradient through the feasible point": (
        "module",
        "h=self.G @ self.z0 + self.log_s0.exp()",
        "h=(self.G @ self.z0).detach() + self.log_s0.exp()",
        "qp-parametrisation",
    ),
}
# the public names of a module, and the modules that have imported them
USERS = {
    "adjoint": {"solution": [f"{LAYER}.adjoint"]},
    "kkt": {
        "solve_kkt": [
            f"{LAYER}.adjoint",
            f"{LAYER}.interior_point",
            "companion.proofs.qp.active",
        ]
    },
    "solution": {"solve": [LAYER], "layer": [LAYER, f"{LAYER}.module"]},
    "module": {"QPLayer": [LAYER]},
}


def load(stem, old, new):
    """The module with one string of its source replaced."""
    original = importlib.import_module(f"{LAYER}.{stem}")
    source = Path(original.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1, f"the formula {old!r} is not once in {stem}.py"
    mutant = types.ModuleType(original.__name__)
    mutant.__file__ = original.__file__
    exec(compile(source.replace(old, new), original.__file__, "exec"), mutant.__dict__)
    return mutant


def install(monkeypatch, stem, mutant):
    # the formulas in torch; tests/layers/qp/test_engines.py holds compiled code to them
    monkeypatch.setattr(engines, "compiled", lambda: None)
    for name, users in USERS[stem].items():
        for user in users:
            monkeypatch.setattr(sys.modules[user], name, getattr(mutant, name))


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_turns_a_record_red(name, monkeypatch):
    stem, old, new, label = MUTANTS[name]
    install(monkeypatch, stem, load(stem, old, new))
    record = verify(label)
    assert not record.passed
    failed = [check for check in record.checks if not check["passed"]]
    assert any(check["level"] == "numeric" for check in failed)


@pytest.mark.parametrize("stem", USERS)
def test_unchanged_source_stays_green(stem, monkeypatch):
    label = [m[3] for m in MUTANTS.values() if m[0] == stem][-1]
    install(monkeypatch, stem, load(stem, "from __future__", "from __future__"))
    record = verify(label)
    assert record.passed, record.shortfalls
