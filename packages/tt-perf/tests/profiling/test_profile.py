"""profile: times add up, nothing is counted twice, and nothing stays behind."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc

import numpy as np
import pytest

import tt_nn
import tt_perf
import tt_tensor
import tt_tensor.ops.sorting
from tt_perf import Ceilings
from tt_tensor import Function, Tensor, observing, recorder
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.ops.arithmetic import Add

ROOF = Ceilings(flops=1e11, bandwidth=1e10)


@pytest.fixture(autouse=True)
def by_hand():
    """Gradients by hand, also where another test imported tt_autograd; and an empty slot before and after."""
    before = recorder.install(None)
    assert observing.active is None
    yield
    assert observing.active is None
    recorder.install(before)


def row(p, op):
    return next(found for found in p.ops if found.op == op)


class Sleep(Function):
    """y = x, after a nap; its rule takes one, too."""

    def __init__(self, there, back=0.0):
        self.there, self.back = there, back

    def forward(self, x):
        time.sleep(self.there)
        return x + 0

    def backward(self, grad):
        time.sleep(self.back)
        return grad


class Around(Function):
    """A Function in a Function: a nap of its own, and one inside."""

    def forward(self, x):
        time.sleep(0.02)
        return Sleep(0.2)(x).array

    def backward(self, grad):
        return grad


def mlp():
    return tt_nn.Sequential(tt_nn.Linear(64, 128), tt_nn.ReLU(), tt_nn.Linear(128, 10))


# --- times ----------------------------------------------------------------------------------------------------


def test_forward_and_backward_are_told_apart():
    with tt_perf.profile(ceilings=ROOF) as p:
        function = Sleep(0.02, 0.2)
        function(Tensor([1.0]))
        function.gradients(np.ones(1, np.float32))
    found = row(p, "Sleep")
    assert (found.calls, found.backward_calls) == (1, 1)
    assert 0.02 <= found.forward_seconds < 0.2 <= found.backward_seconds


def test_what_is_inside_is_not_counted_twice():
    with tt_perf.profile(ceilings=ROOF) as p:
        Around()(Tensor([1.0]))
    outer, inner = row(p, "Around"), row(p, "Sleep")
    assert 0.02 <= outer.seconds < 0.2 <= inner.seconds
    assert outer.seconds + inner.seconds <= p.seconds


def test_all_rows_and_the_rest_add_up_to_the_wall_clock():
    model, x, loss_fn = mlp(), Tensor(np.ones((32, 64), np.float32)), tt_nn.MSELoss()
    with tt_perf.profile(ceilings=ROOF) as p:
        for _ in range(20):
            with tt_perf.span("step"):
                loss_fn(model(x), np.zeros((32, 10), np.float32))
                model.backward(loss_fn.backward())
    figures = p.to_dict()
    parts = sum(found.seconds for found in [*p.ops, *p.spans]) + figures["module_seconds"] + p.other
    assert parts == pytest.approx(p.seconds, rel=1e-6)


def test_ops_explain_a_block_that_is_made_of_ops():
    """Without help of the rest: the rows alone are the wall clock, to 10 %."""
    shares = []
    for _ in range(3):  # another process may come between once, hardly three times
        with tt_perf.profile(ceilings=ROOF) as p:
            Around()(Tensor([1.0]))
            function = Sleep(0.02, 0.02)
            function(Tensor([1.0]))
            function.gradients(np.ones(1, np.float32))
        shares.append(sum(found.seconds for found in p.ops) / p.seconds)
    assert 0.9 <= max(shares) <= 1.0


def test_python_between_ops_is_other():
    with tt_perf.profile(ceilings=ROOF) as p:
        Sleep(0.01)(Tensor([1.0]))
        time.sleep(0.05)
    assert 0.05 <= p.other <= p.seconds - 0.01


# --- counts ---------------------------------------------------------------------------------------------------


def test_calls_flops_and_bytes_of_a_training_step():
    model, x, loss_fn = mlp(), Tensor(np.ones((32, 64), np.float32)), tt_nn.MSELoss()
    with tt_perf.profile(ceilings=ROOF) as p:
        for _ in range(3):
            loss_fn(model(x), np.zeros((32, 10), np.float32))
            model.backward(loss_fn.backward())
    linear = row(p, "Linear")
    products = 2 * 32 * (64 * 128 + 128 * 10)
    bias = 32 * (128 + 10)
    assert (linear.calls, linear.backward_calls) == (6, 6)
    assert linear.forward_flops == 3 * (products + bias)
    assert linear.backward_flops == 3 * (2 * products + bias)
    first = 4 * (32 * 64 + 128 * 64 + 128 + 32 * 128)
    second = 4 * (32 * 128 + 10 * 128 + 10 + 32 * 10)
    assert linear.forward_bytes == 3 * (first + second)
    relu = row(p, "ReLU")
    assert relu.flops == 3 * 2 * 32 * 128
    assert row(p, "MSE").backward_calls == 3
    assert p.flops == sum(found.flops for found in p.ops)
    assert linear.flops_per_second == pytest.approx(linear.flops / linear.seconds)


def test_modules_have_the_paths_of_the_model():
    model, x = mlp(), Tensor(np.ones((32, 64), np.float32))
    with tt_perf.profile(ceilings=ROOF) as p:
        y = model(x)
        model.backward(np.ones(y.shape, np.float32))
        model(x)
    rows = {found.path: found for found in p.modules}
    assert list(rows) == ["Sequential", "Sequential.0", "Sequential.1", "Sequential.2"]
    first, whole = rows["Sequential.0"], rows["Sequential"]
    assert (first.kind, first.calls) == ("Linear", 2)
    assert first.forward_flops == 2 * (2 * 32 * 64 * 128 + 32 * 128)
    assert first.backward_flops == 4 * 32 * 64 * 128 + 32 * 128
    parts = [found for path, found in rows.items() if path != "Sequential"]
    assert whole.forward_flops == sum(found.forward_flops for found in parts)
    assert whole.backward_flops == sum(found.backward_flops for found in parts)
    assert whole.backward_seconds == pytest.approx(sum(found.backward_seconds for found in parts))
    assert whole.forward_seconds >= sum(found.forward_seconds for found in parts)


def test_modules_can_be_left_out():
    with tt_perf.profile(ceilings=ROOF, modules=False) as p:
        mlp()(Tensor(np.ones((32, 64), np.float32)))
    assert p.modules == []
    assert row(p, "Linear").calls == 2


def test_a_function_that_nobody_knows_is_marked():
    with tt_perf.profile(ceilings=ROOF) as p:
        Sleep(0.0)(Tensor(np.ones((2, 3), np.float32)))
        Add()(Tensor([1.0]), Tensor([1.0]))
    assert not row(p, "Sleep").counted
    assert row(p, "Sleep").flops == 6
    assert row(p, "Add").counted
    assert "Sleep *" in str(p)


def test_steps_of_optimizers_and_waits_for_data_are_spans():
    tt_optim = pytest.importorskip("tt_optim", reason="tt-optim is not installed")
    tt_data = pytest.importorskip("tt_data", reason="tt-data is not installed")
    weight = tt_nn.Parameter(np.ones(3, np.float32))
    optimizer = tt_optim.SGD([weight], lr=0.1)
    loader = tt_data.DataLoader(tt_data.TensorDataset(np.ones((6, 2), np.float32)), batch_size=2)
    with tt_perf.profile(ceilings=ROOF) as p:
        for _ in loader:
            weight.grad = Tensor(np.ones(3, np.float32))
            optimizer.step()
    assert {found.name: found.calls for found in p.spans} == {"SGD.step": 3, "data": 3}


def test_the_tape_is_profiled_like_the_way_by_hand():
    tt_autograd = pytest.importorskip("tt_autograd", reason="tt-autograd is not installed")
    recorder.install(None)  # importing it fills the slot
    model, x = mlp(), Tensor(np.ones((32, 64), np.float32))
    with tt_perf.profile(ceilings=ROOF) as hand:
        y = model(x)
        model.backward(np.ones(y.shape, np.float32))
    from tt_autograd.tape import Tape

    before = recorder.install(Tape())
    try:
        with tt_perf.profile(ceilings=ROOF) as taped:
            tt_autograd.backward(model(x).sum())
    finally:
        recorder.install(before)
    assert [found.name for found in taped.spans] == ["tape"]
    assert row(taped, "ReLU").backward_flops == row(hand, "ReLU").backward_flops
    # The tape does not ask for the gradient of x, which is nobody's.
    saved = 2 * 32 * 64 * 128
    assert row(taped, "Linear").backward_flops == row(hand, "Linear").backward_flops - saved
    assert {found.path: found.backward_flops for found in taped.modules}["Sequential.2"] > 0


def test_inputs_of_any_kind():
    """Lists, numbers, arrays, absent ones: whatever a Function takes."""
    x = Tensor(np.ones((3, 4), np.float32))
    with tt_perf.profile(ceilings=ROOF) as p:
        Add()(Tensor([1.0, 2.0]), [1.0, 2.0])
        Add()(2.0, np.ones(3, np.float32))
        tt_tensor.sort([3.0, 1.0, 2.0, 0.0])
        tt_tensor.sort(x, axis=0)
        tt_tensor.topk(x, 2)
        tt_tensor.einsum("ij,kj->ik", x, x)
        tt_tensor.concatenate([x, x])
        x[1:, ::2] = 0.0
    assert row(p, "Add").forward_flops == 2 + 3
    assert row(p, "Sort").forward_flops == 4 * 2 + 12 * 2
    assert row(p, "Einsum").forward_flops == 2 * 3 * 3 * 4
    assert p.other >= 0


def test_a_rule_whose_forward_was_before_the_block():
    function = Add()
    function(Tensor([1.0, 2.0]), Tensor([[1.0, 2.0]] * 3))
    sort = tt_tensor.ops.sorting.Sort()
    sort(Tensor([3.0, 1.0]))
    with tt_perf.profile(ceilings=ROOF) as p:
        function.gradients(np.ones((3, 2), np.float32))
        sort.gradients(np.ones(2, np.float32))
    found = row(p, "Add")
    assert (found.calls, found.backward_calls, found.backward_flops) == (0, 1, 6)
    assert row(p, "Sort").backward_calls == 1


# --- memory ---------------------------------------------------------------------------------------------------


def test_peak_memory_names_the_op_that_holds_it():
    x = Tensor(np.ones((256, 256), np.float32))
    with tt_perf.profile(ceilings=ROOF) as p:
        kept = [x + 1.0 for _ in range(4)]
        del kept
        x * 2.0
    assert p.memory.op == "Add"
    assert p.memory.bytes == 4 * x.nbytes
    assert p.memory.by_op == {"Add": 4 * x.nbytes}


def test_what_was_freed_does_not_count():
    x = Tensor(np.ones((256, 256), np.float32))
    with tt_perf.profile(ceilings=ROOF) as p:
        for _ in range(10):
            x + 1.0
    assert p.memory.bytes <= 2 * x.nbytes


def test_an_array_that_a_rule_keeps_is_held_by_its_op():
    x = Tensor(np.ones((256, 256), np.float32))
    layer = tt_nn.Dropout(0.5)
    with tt_perf.profile(ceilings=ROOF) as p:
        layer(x)
    assert p.memory.by_op.get("Dropout", 0) >= x.nbytes


def test_traced_is_all_that_was_allocated():
    x = Tensor(np.ones((256, 256), np.float32))
    with tt_perf.profile(ceilings=ROOF, traced=True) as p:
        x + 1.0
        np.ones(3 * x.nbytes, np.uint8)
    assert p.memory.traced >= 3 * x.nbytes
    with tt_perf.profile(ceilings=ROOF) as p:
        pass
    assert p.memory.traced is None
    assert (p.memory.bytes, p.memory.op) == (0, None)


# --- threads, nesting, errors ---------------------------------------------------------------------------------


def test_each_thread_has_its_own_sum():
    with tt_perf.profile(ceilings=ROOF) as p:
        other = threading.Thread(target=lambda: Sleep(0.05)(Tensor([1.0])))
        other.start()
        Around()(Tensor([1.0]))
        other.join()
    main, beside = p.threads["main"], p.threads["thread 1"]
    assert beside >= 0.05 <= main
    assert row(p, "Sleep").calls == 2
    assert p.other + main == pytest.approx(p.seconds)
    # Side by side: both together are more than the clock.
    assert main + beside > p.seconds
    assert "thread 1" in str(p)


def test_an_error_in_the_block_leaves_a_profile_and_nothing_else():
    p = tt_perf.profile(ceilings=ROOF)

    def block():
        with p:
            Add()(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]))
            Add()(Tensor([1.0, 2.0]), Tensor([1.0, 2.0, 3.0]))

    with pytest.raises(ShapeError):
        block()
    assert observing.active is None
    assert row(p, "Add").calls == 1


def test_nested_profiles_each_see_what_happens_in_them():
    with tt_perf.profile(ceilings=ROOF) as outer:
        Add()(Tensor([1.0]), Tensor([1.0]))
        with tt_perf.profile(ceilings=ROOF) as inner:
            Add()(Tensor([1.0]), Tensor([1.0]))
        Add()(Tensor([1.0]), Tensor([1.0]))
    assert row(inner, "Add").calls == 1
    assert row(outer, "Add").calls == 3


def test_profiles_may_end_in_any_order():
    first, second = tt_perf.profile(ceilings=ROOF), tt_perf.profile(ceilings=ROOF)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    Add()(Tensor([1.0]), Tensor([1.0]))
    second.__exit__(None, None, None)
    assert first.ops == []
    assert row(second, "Add").calls == 1


def test_another_observer_goes_on_being_told():
    told = []

    class Other:
        def applied(self, function, inputs, output, started):
            told.append(function)

    other = Other()
    observing.install(other)
    try:
        with tt_perf.profile(ceilings=ROOF) as p:
            Add()(Tensor([1.0]), Tensor([1.0]))
        assert observing.active is other
    finally:
        observing.install(None)
    assert len(told) == row(p, "Add").calls == 1


def test_no_event_keeps_an_array_alive():
    import gc
    import weakref

    with tt_perf.profile(ceilings=ROOF) as p:
        y = Tensor(np.ones((256, 256), np.float32)) + 1.0
        gone = weakref.ref(y.array)
        del y
        gc.collect()
        assert gone() is None
    assert row(p, "Add").calls == 1


def test_what_finds_no_room_is_said():
    with tt_perf.profile(ceilings=ROOF, most=3) as p:
        for _ in range(5):
            Add()(Tensor([1.0]), Tensor([1.0]))
    assert (row(p, "Add").calls, p.lost) == (3, 2)
    assert "2 events found no room" in str(p)


def test_a_profile_is_for_one_block():
    p = tt_perf.profile(ceilings=ROOF)
    with pytest.raises(ArgumentError, match="has not ended"):
        p.seconds  # noqa: B018
    with p:
        assert str(p) == "Profile(the block has not ended)"
    with pytest.raises(ArgumentError, match="entered before"), p:
        pass


def traced():
    return tt_perf.profile(ceilings=ROOF, memory=False, traced=True)


BYTES = 1 << 22


def test_a_traced_block_inside_of_another_takes_nothing_of_its_peak():
    with traced() as outer:
        np.ones(BYTES, np.uint8)
        with traced() as inner:
            np.ones(BYTES // 4, np.uint8)
        with traced() as idle:
            pass
    assert outer.memory.traced >= BYTES
    assert BYTES // 4 <= inner.memory.traced < BYTES and idle.memory.traced < BYTES // 4
    assert not tracemalloc.is_tracing()


def test_traced_blocks_that_overlap_have_each_its_own_peak():
    first, second = traced(), traced()
    first.__enter__()
    np.ones(BYTES, np.uint8)
    second.__enter__()
    first.__exit__(None, None, None)
    np.ones(BYTES // 4, np.uint8)
    second.__exit__(None, None, None)
    assert first.memory.traced >= BYTES and BYTES // 4 <= second.memory.traced < BYTES
    assert not tracemalloc.is_tracing()


def test_tracing_that_somebody_else_began_goes_on():
    tracemalloc.start()
    try:
        with traced():
            pass
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{"most": 0}, {"most": True}, {"ceilings": 5}], ids=str)
def test_bad_arguments(options):
    with pytest.raises(ArgumentError):
        tt_perf.profile(**options)


def test_bad_words():
    with tt_perf.profile(ceilings=ROOF) as p:
        pass
    with pytest.raises(ArgumentError, match="'op' or 'module'"):
        p.table("layer")
    with pytest.raises(ArgumentError, match="must be a string"), tt_perf.span(3):
        pass


def test_results_are_the_same_bit_for_bit():
    model, x = mlp(), Tensor(np.linspace(-1, 1, 32 * 64, dtype=np.float32).reshape(32, 64))
    plain = model(x).numpy()
    with tt_perf.profile(ceilings=ROOF):
        seen = model(x).numpy()
    assert plain.tobytes() == seen.tobytes()


# --- what comes out -------------------------------------------------------------------------------------------


def test_figures_are_plain_json():
    with tt_perf.profile(ceilings=ROOF) as p:
        mlp()(Tensor(np.ones((32, 64), np.float32)))
    figures = json.loads(json.dumps(p.to_dict()))
    assert figures["ceilings"] == {"flops": 1e11, "bandwidth": 1e10, "ridge": 10.0}
    linear = next(found for found in figures["ops"] if found["op"] == "Linear")
    assert linear["calls"] == 2
    assert linear["intensity"] == linear["flops"] / linear["bytes"]
    assert figures["modules"][0]["path"] == "Sequential"


def test_the_table_names_every_op_and_the_rest():
    with tt_perf.profile(ceilings=ROOF) as p:
        mlp()(Tensor(np.ones((32, 64), np.float32)))
    shown = str(p)
    for word in ("Linear", "ReLU", "Python in modules", "other", "wall clock", "100 GFLOP/s, 10.0 GB/s"):
        assert word in shown
