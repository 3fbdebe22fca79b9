"""saved_memory tells the truth: sums by hand, and bytes that are free once the graph is gone."""

import gc
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.checkpointing import checkpoint
from tt_autograd.saved import saved_memory
from tt_tensor import Function
from tt_tensor.errors import DTypeError, GradientError

N, WIDE, F32 = 64, 256, 4


def weights(*sizes):
    rng = np.random.default_rng(0)
    return [
        tt.tensor(rng.normal(size=shape) / 16, dtype="float32", requires_grad=True)
        for shape in pairwise(sizes)
    ]


def mlp(x, layers):
    """x @ W1 → tanh → @ W2 → tanh → … → mean."""
    for weight in layers:
        x = (x @ weight).tanh()
    return x.mean()


def test_the_bytes_of_an_mlp_are_those_counted_by_hand():
    layers = weights(100, WIDE, WIDE, 10)
    report = saved_memory(mlp(tt.ones((N, 100)), layers))
    # The input; the output of each tanh, which the tanh and the product after it share. The products' results go.
    by_hand = F32 * N * (100 + WIDE + WIDE + 10)
    assert report.total == by_hand
    assert report.parameters == F32 * (100 * WIDE + WIDE * WIDE + WIDE * 10)
    assert report.by_op == {"Tanh": F32 * N * (WIDE + WIDE + 10), "MatMul": F32 * N * 100}
    assert [memory.nbytes for memory in report.memories[:4]] == [
        F32 * N * size for size in (WIDE, WIDE, 100, 10)
    ]
    assert [memory.kind for memory in report.memories] == [
        *["saved"] * 2,
        "constant",
        "saved",
        *["parameter"] * 3,
    ]
    assert [[str(keeper) for keeper in memory.keepers] for memory in report.shared] == [
        ["Tanh.y", "MatMul.x"]
    ] * 2
    assert sum(report.by_op.values()) == report.total


@pytest.mark.parametrize("checkpointed", [False, True])
def test_letting_go_of_the_graph_frees_what_was_reported(checkpointed):
    layers = weights(*[WIDE] * 7)

    def run():
        x = tt.ones((4 * N, WIDE))
        if not checkpointed:
            return mlp(x, layers)
        x = checkpoint(lambda x: ((x @ layers[0]).tanh() @ layers[1]).tanh(), x)
        return mlp(x, layers[2:])

    run()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        loss = run()
        reported = saved_memory(loss).total
        before = tracemalloc.get_traced_memory()[0]
        del loss
        freed = before - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert reported == F32 * 4 * N * WIDE * (6 if checkpointed else 7)
    assert reported <= freed <= reported * 1.03


def test_views_are_one_memory_and_count_with_all_of_it():
    base = tt.tensor(np.ones((100, 10)))
    x = tt.tensor(np.ones(10), requires_grad=True)
    y = base[3] * x + base[4] * x
    (memory,) = [memory for memory in saved_memory(y).memories if memory.kind != "parameter"]
    assert (memory.nbytes, memory.shape, memory.owner_shape) == (8000, (10,), (100, 10))
    assert "part of (100, 10)" in str(saved_memory(y))
    assert saved_memory(y).by_op == {"Mul": 8000}


def test_windows_count_by_the_array_that_they_look_into():
    row = np.arange(1000.0)
    windows = tt.tensor(np.zeros((991, 10)))
    windows.array = np.lib.stride_tricks.sliding_window_view(row, 10)
    x = tt.tensor(np.ones(10), requires_grad=True)
    assert saved_memory(windows * x).total == 8000


def test_parameters_stand_apart_also_as_views():
    weight = tt.tensor(np.ones((30, 40)), requires_grad=True)
    x = tt.tensor(np.ones((5, 40)))
    report = saved_memory((x @ weight.T).sum())
    assert report.parameters == 30 * 40 * 8
    assert report.total == 5 * 40 * 8
    frozen = tt.tensor(np.ones((30, 40)))
    bias = tt.tensor(np.ones(30), requires_grad=True)
    # What was computed of constants alone has no history, and is an input of the sum.
    report = saved_memory((x @ frozen.T + bias).exp())
    assert (report.total, report.parameters) == (2 * 5 * 30 * 8, 30 * 8)


