"""Total-variation denoising as a layer: learn its strength and its operator.

Chapter: denoising.md. Theorems: tv-dual, tv-gradients, tv-scaling.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion.layers import qp
from companion.problems import QP

EDGE = 1e-8  # share of the strength within which a multiplier counts as at its bound
SEGMENTS = 9  # of a synthetic signal, at most
HEIGHTS = (10, 100)  # of a synthetic segment: integers, the upper end excluded
NOISE = 10.0  # standard deviation of the synthetic noise

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Signals:
    """Noisy signals, one a row, and the clean ones that they came from."""

    noisy: Float[Tensor, "count length"]
    clean: Float[Tensor, "count length"]

    def __getitem__(self, rows: slice | Tensor) -> Signals:
        return Signals(self.noisy[rows], self.clean[rows])

    def __len__(self) -> int:
        return int(self.noisy.shape[0])


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of a loss in the three inputs of the denoiser."""

    y: Array
    D: Array
    strength: float


@dataclass(frozen=True)
class Schedule:
    """How to train: passes over the data, signals a step, Adam's rate."""

    epochs: int = 5
    batch: int = 32
    rate: float = 1e-2


@dataclass(frozen=True, eq=False)
class History:
    """One entry an epoch, the first of them before training.

    Losses are mean squared errors per sample; `losses` is over the training signals as
    they were met, `validation` over the held-out ones at the end of the epoch.
    """

    losses: tuple[float, ...]
    validation: tuple[float, ...]
    strengths: tuple[float, ...]
    operators: tuple[Array, ...]


# ------------------------------------------------------------------------- data
def ecg() -> Float[Array, 1024]:
    """An electrocardiogram of 1024 samples, in the recorder's units.

    Shipped inside PyWavelets as `pywt.data.ecg`.
    """
    return _book_package("pywt.data").ecg().astype(np.float64)


def nile() -> tuple[Float[Array, 100], Float[Array, 100]]:
    """Years 1871–1970 and the Nile's flow at Aswan in each, in 10⁸ m³.

    Shipped inside statsmodels as `statsmodels.datasets.nile`.
    """
    table = _book_package("statsmodels.datasets.nile").load_pandas().data
    return tuple(
        table[name].to_numpy(np.float64, copy=True) for name in ("year", "volume")
    )


def _book_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = (
            f"this series ships in {name.split('.')[0]}: pip install 'companion[book]'"
        )
        raise ImportError(msg) from error


def piecewise(rng: np.random.Generator, count: int, length: int = 100) -> Signals:
    """Piecewise constant signals of 1–9 segments under Gaussian noise.

    Source: amos2017optnet, §4.2, with the distribution of the paper's code.
    """
    clean = np.empty((count, length))
    for row in clean:
        cuts = np.sort(rng.integers(1, length, rng.integers(0, SEGMENTS)))
        sizes = np.diff(np.concatenate([[0], cuts, [length]]))
        row[:] = np.repeat(rng.integers(*HEIGHTS, len(sizes)), sizes)
    return add_noise(rng, clean, NOISE)


def add_noise(rng: np.random.Generator, clean: Array, sigma: float) -> Signals:
    """The signals with independent Gaussian noise of standard deviation sigma."""
    noisy = clean + sigma * rng.standard_normal(clean.shape)
    return Signals(torch.from_numpy(noisy), torch.from_numpy(clean.copy()))


def windows(signal: Float[Array, " time"], length: int, stride: int) -> Array:
    """Every stride-th window of this length that fits into the signal, one a row."""
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::stride].copy()


# ------------------------------------------------------------------------ layer
def differences(length: int) -> Float[Tensor, "rows length"]:
    """The operator of first differences, (Dx)_i = x_{i+1} − x_i."""
    return torch.diff(torch.eye(length, dtype=torch.float64), dim=0)


def dual(y: Tensor, D: Tensor, strength: Tensor) -> QP:
    """The dual of min ½‖y − z‖² + strength·‖Dz‖₁ as a QP in w.

    Minimize ½‖Dᵀw‖² − wᵀDy subject to |w_i| ≤ strength (theorem tv-dual); the 2k rows
    are w ≤ strength, then −w ≤ strength.  Leading axes of y are a batch.
    """
    eye = torch.eye(D.shape[-2], dtype=D.dtype, device=D.device)
    bound = strength * torch.ones_like(torch.cat([eye, eye])[:, 0])
    return QP(
        P=D @ D.mT,
        q=-(y.unsqueeze(-2) @ D.mT).squeeze(-2),
        G=torch.cat([eye, -eye]),
        h=bound,
    )


