"""Cross entropy and NLL: the fused rules equal naive loops; masks, weights of 0, ignored rows, extremes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn as nn
import tt_nn.functional as F
from tt_nn.losses import picked
from tt_tensor import Tensor
from tt_tensor.errors import GradientError

INF, NAN = math.inf, math.nan
REDUCTIONS = ["mean", "sum", "none"]


def log_softmax(row):
    top = max(row)
    if top == -INF:
        return [-INF] * len(row)
    total = math.log(sum(math.exp(v - top) for v in row))
    return [v - top - total for v in row]


def times(w, cost):
    """w · cost, where 0 · inf is 0."""
    return w * cost if w else 0.0


def rows_of(x):
    """Where each row of classes is: axis 1, or axis 0 of a single one."""
    axis = 1 if x.ndim > 1 else 0
    return np.moveaxis(x, axis, -1)


def looped(x, target, weight, ignored, smoothing, reduction, soft):
    """The definition, one row and one class after the other: loss, and gradient for cos(1), cos(2), …"""
    rows = rows_of(x)
    classes = rows.shape[-1]
    w = [1.0] * classes if weight is None else weight.tolist()
    losses, slopes = np.zeros(rows.shape[:-1]), np.zeros(rows.shape)
    counted = 0.0
    for at in np.ndindex(losses.shape):
        log_p = log_softmax(rows[at].tolist())
        if soft:
            given = rows_of(target)[at]
            share = [w[c] * (float(given[c]) * (1 - smoothing) + smoothing / classes) for c in range(classes)]
            counted += 1
        elif target[at] == ignored:
            continue
        else:
            share = [smoothing / classes * w[c] for c in range(classes)]
            share[target[at]] += (1 - smoothing) * w[target[at]]
            counted += w[target[at]]
        losses[at] = sum(times(s, -cost) for s, cost in zip(share, log_p, strict=True))
        for c in range(classes):
            slopes[at][c] = 0.0 if max(log_p) == -INF else math.exp(log_p[c]) * sum(share) - share[c]
    if reduction == "none":
        grad = np.cos(np.arange(1, losses.size + 1)).reshape(losses.shape)
        return losses, np.moveaxis(slopes * grad[..., None], -1, 1 if x.ndim > 1 else 0), grad
    if reduction == "mean":
        scale = 1 / counted if counted else 0.0
    else:
        scale = 1.0
    slopes = np.moveaxis(slopes, -1, 1 if x.ndim > 1 else 0) * scale
    return (losses.sum() * scale if scale else 0.0), slopes, np.float64(1)


@st.composite
def problems(draw):
    """Logits, targets and options of any kind."""
    classes = draw(st.integers(1, 5))
    inner = draw(st.lists(st.integers(1, 3), max_size=2))
    n = draw(st.integers(1, 4))
    shape = (n, classes, *inner) if draw(st.integers(0, 4)) or inner else (classes,)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    x = rng.normal(size=shape) * draw(st.sampled_from([1.0, 10.0, 1e3]))
    if draw(st.booleans()):
        x = np.where(rng.uniform(size=shape) < draw(st.sampled_from([0.2, 0.8])), -INF, x)
    rest = rows_of(x).shape[:-1]
    weight = draw(st.sampled_from([None, "some", "zeros"]))
    if weight is not None:
        weight = rng.uniform(0.5, 2, classes) * (rng.integers(0, 2, classes) if weight == "zeros" else 1)
    soft = draw(st.booleans())
    if soft:
        target = rng.dirichlet(np.ones(classes), rest)
        target = np.moveaxis(np.where(rng.uniform(size=target.shape) < 0.3, 0, target), -1, x.ndim > 1)
        ignored = -100
    else:
        ignored = draw(st.sampled_from([-100, 0, -1]))
        target = rng.integers(0, classes, rest)
        target = np.where(rng.uniform(size=rest) < draw(st.sampled_from([0.0, 0.3, 1.0])), ignored, target)
    smoothing = draw(st.sampled_from([0.0, 0.0, 0.1, 0.7, 1.0]))
    return x, target, weight, ignored, smoothing, draw(st.sampled_from(REDUCTIONS)), soft


@given(problems())
def test_cross_entropy_is_its_definition(problem):
    x, target, weight, ignored, smoothing, reduction, soft = problem
    losses, slopes, grad = looped(*problem)
    loss_fn = nn.CrossEntropyLoss(weight, ignored, reduction, smoothing)
    if soft:
        loss_fn.ignore_index = -100
    found = loss_fn(Tensor(x), Tensor(target))
    np.testing.assert_allclose(found, losses, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(loss_fn.backward(grad), slopes, rtol=1e-9, atol=1e-12)


@given(problems().filter(lambda problem: not problem[-1]))
def test_nll_of_log_softmax_is_cross_entropy(problem):
    x, target, weight, ignored, _, reduction, _ = problem
    log_p = np.moveaxis(
        np.array([log_softmax(r) for r in rows_of(x).reshape(-1, rows_of(x).shape[-1])]), -1, 0
    )
    log_p = np.moveaxis(
        log_p.reshape(rows_of(x).shape[-1:] + rows_of(x).shape[:-1]), 0, 1 if x.ndim > 1 else 0
    )
    wanted, _, grad = looped(x, target, weight, ignored, 0.0, reduction, False)
    loss_fn = nn.NLLLoss(weight, ignored, reduction)
    np.testing.assert_allclose(loss_fn(log_p, target), wanted, rtol=1e-9, atol=1e-11)
    dx = rows_of(loss_fn.backward(grad).numpy())
    assert dx.shape == rows_of(x).shape
    # One entry of each row that counts: its weight times the gradient, and the mean divides by the sum of them.
    w = np.ones(dx.shape[-1]) if weight is None else weight
    counts = np.where(target == ignored, 0, w[np.where(target == ignored, 0, target)])
    scale = 1.0 if reduction != "mean" else 1 / counts.sum() if counts.sum() else 0.0
    np.testing.assert_allclose(dx.sum(-1), -counts * grad * scale, rtol=1e-12, atol=1e-15)
    assert np.count_nonzero(dx) <= counts.size


@given(problems().filter(lambda problem: np.isfinite(problem[0]).all()))
def test_a_shift_of_the_logits_changes_nothing_and_gradients_of_a_row_add_up_to_0(problem):
    x, target, weight, ignored, smoothing, reduction, soft = problem
    loss_fn = nn.CrossEntropyLoss(weight, -100 if soft else ignored, reduction, smoothing)
    here = loss_fn(x, target).numpy()
    grad = np.ones(here.shape)
    dx = loss_fn.backward(grad).numpy()
    np.testing.assert_allclose(rows_of(dx).sum(-1), 0, atol=1e-12)
    there = loss_fn(x + 1000.0, target)
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(loss_fn.backward(grad), dx, rtol=1e-8, atol=1e-10)


@given(problems().filter(lambda problem: not problem[-1]))
def test_indices_are_probabilities_of_one(problem):
    x, target, weight, ignored, smoothing, _, _ = problem
    if (target == ignored).any():
        target = np.where(target == ignored, 0, target)
    axis = 1 if x.ndim > 1 else 0
    onehot = np.moveaxis(np.eye(x.shape[axis])[target], -1, axis)
    options = {"reduction": "none", "label_smoothing": smoothing}
    if weight is not None and smoothing:
        weight = None  # the weight of the target is then spread in another way
    by_index = F.cross_entropy(x, target, weight, **options)
    np.testing.assert_allclose(F.cross_entropy(x, onehot, weight, **options), by_index, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(700, 300), (3, 70_000), (40, 20, 200), (5, 4, 6, 5)])
@pytest.mark.parametrize("kind", ["small", "large", "masked"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_many_logits_are_computed_in_blocks(shape, kind, smoothing, monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape) * (1 if kind == "small" else 100)
    if kind == "masked":
        np.moveaxis(x, 1, -1)[0] = -INF
        x[1, 1] = -INF
    target = rng.integers(2, shape[1], shape[:1] + shape[2:])
    target[2] = -100
    weight = rng.uniform(size=shape[1])
    found, gradients = [], []
    for block in (1 << 17, 1 << 30, 64):
        monkeypatch.setattr(picked, "BLOCK", block)
        loss_fn = nn.CrossEntropyLoss(weight, reduction="none", label_smoothing=smoothing)
        found.append(loss_fn(x, target).numpy())
        gradients.append(loss_fn.backward(np.ones(target.shape)).numpy())
    for other in (1, 2):
        np.testing.assert_allclose(found[other], found[0], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(gradients[other], gradients[0], rtol=1e-11, atol=1e-14)
    assert np.isinf(found[0][0]).all() == (kind == "masked") or smoothing
    assert not found[0][2].any() and not gradients[0][2].any()


def by_hand(x, target, dtype=np.float32, **options):
    loss_fn = nn.CrossEntropyLoss(**options)
    loss = loss_fn(Tensor(x, dtype), target)
    return loss.tolist(), loss_fn.backward(np.ones(loss.shape, dtype)).numpy()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("soft", [False, True])
def test_logits_of_1e4(dtype, soft):
    x = [[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [1e4, 1e4, -1e4]]
    target = np.eye(3, dtype=dtype)[[0, 1, 1]] if soft else np.array([0, 1, 1])
    loss, dx = by_hand(x, target, dtype, reduction="none")
    np.testing.assert_allclose(loss, [0, 20_000, math.log(2)], rtol=1e-3)
    np.testing.assert_allclose(dx, [[0, 0, 0], [1, -1, 0], [0.5, -0.5, 0]], atol=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_a_masked_class(soft):
    def target(index):
        return np.eye(3, dtype=np.float32)[[index]] if soft else np.array([index])

    x = [[1.0, -INF, 1.0]]
    loss, dx = by_hand(x, target(0))  # not the target: as if it were not there
    assert loss == pytest.approx(math.log(2)) and dx.tolist() == [[-0.5, 0, 0.5]]
    loss, dx = by_hand(x, target(1))  # the target: impossible, but it can be pushed up
    assert loss == INF and dx.tolist() == [[0.5, -1, 0.5]]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_fully_masked_row_costs_inf_and_sends_nothing_back(soft, smoothing):
    target = np.full((2, 3), 1 / 3, np.float32) if soft else np.array([1, 1])
    x = [[-INF, -INF, -INF], [0.0, 0.0, 0.0]]
    loss, dx = by_hand(x, target, reduction="none", label_smoothing=smoothing)
    assert loss == [INF, pytest.approx(math.log(3))]
    assert dx[0].tolist() == [0, 0, 0] and np.isfinite(dx).all()
    loss, dx = by_hand(x, target, label_smoothing=smoothing)
    assert loss == INF and dx[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("row", [[NAN, 1.0, 2.0], [INF, 1.0, 2.0], [-INF, -INF, -INF], [1e30, -1e30, -INF]])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0, 3.0]}])
def test_an_ignored_row_adds_nothing_whatever_is_in_it(row, options):
    alone, slope = by_hand([[1.0, 2.0, 3.0]], np.array([2]), **options)
    both, slopes = by_hand([row, [1.0, 2.0, 3.0]], np.array([-100, 2]), **options)
    # To the last bit or two: the extremes of a batch decide whether its rows are shifted.
    assert both == pytest.approx(alone, rel=1e-6) and slopes[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(slopes[1], slope[0], rtol=1e-6)


@pytest.mark.parametrize("row", [[NAN, 1.0, 2.0], [INF, 1.0, 2.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
def test_nan_and_inf_are_no_masks_and_show(row, smoothing, soft):
    target = np.eye(3, dtype=np.float32)[[1]] if soft else np.array([1])
    loss, dx = by_hand([row], target, label_smoothing=smoothing)
    assert math.isnan(loss) and np.isnan(dx).all()


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0, 3.0]}])
def test_if_all_are_ignored_the_loss_is_0(options):
    for reduction, wanted in (("mean", 0), ("sum", 0), ("none", [0, 0])):
        loss, dx = by_hand([[1.0, 2.0, 3.0]] * 2, np.array([-100, -100]), reduction=reduction, **options)
        assert loss == wanted and not dx.any()


def test_if_all_weigh_0_the_loss_is_0():
    loss, dx = by_hand([[1.0, 2.0, -INF]], np.array([1]), weight=[1.0, 0.0, 1.0], label_smoothing=0.1)
    assert loss == 0 and not dx.any()


def test_a_class_of_weight_0_costs_nothing_even_if_it_is_masked():
    loss, dx = by_hand([[1.0, -INF, 2.0], [1.0, 2.0, 3.0]], np.array([1, 0]), weight=[1.0, 0.0, 1.0])
    assert loss == pytest.approx(2.4076059) and not dx[0].any()
    loss, dx = by_hand(
        [[1.0, -INF, 1.0]], np.array([0]), weight=[1.0, 0.0, 1.0], label_smoothing=0.3, reduction="sum"
    )
    assert loss == pytest.approx(0.9 * math.log(2)) and np.isfinite(dx).all()
    found = F.nll_loss(Tensor([[1.0, -INF], [-2.0, 0.0]]), np.array([1, 0]), Tensor([1.0, 0.0]))
    assert found.item() == 2


def test_label_smoothing_makes_a_masked_class_cost_inf_as_in_pytorch():
    loss, dx = by_hand([[1.0, -INF, 2.0]], np.array([0]), label_smoothing=0.1)
    assert loss == INF
    np.testing.assert_allclose(dx, [[-0.66439188, -0.03333333, 0.69772524]], rtol=1e-6)  # PyTorch's


def test_no_loss_is_below_0():
    rng = np.random.default_rng(0)
    for scale in (1, 5, 8, 30):
        x = (rng.normal(size=(500, 3)) * scale).astype(np.float32)
        losses = F.cross_entropy(x, x.argmax(1), reduction="none").numpy()
        assert (losses >= 0).all() and not np.signbit(losses).any()


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
)
def test_targets_of_any_integer_dtype(dtype):
    x = np.random.default_rng(0).normal(size=(4, 300))
    target = np.array([0, 100, 120, 7])
    wanted = F.cross_entropy(x, target).item()
    assert F.cross_entropy(x, target.astype(dtype)).item() == wanted
    if np.dtype(dtype).kind == "u":
        most = int(np.iinfo(dtype).max)
        if most < 2**63:
            some = F.cross_entropy(x, np.array([0, most, most, 7], dtype), ignore_index=most).item()
            assert some == pytest.approx(F.cross_entropy(x[[0, 3]], target[[0, 3]]).item())


def test_a_single_prediction_and_python_numbers():
    assert F.cross_entropy([1.0, 1.0], 0).item() == pytest.approx(math.log(2))
    assert F.cross_entropy(Tensor([1.0, 1.0]), np.int64(1)).shape == ()
    assert F.cross_entropy([1.0, 1.0], 0, reduction="none").shape == ()
    assert F.cross_entropy([1.0, 1.0], [0.5, 0.5]).item() == pytest.approx(math.log(2))
    assert F.nll_loss([-3.0, -1.0], 0).item() == 3


def test_one_class():
    loss, dx = by_hand([[3.0], [-2.0]], np.array([0, 0]))
    assert loss == 0 and not dx.any()


def test_targets_of_probabilities_get_their_gradient_in_the_functional_form():
    x, t = np.array([[1.0, 2.0, 3.0]]), np.array([[0.2, 0.3, 0.5]])
    loss_fn = nn.CrossEntropyLoss([1.0, 2.0, 3.0], label_smoothing=0.2)
    loss_fn(Tensor(x), Tensor(t))
    function = loss_fn._applied
    function.needs = None
    dt = function.gradients(np.float64(1))[1]
    np.testing.assert_allclose(dt, -0.8 * np.array([log_softmax([1.0, 2.0, 3.0])]) * [1, 2, 3], rtol=1e-12)


def test_weights_of_integers_and_float64_leave_float32():
    x, t = np.zeros((2, 3), np.float32), np.array([0, 1])
    for weight in ([1, 2, 3], np.array([1.0, 2.0, 3.0]), Tensor([1, 2, 3])):
        for target in (t, np.full((2, 3), 1 / 3), np.full((2, 3), 1 / 3, np.float32)):
            assert F.cross_entropy(x, target, weight, label_smoothing=0.1).dtype == np.float32
        assert F.nll_loss(x, t, weight).dtype == np.float32
        assert F.cross_entropy(x.astype(np.float64), t, weight).dtype == np.float64


def test_a_weight_that_wants_a_gradient_is_refused_not_cut():
    weight = nn.Parameter([1.0, 2.0])
    with pytest.raises(GradientError, match=r"weight\.detach"):
        nn.CrossEntropyLoss(weight)
    assert nn.CrossEntropyLoss(weight.detach()).weight.tolist() == [1, 2]
