"""PyTorch's values and gradients of upsampling, padding and shuffling: writes resizing.json and resizing.npz.

The numbers of all layers stand one after the other, y and dx of each, in float64.

Run it with an interpreter that has PyTorch 2.13.0: python make_resizing.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
SHAPES = [(2, 2, 4, 6), (1, 2, 7, 3)]
ROWS = [(2, 2, 5), (1, 1, 3)]


def values(shape, step=7919):
    """Numbers that float32 holds exactly."""
    size = int(np.prod(shape))
    return ((np.arange(size) * step % 41 - 20) / 8.0).reshape(shape)


def upsampling():
    how = [{"scale_factor": f} for f in (1, 2, 3, 0.5, 1.3, 2.1, 2.7, 0.7, (2, 0.6))]
    how += [{"size": size} for size in (1, 2, 7, 11, (3, 8))]
    how += [{"scale_factor": f, "recompute_scale_factor": True} for f in (1.3, (2.7, 0.7))]
    for kwargs in how:
        for mode in ("nearest", "nearest-exact"):
            yield {**kwargs, "mode": mode}
        for corners in (False, True):
            yield {**kwargs, "mode": "linear", "align_corners": corners}


def disagrees(kwargs, shape):
    """Whether PyTorch's gradient is not that of its values: it rounds the factor in one of them only."""
    if len(shape) == 4 or kwargs["mode"] != "nearest" or "scale_factor" not in kwargs:
        return False
    factor = kwargs["scale_factor"]
    return int(shape[2] * factor) in (shape[2], 2 * shape[2]) and factor not in (1, 2)


def padding():
    for sides in (0, 2, (1, 0, 2, 1), (3, 2, 0, 0), (-1, 2, 1, -1), (-1, -1, 0, -2), (2, -1, -1, 2)):
        for name in ("ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"):
            yield name, {"padding": sides}
        yield "ConstantPad2d", {"padding": sides, "value": -1.5}


def run(name, kwargs, shape, found):
    """The shape of y; None where PyTorch refuses."""
    try:
        x = torch.tensor(values(shape), requires_grad=True)
        y = getattr(torch.nn, name)(**kwargs)(x)
    except (RuntimeError, ValueError):
        return None
    y.backward(torch.tensor(values(tuple(y.shape), 104729)))
    found += [y.detach().numpy().reshape(-1), x.grad.numpy().reshape(-1)]
    return list(y.shape)


if __name__ == "__main__":
    asked = []
    for kwargs in upsampling():
        several = any(isinstance(value, tuple) for value in kwargs.values())
        for shape in SHAPES + ([] if several else ROWS):
            if disagrees(kwargs, shape):
                continue
            mode = "bilinear" if kwargs["mode"] == "linear" and len(shape) == 4 else kwargs["mode"]
            asked.append(("Upsample", {**kwargs, "mode": mode}, shape))
    for name, kwargs in padding():
        asked += [(name, kwargs, shape) for shape in [*SHAPES[:2], (3, 4, 5)]]
    for r in (1, 2, 3):
        for lead in ((2,), (), (2, 3)):
            asked.append(("PixelShuffle", {"upscale_factor": r}, (*lead, 2 * r * r, 3, 2)))
            asked.append(("PixelUnshuffle", {"downscale_factor": r}, (*lead, 2, 3 * r, 2 * r)))
    specs, found = [], []
    for name, kwargs, shape in asked:
        if (gives := run(name, kwargs, shape, found)) is not None:
            specs.append({"layer": name, "shape": shape, "gives": gives, "kwargs": kwargs})
    lines = ",\n".join(f"  {json.dumps(spec)}" for spec in specs)
    (HERE / "resizing.json").write_text(f"[\n{lines}\n]\n")
    np.savez_compressed(HERE / "resizing.npz", values=np.concatenate(found))
    print(len(specs), "layers")
