"""Why is this gradient zero, or one-sided?  For cones, in words and numbers.

Chapter: cone-derivative.md. Theorems: cone-derivative, cone-adjoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from torch import Tensor

from companion.layers.cone_program.regularity import regularity
from companion.layers.cone_program.response import Block, Part, Response, responses
from companion.layers.qp.explain import flat, place_of
from companion.problems import ConeProgram, ConeSolution, Regularity, Status, Verdict
from companion.problems.outcomes import STRICT_MARGIN


class Cause(StrEnum):
    """What a block of rows, or an entry of the cost, does to x; or why nothing."""

    MOVES = "x moves"
    INACTIVE = "inactive"
    WEAK = "touches without a multiplier"
    TIP = "slack and multiplier at the tip"
    UNPRESSED_TIP = "tip with a multiplier on the boundary"
    RANKS = "ranks do not add up"
    KINK = "at a kink"
    ONE_SIDED = "one-sided"
    VERTEX = "vertex"
    CLAMPED = "clamped"
    MEETS_ZERO = "meets a zero"
    DEPENDENT = "multiplier not unique"
    TIED = "tied optimum"
    PROJECTED = "seed projected out"
    NOT_SOLVED = "not solved"


PIECE = "the gradient is that of one piece, and rounding may choose which"
SENTENCES = {
    Cause.MOVES: "x moves with it, at speed {speed:.3g}{sizes}",
    Cause.INACTIVE: "the slack, of size {slack:.3g}, is inside its cone, {kink:.3g} "
    "from the boundary, and the multiplier is zero, so x feels it only when that room "
    "is used up; the gradient is zero",
    Cause.WEAK: "the slack, of size {slack:.3g}, is on the boundary of its cone with "
    "multiplier {multiplier:.1e} ({kink:.1e} from a kink): tightening it moves x and "
    "relaxing it does not; " + PIECE,
    Cause.TIP: "slack ({slack:.1e}) and multiplier ({multiplier:.1e}) are both at the "
    "tip of their cones, where every piece of the projection meets ({kink:.1e} from "
    "it); " + PIECE,
    Cause.UNPRESSED_TIP: "the slack is at the tip ({slack:.1e}) and the multiplier, of "
    "size {multiplier:.3g}, on the boundary of the dual cone ({kink:.1e} from it): "
    "one way the slack stays at the tip, the other way it leaves along a ray; " + PIECE,
    Cause.RANKS: "slack of rank {slack_rank} and multiplier of rank {multiplier_rank} "
    "do not fill the {side} dimensions of the matrix (least eigenvalue of y − s in "
    "size {kink:.1e}): strict complementarity is missing; " + PIECE,
    Cause.KINK: "y − s is {kink:.1e} from a kink of the projection (slack of size "
    "{slack:.3g}, multiplier of size {multiplier:.3g}); " + PIECE,
    Cause.ONE_SIDED: "x moves at speed {speed:.3g} on this piece, but it pushes a "
    "block that is at a kink, and the other way x moves otherwise",
    Cause.VERTEX: "the rows that are held fix all of x, so no small change of the cost "
    "moves it (least singular value of these rows {licq:.2g}); the gradient is zero",
    Cause.CLAMPED: "what is held holds x whatever this does (speed {speed:.1e}); the "
    "gradient is zero",
    Cause.MEETS_ZERO: "it multiplies nothing but zeros of x, and no cost that it "
    "changes moves x; the gradient is zero",
    Cause.DEPENDENT: "what it holds is held by other rows as well (least singular "
    "value {licq:.1e}), so that the multiplier is not unique: moving it alone does "
    "something else up than down, and the gradient is a least-norm choice",
    Cause.TIED: "there are other minimisers (least curvature {curvature:.1e}), so x is "
    "no function of the data; the gradient is a least-squares number, not a derivative",
    Cause.PROJECTED: "x moves with it at speed {speed:.3g}, but at right angles to the "
    "seed; this gradient is zero, another seed's is not",
    Cause.NOT_SOLVED: "there is no solution to differentiate; the gradient is zero by "
    "convention",
}


@dataclass(frozen=True)
class Reason:
    """Why one part of a field has the gradient that it has, in one instance.

    The part is a block of rows of A and b, an entry of q, or a row of P.  Of a block:
    sizes of its multiplier and its slack, distance of y − s to the next kink, and for
    a matrix the ranks of both.
    """

    instance: tuple[int, ...]
    part: Part
    cause: Cause
    speed: float
    block: Block | None = None

    @property
    def numbers(self) -> dict[str, Any]:
        """What its sentence speaks of."""
        if self.block is None:
            return {"speed": self.speed, "kink": math.inf, "sizes": ""}
        own = self.block._asdict()
        sizes = " (slack of size {slack:.3g}, multiplier of size {multiplier:.3g})"
        return {**own, "speed": self.speed, "sizes": sizes.format(**own)}


@dataclass(frozen=True)
class Explanation:
    """The reasons for every part, and a paragraph an instance as `str`."""

    field: str
    headlines: tuple[str, ...]
    reasons: tuple[tuple[Reason, ...], ...]
    numbers: tuple[dict[str, float], ...]

    def __str__(self) -> str:
        paragraphs = []
        for head, own, numbers in zip(
            self.headlines, self.reasons, self.numbers, strict=True
        ):
            lines = [head]
            for (cause, _), group in groupby(own, lambda r: (r.cause, r.part.kind)):
                some = list(group)
                shown = max(some, key=lambda r: (-r.numbers["kink"], r.speed))
                text = SENTENCES[cause].format(**numbers, **shown.numbers)
                name = _name(some[0].part, some[-1].part)
                lines.append(f"  {name}: {cause}. {text[0].upper()}{text[1:]}.")
            paragraphs.append("\n".join(lines))
        return "\n".join(paragraphs)


def explain(
    problem: ConeProgram,
    solution: ConeSolution,
    wrt: str = "b",
    *,
    seed: Tensor | None = None,
) -> Explanation:
    """Why the gradient of x in the field `wrt` is zero, or what it is worth.

    `str` of the result reads as a paragraph for every instance.  Parts are those of
    the field: blocks of rows of A and b, one row where the cone is zero or a half line;
    entries of q, rows of P.  With `seed`, the gradient of a loss in x, parts whose
    gradient is zero for this loss alone are told as well.

    Raises
    ------
    ValueError
        If `wrt` is not the name of a field.
    TypeError
        If a matrix is sparse.
    """
    if wrt not in ("P", "q", "A", "b"):
        msg = f"wrt: expected one of P, q, A, b, got {wrt!r}"
        raise ValueError(msg)
    verdicts = regularity(problem, solution)
    names, heads, reasons, numbers = flat(verdicts.verdict), [], [], []
    found = responses(problem, solution, verdicts, wrt, seed)
    for i, (verdict, moves) in enumerate(zip(names, found, strict=True)):
        place = place_of(i, problem.batch)
        own = {k: float(v.reshape(-1)[i]) for k, v in _margins(verdicts)}
        status = Status(int(solution.status.reshape(-1)[i])).name
        heads.append(_headline(wrt, place, verdict, own, status))
        numbers.append(own)
        unique = bool(verdicts.unique.reshape(-1)[i])
        causes = _causes(moves, wrt, own, unique=unique, seeded=seed is not None)
        blocks = moves.blocks if wrt in "Ab" else [None] * len(causes)
        reasons.append(
            tuple(
                Reason(place, part, cause, speed, block)
                for part, cause, speed, block in zip(
                    moves.parts, causes, moves.speed.tolist(), blocks, strict=True
                )
            )
        )
    return Explanation(wrt, tuple(heads), tuple(reasons), tuple(numbers))


def _name(first: Part, last: Part) -> str:
    """What stands from one part to another of its kind."""
    block = first.kind.endswith("block")
    several = first != last
    plural = {"equality": "equalities", "entry": "entries"}.get(
        first.kind, f"{first.kind}s"
    )
    word = plural if several else first.kind
    if block:
        return f"{word} in rows {first.first} to {last.last}"
    return (
        f"{word} {first.first} to {last.last}" if several else f"{word} {first.first}"
    )


def _margins(reg: Regularity) -> list[tuple[str, Tensor]]:
    names = ("strict_complementarity", "licq", "curvature", "condition", "sigma")
    return [(name, getattr(reg, name)) for name in names]


def _headline(
    wrt: str,
    place: tuple[int, ...],
    verdict: Verdict,
    own: dict[str, float],
    status: str,
) -> str:
    """The verdict of an instance, with the number that decides it."""
    why = {
        Verdict.DIFFERENTIABLE: "every block is {strict_complementarity:.2g} or more "
        "from the kinks of its projection and the linear system has condition "
        "{condition:.1e}",
        Verdict.ONE_SIDED: "a block is at a kink of its projection (distance "
        "{strict_complementarity:.1e}), so x moves differently to its two sides",
        Verdict.NOT_UNIQUE: "least singular value of the rows that are held "
        "{licq:.1e}, least curvature {curvature:.1e}: one of them is zero",
        Verdict.ILL_CONDITIONED: "the derivative exists, but the linear system has "
        "condition {condition:.1e} (least singular value {sigma:.1e})",
        Verdict.NOT_SOLVED: f"the solver ended with {status}",
    }[verdict].format(**own)
    where = f"instance {place}, " if place else ""
    return f"{where}gradient in {wrt}: {verdict}; {why}."


def _causes(
    moves: Response, wrt: str, own: dict[str, float], *, unique: bool, seeded: bool
) -> list[Cause]:
    """The cause of every part of a field in one instance."""
    count = len(moves.parts)
    if not moves.solved:
        return [Cause.NOT_SOLVED] * count
    if not unique:
        return [Cause.TIED] * count
    parts = zip(moves.speed, moves.pressure, moves.gradient, strict=True)
    causes = []
    for sizes in parts:
        moved, bent, seen = (size > moves.scale for size in sizes)
        if bent:
            causes.append(Cause.ONE_SIDED)
        elif not moved:
            causes.append(_still(moves, wrt, own))
        else:
            causes.append(Cause.MOVES if seen or not seeded else Cause.PROJECTED)
    if wrt in "Pq":
        return causes
    return [
        _constrained(block, cause)
        for block, cause in zip(moves.blocks, causes, strict=True)
    ]


def _still(moves: Response, wrt: str, own: dict[str, float]) -> Cause:
    """Why something moves nothing, if it is no block that is free to move."""
    if moves.at_zero and wrt in "PA":
        return Cause.MEETS_ZERO
    vertex = math.isinf(own["curvature"]) and wrt in "Pq"
    return Cause.VERTEX if vertex else Cause.CLAMPED


def _constrained(block: Block, cause: Cause) -> Cause:
    """The causes that only blocks of rows have, before those of any field."""
    if block.weak:
        return _kink(block)
    if not block.held:
        return Cause.INACTIVE
    return Cause.DEPENDENT if block.shared else cause


def _kink(block: Block) -> Cause:
    """Which kink it is."""
    none = block.slack <= STRICT_MARGIN, block.multiplier <= STRICT_MARGIN
    if all(none):
        return Cause.WEAK if block.half_line else Cause.TIP
    if block.side:
        return Cause.RANKS
    return {(True, False): Cause.UNPRESSED_TIP, (False, True): Cause.WEAK}.get(
        none, Cause.KINK
    )
