"""Pools, upsampling, padding and shuffling have PyTorch's values and gradients, in both dtypes and memory orders.

The files beside goldens/*.json were made by the scripts there.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_vision import adaptive_pooling, avg_pooling, max_pooling, padding, pixel_shuffle, upsample

HERE = Path(__file__).parent / "goldens"
MODULES = (adaptive_pooling, avg_pooling, max_pooling, padding, pixel_shuffle, upsample)
LAYERS = {name: getattr(module, name) for module in MODULES for name in module.__all__}


def groups():
    """The layers of each file by name and shape, each with the numbers that belong to it."""
    found = {}
    for name in ("pools", "resizing"):
        with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
            numbers, positions = file["values"], file["indices"] if name == "pools" else np.zeros(0)
        for spec in json.loads((HERE / f"{name}.json").read_text()):
            made, given = (math.prod(spec[key]) for key in ("gives", "shape"))
            y, dx, numbers = np.split(numbers, [made, made + given])
            indices = None
            if "MaxPool" in spec["layer"]:
                indices, positions = np.split(positions, [made])
            found.setdefault(f"{spec['layer']} {spec['shape']}", []).append((spec, y, dx, indices))
        assert not numbers.size and not positions.size
    return [pytest.param(group, id=name) for name, group in found.items()]


def values(shape, step=7919):
    """The same numbers as in goldens/make_*.py."""
    return ((np.arange(math.prod(shape)) * step % 41 - 20) / 8.0).reshape(shape)


def channels_last(x):
    """x with the channels side by side in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -3, -1)), -1, -3) if x.ndim > 2 else x


def agrees(found, wanted, shape, dtype):
    tolerance = 2e-6 if dtype == np.float32 else 1e-14
    fits = found.dtype == dtype and found.shape == tuple(shape)
    return fits and np.allclose(np.ravel(found.array), wanted, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("group", groups())
def test_layers(group):
    for spec, y, dx, indices in group:
        kwargs = {
            key: tuple(value) if isinstance(value, list) else value for key, value in spec["kwargs"].items()
        }
        layer = LAYERS[spec["layer"]](**kwargs, **({} if indices is None else {"return_indices": True}))
        x, grad = values(spec["shape"]), values(spec["gives"], 104729)
        for dtype, order in ((np.float32, channels_last), (np.float64, np.ascontiguousarray)):
            found = layer(Tensor(order(x.astype(dtype))))
            if indices is not None:
                found, where = found
                assert where.dtype == np.int64 and where.shape == tuple(spec["gives"]), spec
                np.testing.assert_array_equal(np.ravel(where.array), indices, err_msg=str(spec))
            assert agrees(found, y, spec["gives"], dtype), spec
            assert agrees(layer.backward(Tensor(order(grad.astype(dtype)))), dx, spec["shape"], dtype), spec
