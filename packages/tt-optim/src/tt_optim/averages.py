"""Averages that forget: what Adam and its kin remember of the gradient."""

from __future__ import annotations

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer
from tt_optim.param_groups import Group

__all__ = ["fade_mean", "fade_square", "moments"]


def fade_mean(mean: np.ndarray, grad: np.ndarray, keep: float, work: np.ndarray) -> None:
    """mean ← keep·mean + (1 − keep)·g, in place. `work`: scratch.

    From whichever end is nearer, as PyTorch's lerp: mean + (1 − keep)·(g − mean), or g − keep·(g − mean). So nothing
    of a large mean is left in the digits of a small g where keep is 0.
    """
    np.subtract(grad, mean, work)
    if keep < 0.5:
        work *= keep
        np.subtract(grad, work, mean)
    else:
        work *= 1 - keep
        mean += work


def fade_square(square: np.ndarray, grad: np.ndarray, keep: float, work: np.ndarray) -> None:
    """square ← keep·square + (1 − keep)·g², in place. `work`: scratch."""
    square *= keep
    np.multiply(grad, grad, work)
    work *= 1 - keep
    square += work


def moments(optimizer: Optimizer, tile: Tile, group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight decay, coupled or not, then both moments: returns (g, m, v). Uses scratch arrays 0 and 1."""
    grad, (beta1, beta2) = tile.grads, group["betas"]
    if group["decoupled_weight_decay"]:
        if group["maximize"]:
            grad = np.negative(grad, tile.scratch[0])
        if group["weight_decay"]:
            tile.values *= 1 - float(group["lr"]) * float(group["weight_decay"])
    elif group["maximize"] or group["weight_decay"]:
        grad = optimizer.gradient(tile, group)
    mean, square = tile.state["exp_avg"], tile.state["exp_avg_sq"]
    fade_mean(mean, grad, beta1, tile.scratch[1])
    fade_square(square, grad, beta2, tile.scratch[1])
    return grad, mean, square
