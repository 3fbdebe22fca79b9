"""Law: the gradient of accumulated micro-batches, however uneven, is that of the one large batch."""

import numpy as np
import pytest

import tt_nn
from tt_optim import SGD
from tt_optim.training import Callback, Trainer
from tt_tensor import tensor
from tt_tensor.errors import ArgumentError

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}


class Gradients(Callback):
    """The gradient of each step, as the optimizer is to see it."""

    def __init__(self):
        self.found = []

    def on_before_step(self, trainer):
        self.found.append({name: p.grad.array.copy() for name, p in trainer.model.named_parameters()})


def gradients(network, loss, batches, dtype, accumulate, **options):
    model = network(dtype=dtype)
    seen = Gradients()
    trainer = Trainer(
        model,
        loss,
        SGD(model.parameters(), lr=0.0),
        accumulate=accumulate,
        callbacks=[seen],
        progress=False,
        **options,
    )
    trainer.fit(batches, epochs=1)
    return seen.found, trainer


def cut(x, t, sizes):
    ends = np.cumsum(sizes)
    return [(tensor(x[e - n : e]), tensor(t[e - n : e])) for e, n in zip(ends, sizes, strict=True)]


def close(found, wanted, dtype):
    for name, gradient in wanted.items():
        scale = max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(found[name], gradient, rtol=0, atol=TOLERANCE[dtype] * scale)


def data_for(kind, rng, dtype, rows):
    x = rng.normal(size=(rows, 4)).astype(dtype)
    if kind == "labels":
        t = rng.integers(0, 3, rows)
    elif kind == "ignored":
        t = rng.integers(0, 3, rows)
        t[[0, 1, 5, 6, 7]] = -100  # of the cut below, all of the third micro-batch
    elif kind == "numbers":
        t = rng.normal(size=(rows, 3)).astype(dtype)
    else:
        t = rng.integers(0, 2, (rows, 3)).astype(dtype)
    return x, t


LOSSES = [
    ("labels", lambda r: tt_nn.CrossEntropyLoss(reduction=r)),
    ("ignored", lambda r: tt_nn.CrossEntropyLoss(reduction=r)),
    ("ignored", lambda r: tt_nn.CrossEntropyLoss(reduction=r, weight=[0.2, 1.0, 3.0])),
    ("ignored", lambda r: tt_nn.CrossEntropyLoss(reduction=r, label_smoothing=0.1)),
    ("numbers", lambda r: tt_nn.MSELoss(reduction=r)),
    ("numbers", lambda r: tt_nn.HuberLoss(reduction=r)),
    ("yes", lambda r: tt_nn.BCEWithLogitsLoss(reduction=r)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("kind", "loss"), LOSSES)
def test_micro_batches_give_the_gradient_of_the_large_batch(network, rng, kind, loss, reduction, dtype):
    x, t = data_for(kind, rng, dtype, 13)
    sizes = [4, 1, 3, 5]
    (whole,), one = gradients(network, loss(reduction), cut(x, t, [13]), dtype, 1)
    (parts,), many = gradients(network, loss(reduction), cut(x, t, sizes), dtype, 4)
    close(parts, whole, dtype)
    assert many.step == 1 and many.samples == 13
    assert many.loss == pytest.approx(one.loss, rel=1e-6)
    assert many.history["loss"] == pytest.approx(one.history["loss"], rel=1e-6)


def test_the_mean_of_the_means_would_be_another_gradient(network, rng):
    # What the law above forbids does differ on this data: the test can fail.
    x, t = data_for("ignored", rng, np.float64, 13)
    (whole,), _ = gradients(network, tt_nn.CrossEntropyLoss(), cut(x, t, [13]), np.float64, 1)
    parts, _ = gradients(network, tt_nn.CrossEntropyLoss(), cut(x, t, [4, 1, 3, 5]), np.float64, 1)
    naive = {name: np.mean([part[name] for part in parts], axis=0) for name in whole}
    assert max(np.abs(naive[name] - whole[name]).max() for name in whole) > 1e-3


def test_the_incomplete_last_group_is_a_step_of_its_own_size(network, rng):
    x, t = data_for("ignored", rng, np.float64, 13)
    loss = tt_nn.CrossEntropyLoss()
    found, trainer = gradients(network, loss, cut(x, t, [4, 1, 3, 2, 3]), np.float64, 3)
    assert trainer.step == len(found) == 2
    (first,), _ = gradients(network, loss, cut(x[:8], t[:8], [8]), np.float64, 1)
    (second,), _ = gradients(network, loss, cut(x[8:], t[8:], [5]), np.float64, 1)
    close(found[0], first, np.float64)
    close(found[1], second, np.float64)


def test_a_group_of_nothing_but_ignored_labels_sends_nothing(network, rng):
    x, t = data_for("labels", rng, np.float64, 4)
    t[:] = -100
    (found,), trainer = gradients(network, tt_nn.CrossEntropyLoss(), cut(x, t, [2, 2]), np.float64, 2)
    assert trainer.loss == 0.0
    assert not any(gradient.any() for gradient in found.values())


def test_clipping_acts_once_on_the_gradient_of_the_group(network, rng):
    x, t = data_for("labels", rng, np.float64, 9)
    loss = tt_nn.CrossEntropyLoss()
    (plain,), _ = gradients(network, loss, cut(x, t, [9]), np.float64, 1)
    norm = np.sqrt(sum((g**2).sum() for g in plain.values()))
    # The 1e-6 that the norm is raised by in the division, halved.
    (clipped,), trainer = gradients(
        network, loss, cut(x, t, [4, 5]), np.float64, 2, clip_norm=norm / 2 + 5e-7
    )
    close(clipped, {name: g / 2 for name, g in plain.items()}, np.float64)
    assert trainer.grad_norm == pytest.approx(norm, rel=1e-12)
    (limited,), _ = gradients(network, loss, cut(x, t, [4, 5]), np.float64, 2, clip_value=0.01)
    close(limited, {name: np.clip(g, -0.01, 0.01) for name, g in plain.items()}, np.float64)


def test_a_loss_of_ones_own_with_its_count(network, rng):
    x, t = data_for("numbers", rng, np.float64, 7)

    def loss(outputs, targets):
        return abs(outputs - targets).sum() / (3 * len(targets))

    (whole,), _ = gradients(network, loss, cut(x, t, [7]), np.float64, 1)
    count = {"count": lambda outputs, targets: outputs.size}
    (parts,), _ = gradients(network, loss, cut(x, t, [3, 4]), np.float64, 2, **count)
    close(parts, whole, np.float64)
    with pytest.raises(ArgumentError, match="count="):
        gradients(network, loss, cut(x, t, [3, 4]), np.float64, 2)


def test_one_batch_a_step_is_the_bare_loop_bit_for_bit(network, classes):
    train, _ = classes
    model, loss_fn = network(), tt_nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for x, y in train:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
    twin = network()
    Trainer(twin, loss_fn, SGD(twin.parameters(), lr=0.1, momentum=0.9), progress=False).fit(train, epochs=1)
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert np.array_equal(one.array, other.array)
