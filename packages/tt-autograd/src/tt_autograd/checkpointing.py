"""Activation checkpointing: compute again instead of keeping.

    y = checkpoint(block, x)          # the value of block(x); of all inside only x is kept

On the way back the block runs a second time, now recorded, and its gradients are taken. A chain of n layers in
segments of about √n keeps about 2√n activations instead of n, for one more forward: about 4/3 of the time.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016,
arXiv:1604.06174.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tt_autograd.engine import partial
from tt_autograd.modes import enabled, inference_mode, recorded
from tt_autograd.structure import Structure, hiding
from tt_autograd.views import edge
from tt_autograd.watching import watch
from tt_tensor import Function, Tensor, as_tensor, concatenate, memory
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError
from tt_tensor.generator import live_generators
from tt_tensor.tensor import wrap

__all__ = ["Segment", "checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), of which only the arguments are kept; backward computes it again.

    Gradients flow to the Tensors among the arguments and to all that `function` uses besides, the parameters of a
    module for example. They have the bits of the plain call (but where a Tensor is used inside and outside, or several
    times inside, its parts are added up in another order): all Generators, dropout's, are set back for the second run.
    It must compute the same the second time; what it uses must not be written in place before backward.
    The first run is inside `inference_mode`, so nothing in `function` may call backward or grad.

    Args:
        function: takes the arguments, returns a Tensor or tuples, lists, dicts and dataclasses of them, nested.
        use_reentrant: taken so that PyTorch's calls need no change.
        preserve_rng_state: False saves the setting back where nothing random happens inside.

    Raises DTypeError where Tensors are hidden in another kind of result, InPlaceError where `function` writes into a
    Tensor that it did not make; in backward, GradientError where the second run gives another shape, InPlaceError where
    an argument, or another Tensor that `function` takes a gradient for, was written in place since.
    """
    if not callable(function):
        raise DTypeError(f"checkpoint: expected a function or a module, got {type(function).__name__}")
    if not enabled.get():
        return function(*args, **kwargs)
    given = Structure.of((args, kwargs))
    tensors = given.tensors
    states = [(g, g.get_state()) for g in live_generators()] if preserve_rng_state else []
    seen: dict[int, Tensor] = {}

    def notice(_: Any, inputs: tuple[Any, ...], __: Any) -> None:
        for x in inputs:
            if isinstance(x, Tensor) and x._requires_grad:
                seen.setdefault(id(x), x)

    # Stand-ins for the arguments: what else of them the function reaches by itself is seen apart.
    mine = [_stand_in(x) for x in tensors]
    tick = memory.clock
    with inference_mode(), watch(notice):
        first_args, first_kwargs = given.filled(mine)
        value = function(*first_args, **first_kwargs)
        out = Structure.of(value)
        notice(None, tuple(out.tensors), None)  # it may give a tensor back that it did nothing with
    others = [x for x in seen.values() if not any(x is one for one in mine)]
    if any(memory.written_since(x.array, tick) for x in (*tensors, *others)):
        raise InPlaceError(
            "checkpoint: the function wrote into an argument, or into another tensor that it did not make, so a second "
            "run on it would compute something else; let it clone() that first"
        )
    hidden = hiding(value)
    if hidden is not None:
        raise DTypeError(
            f"checkpoint: the function gives a {type(hidden).__name__}, and no gradient would flow through the Tensors "
            "in it; give Tensors, or tuples, lists, dicts or dataclasses with them"
        )
    results = [x for x in out.tensors if x.dtype.kind == "f"]
    if not results or not any(x._requires_grad for x in (*mine, *others)):
        return out.filled([x.detach() for x in out.tensors])

    def run(*values: Tensor) -> list[Tensor]:
        again_args, again_kwargs = given.filled(values)
        with _set_back(states):
            return [
                x for x in Structure.of(function(*again_args, **again_kwargs)).tensors if x.dtype.kind == "f"
            ]

    # One result alone may be the memory of an argument, and a Segment is no view.
    first = results[0].array.copy() if len(results) == 1 else _packed(results).array
    packed = Segment(run, len(tensors), first)(*tensors, *others)
    return out.filled(_unpacked(packed, out.tensors))


def _stand_in(x: Tensor) -> Tensor:
    alias = wrap(x.array)
    alias._requires_grad = x.requires_grad
    return alias


