"""Random numbers: the distributions, drawn from a generator (generator.py).

    x = randn(3, 4)                       # from the default generator, which manual_seed(0) seeds
    y = randn(3, 4, generator=Generator(1))

float32 is drawn as float32, not drawn as float64 and rounded.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tt_tensor.creation import finished, integer, shape_of
from tt_tensor.dtypes import check_dtype, default_dtype
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.generator import Generator, default_generator, drawing_from, manual_seed, rng_of
from tt_tensor.tensor import Tensor, as_array, as_tensor, wrap

__all__ = [
    "Generator",
    "bernoulli",
    "choice",
    "default_generator",
    "drawing_from",
    "manual_seed",
    "multinomial",
    "normal",
    "permutation",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "uniform",
]


def _floating(dtype: Any, what: str) -> np.dtype[Any]:
    found = default_dtype if dtype is None else check_dtype(dtype, what)
    if found.kind != "f":
        raise DTypeError(
            f"{what}: draws floats, not {found}; use randint for integers, bernoulli for 0 and 1"
        )
    return found


def _unit(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Uniform in [0, 1), never 1 in any dtype."""
    if dtype == np.float16:
        # 11 bits are what float16 resolves below 1; rounding a finer number could give 1 itself.
        return np.asarray(rng.integers(0, 2048, shape, dtype=np.uint16) / np.float32(2048)).astype(dtype)
    return np.asarray(rng.random(shape, dtype=dtype.type))  # type: ignore[arg-type]


