"""Breaking any formula of the cones and of their layer by hand turns a record red.

As in `test_mutants`: the source of a module with one string replaced is executed, and
what it defines takes the place of what the original defines, wherever it is used.
"""

import importlib
import sys
import types
from pathlib import Path

import pytest

from companion.proofs import verify

LAYER, REFERENCE = "companion.layers.cones", "companion.reference"
DIFFERENTIAL = f"{REFERENCE}.cone_program.differential"
MUTANTS = {
    "the layer's rank-one term of the second-order cone forgotten": (
        f"{LAYER}.soc",
        "u * (dt - k * along)",
        "u * dt",
        "soc-derivative",
    ),
    "the layer's share across signs thrown away": (
        f"{LAYER}.psd",
        "sums = plus.unsqueeze(-1) + plus.unsqueeze(-2)",
        "sums = 2 * (plus.unsqueeze(-1) * plus.unsqueeze(-2)).sqrt()",
        "psd-derivative",
    ),
    "the layer's direction across a ray forgotten": (
        f"{LAYER}.exponential",
        "p * dot(p, dv) + share * n * dot(n, dv)",
        "p * dot(p, dv)",
        "exponential-derivative",
    ),
    "the rank-one term of the second-order cone forgotten": (
        f"{REFERENCE}.cones.soc",
        " - slope * np.outer(u, u)",
        "",
        "soc-derivative",
    ),
    "upper triangles for lower ones": (
        f"{REFERENCE}.cones.psd",
        "columns, rows = np.triu_indices(side)",
        "rows, columns = np.tril_indices(side)",
        "psd-derivative",
    ),
    "no D beside A": (
        DIFFERENTIAL,
        "np.block([[problem.P, problem.A.T @ D]",
        "np.block([[problem.P, problem.A.T]",
        "cone-derivative",
    ),
    "the half of the gradient in P dropped": (
        DIFFERENTIAL,
        "P=(np.outer(r1, x) + np.outer(x, r1)) / 2,",
        "P=np.outer(r1, x) + np.outer(x, r1),",
        "cone-adjoint",
    ),
    "the sign of r2 in A": (
        DIFFERENTIAL,
        "A=np.outer(y, r1) - np.outer(r2, x),\n        b=r2,",
        "A=np.outer(y, r1) + np.outer(r2, x),\n        b=r2,",
        "cone-adjoint",
    ),
    "no D for the seed of y": (
        DIFFERENTIAL,
        "D @ (gy + gs) - gs]))",
        "(gy + gs) - gs]))",
        "cone-adjoint",
    ),
}


def load(name, old, new):
    """The module with one string of its source replaced."""
    original = importlib.import_module(name)
    source = Path(original.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1, f"the formula {old!r} is not once in {name}"
    mutant = types.ModuleType(name)
    mutant.__file__ = original.__file__
    exec(compile(source.replace(old, new), original.__file__, "exec"), mutant.__dict__)
    return mutant


def install(monkeypatch, name, mutant):
    """What the module defines, put in place of the original's in every module."""
    original = sys.modules[name]
    mine = {
        key: value
        for key, value in vars(original).items()
        if getattr(value, "__module__", None) == name
    }
    for module in [m for k, m in sys.modules.items() if k.startswith("companion.")]:
        for key, value in list(vars(module).items()):
            if mine.get(key) is value:
                monkeypatch.setattr(module, key, getattr(mutant, key))


@pytest.fixture(autouse=True)
def _nothing_remembered():
    # samples that were drawn with a mutant are not for those who come after it
    forget()
    yield
    forget()


def forget():
    """Every cache of the package emptied."""
    for module in [m for k, m in sys.modules.items() if k.startswith("companion.")]:
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_turns_a_record_red(name, monkeypatch):
    module, old, new, label = MUTANTS[name]
    install(monkeypatch, module, load(module, old, new))
    record = verify(label)
    assert not record.passed
    failed = [check for check in record.checks if not check["passed"]]
    assert any(check["level"] == "numeric" for check in failed)


@pytest.mark.parametrize("module", sorted({m[0] for m in MUTANTS.values()}))
def test_unchanged_source_stays_green(module, monkeypatch):
    label = [m[3] for m in MUTANTS.values() if m[0] == module][-1]
    install(monkeypatch, module, load(module, "from __future__", "from __future__"))
    record = verify(label)
    assert record.passed, record.shortfalls
