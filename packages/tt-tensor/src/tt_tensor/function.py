"""Function: a formula, and right under it the rule that sends a gradient back.

    class Tanh(Function):
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, grad):
            return grad * (1 - self.y * self.y)

    function = Tanh()
    y = function(Tensor([0.0, 1.0]))        # a Tensor
    (dx,) = function.gradients(np.ones(2))  # by hand; the tape of tt-autograd makes the very same call

forward and backward take and return plain arrays. One instance is one application: its parameters (an axis,
a slope) come in through `__init__`, what the rule needs is kept on `self`. To subclass Function is the whole
plug-in interface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tt_tensor import memory, observing, recorder
from tt_tensor.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    IndexingError,
    InPlaceError,
    ShapeError,
    TTError,
)
from tt_tensor.kernels.reductions import numpy as sums

__all__ = ["Function", "unbroadcast"]


class Function:
    """One application of a differentiable operation.

    Subclasses write `forward(*arrays) -> array` and `backward(grad) -> array or tuple of arrays`, one for
    each input (None where no gradient flows), in NumPy's vocabulary and without side effects on their
    arguments: given Tensors instead of arrays, the same lines then build the graph of the derivative.

    Broadcasting and dtype promotion are undone by `gradients`, never in a rule.
    A rule whose forward is not written that way (it fills buffers, or is compiled) also has a
    `composite(*tensors)` made of simpler Functions, which stands for it above first order.
    """

    # Slots for what every application has; a rule's own attributes go into __dict__, made when first needed.
    __slots__ = ("__dict__", "__weakref__", "inputs", "output_dtype", "output_shape", "stamp")

    inputs: tuple[Any, ...]
    """What it was applied to, as the caller gave it. A recorder may put the Function that made an input in that
    input's place: then the graph is the Functions themselves, and an input that no rule saved is free to go."""

    output_shape: tuple[int, ...]
    """The shape of what came out: a gradient must have it."""

    output_dtype: np.dtype[Any]
    """The dtype of what came out, where a recorder noted it."""

    stamp: int
    """The write clock when it was applied; see tt_tensor.memory."""

    needs: tuple[bool, ...] | None = None
    """Which inputs want a gradient, where the caller knows (None: all); ask through `wants`."""

    # What a recorder keeps here; the underscores leave all good names to the rules.
    _number: int = 0
    """Its place in the order of all that was recorded, from 1; 0 where it was not."""
    _hooks: Any = None
    """What is called with the gradient at the output."""
    _kept: Any = None
    """The output, where it was overwritten unrecorded."""

    composite: ClassVar[Callable[..., Any] | None] = None

    def forward(self, *arrays: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward(): write its formula there")

    def backward(self, grad: Any) -> Any:
        raise GradientError(f"{type(self).__name__} has no backward(): it cannot send a gradient back")

    def wants(self, index: int) -> bool:
        """Is the gradient of input `index` asked for? A costly part of a rule may be skipped if not."""
        return self.needs is None or self.needs[index]

    def __call__(self, *inputs: Any) -> Tensor:
        """Apply to Tensors (or arrays, or scalars): forward, wrap, hand to the recorder.

        Raises GradientError where a recorder noted an earlier application: one instance is one application.
        """
        if self._number:
            raise applied_before(self)
        self.inputs = inputs
        self.stamp = memory.clock
        observer = observing.active
        if observer is not None:
            started = clock()
        try:
            # The common arities are written out: a star call costs as much as a small addition.
            if len(inputs) == 2:
                x, y = inputs
                output = self.forward(
                    x.array if isinstance(x, Tensor) else operand(self, x),
                    y.array if isinstance(y, Tensor) else y if y.__class__ is float else operand(self, y),
                )
            elif len(inputs) == 1:
                x = inputs[0]
                output = self.forward(x.array if isinstance(x, Tensor) else operand(self, x, alone=True))
            elif len(inputs) == 3:
                x, y, z = inputs
                output = self.forward(
                    x.array if isinstance(x, Tensor) else operand(self, x),
                    y.array if isinstance(y, Tensor) else operand(self, y),
                    z.array if isinstance(z, Tensor) else operand(self, z),
                )
            else:
                output = self.forward(*operands(self, inputs))
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            if isinstance(error, TTError):
                raise
            raise explain(self, inputs, error) from error
        if output.__class__ is not ndarray:
            if output.__class__ is tuple:  # which would become one array where the shapes are equal
                raise several(self, output)
            # Python numbers give a Python number, which becomes what tensor() makes of it.
            is_numpy = isinstance(output, np.generic)
            output = np.asarray(output) if is_numpy else as_array(output, type(self).__name__)
        self.output_shape = output.shape
        if observer is not None:
            observer.applied(self, inputs, output, started)
        result = new(Tensor)
        result.array = output
        active = recorder.active
        if active is not None:
            active.record(self, inputs, result)
        return result

    def in_place(self, target: Tensor, *others: Any) -> Tensor:
        """Apply to `target` and `others`, and write the result into target's memory.

        The rule keeps the value from before the write, so target's own history stays right.

        Raises ShapeError if the result would not fit, DTypeError if it would not cast, InPlaceError where
        the recorder forbids the write.
        """
        if self._number:
            raise applied_before(self)
        self.inputs = (target, *others)
        self.stamp = memory.clock
        recorded = recorder.active is not None and recorder.active.before_write(target)
        before = target.array.copy() if recorded else target.array
        if recorded:
            self._before = before
        observer = observing.active
        started = 0.0 if observer is None else clock()
        try:
            arrays = [x.array if isinstance(x, Tensor) else operand(self, x) for x in others]
            if recorded:
                # What the rule saves of them must not change with the write.
                arrays = [x.copy() if _overlap(x, target.array) else x for x in arrays]
            output = np.asarray(self.forward(before, *arrays))
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            if isinstance(error, TTError):
                raise
            raise explain(self, self.inputs, error) from error
        self.output_shape = output.shape
        name = type(self).__name__
        if output.shape != target.array.shape:
            raise ShapeError(
                f"{name} in place: the result has shape {output.shape}, which does not fit into the tensor "
                f"of shape {target.array.shape}; write out of place (y = x op other)"
            )
        if not np.can_cast(output.dtype, target.array.dtype, "same_kind"):
            raise DTypeError(
                f"{name} in place: the result is {output.dtype}, which would lose its kind in a "
                f"{target.array.dtype} tensor; use astype() first, or write out of place"
            )
        target.write(output)
        if observer is not None:
            observer.applied(self, self.inputs, output, started)
        if recorder.active is not None:
            recorder.active.record(self, self.inputs, target)
        return target

    def check_saved(self) -> None:
        """Raise InPlaceError if an array that the rule saved was written since the application."""
        try:
            if memory.clock == self.stamp:
                return
        except AttributeError:
            name = type(self).__name__
            raise GradientError(
                f"{name} was not applied to anything yet, so it has no gradients: {name}()(x) first"
            ) from None
        for name, value in list(vars(self).items()):  # another thread may go back through here, too
            for array in value if isinstance(value, tuple | list) else (value,):
                if isinstance(array, np.ndarray) and memory.written_since(array, self.stamp):
                    raise InPlaceError(
                        f"{type(self).__name__} needs its saved value `{name}` of shape {array.shape}, "
                        "but that memory was changed in place after the forward; "
                        "clone() the tensor before changing it, or change it after backward"
                    )

    def gradients(self, grad: Any) -> tuple[Any, ...]:
        """The gradient at each input, given the gradient at the output. Both callers use this.

        `grad` is an array of the output's shape (or a Tensor, to differentiate again). Undoes broadcasting
        (the sum over every axis along which an input was repeated) and dtype promotion. None where an
        input is no Tensor, is not of a floating dtype, or the rule sends nothing.

        Raises InPlaceError if a saved value was overwritten since, ShapeError where `grad` does not fit.
        """
        try:
            fits = grad.shape == self.output_shape
        except AttributeError:
            fits = True  # never applied: the next line says so
        if not fits:
            # A rule might broadcast a gradient of another shape, and `unbroadcast` would then sum it up in silence.
            raise ShapeError(
                f"{self!r}: a gradient has the shape of the output, {self.output_shape}, but this one has {grad.shape}"
            )
        return self.fitted_gradients(grad)

    def fitted_gradients(self, grad: Any) -> tuple[Any, ...]:
        """`gradients`, for a gradient that is known to have the output's shape: what a tape calls."""
        try:
            unchanged = memory.clock == self.stamp
        except AttributeError:
            unchanged = False
        if not unchanged:
            self.check_saved()
        grads = self.backward(grad) if observing.active is None else observed(self, grad)
        if grads.__class__ is not tuple:
            grads = (grads,)
        inputs = self.inputs
        if len(grads) != len(inputs):
            check_gradients(self, grads)
        try:
            for x, g in zip(inputs, grads):  # noqa: B905  (their lengths are equal by now)
                if g is not None:
                    if isinstance(x, Function):
                        if g.shape != x.output_shape or g.dtype is not x.output_dtype:
                            break
                    elif not isinstance(x, Tensor):
                        break
                    else:
                        array = x.array
                        if g.shape != array.shape or g.dtype is not array.dtype or g.dtype.kind != "f":
                            break
            else:
                return grads  # the usual case: every gradient is as its input is
            return tuple([self.fitted(x, g) for x, g in zip(inputs, grads, strict=True)])
        except AttributeError:
            check_gradients(self, grads)
            raise

    def fitted(self, x: Any, g: Any) -> Any:
        """The gradient `g` in the shape and dtype of the input `x`; None where that can have none."""
        if isinstance(x, Function):
            shape, dtype = x.output_shape, x.output_dtype
        elif isinstance(x, Tensor):
            shape, dtype = x.shape, x.dtype
        else:
            return None
        if g is None or dtype.kind != "f":
            return None
        if g.shape != shape:
            try:
                g = unbroadcast(g, shape)
            except ValueError as error:
                raise ShapeError(
                    f"the rule of {self!r} gives a gradient of shape {g.shape} for an input of shape {shape}"
                ) from error
        return g if g.dtype == dtype else g.astype(dtype)

    def __repr__(self) -> str:
        inputs = getattr(self, "inputs", None) or ()
        shapes = [x.output_shape if isinstance(x, Function) else getattr(x, "shape", x) for x in inputs]
        return f"{type(self).__name__}({', '.join(map(str, shapes))})"


def observed(function: Function, grad: Any) -> Any:
    """function.backward, of which the observer is told."""
    observer = observing.active
    started = clock()
    grads = function.backward(grad)
    if observer is not None:
        observer.sent_back(function, grad, grads if grads.__class__ is tuple else (grads,), started)
    return grads


def applied_before(function: Function) -> GradientError:
    """The error for an instance that is part of a graph already."""
    name = type(function).__name__
    return GradientError(
        f"{name}: this instance was applied before, and one instance is one application; make a new one for each: "
        f"{name}()(x)"
    )


def several(function: Function, outputs: tuple[Any, ...]) -> DTypeError:
    """The error for a forward that gives a tuple."""
    return DTypeError(
        f"{type(function).__name__}.forward gave {len(outputs)} values, but a Function has one output: write one for "
        "each, or give them as one array and take it apart outside, where the tape sees it"
    )


def check_gradients(function: Function, grads: Sequence[Any]) -> None:
    """Raise GradientError unless a rule gave one array, or None, for each input."""
    if len(grads) != len(function.inputs):
        raise GradientError(
            f"{type(function).__name__}.backward gave {len(grads)} gradients for {len(function.inputs)} inputs; "
            "return a tuple with one for each, None where there is none"
        )
    for g in grads:
        if g is not None and not hasattr(g, "dtype"):
            raise GradientError(
                f"{type(function).__name__}.backward gave {g!r}, which is no array; return an array of the input's "
                "shape, np.zeros_like(grad) for example, or None where there is no gradient"
            )


def unbroadcast(grad: Any, shape: tuple[int, ...]) -> Any:
    """Sum `grad` over the axes along which `shape` was broadcast to become grad.shape."""
    extra = grad.ndim - len(shape)
    stretched = tuple(
        axis for axis, size in enumerate(grad.shape) if axis < extra or shape[axis - extra] != size
    )
    # Not grad.sum(): of many rows it would lose digits.
    return sums(np.add, grad, stretched, True).reshape(shape)


def _overlap(x: Any, array: Any) -> bool:
    return x.__class__ is ndarray and np.may_share_memory(x, array)


def operands(function: Function, inputs: tuple[Any, ...]) -> list[Any]:
    """What forward gets. Apart from __call__, where a comprehension would make every call build a closure."""
    return [x.array if isinstance(x, Tensor) else operand(function, x) for x in inputs]


def operand(function: Function, x: Any, alone: bool = False) -> Any:
    """What forward gets for an input that is no Tensor.

    Python scalars go through as they are, so that NumPy's weak promotion keeps float32 (NEP 50); anything
    else becomes an array. None stands for an optional input that is absent; an only input never is.
    """
    if not alone and (x is None or x.__class__ in (float, int, bool)):
        return x
    return as_array(x, type(function).__name__)


def explain(function: Function, inputs: tuple[Any, ...], error: Exception) -> TTError:
    """A typed error that names the op and the shapes, for one that NumPy raised inside forward."""
    kinds = ", ".join(f"{x.shape} {x.dtype}" if hasattr(x, "dtype") else type(x).__name__ for x in inputs)
    message = f"{type(function).__name__} of {kinds}: {error}"
    if isinstance(error, IndexError):
        return IndexingError(message)
    if isinstance(error, TypeError):
        return DTypeError(message)
    if isinstance(error, OverflowError):  # a Python integer that the dtype cannot hold
        return ArgumentError(message)
    return ShapeError(message)


# The one circle in this wheel: a Function makes Tensors, and a Tensor's methods are made of Functions.
from tt_tensor.tensor import Tensor, as_array  # noqa: E402

new = Tensor.__new__
ndarray = np.ndarray
clock = observing.clock
