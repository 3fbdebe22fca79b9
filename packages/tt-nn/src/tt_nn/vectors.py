"""All parameters as one vector and back: for what thinks of a network as one point, as LBFGS or a landscape does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tt_tensor import Tensor, as_tensor, concatenate
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The numbers of all parameters, one after the other, as one Tensor (n,); gradients flow through it.

    Raises ArgumentError for none, DTypeError for what is no Tensor.
    """
    found = _tensors("parameters_to_vector", parameters)
    return concatenate([p.reshape(-1) for p in found])


def vector_to_parameters(vec: Any, parameters: Iterable[Tensor]) -> None:
    """Write the numbers of a vector (n,) into the parameters, in their order: what `parameters_to_vector` undoes.

    Raises ShapeError unless there are as many, and then none is written.
    """
    found, values = _tensors("vector_to_parameters", parameters), as_tensor(vec).detach()
    total = sum(p.size for p in found)
    if values.shape != (total,):
        raise ShapeError(
            f"vector_to_parameters: the parameters have {total} numbers, the vector has shape {values.shape}"
        )
    start = 0
    for p in found:
        p.write(values[start : start + p.size].reshape(p.shape))
        start += p.size


def _tensors(what: str, parameters: Any) -> list[Tensor]:
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not found:
        raise ArgumentError(f"{what}: there are no parameters")
    for p in found:
        if not isinstance(p, Tensor):
            raise DTypeError(
                f"{what}: parameters are Tensors, not {type(p).__name__}; use model.parameters()"
            )
    return found
