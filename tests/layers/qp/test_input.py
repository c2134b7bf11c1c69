"""A wrong call names the argument, what was expected and what came."""

from __future__ import annotations

import pytest
import torch

from companion.layers import qp
from companion.problems import QP
from tests.layers.qp.cases import (
    FIELDS,
    as_torch,
    sample,
)


def change(**fields):
    problem = as_torch(sample(0)[0])
    values = dict(zip(FIELDS, problem.fields, strict=True))
    return {**values, **{k: f(values[k]) for k, f in fields.items()}}


BAD_CALLS = {
    "shape": ({"G": lambda v: v[:, :3]}, ValueError, r"QP\.G: expected .*got"),
    "rows": ({"h": lambda v: v[:-1]}, ValueError, r"QP\.h: expected .*got"),
    "square": ({"P": lambda v: v[:-1]}, ValueError, r"QP\.P: expected .*got"),
    "batch": (
        {"q": lambda v: v.expand(2, -1), "h": lambda v: v.expand(3, -1)},
        ValueError,
        r"QP\.h: expected .*got",
    ),
    "integer": (
        {"b": lambda v: v.long()},
        TypeError,
        r"QP\.b: expected .*got .*int64",
    ),
    "mixed": (
        {"q": lambda v: v.float()},
        TypeError,
        r"QP\.q: expected .*got .*float32",
    ),
    "symmetric": (
        {"P": lambda v: v + torch.arange(16.0, dtype=v.dtype).reshape(4, 4)},
        ValueError,
        r"QP\.P: expected a symmetric .*got",
    ),
    "convex": (
        {"P": lambda v: v - 50 * torch.eye(4, dtype=v.dtype)},
        ValueError,
        r"QP\.P: expected a positive semidefinite .*got .*eigenvalue -",
    ),
    "type": ({"q": lambda v: v.tolist()}, TypeError, r"QP\.q: expected .*got list"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call_names_argument_expectation_and_what_came(name):
    fields, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message):
        qp.solve(QP(**change(**fields)))


def test_nonconvex_instance_is_named_by_its_index():
    good = as_torch(sample(0)[0])
    P = torch.stack([good.P, good.P - 50 * torch.eye(4, dtype=torch.float64)])
    with pytest.raises(ValueError, match=r"instance \(1,\)"):
        qp.solve(QP(P, *good.fields[1:]))


def test_numpy_problem_and_wrong_policy_are_refused():
    with pytest.raises(TypeError, match=r"QP\.P: expected a torch tensor, got ndarray"):
        qp.solve(sample(0)[0])
    with pytest.raises(ValueError, match="on_failure"):
        qp.layer(as_torch(sample(0)[0]), on_failure="zero")
