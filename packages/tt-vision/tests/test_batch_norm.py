"""BatchNorm: running statistics, eval, small batches, memory order, dtypes, wrong calls.

PyTorch's values are in test_norm_goldens.py.
"""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn.errors import StateDictError
from tt_tensor import Tensor, from_numpy, kernels
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tt_vision.batch_norm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNormEvalFunction,
    BatchNormFunction,
    batch_norm,
)
from tt_vision.channel_norm import in_float64

SHAPES = [(7, 4), (2, 4), (3, 4, 5), (1, 4, 2), (5, 4, 3, 2), (1, 4, 3, 3), (127, 4, 3, 5), (2, 4, 31, 17)]


def numbers(shape, seed=0, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


def layer_for(shape, **kwargs):
    return (BatchNorm2d if len(shape) == 4 else BatchNorm1d)(shape[1], **kwargs)


def others(x):
    """All axes but that of the channels."""
    return (0, *range(2, x.ndim))


def seen(layer):
    return tuple(np.array(buffer.numpy()) for buffer in layer.buffers())


@pytest.mark.parametrize("shape", SHAPES)
def test_channels_have_mean_0_and_variance_1(shape):
    x = numbers(shape, 1, offset=3.0)
    y = layer_for(shape, eps=0.0, dtype=np.float64)(Tensor(x)).numpy()
    np.testing.assert_allclose(y.mean(axis=others(x)), 0, atol=1e-13)
    np.testing.assert_allclose(y.var(axis=others(x)), 1, rtol=1e-12)


def test_a_scale_and_a_shift_of_the_input_do_nothing():
    x, layer = numbers((6, 3, 4, 5)), BatchNorm2d(3, eps=0.0).double()
    wanted = layer(Tensor(x)).numpy()
    factor, shift = np.array([0.01, 3.0, 700.0])[:, None, None], np.array([5.0, -7.0, 0.0])[:, None, None]
    np.testing.assert_allclose(layer(Tensor(x * factor + shift)).numpy(), wanted, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.sampled_from([0.1, 0.3, 0.0, 1.0, None]),
    st.integers(0, 99),
)
def test_running_values_are_means_of_means_and_of_unbiased_variances(sizes, momentum, seed):
    layer = BatchNorm2d(3, momentum=momentum, dtype=np.float64)
    mean, variance = np.zeros(3), np.ones(3)
    batches = [numbers((size, 3, 2, 5), seed + index, offset=2.0) for index, size in enumerate(sizes)]
    for index, x in enumerate(batches):
        layer(Tensor(x))
        share = 1 / (index + 1) if momentum is None else momentum
        mean = (1 - share) * mean + share * x.mean(axis=(0, 2, 3))
        variance = (1 - share) * variance + share * x.var(axis=(0, 2, 3), ddof=1)
    running_mean, running_var, tracked = seen(layer)
    np.testing.assert_allclose(running_mean, mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(running_var, variance, rtol=1e-12)
    assert tracked == len(sizes) and tracked.dtype == np.int64
    if momentum is None:
        np.testing.assert_allclose(
            running_var, np.mean([x.var(axis=(0, 2, 3), ddof=1) for x in batches], axis=0), rtol=1e-12
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_eval_takes_the_running_values_and_changes_nothing(shape):
    layer = layer_for(shape, dtype=np.float64)
    for step in range(3):
        layer(Tensor(numbers((5, *shape[1:]), step, offset=2.0)))
    before = seen(layer)
    layer.eval()
    x = numbers(shape, 9)
    y = layer(Tensor(x)).numpy()
    axes = (slice(None),) + (None,) * (x.ndim - 2)
    np.testing.assert_allclose(
        y, (x - before[0][axes]) / np.sqrt(before[1][axes] + 1e-5), rtol=1e-11, atol=1e-12
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, seen(layer), strict=True))
    # One image has what it has among others, also alone in its batch.
    for image in range(min(len(x), 3)):
        np.testing.assert_allclose(layer(Tensor(x[image : image + 1])).numpy()[0], y[image], rtol=1e-12)


def test_training_takes_the_batch_and_not_the_running_values():
    layer, x = BatchNorm2d(3).double(), Tensor(numbers((4, 3, 5, 5)))
    wanted = layer(x).numpy()
    layer.running_mean.write(100.0)
    layer.running_var.write(1e-3)
    np.testing.assert_array_equal(layer(x).numpy(), wanted)


@pytest.mark.parametrize("training", [True, False])
def test_without_running_values_the_batch_counts_in_eval_too(training):
    layer = BatchNorm2d(3, track_running_stats=False).train(training)
    assert list(layer.buffers()) == [] and layer.running_mean is None and layer.num_batches_tracked is None
    x = numbers((4, 3, 5, 5), dtype=np.float32, offset=5.0)
    y = layer(Tensor(x)).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1)])
