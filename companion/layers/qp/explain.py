"""Why is this gradient zero?  In words, with the numbers behind them.

Chapter: optnet.md. Theorems: qp-gradients, kkt-nonsingular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import torch
from torch import Tensor

from companion.layers.qp.regularity import Rows, of_sparse, regularity, rows_of
from companion.layers.qp.response import Response, response
from companion.layers.qp.sparse import is_sparse
from companion.layers.qp.sparse.regularity import shaped, told
from companion.layers.qp.sparse.response import response as sparse_response
from companion.problems import QP, QPSolution, Regularity, Status, Verdict
from companion.problems.outcomes import CURVATURE_MARGIN

KINDS = {"P": "row", "q": "entry", "A": "equality", "b": "equality"}


class Cause(StrEnum):
    """What a row of a field does to x, or why it does nothing."""

    MOVES = "x moves"
    INACTIVE = "inactive row"
    WEAK = "weakly active row"
    ONE_SIDED = "one-sided"
    VERTEX = "vertex"
    CLAMPED = "clamped at a face"
    MEETS_ZERO = "meets a zero"
    DEPENDENT = "dependent rows"
    TIED = "tied optimum"
    PROJECTED = "seed projected out"
    NOT_SOLVED = "not solved"


SENTENCES = {
    Cause.MOVES: "x moves with it, at speed {speed:.3g}",
    Cause.INACTIVE: "there is room of {slack:.3g} and the multiplier is zero, so x "
    "feels the row only when that room is used up; the gradient is zero",
    Cause.WEAK: "the bound touches (slack {slack:.1e}) with multiplier "
    "{multiplier:.1e}: tightening it moves x and relaxing it does not; the gradient is "
    "the one with the row released, zero, and `at_kink` chooses another",
    Cause.ONE_SIDED: "x moves at speed {speed:.3g} with the weakly active rows "
    "released, and otherwise where they hold; `at_kink` chooses",
    Cause.VERTEX: "the active rows fix all of x, so no small change of the cost moves "
    "it (least singular value of the rows {licq:.2g}); the gradient is zero",
    Cause.CLAMPED: "the active rows hold this variable, whatever the others do (speed "
    "{speed:.1e}); the gradient is zero",
    Cause.MEETS_ZERO: "it multiplies nothing but zeros of x, and no cost that it "
    "changes moves x; the gradient is zero",
    Cause.DEPENDENT: "it is active and follows from other active rows (least singular "
    "value {licq:.1e}): moving it alone does something else up than down, and the "
    "gradient is a least-norm choice",
    Cause.TIED: "there are other minimisers (least curvature {curvature:.1e}), so x is "
    "no function of the data; the gradient is a least-squares number, not a derivative",
    Cause.PROJECTED: "x moves with it at speed {speed:.3g}, but at right angles to the "
    "seed; this gradient is zero, another seed's is not",
    Cause.NOT_SOLVED: "there is no solution to differentiate; the gradient is zero by "
    "convention",
}


@dataclass(frozen=True)
class Reason:
    """Why one row of a field has the gradient that it has, in one instance."""

    instance: tuple[int, ...]
    row: int
    cause: Cause
    multiplier: float
    slack: float
    speed: float


@dataclass(frozen=True)
class Explanation:
    """The reasons for every row, and a paragraph an instance as `str`."""

    field: str
    headlines: tuple[str, ...]
    reasons: tuple[tuple[Reason, ...], ...]
    numbers: tuple[dict[str, float], ...]

    def __str__(self) -> str:
        kind = KINDS.get(self.field, "row")
        paragraphs = []
        for head, own, numbers in zip(
            self.headlines, self.reasons, self.numbers, strict=True
        ):
            lines = [head]
            for cause, group in groupby(own, key=lambda r: r.cause):
                first, *rest = group
                shown = max([first, *rest], key=lambda r: (-r.slack, r.speed))
                name = f"{kind} {first.row}"
                if rest:
                    plural = "equalities" if kind == "equality" else {
                        "row": "rows", "entry": "entries"}[kind]  # fmt: skip
                    name = f"{plural} {first.row} to {rest[-1].row}"
                text = SENTENCES[cause].format(**vars(shown), **numbers)
                lines.append(f"  {name}: {cause}. {text[0].upper()}{text[1:]}.")
            paragraphs.append("\n".join(lines))
        return "\n".join(paragraphs)


def explain(
    problem: QP, solution: QPSolution, wrt: str = "h", *, seed: Tensor | None = None
) -> Explanation:
    """Why the gradient of x in the field `wrt` is zero, or what it is worth.

    `str` of the result reads as a paragraph for every instance.  A row that is zero for
    every loss has a cause of its own; with `seed`, the gradient of a loss in x, rows
    that are zero for this loss alone are told as well.  Rows are those of the field:
    entries of q, rows of P.  Of sparse matrices only what is stored is data; up to 3000
    variables they may be the field.

    Raises
    ------
    ValueError
        If `wrt` is not the name of a field, or a sparse matrix that is too large.
    """
    if wrt not in ("P", "q", "A", "b", "G", "h"):
        msg = f"wrt: expected one of P, q, A, b, G, h, got {wrt!r}"
        raise ValueError(msg)
    rows, verdicts, moves = _measured(problem, solution, wrt, seed)
    names = flat(verdicts.verdict)
    heads, reasons, numbers = [], [], []
    for i, verdict in enumerate(names):
        place = place_of(i, problem.batch)
        own = {k: float(v.reshape(-1)[i]) for k, v in _margins(verdicts)}
        status = Status(int(solution.status.reshape(-1)[i])).name
        heads.append(_headline(wrt, place, verdict, own, status))
        numbers.append(own)
        causes = _causes(i, (rows, verdicts, moves), wrt, seeded=seed is not None)
        values = _row_values(rows, wrt, i)
        reasons.append(
            tuple(
                Reason(place, k, cause, *values[k], float(moves.speed[i, k]))
                for k, cause in enumerate(causes)
            )
        )
    return Explanation(wrt, tuple(heads), tuple(reasons), tuple(numbers))


def _measured(
    problem: QP, solution: QPSolution, wrt: str, seed: Tensor | None
) -> tuple[Rows, Regularity, Response]:
    """Rows, margins and speeds of all instances, dense or sparse."""
    if is_sparse(problem):
        found = told(problem, solution)
        moves = sparse_response(problem, found, wrt, seed)
        return of_sparse(problem, found), shaped(problem, found), moves
    rows = rows_of(problem, solution)
    moves = response(rows, wrt, seed, problem)
    return rows, regularity(problem, solution), moves


def _margins(reg: Regularity) -> list[tuple[str, Tensor]]:
    names = ("strict_complementarity", "licq", "curvature", "condition", "residual")
    return [(name, getattr(reg, name)) for name in names]


def flat(names: Verdict | list) -> list[Verdict]:
    """The verdicts of a batch, one after another."""
    if not isinstance(names, list):
        return [names]
    return [name for part in names for name in flat(part)]


def place_of(i: int, batch: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the i-th instance of a batch."""
    index = torch.unravel_index(torch.tensor(i), batch) if batch else ()
    return tuple(int(k) for k in index)


