"""A family whose contestants come to grief, to see that a contest goes on."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from tests.benchmarks.family import OURS, Case, Contestant, Reference, Task

NAME, ABOUT = "trouble", "Contestants that end, raise or answer wrongly"


def data() -> tuple[Tensor]:
    """Two instances."""
    return (torch.arange(6.0, dtype=torch.float64).reshape(2, 3),)


def layer(kind: str, fields: tuple[Tensor]) -> Task:
    """Twice its leaf, or what its kind makes of that."""

    def forward(v: Tensor) -> Tensor:
        if kind == "ends":
            os._exit(3)
        if kind == "raises":
            msg = "no solution"
            raise RuntimeError(msg)
        return v * (3 if kind == "wrong" else 2)

    return Task(list(fields), forward)


def reference(fields: tuple[Tensor], seed: Tensor) -> Reference:
    """Twice the seed."""
    del fields
    return Reference([2 * seed])


def cases() -> list[Case]:
    """One where processes stay, and one where each gets its own."""
    kinds = {OURS: "right", "ends": "ends", "raises": "raises", "wrong": "wrong"}
    layers = {k: Contestant("torch", lambda v, kind=kind: layer(kind, v))
              for k, kind in kinds.items()}  # fmt: skip
    floors = dict.fromkeys(set(kinds) - {OURS}, 1.0)
    return [
        Case("first", "group", data, layers, floors, reference),
        Case("alone", "group", data, layers, floors, reference, alone=True),
    ]
