"""How the exercises of this chapter are compared and made.

Chapter: interior-point.md.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Exercise

CLOSE = 1e-7  # relative; answers and solutions differ by rounding only
NOTHING = "Nothing came back: the stub returns None."


def far(got: object, want: object) -> bool:
    """Whether an answer is not what it should be, NaN and wrong shapes included."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return True
    gap = np.abs(got - want).max(initial=0)
    return not gap <= CLOSE * (1 + np.abs(want).max(initial=0))  # so that NaN is far


def first(got: object, want: object, slips: dict[str, object], last: str):
    """None if right, else the diagnosis of the slip that the answer equals."""
    if got is None:
        return NOTHING
    if not far(got, want):
        return None
    for diagnosis, value in slips.items():
        if not far(got, value):
            return diagnosis
    return last


def _source(function: str, arguments: str, body: str) -> str:
    lines = "\n    ".join(body.splitlines())
    head = "import math\n\nimport numpy as np\n\n\n"
    return f"{head}def {function}({arguments}):\n    {lines}\n"


def exercise(name, prompt, call, solution, wrong, test, hints) -> Exercise:  # noqa: PLR0913
    """The exercise with its sources made of bodies of one function."""
    function, arguments = call
    return Exercise(
        label=f"interior-ex-{name}",
        function=function,
        prompt=prompt,
        stub=_source(function, arguments, "return None"),
        solution=_source(function, arguments, solution),
        wrong=tuple((_source(function, arguments, w), d) for w, d in wrong),
        checks=(test,),
        hints=hints,
    )
