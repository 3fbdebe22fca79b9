"""Every layer has PyTorch's values and gradients, by hand, in both dtypes, under every option.

The files beside goldens/*.json were made by the scripts there.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_nn
from tt_tensor import Tensor

HERE = Path(__file__).parent / "goldens"
DTYPES = {"f32": np.float32, "f64": np.float64}


def specs(name, kind):
    return [
        pytest.param(
            index, spec, id=f"{index} {spec[kind]} {json.dumps({k: v for k, v in spec.items() if k != kind})}"
        )
        for index, spec in enumerate(json.loads((HERE / f"{name}.json").read_text()))
    ]


def golden(name):
    with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


LAYERS = golden("layers")


def check(found, wanted, dtype):
    found = np.asarray(found)
    assert found.dtype == dtype and found.shape == wanted.shape
    scale = max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    tolerance = 2e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found, wanted, rtol=10 * tolerance, atol=tolerance * min(scale, 100))


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize(("index", "spec"), specs("layers", "layer"))
def test_layer(index, spec, name):
    dtype = DTYPES[name]
    layer = getattr(tt_nn, spec["layer"])(**spec.get("kwargs", {})).to(dtype)
    layer.train(not spec.get("eval", False))
    layer.load_state_dict({key: LAYERS[f"{index}/p/{key}"] for key, _ in layer.named_parameters()})
    y = layer(Tensor(LAYERS[f"{index}/x"], dtype))
    check(y, LAYERS[f"{index}/{name}/y"], dtype)
    check(layer.backward(Tensor(LAYERS[f"{index}/g"], dtype)), LAYERS[f"{index}/{name}/dx"], dtype)
    for key, parameter in layer.named_parameters():
        check(parameter.grad, LAYERS[f"{index}/{name}/d/{key}"], dtype)