def denoise(
    y: Float[Tensor, "*batch length"],
    D: Float[Tensor, "rows length"],
    strength: Float[Tensor, ""],
) -> Float[Tensor, "*batch length"]:
    """Argmin over z of ½‖y − z‖² + strength·‖Dz‖₁, differentiable in all three.

    Recovered from the dual as z = y − Dᵀw.  The operator and the strength are shared
    by the batch; their gradients are sums over it.
    """
    w = qp.layer(dual(y, D, strength))
    return y - (w.unsqueeze(-2) @ D).squeeze(-2)


def total_variation(
    y: Float[Tensor, "*batch length"], strength: float | Tensor
) -> Float[Tensor, "*batch length"]:
    """Argmin over z of ½‖y − z‖² + strength·Σ|z_{i+1} − z_i|."""
    scale = torch.as_tensor(strength, dtype=y.dtype, device=y.device)
    return denoise(y, differences(y.shape[-1]).to(y), scale)


def vjp(D: Array, strength: float, z: Array, w: Array, g: Array) -> Gradients:
    """Gradients of a loss in y, D and the strength, given g = ∂loss/∂z.

    S are the rows with |w_i| < strength; the others are at a bound.  The multipliers
    w at the solution z = y − Dᵀw are taken as they come (theorem tv-gradients).
    """
    free = np.abs(w) < strength * (1 - EDGE)
    D_S = D[free]
    t = np.linalg.solve(D_S @ D_S.T, D_S @ g)
    Pg = g - D_S.T @ t
    grad_D = -np.outer(w, Pg)
    grad_D[free] -= np.outer(t, z)
    grad_strength = -np.sign(w[~free]) @ D[~free] @ Pg
    return Gradients(Pg, grad_D, float(grad_strength))


# --------------------------------------------------------------------- learning
class Denoiser(nn.Module):
    """z(y) = argmin ½‖y − z‖² + exp(log_strength)·‖Dz‖₁, with D and strength learned.

    D starts as `operator`.  Scaling D and dividing the strength leave z unchanged
    (theorem tv-scaling), so freeze one of them, or bear with the redundant direction.
    """

    def __init__(self, operator: Tensor, strength: float) -> None:
        super().__init__()
        if operator.ndim != 2 or not strength > 0:
            msg = (
                "Denoiser: expected an operator (rows, length) and a strength > 0, "
                f"got {tuple(operator.shape)} and {strength}"
            )
            raise ValueError(msg)
        self.D = nn.Parameter(operator.clone())
        start = torch.tensor(math.log(strength), dtype=operator.dtype)
        self.log_strength = nn.Parameter(start)

    @property
    def strength(self) -> Tensor:
        """The positive number exp(log_strength)."""
        return self.log_strength.exp()

    def forward(self, y: Tensor) -> Tensor:
        """The denoised signals, in the shape of y."""
        return denoise(y, self.D, self.strength)


def mean_squared_error(model: Denoiser, signals: Signals) -> float:
    """Mean over all samples of (z(y) − clean)²."""
    with torch.no_grad():
        return float((model(signals.noisy) - signals.clean).square().mean())


def train(
    model: Denoiser,
    training: Signals,
    validation: Signals,
    rng: np.random.Generator,
    schedule: Schedule = Schedule(),
) -> History:
    """Minimize the mean squared error by Adam over the parameters that ask for it.

    Changes `model`; reproducible for a given rng.
    """
    free = [v for v in model.parameters() if v.requires_grad]
    optimizer = torch.optim.Adam(free, lr=schedule.rate)
    start = mean_squared_error(model, training), mean_squared_error(model, validation)
    records = [_record(model, *start)]
    for _ in range(schedule.epochs):
        order, total = torch.from_numpy(rng.permutation(len(training))), 0.0
        for rows in order.split(schedule.batch):
            batch = training[rows]
            loss = (model(batch.noisy) - batch.clean).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += len(rows) * float(loss.detach())
        held_out = mean_squared_error(model, validation)
        records.append(_record(model, total / len(training), held_out))
    return History(*zip(*records, strict=True))


def _record(
    model: Denoiser, loss: float, validation: float
) -> tuple[float, float, float, Array]:
    D = model.D.detach().numpy().copy()
    return loss, validation, float(model.strength.detach()), D