def _gauss(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    drawn = np.float32 if dtype == np.float16 else dtype.type
    return np.asarray(rng.standard_normal(shape, dtype=drawn)).astype(dtype, copy=False)  # type: ignore[arg-type]


def rand(*shape: Any, dtype: Any = None, generator: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform in [0, 1). Shape as for `zeros`; floating dtypes, float32 by default."""
    sizes, wanted = shape_of(shape, "rand"), _floating(dtype, "rand")
    return finished(_unit(rng_of(generator, "rand"), sizes, wanted), requires_grad)


def randn(*shape: Any, dtype: Any = None, generator: Any = None, requires_grad: bool = False) -> Tensor:
    """Normal with mean 0 and variance 1. Shape as for `zeros`; floating dtypes, float32 by default."""
    sizes, wanted = shape_of(shape, "randn"), _floating(dtype, "randn")
    return finished(_gauss(rng_of(generator, "randn"), sizes, wanted), requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, dtype: Any = None, generator: Any = None
) -> Tensor:
    """Integers from `low` to `high` - 1, all equally likely; `randint(high, size)` starts at 0.

    int64 unless `dtype` is another integer dtype.

    Raises ArgumentError if there is no integer in the range, or `dtype` does not hold it.
    """
    if isinstance(high, tuple | list) and size is None:
        high, size = None, high
    if high is None:
        low, high = 0, low
    low, high = integer(low, "randint", "low"), integer(high, "randint", "high")
    wanted = np.dtype(np.int64) if dtype is None else check_dtype(dtype, "randint")
    if wanted.kind not in "iu":
        raise DTypeError(f"randint: draws integers, not {wanted}; use astype() on the result")
    if low >= high:
        raise ArgumentError(f"randint: there is no integer from {low} up to, but without, {high}")
    info = np.iinfo(wanted)
    if low < info.min or high - 1 > info.max:
        raise ArgumentError(
            f"randint: {low} to {high - 1} does not fit into {wanted} ({info.min} to {info.max})"
        )
    sizes = () if size is None else shape_of((size,), "randint")
    return wrap(np.asarray(rng_of(generator, "randint").integers(low, high, sizes, dtype=wanted.type)))  # type: ignore[arg-type]


def uniform(
    low: Any = 0.0,
    high: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """low + (high - low) · u, u uniform in [0, 1): in [low, high). Bounds broadcast with each other.

    Raises ArgumentError where low > high or a bound is not finite, ShapeError where bounds do not fit `size`.
    """
    wanted, rng = _floating(dtype, "uniform"), rng_of(generator, "uniform")
    (a, b), sizes = _parameters("uniform", size, wanted, low=low, high=high)
    if not np.all(a <= b):
        raise ArgumentError(f"uniform: low is above high (low = {low}, high = {high})")
    out = _unit(rng, sizes, wanted)
    out *= b - a
    out += a
    # Rounding may reach the end that is not included, except where both ends are one.
    return finished(np.asarray(np.maximum(np.minimum(out, np.nextafter(b, a)), a)), requires_grad)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """mean + std · z, z normal with mean 0 and variance 1. `mean` and `std` broadcast with each other.

    Raises ArgumentError where std < 0 or a parameter is not finite, ShapeError where they do not fit `size`.
    """
    wanted, rng = _floating(dtype, "normal"), rng_of(generator, "normal")
    (center, spread), sizes = _parameters("normal", size, wanted, mean=mean, std=std)
    if not np.all(spread >= 0):
        raise ArgumentError(f"normal: std is negative ({std})")
    out = _gauss(rng, sizes, wanted)
    out *= spread
    out += center
    return finished(out, requires_grad)


def _parameters(what: str, size: Any, dtype: Any, **named: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The parameters of a distribution as arrays of `dtype`, and the shape to draw."""
    arrays = [as_array(value, what, dtype) for value in named.values()]
    for name, array in zip(named, arrays, strict=True):
        if not np.all(np.isfinite(array)):
            raise ArgumentError(f"{what}: {name} is not finite")
    try:
        together = np.broadcast_shapes(*[array.shape for array in arrays])
        sizes = together if size is None else shape_of((size,), what)
        if np.broadcast_shapes(together, sizes) != sizes:
            raise ValueError
    except ValueError as error:
        if isinstance(error, ShapeError):
            raise
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(named, arrays, strict=True))
        raise ShapeError(f"{what}: {shapes} do not broadcast to the size {size}") from error
    return arrays, sizes


def bernoulli(p: Any, size: Any = None, *, dtype: Any = None, generator: Any = None) -> Tensor:
    """1 with probability `p`, else 0. Shape and dtype of `p` by default (float32 for a number).

    Raises ArgumentError for a probability outside of [0, 1].
    """
    chances = as_array(p, "bernoulli")
    if not np.all((chances >= 0) & (chances <= 1)):
        raise ArgumentError(f"bernoulli: p is a probability, from 0 to 1, not {p}")
    own = chances.dtype if chances.dtype.kind == "f" else default_dtype
    (chances,), sizes = _parameters("bernoulli", size, own, p=chances)
    wanted = own if dtype is None else check_dtype(dtype, "bernoulli")
    drawn = np.dtype(np.float64) if own == np.float64 else np.dtype(np.float32)
    return wrap(np.asarray(_unit(rng_of(generator, "bernoulli"), sizes, drawn) < chances).astype(wanted))


def randperm(n: int, *, generator: Any = None) -> Tensor:
    """The integers 0 to n - 1 in random order, int64.

    Raises ArgumentError for a negative n.
    """
    if integer(n, "randperm", "n") < 0:
        raise ArgumentError(f"randperm: n is negative ({n})")
    return wrap(rng_of(generator, "randperm").permutation(operator.index(n)).astype(np.int64, copy=False))


def permutation(x: Any, *, generator: Any = None) -> Tensor:
    """The rows of `x` (along axis 0) in random order, as a copy; for an int the same as `randperm`."""
    if isinstance(x, int | np.integer):
        return randperm(int(x), generator=generator)
    rows = as_tensor(x)
    if rows.ndim == 0:
        raise ShapeError("permutation: a tensor of shape () has no rows to put in another order")
    return rows[randperm(len(rows), generator=generator)]


def choice(a: Any, size: Any = None, replace: bool = True, p: Any = None, *, generator: Any = None) -> Tensor:
    """Rows of `a` (along axis 0; for an int, of 0 … a - 1) at random, with probabilities `p` or equal ones.

    Out: size + a.shape[1:]. With `replace=False` no row is drawn twice.

    Raises ArgumentError where there is nothing to draw, too little without replacement, or `p` is no
    distribution (wrong length, negative, not adding up to 1).
    """
    rows = None if isinstance(a, int | np.integer) else as_tensor(a)
    if rows is not None and rows.ndim == 0:
        raise ShapeError("choice: a tensor of shape () has no rows to draw from")
    count = integer(a, "choice", "a") if rows is None else len(rows)
    sizes = () if size is None else shape_of((size,), "choice")
    chances = None if p is None else as_array(p, "choice", np.float64)
    if chances is not None and chances.size and chances.dtype.kind == "f":
        total = chances.sum()
        # NumPy holds the sum to float64's precision; float32 probabilities add up to 1 only in theirs.
        chances = chances / total if abs(total - 1) < 1e-4 else chances
    try:
        found = rng_of(generator, "choice").choice(count, sizes, bool(replace), chances)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"choice of {sizes} from {count}: {error}") from error
    index = wrap(np.asarray(found, np.int64))
    return index if rows is None else rows[index]


