"""One step of Adam or AdamW in one pass over values, gradients and both moments.

Within 1e-6 of NumPy's values after 100 steps, relative to the largest on the way: products and sums are fused. With
amsgrad, NumPy's kernel goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_perf.compiled.arrays import suit
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import piece
from tt_perf.compiled.many import STRETCH, addresses, first_of
from tt_perf.compiled.pointers import carray, floats
from tt_perf.compiled.table import fallback

__all__ = ["AdamStep", "adam"]


def way_of(beta1: float) -> float:
    """How the mean goes to the gradient, from whichever is nearer, as in NumPy's kernel.

    Above 0: from the mean, mean + way (g - mean). Else from the gradient, g + way (g - mean).
    """
    return 1 - beta1 if beta1 >= 0.5 else -beta1


@piece
def moved(
    value: Any, grad: Any, mean: Any, square: Any,
    to: Any, part: Any, less: Any, way: Any, keep: Any, rest2: Any, by: Any, least: Any,
) -> Any:  # fmt: skip
    """The value and both moments after the step; for `way` see `way_of`."""
    grad = to * grad
    # Nothing is nothing, also of what is infinite.
    grad = grad + part * value if part != 0 else grad
    m = (mean if way > 0 else grad) + way * (grad - mean)
    v = keep * square + rest2 * grad * grad
    return less * value - by * (m / (np.sqrt(v) + least)), m, v


@jit(
    "void(float32[::1], float32[::1], float32[::1], float32[::1],"
    "float64, float64, float64, float64, float64, float64, float64)"
)
def _adam(
    values: Any, grads: Any, mean: Any, square: Any,
    sign: float, decay: float, shrink: float, way: float, beta2: float, pace: float, floor: float,
) -> None:  # fmt: skip
    f = np.float32
    along, keep, rest2 = f(way), f(beta2), f(1 - beta2)
    to, part, less, by, least = f(sign), f(decay), f(shrink), f(pace), f(floor)
    for i in range(values.size):
        values[i], mean[i], square[i] = moved(
            values[i], grads[i], mean[i], square[i], to, part, less, along, keep, rest2, by, least
        )


@jit(
    "void(int64, int64, int64[:, ::1], int64[::1], float32[::1], float32[::1], float32[::1],"
    "float32, float32, float32, float32, float32, float32, float32, float32)"
)
def adam_stretch(
    start: Any, stop: Any, places: Any, offsets: Any, all_values: Any, all_mean: Any, all_square: Any,
    to: Any, part: Any, less: Any, way: Any, keep: Any, rest2: Any, by: Any, least: Any,
) -> None:  # fmt: skip
    """Numbers start to stop of all, whose gradients stand at the addresses places[k, 0]."""
    k = first_of(offsets, start)
    while start < stop:
        end = min(stop, offsets[k + 1])
        if end > start:
            low, high = start - offsets[k], end - offsets[k]
            grads = carray(floats(places[k, 0]), high)[low:high]
            values, mean, square = all_values[start:end], all_mean[start:end], all_square[start:end]
            for i in range(grads.size):
                values[i], mean[i], square[i] = moved(
                    values[i], grads[i], mean[i], square[i], to, part, less, way, keep, rest2, by, least
                )
        start = end
        k += 1


@jit(
    "void(int64[::1], int64[:, ::1], int64[::1], float32[::1], float32[::1], float32[::1],"
    "float32, float32, float32, float32, float32, float32, float32, float32)"
)
def adam_numbers(
    gang: Any, places: Any, offsets: Any, values: Any, mean: Any, square: Any,
    to: Any, part: Any, less: Any, way: Any, keep: Any, rest2: Any, by: Any, least: Any,
) -> None:  # fmt: skip
    share(
        gang, adam_stretch, offsets[-1], STRETCH,
        (places, offsets, values, mean, square, to, part, less, way, keep, rest2, by, least),
    )  # fmt: skip


def adam_all(values: Any, grads: Sequence[Any], mean: Any, square: Any, *numbers: float) -> bool:
    """Adam's step on flat arrays, with gradients in pieces; False where nothing was done."""
    if not suit(values, mean, square) or not all(grad.flags.c_contiguous for grad in grads):
        return False
    found = addresses([(grad,) for grad in grads])
    if found is None or found[1][-1] != values.size:
        return False
    adam_numbers(state(), *found, values, mean, square, *numbers)
    return True


class AdamStep:
    """The operation "adam" (tt_optim.adam_step)."""

    def __call__(
        self, values: Any, grads: Any, mean: Any, square: Any, largest: Any, scratch: Any,
        sign: float, decay: float, shrink: float, beta1: float, beta2: float, pace: float, floor: float,
    ) -> None:  # fmt: skip
        """For arrays of shape (n,)."""
        if largest is None and suit(values, grads, mean, square):
            _adam(values, grads, mean, square, sign, decay, shrink, way_of(beta1), beta2, pace, floor)
        else:
            fallback("adam")(
                values, grads, mean, square, largest, scratch, sign, decay, shrink, beta1, beta2, pace, floor
            )

    def of_pieces(
        self, values: Any, grads: Sequence[Any], mean: Any, square: Any,
        sign: float, decay: float, shrink: float, beta1: float, beta2: float, pace: float, floor: float,
    ) -> bool:  # fmt: skip
        """The same where the gradients lie apart, in pieces for one stretch of the others after the next.

        False, and nothing done, where they do not suit.
        """
        return adam_all(
            values, grads, mean, square, sign, decay, shrink, way_of(beta1), beta2, 1 - beta2, pace, floor
        )


adam = AdamStep()
