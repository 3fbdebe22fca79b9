"""GroupNorm: each image by itself, the norms that it includes, memory order, dtypes, wrong calls.

PyTorch's values are in test_norm_goldens.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import LayerNorm
from tt_tensor import Tensor, from_numpy, kernels
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.group_norm import GroupNorm, group_norm

SHAPES = [(3, 6), (1, 6), (2, 6, 5), (1, 6, 1), (4, 6, 3, 2), (127, 6, 3, 3), (2, 6, 31, 17), (1, 6, 40, 40)]


def numbers(shape, seed=0, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_groups_have_mean_0_and_variance_1(shape, groups):
    x = numbers(shape, 1, offset=3.0)
    y = GroupNorm(groups, 6, eps=0.0).double()(Tensor(x)).numpy().reshape(shape[0], groups, -1)
    np.testing.assert_allclose(y.mean(axis=2), 0, atol=1e-13)
    np.testing.assert_allclose(y.var(axis=2), 1, rtol=1e-11)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_an_image_does_not_feel_the_others_nor_the_mode(n, height, width, seed):
    layer, x = GroupNorm(2, 4).double(), numbers((n, 4, height, width), seed)
    y = layer(Tensor(x)).numpy()
    np.testing.assert_array_equal(layer.eval()(Tensor(x)), y)
    for image in range(n):
        np.testing.assert_allclose(
            layer(Tensor(x[image : image + 1])).numpy()[0], y[image], rtol=1e-9, atol=1e-12
        )


def test_one_group_is_layer_norm_and_one_image_in_groups_of_one_is_batch_norm():
    x, g = numbers((3, 4, 5, 2)), Tensor(numbers((3, 4, 5, 2), 1))
    one, rows = GroupNorm(1, 4).double(), LayerNorm((4, 5, 2)).double()
    np.testing.assert_allclose(one(Tensor(x)), rows(Tensor(x)), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(one.backward(g), rows.backward(g), rtol=1e-9, atol=1e-12)
    each, batch = GroupNorm(4, 4).double(), BatchNorm2d(4).double()
    for layer in (each, batch):
        layer.weight.write(np.arange(4.0))
    np.testing.assert_allclose(each(Tensor(x[:1])), batch(Tensor(x[:1])), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(each.backward(g[:1]), batch.backward(g[:1]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(each.weight.grad, batch.weight.grad, rtol=1e-9)


def orders(x):
    """The same values in other orders of memory."""
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    yield np.asfortranarray(x)
    yield x[::-1].copy()[::-1]
    yield np.repeat(x, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("shape", [(7, 4), (3, 4, 5), (5, 4, 3, 2), (16, 4, 30, 40)])
def test_the_order_of_memory_does_not_matter_and_is_channels_last_after(shape):
    layer, x, g = GroupNorm(2, 4).double(), numbers(shape, 1, offset=1.0), numbers(shape, 2)

    def run(x, g):
        layer.zero_grad()
        y = layer(from_numpy(x))
        dx = layer.backward(from_numpy(g))
        return y.numpy(), dx.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()

    wanted = run(x, g)
    for one, other in zip(orders(x), reversed(list(orders(g))), strict=True):
        found = run(one, other)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)
        for images in found[:2]:
            assert np.moveaxis(images, 1, -1).flags.c_contiguous


def test_the_input_is_kept_as_it_is_and_nothing_as_large_beside_it():
    x, layer = np.ones((4, 3, 5, 5), np.float32), GroupNorm(3, 3)
    layer(from_numpy(x))
    kept = [array for array in vars(layer._applied).values() if isinstance(array, np.ndarray)]
    assert any(array is x for array in kept)
    assert sum(array.size for array in kept if array is not x) <= 2 * 4 * 3 + 3


@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 2, 2), (2, 4, 0, 2)])
def test_nothing_in_nothing_out(shape):
    layer = GroupNorm(2, 4)
    assert layer(Tensor(np.ones(shape, np.float32))).shape == shape
    assert layer.backward(Tensor(np.ones(shape, np.float32))).shape == shape
    assert not layer.weight.grad.numpy().any() and not layer.bias.grad.numpy().any()


def test_one_value_per_group_is_refused_alone_and_gives_the_bias_in_a_batch():
    for shape, groups in (((1, 4), 4), ((1, 4, 1, 1), 4), ((1, 1), 1)):
        for call in (GroupNorm(groups, shape[1]), lambda x, groups=groups: group_norm(x, groups)):
            with pytest.raises(ShapeError, match="one value per group"):
                call(np.ones(shape, np.float32))
    layer = GroupNorm(4, 4)
    layer.bias.write(np.arange(4.0))
    np.testing.assert_allclose(
        layer(numbers((2, 4), dtype=np.float32)), np.tile(np.arange(4.0), (2, 1)), atol=1e-4
    )


def test_dtypes():
    x = numbers((4, 6, 3, 3), dtype=np.float32)
    layer = GroupNorm(3, 6)
    assert layer(Tensor(x)).dtype == layer.backward(Tensor(x)).dtype == layer.weight.grad.dtype == np.float32
    half = GroupNorm(3, 6).half()
    y = half(Tensor(x.astype(np.float16)))
    assert y.dtype == half.backward(y).dtype == np.float16
    np.testing.assert_allclose(y, layer(Tensor(x)), atol=4e-3)
    assert GroupNorm(3, 6, dtype=np.float64)(Tensor(x)).dtype == np.float64


def test_loops_run_the_same_layer():
    x, layer = Tensor(numbers((2, 4, 3, 2), dtype=np.float32)), GroupNorm(2, 4)
    y, dx = layer(x), layer.backward(x)
    with kernels.use("loops"):
        slow, slow_dx = layer(x), layer.backward(x)
    np.testing.assert_allclose(slow, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slow_dx, dx, rtol=1e-5, atol=1e-6)


def test_parameters():
    layer = GroupNorm(2, 4)
    assert list(layer.state_dict()) == ["weight", "bias"]
    layer.weight.write(5.0)
    layer.bias.write(5.0)
    layer.reset_parameters()
    assert set(layer.weight.tolist()) == {1.0} and set(layer.bias.tolist()) == {0.0}
    assert GroupNorm(2, 4, affine=False).weight is None and GroupNorm(2, 4, affine=False).bias is None
    assert GroupNorm(2, 4, bias=False).bias is None and GroupNorm(2, 4, bias=False).weight is not None
    x = numbers((2, 4, 3))
    np.testing.assert_array_equal(group_norm(x, 2), GroupNorm(2, 4, affine=False)(Tensor(x)))


ZEROS = np.zeros((2, 4, 3, 3), np.float32)

WRONG = [
    (lambda: GroupNorm(3, 4), ArgumentError, "4 channels.*3 groups"),
    (lambda: GroupNorm(0, 4), ArgumentError, "num_groups"),
    (lambda: GroupNorm(2, "4"), ArgumentError, "num_channels"),
    (lambda: GroupNorm(2, 4, eps="a"), ArgumentError, "eps"),
    (lambda: GroupNorm(2, 6)(ZEROS), ShapeError, r"GroupNorm.*\(2, 4, 3, 3\).*\(N, 6, …\)"),
    (lambda: GroupNorm(2, 4)(np.zeros(4, np.float32)), ShapeError, r"\(4,\)"),
    (lambda: GroupNorm(2, 4)(ZEROS.astype(int)), DTypeError, "int64.*astype"),
    (lambda: group_norm(ZEROS, 3), ShapeError, "4 channels.*3 groups"),
    (lambda: group_norm(ZEROS, 2.0), ArgumentError, "num_groups"),
    (lambda: group_norm(ZEROS, 2, np.ones(3, np.float32)), ShapeError, r"weight.*\(3,\).*4 channels"),
    (lambda: group_norm(ZEROS, 2, None, np.ones(3, np.float32)), ShapeError, r"bias.*\(3,\).*4 channels"),
    (lambda: group_norm(ZEROS, 2, 1.0, 0.0), ShapeError, r"weight has shape \(\)"),
    (lambda: group_norm(np.zeros(4, np.float32), 2), ShapeError, r"\(N, C, …\)"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_looks():
    # The string is PyTorch 2.13's.
    assert repr(GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
