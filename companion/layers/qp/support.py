"""What the QP layer supports of PyTorch: the book's table, and the names of its tests.

Every feature has a test of its name, `test_<name>`, and every such test a feature.

Chapter: support.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """A thing one does with a layer in PyTorch, and what is guaranteed of it.

    `status` is "yes", "in part" or "no"; `guarantee` is what the test of this name
    holds, and where the limit is.
    """

    name: str
    title: str
    guarantee: str
    status: str = "yes"


DERIVATIVES = (
    Feature(
        "first_derivatives",
        "`backward`, `autograd.grad`",
        "Every output in every field, by gradcheck.",
    ),
    Feature(
        "double_backward",
        "double backward, `create_graph=True`",
        "By gradgradcheck in every shape and by Taylor order in every regular regime. "
        "The graph is made of torch operations: the compiled adjoint is not used.",
    ),
    Feature(
        "backward_twice",
        "`retain_graph=True`",
        "The second pass gives the same bits; without it torch refuses the second one.",
    ),
    Feature(
        "needed_gradients_only",
        "`requires_grad` on some fields",
        "A gradient that nobody needs is not computed.",
    ),
    Feature(
        "forward_mode",
        "`autograd.forward_ad`, `func.jvp`",
        "The tangents of all five outputs, against those of backward.",
    ),
    Feature(
        "mixed_modes",
        "reverse over forward, forward over reverse, forward over forward",
        "The same Hessian in all fields four times, by every engine, and that of "
        'differences; `at_kink="directional"` refuses a second derivative at a kink.',
    ),
    Feature(
        "functional_jacobian",
        "`autograd.functional.jacobian`",
        "With `vectorize=True`, in both modes; `is_grads_batched=True` works too.",
    ),
    Feature(
        "hooks",
        "hooks on tensors and modules",
        "They see the gradients, and may change them.",
    ),
)

TRANSFORMS = (
    Feature(
        "vmap",
        "`func.vmap`, nested too",
        "A mapped axis becomes a batch axis of one solve, wherever it is; what is not "
        "mapped stays shared. `info` speaks of all the mapped instances.",
    ),
    Feature("grad", "`func.grad`, `func.vjp`", "The gradients of backward."),
    Feature(
        "jacobians",
        "`func.jacrev`, `func.jacfwd`",
        "One factorization for all the rows, or columns, of an instance.",
    ),
    Feature(
        "hessian",
        "`func.hessian`",
        "Both orders of nesting: forward over reverse, reverse over reverse.",
    ),
    Feature(
        "nested_transforms",
        "compositions of these",
        "vmap of grad, of jacrev, of jvp and of hessian; jacrev of vmap.",
    ),
    Feature(
        "errors_under_vmap",
        "a failed instance under vmap",
        "SolveError names it by the mapped axis and its own, as without vmap.",
    ),
    Feature(
        "linearize",
        "`func.linearize`, `func.functionalize`",
        "torch's own error: both trace, and a solver cannot be traced.",
        "no",
    ),
    Feature(
        "compile",
        "`torch.compile`",
        "The same numbers; the layer is a graph break, so `fullgraph=True` is refused.",
        "in part",
    ),
)

CALLS = (
    Feature(
        "no_grad",
        "`no_grad`, `inference_mode`",
        "No graph, no saved tensor, no factor is kept; the same bits.",
    ),
    Feature(
        "freed_after_backward",
        "memory after backward",
        "The factors are saved tensors: torch frees them with the others.",
    ),
    Feature(
        "memory",
        "memory for backward",
        "The matrices, the outputs and one factorization an instance; linear in the "
        "batch, and of a shared matrix one copy.",
    ),
    Feature(
        "checkpoint",
        "`utils.checkpoint`, `save_on_cpu`",
        "Non-reentrant checkpoints and hooks on saved tensors.",
    ),
    Feature(
        "autocast",
        "`autocast`",
        "QPLayer casts its input to the dtype of its parameters and computes in "
        "float64; a QP of one dtype is solved as outside. Fields of two dtypes are "
        "refused, as they are outside.",
    ),
    Feature(
        "dtypes",
        "float32, bfloat16, float16",
        "Outputs and gradients have the dtype of the problem; inside is float64.",
    ),
    Feature(
        "strides",
        "non-contiguous and expanded tensors",
        "The same bits as of their contiguous copies.",
    ),
    Feature(
        "batch_axes",
        "leading batch axes",
        "Any number of them, in any mix that broadcasts, and empty batches.",
    ),
    Feature(
        "threads",
        "Python threads",
        "Solves at the same time give the bits that they give alone.",
    ),
    Feature(
        "data_loader",
        "worker processes",
        "In a DataLoader with forked workers, after the parent has used its threads.",
    ),
    Feature(
        "meta",
        'device="meta"',
        "ValueError: there are no numbers to solve with.",
        "no",
    ),
    Feature(
        "cuda",
        'device="cuda"',
        "The interior point; tested where there is such a device.",
        "in part",
    ),
)

OBJECTS = (
    Feature("state_dict", "`state_dict`", "QPLayer: a round trip gives the same bits."),
    Feature(
        "copies",
        "`copy.deepcopy`, `pickle`, `torch.save`",
        "QPLayer, QP and QPSolution; as of any tensor, deepcopy of a solution with a "
        "graph is refused, and pickling it drops the graph.",
    ),
    Feature(
        "parametrizations",
        "`nn.utils.parametrize`",
        "On any parameter of QPLayer, and it learns through them.",
    ),
)

SUPPORT = {
    "Derivatives": DERIVATIVES,
    "Function transforms": TRANSFORMS,
    "Calls": CALLS,
    "Modules and objects": OBJECTS,
}
