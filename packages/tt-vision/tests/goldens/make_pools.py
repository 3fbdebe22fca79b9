"""PyTorch's values, gradients and indices of pools: writes pools.json, which says of what, and pools.npz.

The numbers of all layers stand one after the other, y and dx of each in `values`, in float64, the positions in
`indices`.

Run it with an interpreter that has PyTorch 2.13.0: python make_pools.py
"""

import itertools
import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
SHAPES = [(2, 3, 7, 6), (1, 2, 5, 9), (2, 8, 5), (1, 1, 4, 4), (2, 2, 9, 3)]
ROWS = [(2, 3, 9), (1, 2, 8), (3, 5), (2, 1, 12)]


def values(shape, step=7919):
    """Numbers that float32 holds exactly, with many that are equal."""
    size = int(np.prod(shape))
    return ((np.arange(size) * step % 41 - 20) / 8.0).reshape(shape)


def settings():
    """A tenth of all combinations, drawn with a seed, and some that matter."""
    rng = np.random.default_rng(0)
    every = []
    for kernel, stride, padding, ceil_mode in itertools.product(
        (1, 2, 3, 4, (3, 2), (2, 5), (1, 3)),
        (None, 1, 2, 3, (2, 1), (1, 3)),
        (0, 1, 2, (1, 0), (0, 2)),
        (False, True),
    ):
        window = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        every += [("MaxPool2d", {**window, "dilation": dilation}) for dilation in (1, 2, (1, 3))]
        every += [
            ("AvgPool2d", {**window, "count_include_pad": counts, "divisor_override": divisor})
            for counts, divisor in ((True, None), (False, None), (True, 5), (False, -3))
        ]
        if not isinstance(kernel, tuple) and not isinstance(stride, tuple) and not isinstance(padding, tuple):
            every.append(("MaxPool1d", {**window, "dilation": 2}))
            every += [("AvgPool1d", {**window, "count_include_pad": counts}) for counts in (True, False)]
    found = [every[i] for i in np.flatnonzero(rng.random(len(every)) < 0.11)]
    for kernel in (2, 3):
        found.append(("MaxPool2d", {"kernel_size": kernel, "stride": 2, "padding": kernel // 2}))
        found.append(("AvgPool2d", {"kernel_size": kernel, "stride": 2, "padding": kernel // 2}))
    for size in (1, 2, 3, 4, 5, 7, (2, 3), (1, 4), (None, 2), (3, None), (11, 10)):
        found += [(name, {"output_size": size}) for name in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d")]
    return found + [
        (name, {"output_size": size})
        for name in ("AdaptiveAvgPool1d", "AdaptiveMaxPool1d")
        for size in (1, 2, 4, 5, 9, 13)
    ]


def run(name, kwargs, shape, found):
    """The shape of y; None where PyTorch refuses."""
    takes_indices = "Max" in name
    try:
        layer = getattr(torch.nn, name)(**kwargs, **({"return_indices": True} if takes_indices else {}))
        x = torch.tensor(values(shape), requires_grad=True)
        y = layer(x)
    except RuntimeError:
        return None
    if takes_indices:
        y, indices = y
        found["indices"].append(indices.numpy().reshape(-1).astype(np.int16))
    y.backward(torch.tensor(values(tuple(y.shape), 104729)))
    found["values"] += [y.detach().numpy().reshape(-1), x.grad.numpy().reshape(-1)]
    return list(y.shape)


if __name__ == "__main__":
    specs, found = [], {"values": [], "indices": []}
    for count, (name, kwargs) in enumerate(settings()):
        shapes = ROWS if name.endswith("1d") else SHAPES
        adaptive = "Adaptive" in name
        for shape in shapes if adaptive else [shapes[count % len(shapes)]]:
            if (gives := run(name, kwargs, shape, found)) is not None:
                specs.append({"layer": name, "shape": shape, "gives": gives, "kwargs": kwargs})
    lines = ",\n".join(f"  {json.dumps(spec)}" for spec in specs)
    (HERE / "pools.json").write_text(f"[\n{lines}\n]\n")
    np.savez_compressed(HERE / "pools.npz", **{key: np.concatenate(parts) for key, parts in found.items()})
    print(len(specs), "layers")
