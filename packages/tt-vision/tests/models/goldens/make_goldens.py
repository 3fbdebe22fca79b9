"""What torchvision's models are made of, and what they compute: writes state_dicts.json and outputs.npz.

Run it with an interpreter that has PyTorch 2.13.0 and torchvision 0.28: python make_goldens.py

The weights themselves would be 45 and 500 MB, so they are drawn by name, here and in test_torchvision.py alike.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

# Where the compiled part of torchvision does not fit this PyTorch, its import stops at operators that no model needs.
for operator in ("nms", "qnms"):
    torch.library.define(
        f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )

from torchvision import models  # noqa: E402

HERE = Path(__file__).parent
PERIOD = 65521
"""A prime, so that the rows of no matrix are equal where values come again."""


def drawn(name, shape):
    """Weights that belong to a name, from the bits of PCG64, which no version of NumPy changes."""
    if name.endswith("num_batches_tracked"):
        return np.array(7, np.int64)
    count = math.prod(shape)
    bits = np.random.PCG64(zlib.crc32(name.encode())).random_raw(min(count, PERIOD)) >> 40
    u = np.resize((bits.astype(np.float64) * 2.0**-23 - 1).astype(np.float32), shape)  # [-1, 1)
    if name.endswith(("running_var", "weight")) and len(shape) == 1:
        return (1 + u / 4) / (2 if "bn2" in name else 1)  # half of what a block adds, so that sums stay small
    if len(shape) == 1:  # bias, running_mean
        return u / 4
    return u * np.float32(math.sqrt(6 / math.prod(shape[1:])) if name != "images" else 0.3)


def output(model, images):
    state = {name: torch.from_numpy(drawn(name, tuple(x.shape))) for name, x in model.state_dict().items()}
    model.load_state_dict(state)
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


if __name__ == "__main__":
    torch.manual_seed(0)
    names = ("resnet18", "resnet34", "vgg11", "vgg11_bn")
    shapes = {}
    for name in names:
        with torch.device("meta"):
            model = getattr(models, name)()
        shapes[name] = {key: list(x.shape) for key, x in model.state_dict().items()}
    lines = (
        f'"{name}": {{\n' + ",\n".join(f"  {json.dumps(k)}: {v}" for k, v in of.items()) + "\n}"
        for name, of in shapes.items()
    )
    (HERE / "state_dicts.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")

    coarse = drawn(
        "images", (3, 3, 8, 8)
    )  # fine noise would look all the same to networks that are not trained
    images = coarse.repeat(8, axis=2).repeat(8, axis=3)
    np.savez(
        HERE / "outputs.npz",
        resnet18_eval=output(models.resnet18().eval(), images),
        resnet18_train=output(models.resnet18().train(), images),
        vgg11_eval=output(models.vgg11(num_classes=10).eval(), images),
    )
