"""Both engines of the layer, for the tests that hold for either."""

from __future__ import annotations

import pytest

from companion.layers.qp import engines


@pytest.fixture(params=["active_set", "interior_point"])
def engine(request):
    if request.param == "active_set" and engines.compiled() is None:
        pytest.skip("the compiled engine needs numba")
    return request.param
