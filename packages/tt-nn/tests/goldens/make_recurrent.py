"""PyTorch's values and gradients of the layers in recurrent.json: writes recurrent.npz.

Run it with an interpreter that has PyTorch 2.13.0: python make_recurrent.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def parts(found):
    """What a layer or cell gives, flat: output, h, c, as far as there are."""
    if isinstance(found, torch.Tensor):
        return [found]
    return [tensor for part in found for tensor in parts(part)]


if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "recurrent.json").read_text())):
        rng = np.random.default_rng(index)
        layer = getattr(torch.nn, spec["layer"])(*spec["args"], **spec.get("kwargs", {})).double()
        for key, parameter in layer.named_parameters():
            values = found[f"{index}/p/{key}"] = rng.normal(size=parameter.shape) * 0.7
            parameter.data = torch.tensor(values)
        given = [rng.normal(size=shape) for shape in (spec["x"], *spec.get("states", []))]
        tensors = [torch.tensor(values, requires_grad=True) for values in given]
        states = tensors[1:]
        hx = None if not states else states[0] if len(states) == 1 else tuple(states)
        outputs = parts(layer(tensors[0], hx))
        grads = [rng.normal(size=tuple(y.shape)) for y in outputs]
        torch.autograd.backward(outputs, [torch.tensor(g) for g in grads])
        found |= {f"{index}/x/{n}": values for n, values in enumerate(given)}
        found |= {f"{index}/dx/{n}": x.grad.numpy() for n, x in enumerate(tensors)}
        found |= {f"{index}/y/{n}": y.detach().numpy() for n, y in enumerate(outputs)}
        found |= {f"{index}/g/{n}": g for n, g in enumerate(grads)}
        found |= {f"{index}/d/{key}": p.grad.numpy() for key, p in layer.named_parameters()}
    np.savez_compressed(HERE / "recurrent.npz", **found)
