"""What the cone layer supports of PyTorch: the book's table, and its tests' names.

Every feature has a test of its name, `test_<name>`, and every such test a feature.

Chapter: support.md.
"""

from __future__ import annotations

from companion.layers.qp.support import SUPPORT as QP
from companion.layers.qp.support import Feature

ALIKE = {feature.name: feature for group in QP.values() for feature in group}

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
    ALIKE["backward_twice"],
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
    ALIKE["functional_jacobian"],
    ALIKE["hooks"],
)

TRANSFORMS = (
    ALIKE["vmap"],
    ALIKE["grad"],
    ALIKE["jacobians"],
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
    ALIKE["linearize"],
    ALIKE["compile"],
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
    ALIKE["dtypes"],
    ALIKE["strides"],
    ALIKE["batch_axes"],
    Feature(
        "sparse_matrices",
        "sparse CSR tensors P and A",
        "Never made dense, with gradients on their patterns; every derivative and "
        "transform of this page in their values. `regularity`, `explain`, `derivative` "
        "and `lpgd` need dense ones.",
        "in part",
    ),
    ALIKE["threads"],
    ALIKE["data_loader"],
    ALIKE["meta"],
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
