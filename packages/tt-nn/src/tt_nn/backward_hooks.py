"""What comes back to a module: the gradients at its outputs, and those that it sends to its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError

__all__ = ["BackwardHook"]


class BackwardHook:
    """`hook(module, grad_input, grad_output)`, called when the gradients of one application are there.

    `before` and `after` are hooks of the forward. Each input goes in as a view of its own, so that what comes back to
    it comes from this module alone, whoever else uses the tensor.
    """

    def __init__(self, hook: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]) -> None:
        self.hook = hook

    def before(self, module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs, as views where they want a gradient."""
        return tuple([x.view(x.shape) if _wants(x) else x for x in args])

    def after(self, module: Any, args: tuple[Any, ...], output: Any) -> None:
        """Listen at the outputs, and at the inputs."""
        outputs = output if isinstance(output, tuple) else (output,)
        starts, ends = ([at for at, x in enumerate(tensors) if _wants(x)] for tensors in (args, outputs))
        grad_input: list[Any] = [None] * len(args)
        grad_output: list[Any] = [None] * len(outputs)
        came: set[int] = set()

        def listen(tensor: Tensor, grads: list[Any], at: int, last: bool) -> None:
            def arrived(grad: Tensor) -> Any:
                grads[at] = grad
                if not last:
                    return None
                came.add(at)
                if len(came) < len(starts or ends):
                    return None
                changed = self.hook(module, tuple(grad_input), tuple(grad_output))
                return None if changed is None else _only(changed, starts)

            tensor.register_hook(arrived)

        # Outputs come first on the way back; without an input that wants a gradient they are all there is.
        for at in ends:
            listen(outputs[at], grad_output, at, not starts)
        for at in starts if ends else ():
            listen(args[at], grad_input, at, True)


def _wants(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _only(changed: Any, starts: list[int]) -> Any:
    """The gradient that a hook puts in the place of the one input's."""
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(starts) != 1 or len(changed) <= starts[0]:
        raise ArgumentError(
            f"register_full_backward_hook: a hook may return another gradient for a module with one input that wants "
            f"one; this one has {len(starts)}, so return None"
        )
    return changed[starts[0]]
