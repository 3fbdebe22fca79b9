"""The dtypes of a Tensor, under NumPy's names.

float32 is the default for everything that is made from Python floats or from nothing; what already has a
dtype keeps it. Promotion is NumPy's (NEP 50): Python scalars are weak, so float32 stays float32.
float16 is for storage: NumPy computes it through float32 one value at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import DTypeError

__all__ = [
    "bool_",
    "check_dtype",
    "default_dtype",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
uint16 = np.dtype(np.uint16)
uint32 = np.dtype(np.uint32)
uint64 = np.dtype(np.uint64)
bool_ = np.dtype(np.bool_)

default_dtype = float32

# Each by itself: what equals one of them (C's long long, another instance) is taken for it.
_SUPPORTED = {
    dtype: dtype
    for dtype in (bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64)
}


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Whether a Tensor holds `dtype`."""
    return dtype in _SUPPORTED


def check_dtype(dtype: Any, what: str = "Tensor") -> np.dtype[Any]:
    """`dtype` as a NumPy dtype, in the machine's byte order.

    Raises DTypeError if it names no dtype, or one that a Tensor does not hold (complex, object, text, dates).
    """
    try:
        found = np.dtype(dtype).newbyteorder("=")
    except TypeError as error:
        if isinstance(dtype, str) and dtype.partition(":")[0] in ("cpu", "cuda", "mps"):
            raise DTypeError(
                f"{what}: {dtype!r} is not a dtype but a device, of which there are none here: leave it out"
            ) from error
        raise DTypeError(
            f"{what}: {dtype!r} is not a dtype; use one of float32, float64, int64, bool …"
        ) from error
    if found not in _SUPPORTED:
        raise DTypeError(
            f"{what}: dtype {found} is not supported; a Tensor holds float16, float32, float64, "
            "integers of 8 to 64 bits, or bool"
        )
    return _SUPPORTED[found]
