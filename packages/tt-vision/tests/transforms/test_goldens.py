"""Every functional gives what torchvision gives; the files in goldens/ were made by the script there.

Floats agree to 2e-6 (float64 to 1e-12). Bytes agree exactly where no arithmetic is done. Elsewhere they may differ by
1 where the last bit of a float32 decides how a value is cut off, and in a resized image, which torchvision rounds to
bytes after each axis.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_vision.transforms.functional as F
from tt_tensor import Tensor

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "functionals.json").read_text())
EXACT = {"horizontal_flip", "vertical_flip", "crop", "center_crop", "pad", "erase", "to_dtype"}


def golden(name):
    with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


IMAGES, FOUND = golden("images"), golden("functionals")


def same(got, wanted, name, nearest):
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if wanted.dtype.kind == "f":
        tolerance = 1e-12 if wanted.dtype == np.float64 else 2e-6
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    elif name in EXACT or nearest:
        np.testing.assert_array_equal(got, wanted)
    else:
        apart = np.abs(got.astype(int) - wanted)
        assert apart.max() <= 1
        # Of pixels that were cut off, hardly any; of those rounded twice, some.
        assert np.mean(apart != 0) <= (0.4 if name == "resize" else 0.03)


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("index", range(len(SPECS)), ids=lambda i: f"{i} {SPECS[i]['name']}")
def test_functional(index, last):
    spec = SPECS[index]
    name, kwargs = spec["name"], spec.get("kwargs", {})
    images = IMAGES[spec["images"]]
    if last:
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    before = images.copy()
    got, wanted = getattr(F, name)(images, **kwargs), FOUND[f"{index}"]
    nearest = kwargs.get("interpolation", "nearest" * (name in ("rotate", "affine"))).startswith("nearest")
    if kwargs.get("fill") and kwargs.get("interpolation") == "bilinear":
        # torchvision takes the edge's share twice, so its edges are too dark; ours are held to another law.
        inside = np.broadcast_to(FOUND[f"{index}/inside"], got.shape)
        whole = (inside > 1 - 1e-6) | (inside < 1e-6)
        assert 0.4 < whole.mean() < 1
        got, wanted = got[whole], wanted[whole]
    same(got, wanted, name, nearest)
    np.testing.assert_array_equal(images, before)
    one = getattr(F, name)(Tensor(images[0]), **kwargs)
    assert isinstance(one, Tensor)
    np.testing.assert_array_equal(one.numpy(), getattr(F, name)(images, **kwargs)[0])
