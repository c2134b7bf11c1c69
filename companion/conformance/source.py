"""The text of an adapter, to be pasted.

Chapter: conformance.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any


def text(name: str, adapter: Callable[..., Any]) -> str:
    """A program that defines a function of this name."""
    if not isinstance(adapter, partial):
        return inspect.getsource(adapter)
    chosen = ", ".join(f"{key}={value!r}" for key, value in adapter.keywords.items())
    call = f"{adapter.func.__name__}(*fields, {chosen})"
    return (
        f"{inspect.getsource(adapter.func)}\n\ndef {name}(*fields):\n    return {call}"
    )
