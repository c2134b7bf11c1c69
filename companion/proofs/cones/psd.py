"""The positive semidefinite cone: eigenvalues kept, lost and shared.

Chapter: cones.md.  Theorems: psd-projection, psd-derivative.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.cones import psd as layer
from companion.proofs.argmin.implicit import implicit_function
from companion.proofs.cones.duals import dual_cones
from companion.proofs.cones.identities import projection_derivative
from companion.proofs.cones.regions import (
    assert_nearest,
    assert_order,
    derivative,
    drawn,
    layer_derivative,
    project,
    smooth,
)
from companion.proofs.convexity.moreau import moreau
from companion.proofs.inequalities import Semidefinite, nonnegative, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference.cones import psd

Array = np.ndarray
W = alphabet(
    constant="U p m z",
    latex={"p": r"\Lambda_+", "m": r"\Lambda_-", "S": "|X|"},
    U="n n", p="n n symmetric", m="n n symmetric", z="n 1",
    X="n n symmetric", S="n n symmetric", P="n n symmetric",
)  # fmt: skip
T = W.T
U, plus, minus, X, S, P = W("U p m X S P")

# --------------------------------------------------------------- psd-projection
psd_projection = theorem(
    "psd-projection",
    claim=(
        "With UᵀU = I, X = U(L₊ - L₋)Uᵀ and L₊L₋ = 0, P = UL₊Uᵀ and N = UL₋Uᵀ have "
        "X = P - N and tr(PN) = 0; and zᵀUL₊Uᵀz = (Uᵀz)ᵀL₊(Uᵀz)."
    ),
    source="busseti2019solution",
    implements=(psd.project, layer.project),
    uses=(dual_cones.label, moreau.label),
)
ORTHOGONAL = W.rule("UᵀU = I", T(U) * U, 1)
DISJOINT = W.rule("Λ₊Λ₋ = 0", plus * minus, sp.S.Zero)


@psd_projection.derivation
def positive_and_negative_part() -> Iterator[Step]:
    both = U * plus * T(U), U * minus * T(U)
    yield from chain(
        W,
        both[0] - both[1],
        Link(U * (plus - minus) * T(U), "collect: this is X"),
        name="P-N",
    )
    yield from chain(
        W,
        both[0] * both[1],
        Link(sp.S.Zero, "UᵀU = I, and Λ₊Λ₋ = 0", (ORTHOGONAL, DISJOINT)),
        name="P\\,N",
    )
    kept = Semidefinite(plus, "Λ₊ is diagonal and nonnegative")
    (z,) = W("z")
    terms = [square(W, T(U) * z, kept)]
    name = r"z^{\mathsf T}P\,z"
    steps = nonnegative(W, T(z) * both[0] * z, terms, name=name)
    identity = next(steps)
    reason = "nonnegative: Λ₊ is diagonal, with the entries max(λ, 0)"
    yield Step(identity.lhs, identity.rhs, reason)


@psd_projection.check(Evidence.EXACT)
def rational_rotation() -> None:
    c, s = sp.Rational(3, 5), sp.Rational(4, 5)
    Q = sp.Matrix([[c, -s], [s, c]])
    for pair in ((2, -3), (1, 1), (-1, -2), (5, 0)):
        part = Q * sp.diag(*(max(e, 0) for e in pair)) * Q.T
        rest = Q * sp.diag(*(max(-e, 0) for e in pair)) * Q.T
        assert part - rest == Q * sp.diag(*pair) * Q.T
        assert (part * rest).trace() == 0
        assert part.is_positive_semidefinite
        assert rest.is_positive_semidefinite


@psd_projection.check(Evidence.NUMERIC)
def reference_is_nearest_in_every_region() -> None:
    for region in sampling.REGIONS["psd"]:
        assert_nearest("psd", project("psd"), drawn("psd", region))


@psd_projection.control(mutant="|λ| for max(λ, 0)")
def absolute_eigenvalues() -> None:
    def reflected(x: Array) -> Array:
        lam, V = np.linalg.eigh(psd.matrix(x))
        return psd.vector((V * np.abs(lam)) @ V.T)

    assert_nearest("psd", reflected, drawn("psd", "between"))


def assert_no_nearer(A: Array, found: Array, other: Array) -> None:
    """No other semidefinite matrix is nearer to A than the one that was found."""
    far, near = np.sum((A - found) ** 2), np.sum((A - other) ** 2)
    assert far <= near, f"the squared distance is {far:g}, and {near:g} from another"


@psd_projection.control(dropped="X symmetric: X = [0 2; 0 0], with eigenvalues 0")
def shear() -> None:
    A = np.array([[0.0, 2.0], [0.0, 0.0]])
    lam, V = np.linalg.eig(A)
    other = np.ones((2, 2)) / 2
    require(np.linalg.eigvalsh(other)[0] > -1e-15, "the other is semidefinite")
    assert_no_nearer(A, (V * np.maximum(lam, 0)) @ V.T, other)


# --------------------------------------------------------------- psd-derivative
psd_derivative = theorem(
    "psd-derivative",
    claim=(
        "If S² = X² and P = ½(X + S), then S dP + dP S = P dX + dX P.  In the "
        "eigenbasis, with S = diag|λ| and P = diag(λ₊), entry ij of dP is that of dX "
        "times (λ_i₊ + λ_j₊)/(|λ_i| + |λ_j|), which is (λ_i₊ - λ_j₊)/(λ_i - λ_j) where "
        "λ_i ≠ λ_j."
    ),
    source="busseti2019solution",
    implements=(psd.derivative, psd.kept, layer.jvp, layer.derivative),
    uses=(
        psd_projection.label,
        implicit_function.label,
        projection_derivative.label,
    ),
)


@psd_derivative.derivation
def differentiate_the_root_of_a_square() -> Iterator[Step]:
    dX, dS, dP = W("dX dS dP")
    root = W.d(S * S - X * X)  # zero, since |X|² = X²
    assert W.equal(root, S * dS + dS * S - X * dX - dX * X)
    yield Step(
        r"|X|\,\mathrm d|X|+\mathrm d|X|\,|X|",
        r"X\,\mathrm dX+\mathrm dX\,X",
        "the differential of |X|² = X²",
    )
    half = sp.Rational(1, 2)
    parts = (
        W.rule("P", P, [half * X, half * S]),
        W.rule("dP", dP, [half * dX, half * dS]),
    )
    assert W.equal(S * dP + dP * S - P * dX - dX * P, half * root, *parts)
    yield Step(
        r"|X|\,\mathrm dP+\mathrm dP\,|X|",
        r"P\,\mathrm dX+\mathrm dX\,P",
        "P = ½(X + |X|): add |X| dX + dX |X| and halve",
    )


@psd_derivative.check(Evidence.SYMBOLIC)
def entries_in_the_eigenbasis() -> None:
    a, b = sp.symbols("a b", positive=True)
    for i, j in itertools.product((a, -a), (b, -b)):
        up, over = sp.Max(i, 0), sp.Max(j, 0)
        share = (up + over) / (abs(i) + abs(j))
        assert sp.simplify(share - (up - over) / (i - j)) == 0, (i, j)


@psd_derivative.check(Evidence.SYMBOLIC)
def two_by_two_matrix() -> None:
    a, b, e = sp.symbols("a b e", positive=True)
    middle, root = (a - b) / 2, sp.sqrt((a + b) ** 2 / 4 + e**2)
    top = middle + root
    corner = top * e / (2 * root)  # λ₊ u u ᵀ, entry 12
    assert sp.simplify(sp.diff(corner, e).subs(e, 0) - a / (a + b)) == 0


@psd_derivative.check(Evidence.NUMERIC)
def reference_and_layer_have_the_order_of_a_derivative() -> None:
    for region in smooth("psd"):
        points = drawn("psd", region)
        assert_order(project("psd"), derivative("psd"), points, 0.2)
    points = drawn("psd", "repeated")
    assert_order(project("psd"), layer_derivative("psd"), points, 0.2)


def shared(weights: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The derivative with other weights in the eigenbasis."""

    def dense(x: Array) -> Array:
        lam, V = np.linalg.eigh(psd.matrix(x))
        B = weights(lam)
        turned = (V.T @ psd.matrix(e) @ V for e in np.eye(len(x)))
        return np.column_stack([psd.vector(V @ (B * H) @ V.T) for H in turned])

    return dense


@psd_derivative.check(Evidence.NUMERIC)
def weights_in_the_eigenbasis() -> None:
    assert_order(project("psd"), shared(psd.kept), drawn("psd", "between"), 0.2)


@psd_derivative.control(mutant="½ for the ratio where the signs differ")
def one_half_for_mixed_signs() -> None:
    def halves(lam: Array) -> Array:
        positive = (lam > 0).astype(float)
        return (positive[:, None] + positive) / 2

    assert_order(project("psd"), shared(halves), drawn("psd", "between"), 0.2)


@psd_derivative.control(dropped="det X ≠ 0: an eigenvalue is 0")
def singular_matrix() -> None:
    points = drawn("psd", "singular")
    require(all(np.linalg.det(psd.matrix(x)) == 0 for x in points), "det X = 0")
    assert_order(project("psd"), derivative("psd"), points, 0.2)
