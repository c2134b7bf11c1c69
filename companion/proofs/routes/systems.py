"""All rows or the pushing ones: two systems with one solution.

Chapter: differentiation-routes.md.  Theorems: full-and-reduced-agree.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.layers.qp.routes import full_kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.routes import samples
from companion.proofs.words import Link, alphabet, chain

W = alphabet(
    constant="P A G N L K S Z g u v w e f",
    latex={
        "G": "G_I",
        "N": "G_N",
        "L": r"D(\lambda_I)",
        "K": r"D(\lambda_I)^{-1}",
        "S": "D(s_N)",
        "Z": "D(s_N)^{-1}",
        "u": "d_x",
        "v": r"d_\nu",
        "w": r"d_I",
        "e": "e_I",
        "f": "e_N",
    },
    P="n n symmetric",
    A="p n",
    G="k n",  # rows with a positive multiplier
    N="r n",  # rows with room
    L="k k symmetric",
    K="k k symmetric",
    S="r r symmetric",
    Z="r r symmetric",
    g="n one",
    u="n one",
    v="p one",
    w="k one",
    e="k one",
    f="r one",
)
P, A, G, N, L, K, S, Z, g, u, v, w, e, f = W("P A G N L K S Z g u v w e f")
T = W.T

full_and_reduced_agree = theorem(
    "full-and-reduced-agree",
    claim=(
        "Let every row of G have either lam_i > 0 and no room (I) or lam_i = 0 and "
        "room s_i > 0 (N).  If Kᵀ(d_x, e, d_nu) = -(g, 0, 0) with OptNet's K, d_x, "
        "d_nu and d_I = lam_I∘e_I solve [P Cᵀ; C 0] = -(g, 0) with C = (A; G_I); and a "
        "solution of the latter gives one of the former; for every size.  det K is "
        "det [P Cᵀ; C 0] times Π lam_i over I times Π(-s_i) over the other rows, "
        "exactly on random instances, with rows at rest among them."
    ),
    source="amos2017optnet",
    implements=(full_kkt.adjoint,),
    uses=("kkt-nonsingular", "qp-gradients"),
)


@full_and_reduced_agree.derivation
def full_gives_reduced() -> Iterator[Step]:
    scaled = W.rule("d_I = lam_I∘e_I", w, L * e)
    first = W.rule("first row of Kᵀ", P * u, [-g, -T(G) * L * e, -T(A) * v])
    yield from chain(
        W,
        [P * u, T(A) * v, T(G) * w],
        Link([P * u, T(A) * v, T(G) * L * e], "d_I is e_I, scaled", (scaled,)),
        Link(-g, "the first block row of Kᵀ", (first,)),
    )
    pushing = W.rule("second row of Kᵀ on I, where the room is zero", G * u, sp.S.Zero)
    yield from chain(W, G * u, Link(sp.S.Zero, "its second, on I", (pushing,)))


@full_and_reduced_agree.check(Evidence.SYMBOLIC_ANY_SIZE)
def reduced_gives_full() -> None:
    """e_I = d_I/lam_I and e_N = G_N d_x/s_N complete a solution."""
    first = W.rule("reduced first row", P * u, [-g, -T(G) * w, -T(A) * v])
    held = W.rule("reduced second row", G * u, sp.S.Zero)
    rules = (
        first,
        held,
        W.inverse("lam_I > 0", L, K),
        W.inverse("s_N > 0", S, Z),
    )
    assert W.equal([P * u, T(G) * L * (K * w), T(A) * v], -g, *rules)
    assert W.equal(G * u, 0, *rules)
    assert W.equal([N * u, -S * (Z * N * u)], 0, *rules)


def reduced(i: Instance, g_: Matrix, C: Matrix | None = None) -> Matrix:
    """(d_x, d_y) of the reduced system, on the rows C."""
    C = i.C if C is None else C
    right = (-g_).col_join(sp.zeros(C.rows, 1))
    return instances.saddle(i.P, C).LUsolve(right)


def assert_same(
    i: Instance, g_: Matrix, *, C: Matrix | None = None, scaled: bool = True
) -> None:
    """The full adjoint is the reduced one, row by row, and zero elsewhere."""
    n, p = i.P.rows, i.A.rows
    a, y = instances.adjoint(i, g_), reduced(i, g_, C)
    found = a.dlam if scaled else sp.diag(*[1 / c if c else 1 for c in i.lam]) * a.dlam
    assert a.dx == y[:n, :], "another d_x"
    assert a.dnu == y[n : n + p, :], "another d_nu"
    assert instances.rows(found, i.active) == y[n + p :, :], "another d_lam"


def regular(count: int = 12) -> Iterator[Instance]:
    """Random integer instances whose reduced matrix is nonsingular."""
    rng = np.random.default_rng(3)
    while count:
        i = instances.random_instance(rng)
        if i.C.rank() == i.C.rows and i.G.rows:
            count -= 1
            yield i


@full_and_reduced_agree.check(Evidence.EXACT)
def same_adjoint() -> None:
    assert_same(MASTER, LOSS)
    for i in regular():
        assert_same(i, Matrix([j - 2 for j in range(i.P.rows)]))


def assert_determinant(i: Instance, sign: int = -1) -> None:
    """The determinant of K by the formula."""
    product = sp.S.One
    for weight, room in zip(i.lam, i.slack, strict=True):
        product *= weight if weight > 0 else sign * room
    want = product * instances.saddle(i.P, i.C).det()
    found = instances.optnet_matrix(i).det()
    assert found == want, f"det K = {found}, not {want}"


@full_and_reduced_agree.check(Evidence.EXACT)
def determinants() -> None:
    rng, zero = np.random.default_rng(5), 0
    assert_determinant(MASTER)
    for _ in range(60):
        i = instances.random_instance(rng, weak=True)
        assert_determinant(i)
        zero += instances.optnet_matrix(i).det() == 0
    assert 5 < zero < 55, zero


@full_and_reduced_agree.check(Evidence.NUMERIC)
def layers_agree() -> None:
    for problem, _ in numeric.regular():
        one, other = (samples.gradient(problem, r) for r in ("full_kkt", "active_set"))
        numeric.assert_close(one, other, "gradients")


@full_and_reduced_agree.control(mutant="e in place of d_lam = lam∘e")
def not_scaled() -> None:
    assert_same(MASTER, LOSS, scaled=False)


@full_and_reduced_agree.control(mutant="all rows of G kept in C, those with room too")
def rows_with_room_kept() -> None:
    assert_same(MASTER, LOSS, C=MASTER.A.col_join(MASTER.G))


@full_and_reduced_agree.control(mutant="Π s_i over N in place of Π(-s_i)")
def sign_of_the_room() -> None:
    assert_determinant(MASTER, sign=1)


def assert_full_is_nonsingular(i: Instance) -> None:
    """Where the reduced matrix is nonsingular, K is."""
    require(instances.satisfies_kkt(i), "a KKT point")
    require(instances.saddle(i.P, i.C).det() != 0, "the reduced matrix is nonsingular")
    assert instances.optnet_matrix(i).det() != 0, "K is singular"


@full_and_reduced_agree.check(Evidence.EXACT)
def nonsingular_together() -> None:
    assert_full_is_nonsingular(MASTER)


@full_and_reduced_agree.control(
    dropped="every row in I or in N: one at rest, with no room and no multiplier"
)
def row_at_rest() -> None:
    lam, slack = Matrix([2, 0]), sp.zeros(2, 1)
    at_rest = instances.instance(
        MASTER.P, MASTER.A, MASTER.G, MASTER.x, MASTER.nu, lam, slack
    )
    assert_full_is_nonsingular(at_rest)
