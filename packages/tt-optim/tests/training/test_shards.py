from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
import tt_optim
import tt_tensor
from tt_nn import functional as F
from tt_optim import stretches
from tt_optim.training import Accuracy, BatchError, NonFiniteError, Trainer, backward_in_shards
from tt_optim.training.shards import Part, add_gradients_of
from tt_tensor import Tensor, from_numpy
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


@pytest.mark.parametrize("worth", [4, 1 << 19], ids=["side by side", "plainly"])
@given(parts=st.integers(1, 3), total=st.sampled_from([0.0, 1.0, 3.0]), data=st.data())
def test_gradients_of_parts_are_added_in_order_and_divided(worth, parts, total, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kinds = [
        data.draw(st.sampled_from(["rows", "columns", "apart", "read-only", "none"]))
        for _ in range(parts * 3)
    ]

    def made(kind, shape=(4, 6)):
        array = rng.normal(size=shape).astype(np.float32)
        if kind == "columns":
            return Tensor(np.asfortranarray(array))
        if kind == "apart":
            wide = np.zeros((4, 12), np.float32)
            wide[:, ::2] = array
            return from_numpy(wide)[:, ::2]
        if kind == "read-only":
            array.flags.writeable = False
            return from_numpy(array)
        return None if kind == "none" else Tensor(array)

    before = [data.draw(st.booleans()) for _ in range(3)]
    params = [Tensor(np.zeros((4, 6), np.float32), requires_grad=True) for _ in range(3)]
    for p, some in zip(params, before, strict=True):
        p.grad = made(data.draw(st.sampled_from(["rows", "read-only"]))) if some else None
    done = [
        Part(0.0, 1.0, None, None, tuple(made(kinds[3 * part + k]) for k in range(3)))
        for part in range(parts)
    ]
    wanted = []
    for k, p in enumerate(params):
        terms = [p.grad] * before[k] + [part.grads[k] for part in done if part.grads[k] is not None]
        total_of = sum(term.numpy().astype(np.float64) for term in terms) if terms else None
        wanted.append(total_of / (total or 1) if terms else None)
    with mock.patch.object(stretches, "WORTH", worth):
        add_gradients_of(done, params, total)
    for p, g in zip(params, wanted, strict=True):
        if g is None:
            assert p.grad is None
        else:
            assert p.grad.dtype == np.float32
            np.testing.assert_allclose(p.grad.numpy(), g, rtol=1e-5, atol=1e-6)


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
