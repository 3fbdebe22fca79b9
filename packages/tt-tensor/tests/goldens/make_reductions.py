"""Write reductions.npz: what PyTorch gives for each reduction, value and gradient, in float32 and float64.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_reductions.py
tests/ops/test_goldens_of_reductions.py has the same names on our side. The gradient at the output is
cos(1), cos(2), … in row-major order, computed in float64.
"""

from pathlib import Path

import numpy as np
import torch

INF = float("inf")
rng = np.random.default_rng(1958)

INPUTS = {
    "x": rng.normal(size=(3, 4, 5)),
    "row": rng.normal(size=(6,)),
    "number": np.array(1.5),
    "empty": np.zeros((0, 3)),
    "ties": np.array([[3.0, 1.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [-1.0, -1.0, -3.0, -3.0]]),
    "zeros": np.array([[0.0, 2.0, -3.0], [0.0, 0.0, 5.0], [1.5, 2.0, -0.5]]),
    "masked": np.where(rng.random((4, 5)) < 0.4, -INF, rng.normal(size=(4, 5))),
    "large": np.array([[1e4, -1e4, 0.0], [1e4, 1e4 - 1, 1e4 - 2], [-1e4, -1e4 - 1, -1e4 + 1]]),
    "one": np.array([2.5]),
    "equal": np.full((2, 3), 0.75),
    "origin": np.zeros(3),
}
INPUTS["masked"][:, 0] = 0.5  # no row is masked out altogether: there PyTorch gives NaN

CALLS = {
    "sum x": lambda x: x.sum(),
    "sum x (0, 2)": lambda x: x.sum((0, 2)),
    "sum x -1 keepdims": lambda x: x.sum(-1, keepdim=True),
    "sum empty 0": lambda x: x.sum(0),
    "mean x": lambda x: x.mean(),
    "mean x (0, -1)": lambda x: x.mean((0, -1)),
    "mean number": lambda x: x.mean(),
    "prod x 1": lambda x: x.prod(1),
    "prod row": lambda x: x.prod(),
    "prod zeros": lambda x: x.prod(),
    "prod zeros 0": lambda x: x.prod(0),
    "prod zeros 1": lambda x: x.prod(1),
    "max x": lambda x: x.max(),
    "max x 1": lambda x: x.max(1)[0],
    "max ties": lambda x: x.max(),
    "max ties 1": lambda x: x.max(1)[0],
    "max ties 0": lambda x: x.max(0)[0],
    "max ties (0, 1)": lambda x: x.amax((0, 1)),
    "max ties (1,)": lambda x: x.amax((1,)),
    "max large 1": lambda x: x.max(1)[0],
    "min x (0, 2) keepdims": lambda x: x.amin((0, 2), keepdim=True),
    "min ties": lambda x: x.min(),
    "min ties 1": lambda x: x.min(1)[0],
    "min ties 0": lambda x: x.min(0)[0],
    "var x": lambda x: x.var(correction=0),
    "var x 1 ddof": lambda x: x.var(1),
    "var x (0, 2) ddof": lambda x: x.var((0, 2), correction=2),
    "var equal": lambda x: x.var(correction=0),
    "var large 1": lambda x: x.var(1, correction=0),
    "std x": lambda x: x.std(correction=0),
    "std x -1 ddof": lambda x: x.std(-1),
    "std equal 1": lambda x: x.std(1, correction=0),
    "std one": lambda x: x.std(correction=0),
    "norm x": lambda x: torch.linalg.vector_norm(x),
    "norm x 1 axis 2": lambda x: torch.linalg.vector_norm(x, 1, 2),
    "norm x 3": lambda x: torch.linalg.vector_norm(x, 3),
    "norm x inf axis 0": lambda x: torch.linalg.vector_norm(x, INF, 0),
    "norm ties inf": lambda x: torch.linalg.vector_norm(x, INF),
    "norm origin": lambda x: torch.linalg.vector_norm(x),
    "norm origin 1": lambda x: torch.linalg.vector_norm(x, 1),
    "norm origin 3": lambda x: torch.linalg.vector_norm(x, 3),
    "norm zeros 2 axis 0": lambda x: torch.linalg.vector_norm(x, 2, 0),
    "cumprod x 1": lambda x: x.cumprod(1),
    "cumprod row -1": lambda x: x.cumprod(-1),
    "cumsum x 1": lambda x: x.cumsum(1),
    "cumsum row -1": lambda x: x.cumsum(-1),
    "softmax x -1": lambda x: x.softmax(-1),
    "softmax x 0": lambda x: x.softmax(0),
    "softmax masked 1": lambda x: x.softmax(1),
    "softmax large 1": lambda x: x.softmax(1),
    "softmax large 0": lambda x: x.softmax(0),
    "log_softmax x 1": lambda x: x.log_softmax(1),
    "log_softmax masked 1": lambda x: x.log_softmax(1),
    "log_softmax large 1": lambda x: x.log_softmax(1),
    "logsumexp x (0, 2)": lambda x: x.logsumexp((0, 2)),
    "logsumexp x -1 keepdims": lambda x: x.logsumexp(-1, keepdim=True),
    "logsumexp masked 1": lambda x: x.logsumexp(1),
    "logsumexp large 1": lambda x: x.logsumexp(1),
    "logsumexp empty 0": lambda x: x.logsumexp(0),
}  # fmt: skip


def record(file, inputs, calls):
    """Every call on the inputs that its name lists behind the first word (those that are inputs)."""
    stored = {f"input {name}": x for name, x in inputs.items()}
    for name, call in calls.items():
        for dtype in (torch.float32, torch.float64):
            given = [
                torch.tensor(inputs[word], dtype=dtype, requires_grad=True)
                for word in name.split()[1:]
                if word in inputs
            ]
            y = call(*given)
            grad = torch.tensor(np.cos(np.arange(1, y.numel() + 1)).reshape(y.shape), dtype=dtype)
            y.backward(grad)
            kind = str(dtype).removeprefix("torch.")
            stored[f"{name}|{kind}|value"] = y.detach().numpy()
            for index, x in enumerate(given):
                stored[f"{name}|{kind}|grad {index}"] = x.grad.numpy()
    np.savez_compressed(Path(__file__).parent / file, **stored)
    size = (Path(__file__).parent / file).stat().st_size
    print(f"{file}: {len(calls)} calls, {size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    record("reductions.npz", INPUTS, CALLS)
