"""normalize, cosine_similarity, pairwise_distance by their definitions, and what happens at zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import AxisError, ShapeError

VECTORS = hnp.arrays(np.float64, (3, 4), elements=st.floats(-9, 9, allow_subnormal=False))


@given(VECTORS, VECTORS)
def test_definitions(a, b):
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(1) / np.maximum(lengths[0], 1e-8) / np.maximum(lengths[1], 1e-8)
    np.testing.assert_allclose(F.cosine_similarity(a, b).numpy(), cosines, atol=1e-12)
    np.testing.assert_allclose(F.normalize(a).numpy(), a / np.maximum(lengths[0], 1e-12)[:, None], atol=1e-12)
    near = np.linalg.norm(a - b + 1e-6, axis=1)
    np.testing.assert_allclose(F.pairwise_distance(a, b).numpy(), near, rtol=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_other_norms_and_axes(p):
    x, y = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    wanted = x / (np.abs(x) ** p).sum((0, 2), keepdims=True) ** (1 / p)
    np.testing.assert_allclose(F.normalize(x, p, dim=(0, 2)).numpy(), wanted, rtol=1e-12)
    wanted = (np.abs(x - y + 1e-6) ** p).sum(-1, keepdims=True) ** (1 / p)
    np.testing.assert_allclose(F.pairwise_distance(x, y, p, keepdim=True).numpy(), wanted, rtol=1e-12)


def test_all_pairs():
    a, b = np.random.default_rng(1).normal(size=(3, 5)), np.random.default_rng(2).normal(size=(4, 5))
    every = F.cosine_similarity(a[:, None], b[None], dim=-1)
    np.testing.assert_allclose(every.numpy(), (F.normalize(a) @ F.normalize(b).T).numpy(), rtol=1e-12)


def test_zeros_and_float32():
    x = np.array([[0, 0], [3, 4]], np.float32)
    assert F.normalize(x).tolist() == Tensor([[0, 0], [0.6, 0.8]], "float32").tolist()
    assert F.cosine_similarity(x, x).dtype == F.pairwise_distance(x, x).dtype == np.float32
    assert (
        F.cosine_similarity(x, x).tolist() == pytest.approx([0, 1]) and (F.pairwise_distance(x, x) > 0).all()
    )


def test_wrong_calls():
    with pytest.raises(AxisError):
        F.normalize([1.0, 2.0])
    with pytest.raises(ShapeError):
        F.cosine_similarity(np.zeros((2, 3)), np.zeros((2, 4)))
