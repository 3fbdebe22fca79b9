"""Hooks: what is called with the gradient at a tensor while it goes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import GradientError
from tt_tensor.tensor import wrap

__all__ = ["Handle", "Hooks"]

Hook = Callable[[Tensor], Any]
_number = count().__next__


class Handle:
    """What registering a hook returns: `remove()` takes the hook away, as does leaving a `with` block."""

    def __init__(self, hooks: dict[int, Hook], key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


class Hooks:
    """The hooks at one place of the graph, called in the order of their registration.

    They belong to the Function that made the tensor, or to the leaf.
    """

    def __init__(self) -> None:
        self.hooks: dict[int, Hook] = {}
        self.keep: Callable[[Any], None] | None = None

    @classmethod
    def of(cls, place: Any) -> Hooks:
        """Those of a Function or a leaf; made when first asked for."""
        found = place._hooks
        if found is None:
            found = cls()
            place._hooks = found
        return found

    @classmethod
    def move_keep(cls, before: Any, after: Any) -> None:
        """A tensor that keeps its gradient was written in place: the gradient is now that at `after`.

        Its other hooks stay: they were registered for the value from before.
        """
        old = before._hooks
        if old is not None and old.keep is not None:
            cls.of(after).keep, old.keep = old.keep, None

    def add(self, hook: Hook) -> Handle:
        """Call `hook`, too."""
        key = _number()
        self.hooks[key] = hook
        return Handle(self.hooks, key)

    def retain(self, keep: Callable[[Any], None]) -> None:
        """Hand the gradient to `keep` once all hooks have seen it."""
        self.keep = keep

    def run(self, grad: Any) -> Any:
        """The gradient after all hooks. An array stays an array; what a hook sees of it is a copy."""
        for hook in list(self.hooks.values()):
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
