"""Muon: momentum, orthogonalised; every direction of a matrix moves by the same amount."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import CHOICE, COUNT, FLAG, FRACTION, NONNEGATIVE, NUMBER, POSITIVE
from tt_optim.segments import Clock
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["Muon", "newton_schulz"]

SMALL = 1 << 12
"""Up to this many numbers in a matrix, accuracy costs nothing to speak of."""


def _coefficients(name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise ArgumentError(f"{name} must be three numbers (a, b, c), not {value!r}")
    return tuple(NUMBER(f"{name}[{index}]", number) for index, number in enumerate(value))


class Muon(Optimizer):
    """Momentum orthogonalised by Newton–Schulz.

        b ← momentum·b + (1 − momentum)·g
        u = b                                with nesterov: (1 − momentum)·g + momentum·b
        o ≈ U·Vᵀ where u = U·S·Vᵀ             `newton_schulz`
        θ ← θ − lr·weight_decay·θ
        θ ← θ − lr·√max(1, rows/columns)·o    adjust_lr_fn "original", the default
        θ ← θ − lr·0.2·√max(rows, columns)·o  adjust_lr_fn "match_rms_adamw"

    For the matrices of hidden layers; give biases, gains and embeddings to `AdamW`.

    Args:
        params: matrices; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        weight_decay: decoupled, ≥ 0.
        momentum: how much of the direction stays, in [0, 1).
        nesterov: look ahead.
        ns_coefficients: (a, b, c) of the polynomial a·s + b·s³ + c·s⁵.
        eps: the least norm that u is divided by, > 0.
        ns_steps: how often the polynomial is applied, 1 to 99.
        adjust_lr_fn: None, "original" or "match_rms_adamw".

    Raises ShapeError for a parameter that is no matrix, ArgumentError for a value out of range, DTypeError for
    one of a wrong kind.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; "match_rms_adamw":
    Liu et al. 2025, arXiv:2502.16982.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum": FRACTION,
        "nesterov": FLAG,
        "ns_coefficients": _coefficients,
        "eps": POSITIVE,
        "ns_steps": COUNT(1, 100),
        "adjust_lr_fn": CHOICE(None, "original", "match_rms_adamw"),
    }
    state_names = ("momentum_buffer",)
    tile = None

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def check_params(self, params: list[Any], others: Iterable[Tensor] = ()) -> None:
        super().check_params(params, others)
        for at, p in enumerate(params):
            if p.ndim != 2:
                raise ShapeError(
                    f"Muon: parameter {at} of shape {p.shape} is no matrix; give it to another optimizer, such as AdamW"
                )

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        values, grad, (work, update) = tile.values, tile.grads, tile.scratch
        if not values.size:
            return
        lr, momentum, buffer = float(group["lr"]), float(group["momentum"]), tile.state["momentum_buffer"]
        np.subtract(grad, buffer, work)
        work *= 1 - momentum
        buffer += work
        if group["nesterov"]:
            # From whichever end is nearer, as PyTorch's lerp: the rounding that follows is coarse.
            np.subtract(buffer, grad, work)
            if momentum < 0.5:
                np.add(grad, np.multiply(work, momentum, work), update)
            else:
                np.subtract(buffer, np.multiply(work, 1 - momentum, work), update)
        else:
            update[...] = buffer
        a, b, c = group["ns_coefficients"]
        direction = newton_schulz(update.reshape(tile.shape), (a, b, c), group["ns_steps"], group["eps"])
        values *= 1 - lr * float(group["weight_decay"])
        rows, columns = tile.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1, rows / columns))
        update[...] = direction.reshape(-1)
        update *= lr * scale
        values -= update


def newton_schulz(
    matrix: np.ndarray, coefficients: tuple[float, float, float], steps: int, eps: float
) -> np.ndarray:
    """X ← a·X + (b·X·Xᵀ + c·(X·Xᵀ)²)·X, from X = matrix / ‖matrix‖, rounded to bfloat16 after each product.

    matrix: (rows, columns). Returns about U·Vᵀ of its singular value decomposition, float32, with singular
    values between 0.7 and 1.2 for the usual coefficients: exactness is given up for speed.

    The rounding is PyTorch's, which runs the iteration in bfloat16: with it the trajectories are equal.
    """
    a, b, c = coefficients
    # Small matrices are summed in float64: then a rounding does not turn on the order in which a machine adds.
    dtype = np.dtype(np.float64 if matrix.size <= SMALL else np.float32)
    x = bfloat16(matrix.T if matrix.shape[0] > matrix.shape[1] else matrix, dtype)
    norm = bfloat16(np.sqrt(np.sum(np.square(x, dtype=np.float64))), dtype)
    x = bfloat16(x / np.maximum(norm, bfloat16(np.asarray(eps), dtype)), dtype)
    for _ in range(steps):
        gram = bfloat16(x @ x.T, dtype)
        update = bfloat16(c * (gram @ gram) + b * gram, dtype)
        x = bfloat16(update @ x + a * x, dtype)
    return (x.T if matrix.shape[0] > matrix.shape[1] else x).astype(np.float32)


def bfloat16(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """x, rounded to the 8 significant bits of bfloat16 (to nearest, ties to even), held in `dtype`."""
    bits = np.array(x, np.float32, order="C").view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32).astype(dtype, copy=False)