def test_one_value_per_channel_is_refused_in_training(shape):
    layer, x = layer_for(shape), Tensor(np.ones(shape, np.float32))
    before = seen(layer)
    with pytest.raises(ShapeError, match=r"one value per channel.*drop_last.*eval") as caught:
        layer(x)
    assert isinstance(caught.value, ValueError)
    assert all(np.array_equal(a, b) for a, b in zip(before, seen(layer), strict=True))
    assert layer.eval()(x).shape == shape
    with pytest.raises(ShapeError, match="one value per channel"):
        layer_for(shape, track_running_stats=False).eval()(x)
    # Two values are enough, wherever they come from.
    assert np.abs(layer_for(shape)(Tensor(numbers((2, *shape[1:])))).numpy()).max() > 0.9


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2, 2), (2, 3, 0, 2), (4, 0, 2, 2)])
def test_nothing_in_nothing_out(shape):
    layer = layer_for(shape)
    before = seen(layer)
    for training in (True, False):
        layer.train(training).zero_grad()
        assert layer(Tensor(np.ones(shape, np.float32))).shape == shape
        assert layer.backward(Tensor(np.ones(shape, np.float32))).shape == shape
        assert not layer.weight.grad.numpy().any() and not layer.bias.grad.numpy().any()
    assert all(np.array_equal(a, b) for a, b in zip(before[:2], seen(layer)[:2], strict=True))


def orders(x):
    """The same values in other orders of memory."""
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    yield np.asfortranarray(x)
    yield x[::-1].copy()[::-1]
    yield np.repeat(x, 2, axis=-1)[..., ::2]
    yield x[..., ::-1].copy()[..., ::-1]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(7, 4), (3, 4, 5), (5, 4, 3, 2), (64, 3, 8, 9)])
def test_the_order_of_memory_does_not_matter_and_is_channels_last_after(shape, training):
    layer, x, g = layer_for(shape).double().train(training), numbers(shape, 1, offset=1.0), numbers(shape, 2)

    def run(x, g):
        layer.zero_grad()
        y = layer(from_numpy(x))
        dx = layer.backward(from_numpy(g))
        return y.numpy(), dx.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()

    wanted = run(x, g)
    for one, other in zip(orders(x), reversed(list(orders(g))), strict=True):
        found = run(one, other)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        for images in found[:2]:
            assert np.moveaxis(images, 1, -1).flags.c_contiguous


def test_the_input_is_kept_as_it_is_and_nothing_as_large_beside_it():
    x = np.moveaxis(np.ones((4, 5, 5, 3), np.float32), -1, 1)
    layer = BatchNorm2d(3)
    layer(from_numpy(x))
    kept = [array for array in vars(layer._applied).values() if isinstance(array, np.ndarray)]
    assert any(array is x for array in kept)
    assert sum(array.size for array in kept if array is not x) <= 4 * 3


def test_an_application_goes_when_the_layer_is_applied_again():
    layer, x = BatchNorm2d(3), Tensor(numbers((4, 3, 2, 2), dtype=np.float32))
    layer(x)
    first = weakref.ref(layer._applied)
    gc.disable()
    try:
        layer(x)
        assert first() is None
    finally:
        gc.enable()


