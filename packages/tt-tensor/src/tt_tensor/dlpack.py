"""DLPack: one tensor in two libraries, without a copy.

    t = tt_tensor.from_dlpack(torch_tensor)    # PyTorch's memory, seen as a Tensor
    p = torch.from_dlpack(t)                   # and back

A protocol of two methods, `__dlpack__` and `__dlpack_device__` (the Python array API standard, DLPack 1.0).
Writing on one side is seen on the other, but only writes through a Tensor are counted in its version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DLPackError, DTypeError
from tt_tensor.tensor import wrap

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["from_dlpack"]

# DLDeviceType: what is in memory that the processor reads.
_HOST = {1: "CPU", 3: "CUDA host", 11: "ROCm host"}
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA managed", 14: "oneAPI"}


def from_dlpack(x: Any, *, copy: bool | None = None) -> Tensor:
    """A Tensor on the memory of `x`, which may be any library's tensor on the CPU: zero-copy.

    The other way, `torch.from_dlpack(t)` and `jax.numpy.from_dlpack(t)` take a Tensor's memory; JAX makes a copy of
    its own where that does not start at a multiple of 64 bytes.

    Args:
        copy: True makes a copy; None and False share the memory. Memory that its library protects (JAX's, say)
            is read-only here too: pass True to write. (With NumPy 2.0, so is everything else.)

    Raises DTypeError for an object without DLPack or a dtype that a Tensor does not hold, DLPackError (a
    BufferError) for data on another device, or where the other library refuses (a PyTorch tensor that requires a
    gradient: detach it first).
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise DTypeError(
            f"from_dlpack: {type(x).__name__} does not offer __dlpack__; use tensor() for a copy"
        )
    name = f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"
    try:
        kind = int(x.__dlpack_device__()[0])
        array = np.from_dlpack(x) if kind in _HOST else None
    except (BufferError, RuntimeError, ValueError) as error:
        raise DLPackError(f"from_dlpack: {name} does not hand out its memory: {error}") from error
    if array is None:
        raise DLPackError(
            f"from_dlpack: {name} lies on a {_DEVICES.get(kind, 'foreign')} device (DLPack type {kind}); "
            "a Tensor is in main memory, so move it to the CPU first"
        )
    check_dtype(array.dtype, "from_dlpack")
    return wrap(array.copy() if copy else array)


def export(array: np.ndarray[Any, Any], arguments: dict[str, Any]) -> Any:
    """`array.__dlpack__(**arguments)`, refusals as DLPackError."""
    try:
        return array.__dlpack__(**arguments)
    except (BufferError, RuntimeError, ValueError) as error:  # ValueError: NumPy 2.5, for a stream
        raise DLPackError(f"__dlpack__ of {array.dtype} {array.shape}: {error}") from error
