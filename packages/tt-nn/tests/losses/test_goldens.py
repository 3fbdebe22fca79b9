"""Every loss has PyTorch's values and gradients, in both dtypes, under every option and reduction.

The files beside ../goldens/losses.json were made by the script there.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_nn
from tt_tensor import Tensor

HERE = Path(__file__).parents[1] / "goldens"
DTYPES = {"f32": np.float32, "f64": np.float64}
SPECS = json.loads((HERE / "losses.json").read_text())
with np.load(HERE / "losses.npz", allow_pickle=False) as file:
    LOSSES = dict(file)


def check(found, wanted, dtype):
    found = np.asarray(found)
    wanted = wanted.reshape(found.shape)
    assert found.dtype == dtype == wanted.dtype
    scale = max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    tolerance = 2e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found, wanted, rtol=10 * tolerance, atol=tolerance * min(scale, 100))


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("index", range(len(SPECS)), ids=lambda index: f"{index} {json.dumps(SPECS[index])}")
def test_value_and_gradients(index, name):
    spec, dtype = SPECS[index], DTYPES[name]
    rest = LOSSES[f"{index}/{name}"]
    target = LOSSES[f"{index}/t"]
    for reduction in ("mean", "sum", "none", *(["batchmean"] if spec["loss"] == "KLDivLoss" else [])):
        arrays = {key: Tensor(LOSSES[f"{index}/a/{key}"], dtype) for key in spec.get("arrays", {})}
        loss_fn = getattr(tt_nn, spec["loss"])(reduction=reduction, **spec.get("kwargs", {}), **arrays)
        x, t = (
            Tensor(LOSSES[f"{index}/x"], dtype),
            Tensor(target, dtype if target.dtype.kind == "f" else None),
        )
        loss = loss_fn(x, t)
        y, dx, rest = np.split(rest, (loss.size, loss.size + x.size))
        check(loss, y, dtype)
        grad = np.cos(np.arange(1, loss.size + 1)).reshape(loss.shape).astype(dtype)
        check(loss_fn.backward(grad), dx, dtype)
        if reduction != "none":
            # Without an argument it starts from 1: the same but for that factor.
            check(loss_fn.backward() * float(grad), dx, dtype)
        if target.dtype.kind != "f":
            continue
        dt, rest = np.split(rest, (t.size,))
        function = loss_fn._applied
        function.needs = None
        found = np.asarray(function.gradients(grad)[1])
        if spec.get("target_gradient") == "where finite":
            # At 0 · log 0 and at a probability of 0 or 1, PyTorch's gradient of the target is NaN or infinite.
            assert np.isfinite(found).all() and not np.isfinite(dt).all()
            found, dt = found.reshape(-1)[np.isfinite(dt)], dt[np.isfinite(dt)]
        check(found, dt, dtype)
    assert not rest.size
