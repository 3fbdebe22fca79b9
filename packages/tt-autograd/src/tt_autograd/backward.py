"""`backward`, `grad` and `leaf_grads`: the ways to ask for gradients.

backward(loss)                    adds to `.grad` of every leaf that made the loss
(dx,) = grad(loss, (x,))          returns the gradients of these, and leaves every `.grad` alone
(dw,) = leaf_grads(loss, (w,))    the same for leaves, where they are all there are: as quick as backward
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_autograd import views
from tt_autograd.engine import Targets, accumulate, add_to_grad, flow, owned
from tt_autograd.forward_mode import ForwardModeError, moves
from tt_autograd.higher import OnTensors
from tt_autograd.modes import recorded
from tt_autograd.tape import start_gradient
from tt_tensor import Function, Tensor, as_tensor, memory, stack
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tt_tensor.tensor import wrap

__all__ = ["backward", "grad", "leaf_grads"]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add to `.grad` of every leaf the sum over all `tensors` of ∂tensor/∂leaf · gradient.

    Args:
        tensors: the outputs to begin at, a Tensor or several.
        grad_tensors: the gradient at each, of its shape; None stands for 1 where the output is a single element.
        retain_graph: whether the graph keeps what it saved, so that it can be gone through again; by default
            as `create_graph`.
        create_graph: whether the gradients get a graph of their own, to be differentiated again.
        inputs: a Tensor or several, leaves or results on the way: only their `.grad` is added to, and only what lies
            between is worked out. None stands for every leaf.

    Raises GradientError for an output that no gradient was collected for, or one of several elements without a
    gradient, or an input that collects none; ReleasedGraphError for a graph that was gone through before; ShapeError
    for a gradient of another shape; InPlaceError where a value that a rule needs was overwritten since.
    """
    if inputs is not None:
        wanted = tuple({id(x): x for x in _several(inputs, "backward")}.values())
        found = grad(tensors, wanted, grad_tensors, retain_graph, create_graph, allow_unused=True)
        reached = [(x, g) for x, g in zip(wanted, found, strict=True) if g is not None]
        with recorded():
            add_to_grad({id(x): [x, g if create_graph else g.array] for x, g in reached})
        return
    outputs = _several(tensors, "backward")
    starts = _starts(outputs, grad_tensors, "backward")
    retain = create_graph if retain_graph is None else bool(retain_graph)
    if create_graph:
        with recorded():
            accumulate(flow(_on_tensors(starts), rule=OnTensors(), retain=retain))
    else:
        accumulate(flow(_on_arrays(starts), retain=retain))


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
    *,
    only_inputs: bool = True,
) -> tuple[Tensor, ...]:
    """The gradient at each of `inputs`: the sum over all outputs of ∂output/∂input · gradient at the output.

    Nobody's `.grad` changes, and only what lies between outputs and inputs is worked out.

    Args:
        outputs: a Tensor or several.
        inputs: a Tensor or several: leaves, or results on the way.
        grad_outputs: the gradient at each output, of its shape; None stands for 1 where it is a single element.
        retain_graph: whether the graph keeps what it saved; by default as `create_graph`.
        create_graph: whether the gradients get a graph of their own, to be differentiated again.
        allow_unused: give None for an input that no output depends on, instead of raising.
        is_grads_batched: every gradient in `grad_outputs` has one more axis in front, and so has every result: a way
            back for each of its rows. With the unit vectors as rows, these are the rows of the Jacobian.
        materialize_grads: give zeros for such an input.
        only_inputs: True, as always; taken so that PyTorch's calls need no change.

    Raises GradientError for an output or input that no gradient is collected for, or an input that is not used;
    otherwise as `backward`.
    """
    if only_inputs is not True:
        raise ArgumentError("grad: only_inputs is True; use backward() to fill every leaf's .grad")
    outputs = _several(outputs, "grad")
    inputs = _several(inputs, "grad")
    if materialize_grads and allow_unused is False:
        raise ArgumentError(
            "grad: materialize_grads=True gives zeros for what is unused, so allow_unused cannot be False"
        )
    if is_grads_batched:
        rest = {
            "create_graph": create_graph,
            "allow_unused": allow_unused,
            "materialize_grads": materialize_grads,
        }
        return _for_each_row(outputs, inputs, grad_outputs, retain_graph, rest)
    starts = _starts(outputs, grad_outputs, "grad")
    places = []
    for index, x in enumerate(inputs):
        if x._view is not None:
            views.refreshed(x)
        if not x._requires_grad:
            raise GradientError(
                f"grad: input {index} of shape {x.shape} does not require a gradient; set requires_grad=True before "
                "computing with it"
            )
        places.append(views.edge(x))
    keys = [place._number if isinstance(place, Function) else id(place) for place in places]
    retain = create_graph if retain_graph is None else bool(retain_graph)
    targets = Targets(places, [x for x, _ in starts if isinstance(x, Function)])
    if create_graph:
        with recorded():
            flow(_on_tensors(starts), rule=OnTensors(), retain=retain, targets=targets)
    else:
        flow(_on_arrays(starts), retain=retain, targets=targets)
    found: list[Any] = []
    taken = [_memory(g) for _, g in starts]
    last = {key: index for index, key in enumerate(keys)}
    for index, (x, key) in enumerate(zip(inputs, keys, strict=True)):
        # An entry holds it alone, so that what nobody else holds need not be copied.
        entry = [x, targets.found.pop(key, None) if last[key] == index else targets.found.get(key)]
        if entry[1] is None and not (allow_unused or materialize_grads):
            raise GradientError(
                f"grad: no output depends on input {index} of shape {x.shape}; "
                "pass allow_unused=True to get None for it"
            )
        if entry[1] is None:
            found.append(wrap(np.zeros(x.shape, x.dtype)) if materialize_grads else None)
        elif isinstance(entry[1], Tensor):
            found.append(_apart(entry[1], taken))
        else:
            found.append(wrap(owned(entry)))
    return tuple(found)