class Segment(Function):
    """All that `run(*tensors)` computes, as one Function: its rule runs it again, recorded, and goes back through it.

    Args:
        run: from Tensors to a list of floating Tensors.
        count: how many of the inputs are its arguments; the others it uses by itself.
        first: the result, where it was computed already.
    """

    def __init__(
        self, run: Callable[..., Any], count: int | None = None, first: np.ndarray[Any, Any] | None = None
    ) -> None:
        self.run, self.count = run, count
        self._first = first

    def forward(self, *arrays: Any) -> Any:
        self.saved = arrays
        first, self._first = self._first, None
        if first is not None:
            return first
        if any(isinstance(x, Tensor) for x in arrays):
            return self.composite(*arrays)
        with inference_mode():
            return self.composite(*[wrap(x) for x in arrays]).array

    def backward(self, grad: Any) -> Any:
        tensors = [wrap(x) for x in self.saved[: self.count]]
        for index, x in enumerate(tensors):
            x._requires_grad = x.dtype.kind == "f" and self.wants(index)
        places = dict(enumerate([*tensors, *self.inputs[len(tensors) :]]))
        places = {index: x for index, x in places.items() if isinstance(x, Function) or x._requires_grad}
        with recorded():
            output = self.composite(*tensors)
            self._check(output.shape)
        found = partial([(edge(output), grad)], places) if output._requires_grad else {}
        return tuple([found.get(index) for index in range(len(self.inputs))])

    def composite(self, *tensors: Any) -> Tensor:
        """The same, recorded operation by operation."""
        results = self.run(*tensors[: self.count])
        return _packed(results if isinstance(results, list) else [results])

    def _check(self, shape: tuple[int, ...]) -> None:
        if shape != self.output_shape:
            raise GradientError(
                f"checkpoint: the second run gives a result of shape {shape}, the first gave {self.output_shape}; "
                "what is checkpointed must compute the same both times (is there a counter in it, or a random choice "
                "that no Generator makes?)"
            )


class _set_back:  # noqa: N801
    """Generators as they stood, inside the block; afterwards as they stand now."""

    def __init__(self, states: Sequence[tuple[Any, Any]]) -> None:
        self.states = states

    def __enter__(self) -> None:
        self.now = [(generator, generator.get_state()) for generator, _ in self.states]
        for generator, state in self.states:
            generator.set_state(state)

    def __exit__(self, *_: Any) -> None:
        for generator, state in self.now:
            generator.set_state(state)


def _packed(results: list[Tensor]) -> Tensor:
    """One result as it is, several as one row of numbers: a Function has one output."""
    if len(results) == 1:
        return results[0]
    return concatenate([x.reshape(-1) for x in results])


def _unpacked(packed: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The Tensors of which `packed` was made; those of integers as they were."""
    if sum(x.dtype.kind == "f" for x in tensors) == 1:
        return [packed if x.dtype.kind == "f" else x for x in tensors]
    found, start = [], 0
    for x in tensors:
        if x.dtype.kind == "f":
            part = packed[start : start + x.size].reshape(x.shape)
            found.append(part if part.dtype == x.dtype else part.astype(x.dtype))
            start += x.size
        else:
            found.append(x)
    return found


def checkpoint_sequential(
    functions: Any,
    segments: int | None,
    input: Any,
    *,
    preserve_rng_state: bool = True,
    use_reentrant: bool | None = None,
) -> Any:
    """The functions (or the layers of a Sequential) one after the other, in `segments` checkpoints.

    Where `segments` is None, about √n of n functions, which keeps least.

    Raises ArgumentError for a number of segments that is not from 1 to the number of functions.
    """
    layers = list(functions.children() if hasattr(functions, "children") else functions)
    count = max(1, round(math.sqrt(len(layers)))) if segments is None else segments
    sizes = _even(len(layers), count)
    x, start = as_tensor(input), 0
    for size in sizes:
        part = layers[start : start + size]

        def through(value: Any, part: Sequence[Any] = tuple(part)) -> Any:
            for layer in part:
                value = layer(value)
            return value

        x = checkpoint(through, x, preserve_rng_state=preserve_rng_state)
        start += size
    return x


def _even(count: int, segments: Any) -> list[int]:
    if (
        not isinstance(segments, int | np.integer)
        or isinstance(segments, bool)
        or not 1 <= segments <= max(count, 1)
    ):
        raise ArgumentError(
            f"checkpoint_sequential: segments is a number from 1 to that of the functions, {count}, not {segments!r}"
        )
    whole, rest = divmod(count, int(segments))
    return [whole + (index < rest) for index in range(segments)]