def _headline(
    wrt: str,
    place: tuple[int, ...],
    verdict: Verdict,
    own: dict[str, float],
    status: str,
) -> str:
    """The verdict of an instance, with the number that decides it."""
    why = {
        Verdict.DIFFERENTIABLE: "every row is pressed or free by at least "
        "{strict_complementarity:.2g} and the KKT matrix has condition {condition:.1e}",
        Verdict.ONE_SIDED: "a row touches its bound with multiplier zero (margin "
        "{strict_complementarity:.1e}), so x moves differently to its two sides",
        Verdict.NOT_UNIQUE: "least singular value of the touching rows {licq:.1e}, "
        "least curvature {curvature:.1e}: one of them is zero",
        Verdict.ILL_CONDITIONED: "the derivative exists, but the KKT matrix has "
        "condition {condition:.1e} (residual of an adjoint solve {residual:.1e})",
        Verdict.NOT_SOLVED: f"the solver ended with {status}",
    }[verdict].format(**own)
    where = f"instance {place}, " if place else ""
    return f"{where}gradient in {wrt}: {verdict}; {why}."


def _causes(
    i: int, found: tuple[Rows, Regularity, Response], wrt: str, *, seeded: bool
) -> list[Cause]:
    """The cause of every row of a field in one instance."""
    rows, reg, moves = found
    count = moves.speed.shape[-1]
    if not rows.solved[i]:
        return [Cause.NOT_SOLVED] * count
    if not reg.unique.reshape(-1)[i]:
        return [Cause.TIED] * count
    curvature = float(reg.curvature.reshape(-1)[i])
    bent = moves.pressure[i] > moves.scale[i]
    bent |= curvature <= CURVATURE_MARGIN
    fixed = Cause.VERTEX if math.isinf(curvature) else Cause.CLAMPED
    if wrt in "AG" or (wrt == "P" and not rows.x[i].any()):
        fixed = Cause.MEETS_ZERO
    still = (moves.speed[i] <= moves.scale[i]).tolist()
    unseen = (moves.gradient[i] <= moves.scale[i]).tolist()
    causes = [Cause.ONE_SIDED if one else Cause.MOVES for one in bent.tolist()]
    for k, (zero, hidden) in enumerate(zip(still, unseen, strict=True)):
        if zero:
            causes[k] = fixed
        elif seeded and hidden and not bent[k]:
            causes[k] = Cause.PROJECTED
    if wrt in "Pq":
        return causes
    return _constrained(causes, (rows, moves.alone[i].tolist()), wrt, i)


def _constrained(
    causes: list[Cause], found: tuple[Rows, list[bool]], wrt: str, i: int
) -> list[Cause]:
    """The causes that only rows of constraints have, before those of any field."""
    (rows, own), strong = found, found[0].strong[i]
    for k, alone in enumerate(own):
        if wrt in "Gh" and not strong[k]:
            causes[k] = Cause.WEAK if rows.weak[i, k] else Cause.INACTIVE
        elif not alone:
            causes[k] = Cause.DEPENDENT
    return causes


def _row_values(rows: Rows, wrt: str, i: int) -> list[tuple[float, float]]:
    """Multiplier and slack of every row; zeros for fields that have none."""
    if wrt in "Gh":
        return list(zip(rows.lam[i].tolist(), rows.slack[i].tolist(), strict=True))
    if wrt in "Ab":
        return [(value, 0.0) for value in rows.nu[i].tolist()]
    return [(0.0, 0.0)] * rows.x.shape[-1]