def test_float16_is_computed_in_float32():
    x = numbers((64, 3, 4, 4), dtype=np.float16, offset=20.0) * np.float16(30)
    layer = BatchNorm2d(3)
    y = layer.half()(Tensor(x))
    assert y.dtype == layer.running_var.dtype == np.float16
    assert layer.backward(y).dtype == layer.weight.grad.dtype == np.float16
    values = x.astype(np.float64)
    off = values - values.mean(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(
        y.numpy(), off / values.std(axis=(0, 2, 3), keepdims=True), rtol=2e-3, atol=2e-3
    )
    np.testing.assert_allclose(
        layer.running_var.numpy(), 0.9 + 0.1 * values.var(axis=(0, 2, 3), ddof=1), rtol=1e-3
    )
    # With float32 parameters it is float32 that comes out, as NumPy promotes.
    assert BatchNorm2d(3)(Tensor(x)).dtype == np.float32


def test_float32_stays_float32():
    layer, x = BatchNorm2d(3), Tensor(numbers((4, 3, 2, 2), dtype=np.float32))
    for training in (True, False):
        assert layer.train(training)(x).dtype == layer.backward(x).dtype == np.float32
    assert layer.weight.grad.dtype == layer.running_mean.dtype == layer.running_var.dtype == np.float32
    for function in (BatchNormFunction(1e-5), BatchNormEvalFunction(np.zeros(3), np.ones(3), 1e-5)):
        assert function(x, np.ones(3, np.float64)).dtype == np.float64


def test_only_what_is_wanted_is_worked_out():
    x = Tensor(numbers((4, 3, 2, 2)))
    for function in (BatchNormFunction(1e-5), BatchNormEvalFunction(np.zeros(3), np.ones(3), 1e-5)):
        function(x, numbers(3, 1), numbers(3, 2))
        everything = function.gradients(numbers((4, 3, 2, 2), 3))
        for needs in (
            (True, False, False),
            (False, True, False),
            (False, False, True),
            (False, False, False),
        ):
            function.needs = needs
            found = function.backward(numbers((4, 3, 2, 2), 3))
            for one, wanted, need in zip(found, everything, needs, strict=True):
                assert (one is None) != need
                if need and wanted is not None:
                    np.testing.assert_array_equal(one, wanted)


def test_running_values_may_move_between_a_forward_in_eval_and_its_rule():
    layer, x = BatchNorm2d(3), Tensor(numbers((4, 3, 2, 2), dtype=np.float32))
    y = layer.eval()(x)
    applied = layer._applied
    wanted = applied.gradients(y.numpy())
    layer.train()(Tensor(x.numpy() * 5))
    assert all(np.array_equal(a, b) for a, b in zip(applied.gradients(y.numpy()), wanted, strict=True))


def test_loops_run_the_same_layer():
    x = Tensor(numbers((4, 3, 2, 3), dtype=np.float32))
    one, other = BatchNorm2d(3), BatchNorm2d(3)
    for training in (True, False):
        y, dx = one.train(training)(x), one.backward(x)
        with kernels.use("loops"):
            slow, slow_dx = other.train(training)(x), other.backward(x)
        np.testing.assert_allclose(slow, y, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(slow_dx, dx, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.running_var, one.running_var, rtol=1e-6)


def test_functional_is_the_layer():
    layer, x = BatchNorm2d(3, momentum=0.3), Tensor(numbers((4, 3, 5, 2), dtype=np.float32))
    mean, variance = np.zeros(3, np.float32), np.ones(3, np.float32)
    for training in (True, False):
        y = batch_norm(x, mean, variance, layer.weight, layer.bias, training, 0.3)
        np.testing.assert_array_equal(y, layer.train(training)(x))
        # In place, in whatever array it was given.
        np.testing.assert_array_equal(mean, layer.running_mean)
        np.testing.assert_array_equal(variance, layer.running_var)
    alone = batch_norm(x, None, None, training=True)
    np.testing.assert_array_equal(alone, BatchNorm2d(3, affine=False)(x))
    assert in_float64(None) is None


def test_names_of_the_state_are_pytorchs():
    layer = BatchNorm2d(4)
    state = layer.state_dict()
    assert list(state) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert state["num_batches_tracked"].shape == () and state["num_batches_tracked"].dtype == np.int64
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    given = {
        "weight": np.arange(4.0), "bias": np.arange(4.0) + 1, "running_mean": np.arange(4.0) + 2,
        "running_var": np.arange(4.0) + 3, "num_batches_tracked": np.array(17),
    }  # fmt: skip
    layer.load_state_dict(given)
    assert all(np.array_equal(layer.state_dict()[name], value) for name, value in given.items())
    layer(Tensor(numbers((3, 4, 2, 2))))
    assert layer.num_batches_tracked.item() == 18
    del given["num_batches_tracked"]  # files from before PyTorch 0.4.1
    assert layer.load_state_dict(given) == ([], []) and layer.num_batches_tracked.item() == 18
    layer.reset_parameters()
    assert set(layer.weight.tolist()) == set(layer.running_var.tolist()) == {1.0}
    assert set(layer.bias.tolist()) == set(layer.running_mean.tolist()) == {0.0}
    assert layer.num_batches_tracked.item() == 0
    with pytest.raises(StateDictError, match="running_mean"):
        layer.load_state_dict({name: value for name, value in given.items() if name != "running_mean"})


def test_parameters_that_are_left_out():
    assert BatchNorm2d(3, affine=False).weight is None and BatchNorm2d(3, affine=False).bias is None
    assert BatchNorm2d(3, bias=False).bias is None and BatchNorm2d(3, bias=False).weight is not None
    layer = BatchNorm1d(3, dtype=np.float64)
    assert layer.weight.dtype == layer.running_mean.dtype == layer.running_var.dtype == np.float64
    assert layer.num_batches_tracked.dtype == np.int64


IMAGES, ROWS = np.zeros((2, 3, 4, 4), np.float32), np.zeros((2, 3), np.float32)
THREE, FOUR = np.ones(3, np.float32), np.ones(4, np.float32)

WRONG = [
    (lambda: BatchNorm2d(3)(ROWS), ShapeError, r"BatchNorm2d.*\(2, 3\).*\(N, C, H, W\)"),
    (lambda: BatchNorm2d(3)(IMAGES[0]), ShapeError, r"\(3, 4, 4\)"),
    (lambda: BatchNorm1d(3)(IMAGES), ShapeError, r"BatchNorm1d.*\(N, C\) or \(N, C, L\)"),
    (lambda: BatchNorm2d(4)(IMAGES), ShapeError, r"3 channels.*num_features is 4"),
    (lambda: BatchNorm2d(4).eval()(IMAGES), ShapeError, r"3 channels.*num_features is 4"),
    (lambda: BatchNorm2d(3)(IMAGES.astype(int)), DTypeError, r"int64.*astype"),
    (lambda: BatchNorm2d(3).eval()(IMAGES.astype(bool)), DTypeError, "bool"),
    (lambda: BatchNorm2d(-1), ArgumentError, r"num_features.*-1"),
    (lambda: BatchNorm2d(2.5), ArgumentError, r"num_features.*2\.5"),
    (lambda: BatchNorm2d(True), ArgumentError, "num_features"),
    (lambda: BatchNorm2d(3, eps="a"), ArgumentError, "eps"),
    (lambda: BatchNorm2d(3, momentum="a"), ArgumentError, "momentum"),
    (lambda: batch_norm(IMAGES, None, None), ArgumentError, "running_mean and running_var are needed"),
    (lambda: batch_norm(IMAGES, THREE, None, training=True), ArgumentError, "both"),
    (lambda: batch_norm(IMAGES, FOUR, FOUR), ShapeError, r"running mean.*\(4,\).*3 channels"),
    (lambda: batch_norm(IMAGES, THREE, FOUR), ShapeError, r"running variance.*\(4,\).*3 channels"),
    (lambda: batch_norm(IMAGES, FOUR, FOUR, training=True), ShapeError, r"running mean.*\(4,\).*3 channels"),
    (lambda: batch_norm(IMAGES, THREE, THREE, FOUR), ShapeError, r"weight.*\(4,\).*3 channels"),
    (lambda: batch_norm(IMAGES, THREE, THREE, None, FOUR, True), ShapeError, r"bias.*\(4,\)"),
    (lambda: batch_norm(THREE, THREE, THREE), ShapeError, r"\(N, C, …\)"),
    (lambda: batch_norm(IMAGES, THREE, THREE, eps=None), ArgumentError, "eps"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_gradient_of_another_shape_is_refused():
    layer = BatchNorm2d(3)
    with pytest.raises(GradientError, match="call the layer"):
        layer.backward(IMAGES)
    layer(IMAGES + np.arange(4, dtype=np.float32))
    for shape in ((2, 3, 4), (2, 3, 4, 1), (1, 3, 4, 4), (2, 4, 4, 3)):
        with pytest.raises(ShapeError):
            layer.backward(np.ones(shape, np.float32))
    assert layer.weight.grad is None


def test_looks():
    # The strings are PyTorch 2.13's.
    assert repr(BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(BatchNorm1d(3, 0.1, None, False, False)) == (
        "BatchNorm1d(3, eps=0.1, momentum=None, affine=False, bias=False, track_running_stats=False)"
    )
