"""Losses between embeddings: PyTorch's values, and what they refuse. Gradients need a tape: tests/ of the workspace."""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, MissingWheelError, ShapeError

with np.load(Path(__file__).parents[1] / "goldens" / "losses.npz", allow_pickle=False) as file:
    GOLDENS = {key: file[key] for key in file.files if key.startswith("metric")}
SPECS = json.loads(str(GOLDENS["metric"]))


@pytest.mark.parametrize("name", ["f32", "f64"])
@pytest.mark.parametrize("index", range(len(SPECS)), ids=lambda index: f"{index} {SPECS[index][:2]}")
def test_values_are_pytorchs(index, name):
    loss, options, shape, count, signs = SPECS[index]
    dtype = np.float32 if name == "f32" else np.float64
    inputs = [Tensor(GOLDENS[f"metric/{index}/{at}"], dtype) for at in range(count + signs)]
    rest = GOLDENS[f"metric/{index}/{name}"]
    for reduction in ("mean", "sum", "none"):
        found = getattr(nn, loss)(reduction=reduction, **options)(*inputs).numpy()
        assert found.dtype == dtype
        wanted, rest = rest[: found.size], rest[found.size + count * int(np.prod(shape)) :]
        np.testing.assert_allclose(
            found.reshape(-1), wanted, rtol=3e-6 if name == "f32" else 1e-12, atol=1e-7
        )


def test_integer_targets_count_as_signs():
    x, y = Tensor([[1.0, 0.0], [1.0, 0.0]]), Tensor([[2.0, 0.0], [0.0, 3.0]])
    assert F.cosine_embedding_loss(x, y, [1, -1], reduction="none").tolist() == pytest.approx([0, 0])
    assert F.margin_ranking_loss([1.0, 2.0], [3.0, 1.0], [1, 1], reduction="none").tolist() == [2, 0]
    assert F.triplet_margin_loss(x, x, y, 2.0).dtype == np.float32


def zeros(*shape):
    return Tensor(np.zeros(shape))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: F.triplet_margin_loss(zeros(2, 3), zeros(2, 3), zeros(1, 3)), ShapeError, r"\(1, 3\)"),
        (
            lambda: F.triplet_margin_loss(zeros(3), zeros(3), zeros(3), 0),
            ArgumentError,
            "margin must be above 0",
        ),
        (
            lambda: F.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), [1, 1, 1]),
            ShapeError,
            r"shape \(2,\), not",
        ),
        (lambda: F.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), [1, 0]), ArgumentError, "1 or -1"),
        (lambda: F.margin_ranking_loss(zeros(2), zeros(2), [1, 0.5]), ArgumentError, "1 or -1"),
        (lambda: F.margin_ranking_loss(zeros(2), zeros(3), [1, 1]), ShapeError, "all have one shape"),
        (lambda: nn.MarginRankingLoss("max"), ArgumentError, "margin"),
        (
            lambda: nn.TripletMarginLoss().backward(),
            MissingWheelError,
            "TripletMarginLoss.backward: each of its inputs",
        ),
    ],
)
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
