"""Which operations have a compiled kernel, and where it stands. Read without numba.

"module:name" → the function, or the object, that is registered as the kernel "numba" of that operation. It has the
signature of the operation's other kernels, and hands what does not suit it (another dtype, another layout) to
`fallback`, the kernel "numpy".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tt_tensor import kernels

__all__ = ["KERNELS", "NAME", "fallback", "operations"]

NAME = "numba"

KERNELS: dict[str, str] = {
    "add_up": "tt_perf.compiled.sums:add_up",
    "add_rows": "tt_perf.compiled.add_rows:add_rows",
    "sum_of_squares": "tt_perf.compiled.clipping:sum_of_squares",
    "dropout": "tt_perf.compiled.dropout:dropout",
    "attention": "tt_perf.compiled.attention:ATTENTION",
    "layer_norm": "tt_perf.compiled.row_norms:LAYER_NORM",
    "rms_norm": "tt_perf.compiled.row_norms:RMS_NORM",
    "cross_entropy": "tt_perf.compiled.cross_entropy:cross_entropy",
    "cross_entropy_backward": "tt_perf.compiled.cross_entropy:cross_entropy_backward",
    "softmax": "tt_perf.compiled.softmax:softmax",
    "softmax_backward": "tt_perf.compiled.softmax:softmax_backward",
    "log_softmax": "tt_perf.compiled.log_softmax:log_softmax",
    "log_softmax_backward": "tt_perf.compiled.log_softmax:log_softmax_backward",
    "adam": "tt_perf.compiled.adam:adam",
    "sgd": "tt_perf.compiled.sgd:sgd",
    "matrix_product": "tt_perf.compiled.products:matrix_product",
    "linear_infer": "tt_perf.compiled.matvec:linear_infer",
    "norm_linear": "tt_perf.compiled.decode:norm_linear",
    "decode_attention": "tt_perf.compiled.decode:decode_attention",
    "decode_block": "tt_perf.compiled.decode:decode_block",
    "decode_layer": "tt_perf.compiled.decode:decode_layer",
    "decode_layers": "tt_perf.compiled.decode_layers:decode_layers",
    "max_pool2d": "tt_perf.compiled.pooling:max_pool2d",
    "max_pool2d_backward": "tt_perf.compiled.pooling:max_pool2d_backward",
    "relu": "tt_perf.compiled.relu:relu",
    "relu_backward": "tt_perf.compiled.relu:relu_backward",
    "batch_norm": "tt_perf.compiled.batch_norm:batch_norm",
    "batch_norm_backward": "tt_perf.compiled.batch_norm:batch_norm_backward",
    "batch_norm_relu": "tt_perf.compiled.batch_norm:batch_norm_relu",
    "batch_norm_relu_backward": "tt_perf.compiled.batch_norm:batch_norm_relu_backward",
    "gelu": "tt_perf.compiled.gelu:gelu",
    "gelu_backward": "tt_perf.compiled.gelu:gelu_backward",
    "gelu_tanh": "tt_perf.compiled.gelu_tanh:gelu_tanh",
    "gelu_tanh_backward": "tt_perf.compiled.gelu_tanh:gelu_tanh_backward",
    "silu": "tt_perf.compiled.silu:silu",
    "silu_backward": "tt_perf.compiled.silu:silu_backward",
    "quantized_linear": "tt_perf.compiled.stored_products:quantized_linear",
    "quantized_linear_int8": "tt_perf.compiled.stored_products:quantized_linear_int8",
    "conv2d": "tt_perf.compiled.convolution:conv2d",
    "conv2d_backward": "tt_perf.compiled.convolution:conv2d_backward",
    "conv2d_then": "tt_perf.compiled.convolution:conv2d_then",
    "conv2d_pooled_backward": "tt_perf.compiled.convolution:conv2d_pooled_backward",
}


def fallback(operation: str) -> Callable[..., Any]:
    """The kernel "numpy" of an operation."""
    return kernels.kernel(operation, "numpy")


def operations() -> list[str]:
    """The operations in KERNELS of wheels that are imported."""
    return [name for name in kernels.operations() if name in KERNELS and kernels.names(name) != [NAME]]
