"""The table of kernels: registering, choosing, and who is affected."""

import threading

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import kernels
from tt_tensor.kernels import table
from tt_tensor.ops.linalg import MatMul


@pytest.fixture
def own_table(monkeypatch):
    """A copy of the table, so that what a test registers is gone afterwards."""
    monkeypatch.setattr(table, "_table", {name: dict(entries) for name, entries in table._table.items()})
    monkeypatch.setattr(table, "_default", dict(table._default))
    monkeypatch.setattr(table, "_own", dict(table._own))
    monkeypatch.setattr(table, "_running", dict(table._running))
    monkeypatch.setattr(table, "_preferred", None)
    monkeypatch.setattr(table, "plain", table.plain)


def test_loops_come_first_and_numpy_is_the_default():
    assert {"elementwise", "matmul", "reductions", "softmax"} <= set(kernels.operations())
    for operation in ("elementwise", "matmul", "reductions", "softmax"):
        assert kernels.names(operation)[:2] == ["loops", "numpy"]
        assert table._default[operation] is kernels.kernel(operation, "numpy")


def test_use_chooses_inside_the_block_only():
    before = kernels.kernel("matmul")
    with kernels.use("loops"):
        assert kernels.kernel("matmul") is kernels.kernel("matmul", "loops")
        with kernels.use("numpy", "matmul"):
            assert kernels.kernel("matmul") is before
            assert kernels.kernel("softmax") is kernels.kernel("softmax", "loops")
        assert kernels.kernel("matmul") is kernels.kernel("matmul", "loops")
        assert not table.plain
    assert kernels.kernel("matmul") is before
    assert table.plain


def test_use_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), kernels.use("loops"):
        raise ZeroDivisionError
    assert table.plain
    assert kernels.kernel("matmul") is kernels.kernel("matmul", "numpy")


def test_use_decorates():
    @kernels.use("loops", "softmax")
    def chosen():
        return kernels.kernel("softmax")

    before = kernels.kernel("softmax")
    assert chosen() is kernels.kernel("softmax", "loops")
    assert chosen() is kernels.kernel("softmax", "loops")
    assert kernels.kernel("softmax") is before


@pytest.mark.usefixtures("own_table")
def test_a_preferred_name_runs_wherever_an_operation_has_it_also_later():
    def quick(x, y):
        return np.matmul(x, y)

    kernels.register("matmul", "quick", quick)
    kernels.register("only", "slow", print, default=True)
    assert kernels.preferred() is None
    kernels.prefer("quick")
    assert kernels.preferred() == "quick"
    assert kernels.kernel("matmul") is quick
    assert not table.plain
    assert kernels.kernel("only") is print
    kernels.register("later", "quick", len)
    kernels.register("later", "numpy", max, default=True)
    assert kernels.kernel("later") is len
    with kernels.use("numpy"):
        assert kernels.kernel("later") is max
    seen = []
    thread = threading.Thread(target=lambda: seen.append(kernels.kernel("matmul")))
    thread.start()
    thread.join()
    assert seen == [quick]
    kernels.prefer(None)
    assert kernels.kernel("later") is max
    assert kernels.kernel("matmul") is kernels.kernel("matmul", "numpy")
    assert table.plain


@pytest.mark.usefixtures("own_table")
def test_a_default_that_is_set_while_another_is_preferred_runs_afterwards():
    kernels.register("matmul", "quick", np.dot)
    kernels.prefer("quick")
    kernels.set_default("matmul", "loops")
    assert kernels.kernel("matmul") is np.dot
    kernels.prefer(None)
    assert kernels.kernel("matmul") is kernels.kernel("matmul", "loops")


def test_another_thread_is_left_alone():
    seen = []
    with kernels.use("loops"):
        thread = threading.Thread(target=lambda: seen.append(kernels.kernel("matmul")))
        thread.start()
        thread.join()
    assert seen == [kernels.kernel("matmul", "numpy")]


@pytest.mark.parametrize(
    ("operation", "run"),
    [
        ("matmul", lambda x: x @ x),
        ("matmul", lambda x: tt.einsum("ij,jk->ik", x, x)),
        ("elementwise", lambda x: x + x),
        ("reductions", lambda x: x.sum()),
        ("reductions", lambda x: x.max(0)),
        ("reductions", lambda x: x.any()),
        ("softmax", lambda x: x.softmax()),
    ],
)
def test_operations_run_on_the_kernel_in_use(own_table, operation, run):
    calls = []

    def spy(*args):
        calls.append(args)
        return kernels.kernel(operation, "numpy")(*args)

    kernels.register(operation, "spy", spy)
    x = tt.ones(2, 2)
    wanted = run(x).numpy()
    assert not calls
    with kernels.use("spy"):
        np.testing.assert_array_equal(run(x).numpy(), wanted)
    assert len(calls) == 1
    kernels.set_default(operation, "spy")
    run(x)
    assert len(calls) == 2
    kernels.set_default(operation, "numpy")
    run(x)
    assert len(calls) == 2


def test_a_new_numpy_kernel_is_not_skipped(own_table):
    calls = []

    def other(x, y):
        calls.append("other")
        return np.matmul(x, y)

    kernels.register("matmul", "numpy", other, default=True)
    tt.ones(2, 2) @ tt.ones(2, 2)
    assert calls == ["other"]


def test_a_softmax_of_another_leaves_the_small_operations_plain(own_table):
    kernels.register("softmax", "other", lambda x, axis: x + 7)
    kernels.set_default("softmax", "other")
    try:
        assert table.plain
        assert tt.ones(2).softmax().tolist() == [8, 8]
    finally:
        kernels.set_default("softmax", "numpy")


def test_a_rule_runs_on_the_kernel_in_use(own_table):
    calls = []

    def spy(x, y):
        calls.append((x.shape, y.shape))
        return np.matmul(x, y)

    kernels.register("matmul", "spy", spy)
    function = MatMul()
    with kernels.use("spy"):
        function(tt.ones(2, 3), tt.ones(3, 4))
        function.gradients(np.ones((2, 4), np.float32))
    assert calls == [((2, 3), (3, 4)), ((2, 4), (4, 3)), ((3, 2), (2, 4))]


def test_a_later_wheel_adds_an_operation(own_table):
    kernels.register("convolution", "loops", lambda x: x)
    assert "convolution" in kernels.operations()
    assert kernels.kernel("convolution")(3) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: kernels.kernel("convolute"),
        lambda: kernels.kernel("matmul", "fast"),
        lambda: kernels.names("convolute"),
        lambda: kernels.set_default("matmul", "fast"),
        lambda: kernels.use("fast").__enter__(),
        lambda: kernels.use("loops", "convolute").__enter__(),
        lambda: kernels.use("fast", "matmul").__enter__(),
    ],
)
def test_unknown_names(wrong):
    with pytest.raises(tt.ArgumentError, match="kernel"):
        wrong()
    assert table.plain
