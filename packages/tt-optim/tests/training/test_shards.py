import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
import tt_optim
import tt_tensor
from tt_nn import functional as F
from tt_optim.training import Accuracy, BatchError, NonFiniteError, Trainer, backward_in_shards
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError


def network(dropout=0.0, seed=0):
    tt_tensor.manual_seed(seed)
    return tt_nn.Sequential(
        tt_nn.Linear(5, 7), tt_nn.Tanh(), tt_nn.Dropout(dropout), tt_nn.Linear(7, 3)
    ).double()


def problem(rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 5)), rng.integers(0, 3, rows)


def trained(shards, batches, epochs=2, accumulate=1, dropout=0.0, loss=None, **how):
    model = network(dropout)
    optimizer = tt_optim.AdamW(model.parameters(), lr=0.01)
    trainer = Trainer(
        model,
        loss or tt_nn.CrossEntropyLoss(ignore_index=2),
        optimizer,
        shards=shards,
        accumulate=accumulate,
        progress=False,
        seed=3,
        **how,
    )
    history = trainer.fit(batches, epochs=epochs)
    return [p.numpy().copy() for p in model.parameters()], history, trainer


@given(rows=st.integers(1, 9), parts=st.integers(1, 5), twice=st.booleans())
def test_the_gradient_is_that_of_the_whole_batch(rows, parts, twice):
    model, (x, y) = network(), problem(rows)
    F.cross_entropy(model(Tensor(x)), Tensor(y)).backward()
    whole = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    for _ in range(1 + twice):
        loss = backward_in_shards(
            lambda x, y: F.cross_entropy(model(Tensor(x)), Tensor(y)),
            list(model.parameters()),
            x,
            y,
            parts=parts,
        )
    assert loss == pytest.approx(F.cross_entropy(model(Tensor(x)), Tensor(y)).item(), rel=1e-12)
    for p, g in zip(model.parameters(), whole, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g * (1 + twice), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_trainer_steps_as_with_one_part_though_labels_are_ignored(accumulate, reduction):
    # Label 2 is ignored, so that the parts of a batch count differently many terms.
    batches = [tuple(map(Tensor, problem(rows, rows))) for rows in (8, 5, 7, 1)]
    results = [
        trained(
            shards,
            batches,
            accumulate=accumulate,
            loss=tt_nn.CrossEntropyLoss(ignore_index=2, reduction=reduction),
            metrics=[Accuracy()],
        )
        for shards in (1, 2, 3)
    ]
    for weights, history, _ in results[1:]:
        for one, other in zip(results[0][0], weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
        for one, other in zip(results[0][1].records, history.records, strict=True):
            assert other["loss"] == pytest.approx(one["loss"], rel=1e-9)
            assert other["accuracy"] == pytest.approx(one["accuracy"])


def test_the_same_seed_gives_the_same_bits_with_dropout_and_any_number_of_threads():
    batches = [tuple(map(Tensor, problem(8, seed))) for seed in range(4)]
    found = []
    for threads in (1, 2, 3, 2):
        with tt_nn.shards.threads(threads):
            found.append(trained(2, batches, dropout=0.5)[0])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_parts_draw_different_masks():
    layer = tt_nn.Dropout(0.5)
    weight = Tensor(np.ones((8, 64)), requires_grad=True)
    masks = []

    def loss_fn(rows):
        y = layer(weight[rows[0] : rows[0] + 4])
        masks.append(y.numpy() > 0)
        return y.mean()

    backward_in_shards(loss_fn, [weight], np.arange(0, 8), parts=2)
    assert not np.array_equal(*masks)


def test_an_unused_parameter_and_a_frozen_one_get_no_gradient():
    model, (x, y) = network(), problem(6)
    unused = tt_nn.Parameter(np.ones(2))
    model[0].bias.requires_grad = False
    backward_in_shards(
        lambda x, y: F.cross_entropy(model(Tensor(x)), Tensor(y)), [*model.parameters(), unused], x, y
    )
    assert unused.grad is None and model[0].bias.grad is None and model[0].weight.grad is not None


def test_bad_input_is_refused():
    model, (x, y) = network(), problem(6)
    with pytest.raises(ArgumentError, match="parts"):
        backward_in_shards(lambda x: model(x).sum(), list(model.parameters()), x, parts=0)
    with pytest.raises(ArgumentError, match="one length"):
        backward_in_shards(lambda x, y: model(x).sum(), list(model.parameters()), x, y[:3])
    with pytest.raises(ArgumentError, match="shards"):
        Trainer(model, tt_nn.MSELoss(), tt_optim.SGD(model.parameters(), lr=0.1), shards=0)

    class Whole(tt_nn.Linear):
        track_running_stats = True

    whole = tt_nn.Sequential(Whole(5, 3))
    with pytest.raises(ArgumentError, match="statistics of the whole batch"):
        Trainer(whole, tt_nn.MSELoss(), tt_optim.SGD(whole.parameters(), lr=0.1), shards=2)
    with pytest.raises(BatchError, match="holds str"):
        trained(2, [(Tensor(x), "labels")])


def test_an_error_in_one_part_is_raised_and_a_loss_that_is_not_finite_stops_the_run():
    x, y = problem(8)
    x[6] = np.nan
    with pytest.raises(NonFiniteError):
        trained(2, [(Tensor(x), Tensor(y))])
    y[7] = 5
    with pytest.raises(IndexError):
        trained(2, [(Tensor(np.zeros_like(x)), Tensor(y))])


def test_a_run_in_shards_is_not_continued_with_another_number(tmp_path):
    batches = [tuple(map(Tensor, problem(8, seed))) for seed in range(4)]
    trained(2, batches, epochs=1, checkpoints=tmp_path)
    model = network()
    again = Trainer(
        model,
        tt_nn.CrossEntropyLoss(ignore_index=2),
        tt_optim.AdamW(model.parameters(), lr=0.01),
        shards=3,
        progress=False,
        seed=3,
        checkpoints=tmp_path,
    )
    with pytest.raises(tt_optim.training.ConfigurationError, match="shards: 2 then, 3 now"):
        again.fit(batches, epochs=2, resume=True)
