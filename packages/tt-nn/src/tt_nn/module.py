"""Module: what layers and networks are made of.

A module is an object whose attributes hold Parameters, buffers and other modules; nothing is registered, they are
found where they stand (parts.py). `forward` says what it computes. `backward` is by hand here: a layer keeps the
Function that it applied last and calls its rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from tt_nn.backward_hooks import BackwardHook
from tt_nn.by_hand import send_back
from tt_nn.parameter import Parameter
from tt_nn.parts import PartMethods
from tt_nn.state import StateMethods
from tt_tensor import Function, Tensor, as_tensor, observing, recorder
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, MissingWheelError
from tt_tensor.tensor import wrap

__all__ = ["Module", "RemovableHandle", "infer"]

M = TypeVar("M", bound="Module")


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away, as does the end of a `with` block."""

    def __init__(self, hooks: list[Any], *own: Any) -> None:
        self._hooks, self._own = hooks, own

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        # The hook may be registered twice; each handle takes away one.
        for hook in self._own:
            if hook in self._hooks:
                self._hooks.remove(hook)
        self._own = ()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: Any) -> None:
        self.remove()


class _Before:
    """A hook of `register_forward_pre_hook`: in one list with the others, so that whoever looks for hooks finds it."""

    def __init__(self, hook: Callable[..., Any], with_kwargs: bool = False) -> None:
        self.hook, self.with_kwargs = hook, with_kwargs

    def changed(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The arguments that go in."""
        if not self.with_kwargs:
            changed = self.hook(module, args)
            return (
                args if changed is None else changed if isinstance(changed, tuple) else (changed,)
            ), kwargs
        changed = self.hook(module, args, kwargs)
        if changed is not None and not (isinstance(changed, tuple) and len(changed) == 2):
            raise ArgumentError(
                "register_forward_pre_hook: with with_kwargs, a hook returns None or a tuple and a dictionary, "
                f"(args, kwargs), not {type(changed).__name__}"
            )
        return (args, kwargs) if changed is None else changed


class _After:
    """A hook of `register_forward_hook` that wants to see the keyword arguments."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook


class Module(PartMethods, StateMethods):
    """The base of all layers and networks.

    Subclasses set their parts as attributes and write `forward`:

        class Net(Module):
            def __init__(self):
                self.hidden = Linear(2, 8)
                self.out = Linear(8, 1)

            def forward(self, x):
                return self.out(tanh(self.hidden(x)))
    """

    training: bool = True
    """True in training; Dropout and batch statistics look at it. Set by `train()` and `eval()`."""

    may_lack: ClassVar[tuple[str, ...]] = ()
    """Names of its buffers that a state to be loaded may lack, such as those that older versions did not have."""

    # Defaults on the class, so that a subclass need not call super().__init__().
    _applied: Function | None = None
    _forward_hooks: list[Any] | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): write there what it computes")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks:
            return self._call_with_hooks(args, kwargs)
        if observing.active is not None:
            return observed(self, args, kwargs)
        return self.forward(*args, **kwargs) if kwargs else self.forward(*args)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._forward_hooks or ()):
            if hook.__class__ is _Before:
                args, kwargs = hook.changed(self, args, kwargs)
        if observing.active is not None:
            output = observed(self, args, kwargs)
        else:
            output = self.forward(*args, **kwargs)
        for hook in list(self._forward_hooks or ()):
            if hook.__class__ is not _Before:
                wide = hook.__class__ is _After
                changed = hook.hook(self, args, kwargs, output) if wide else hook(self, args, output)
                output = output if changed is None else changed
        return output

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in cls.__dict__ and "infer" not in cls.__dict__:
            cls.infer = Module.infer  # type: ignore[method-assign]  # that of a parent is not about this forward

    def infer(self, x: Any, *rest: Any) -> Any:
        """`forward` of a plain array, which gives a plain array: for generation, where calls cost more than numbers.

        Call it as `tt_nn.infer(module, x)`, which looks at hooks. A layer may write a quick way here, beside its
        forward, which computes the same in evaluation; nothing is recorded, and nothing kept for `backward`.
        """
        return self.forward(wrap(x), *rest).array

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(self.__dict__.get(name), Parameter) and not isinstance(value, Parameter | None):
            raise DTypeError(
                f"{type(self).__name__}.{name} is a Parameter; to give it {type(value).__name__} values use "
                f"{name}.write(values) or Parameter(values), so that it stays among the parameters"
            )
        if self._buffers and name in self._buffers and not isinstance(value, Tensor | None):
            raise DTypeError(
                f"{type(self).__name__}.{name} is a buffer; to give it {type(value).__name__} values use "
                f"{name}.write(values) or Tensor(values), so that it stays part of the state"
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if self._buffers and name in self._buffers:
            object.__setattr__(
                self, "_buffers", {key: on for key, on in self._buffers.items() if key != name}
            )

    # --- backward by hand -------------------------------------------------------------------------------

    def compute(self, function: Function, *inputs: Any) -> Tensor:
        """Apply `function` to `inputs` and keep it for `backward`, unless a tape recorded it or rules gradients out.

        The module's input comes first, then its parameters.
        """
        if not isinstance(inputs[0], Tensor):
            inputs = (as_tensor(inputs[0]), *inputs[1:])
        output = function.__call__(*inputs)  # the frame of a slot call costs 0.1 µs
        # Past __setattr__: this runs in every layer of every step.
        if output._node is None and (recorder.active is None or recorder.by_hand()):
            self.__dict__["_applied"] = function
        elif self._applied is not None:
            self.__dict__["_applied"] = None
        return output

    def backward(self, grad: Any) -> Any:
        """Send `grad`, the gradient at the output, back by hand: the gradient at the input.

        Calls the rule of the Function that `forward` applied last and adds to `.grad` of this module's
        parameters. So a layer that was applied twice gives the gradient of its second application only: by
        hand, that is yours to add up, and the tape of tt-autograd exists because of it.

        Raises GradientError before any forward, and for a module made of others that is no Sequential: its
        forward may go any way, so write its backward by hand, too, or let tt-autograd record.
        """
        if self._applied is None:
            raise no_way_back(self)
        return send_back(self._applied, grad)

    # --- modes and conversions --------------------------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Switch this module and all below it to training (or to evaluation, with False)."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: M) -> M:
        """Switch this module and all below it to evaluation."""
        return self.train(False)

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call `function` on every module, children before parents: to initialise weights, say."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.write(0)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Let all parameters collect gradients, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self: M, dtype: Any) -> M:
        """Convert all floating parameters and buffers (and gradients) to `dtype`, in this module itself.

        Make the optimizer afterwards: it keeps state in the dtype that it finds.
        """
        wanted = check_dtype(dtype, "Module.to")
        if wanted.kind != "f":
            raise DTypeError(f"Module.to: parameters are of a floating dtype, not {wanted}")
        for tensor in [*self.parameters(), *self.buffers()]:
            if tensor.dtype.kind == "f" and tensor.dtype != wanted:
                grad, tensor.grad = tensor.grad, None
                tensor.array = tensor.array.astype(wanted)
                tensor.grad = None if grad is None else grad.detach().astype(wanted)
        return self

    def float(self: M) -> M:
        """Convert to float32."""
        return self.to(np.float32)

    def double(self: M) -> M:
        """Convert to float64."""
        return self.to(np.float64)

    def half(self: M) -> M:
        """Convert to float16: for storage."""
        return self.to(np.float16)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after every forward; what it returns, if not None, is the output.

        With `prepend` before the hooks that are there; with `with_kwargs` it is hook(module, args, kwargs, output).
        """
        return self._hooked(_After(hook) if with_kwargs else hook, prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before every forward; what it returns, if not None, goes in: a value or a tuple.

        With `with_kwargs` it is hook(module, args, kwargs), and returns both or None.
        """
        return self._hooked(_Before(hook, with_kwargs), prepend=prepend)

    def register_full_backward_hook(
        self, hook: Callable[[Module, tuple[Any, ...], tuple[Any, ...]], Any]
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` whenever a tape brought gradients back through the module.

        Each is a tuple of Tensors, None for what has no gradient, such as an image that goes into the first layer.
        What the hook returns, if not None, takes the place of `grad_input`, where that is one gradient.

        Raises MissingWheelError while no recorder is installed: by hand, `backward` returns what it sends on.
        """
        if recorder.active is None:
            raise MissingWheelError(
                "register_full_backward_hook: nothing records yet, so no gradient would come by; install the wheel "
                "tt-autograd and import tt_autograd first"
            )
        both = BackwardHook(hook)
        return self._hooked(_Before(both.before), both.after)

    def _hooked(self, *hooks: Any, prepend: bool = False) -> RemovableHandle:
        if self._forward_hooks is None:
            object.__setattr__(self, "_forward_hooks", [])
        there: list[Any] = self._forward_hooks  # type: ignore[assignment]
        at = 0 if prepend else len(there)
        there[at:at] = hooks
        return RemovableHandle(there, *hooks)

    # --- how it looks -----------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the parentheses of the repr: the settings of a layer."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self._parts()
            if isinstance(child, Module)
        ]
        settings = self.extra_repr()
        if not children and "\n" not in settings:
            return f"{type(self).__name__}({settings})"
        lines = [f"  {line}" for line in settings.split("\n") if line] + children
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"


def infer(module: Module, x: Any, *rest: Any) -> Any:
    """module(x, *rest) for a plain array, as a plain array, in the quickest way that gives what a call would give.

    Nothing is recorded; call it where nothing is to be, and in evaluation.
    """
    if module._forward_hooks or "forward" in module.__dict__:
        return module(wrap(x), *rest).array
    observer = observing.active
    if observer is None:
        return module.infer(x, *rest)
    started = observing.clock()
    y = module.infer(x, *rest)
    observer.called(module, started)
    return y


def observed(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """module.forward, of which the observer is told."""
    observer = observing.active
    started = observing.clock()
    output = module.forward(*args, **kwargs)
    if observer is not None:
        observer.called(module, started)
    return output


def no_way_back(module: Module) -> Exception:
    """Why `module.backward` cannot go: nothing was applied, or it is made of parts in an order of its own."""
    name = type(module).__name__
    if next(module.children(), None) is None:
        return GradientError(
            f"{name}.backward: nothing to send back yet, or a tape recorded it; call the layer on an input first, "
            "and with tt-autograd imported, call loss.backward()"
        )
    return MissingWheelError(
        f"{name}.backward: by hand, only layers and Sequential know their way back. Write a backward() in {name} "
        "that calls its layers' in reverse, or install tt-autograd, import tt_autograd and call loss.backward()"
    )
