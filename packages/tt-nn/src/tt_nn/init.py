"""How weights begin: scaled so that signals and gradients neither die out nor explode from layer to layer.

Every function overwrites the tensor that it is given and returns it. For a weight (out, in, *kernel), fan_in is
in · Π kernel and fan_out is out · Π kernel: how many numbers each output sums, and each input feeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tt_tensor import Generator, Tensor, normal, uniform
from tt_tensor.arguments import number, whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "wanted",
    "without_init",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_wanted: ContextVar[bool] = ContextVar("tt_nn_init_wanted", default=True)


@contextmanager
def without_init() -> Iterator[None]:
    """Layers that are made inside keep the zeros that their memory came with: for weights that are read from a file.

        with without_init():
            model = GPT(config)
        model.load_state_dict(load(path))

    Of a model with 100 million parameters this saves the seconds that their random numbers take. It holds for the
    thread or task that enters it, and for `Linear` and other layers whose construction asks `wanted()`.
    """
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def wanted() -> bool:
    """Whether a layer that is being made shall draw its weights: not inside `without_init`."""
    return _wanted.get()


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By what an activation shrinks its input's standard deviation, and a weight before it makes up for.

    1 for linear, conv1d … conv3d (and transposed), sigmoid; 5/3 for tanh; √2 for relu; √(2 / (1 + slope²)) for
    leaky_relu, slope `param` (0.01 by default); 3/4 for selu, as in PyTorch.

    Raises ArgumentError for a name that is none of these.
    """
    linear = ["linear", "sigmoid"] + [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
    if nonlinearity in linear:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + _number("calculate_gain", "the slope of leaky_relu", slope) ** 2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    if not isinstance(nonlinearity, str) or nonlinearity not in gains:
        known = sorted([*linear, *gains, "leaky_relu"])
        raise ArgumentError(f"calculate_gain: no gain is known for {nonlinearity!r}; there are {known}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Values drawn uniformly from [a, b). Raises ArgumentError where a > b, DTypeError for no floating Tensor."""
    _check("uniform_", tensor)
    if not _number("uniform_", "a", a) <= _number("uniform_", "b", b):
        raise ArgumentError(f"uniform_: the range from a = {a} to b = {b} is empty")
    return tensor.write(uniform(a, b, tensor.shape, dtype=tensor.dtype, generator=generator))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values drawn from the normal distribution N(mean, std²). Raises ArgumentError where std < 0."""
    _check("normal_", tensor)
    _number("normal_", "mean", mean)
    if not _number("normal_", "std", std) >= 0:
        raise ArgumentError(f"normal_: std is a standard deviation, from 0 up, not {std!r}")
    return tensor.write(normal(mean, std, tensor.shape, dtype=tensor.dtype, generator=generator))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Values drawn from N(mean, std²) among those inside [a, b]; a and b are values, not multiples of std.

    Drawn again where one falls outside; where most would, by a proposal that fits: uniform over a narrow range, an
    exponential over a tail. So any range will do, also far from the mean, where PyTorch warns.

    Raises ArgumentError unless std > 0 and a < b. Source: Robert, "Simulation of truncated normal variables", 1995.
    """
    _check("trunc_normal_", tensor)
    for name, value in (("mean", mean), ("std", std), ("a", a), ("b", b)):
        _number("trunc_normal_", name, value, name in ("mean", "std"))
    if not std > 0 or not a < b:
        raise ArgumentError(f"trunc_normal_: needs std > 0 and a < b, not std = {std}, a = {a}, b = {b}")
    low, high = (a - mean) / std, (b - mean) / std
    # By its mirror image where the range lies below the mean.
    side = -1.0 if high < -low else 1.0
    if side < 0:
        low, high = -high, -low
    if math.isinf(low) and low > 0:
        raise ArgumentError(f"trunc_normal_: nothing of N({mean}, {std}²) lies between {a} and {b}")
    draw = _proposal(low, high, generator)
    found = draw(tensor.size)
    wrong = np.flatnonzero(np.isnan(found))
    while wrong.size:
        found[wrong] = draw(wrong.size)
        wrong = wrong[np.isnan(found[wrong])]
    values = np.clip(side * found * std + mean, a, b).astype(tensor.dtype)
    return tensor.write(np.clip(values, a, b).reshape(tensor.shape))  # once more: rounding may lead out


def _proposal(low: float, high: float, generator: Generator | None) -> Callable[[int], Any]:
    """Draws from N(0, 1) inside [low, high], with |low| ≤ high; NaN for a draw that is not accepted."""

    def accepted(x: Any, chance: Any) -> Any:
        return np.where(
            uniform(0, 1, x.shape, dtype=np.float64, generator=generator).numpy() < chance, x, np.nan
        )

    def by_normal(n: int) -> Any:
        x = normal(0, 1, n, dtype=np.float64, generator=generator).numpy()
        return np.where((x >= low) & (x <= high), x, np.nan)

    def by_uniform(n: int) -> Any:
        x = uniform(low, high, n, dtype=np.float64, generator=generator).numpy()
        nearest = max(low, 0.0)
        return accepted(x, np.exp(0.5 * (nearest - x) * (nearest + x)))

    def by_exponential(n: int) -> Any:
        # Of rate `low`, cut off at `high`.
        u = uniform(0, 1, n, dtype=np.float64, generator=generator).numpy()
        x = low - np.log1p(u * math.expm1(-low * (high - low))) / low
        return accepted(x, np.exp(-0.5 * (x - low) ** 2))

    if high - low < 2.5 and low < 1:
        return by_uniform
    return by_normal if low < 0.5 else by_exponential


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    return _tensor("constant_", tensor).write(_number("constant_", "val", val, False))


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return _tensor("ones_", tensor).write(1)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return _tensor("zeros_", tensor).write(0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: 1 on the diagonal, 0 elsewhere. Raises ShapeError unless there are two axes."""
    if _tensor("eye_", tensor).ndim != 2:
        raise ShapeError(f"eye_: an identity has two axes, this tensor has shape {tensor.shape}")
    return tensor.write(np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The identity of a convolution: 1 in the middle of the kernel of channel i to channel i, 0 elsewhere.

    The tensor is a weight (out, in, …) of a convolution; with groups, each has its own identity.

    Raises ShapeError unless it has 3 to 5 axes, ArgumentError where `out` cannot be cut in so many groups.
    """
    if _tensor("dirac_", tensor).ndim not in (3, 4, 5):
        raise ShapeError(
            f"dirac_: a weight of a convolution has 3 to 5 axes, this tensor has shape {tensor.shape}"
        )
    count = whole_number("dirac_", "groups", groups, 1)
    outside, inside, *kernel = tensor.shape
    if outside % count:
        raise ArgumentError(f"dirac_: {outside} output channels cannot be cut in {count} groups")
    values = np.zeros(tensor.shape, tensor.dtype)
    middle = tuple(size // 2 for size in kernel)
    each = outside // count
    for group in range(count):
        for channel in range(min(each, inside)):
            values[(group * each + channel, channel, *middle)] = 1
    return tensor.write(values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in ±gain · √(6 / (fan_in + fan_out)).

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    fans = sum(_fans("xavier_uniform_", tensor))
    bound = _number("xavier_uniform_", "gain", gain) * math.sqrt(6 / max(fans, 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain · √(2 / (fan_in + fan_out)). Source: Glorot & Bengio, 2010."""
    fans = sum(_fans("xavier_normal_", tensor))
    std = _number("xavier_normal_", "gain", gain) * math.sqrt(2 / max(fans, 1))
    return normal_(tensor, 0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in ±gain · √(3 / fan), gain that of the nonlinearity (`a` the slope of a leaky_relu).

    Source: He et al., "Delving Deep into Rectifiers", 2015, arXiv:1502.01852.
    """
    bound = math.sqrt(3) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / √fan. Source: He et al., 2015, arXiv:1502.01852."""
    return normal_(tensor, 0, _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """gain · Q, with orthonormal rows or columns (whichever are fewer), uniform among all such matrices.

    Axes after the first count as one. Source: Saxe, McClelland & Ganguli, 2013, arXiv:1312.6120; made unique as in
    Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
    """
    _check("orthogonal_", tensor)
    _number("orthogonal_", "gain", gain)
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: a matrix has two axes or more, this tensor has shape {tensor.shape}")
    if not tensor.size:
        return tensor
    rows, columns = tensor.shape[0], tensor.size // tensor.shape[0]
    drawn = normal(
        0, 1, (max(rows, columns), min(rows, columns)), dtype=np.float64, generator=generator
    ).numpy()
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diagonal(r))
    q = q if rows >= columns else q.T
    return tensor.write((gain * q).reshape(tensor.shape).astype(tensor.dtype))


def _tensor(what: str, tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"{what}: expected a Tensor to fill, not {type(tensor).__name__}")
    return tensor


def _number(what: str, name: str, value: Any, finite: bool = True) -> Any:
    """`value` if it is a number. Raises ArgumentError otherwise."""
    found = number(what, name, value)
    if math.isnan(found) or (finite and math.isinf(found)):
        raise ArgumentError(f"{what}: {name} must be a {'finite ' if finite else ''}number, not {value!r}")
    return found


def _check(what: str, tensor: Any) -> None:
    if _tensor(what, tensor).dtype.kind != "f":
        raise DTypeError(f"{what}: random weights are floats; this tensor is {tensor.dtype}")


def _fans(what: str, tensor: Tensor) -> tuple[int, int]:
    """fan_in and fan_out of a weight (out, in, *kernel)."""
    _check(what, tensor)
    if tensor.ndim < 2:
        raise ShapeError(
            f"{what}: a weight has shape (out, in, …), so a tensor of shape {tensor.shape} has no fan; use uniform_ "
            "or normal_"
        )
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _kaiming(what: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """gain / √fan."""
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{what}: mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = _fans(what, tensor)[0 if mode == "fan_in" else 1]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))