def multinomial(
    weights: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Indices drawn in proportion to `weights`, which need not add up to 1.

    weights: (classes,) or (rows, classes), not negative; out: (num_samples,) or (rows, num_samples), int64.
    Without replacement an index is drawn at most once: the smallest of E_i / w_i with E_i exponential, in
    order, which is drawing one after the other (Efraimidis and Spirakis 2006).

    Raises ShapeError for other ranks, ArgumentError for weights that are negative, not finite or all zero, or
    fewer weights above zero than samples without replacement.
    """
    table = as_array(weights, "multinomial", np.float64)
    rng, samples = rng_of(generator, "multinomial"), integer(num_samples, "multinomial", "num_samples")
    if table.ndim not in (1, 2):
        raise ShapeError(f"multinomial: weights are (classes,) or (rows, classes), not {table.shape}")
    if samples < 0:
        raise ArgumentError(f"multinomial: num_samples is negative ({samples})")
    if not np.all(np.isfinite(table)) or np.any(table < 0):
        raise ArgumentError("multinomial: weights are finite and not negative")
    positive = np.count_nonzero(table, axis=-1)
    if samples and np.any(positive < (1 if replacement else samples)):
        raise ArgumentError(
            f"multinomial: a row has {positive.min()} weights above zero, "
            f"too few for {samples} samples {'with' if replacement else 'without'} replacement"
        )
    rows = table.reshape(-1, table.shape[-1])
    if replacement:
        heap = np.cumsum(rows, axis=-1)
        points = rng.random((len(rows), samples)) * heap[:, -1:]  # [0, total)
        found = [np.searchsorted(line, point, side="right") for line, point in zip(heap, points, strict=True)]
        # Rounding could point behind the last weight above zero.
        last = (
            rows.shape[-1] - 1 - np.argmax(rows[:, ::-1] > 0, axis=-1)
            if rows.size
            else np.zeros(len(rows), int)
        )
        index = np.minimum(np.array(found, np.int64).reshape(len(rows), samples), last[:, None])
    else:
        waits = np.full(rows.shape, np.inf)
        np.divide(rng.standard_exponential(rows.shape), rows, out=waits, where=rows > 0)
        index = np.argsort(waits, axis=-1)[:, :samples]
    return wrap(index.astype(np.int64, copy=False).reshape(*table.shape[:-1], samples))


def rand_like(x: Any, dtype: Any = None, generator: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform in [0, 1), in the shape and dtype of `x`."""
    array = as_array(x, "rand_like")
    return rand(array.shape, dtype=dtype or array.dtype, generator=generator, requires_grad=requires_grad)


def randn_like(x: Any, dtype: Any = None, generator: Any = None, requires_grad: bool = False) -> Tensor:
    """Normal with mean 0 and variance 1, in the shape and dtype of `x`."""
    array = as_array(x, "randn_like")
    return randn(array.shape, dtype=dtype or array.dtype, generator=generator, requires_grad=requires_grad)


def randint_like(x: Any, low: int, high: Any = None, *, dtype: Any = None, generator: Any = None) -> Tensor:
    """Integers from `low` to `high` - 1, in the shape of `x` and its dtype if that is an integer one."""
    array = as_array(x, "randint_like")
    own = array.dtype if array.dtype.kind in "iu" else None
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, array.shape, dtype=dtype or own, generator=generator)
