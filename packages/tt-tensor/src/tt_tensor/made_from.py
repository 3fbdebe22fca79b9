"""New Tensors made from one that is there: of its dtype, or drawn by the probabilities in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tt_tensor

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["MadeFromMethods"]


class MadeFromMethods:
    """Methods of a Tensor."""

    def new_tensor(self: Any, data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        """A Tensor with a copy of `data` in this one's dtype, as are the following unless `dtype` says otherwise."""
        return tt_tensor.Tensor(data, self.dtype if dtype is None else dtype, requires_grad)

    def new_zeros(self: Any, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        """`zeros(*shape)`."""
        return tt_tensor.zeros(*shape, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_ones(self: Any, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        """`ones(*shape)`."""
        return tt_tensor.ones(*shape, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_empty(self: Any, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        """`empty(*shape)`."""
        return tt_tensor.empty(*shape, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_full(
        self: Any, shape: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """`full(shape, fill_value)`."""
        return tt_tensor.full(shape, fill_value, dtype or self.dtype, requires_grad)

    def bernoulli(self: Any, *, generator: Any = None) -> Tensor:
        """1 with the probability that stands in each place, else 0: `bernoulli(self)`."""
        return tt_tensor.bernoulli(self, generator=generator)

    def multinomial(
        self: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
    ) -> Tensor:
        """Indices drawn with these weights: `multinomial(self, …)`."""
        return tt_tensor.multinomial(self, num_samples, replacement, generator=generator)
