"""A Tensor and its gradient: whether one is collected, where it ends, and how it is asked for.

The gradient itself is worked out by whoever is in the recorder's slot (recorder.py), or by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import tt_tensor
from tt_tensor import function, recorder
from tt_tensor.errors import DTypeError, GradientError, MissingWheelError, ShapeError

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["GradientMethods"]

# Function and Tensor need each other; once both stand, that module has Tensor, too.
seam: Any = function


class GradientMethods:
    """What is asked of a Tensor about gradients, as its methods."""

    array: Any
    shape: Any
    dtype: Any
    _grad: Any
    _requires_grad: bool
    _node: Any
    _view: Any

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is collected for this tensor. Only floating dtypes have one."""
        if self._view is not None:
            self._settle()
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and self.array.dtype.kind != "f":
            raise GradientError(
                f"requires_grad: a tensor of dtype {self.dtype} has no gradient, only floating dtypes do; "
                "use astype('float32') first"
            )
        if not wanted and self._node is not None:
            raise GradientError(
                "requires_grad: only a leaf can be told not to require a gradient; use detach() on a result"
            )
        self._requires_grad = bool(wanted)

    def requires_grad_(self: Any, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad_fn(self) -> Any:
        """The Function that made this tensor, if it was recorded; None for a leaf."""
        if self._view is not None:
            self._settle()
        return self._node

    @property
    def is_leaf(self) -> bool:
        """True if no recorded operation made it."""
        return self.grad_fn is None

    def _settle(self: Any) -> None:
        """A view's history depends on what was written to the memory it shows."""
        settle = getattr(recorder.active, "settle", None)
        if settle is not None:
            settle(self)

    @property
    def grad(self) -> Tensor | None:
        """The gradient, of the same shape, or None. Backward adds to it; an optimizer reads it."""
        return self._grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is not None:
            if not isinstance(gradient, seam.Tensor):
                gradient = tt_tensor.from_numpy(seam.as_array(gradient, "grad"))
            if gradient.shape != self.shape:
                raise ShapeError(
                    f"grad: a gradient has the shape of its tensor, {self.shape}, but this one has {gradient.shape}"
                )
            if gradient.dtype != self.dtype:
                raise DTypeError(
                    f"grad: a gradient has the dtype of its tensor, {self.dtype}, but this one is {gradient.dtype}"
                )
        self._grad = gradient

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def backward(
        self: Any,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Send `gradient` (1 for a single element) back through everything that made this tensor, into the `.grad`
        of every leaf, or of `inputs` alone.

        Raises MissingWheelError while no recorder is installed: then gradients are called by hand, layer by
        layer, with the very same rules.
        """
        if recorder.active is None:
            _no_recorder("backward")
        recorder.active.backward(self, gradient, retain_graph, create_graph, inputs)

    def detach_(self: Any) -> Tensor:
        """Forget this tensor's history: from now on it is a leaf, and no gradient is collected.

        Raises GradientError for a view, whose history is that of the memory it shows: use detach().
        """
        if self._view is not None:
            raise GradientError(
                "detach_: a view has its history from the tensor it shows; use detach() instead"
            )
        self._node, self._requires_grad = None, False
        return self

    def retain_grad(self: Any) -> None:
        """Let backward fill `.grad` of this result of an operation, as it does for leaves.

        Raises GradientError where no gradient is collected, MissingWheelError while no recorder is installed.
        """
        if recorder.active is None:
            _no_recorder("retain_grad")
        recorder.active.retain_grad(self)

    def register_hook(self: Any, hook: Callable[[Tensor], Any]) -> Any:
        """Call `hook(gradient)` whenever a gradient for this tensor was worked out; what it returns, if not None,
        takes that gradient's place. Returns a handle whose `remove()` takes the hook away.

        Raises GradientError where no gradient is collected, MissingWheelError while no recorder is installed.
        """
        if recorder.active is None:
            _no_recorder("register_hook")
        return recorder.active.register_hook(self, hook)


def _no_recorder(what: str) -> NoReturn:
    raise MissingWheelError(
        f"{what}: nothing recorded how this tensor was made. Install the wheel tt-autograd and "
        "`import tt_autograd` before computing; without it, call the rules by hand: "
        "loss_fn.backward() and model.backward(grad) of tt-nn, or function.gradients(grad)"
    )
