"""Quantization: weights, and activations, in 8 or 16 bits instead of 32."""

from tt_perf.quantization.calibration import calibrate
from tt_perf.quantization.files import load_quantized, save_quantized
from tt_perf.quantization.halves import HalfArray, from_bfloat16, half_array, to_bfloat16
from tt_perf.quantization.integers import QuantizedArray, quantize_array
from tt_perf.quantization.layers import QuantizedConv2d, QuantizedEmbedding, QuantizedLayer, QuantizedLinear
from tt_perf.quantization.observers import MinMaxObserver, MSEObserver, Observer, PercentileObserver
from tt_perf.quantization.replacing import quantize
from tt_perf.quantization.report import QuantizationReport, compare_quantized, state_bytes
from tt_perf.quantization.schemes import SCHEMES, Scheme

__all__ = [
    "SCHEMES",
    "HalfArray",
    "MSEObserver",
    "MinMaxObserver",
    "Observer",
    "PercentileObserver",
    "QuantizationReport",
    "QuantizedArray",
    "QuantizedConv2d",
    "QuantizedEmbedding",
    "QuantizedLayer",
    "QuantizedLinear",
    "Scheme",
    "calibrate",
    "compare_quantized",
    "from_bfloat16",
    "half_array",
    "load_quantized",
    "quantize",
    "quantize_array",
    "save_quantized",
    "state_bytes",
    "to_bfloat16",
]
