"""Batches by their entries, and steps that leave behind who is done: no bit changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from companion.layers import cone_program
from companion.layers.cone_program import newton, stacks, triples
from companion.layers.cone_program.compressed import Compressed
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.spectrum import Spectrum
from companion.layers.cone_program.stacks import Stack
from companion.problems import ConeProgram
from tests.layers.cone_program.cases import EVERY, batch_of, chain, sample

SHAPE = (130, 90)


def matrices(fills: tuple[float, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    M = rng.normal(size=(len(fills), *SHAPE))
    return M * (rng.uniform(size=M.shape) < np.array(fills)[:, None, None])


THIN, MIXED, FULL = (0.05, 0.0, 0.05), (0.05, 1.0, 0.02), (1.0, 0.5, 1.0)


@pytest.mark.parametrize("fills", [THIN, MIXED, FULL, (0.05,), (1.0,)])
def test_products_are_those_of_the_dense_matrices(fills):
    M, rng = matrices(fills), np.random.default_rng(1)
    stack = Stack.of(M)
    assert [one is not None for one in stack.entries] == [f < 0.1 for f in fills]
    for i, act in ((1, stacks.times), (0, stacks.transposed)):
        v = rng.normal(size=(3, SHAPE[i]))
        np.testing.assert_allclose(act(stack, v), act(M, v), atol=1e-13)
        if len(fills) > 1:
            some = np.array([2, 0])
            ours = act(stack[some][np.array([1])], v[:1])
            np.testing.assert_array_equal(ours, act(stack[some[1:]], v[:1]))
            np.testing.assert_allclose(ours, act(M[:1], v[:1]), atol=1e-13)


def test_a_product_does_not_depend_on_the_other_matrices():
    M, v = matrices(MIXED), np.random.default_rng(2).normal(size=(3, SHAPE[1]))
    for i in range(3):
        alone = Stack.of(M[i : i + 1]).times(v[i : i + 1])
        np.testing.assert_array_equal(Stack.of(M).times(v)[i], alone[0])


def test_finite_names_the_matrices_with_numbers_only():
    M = matrices(MIXED)
    M[0, 3, 3], M[1, 2, 2] = np.nan, np.inf
    assert Stack.of(M).finite.tolist() == [False, False, True]


@pytest.mark.parametrize("upper", [False, True])
def test_matrices_go_to_the_solver_by_columns(upper):
    M = matrices((0.05, 0.05, 1.0, 1.0))[:, :90]
    M[1] = 2 * M[0]  # a pattern again
    M[3, 0, 0] = 0  # and a new one
    for stack in (Stack.of(M), Stack.of(M[:, :20, :20])):
        found = Compressed(stack, upper=upper)
        for i in (0, 1, 0, 2, 3, 2):
            wanted = stack.dense[i]
            wanted = sparse.csc_matrix(np.triu(wanted) if upper else wanted)
            ours = found.of(i)
            assert ours.data == wanted.data.tolist()
            assert ours.indices == wanted.indices.tolist()
            assert ours.indptr == wanted.indptr.tolist()
            assert ours.shape == wanted.shape


def test_derivative_of_the_projection_is_the_one_of_its_eigenbasis():
    """In every piece, on boundaries, and at the apex."""
    rng = np.random.default_rng(3)
    v, w = rng.normal(size=(2, 40, EVERY.rows))
    head = EVERY.zero + EVERY.nonneg
    v[0] = 0
    v[1, head : head + 4], v[2, head : head + 4] = (1, 1, 0, 0), (-1, 1, 0, 0)
    spectrum = Spectrum(v, layout(EVERY))
    turned = spectrum.lam[..., None] * spectrum.rotate(w[..., None])
    wanted = spectrum.restore(turned)[..., 0]
    np.testing.assert_allclose(spectrum.times(w), wanted, atol=1e-13)


def test_newtons_step_along_the_exponential_boundary_is_the_one_of_its_curve():
    rng = np.random.default_rng(4)
    rho, v = rng.normal(size=50), rng.normal(size=(50, 3))
    P, dP, D, dD = triples._exponential(rho)
    n = triples.cross(P, D)
    slope = triples.cross(dP, D) + triples.cross(P, dD)
    wanted = (n * v).sum(-1) / (slope * v).sum(-1)
    np.testing.assert_allclose(triples._step(rho, v), wanted, rtol=1e-10)


def gradients(problem: ConeProgram) -> list[torch.Tensor]:
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = cone_program.solve(leaves)
    outputs = [sol.x, sol.y, sol.s]
    kept = sum(torch.nan_to_num(v).sum() for v in outputs)
    return [*outputs, *torch.autograd.grad(kept, leaves.fields)]


def test_neighbours_that_take_longer_change_no_bit():
    """Some are done at once and are left behind; which, depends on the neighbours."""
    easy = [sample(0)[0]]
    for scale in (1.0, 1.3, 0.7, 1.1):
        P, q, A, b = easy[0].fields
        easy.append(ConeProgram(P, scale * q, A, b, EVERY))
    P, q, A, b = easy[0].fields
    hard = [ConeProgram(1e-6 * P, q, A, b * t, EVERY) for t in (1.0, 2.0, 0.5, 3.0)]
    runs = [
        gradients(batch_of(easy[0], *rest)) for rest in (easy[1:], hard, hard[::-1])
    ]
    for found in runs[1:]:
        for ours, other in zip(runs[0], found, strict=True):
            assert torch.equal(ours[0], other[0])


def test_systems_of_some_instances_answer_as_the_whole():
    """Those near their factors are done first: others go on in several turns."""
    count, rng = 8, np.random.default_rng(5)
    problem, known = sample(0, EVERY)
    batch = batch_of(*[problem] * count)
    noise = rng.normal(size=(count, EVERY.rows))
    v = np.zeros_like(noise) + known.y - known.s
    P, _, A, _ = (w.numpy() for w in batch.fields)
    where, wanted = layout(EVERY), np.arange(count) != 2
    system = Linearised(P, A, Spectrum(v, where), wanted)
    far = 10.0 ** np.arange(-1 - count, -1)[:, None]
    system.move(Spectrum(v + far * noise, where))
    r = rng.normal(size=(count, batch.n)), rng.normal(size=v.shape)
    parts = [np.array([3, 0]), *(np.array([i]) for i in range(count))]
    for name in ("step", "solve", "adjoint", "product", "transposed"):
        whole = getattr(system, name)(*r)
        for few in parts:
            ours = getattr(system.part(few), name)(*(w[few] for w in r))
            for all_of_them, mine in zip(whole, ours, strict=True):
                np.testing.assert_array_equal(all_of_them[few], mine)


@pytest.mark.parametrize("field", ["A", "b"])
def test_a_bad_neighbour_of_sparse_programs_changes_no_bit(field):
    good = [chain(60), chain(60).map(lambda v: 1.1 * v), chain(60)]
    assert good[0].A.numel() >= stacks.LARGE
    place = dict(zip("PqAb", range(4), strict=True))[field]
    runs = []
    for poison in (False, True):
        batch = batch_of(*good)
        if poison:
            batch.fields[place][1].view(-1)[0] = torch.nan
        runs.append(gradients(batch))
    for clean, mixed in zip(*runs, strict=True):
        assert torch.equal(clean[[0, 2]], mixed[[0, 2]])
    assert torch.isnan(runs[1][0][1]).all()


def test_refinement_leaves_the_state_that_it_starts_from():
    """Most are done before the first step, and one is not."""
    problem, known = sample(6)
    fields = tuple(w.numpy()[None] for w in problem.fields)
    fields = (fields[0], np.repeat(fields[1], 4, 0), *fields[2:])
    far = np.array([0, 0, 0, 1e-5])[:, None]
    start = newton.at(
        fields, known.x + far, known.y - known.s + far, layout(EVERY), None
    )
    before = start.copy()
    state, _ = newton.refine(fields, start, np.ones(4, bool))
    assert (state.error < 1e-13).all()
    for ours, other in zip(start[:2], before[:2], strict=True):
        np.testing.assert_array_equal(ours, other)
    np.testing.assert_array_equal(start.spectrum.lam, before.spectrum.lam)
    np.testing.assert_array_equal(start.error, before.error)
