"""What the mean of a loss is over: mean · count is the sum, for every loss of tt_nn."""

import functools

import numpy as np
import pytest

import tt_nn
from tt_nn import functional as F
from tt_optim.training.counting import counting
from tt_tensor import tensor
from tt_tensor.errors import ArgumentError, DTypeError

SHAPE = (4, 3)


def cases():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    yes = rng.integers(0, 2, SHAPE).astype(float)
    p = np.exp(t) / np.exp(t).sum(1, keepdims=True)
    log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
    labels, weight = np.array([0, 2, -100, 1]), np.array([0.5, 2.0, 3.0])
    spatial = rng.normal(size=(2, 3, 5)), rng.integers(0, 3, (2, 5))
    for kind in (tt_nn.MSELoss, tt_nn.L1Loss, tt_nn.SmoothL1Loss, tt_nn.HuberLoss):
        yield kind, {}, x, t
    yield tt_nn.BCELoss, {}, 1 / (1 + np.exp(-x)), yes
    yield tt_nn.BCEWithLogitsLoss, {}, x, yes
    yield tt_nn.BCEWithLogitsLoss, {"pos_weight": weight}, x, yes
    yield tt_nn.KLDivLoss, {}, log_p, p
    yield tt_nn.CrossEntropyLoss, {}, x, labels
    yield tt_nn.CrossEntropyLoss, {"weight": weight}, x, labels
    yield tt_nn.CrossEntropyLoss, {"ignore_index": 2}, x, np.array([0, 2, 1, 1])
    yield tt_nn.CrossEntropyLoss, {"label_smoothing": 0.1}, x, labels
    yield tt_nn.CrossEntropyLoss, {}, x, p
    yield tt_nn.CrossEntropyLoss, {}, *spatial
    yield tt_nn.CrossEntropyLoss, {}, x[0], np.array(1)
    yield tt_nn.NLLLoss, {}, log_p, labels
    yield tt_nn.NLLLoss, {"weight": weight}, log_p, labels


@pytest.mark.parametrize(("kind", "options", "x", "t"), list(cases()))
def test_mean_times_count_is_the_sum(kind, options, x, t):
    x, t = tensor(x), tensor(t)
    mean, total = kind(**options), kind(**options, reduction="sum")
    rule = counting(mean)
    assert rule.known and rule.reduction == "mean"
    assert mean(x, t).item() * rule.terms(x, t) == pytest.approx(total(x, t).item(), rel=1e-6)
    assert counting(total).reduction == "sum"


def test_batchmean_is_over_the_rows():
    x, t = tensor(np.log(np.full(SHAPE, 1 / 3))), tensor(np.full(SHAPE, 1 / 3))
    rule = counting(tt_nn.KLDivLoss(reduction="batchmean"))
    assert rule.reduction == "mean" and rule.known and rule.terms(x, t) == 4


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (F.cross_entropy, 3),
        (functools.partial(F.cross_entropy, ignore_index=0), 3),
        (functools.partial(F.cross_entropy, ignore_index=7), 4),
    ],
)
def test_functions_of_tt_nn_are_known(function, wanted):
    targets = tensor([0, 1, 2, -100]) if function is F.cross_entropy else tensor([0, 1, 2, 1])
    rule = counting(function)
    assert rule.known and rule.terms(tensor(np.zeros((4, 3))), targets) == wanted
    assert counting(functools.partial(F.mse_loss, reduction="sum")).reduction == "sum"


def test_of_others_the_rows_are_a_guess():
    rule = counting(lambda x, t: (x - t).mean())
    assert not rule.known and rule.terms(tensor(np.zeros((5, 2))), tensor(np.zeros((5, 2)))) == 5


def test_a_loss_may_say_it_itself():
    class Mine(tt_nn.Module):
        reduction = "mean"

        def forward(self, x, t):
            return (x - t).mean()

        def count(self, outputs, targets):
            return 7

    assert counting(Mine()).known and counting(Mine()).terms(None, None) == 7
    assert counting(tt_nn.MSELoss(), count=lambda x, t: 2).terms(None, None) == 2


@pytest.mark.parametrize(
    ("loss", "options", "error", "words"),
    [
        (tt_nn.MSELoss(reduction="none"), {}, ArgumentError, "one number"),
        ("mse", {}, DTypeError, "function"),
        (tt_nn.MSELoss(), {"count": 3}, DTypeError, "count"),
    ],
)
def test_what_is_no_loss_is_refused(loss, options, error, words):
    with pytest.raises(error, match=words):
        counting(loss, **options)
