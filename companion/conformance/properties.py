"""The properties by name, and the cases on which each is tried.

Chapter: conformance.md. Theorems: qp-shared-parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.conformance.batches import (
    batch_is_loop,
    batch_of_none,
    batch_of_one_keeps_its_axis,
    beside_a_nan,
    beside_an_infeasible_one,
    repeatable,
    shared_fields_sum,
)
from companion.conformance.cases import Case, cases
from companion.conformance.checks import Outcome, Verdict, judged, message
from companion.conformance.layers import Layer
from companion.conformance.relations import (
    cost_scaled,
    derivative_of_its_own_x,
    inactive_row_added,
    inputs_untouched,
    linear_in_seed,
    rows_permuted,
    rows_scaled,
    single_precision_kept,
    symmetric_in_P,
    translated,
    variables_permuted,
)
from companion.conformance.smoothed import (
    smoothed_backward_is_of_smoothed_forward,
    smoothed_on_the_central_path,
    smoothed_towards_the_exact,
)

BASES = ("seeded-3-1-2-1", "seeded-4-1-5-2")
BATCHES = (1, 2, 5)

Property = Callable[[Layer, Case], float]

PROPERTIES: dict[str, Property] = {
    f.__name__.replace("_", " "): f
    for f in (
        *(linear_in_seed, repeatable, inputs_untouched, symmetric_in_P),
        *(rows_scaled, cost_scaled, rows_permuted, variables_permuted, translated),
        *(inactive_row_added, derivative_of_its_own_x, single_precision_kept),
        *(batch_is_loop, batch_of_one_keeps_its_axis, batch_of_none),
        *(beside_an_infeasible_one, beside_a_nan),
        smoothed_backward_is_of_smoothed_forward,
        *(smoothed_on_the_central_path, smoothed_towards_the_exact),
    )
} | {f"shared fields sum, batch of {B}": partial(shared_fields_sum, B) for B in BATCHES}
ONCE = (  # on one base
    *("beside an infeasible one", "beside a nan", "batch of none"),
    "smoothed on the central path",
)


def hold(layer: Layer, name: str) -> list[Outcome]:
    """The property on its bases; out of scope where a layer does not offer it."""
    if name.startswith("smoothed") and layer.smoothed is None:
        return [Outcome(BASES[0], name, Verdict.OUT, note="not offered")]
    if name in layer.lacks:
        return [Outcome(BASES[0], name, Verdict.OUT, note=layer.lacks[name])]
    return [
        _held(layer, name, cases()[key])
        for key in (BASES[:1] if name in ONCE or "sum" in name else BASES)
    ]


def _held(layer: Layer, name: str, case: Case) -> Outcome:
    try:
        error = PROPERTIES[name](layer, case)
    except ModuleNotFoundError:  # says something of the installation, not of the layer
        raise
    except Exception as error:  # noqa: BLE001 - whatever a layer raises is a result
        return Outcome(case.name, name, Verdict.RAISED, np.inf, message(error))
    return Outcome(case.name, name, judged(error), error)
