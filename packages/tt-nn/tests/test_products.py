"""Matrix products in shards are the products of NumPy, whatever the shapes; and they start no threads of BLAS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import Linear, products, shards
from tt_nn.products import matrix_product
from tt_tensor import Tensor, kernels


@pytest.fixture
def in_shards(monkeypatch):
    monkeypatch.setattr(shards, "preferred", True)
    monkeypatch.setattr(products, "BLAS_ALONE", 8)
    monkeypatch.setattr(products, "WORTH", 8)


sizes = st.integers(0, 9)


@given(m=sizes, k=sizes, n=sizes, turned=st.booleans())
def test_it_is_the_product(m, k, n, turned):
    rng = np.random.default_rng(m + 10 * k + 100 * n)
    x, y = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    if turned:
        x, y = np.asfortranarray(x), np.asfortranarray(y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "preferred", True)
        patch.setattr(products, "BLAS_ALONE", 8)
        patch.setattr(products, "WORTH", 8)
        with shards.threads(2):
            np.testing.assert_allclose(matrix_product(x, y), x @ y, rtol=1e-12, atol=1e-12)


def test_leading_axes_are_rows(in_shards):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 6))
    for some in (x, x.transpose(1, 0, 2), x[:, :0], x[0, 0]):
        np.testing.assert_allclose(matrix_product(some, y), some @ y, rtol=1e-12)


def test_the_kernel_in_use_multiplies(in_shards, monkeypatch):
    seen = []
    kernels.register("matrix_product", "watched", lambda x, y: seen.append((x.shape, y.shape)) or x.dot(y))
    try:
        with kernels.use("watched"):
            Linear(3, 2)(Tensor(np.ones((4, 5, 3), np.float32)))
    finally:
        kernels.table._table["matrix_product"].pop("watched")
    assert seen == [((20, 3), (3, 2))]


def test_dtypes_are_those_of_the_product(in_shards):
    for left in (np.float32, np.float64):
        for right in (np.float32, np.float64):
            found = matrix_product(np.ones((4, 5), left), np.ones((5, 6), right))
            assert found.dtype == np.result_type(left, right)


def test_blas_has_one_thread_meanwhile(in_shards, monkeypatch):
    limits = []
    real = np.matmul

    def watched(*args, **kwargs):
        limits.append(shards._deep)
        return real(*args, **kwargs)

    monkeypatch.setattr(products.np, "matmul", watched)
    matrix_product(np.ones((4, 5)), np.ones((5, 6)))
    assert limits
    assert all(limits)


@pytest.mark.parametrize(("rows", "columns"), [(8, 300), (300, 8)])
def test_the_longer_side_is_cut_as_the_other_matrix_is_copied_for_each_shard(
    rows, columns, in_shards, monkeypatch
):
    made = []
    real = np.matmul

    def watched(x, y, out):
        made.append(out.shape)
        return real(x, y, out=out)

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, 7)), rng.normal(size=(columns, 7)).T
    with shards.threads(2), monkeypatch.context() as patch:
        patch.setattr(products.np, "matmul", watched)
        found = matrix_product(x, y)
    np.testing.assert_allclose(found, x.dot(y), rtol=1e-12, atol=1e-12)
    assert made == ([(8, 75)] * 4 if rows < columns else [(75, 8)] * 4)


def test_shapes_that_do_not_fit_are_refused_as_before(in_shards):
    with pytest.raises(ValueError, match="linear"):
        Linear(3, 2)(Tensor(np.ones((4, 5), np.float32)))


def test_the_loops_still_run(in_shards):
    layer, x = Linear(3, 2), Tensor(np.ones((4, 3), np.float32))
    with kernels.use("loops"):
        slow = layer(x)
    np.testing.assert_allclose(slow, layer(x), rtol=1e-6)


def test_a_linear_layer_gives_the_same_in_shards_and_without(in_shards, monkeypatch):
    rng = np.random.default_rng(0)
    layer, x = Linear(70, 30), Tensor(rng.normal(size=(65, 70)).astype(np.float32))
    grad = rng.normal(size=(65, 30)).astype(np.float32)

    def run():
        layer.zero_grad()
        y = layer(x)
        return y, layer.backward(grad), layer.weight.grad

    found = run()
    monkeypatch.setattr(shards, "preferred", False)
    for a, b in zip(found, run(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
