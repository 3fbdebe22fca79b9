"""The seam: one slot for a recorder of operations, empty until a later wheel fills it.

`Function.__call__` is the only place where an operation can be intercepted. It hands every application to
the recorder in the slot. This wheel ships none: importing tt_autograd installs the tape.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tt_tensor.function import Function
    from tt_tensor.tensor import Tensor

__all__ = ["Recorder", "active", "by_hand", "install", "paused", "recording"]


class Recorder(Protocol):
    """What a recorder must offer. Whether it records right now (threads, `no_grad`) is its own affair."""

    def record(self, function: Function, inputs: tuple[Any, ...], output: Tensor) -> bool:
        """One application, right after its forward; True if it was recorded.

        `inputs` are as the caller gave them: Tensors, arrays, Python scalars. Where `output is inputs[0]`
        the operation wrote in place.
        """

    def before_write(self, target: Tensor) -> bool:
        """Called before an in-place write. Raises InPlaceError where it must not happen (a leaf that collects a
        gradient); returns True if the value from before is to be kept for the rule."""

    def recording(self) -> bool:
        """Whether it records right now, in this thread and task (`no_grad` says no)."""

    def backward(
        self, tensor: Tensor, gradient: Any, retain_graph: bool | None, create_graph: bool, inputs: Any
    ) -> None:
        """`Tensor.backward`: send `gradient` back from `tensor` into the `.grad` of the leaves."""

    def settle(self, tensor: Tensor) -> None:
        """Bring the history of a view up to date, when someone asks for it."""

    def retain_grad(self, tensor: Tensor) -> None:
        """`Tensor.retain_grad`: let backward fill the `.grad` of this result, too."""

    def register_hook(self, tensor: Tensor, hook: Callable[[Tensor], Any]) -> Any:
        """`Tensor.register_hook`: call `hook` with the gradient at `tensor`; returns a handle with `remove()`."""


active: Recorder | None = None
"""The recorder in the slot. Read it as `recorder.active`."""


def install(recorder: Recorder | None) -> Recorder | None:
    """Put `recorder` into the slot (None empties it) and return the one that was there."""
    global active
    before, active = active, recorder
    return before


def recording() -> bool:
    """Whether an operation applied now, in this thread and task, would be recorded."""
    if active is None:
        return False
    asked = getattr(active, "recording", None)  # a recorder that never pauses need not say so
    return asked is None or bool(asked())


def by_hand() -> bool:
    """Whether someone may still call by hand for the gradient of what is applied now and not recorded.

    Then a layer keeps the Function that it applied. A recorder can rule it out (`inference_mode` does), and the
    memory of all activations with it.
    """
    asked = getattr(active, "by_hand", None)
    return asked is None or bool(asked())


def paused() -> AbstractContextManager[None]:
    """A block in which nothing is recorded, in this thread and task: for code that only predicts.

    A wheel that knows of no tape can so be kind to one. The recorder in the slot makes the block, if it has a method
    `paused` (tt_autograd's gives `inference_mode`); with none in the slot, or one that never pauses, it does nothing.
    """
    asked = getattr(active, "paused", None)
    return nullcontext() if asked is None else asked()
