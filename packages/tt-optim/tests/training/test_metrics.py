"""Metrics against their definitions in plain loops, over cuts into uneven batches."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import CrossEntropyLoss, L1Loss, MSELoss
from tt_optim.training import Accuracy, ConfusionMatrix, MeanLoss, Metric, Perplexity, TopKAccuracy
from tt_optim.training.metrics import Mean
from tt_tensor import Tensor, tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


@st.composite
def labelled(draw):
    """Scores (N, C) with ties, labels with ignored ones, and an uneven cut into batches."""
    rows, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(-3, 4, (rows, classes)).astype(np.float32)
    labels = rng.integers(0, classes, rows)
    labels[rng.random(rows) < 0.2] = -100
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=4)))
    return scores, labels, list(zip([0, *cuts], [*cuts, rows], strict=True))


def measured(metric, scores, labels, parts):
    for start, stop in parts:
        metric.update(Tensor(scores[start:stop]), Tensor(labels[start:stop]))
    return metric.compute()


def same(found, wanted):
    return found == wanted or (math.isnan(found) and math.isnan(wanted))


@given(labelled())
def test_accuracy_counts_rows(case):
    scores, labels, parts = case
    right = counted = 0
    for row, label in zip(scores, labels, strict=True):
        if label != -100:
            best = max(range(len(row)), key=lambda c: (row[c], -c))
            right += best == label
            counted += 1
    wanted = right / counted if counted else math.nan
    assert same(measured(Accuracy(), scores, labels, parts), wanted)


@given(labelled(), st.integers(1, 6))
def test_top_k_is_a_place_among_the_first_k_sorted(case, k):
    scores, labels, parts = case
    k = min(k, scores.shape[1])
    right = counted = 0
    for row, label in zip(scores, labels, strict=True):
        if label != -100:
            order = sorted(range(len(row)), key=lambda c: (-row[c], c))
            right += label in order[:k]
            counted += 1
    wanted = right / counted if counted else math.nan
    assert same(measured(TopKAccuracy(k), scores, labels, parts), wanted)
    if k == 1:
        assert same(measured(Accuracy(), scores, labels, parts), wanted)


@given(labelled())
def test_perplexity_is_exp_of_total_nll_by_total_tokens(case):
    scores, labels, parts = case
    nll = tokens = 0
    for row, label in zip(scores.astype(float), labels, strict=True):
        if label != -100:
            nll += math.log(sum(math.exp(x) for x in row)) - row[label]
            tokens += 1
    found = measured(Perplexity(), scores, labels, parts)
    assert math.isnan(found) if not tokens else math.isclose(found, math.exp(nll / tokens), rel_tol=1e-12)


@given(labelled())
def test_the_confusion_matrix_by_loops(case):
    scores, labels, parts = case
    classes = scores.shape[1]
    wanted = [[0] * classes for _ in range(classes)]
    for row, label in zip(scores, labels, strict=True):
        if label != -100:
            wanted[label][max(range(classes), key=lambda c: (row[c], -c))] += 1
    assert measured(ConfusionMatrix(classes), scores, labels, parts).tolist() == wanted


def test_the_mean_of_means_is_another_number():
    scores = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 0]]
    labels = np.array([0, 1, 2, 0, 1])
    parts = [(0, 4), (4, 5)]
    means = [measured(Accuracy(), scores, labels, [part]) for part in parts]
    assert sum(means) / 2 == 0.5
    assert measured(Accuracy(), scores, labels, parts) == 0.8


def test_a_loss_over_uneven_batches_is_the_loss_of_all(rng):
    x, t = rng.normal(size=(11, 3)), rng.normal(size=(11, 3))
    metric = MeanLoss(MSELoss())
    for part in (slice(0, 8), slice(8, 11)):
        metric.update(tensor(x[part]), tensor(t[part]))
    assert metric.name == "MSELoss"
    assert math.isclose(metric.compute(), ((x - t) ** 2).mean(), rel_tol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_counts_the_labels_that_are_not_ignored(rng, reduction):
    x, t = rng.normal(size=(12, 5)), rng.integers(0, 5, 12)
    t[[1, 2, 3, 10]] = -100
    metric = MeanLoss(CrossEntropyLoss(reduction=reduction), name="ce")
    for part in (slice(0, 4), slice(4, 11), slice(11, 12)):
        metric.update(tensor(x[part]), tensor(t[part]))
    whole = CrossEntropyLoss()(tensor(x), tensor(t)).item()
    assert math.isclose(metric.compute(), whole, rel_tol=1e-12)


def test_a_batch_of_nothing_but_ignored_labels_adds_nothing(rng):
    metric = MeanLoss(CrossEntropyLoss())
    metric.update(tensor(rng.normal(size=(2, 3))), tensor([-100, -100]))
    assert math.isnan(metric.compute())


def test_yes_and_no_element_by_element():
    x = tensor([[1.5], [-0.5], [0.2], [-3.0]])
    t = tensor([[1.0], [1.0], [0.0], [0.0]])
    accuracy, matrix = Accuracy(), ConfusionMatrix(2)
    accuracy.update(x, t)
    matrix.update(x, t)
    assert accuracy.compute() == 0.5
    assert matrix.compute().tolist() == [[1, 1], [1, 1]]
    shares = Accuracy(threshold=0.5)
    shares.update(tensor([0.6, 0.4, 0.5]), tensor([True, False, False]))
    assert shares.compute() == 1.0


def test_an_ignored_element_of_yes_and_no_does_not_count():
    accuracy = Accuracy(ignore_index=-1)
    accuracy.update(tensor([1.0, -1.0, 1.0]), tensor([1, 0, -1]))
    assert accuracy.compute() == 1.0


@pytest.mark.parametrize("metric", [Accuracy(), TopKAccuracy(1), Perplexity()], ids=repr)
def test_classes_are_axis_1_of_sequences_and_images(rng, metric):
    scores, labels = rng.normal(size=(2, 4, 5, 3)), rng.integers(0, 4, (2, 5, 3))
    metric.reset()
    metric.update(tensor(scores), tensor(labels))
    found = metric.compute()
    metric.reset()
    metric.update(tensor(np.moveaxis(scores, 1, -1).reshape(-1, 4)), tensor(labels.reshape(-1)))
    assert metric.compute() == pytest.approx(found, rel=1e-12)


def test_one_sample_without_an_axis_of_samples():
    accuracy = Accuracy()
    accuracy.update(tensor([0.1, 0.9]), tensor(1))
    assert accuracy.compute() == 1.0


def test_an_output_of_nan_is_never_right():
    metric = TopKAccuracy(2)
    metric.update(tensor([[math.nan, 1.0, 2.0]]), tensor([0]))
    assert metric.compute() == 0.0


def test_perplexity_of_large_logits_is_finite():
    metric = Perplexity()
    metric.update(tensor([[1e4, 0.0], [0.0, -1e4]]), tensor([0, 0]))
    assert metric.compute() == 1.0
    metric.update(tensor([[0.0, 1e4]]), tensor([0]))
    assert metric.compute() == math.inf


@pytest.mark.parametrize("metric", [Accuracy(), TopKAccuracy(2), Perplexity(), ConfusionMatrix(3)], ids=repr)
def test_without_a_batch_there_is_no_figure(metric):
    found = metric.compute()
    assert np.isnan(found) if np.ndim(found) == 0 else not found.any()


@given(labelled())
def test_saved_sums_go_on(case):
    scores, labels, parts = case
    k = min(2, scores.shape[1])
    for make in (Accuracy, lambda: TopKAccuracy(k), Perplexity, lambda: ConfusionMatrix(scores.shape[1])):
        whole, first, second = make(), make(), make()
        measured(whole, scores, labels, parts)
        measured(first, scores, labels, parts[:2])
        second.load_state_dict(first.state_dict())
        measured(first, scores, labels, parts[:2])  # what was saved is a copy
        found = measured(second, scores, labels, parts[2:])
        assert np.array_equal(found, whole.compute(), equal_nan=True)


def test_sums_of_another_metric_are_refused():
    with pytest.raises(ArgumentError, match="hits"):
        Perplexity().load_state_dict(Accuracy().state_dict())
    with pytest.raises(ArgumentError, match=r"shape \(2, 2\)"):
        ConfusionMatrix(3).load_state_dict(ConfusionMatrix(2).state_dict())


def test_a_metric_of_your_own():
    class MeanError(Metric):
        name, mode = "mae", "min"

        def zero(self):
            return {"total": 0.0, "count": 0}

        def update(self, outputs, targets):
            self.total += float(abs(outputs - targets).sum().item())
            self.count += outputs.size

        def compute(self):
            return self.total / self.count

    metric = MeanError()
    metric.reset()
    metric.update(tensor([1.0, 2.0]), tensor([0.0, 0.0]))
    metric.update(tensor([3.0]), tensor([0.0]))
    other = MeanLoss(L1Loss())
    other.update(tensor([1.0, 2.0, 3.0]), tensor([0.0, 0.0, 0.0]))
    assert metric.compute() == other.compute() == 2.0


def test_the_base_says_what_to_write():
    for method, arguments in (("zero", ()), ("update", (1, 2)), ("compute", ())):
        with pytest.raises(NotImplementedError, match=method):
            getattr(Metric(), method)(*arguments)


def test_a_mean_of_means_with_counts():
    mean = Mean()
    mean.add(2.0, 3)
    mean.add(5.0, 1)
    mean.add(math.nan, 0)
    assert mean.compute() == 2.75


@pytest.mark.parametrize(
    ("metric", "outputs", "targets", "error", "words"),
    [
        (Accuracy(), np.zeros((2, 3)), np.zeros(2), DTypeError, "integer labels"),
        (Accuracy(), np.zeros((2, 3)), np.zeros(3, int), ShapeError, "axis 1"),
        (Accuracy(), np.zeros((2, 1)), np.zeros(2, int), ShapeError, "yes and no"),
        (Accuracy(), np.zeros((2, 3)), np.array([0, 3]), ArgumentError, "class 3"),
        (Accuracy(), np.zeros((2, 3)), np.array([0, -1]), ArgumentError, "class -1"),
        (Accuracy(), np.zeros((2, 3)), np.full((2, 3), 0.5), ArgumentError, "0 or 1"),
        (TopKAccuracy(4), np.zeros((2, 3)), np.zeros(2, int), ArgumentError, "top 4 of 3"),
        (ConfusionMatrix(4), np.zeros((2, 3)), np.zeros(2, int), ShapeError, "num_classes is 4"),
        (ConfusionMatrix(3), np.zeros(2), np.zeros(2), ShapeError, "two classes"),
    ],
)
def test_what_does_not_fit_is_refused(metric, outputs, targets, error, words):
    with pytest.raises(error, match=words):
        metric.update(outputs, targets)


@pytest.mark.parametrize("make", [lambda: TopKAccuracy(0), lambda: ConfusionMatrix(1)])
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ArgumentError, match="at least"):
        make()