def _for_each_row(
    outputs: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
    rows: Any,
    retain_graph: bool | None,
    rest: dict[str, Any],
) -> tuple[Any, ...]:
    """`grad` for each row of the gradients `rows`, one above the other; only the last may let go of the graph."""
    several = [as_tensor(g) for g in (rows if isinstance(rows, tuple | list) else (rows,))]
    counts = {g.shape[0] if g.ndim else 0 for g in several}
    if len(counts) != 1 or counts == {0}:
        raise ShapeError(
            f"grad: with is_grads_batched=True all gradients have as many rows, at least one, not the shapes "
            f"{', '.join(str(g.shape) for g in several)}"
        )
    last = counts.pop() - 1
    found = [
        grad(outputs, inputs, [g[row] for g in several], row < last or retain_graph, **rest)
        for row in range(last + 1)
    ]
    with recorded():
        return tuple([None if parts[0] is None else stack(parts) for parts in zip(*found, strict=True)])


def leaf_grads(output: Tensor, leaves: Sequence[Tensor], gradient: Any = None) -> tuple[Tensor | None, ...]:
    """The gradient of `output` at each of `leaves`, None where it does not depend on one; every `.grad` stays as it is.

    It goes through the whole graph, as `backward` does, and lets go of it. So it is quicker than `grad` where the
    leaves are all there are, as the parameters of a model, and slower where most of the graph leads elsewhere.

    Args:
        output: where to begin.
        leaves: Tensors that require a gradient and were not computed.
        gradient: that at the output, of its shape; None stands for 1 where it is a single element.

    Raises GradientError for what is no such leaf; otherwise as `backward`.
    """
    starts = _starts(_several(output, "leaf_grads"), gradient, "leaf_grads")
    for index, x in enumerate(leaves):
        if x._view is not None:
            views.refreshed(x)
        if not x._requires_grad or x._node is not None:
            why = "was computed" if x._requires_grad else "does not require a gradient"
            raise GradientError(
                f"leaf_grads: tensor {index} of shape {x.shape} {why}, so no gradient ends there; use grad()"
            )
    reached = flow(_on_arrays(starts))
    found: list[Tensor | None] = []
    hooked: set[int] = set()
    for x in leaves:
        entry = reached.get(id(x))
        if entry is not None and x._hooks is not None and id(x) not in hooked:
            hooked.add(id(x))
            entry[1] = x._hooks.run(entry[1])
        found.append(None if entry is None else wrap(owned(entry)))
    return tuple(found)


def _memory(g: Any) -> Any:
    array = g.array if isinstance(g, Tensor) else g
    return next(memory.owners(array))


def _apart(g: Tensor, taken: list[Any]) -> Tensor:
    """`g` in memory that is in nobody else's hands: neither in those `taken`, nor shown repeatedly by a view."""
    owner = _memory(g)
    if any(owner is other for other in taken) or not g.array.flags.writeable:
        with recorded():
            g = g.clone()
        owner = g.array
    taken.append(owner)
    return g


def _several(tensors: Any, what: str) -> tuple[Tensor, ...]:
    """One Tensor or several, as a tuple. Raises ArgumentError for none, DTypeError for anything else."""
    found = (tensors,) if isinstance(tensors, Tensor) else tensors
    if not isinstance(found, Sequence) or isinstance(found, str):
        try:
            found = tuple(found)
        except TypeError:
            raise DTypeError(f"{what}: expected a Tensor or several, got {type(tensors).__name__}") from None
    if not found:
        raise ArgumentError(f"{what}: no tensors were given")
    for x in found:
        if not isinstance(x, Tensor):
            raise DTypeError(f"{what}: expected Tensors, got {type(x).__name__}")
    return tuple(found)


def _starts(outputs: tuple[Tensor, ...], gradients: Any, what: str) -> list[tuple[Any, Any]]:
    """Where in the graph to begin, and with which gradient."""
    given = (
        gradients
        if isinstance(gradients, tuple | list)
        else (gradients,) * (1 if gradients is not None else len(outputs))
    )
    if len(given) != len(outputs):
        raise ArgumentError(
            f"{what}: {len(given)} gradients for {len(outputs)} outputs; give one for each, or None"
        )
    starts = []
    for output, gradient in zip(outputs, given, strict=True):
        if output._view is not None:
            views.refreshed(output)
        if output._node is None and moves(output):
            raise ForwardModeError
        if not output._requires_grad:
            raise GradientError(
                f"{what}: nothing was recorded for this output of shape {output.shape}: none of its inputs requires a "
                "gradient, or it was computed inside no_grad()"
            )
        starts.append((views.edge(output), start_gradient(output, gradient, what)))
    return starts


def _on_tensors(starts: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return [(x, g if isinstance(g, Tensor) else wrap(g)) for x, g in starts]


def _on_arrays(starts: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return [(x, g.array if isinstance(g, Tensor) else g) for x, g in starts]
