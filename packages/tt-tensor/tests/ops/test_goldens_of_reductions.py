"""Values and gradients of the reductions equal PyTorch's; goldens/make_reductions.py wrote what they are."""

from pathlib import Path

import numpy as np
import pytest

import tt_tensor as tt

GOLDENS = dict(np.load(Path(__file__).parent.parent / "goldens" / "reductions.npz", allow_pickle=False))

CALLS = {
    "sum x": lambda x: tt.sum(x),
    "sum x (0, 2)": lambda x: tt.sum(x, (0, 2)),
    "sum x -1 keepdims": lambda x: tt.sum(x, -1, keepdims=True),
    "sum empty 0": lambda x: tt.sum(x, 0),
    "mean x": lambda x: tt.mean(x),
    "mean x (0, -1)": lambda x: tt.mean(x, (0, -1)),
    "mean number": lambda x: tt.mean(x),
    "prod x 1": lambda x: tt.prod(x, 1),
    "prod row": lambda x: tt.prod(x),
    "prod zeros": lambda x: tt.prod(x),
    "prod zeros 0": lambda x: tt.prod(x, 0),
    "prod zeros 1": lambda x: tt.prod(x, 1),
    "max x": lambda x: tt.max(x),
    "max x 1": lambda x: tt.max(x, 1),
    "max ties": lambda x: tt.max(x),
    "max ties 1": lambda x: tt.max(x, 1),
    "max ties 0": lambda x: tt.max(x, 0),
    "max ties (0, 1)": lambda x: tt.max(x, (0, 1)),
    "max ties (1,)": lambda x: tt.max(x, (1,)),
    "max large 1": lambda x: tt.max(x, 1),
    "min x (0, 2) keepdims": lambda x: tt.min(x, (0, 2), keepdims=True),
    "min ties": lambda x: tt.min(x),
    "min ties 1": lambda x: tt.min(x, 1),
    "min ties 0": lambda x: tt.min(x, 0),
    "var x": lambda x: tt.var(x),
    "var x 1 ddof": lambda x: tt.var(x, 1, ddof=1),
    "var x (0, 2) ddof": lambda x: tt.var(x, (0, 2), correction=2),
    "var equal": lambda x: tt.var(x),
    "var large 1": lambda x: tt.var(x, 1),
    "std x": lambda x: tt.std(x),
    "std x -1 ddof": lambda x: tt.std(x, -1, ddof=1),
    "std equal 1": lambda x: tt.std(x, 1),
    "std one": lambda x: tt.std(x),
    "norm x": lambda x: tt.norm(x),
    "norm x 1 axis 2": lambda x: tt.norm(x, 1, 2),
    "norm x 3": lambda x: tt.norm(x, 3),
    "norm x inf axis 0": lambda x: tt.norm(x, float("inf"), 0),
    "norm ties inf": lambda x: tt.norm(x, float("inf")),
    "norm origin": lambda x: tt.norm(x),
    "norm origin 1": lambda x: tt.norm(x, 1),
    "norm origin 3": lambda x: tt.norm(x, 3),
    "norm zeros 2 axis 0": lambda x: tt.norm(x, 2, 0),
    "cumprod x 1": lambda x: tt.cumprod(x, 1),
    "cumprod row -1": lambda x: np.cumprod(x, axis=-1),
    "cumsum x 1": lambda x: tt.cumsum(x, 1),
    "cumsum row -1": lambda x: tt.cumsum(x, -1),
    "softmax x -1": lambda x: tt.softmax(x),
    "softmax x 0": lambda x: tt.softmax(x, 0),
    "softmax masked 1": lambda x: tt.softmax(x, 1),
    "softmax large 1": lambda x: tt.softmax(x, 1),
    "softmax large 0": lambda x: tt.softmax(x, 0),
    "log_softmax x 1": lambda x: tt.log_softmax(x, 1),
    "log_softmax masked 1": lambda x: tt.log_softmax(x, 1),
    "log_softmax large 1": lambda x: tt.log_softmax(x, 1),
    "logsumexp x (0, 2)": lambda x: tt.logsumexp(x, (0, 2)),
    "logsumexp x -1 keepdims": lambda x: tt.logsumexp(x, -1, keepdims=True),
    "logsumexp masked 1": lambda x: tt.logsumexp(x, 1),
    "logsumexp large 1": lambda x: tt.logsumexp(x, 1),
    "logsumexp empty 0": lambda x: tt.logsumexp(x, 0),
}


def test_the_names_are_those_of_the_goldens():
    assert set(CALLS) == {key.split("|")[0] for key in GOLDENS if "|" in key}


@pytest.mark.parametrize("name", CALLS)
def test_float64(name, equals_pytorch):
    equals_pytorch(GOLDENS, name, CALLS[name], "float64", 1e-11, 1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_float32(name, equals_pytorch):
    # PyTorch's rule for logsumexp is exp(x - y), which at 1e4 has lost three digits in float32; ours has not.
    exact = "float64" if name == "logsumexp large 1" else None
    equals_pytorch(GOLDENS, name, CALLS[name], "float32", 1e-5, 1e-6, exact)
