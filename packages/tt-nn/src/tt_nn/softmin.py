"""Relatives of the softmax: Softmin, and Gumbel's, which draws a class and still has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.activations import softmax
from tt_nn.module import Module
from tt_tensor import Generator, Tensor, as_tensor
from tt_tensor.arguments import positive
from tt_tensor.errors import DTypeError
from tt_tensor.generator import rng_of
from tt_tensor.ops.over_axes import one_axis
from tt_tensor.ops.softmax import Softmax as SoftmaxFunction

__all__ = ["Softmin", "SoftminFunction", "gumbel_softmax", "softmin"]


class SoftminFunction(SoftmaxFunction):
    """yᵢ = exp(-xᵢ) / Σ_j exp(-x_j) along `axis`: dxᵢ = -yᵢ (gradᵢ - Σ_j grad_j y_j)."""

    def forward(self, x: Any) -> Any:
        return super().forward(-x)

    def backward(self, grad: Any) -> Any:
        return -super().backward(grad)


def softmin(input: Any, dim: int = -1, dtype: Any = None) -> Tensor:
    """exp(-xᵢ) / Σ_j exp(-x_j) along the axis `dim`: a distribution that prefers what is small.

    Arguments and errors as for `softmax`.
    """
    x = as_tensor(input) if dtype is None else as_tensor(input).astype(dtype)
    return SoftminFunction(dim)(_floating(x, "softmin"))


def _floating(x: Tensor, what: str) -> Tensor:
    if x.dtype.kind != "f":
        raise DTypeError(f"{what}: the input is {x.dtype}; use x.astype('float32') first")
    return x


def gumbel_softmax(
    logits: Any,
    tau: float = 1.0,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    generator: Generator | None = None,
) -> Tensor:
    """softmax((logits + g) / tau) along `dim`, g drawn from Gumbel's distribution: a class, drawn softly.

    The largest of logits + g is class i with probability softmax(logits)ᵢ; as tau falls, the result comes near to that
    class's one and zeros.

    Args:
        logits: floats, of any shape.
        tau: the temperature, above 0.
        hard: give exactly one and zeros, with the gradient of the soft ones.
        eps: taken for PyTorch's sake; the draws here are finite without it.
        dim: the axis of the classes.
        generator: where g is drawn from; by default the generator that `manual_seed` seeds.

    Raises DTypeError for integers, ArgumentError for a tau that is not above 0. Source: Jang, Gu & Poole, 2016,
    arXiv:1611.01144; Maddison, Mnih & Teh, 2016, arXiv:1611.00712.
    """
    x, tau = _floating(as_tensor(logits), "gumbel_softmax"), positive("gumbel_softmax", "tau", tau)
    axis = one_axis(dim, x.ndim, "gumbel_softmax")
    noise = rng_of(generator, "gumbel_softmax").gumbel(size=x.shape)
    soft = softmax((x + np.asarray(noise, x.dtype)) * (1 / tau), dim=axis)
    if not hard:
        return soft
    chosen = np.zeros(soft.shape, soft.dtype)
    np.put_along_axis(chosen, np.argmax(soft.array, axis, keepdims=True), 1, axis)
    return soft + (chosen - soft.array)


class Softmin(Module):
    """exp(-xᵢ) / Σ_j exp(-x_j) along the axis `dim`, the last by default."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftminFunction(self.dim), _floating(as_tensor(x), "Softmin"))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
