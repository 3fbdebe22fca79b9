"""Hooks: what is called with the gradient at a tensor while it goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import GradientError
from tt_tensor.tensor import wrap

__all__ = ["Handle", "Hooks"]


class Handle:
    """What registering a hook returns: `remove()` takes the hook away, as does leaving a `with` block."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        if self._hook is not None and self._hook in self._hooks:
            self._hooks.remove(self._hook)
        self._hook = None

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


class Hooks:
    """The hooks at one place of the graph, called in the order of their registration.

    They belong to the Function that made the tensor, or to the leaf.
    """

    def __init__(self) -> None:
        self.hooks: list[Callable[[Tensor], Any]] = []
        self.keep: Callable[[Any], None] | None = None

    @classmethod
    def of(cls, place: Any) -> Hooks:
        """Those of a Function or a leaf; made when first asked for."""
        found = place._hooks
        if found is None:
            found = cls()
            place._hooks = found
        return found

    def add(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call `hook`, too."""
        self.hooks.append(hook)
        return Handle(self.hooks, hook)

    def retain(self, keep: Callable[[Any], None]) -> None:
        """Hand the gradient to `keep` once all hooks have seen it."""
        self.keep = keep

    def run(self, grad: Any) -> Any:
        """The gradient after all hooks. An array stays one: a hook's Tensor is a copy with nothing to it."""
        for hook in list(self.hooks):
            given = grad if isinstance(grad, Tensor) else wrap(np.array(grad))
            changed = hook(given)
            if changed is None:
                continue
            if not isinstance(changed, Tensor) or changed.shape != grad.shape:
                what = f"shape {changed.shape}" if isinstance(changed, Tensor) else type(changed).__name__
                raise GradientError(
                    f"hook: a hook returns None or a Tensor of the gradient's shape {grad.shape}, not {what}"
                )
            changed = changed if changed.dtype == grad.dtype else changed.astype(grad.dtype)
            grad = changed if isinstance(grad, Tensor) else changed.array
        if self.keep is not None:
            self.keep(grad)
        return grad
