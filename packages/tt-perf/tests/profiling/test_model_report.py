"""model_report: what it says equals what is counted by hand, by the profiler, and by the tape."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tt_nn
import tt_perf
from tt_tensor import Tensor, observing, recorder
from tt_tensor.errors import ArgumentError, DTypeError


@pytest.fixture(autouse=True)
def by_hand():
    before = recorder.install(None)
    yield
    assert observing.active is None
    recorder.install(before)


def mlp():
    return tt_nn.Sequential(tt_nn.Linear(64, 128), tt_nn.ReLU(), tt_nn.Linear(128, 10))


X = np.ones((32, 64), np.float32)


def test_parameters_gradients_and_adam():
    report = tt_perf.model_report(mlp(), X)
    count = 64 * 128 + 128 + 128 * 10 + 10
    assert (report.parameters, report.trainable) == (count, count)
    assert report.parameter_bytes == report.gradient_bytes == 4 * count
    # With the gradient, Adam holds three more numbers for each.
    assert report.optimizer_bytes + report.gradient_bytes == 3 * report.parameter_bytes
    assert report.training_bytes == 4 * 4 * count + report.activation_bytes


def test_flops_by_layer():
    report = tt_perf.model_report(mlp(), X)
    rows = {row.path: row for row in report.layers}
    assert list(rows) == ["", "0", "1", "2"]
    assert rows["0"].forward_flops == 2 * 32 * 64 * 128 + 32 * 128
    # Nobody asks for the gradient of the batch.
    assert rows["0"].backward_flops == 2 * 32 * 64 * 128 + 32 * 128
    assert rows["2"].backward_flops == 4 * 32 * 128 * 10 + 32 * 10
    assert rows["1"].output_shape == (32, 128)
    assert report.forward_flops == sum(row.forward_flops for row in report.layers)
    assert report.counted


def test_it_is_what_the_profiler_counts():
    tt_autograd = pytest.importorskip("tt_autograd", reason="tt-autograd is not installed")
    from tt_autograd.tape import Tape

    model = mlp()
    report = tt_perf.model_report(model, X)
    recorder.install(Tape())
    y = model(X)
    with tt_perf.profile(ceilings=tt_perf.Ceilings(1e11, 1e10)) as p:
        tt_autograd.backward(y, np.ones(y.shape, np.float32))
    recorder.install(None)
    assert sum(row.backward_flops for row in p.ops) == report.backward_flops


def test_activations_are_what_the_tape_keeps():
    tt_autograd = pytest.importorskip("tt_autograd", reason="tt-autograd is not installed")
    from tt_autograd.tape import Tape

    for model, x in (
        (mlp(), X),
        (tt_nn.Sequential(tt_nn.Linear(64, 64), tt_nn.GELU(), tt_nn.LayerNorm(64), tt_nn.Tanh()), X),
    ):
        before = recorder.install(Tape())
        kept = tt_autograd.saved_memory(model(x))
        saved = sum(memory.nbytes for memory in kept.memories if memory.kind == "saved")
        assert tt_perf.model_report(model, x).activation_bytes == saved > 0
        recorder.install(before)
        assert tt_perf.model_report(model, x).activation_bytes == saved


def test_what_is_frozen_takes_no_gradient():
    model = mlp()
    model[0].requires_grad_(False)
    report = tt_perf.model_report(model, X)
    rows = {row.path: row for row in report.layers}
    assert report.trainable == 128 * 10 + 10
    assert (rows["0"].backward_flops, rows["0"].activation_bytes) == (0, 0)
    assert rows["2"].backward_flops == 2 * 32 * 128 * 10 + 32 * 10


@pytest.mark.parametrize(
    ("optimizer", "copies"), [("sgd", 0), ("momentum", 1), ("AdamW", 2), (0, 0), (5, 5)], ids=str
)
def test_optimizers_by_name_and_number(optimizer, copies):
    report = tt_perf.model_report(mlp(), X, optimizer=optimizer)
    assert report.optimizer_bytes == copies * report.parameter_bytes


def test_an_optimizer_itself_is_measured():
    tt_optim = pytest.importorskip("tt_optim", reason="tt-optim is not installed")
    model = mlp()
    optimizer = tt_optim.Adam(model.parameters())
    for p in model.parameters():
        p.grad = Tensor(np.ones(p.shape, np.float32))
    optimizer.step()
    report = tt_perf.model_report(model, X, optimizer=optimizer)
    assert (report.optimizer, report.optimizer_bytes) == ("Adam", 2 * report.parameter_bytes)


def test_buffers_and_modes_are_put_back():
    tt_vision = pytest.importorskip("tt_vision", reason="tt-vision is not installed")
    model = tt_nn.Sequential(tt_vision.Conv2d(3, 4, 3), tt_vision.BatchNorm2d(4), tt_nn.ReLU())
    before = {name: buffer.numpy().copy() for name, buffer in model.named_buffers()}
    assert before
    tt_perf.model_report(model, np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32))
    for name, buffer in model.named_buffers():
        np.testing.assert_array_equal(buffer.numpy(), before[name])
    assert all(module.training for module in model.modules())
    assert all(not module._forward_hooks for module in model.modules())


def test_a_tied_weight_counts_once():
    class Tied(tt_nn.Module):
        def __init__(self):
            self.first, self.second = tt_nn.Linear(4, 4, bias=False), tt_nn.Linear(4, 4, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    report = tt_perf.model_report(Tied(), np.ones((2, 4), np.float32))
    assert report.parameters == sum(row.parameters for row in report.layers) == 16


def test_an_error_of_the_model_leaves_nothing_behind():
    model = mlp()
    with pytest.raises(Exception, match="shape"):
        tt_perf.model_report(model, np.ones((2, 3), np.float32))
    assert observing.active is None
    assert all(not module._forward_hooks for module in model.modules())


def test_figures_are_plain_json_and_the_table_has_all_rows():
    report = tt_perf.model_report(mlp(), X)
    figures = json.loads(json.dumps(report.to_dict()))
    assert figures["training_bytes"] == report.training_bytes
    assert figures["layers"][1]["output_shape"] == [32, 128]
    for word in (
        "Sequential",
        "0: Linear",
        "1: ReLU",
        "32 × 128",
        "optimizer (adam)",
        "memory of a training step",
    ):
        assert word in str(report)


def test_bad_arguments():
    with pytest.raises(DTypeError, match="expected a Module"):
        tt_perf.model_report("model", X)
    with pytest.raises(ArgumentError, match="give an input"):
        tt_perf.model_report(mlp())
    for optimizer in ("adams", -1, True, 2.5):
        with pytest.raises(ArgumentError, match="optimizer"):
            tt_perf.model_report(mlp(), X, optimizer=optimizer)
