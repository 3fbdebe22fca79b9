"""Loss: what reductions mean, gradients by hand, and what a loss refuses."""

import math

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_nn.loss import Loss, Reduced
from tt_tensor import Function, Tensor, manual_seed, randn
from tt_tensor.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    IndexingError,
    InPlaceError,
    ShapeError,
    TTError,
)

LOSSES = [
    nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss,
    nn.NLLLoss, nn.KLDivLoss,
]  # fmt: skip
BY_CLASS = (nn.CrossEntropyLoss, nn.NLLLoss)


def data(loss, shape=(4, 3), dtype=np.float32, seed=0):
    """A prediction and a target that the loss takes."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.05, 0.95, shape).astype(dtype)
    if loss in BY_CLASS:
        return x, rng.integers(0, shape[1], shape[:1] + shape[2:])
    return x, rng.uniform(0.05, 0.95, shape).astype(dtype)


@pytest.mark.parametrize("loss", LOSSES)
def test_mean_is_the_sum_over_the_count(loss):
    x, t = data(loss)
    each = loss(reduction="none")(x, t).numpy()
    assert each.shape == (t.shape if loss in BY_CLASS else x.shape)
    np.testing.assert_allclose(loss(reduction="sum")(x, t), each.sum(), rtol=1e-6)
    np.testing.assert_allclose(loss()(x, t), each.mean(), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_of_uneven_batches_is_weighted_by_their_sizes(loss):
    x, t = data(loss, (7, 3), np.float64)
    loss_fn = loss()
    whole = loss_fn(x, t).item()
    gradient = loss_fn.backward().numpy()
    parts, gradients = 0.0, []
    for batch in (slice(0, 4), slice(4, 7)):
        parts += loss_fn(x[batch], t[batch]).item() * len(x[batch])
        gradients.append(loss_fn.backward().numpy() * len(x[batch]))
    assert parts / 7 == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(np.concatenate(gradients) / 7, gradient, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_prediction_is_that_of_loss_and_gradient(loss, dtype):
    x, t = data(loss, dtype=dtype)
    for reduction in ("mean", "sum", "none"):
        loss_fn = loss(reduction=reduction)
        y = loss_fn(Tensor(x), Tensor(t))
        assert y.dtype == dtype
        assert loss_fn.backward(Tensor(np.ones(y.shape, dtype))).dtype == dtype
        if reduction != "none":
            assert loss_fn.backward().dtype == dtype


@pytest.mark.parametrize("loss", LOSSES)
def test_float16_is_computed_in_float32(loss):
    # The mean over 4,096 elements: in float16, 1 / 4096 · gradient and the sum would have lost their digits.
    x, t = data(loss, (4096, 4), np.float16)
    wide = [a.astype(np.float32) if a.dtype == np.float16 else a for a in (x, t)]
    half, single = loss(), loss()
    assert half(x, t).item() == pytest.approx(single(*wide).item(), rel=1e-3)
    np.testing.assert_allclose(half.backward(), single.backward(), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sum_of_many_keeps_its_digits(loss):
    x, t = data(loss, (250_000, 4))
    exact = loss()(x.astype(np.float64), t if loss in BY_CLASS else t.astype(np.float64)).item()
    assert loss()(x, t).item() == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_memory_layout_does_not_matter(loss):
    x, t = data(loss, (6, 4), np.float64)
    loss_fn = loss()
    wanted, gradient = loss_fn(x, t).item(), loss_fn.backward().numpy()
    wide = np.zeros((6, 8))
    wide[:, ::2] = x
    for layout in (np.asfortranarray(x), wide[:, ::2], x[::-1].copy()[::-1]):
        assert loss_fn(layout, t).item() == pytest.approx(wanted, rel=1e-14)
        np.testing.assert_allclose(loss_fn.backward(), gradient, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_given_is_changed_and_the_rule_can_be_called_twice(loss):
    x, t = data(loss, (5, 4))
    kept = x.copy(), t.copy()
    loss_fn = loss()
    loss_fn(x, t)
    first = loss_fn.backward().numpy().copy()
    np.testing.assert_array_equal(loss_fn.backward(), first)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(t, kept[1])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_of_nothing(loss):
    x, t = data(loss, (0, 3))
    assert math.isnan(loss()(x, t).item())  # 0 / 0, as in PyTorch
    assert loss(reduction="sum")(x, t).item() == 0
    none = loss(reduction="none")
    assert none(x, t).shape == t.shape
    assert none.backward(Tensor(np.zeros(t.shape, np.float32))).shape == (0, 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_backward_multiplies_by_the_gradient_it_is_given(loss):
    x, t = data(loss, dtype=np.float64)
    loss_fn = loss()
    loss_fn(x, t)
    one = loss_fn.backward()
    assert isinstance(one, Tensor) and one.shape == (4, 3)
    for three in (3.0, np.float64(3), Tensor(3.0, np.float64)):
        np.testing.assert_allclose(loss_fn.backward(three), 3 * one.numpy(), rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_lists_arrays_and_names_will_do(loss):
    x, t = data(loss)
    wanted = loss()(Tensor(x), Tensor(t)).item()
    assert loss()(x.tolist(), t.tolist()).item() == wanted
    assert loss()(input=x, target=t).item() == wanted


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_looks_as_in_pytorch(loss):
    assert repr(loss()) == f"{loss.__name__}()"
    assert list(loss().parameters()) == [] and loss().state_dict() == {}


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (nn.BCELoss, ["weight"]),
        (nn.BCEWithLogitsLoss, ["weight", "pos_weight"]),
        (nn.CrossEntropyLoss, ["weight"]),
        (nn.NLLLoss, ["weight"]),
    ],
)
def test_weights_are_buffers_with_pytorchs_names(loss, names):
    loss_fn = loss(**{name: Tensor([1.0, 2.0, 3.0]) for name in names})
    assert list(loss_fn.state_dict()) == names
    assert loss_fn.double().weight.dtype == np.float64


def test_weights_are_copies():
    weight = Tensor([1.0, 2.0, 3.0])
    loss_fn = nn.CrossEntropyLoss(weight)
    weight.write(0.0)
    assert loss_fn.weight.tolist() == [1, 2, 3]


def test_targets_of_integers_and_bools_count_as_floats_of_the_prediction():
    x = np.array([0.5, 2.0], np.float32)
    for loss in (nn.MSELoss, nn.BCEWithLogitsLoss, nn.HuberLoss):
        wanted = loss()(x, np.array([0, 1], np.float32))
        for dtype in (np.int64, np.uint8, bool):
            found = loss()(x, np.array([0, 1]).astype(dtype))
            assert found.dtype == np.float32 and found.item() == wanted.item()
    assert F.mse_loss(2.0, 0.5).item() == 2.25


def test_a_prediction_changed_after_the_forward_is_noticed():
    x, t = randn(3, generator=manual_seed(0)), Tensor([0.0, 1.0, 1.0])
    loss_fn = nn.BCEWithLogitsLoss()
    loss_fn(x, t)
    x.write(0.0)
    with pytest.raises(InPlaceError, match="BCEWithLogitsFunction needs its saved value `z`"):
        loss_fn.backward()


def test_a_loss_of_ones_own():
    class Cubed(Reduced, Function):
        def forward(self, x, t):
            x, t = self.look_at("cubed", x, t)
            self.off = x - t
            return self.reduced(self.off**3)

        def backward(self, grad):
            return 3 * self.off**2 * self.shared(grad), None

    class CubedLoss(Loss):
        def forward(self, input, target):
            return self.compute(Cubed(self.reduction), input, target)

    loss_fn = CubedLoss()
    assert loss_fn(Tensor([3.0, 1.0]), Tensor([1.0, 1.0])).item() == 4
    assert loss_fn.backward().tolist() == [6, 0]


def test_a_function_that_returns_a_bare_array_will_do():
    class Double(Function):
        def forward(self, x):
            return np.add.reduce(x * 2, axis=None)

        def backward(self, grad):
            return np.full(3, 2, np.float32) * grad

    class DoubleLoss(Loss):
        def forward(self, input):
            return self.compute(Double(), input)

    loss_fn = DoubleLoss()
    loss_fn(Tensor([1.0, 2.0, 3.0]))
    assert loss_fn.backward().tolist() == [2, 2, 2]


def zeros(*shape):
    return np.zeros(shape, np.float32)


def wanting(*shape):
    return Tensor(np.ones(shape, np.float32), requires_grad=True)


def undone():
    return nn.MSELoss().backward()


def without_gradient():
    loss_fn = nn.MSELoss("none")
    loss_fn(zeros(2), zeros(2))
    return loss_fn.backward()


def with_wrong_gradient(reduction, shape):
    loss_fn = nn.CrossEntropyLoss(reduction=reduction)
    loss_fn(zeros(2, 3), np.array([0, 1]))
    return loss_fn.backward(zeros(*shape))


INDEX = np.array([0, 1])
WRONG = [
    (lambda: nn.MSELoss("max"), ArgumentError, "reduction must be one of 'mean', 'sum', 'none', not 'max'"),
    (lambda: F.l1_loss(zeros(2), zeros(2), None), ArgumentError, "reduction must be one of"),
    (lambda: F.cross_entropy(zeros(2, 3), INDEX, reduction=["mean"]), ArgumentError, "reduction must be"),
    (lambda: nn.MSELoss("batchmean"), ArgumentError, "not 'batchmean'"),
    (lambda: nn.KLDivLoss("avg"), ArgumentError, "'batchmean', not 'avg'"),
    (lambda: F.mse_loss(zeros(2, 3), zeros(3)), ShapeError, r"shape \(2, 3\), the target \(3,\)"),
    (lambda: F.l1_loss(zeros(3, 1), zeros(3)), ShapeError, "l1_loss: .* must be equal"),
    (lambda: F.huber_loss(zeros(3), 0.0), ShapeError, "huber_loss"),
    (lambda: F.smooth_l1_loss(zeros(3), zeros(2)), ShapeError, "smooth_l1_loss"),
    (lambda: F.kl_div(zeros(2, 3), zeros(3)), ShapeError, "kl_div"),
    (lambda: F.mse_loss(INDEX, INDEX), DTypeError, "the prediction is int64; a loss takes floats"),
    (lambda: F.mse_loss(zeros(2), None), DTypeError, "NoneType is no array of numbers"),
    (lambda: F.mse_loss(zeros(2), "no"), DTypeError, "dtype <U2 is not supported"),
    (
        lambda: F.huber_loss(zeros(2), zeros(2), delta=0),
        ArgumentError,
        "delta must be a number above 0, not 0",
    ),
    (lambda: nn.HuberLoss(delta=-1.0), ArgumentError, "HuberLoss: delta must be"),
    (lambda: nn.HuberLoss(delta=math.nan), ArgumentError, "not nan"),
    (lambda: nn.HuberLoss(delta="1"), ArgumentError, "not '1'"),
    (lambda: nn.HuberLoss(delta=True), ArgumentError, "not True"),
    (lambda: nn.SmoothL1Loss(beta=-0.5), ArgumentError, "SmoothL1Loss: beta must be"),
    (lambda: F.binary_cross_entropy(np.float32([0.5, 1.5]), zeros(2)), ArgumentError, r"at \(1,\) is 1.5"),
    (lambda: F.binary_cross_entropy(np.float32([math.nan]), zeros(1)), ArgumentError, "is nan"),
    (lambda: F.binary_cross_entropy(zeros(2), np.float32([0, 2])), ArgumentError, r"target at \(1,\) is 2.0"),
    (lambda: F.binary_cross_entropy(zeros(2), zeros(2), zeros(3)), ShapeError, r"weight has shape \(3,\)"),
    (lambda: nn.BCEWithLogitsLoss(zeros(4, 3))(zeros(3), zeros(3)), ShapeError, "does not broadcast"),
    (
        lambda: nn.BCEWithLogitsLoss(pos_weight=zeros(2))(zeros(3), zeros(3)),
        ShapeError,
        "pos_weight has shape",
    ),
    (lambda: F.binary_cross_entropy_with_logits(INDEX, INDEX, zeros(1)), DTypeError, "int64"),
    (lambda: F.binary_cross_entropy_with_logits(zeros(3, 1), zeros(3)), ShapeError, "must be equal"),
    (lambda: F.kl_div(zeros(2), np.float32([0.5, -0.5])), ArgumentError, "the target holds -0.5"),
    (lambda: F.cross_entropy(zeros(), 0), ShapeError, "needs an axis of classes"),
    (lambda: F.cross_entropy(zeros(2, 3), zeros(2)), DTypeError, "class indices are integers, not float32"),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([True, False])), DTypeError, "not bool"),
    (
        lambda: F.cross_entropy(zeros(2, 3), np.zeros((2, 3), int)),
        ShapeError,
        r"have shape \(2,\), not \(2, 3\)",
    ),
    (lambda: F.cross_entropy(zeros(2, 3), np.zeros(3, int)), ShapeError, r"not \(3,\)"),
    (lambda: F.cross_entropy(zeros(2, 3, 4), np.zeros((2, 3), int)), ShapeError, r"have shape \(2, 4\)"),
    (lambda: F.cross_entropy(zeros(2, 3), zeros(2, 4)), ShapeError, r"not \(2, 4\)"),
    (lambda: F.cross_entropy(zeros(2, 0), INDEX), ShapeError, "no classes to choose from"),
    (
        lambda: F.cross_entropy(zeros(2, 3), np.array([0, 3])),
        IndexingError,
        r"at \(1,\) is 3, but there are 3",
    ),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([-1, 0])), IndexingError, r"at \(0,\) is -1"),
    (lambda: F.cross_entropy(zeros(1, 2, 2), np.array([[0, 9]])), IndexingError, r"at \(0, 1\) is 9"),
    (lambda: F.nll_loss(zeros(2, 3), np.array([0, 2**40])), IndexingError, "nll_loss"),
    (lambda: F.nll_loss(zeros(2, 3), zeros(2, 3)), ShapeError, "class indices"),
    (lambda: F.cross_entropy(np.zeros((2, 3), int), INDEX), DTypeError, "the prediction is int64"),
    (lambda: F.cross_entropy(zeros(2, 3), INDEX, weight=zeros(2)), ShapeError, "one number for each of 3"),
    (lambda: nn.CrossEntropyLoss(zeros(3, 1))(zeros(2, 3), INDEX), ShapeError, r"weight has shape \(3, 1\)"),
    (lambda: F.cross_entropy(zeros(2, 3), zeros(2, 3), ignore_index=1), ArgumentError, "holds probabilities"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), ArgumentError, "from 0 to 1, not 1.5"),
    (lambda: nn.CrossEntropyLoss(label_smoothing="a"), ArgumentError, "not 'a'"),
    (lambda: nn.CrossEntropyLoss(ignore_index=0.5), ArgumentError, "ignore_index must be an integer"),
    (lambda: nn.NLLLoss(ignore_index=None), ArgumentError, "not None"),
    (lambda: F.cross_entropy(zeros(2, 3), INDEX, weight=wanting(3)), GradientError, "constant of the loss"),
    (lambda: F.nll_loss(zeros(2, 3), INDEX, weight=wanting(3)), GradientError, "nll_loss: `weight`"),
    (lambda: nn.CrossEntropyLoss(wanting(3)), GradientError, "CrossEntropyLoss: `weight`"),
    (lambda: nn.BCEWithLogitsLoss(pos_weight=wanting(3)), GradientError, "`pos_weight`"),
    (undone, GradientError, "nothing to send back yet"),
    (without_gradient, GradientError, "reduction='none' gives many losses"),
    (lambda: with_wrong_gradient("mean", (2,)), ShapeError, r"the shape of the output, \(\)"),
    (lambda: with_wrong_gradient("none", (3,)), ShapeError, r"the shape of the output, \(2,\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_calls(call, error, message):
    assert issubclass(error, TTError)
    with pytest.raises(error, match=message):
        call()