class Nested(Function):
    """Keeps arrays in a list in a dict, and one twice."""

    def forward(self, x):
        self.parts = {"twice": [x * 2, x * 3], "once": (x * 4,)}
        self.first = self.parts["twice"][0]
        self.inner = Inner()
        self.inner.forward(x)
        return x * 1

    def backward(self, grad):
        return grad


class Inner(Function):
    def forward(self, x):
        self.y = x * 5
        return self.y


def test_nestings_and_inner_functions_are_looked_into():
    x = tt.tensor(np.ones(50), requires_grad=True)
    report = saved_memory(Nested()(x))
    assert report.total == 4 * 400
    found = {str(keeper) for memory in report.memories for keeper in memory.keepers}
    assert {"Nested.parts['twice'][1]", "Nested.parts['once'][0]", "Nested.first", "Nested.inner.y"} <= found
    assert report.shared == ()


def test_several_outputs_are_counted_together():
    x = tt.tensor(np.ones(100), requires_grad=True)
    y = x.exp()
    both = saved_memory([y.exp(), y.sum(), y])
    assert both.total == 2 * 800
    assert saved_memory(x).total == 0


def test_a_write_in_place_keeps_what_the_rules_need():
    x = tt.tensor(np.ones(100), requires_grad=True)
    y = x.exp()
    z = y * 1
    z.mul_(y)
    kept = saved_memory(z)
    assert kept.total >= 2 * 800  # exp's result, and what z was before
    assert kept.parameters == 800


def test_the_report_keeps_nothing_alive():
    x = tt.tensor(np.ones(10**6), requires_grad=True)
    tracemalloc.start()
    try:
        y = x.exp()
        report = saved_memory(y)
        del y
        assert tracemalloc.get_traced_memory()[0] < 10**6
    finally:
        tracemalloc.stop()
    assert report.total == 8 * 10**6


def test_the_table_lines_up():
    layers = weights(100, WIDE, WIDE, 10)
    lines = str(saved_memory(mlp(tt.ones((N, 100)), layers))).splitlines()
    end = lines[0].index("bytes") + len("bytes")
    numbers = [line[:end].strip().replace(",", "") for line in lines if not line.startswith("-")]
    assert numbers == ["bytes", "65536", "65536", "25600", "2560", "159232", "374784"]
    assert lines[2].split() == ["65,536", "Tanh.y", "(64,", "256)", "float32", "also", "MatMul.x"]
    assert lines[4].endswith("float32  constant")
    assert lines[-2].endswith("total (155.5 KiB)")
    assert lines[-1].endswith("beside it: 3 parameters")
    assert len({line.index("float32") for line in lines if "float32" in line}) == 1


def test_a_long_table_ends_in_a_sum():
    x = tt.tensor(np.ones(10), requires_grad=True)
    for _ in range(100):
        x = x.tanh()
    lines = str(saved_memory(x)).splitlines()
    assert len(lines) == 1 + 1 + 40 + 1 + 1 + 2
    assert lines[42].split() == ["4,800", "…", "60", "more"]
    assert repr(saved_memory(x)) == "SavedMemory(101 memories, total=8000, parameters=80)"


def test_a_long_chain_needs_no_recursion():
    x = tt.tensor([1.0], requires_grad=True)
    for _ in range(30_000):
        x = x.tanh()
    assert saved_memory(x).total == 120_000


def test_what_has_no_graph_is_refused():
    x = tt.tensor([1.0], requires_grad=True)
    y = x.exp()
    y.backward()
    with pytest.raises(ta.ReleasedGraphError):
        saved_memory(y)
    with pytest.raises(GradientError, match="saved_memory: nothing was recorded"):
        saved_memory(tt.ones(3))
    with pytest.raises(DTypeError):
        saved_memory("loss")
