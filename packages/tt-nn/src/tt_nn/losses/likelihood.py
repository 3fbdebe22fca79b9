"""Losses that are the negative logarithm of a distribution whose parameters the network gives: normal, Poisson.

Each is a formula of operations that have rules of their own, and more than one input learns; so a tape finds the
gradients (tt-autograd), and there is no `backward` by hand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.by_tape import ByTape
from tt_nn.loss import Loss, check_prediction
from tt_nn.losses.metric import reduced
from tt_tensor import Tensor, as_tensor, exp, log, where
from tt_tensor.arguments import positive
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.ops.plain import raw

__all__ = ["GaussianNLLLoss", "PoissonNLLLoss", "gaussian_nll_loss", "poisson_nll_loss"]


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """½ (log v + (input - target)² / v), v = max(var, eps): the network says its mean and how sure it is.

    Args:
        input: the means, floats; of the target's shape.
        target: what was seen.
        var: the variances, from 0 up, of that shape; without the last axis, or with 1 there: one for each row; or a
            number.
        full: add ½ log 2π, so that it is the whole logarithm.
        eps: the least variance that counts; below it no gradient goes to `var` but that of eps.
        reduction: "mean" over all elements, "sum", or "none".

    Raises ShapeError where shapes do not fit, ArgumentError for a negative variance. Source: Nix & Weigend, 1994.
    """
    what = "gaussian_nll_loss"
    x, t, v = as_tensor(input), as_tensor(target), as_tensor(var)
    check_prediction(what, x)
    if x.shape != t.shape:
        raise ShapeError(f"{what}: input and target have one shape, not {x.shape} and {t.shape}")
    if v.ndim and v.shape == x.shape[:-1] and v.shape != x.shape:
        v = v.reshape(*v.shape, 1)
    if v.ndim and v.shape not in (x.shape, (*x.shape[:-1], 1)):
        raise ShapeError(
            f"{what}: for an input of shape {x.shape}, var has that shape, {x.shape[:-1]}, {(*x.shape[:-1], 1)} or "
            f"(), not {v.shape}"
        )
    if (raw(v) < 0).any():
        raise ArgumentError(f"{what}: var is a variance, from 0 up; here it has numbers below 0")
    eps = positive(what, "eps", eps)
    # The gradient of v goes to var also where eps stands in its place, as in PyTorch.
    v = v.to(x) + np.maximum(np.asarray(eps, x.dtype) - raw(v.to(x)), 0)
    losses = (log(v) + (x - t.to(x)) ** 2 / v) * 0.5
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target · input: the network says the logarithm of the rate at which things are counted.

    Args:
        input: logarithms of rates, floats; or with log_input=False the rates r: then it is r - target · log(r + eps).
        target: counts, of the same shape.
        full: add Stirling's t log t - t + ½ log 2πt for targets above 1, near to log t!.
        reduction: "mean" over all elements, "sum", or "none".

    Raises ShapeError where the shapes differ.
    """
    x, t = as_tensor(input), as_tensor(target)
    check_prediction("poisson_nll_loss", x)
    if x.shape != t.shape:
        raise ShapeError(f"poisson_nll_loss: input and target have one shape, not {x.shape} and {t.shape}")
    t = t.to(x)
    losses = exp(x) - t * x if log_input else x - t * log(x + eps)
    if full:
        many = where(raw(t) > 1, t, 1)
        rest = many * log(many) - many + 0.5 * log(many * (2 * math.pi))
        losses = losses + where(raw(t) > 1, rest, 0)
    return reduced(losses, reduction)


class GaussianNLLLoss(ByTape, Loss):
    """½ (log v + (input - target)² / v): see `functional.gaussian_nll_loss`."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full, self.eps = bool(full), positive("GaussianNLLLoss", "eps", eps)

    def forward(self, input: Any, target: Any, var: Any) -> Tensor:
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(ByTape, Loss):
    """exp(input) - target · input: see `functional.poisson_nll_loss`."""

    def __init__(
        self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = bool(log_input), bool(full), eps

    def forward(self, input: Any, target: Any) -> Tensor:
        return poisson_nll_loss(input, target, self.log_input, self.full, self.eps, self.reduction)
