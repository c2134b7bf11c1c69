"""Gradients of the denoiser in its data, operator and strength.

Chapter: denoising.md.  Theorems: tv-gradients, tv-scaling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.apps import denoising as app
from companion.layers import qp
from companion.proofs.denoising.conditions import (
    FUSED,
    FUSED_MOVES,
    MOVES,
    ORTHOGONAL,
    SPLIT,
    B,
    E,
    T,
    W,
    dB,
    dE,
    dl,
    dy,
    dz,
    g,
    l,
    s,
    t,
    u,
    v,
    z,
)
from companion.proofs.denoising.instances import Matrix, certified, samples
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain

# -------------------------------------------------------------- tv-gradients
tv_gradients = theorem(
    "tv-gradients",
    claim=(
        "Let S be the rows with |w_i| < λ, (Dz)_i ≠ 0 outside S and D_S of full row "
        "rank.  With t = (D_S D_Sᵀ)⁻¹D_S g and Pg = g - D_Sᵀt the gradients of a loss "
        "with ∂loss/∂z = g are Pg in y, -w(Pg)ᵀ in D with -t zᵀ added on the rows in "
        "S, and -Σ sign(w_i) D_i Pg over the rows outside S in λ."
    ),
    source="amos2017optnet",
    implements=(app.vjp, app.denoise),
    uses=("tv-dual",),
)


@tv_gradients.derivation
def adjoint() -> Iterator[Step]:
    moving = [T(v) * dz, T(t) * E * dz]
    fused = [T(v) * dz, -T(t) * dE * z]
    final = [
        T(v) * dy,
        -T(v) * T(dE) * u,
        -T(v) * T(dB) * s * l,
        -T(v) * T(B) * s * dl,
        -T(t) * dE * z,
    ]
    links = (
        Link(moving, "g = Pg + D_Sᵀt", (SPLIT,)),
        Link(fused, "D_S z = 0 stays zero", (FUSED_MOVES,)),
        Link(final, "dz = dy − d(Dᵀw), and D_S Pg = 0", (MOVES, ORTHOGONAL)),
    )
    yield from chain(W, T(g) * dz, *links, name=r"\mathrm{d}\ell")
    for letter, gradient, name in (
        (dy, v, "y"),
        (dE, -u * T(v) - t * T(z), "D_S"),
        (dB, -s * l * T(v), "D_B"),
        (dl, -T(s) * B * v, r"\lambda"),
    ):
        found = W.gradient(final, letter)
        scalar = letter == dl
        assert W.equal(found, gradient, trace=scalar), f"not the gradient in {name}"
        yield Step(rf"\nabla_{{{name}}}\ell", W.latex(gradient), "coefficient of d")


Edit = Callable[[app.Gradients, np.ndarray, np.ndarray], app.Gradients]


def as_claimed(claim: app.Gradients, t: np.ndarray, z: np.ndarray) -> app.Gradients:
    del t, z
    return claim


def exact_minimizer(data: dict[str, Matrix], free: list[int]) -> Matrix:
    """Z on the piece with these fused rows and the signs of the others, rationally."""
    operator = data["D"]
    fused = operator.extract(free, list(range(operator.cols)))
    others = [i for i in range(operator.rows) if i not in free]
    rest = operator.extract(others, list(range(operator.cols)))
    target = data["y"] - data["strength"][0] * rest.T * data["signs"]
    return target - fused.T * (fused * fused.T).LUsolve(fused * target)


def assert_exact_gradients(edit: Edit = as_claimed) -> None:
    """The formulas against derivatives of a rational function, entry by entry."""
    operator, w, strength, point, y = certified(1)
    free = [i for i in range(4) if abs(w[i]) < strength]
    signs = Matrix([sp.sign(w[i]) for i in range(4) if i not in free])
    data = {"y": y, "D": operator, "strength": Matrix([strength]), "signs": signs}
    weights = Matrix([1, -2, 3, 1, 2])
    claim = formulas(edit, (operator, w, strength, point), weights)
    step = sp.Symbol("step")
    for name in ("y", "D", "strength"):
        want = np.atleast_2d(np.asarray(getattr(claim, name), float))
        want = want.reshape(data[name].shape)
        for at in np.ndindex(*want.shape):
            moved = data[name].copy()
            moved[at] = moved[at] + step
            z = exact_minimizer({**data, name: moved}, free)
            slope = sp.diff(weights.dot(z), step).subs(step, 0)
            error = abs(float(slope) - want[at])
            assert error < 1e-12 * (1 + abs(want[at])), (
                f"{name}{at}: off by {error:.3g}"
            )


def formulas(
    edit: Edit, solution: tuple[Matrix, Matrix, int, Matrix], weights: Matrix
) -> app.Gradients:
    operator, w, strength, point = solution
    arrays = [np.array(v, float).squeeze() for v in (operator, w, point, weights)]
    return claimed(edit, arrays[0], float(strength), *arrays[1:])


def claimed(
    edit: Edit,
    D: np.ndarray,
    strength: float,
    w: np.ndarray,
    z: np.ndarray,
    g: np.ndarray,
) -> app.Gradients:
    """The gradients by the formulas, altered by `edit`, which a control supplies."""
    free = np.abs(w) < strength * (1 - app.EDGE)
    t = np.zeros_like(w)
    t[free] = np.linalg.solve(D[free] @ D[free].T, D[free] @ g)
    return edit(app.vjp(D, strength, z, w, g), t, z)


@tv_gradients.check(Evidence.EXACT)
def rational_derivatives() -> None:
    assert_exact_gradients()


def assert_taylor(
    y: np.ndarray, D: np.ndarray, strength: float, edit: Edit = as_claimed
) -> None:
    """Order 2 of the remainder along a random direction in y, D and λ together."""
    rng = np.random.default_rng(7)
    g, flat = rng.standard_normal(y.size), np.concatenate([y, D.ravel(), [strength]])

    def parts(v: np.ndarray) -> list[torch.Tensor]:
        t = torch.from_numpy(v)
        return [t[: y.size], t[y.size : -1].reshape(D.shape), t[-1]]

    def loss(v: np.ndarray) -> float:
        return float(app.denoise(*parts(v)) @ torch.from_numpy(g))

    z = app.denoise(*parts(flat)).numpy()
    w = qp.layer(app.dual(*parts(flat))).numpy()
    claim = claimed(edit, D, strength, w, z, g)
    gradient = np.concatenate([claim.y, claim.D.ravel(), [claim.strength]])
    direction = 1e-2 * rng.standard_normal(flat.size)
    report = gradcheck.taylor(loss, flat, direction, gradient @ direction, noise=1e-11)
    assert report.passes, f"the remainder has order {report.order:.2f}"


@tv_gradients.check(Evidence.NUMERIC)
def taylor_order() -> None:
    for y, D, strength in samples():
        assert_taylor(y[0].numpy(), D.numpy(), float(strength))


@tv_gradients.control(mutant="the term -t zᵀ on the rows in S forgotten")
def forgotten_rows() -> None:
    def edit(claim: app.Gradients, t: np.ndarray, z: np.ndarray) -> app.Gradients:
        return app.Gradients(claim.y, claim.D + np.outer(t, z), claim.strength)

    assert_exact_gradients(edit)


@tv_gradients.control(mutant="½‖y - z‖ in place of ½‖y - z‖², λ unchanged")
def gradients_of_the_unsquared() -> None:
    def edit(claim: app.Gradients, t: np.ndarray, z: np.ndarray) -> app.Gradients:
        del t, z  # stationarity then reads (y - z)/(2‖y - z‖) = Dᵀw: λ acts doubled
        return app.Gradients(claim.y, claim.D, 2 * claim.strength)

    assert_exact_gradients(edit)


@tv_gradients.control(dropped="(Dz)_i ≠ 0 outside S")
def at_the_merge() -> None:
    y, D = np.array([0.0, 2.0]), np.array([[-1.0, 1.0]])
    z = app.total_variation(torch.from_numpy(y), 1.0).numpy()
    require(np.allclose(z, 1.0), "the bound and the jump reach zero together")
    assert_taylor(y, D, 1.0)


# ---------------------------------------------------------------- tv-scaling
tv_scaling = theorem(
    "tv-scaling",
    claim=(
        "z depends on D and λ only through λD; its gradients satisfy "
        "<∇_D, D> = λ∇_λ wherever they exist."
    ),
    source="amos2017optnet",
    implements=(app.vjp, app.denoise),
    uses=("tv-gradients",),
)


@tv_scaling.derivation
def redundant_direction() -> Iterator[Step]:
    start = [-T(v) * T(E) * u, -T(z) * T(E) * t, -T(v) * T(B) * s * l]
    end = [-T(v) * T(B) * s * l]
    links = (Link(end, "D_S Pg = 0 and D_S z = 0", (ORTHOGONAL, FUSED)),)
    yield from chain(W, start, *links, name=r"\langle\nabla_D\ell, D\rangle")
    gradient = -T(s) * B * v
    assert W.equal(end, gradient * l, trace=True)
    yield Step(W.latex(end), r"\lambda\,\nabla_\lambda\ell", "theorem tv-gradients")


def assert_scaling(edit: Edit = as_claimed, shift: float = 0.0) -> None:
    """The identity at an exact instance; `shift` moves z off the solution."""
    operator, w, strength, point, _ = certified(2)
    weights = Matrix([1, -2, 3, 1, 2])
    moved = point + shift * Matrix([1, 0, 0, 2, 0])
    claim = formulas(edit, (operator, w, strength, moved), weights)
    left = float((claim.D * np.array(operator, float)).sum())
    right = strength * claim.strength
    assert abs(left - right) < 1e-12 * (1 + abs(right)), f"{left} against {right}"


@tv_scaling.check(Evidence.NUMERIC)
def identity_and_rescaling() -> None:
    assert_scaling()
    for y, D, strength in samples():
        z = app.denoise(y, D, strength)
        again = app.denoise(y, 4 * D, strength / 4)
        error = float((z - again).abs().max() / z.abs().max())
        assert error < 1e-9, f"rescaling moves z by {error:.1e}"


@tv_scaling.control(mutant="the sign of ∇_λ turned")
def turned_sign() -> None:
    def edit(claim: app.Gradients, t: np.ndarray, z: np.ndarray) -> app.Gradients:
        del t, z
        return app.Gradients(claim.y, claim.D, -claim.strength)

    assert_scaling(edit)


@tv_scaling.control(dropped="D_S z = 0, which an unconverged solution misses")
def off_the_solution() -> None:
    assert_scaling(shift=0.5)
