"""What torchvision makes of the images in images.npz by every functional in functionals.json: writes both npz files.

Run it with an interpreter that has torchvision 0.28.0 (PyTorch 2.13.0): python make_functionals.py
"""

import json
from pathlib import Path

import numpy as np
import torch

# A torchvision without its compiled operators does not import, and none of them is needed here.
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision.transforms.v2.functional as F  # noqa: E402

HERE = Path(__file__).parent


def make_images():
    rng = np.random.default_rng(4)
    coloured = rng.integers(0, 256, (2, 3, 9, 12), dtype=np.uint8)
    # Gray pixels, black and white, and ties of two channels: the special cases of hue.
    coloured[0, :, 0, :4] = [0, 255, 128, 3]
    coloured[0, 0, 1] = coloured[0, 1, 1]
    coloured[0, 2, 2] = coloured[0, 0, 2]
    return {
        "bytes": coloured,
        "floats": rng.random((2, 3, 9, 12), np.float32),
        "doubles": rng.random((2, 3, 9, 12)),
        "square": rng.integers(0, 256, (1, 3, 8, 8), dtype=np.uint8),
        "gray": rng.integers(0, 256, (2, 1, 28, 28), dtype=np.uint8),
    }


if __name__ == "__main__":
    images, found = make_images(), {}
    for index, spec in enumerate(json.loads((HERE / "functionals.json").read_text())):
        kwargs = dict(spec.get("kwargs", {}))
        if "dtype" in kwargs:
            kwargs["dtype"] = getattr(torch, kwargs["dtype"])
        if "v" in kwargs:
            kwargs["v"] = torch.tensor(kwargs["v"])
        given = torch.from_numpy(images[spec["images"]])
        found[f"{index}"] = getattr(F, spec["name"])(given, **kwargs).numpy()
        if spec["name"] in ("rotate", "affine"):
            # How much of each new pixel lies inside of the old image.
            kwargs["fill"] = None
            found[f"{index}/inside"] = getattr(F, spec["name"])(
                torch.ones(1, 1, *given.shape[2:]), **kwargs
            ).numpy()
    np.savez_compressed(HERE / "images.npz", **images)
    np.savez_compressed(HERE / "functionals.npz", **found)
