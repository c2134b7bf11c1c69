"""What the cone layer supports of PyTorch: the book's table, and its tests' names.

Every feature has a test of its name, `test_<name>`, and every such test a feature.

Chapter: support.md.
"""

from __future__ import annotations

from companion.layers.qp.support import Feature

DERIVATIVES = (
    Feature(
        "first_derivatives",
        "`backward`, `autograd.grad`",
        "Every output in every field, by gradcheck, over every cone.",
    ),
    Feature(
        "double_backward",
        "double backward, `create_graph=True`",
        "By gradgradcheck over every cone, and by Taylor order. The graph is made of "
        "torch operations and of solves with the factors that there are.",
    ),
    Feature(
        "third_derivatives",
        "a third derivative",
        "NotImplementedError: the projections have two.",
        "no",
    ),
    Feature(
        "backward_twice",
        "`retain_graph=True`",
        "The second pass gives the same bits; without it torch refuses the second one.",
    ),
    Feature(
        "needed_gradients_only",
        "`requires_grad` on some fields",
        "The gradient of a matrix that nobody needs is not computed.",
    ),
    Feature(
        "forward_mode",
        "`autograd.forward_ad`, `func.jvp`",
        "The tangents of all four outputs, against those of backward.",
    ),
    Feature(
        "mixed_modes",
        "reverse over forward, forward over reverse, forward over forward",
        "The same Hessian four times, over every cone; Hessian-vector products by "
        "Taylor order.",
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
        "In q, A and b: symmetric, and the same for every order of nesting.",
    ),
    Feature(
        "nested_transforms",
        "compositions of these",
        "vmap of grad, of jacrev, of jvp and of hessian; jacrev of vmap; vmap over "
        "seeds of vmap over problems.",
    ),
    Feature(
        "errors_under_vmap",
        "a failed instance under vmap",
        "SolveError names it by the mapped axis and its own, and certificates have "
        "the mapped axes in front.",
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
        "No graph and no saved tensor, and nothing holds the factors; the same bits.",
    ),
    Feature(
        "freed_after_backward",
        "memory after backward",
        "torch frees the matrices and the solution; the factors live as long as an "
        "output that has a graph.",
        "in part",
    ),
    Feature(
        "checkpoint",
        "`utils.checkpoint`, `save_on_cpu`",
        "Non-reentrant checkpoints and hooks on saved tensors; the factors are not "
        "among those, and stay.",
        "in part",
    ),
    Feature(
        "autocast",
        "`autocast`",
        "ConeProgramLayer casts its input to the dtype of its parameters and computes "
        "in float64; a program of one dtype is solved as outside. Fields of two dtypes "
        "are refused, as they are outside.",
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
        "sparse_matrices",
        "sparse CSR tensors P and A",
        "Never made dense, with gradients on their patterns; every derivative and "
        "transform of this page in their values. `regularity`, `explain`, `derivative` "
        "and `lpgd` need dense ones.",
        "in part",
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
        "Solved on the CPU; outputs and gradients are where the problem is. Tested "
        "where there is such a device.",
        "in part",
    ),
)

OBJECTS = (
    Feature(
        "state_dict",
        "`state_dict`",
        "ConeProgramLayer: a round trip gives the same bits.",
    ),
    Feature(
        "copies",
        "`copy.deepcopy`, `pickle`, `torch.save`",
        "ConeProgramLayer, ConeProgram and ConeSolution; as of any tensor, deepcopy of "
        "a solution with a graph is refused, and pickling it drops the graph.",
    ),
    Feature(
        "parametrizations",
        "`nn.utils.parametrize`",
        "On any parameter of ConeProgramLayer, and it learns through them.",
    ),
)

SUPPORT = {
    "Derivatives": DERIVATIVES,
    "Function transforms": TRANSFORMS,
    "Calls": CALLS,
    "Modules and objects": OBJECTS,
}
