"""Checks of structure: kinds, shapes and batch axes, never the numbers.

Chapter: optnet.md.
"""

from __future__ import annotations

from typing import Any


def check_array(name: str, value: Any) -> None:
    """Refuse what is no array or has no floating dtype."""
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        msg = f"{name}: expected a NumPy array or torch tensor"
        raise TypeError(f"{msg}, got {type(value).__name__}")
    if "float" not in str(value.dtype):
        msg = f"{name}: expected a floating dtype, got {value.dtype}"
        raise TypeError(msg)


def check_alike(name: str, value: Any, first: str, other: Any) -> None:
    """Refuse an array that differs from `other` in library, dtype or device."""
    kinds = (type(other).__module__.split(".")[0], type(value).__module__.split(".")[0])
    if kinds[0] != kinds[1]:
        msg = f"{name}: expected an array of {kinds[0]} as {first} is"
        raise TypeError(f"{msg}, got one of {kinds[1]}")
    for what in ("dtype", "device"):
        want, got = getattr(other, what, None), getattr(value, what, None)
        if want != got:
            msg = f"{name}: expected {what} {want} as {first} has, got {got}"
            raise TypeError(msg)


def check_shape(
    name: str, value: Any, core: tuple[tuple[str, int | None], ...]
) -> None:
    """Compare the trailing axes with (letter, size); a size of None is free."""
    shape = tuple(value.shape)
    tail = shape[len(shape) - len(core) :]
    fits = len(shape) >= len(core) and all(
        size in (None, got) for (_, size), got in zip(core, tail, strict=True)
    )
    if not fits:
        letters = ", ".join(letter for letter, _ in core)
        known = ", ".join(
            f"{letter} = {size}"
            for letter, size in dict(core).items()
            if size is not None
        )
        msg = f"{name}: expected shape (*batch, {letters}) with {known}, got {shape}"
        raise ValueError(msg)


def broadcast(parts: list[tuple[str, tuple[int, ...]]]) -> tuple[int, ...]:
    """Common batch shape of named shapes; names the first one that does not fit."""
    total: tuple[int, ...] = ()
    for name, shape in parts:
        rank = max(len(total), len(shape))
        a = (1,) * (rank - len(total)) + total
        b = (1,) * (rank - len(shape)) + shape
        if any(i != j and 1 not in (i, j) for i, j in zip(a, b, strict=True)):
            msg = (
                f"{name}: expected batch axes that broadcast with {total} of the "
                f"fields before it, got {shape}"
            )
            raise ValueError(msg)
        total = tuple(j if i == 1 else i for i, j in zip(a, b, strict=True))
    return total


def common_batch(
    fields: tuple[Any, ...], ranks: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The batch shape of fields (P, q, A, b, G, h) that all have the same one.

    None where they have not, or where anything else asks for a closer look.
    """
    first = fields[0]
    kind, dtype, device = type(first), first.dtype, getattr(first, "device", None)
    for v in fields[1:]:
        if not isinstance(v, kind) or v.dtype != dtype or v.device != device:
            return None
    shapes = [tuple(v.shape) for v in fields]
    batch = shapes[1][:-1]
    for shape, rank in zip(shapes, ranks, strict=True):
        if len(shape) < rank or shape[: len(shape) - rank] != batch:
            return None
    (_, p, _), (_, m, _) = ((s[:-2], *s[-2:]) for s in (shapes[2], shapes[4]))
    n = shapes[1][-1]
    tails = ((n, n), (n,), (p, n), (p,), (m, n), (m,))
    fits = all(s[len(batch) :] == tail for s, tail in zip(shapes, tails, strict=True))
    return batch if fits else None
